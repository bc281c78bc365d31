# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A problem is named with its place, what was expected and what was found."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract import document


@pytest.mark.parametrize(
    ("parts", "text"),
    [((), "(top)"), (("values", "incorrect", 2, "in"), "values.incorrect[2].in"), ((0,), "[0]")],
)
def test_a_path_is_written_as_people_write_it(parts: tuple[t.Any, ...], text: str) -> None:
    assert document.pointer(parts) == text


@pytest.mark.parametrize(
    ("instance", "schema", "words"),
    [
        ({"nam": 1}, {"type": "object", "additionalProperties": False, "properties": {"name": {}}}, "did you mean 'name'"),
        ({}, {"required": ["name"]}, "the key 'name'"),
        ("x", {"type": ["integer", "null"]}, "integer or null"),
        ("x", {"enum": ["a", "b"]}, '"a", "b"'),
        (1, {"const": 2}, "2"),
        ([1, 2], {"maxItems": 1}, "at most 1 items"),
        ("b", {"pattern": "^a"}, "^a"),
    ],
)
def test_a_problem_says_what_was_expected(instance: t.Any, schema: dict[str, t.Any], words: str) -> None:
    (problem,) = document.problems(instance, schema)
    assert words in problem["expected"]
    assert problem["found"] == document.short(instance)
    assert "expected" in document.describe(problem)


def test_problems_are_limited_and_long_values_are_cut() -> None:
    wrong = document.problems(["x" * 5000] * 100, {"items": {"type": "integer"}})
    assert len(wrong) == 20
    assert all(len(problem["found"]) <= 120 for problem in wrong)


@pytest.mark.parametrize("text", ["restart-inbox\n", "\nrestart-inbox", "a\nb"])
def test_an_anchored_pattern_lets_no_line_break_through(text: str) -> None:
    assert document.problems(text, {"pattern": "^[a-z-]+$"})


@pytest.mark.parametrize(
    ("pattern", "expression"),
    [("^a$", r"^a\Z"), (r"^\$$", r"^\$\Z"), ("[$]", "[$]"), ("[^]$]x$", r"[^]$]x\Z"), ("a$|b$", r"a\Z|b\Z")],
)
def test_only_a_dollar_that_means_the_end_is_rewritten(pattern: str, expression: str) -> None:
    assert document.end_anchors(pattern) == expression
