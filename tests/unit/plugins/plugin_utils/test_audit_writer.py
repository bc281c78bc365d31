# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records that wait for the disk together lose neither their order nor each other."""

from __future__ import annotations

import fcntl
import os
import pathlib

from ansible_collections.day2.codex.plugins.module_utils._trail.log import append, records
from ansible_collections.day2.codex.plugins.module_utils._trail.verify import verify
from ansible_collections.day2.codex.plugins.plugin_utils._audit_writer import Writer


class Broken:
    """What cannot be written."""

    def __str__(self) -> str:
        raise RuntimeError("it cannot be written")


def test_records_that_waited_for_another_writer_are_all_there_but_the_one_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    log = str(tmp_path / "audit.jsonl")
    append(log, {"number": 0})
    writer = Writer(log, None)
    descriptor = os.open(log, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    for number in range(1, 100):
        writer.put({"number": Broken() if number == 50 else number})
    os.close(descriptor)
    writer.wait()
    assert [str(failure) for failure in writer.failures()] == ["it cannot be written"]
    assert [record["number"] for record in records(log)] == [number for number in range(100) if number != 50]
    assert verify(log).verified and writer.head == verify(log).head


def test_each_record_that_is_lost_is_said(tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.mkdir()
    writer = Writer(str(log), None)
    for number in range(7):
        writer.put({"number": number})
    writer.wait()
    assert len(writer.failures()) == 7 and writer.failures() == []
