# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A call is noted before it is made, where a full disk cannot keep it from being noted."""

from __future__ import annotations

import os
import pathlib
import resource
import signal
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._delivery import journal
from ansible_collections.day2.codex.plugins.module_utils._delivery.journal import BEGUN, REFUSED, SLOTS, TAKEN, Journal, calls, in_doubt

NAMES = [f"msg_{number:032x}" for number in range(4)]


def test_the_last_word_on_each_message_counts(tmp_path: pathlib.Path) -> None:
    with Journal(str(tmp_path)) as kept:
        for number, how in enumerate((TAKEN, REFUSED, BEGUN)):
            kept.end(kept.begin(NAMES[number], 100.5 + number), how)
        kept.begin(NAMES[1], 200.0)
    assert [(call.message, call.at, call.how) for call in calls(str(tmp_path))] == [
        (NAMES[0], 100.5, TAKEN),
        (NAMES[1], 101.5, REFUSED),
        (NAMES[2], 102.5, BEGUN),
        (NAMES[1], 200.0, BEGUN),
    ]
    assert in_doubt(calls(str(tmp_path))) == {NAMES[2]: 102.5, NAMES[1]: 200.0}


def test_it_goes_round_and_never_grows(tmp_path: pathlib.Path) -> None:
    for _time in range(2):
        with Journal(str(tmp_path)) as kept:
            for number in range(SLOTS // 2 + 10):
                kept.end(kept.begin(NAMES[0], float(number)), TAKEN)
    found = calls(str(tmp_path))
    assert len(found) == SLOTS and [call.number for call in found] == list(range(21, SLOTS + 21))
    assert os.path.getsize(journal.path(str(tmp_path))) == SLOTS * journal.SIZE


@pytest.mark.parametrize("damage", [b"", b"x" * 100, b"\n" * 64, os.urandom(64 * 10), b"9" * 63 + b"\n"])
def test_what_is_no_line_is_left_out_and_written_over(tmp_path: pathlib.Path, damage: bytes) -> None:
    pathlib.Path(journal.path(str(tmp_path))).write_bytes(damage)
    with Journal(str(tmp_path)) as kept:
        assert kept.calls == []
        kept.begin(NAMES[0], 1.0)
    assert [call.message for call in calls(str(tmp_path))] == [NAMES[0]]


def test_a_link_is_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "calls").symlink_to("target")
    with pytest.raises(OSError):
        Journal(str(tmp_path))
    assert (tmp_path / "target").read_text() == "mine"


def _limited(work: t.Callable[[], bool]) -> int:
    """How a child ends in which no file can grow."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (SLOTS * journal.SIZE, SLOTS * journal.SIZE))
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_where_no_file_can_grow_a_call_is_noted_still(tmp_path: pathlib.Path) -> None:
    with Journal(str(tmp_path)):
        pass

    def work() -> bool:
        with Journal(str(tmp_path)) as kept:
            kept.end(kept.begin(NAMES[0], 1.0), TAKEN)
        return True

    assert _limited(work) == 0
    assert [call.how for call in calls(str(tmp_path))] == [TAKEN]


def test_where_there_is_no_room_for_it_that_is_an_error(tmp_path: pathlib.Path) -> None:
    def work() -> bool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            Journal(str(tmp_path))
        except OSError:
            return True
        return False

    assert _limited(work) == 0
    with Journal(str(tmp_path)) as kept:
        kept.begin(NAMES[0], 1.0)
