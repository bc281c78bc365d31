# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's health is what its kernel says."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._signals import health, processes

#: Limits that no test machine reaches.
QUIET: dict[str, t.Any] = {
    "load_warning": 1e9, "load_critical": 1e9, "memory_warning": 0, "memory_critical": 0, "pressure_warning": 100, "pressure_critical": 100,
    "failed_units": False, "reboot": False, "clock": False, "process_age": "52w",
}  # fmt: skip


def _await(pid: int, state: str) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = processes.one(pid, processes.uptime(), 100)
        if found is not None and found.state == state:
            return
    raise AssertionError


def test_a_host_that_is_well_is_ok(look: t.Any) -> None:
    looked = look("health", **QUIET)
    assert looked.status == "ok" and looked.found == {}
    assert looked.metrics["processors"] == os.cpu_count() and looked.metrics["uptime_seconds"] > 0


def test_load_and_memory_are_held_against_their_limits(look: t.Any) -> None:
    assert look("health", **{**QUIET, "load_warning": 0}).severities == {"load:load5": "WARNING"}
    assert look("health", **{**QUIET, "load_warning": 0, "load_critical": 0}).severities == {"load:load5": "CRITICAL"}
    assert look("health", **{**QUIET, "memory_warning": 100}).severities == {"memory:memory": "WARNING"}
    assert look("health", **{**QUIET, "memory_warning": 100, "memory_critical": 100}).severities == {"memory:memory": "CRITICAL"}


def test_pressure_is_held_against_its_limits(look: t.Any) -> None:
    there = {f"pressure:{name}" for name in ("cpu", "memory", "io") if os.path.exists(f"/proc/pressure/{name}")}
    assert set(look("health", **{**QUIET, "pressure_warning": 0}).severities) == there


def test_a_zombie_is_named_with_its_parent(look: t.Any) -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    try:
        _await(child.pid, "Z")
        found = [item for item in look("health", **{**QUIET, "process_age": 0}).found.values() if str(child.pid) in item.get("detail", "")]
        assert [(item["id"].split(":")[0], item["severity"]) for item in found] == [("zombie", "WARNING")]
    finally:
        child.wait()
    after = look("health", **{**QUIET, "process_age": 0}).found.values()
    assert not [item for item in after if f"{child.pid}" in item.get("detail", "").replace(";", ",").replace(" ", ",").split(",")]


def test_a_stopped_process_is_found(look: t.Any) -> None:
    child = subprocess.Popen(["sleep", "3072"])
    try:
        os.kill(child.pid, signal.SIGSTOP)
        _await(child.pid, "T")
        found = look("health", **{**QUIET, "process_age": 0}).found
        assert any(name.startswith("stopped:sleep of ") and str(child.pid) in item["detail"] for name, item in found.items())
    finally:
        child.kill()
        child.wait()


def test_a_name_of_a_process_can_say_anything(look: t.Any, tmp_path: pathlib.Path) -> None:
    # A program sets its own name: here one that looks like the fields behind it, with an escape for the terminal.
    code = "import sys; open('/proc/self/comm', 'w').write('a) Z 1 \\x1b[2J ('); sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None and child.stdout.read(1) == b"x"
        found = processes.one(child.pid, processes.uptime(), 100)
        assert found is not None and found.state in "SR" and found.parent == os.getpid() and found.name.startswith("a) Z 1")
        os.kill(child.pid, signal.SIGSTOP)
        _await(child.pid, "T")
        looked = look("health", **{**QUIET, "process_age": 0})
        assert any("\\u{001b}[2J" in name for name in looked.found)
    finally:
        child.kill()
        child.communicate()


def test_failed_units_are_named_as_systemctl_names_them(look_with: t.Any) -> None:
    lines = "inbox.service loaded failed failed Inbox\n\u25cf other.timer loaded failed failed Other\nold.service loaded failed failed Old\n"
    look_with.tool("systemctl", f"cat <<'END'\n{lines}END\n")
    looked = look_with("health", **{**QUIET, "failed_units": True, "ignore_units": ["old.service"]})
    assert looked.severities == {"unit:inbox.service": "CRITICAL", "unit:other.timer": "CRITICAL"}
    assert looked.metrics["failed_units"] == 3


def test_without_systemd_the_status_is_unknown_with_the_reason(look_with: t.Any) -> None:
    looked = look_with("health", **{**QUIET, "failed_units": True})
    assert looked.status == "unknown" and "systemctl is not installed." in looked.signal["summary"]


def test_the_kernel_says_whether_its_clock_is_kept(look: t.Any) -> None:
    looked = look("health", **{**QUIET, "clock": True})
    said = subprocess.run(["timedatectl", "show"], capture_output=True, text=True, check=False) if os.path.isdir("/run/systemd/system") else None
    if said is not None and "NTPSynchronized=" in said.stdout:
        assert ("clock:clock" in looked.found) == ("NTPSynchronized=no" in said.stdout)
    assert looked.metrics["clock_error_ms"] >= 0
    assert set(looked.found) <= {"clock:clock"}


@pytest.mark.parametrize(("older", "newer"), [("6.1.0-9-amd64", "6.1.0-10-amd64"), ("5.15.0-91-generic", "6.2.0-1-generic"), ("6.1.0-9", "6.1.0-9.1")])
def test_kernels_are_in_their_order(older: str, newer: str) -> None:
    assert health._version(older) < health._version(newer)
