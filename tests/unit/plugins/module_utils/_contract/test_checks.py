# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every breach of a slice has its code and its place; what is allowed passes."""

from __future__ import annotations

import dataclasses
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.checks import MAX_INSPECTED, check_change, is_hidden
from ansible_collections.day2.codex.plugins.module_utils._contract.model import MAX_CONTENT, Change, FileState
from ansible_collections.day2.codex.plugins.module_utils._contract.slice import Slice, parse
from ansible_collections.day2.codex.plugins.module_utils._workspace.escape import escape

TOKEN = "ghp_" + "a1B2" * 9
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA{}\n-----END OPENSSH PRIVATE KEY-----\n"
MARKER = "[redacted:openai_key:4f2a]"


def given(**more: t.Any) -> Slice:
    document: dict[str, t.Any] = {
        "name": "inbox",
        "category": "configuration_change",
        "workspace": "/srv/inbox",
        "scope": {"include": ["config/**"], "exclude": ["**/.env"]},
        "instructions": "x",
        "do_not_touch": {"values": ["api.example.com"], "paths": ["config/api.yml", "config/closed"]},
        "validation": {"must_hold": [{"name": "it runs", "argv": ["/srv/inbox/config/check.sh"]}]},
        "limits": {"files": 3, "changed_lines": 50},
    }
    return parse({**document, **more})


def state(content: bytes, **more: t.Any) -> FileState:
    return dataclasses.replace(FileState("file", 0o644, len(content), "0" * 64), **more)


def edit(old: str | bytes | None, new: str | bytes | None, path: str = "config/a.yml", **more: t.Any) -> Change:
    before, after = (text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text for text in (old, new))
    return Change(
        path,
        None if before is None else state(before),
        None if after is None else state(after, **more),
        before,
        after if more.get("kind", "file") == "file" else None,
    )


def codes(*changes: Change, known: t.Sequence[str] = (), lines: int = 1, **more: t.Any) -> list[str]:
    return [violation.code for violation in check_change(given(**more), changes, known, lines)]


