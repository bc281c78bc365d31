# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A slice is complete, unambiguous and without contradiction, or it is refused with a place and a hint."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.slice import DEFAULT_LIMITS, build, parse
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError

SMALL: dict[str, t.Any] = {
    "name": "inbox",
    "category": "configuration_change",
    "workspace": "/srv/inbox",
    "scope": {"include": ["config/**"]},
    "instructions": "Correct it.",
}


def small(**more: t.Any) -> dict[str, t.Any]:
    return {**copy.deepcopy(SMALL), **more}


def must_fail(**more: t.Any) -> dict[str, t.Any]:
    return {"validation": {"must_fail": [{"name": "x", "argv": ["/bin/false"], **more}]}}


def test_what_is_left_out_has_safe_defaults() -> None:
    slice_ = parse(small())
    assert slice_.limits == DEFAULT_LIMITS
    assert (slice_.has_goal, slice_.report_schema, slice_.checks) == (False, "slice-report", ())


@pytest.mark.parametrize("key", sorted(SMALL))
def test_every_required_key_is_required(key: str) -> None:
    document = small()
    del document[key]
    with pytest.raises(CodexOpsError, match=key) as caught:
        parse(document, "site/slice.yml")
    assert (caught.value.code, caught.value.where) == ("slice_invalid", "site/slice.yml")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"nmae": "x"}, "did you mean 'name'"),
        ({"limits": {"tokens": 0}}, "limits.tokens"),
        ({"limits": {"files": True}}, "limits.files"),
        ({"workspace": "srv/inbox"}, "workspace"),
        ({"workspace": "/srv/../etc"}, "workspace"),
        ({"workspace": "//srv/inbox"}, "workspace"),
        ({"workspace": "/srv/./inbox"}, "workspace"),
        ({"workspace": "/"}, "workspace"),
        ({"scope": {"include": ["../x"]}}, "pattern"),
        ({"scope": {"include": []}}, "scope.include"),
        ({"name": "inbox\n"}, "name"),
        ({"category": "x\n"}, "category"),
        ({"name": "../inbox"}, "name"),
        ({"instructions": "a\0b"}, "instructions"),
        ({"instructions": "a\ud800b"}, "instructions"),
        ({"report_schema": {"type": "object", "properties": {"a\0": {}}}}, "report_schema"),
        ({"report_schema": {"const": float("nan")}}, "NaN"),
        ({"values": {"correct": [{"name": "a", "value": "x"}], "incorrect": [{"value": "x"}]}}, "correct too"),
        ({"values": {"incorrect": [{"value": "x"}]}, "do_not_touch": {"values": ["x"]}}, "do_not_touch"),
        ({"validation": {"must_hold": [{"name": "x", "argv": ["grep"]}]}}, "absolute"),
        ({"validation": {"must_hold": [{"name": "x", "argv": ["/bin/sh", "-c", "a\0"]}]}}, r"must_hold\[0\]"),
        (must_fail(exit_codes=[127]), "exit_codes"),
        (must_fail(exit_codes=[0, 1]), "must stay rejected"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(more: dict[str, t.Any], words: str) -> None:
    with pytest.raises(CodexOpsError, match=words) as caught:
        parse(small(**more))
    assert caught.value.code == "slice_invalid"


def test_a_document_nested_without_end_is_refused_not_crashed_on() -> None:
    schema: t.Any = {}
    for _level in range(100000):
        schema = {"items": schema}
    with pytest.raises(CodexOpsError, match="nested"):
        build(small(report_schema=schema))


def test_a_whole_number_written_as_a_fraction_is_a_whole_number() -> None:
    slice_ = parse(small(limits={"files": 2.0, "timeout": 5.0}, **must_fail(timeout=3.0, exit_codes=[2.0])))
    numbers = (slice_.limits["files"], slice_.limits["timeout"], slice_.checks[0].timeout, slice_.checks[0].exit_codes[0])
    assert [(number, type(number)) for number in numbers] == [(2, int), (5, int), (3, int), (2, int)]


def test_must_fail_holds_with_1_and_must_hold_with_0() -> None:
    checks = parse(small(validation={"must_hold": [{"name": "a", "argv": ["/bin/true"]}], "must_fail": [{"name": "b", "argv": ["/bin/false"]}]})).checks
    assert [(check.kind, check.exit_codes, check.timeout) for check in checks] == [("must_hold", (0,), 60), ("must_fail", (1,), 60)]


def test_the_digest_is_that_of_the_document_whatever_the_order_of_its_keys() -> None:
    document = small()
    assert parse(document).sha256 == parse(dict(reversed(list(document.items())))).sha256
    assert parse(document).sha256 != parse(small(instructions="Correct it")).sha256
