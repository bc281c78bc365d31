# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables show everything that is in them, and nothing that a terminal would obey."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from ansible_collections.day2.codex.plugins.module_utils._cli import show

HEADS = ("job", "state", "count")


def test_columns_line_up_and_numbers_stand_to_the_right() -> None:
    text = show.table(HEADS, [("a", "pending", 1), ("longer", "done", 1234)], show.UNKNOWN)
    assert text.splitlines() == ["JOB     STATE    COUNT", "a       pending      1", "longer  done     1,234"]


@pytest.mark.parametrize("hidden", ["\x1b[31m", "\u202e", "\u200b", "\r", "\x00", "\x9b", "\ud800", "\U000e0041"])
def test_no_control_or_direction_character_reaches_a_terminal(hidden: str) -> None:
    for text in (show.table(HEADS, [(f"a{hidden}b", "x", 1)], 40), show.facts([("name", f"a{hidden}b")])):
        assert hidden not in text
        assert "\\u{" in text


@pytest.mark.parametrize("value", ["two\nlines", "a\ttab"])
def test_a_cell_is_one_line(value: str) -> None:
    assert len(show.table(HEADS, [(value, "x", 1)], show.UNKNOWN).splitlines()) == 2
    assert len(show.facts([("name", value)]).splitlines()) == 1


@pytest.mark.parametrize("room", [20, 30, 45, 80, 200])
def test_a_table_is_no_wider_than_the_terminal(room: int) -> None:
    rows = [("x" * 100, "y" * 50, 12), ("\u4e2d" * 60, "short", 7)]
    for line in show.table(HEADS, rows, room).splitlines():
        assert show.columns(line) <= max(room, 3 * 8 + 4)


def test_what_was_cut_says_so() -> None:
    assert show.cut("abcdefghij", 8) == "abcde..."
    assert show.cut("abcdefgh", 8) == "abcdefgh"
    assert show.columns(show.cut("\u4e2d" * 10, 9)) <= 9


def test_nothing_is_cut_where_a_program_or_a_file_reads() -> None:
    assert "x" * 5000 in show.table(HEADS, [("x" * 5000, "y", 1)], show.UNKNOWN)


def test_nothing_is_said_as_a_dash() -> None:
    assert show.cell(None) == show.cell("") == "-"
    assert (show.cell(True), show.cell(0), show.cell(1234567)) == ("yes", "0", "1,234,567")


def test_an_empty_table_has_heads_only() -> None:
    assert show.table(HEADS, [], 80) == "JOB  STATE  COUNT"


PROGRESS = """
import sys
sys.path[:0] = {path!r}
from ansible_collections.day2.codex.plugins.module_utils._cli.progress import shown
with shown("Working"):
    sys.stdin.readline()
sys.stdout.write("done")
"""


def _with_terminal(stderr_is_terminal: bool, environment: dict[str, str]) -> bytes:
    """What stands on standard error while something lasts for a second."""
    script = PROGRESS.format(path=[path for path in sys.path if path])
    ours, theirs = pty.openpty()
    reading, writing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=theirs if stderr_is_terminal else writing, env=environment
    )
    os.close(theirs)
    os.close(writing)
    try:
        found = b""
        if stderr_is_terminal and environment.get("TERM") != "dumb":
            while b"0:01" not in found:
                found += os.read(ours, 1000)
        child.communicate(b"\n", timeout=30)
        if stderr_is_terminal:
            while True:
                try:
                    more = os.read(ours, 1000)
                except OSError:
                    break
                if not more:
                    break
                found += more
        else:
            found = os.read(reading, 1000)
        return found
    finally:
        child.kill()
        child.wait()
        os.close(ours)
        os.close(reading)


def test_a_terminal_sees_that_work_goes_on_and_the_line_goes_away() -> None:
    said = _with_terminal(True, {"TERM": "xterm", "PATH": os.environ["PATH"]})
    assert b"Working 0:01" in said
    assert said.endswith(b"\r\x1b[K")


@pytest.mark.parametrize(("terminal", "term"), [(False, "xterm"), (True, "dumb")])
def test_a_file_or_a_plain_terminal_sees_no_progress(terminal: bool, term: str) -> None:
    assert _with_terminal(terminal, {"TERM": term, "PATH": os.environ["PATH"]}) == b""