@pytest.mark.parametrize(
    "change",
    [
        edit("a: 1\n", "a: 2\n"),
        edit(None, "a: 2\n"),
        edit("a: 1\n", None),
        edit("a\r\nb\r\n", "a\r\nc\r\nd\r\n"),
        edit("\ufeffa: 1\n", "\ufeffa: 2\n"),
        edit("a: \u00e9\n", "a: \u00fc \u65e5\u672c\n"),
        edit(f"token: {TOKEN}\nsender: wrong\n", f"token: {TOKEN}\nsender: right\n"),
        edit(KEY.format("A"), KEY.format("A") + "more\n"),
        edit(f"note: {MARKER}\na: 1\n", f"note: {MARKER}\na: 2\n"),
        edit(f"token: {TOKEN}\n", "token:\n"),
    ],
)
def test_what_the_slice_allows_passes(change: Change) -> None:
    assert codes(change) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (edit(None, "x", "stray"), "out_of_scope"),
        (edit(None, "x", "config/.env"), "out_of_scope"),
        (edit("x", None, "config/api.yml"), "do_not_touch_path"),
        (edit("x", "y", "config/closed/deep/file"), "do_not_touch_path"),
        (edit("api.example.com", "x"), "do_not_touch_value"),
        (edit("x", "y", kind="symlink"), "symlink"),
        (edit("x", "y", kind="fifo"), "special_file"),
        (edit("x", "y", kind="directory"), "special_file"),
        (edit("x", "y", nlink=2), "hard_link"),
        (edit("x", "y", mode=0o600), "mode_change"),
        (edit(None, "y", mode=0o755), "mode_change"),
        (edit(None, "y", mode=0o4644), "mode_change"),
        (edit(None, "y", mode=0o666), "mode_change"),
        (edit("x", b"\xff"), "binary_file"),
        (edit(b"\xff", "x"), "binary_file"),
        (edit("x", b"a\0b"), "binary_file"),
        (edit("x", "y", size=MAX_CONTENT + 1), "too_many_lines"),
        (edit("x", "y", "config/.git/hooks/pre-commit"), "git_metadata"),
        (edit("x", "y", "config/.GIT/config"), "git_metadata"),
        (edit("x", "y", "config/.git. /config"), "git_metadata"),
        (edit("x", "y", "config/.g\u200cit/config"), "git_metadata"),
        (edit("x", "y", "config/\uff0egit/config"), "git_metadata"),
        (edit("x", "y", "config/.gitattributes"), "git_metadata"),
        (edit("x", "y", "config/a\n.yml"), "hidden_characters"),
        (edit("x", "y", "config/a\u202e.yml"), "hidden_characters"),
        (edit("x", "y", "config/a\udcff.yml"), "hidden_characters"),
        (edit("x", "a\u202eb"), "hidden_characters"),
        (edit("\u200b", "\u200b\u200b"), "hidden_characters"),
        (edit("x", "a\x1b[2J"), "hidden_characters"),
        (edit("a\n", "a\r\n"), "hidden_characters"),
        (edit("a\r\n", "evil\rgood\r\n"), "hidden_characters"),
        (edit("x", "a\U000e0041b"), "hidden_characters"),
        (edit("x", "a\u2800b"), "hidden_characters"),
        (edit("x", f"token: {TOKEN}"), "secret_in_patch"),
        (edit(f"token: {TOKEN}", f"token: {TOKEN}\nagain: {TOKEN}"), "secret_in_patch"),
        (edit(KEY.format("A"), KEY.format("B")), "secret_in_patch"),
        (edit("x", MARKER), "redaction_marker_in_patch"),
        (edit(MARKER, MARKER + MARKER.replace("4f2a", "0000")), "redaction_marker_in_patch"),
        (edit("x", "y", "config/check.sh"), "touches_validation"),
        (edit("x", "y" * 4096 * 52), "too_many_lines"),
    ],
)
def test_a_breach_has_its_code(change: Change, code: str) -> None:
    assert code in codes(change)


def test_a_breach_has_its_line() -> None:
    (violation,) = check_change(given(), [edit("a\n", f"a\nb\ntoken: {TOKEN}\n")], (), 2)
    assert (violation.code, violation.path, violation.line) == ("secret_in_patch", "config/a.yml", 3)
    assert TOKEN not in violation.detail


def test_what_is_a_breach_is_what_a_patch_shows_escaped() -> None:
    characters = (chr(code) for code in range(0x110000) if code != 0x0D)
    assert [hex(ord(character)) for character in characters if is_hidden(character) != (escape(character) != character)] == []


def test_too_many_files_and_lines_are_counted() -> None:
    many = [edit("a", "b", f"config/{number}") for number in range(4)]
    assert codes(*many) == ["too_many_files"]
    assert codes(*many[:3]) == []
    assert codes(edit("a", "b"), lines=51) == ["too_many_lines"]
    assert codes(*many[:3], limits={"files": 2.0}) == ["too_many_files"]


def test_a_flood_of_hostile_files_is_refused_in_time_and_in_few_words() -> None:
    flood = [edit(None, "\u202e", f"stray/{number}\n") for number in range(50000)]
    began = time.monotonic()
    found = check_change(given(), flood, (), 50000)
    assert time.monotonic() - began < 10
    assert found[0].code == "too_many_files"
    assert len(found) <= MAX_INSPECTED


@pytest.mark.parametrize(("twin", "code"), [("config/A.yml", "out_of_scope"), ("config/\uff41.yml", "out_of_scope"), ("config/b.yml", None)])
def test_a_new_name_differs_from_others_in_more_than_case_or_form(twin: str, code: str | None) -> None:
    assert codes(edit(None, "x", twin), known=["config/a.yml"]) == ([code] if code else [])
    assert codes(edit(None, "x", twin), edit(None, "x", "config/a.yml"), lines=2) == ([code] if code else [])
