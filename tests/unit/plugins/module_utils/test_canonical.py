# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same value always gives the same bytes."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._canonical import canonical, digest


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        ("\u00e9\u202e", b'"\\u00e9\\u202e"'),
        ("\udcff", b'"\\udcff"'),
        (1.5, b"1.5"),
    ],
)
def test_a_value_has_one_form(value: t.Any, text: bytes) -> None:
    assert canonical(value) == text


def test_order_does_not_matter_and_everything_else_does() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert len({digest(value) for value in (1, "1", [1], {"a": 1}, None, True, "\udcff", "\u00ff")}) == 8


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_what_json_does_not_have_is_refused(value: t.Any) -> None:
    with pytest.raises(ValueError):
        canonical(value)
