# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people look at hides secrets, and never a change."""

from __future__ import annotations

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.model import Violation
from ansible_collections.day2.codex.plugins.module_utils._shown import MAX_VIOLATIONS, capped, planned_patch, readable, refused_patch
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor

BEGIN, END = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
BODY = "MIIEowIBAAKCAQEA" * 4


def _patch(*lines: str, name: str = "a.yml") -> str:
    return f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1,9 +1,9 @@\n" + "".join(line + "\n" for line in lines)


def test_every_line_that_comes_is_shown_whatever_stands_around_it() -> None:
    patch = _patch(f" {BEGIN}", f" {BODY}", "+allow: everybody", "-allow: nobody", f" {END}", "+after: 1")
    shown = planned_patch(patch, Redactor())
    assert "+allow: everybody\n" in shown and "+after: 1\n" in shown
    assert BODY not in shown and "-allow: nobody" not in shown
    assert shown.count("\n") == patch.count("\n")


def test_a_value_below_its_name_is_masked_unless_it_comes() -> None:
    shown = planned_patch(_patch(" password: |", "-  Tr0ub4dor&3x", "+  touch /tmp/x", " secret_key: >-", "   aB3dEfGh1jKlMnOp", " port: 1"), Redactor())
    assert "Tr0ub4dor" not in shown and "aB3dEfGh" not in shown
    assert "+  touch /tmp/x\n" in shown and " port: 1\n" in shown
    assert "-  [redacted:password:" in shown


def test_a_mark_in_one_file_or_hunk_hides_nothing_in_the_next() -> None:
    first, second = _patch(f" {BEGIN}", name="a"), _patch("-old: 1", "+new: 2", f" {END}", name="b")
    shown = planned_patch(first + second + "@@ -50 +50 @@\n-third: 3\n", Redactor())
    for line in ("-old: 1", "+new: 2", "-third: 3"):
        assert line in shown.splitlines()


def test_known_values_and_tokens_are_masked_within_their_line() -> None:
    token = "ghp_" + "a1B2" * 9
    shown = planned_patch(_patch("-x: the-known-secret", f"+token: {token} kept", " a b", name="the-known-secret"), Redactor(["the-known-secret"]))
    assert "the-known-secret" not in shown and token not in shown
    assert "kept" in shown and shown.splitlines()[-1] == " a b"


def test_masking_twice_changes_nothing() -> None:
    redactor = Redactor(["the-known-secret"])
    once = planned_patch(_patch(f" {BEGIN}", f"-{BODY}", f" {END}", "+x: the-known-secret"), redactor)
    assert planned_patch(once, redactor) == once


def test_only_a_newline_ends_a_line() -> None:
    patch = _patch("+one\x0ctwo\u2028three\rfour", "+five")
    shown = planned_patch(patch, Redactor())
    assert shown.count("\n") == patch.count("\n")
    assert "+one" in shown and "two" in shown and "+five\n" in shown


def test_a_patch_without_a_last_newline_keeps_its_last_line() -> None:
    assert "\\ No newline" in planned_patch(_patch("+a") + "\\ No newline at end of file", Redactor())


def test_a_refused_patch_masks_a_whole_key_that_was_added() -> None:
    shown = refused_patch(_patch(f"+{BEGIN}", f"+{BODY}", f"+{END}"), Redactor())
    assert BODY not in shown


@pytest.mark.parametrize("text", ["a\u202eb", "a\u200bb", "a\x1b[2Jb"])
def test_invisible_characters_are_made_visible_wherever_people_look(text: str) -> None:
    shown = readable({"msg": [text], "n": 1})
    assert shown["n"] == 1 and text not in shown["msg"][0] and shown["msg"][0].startswith("a")


def test_violations_are_capped_and_counted() -> None:
    listed = capped([Violation("out_of_scope", f"f{number}") for number in range(MAX_VIOLATIONS + 7)])
    assert len(listed) == MAX_VIOLATIONS + 1 and "7 more" in listed[-1]["detail"]
    assert len(capped([Violation("symlink", "x")])) == 1
