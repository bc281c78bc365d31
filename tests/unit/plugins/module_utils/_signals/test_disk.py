# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is full, or will be, is found; what has room is not."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._signals.disk import mounts, rate

DAY = 86400


def test_a_host_with_room_is_ok(look: t.Any) -> None:
    looked = look("disk", space_warning=100, space_critical=100, inodes_warning=100, inodes_critical=100, deleted_size="100T", paths=["/"])
    assert looked.status == "ok" and looked.found == {}
    assert looked.metrics["used_percent:/"] < 100


def test_used_space_is_what_df_says(look: t.Any, tmp_path: pathlib.Path) -> None:
    looked = look("disk", paths=[str(tmp_path)], space_warning=0, space_critical=100)
    said = subprocess.run(["df", "--output=pcent", str(tmp_path)], capture_output=True, text=True, check=True).stdout.split()[-1]
    # df rounds up.
    assert abs(looked.metrics[f"used_percent:{tmp_path}"] - float(said.rstrip("%"))) <= 1.5
    assert looked.severities == {f"space:{tmp_path}": "WARNING"}
    assert look("disk", paths=[str(tmp_path)], space_warning=0, space_critical=0).severities == {f"space:{tmp_path}": "CRITICAL"}


def test_used_inodes_are_found(look: t.Any) -> None:
    looked = look("disk", paths=["/dev/shm"], inodes_warning=0, inodes_critical=100, space_warning=100, space_critical=100)
    assert "inodes:/dev/shm" in looked.severities


def test_what_fills_up_is_known_by_when(look: t.Any) -> None:
    room = os.statvfs("/")
    used, free = (room.f_blocks - room.f_bfree) * room.f_frsize, room.f_bavail * room.f_frsize
    look.now = 1_800_000_000.0
    # A tenth of what is free, each day.
    look.memory = {"points": {"/": [[look.now - days * DAY, used - days * free / 10] for days in (6, 4, 2)]}}
    quiet = {"space_warning": 100, "space_critical": 100, "inodes_warning": 100, "inodes_critical": 100, "paths": ["/"]}
    looked = look("disk", fills_within="11d", **quiet)
    assert looked.severities == {"fills:/": "WARNING"}
    assert abs(looked.metrics["full_in_seconds:/"] - 10 * DAY) < DAY / 4
    assert look("disk", fills_within="9d", **quiet).status == "ok"


def test_measures_are_remembered_and_spread_over_the_window(look: t.Any) -> None:
    look.now = 1_800_000_000.0
    for _tick in range(500):
        look.now += 600
        look.memory = look("disk", paths=["/"], growth_window="1d").report.memory
    points = look.memory["points"]["/"]
    assert 40 <= len(points) <= 66
    assert look.now - points[0][0] > DAY * 0.8


def test_growth_is_a_line_through_all_points() -> None:
    assert round(rate([[0, 0], [10, 100], [20, 200]])) == 10
    assert rate([[5, 1], [5, 2]]) == 0


def test_a_damaged_memory_is_none(look: t.Any) -> None:
    for memory in ({"points": 1}, {"points": {"/": [1, [2], ["a", "b"], [1, 2, 3]]}}, {"other": []}):
        look.memory = memory
        assert look("disk", paths=["/"], space_critical=100).status in ("ok", "warning")


def test_a_deleted_file_that_is_still_open_is_named_with_who_holds_it(look: t.Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "big.log"
    with path.open("wb") as handle:
        handle.write(b"x" * 3_000_000)
        handle.flush()
        os.fsync(handle.fileno())
        path.unlink()
        looked = look("disk", deleted_size="1M", paths=["/"], space_warning=100, space_critical=100)
        found = looked.found[f"deleted:{path}"]
        assert found["severity"] == "WARNING" and f"({os.getpid()})" in found["detail"]
        assert found["observed"] in ("2.9 MiB", "3.0 MiB")
    assert f"deleted:{path}" not in look("disk", deleted_size="1M", paths=["/"]).found


def test_a_path_that_is_not_there_is_unknown_with_the_reason(look: t.Any) -> None:
    looked = look("disk", paths=["/nothing/here"], deleted_size="100T")
    assert looked.status == "unknown" and "No such file" in looked.signal["summary"]


def test_each_file_system_is_looked_at_once() -> None:
    text = (
        b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / /proc rw - proc proc rw\n3 1 8:1 /srv /bind rw - ext4 /dev/sda1 rw\n"
        b"4 1 8:2 / /mnt/a\\040b\\012c rw - xfs /dev/sdb rw\n5 1 7:0 / /snap/x ro - squashfs /dev/loop0 ro\nshort\n"
        b"6 1 8:3 / /mnt/a\\040b\\012c rw - xfs /dev/sdc rw\n"
    )
    assert mounts(text) == [("/", "8:1"), ("/mnt/a b\nc", "8:3")]


def test_a_hanging_file_system_costs_its_time_and_no_more(look: t.Any) -> None:
    from ansible_collections.day2.codex.plugins.module_utils._signals import files

    code = "import threading; threading.Event().wait()"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        try:
            files.within(0.2, child.wait)
        except files.Late:
            return
        raise AssertionError
    finally:
        child.kill()
        child.wait()
