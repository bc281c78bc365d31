# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Protected values stay where they are; incorrect ones are found wherever they are wrong; nobody makes the search slow."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.slice import Slice, parse
from ansible_collections.day2.codex.plugins.module_utils._contract.values import check_incorrect, touched_value

API = "api.example.com"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("url: https://api.example.com/v1\nsender: wrong\n", "url: https://api.example.com/v1\nsender: right\n"),
        ("url: https://api.example.com\n", "# a comment\nurl: https://api.example.com\n"),
        ('{"sender":"wrong","api":"api.example.com","x":1}', '{"sender":"right","api":"api.example.com","x":2}'),
        ('{"api":"api.example.com"}', '{"api":"api.example.com","more":1}'),
        ("From: wrong, see api.example.com for more", "From: right, see api.example.com for more"),
        ("<a href='https://api.example.com'>wrong</a>", "<a href='https://api.example.com'>right</a>"),
        ("[api.example.com, wrong]", "[api.example.com, right]"),
        ("nothing", "something"),
    ],
)
def test_a_change_beside_a_protected_value_is_none_of_it(old: str, new: str) -> None:
    assert touched_value(old.encode(), new.encode(), API) is None


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("a: api.example.com\n", "a: api.example.net\n", 1),
        ("a: 1\n", "a: 1\nb: api.example.com\n", 2),
        ("a: api.example.com\n", "a: api.example.com.attacker.net\n", 1),
        ("a: api.example.com\n", "a: evil-api.example.com\n", 1),
        ("a: https://api.example.com/v1\n", "a: https://api.example.com/v2\n", 1),
        ("a: https://api.example.com\n", "a: http://api.example.com\n", 1),
        ("a: https://api.example.com\n", "a: https://api.example.com@attacker.net\n", 1),
        ('a="https://api.example.com"\n', 'a="https://api.example.com".attacker.net\n', 1),
        ("a='api.example.com'\n", "a='api.example.com''.attacker.net'\n", 1),
        ('{"a": "api.example.com"}', '{"a": "api.example.com\\u002eattacker.net"}', 1),
        ("a: api.example.com\n", "a: api.example.com{{ suffix }}\n", 1),
        ("a: api.example.com\n", "a: api.example.com${SUFFIX}\n", 1),
        ("x: 1\na: api.example.com\n", "x: 1\n# a: api.example.com\n", 2),
        ("x: 1\n  a: api.example.com\n", "x: 1\n  b: api.example.com\n", 2),
        ("a=api.example.com\nb=x\n", "a=attacker.net\nb=api.example.com\n", 2),
        ("a: api.example.com\nb: api.example.com\n", "a: api.example.com\n", 2),
        ("a: api.example.com\n", "", 1),
    ],
)
def test_a_protected_value_that_was_touched_is_named_with_its_line(old: str, new: str, line: int) -> None:
    assert touched_value(old.encode(), new.encode(), API) == line


@pytest.mark.parametrize("new", [b"api.example.com" * 250000, b"a" * 4000000, b"'api.example.com" * 250000], ids=["glued", "letters", "quoted"])
def test_a_hostile_file_does_not_make_the_search_slow(new: bytes) -> None:
    began = time.monotonic()
    touched_value(b"x: api.example.com\n", new, API)
    assert time.monotonic() - began < 15


def test_a_large_file_full_of_a_protected_value_is_compared_in_time() -> None:
    content = b"url: https://api.example.com/v1\n" * 100000
    began = time.monotonic()
    assert touched_value(content, content + b"more\n", API) is None
    assert time.monotonic() - began < 20


def given(**values: t.Any) -> Slice:
    return parse(
        {
            "name": "inbox",
            "category": "configuration_change",
            "workspace": "/srv/inbox",
            "scope": {"include": ["**"]},
            "instructions": "x",
            "values": values,
            "do_not_touch": {"values": ["chat.noreply@example.com"]},
        }
    )


@pytest.mark.parametrize(
    ("path", "content", "lines"),
    [
        ("config/a.yml", "x\nnorply@example.com\n", [2]),
        ("config/a.yml", "norply@example.com norply@example.com\n", [1]),
        ("config/inbox.yml", "noreply@example.com\n", [1]),
        ("config/a.yml", "noreply@example.com\n", []),
        ("config/inbox.yml", "the.noreply@example.com.au\n", []),
        ("config/inbox.yml", "chat.noreply@example.com\n", []),
        ("config/inbox.yml", "chat.noreply@example.com noreply@example.com\n", [1]),
        ("config/inbox.yml", "", []),
        ("config/a.yml", "\xff norply@example.com", [1]),
    ],
)
def test_an_incorrect_value_is_found_where_it_is_wrong_and_nowhere_else(path: str, content: str, lines: list[int]) -> None:
    slice_ = given(
        correct=[{"name": "long", "value": "the.noreply@example.com.au"}],
        incorrect=[{"value": "norply@example.com"}, {"value": "noreply@example.com", "in": ["config/inbox*"]}],
    )
    found = check_incorrect(slice_, path, content.encode("latin-1"))
    assert [(violation.code, violation.line) for violation in found] == [("incorrect_value_left", line) for line in lines]
