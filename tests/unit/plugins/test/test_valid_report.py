# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test says what the engine would say of a report, and refuses a schema that is none."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.module_utils._contract.report import read_report
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.test.valid_report import TestModule

valid_report = TestModule().tests()["valid_report"]
SCHEMA: dict[str, t.Any] = {
    "type": "object",
    "properties": {
        "status": {"enum": ["ok", "full"]},
        "disks": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/disk"}},
        "note": {"type": "string", "pattern": "^[a-z]+$"},
    },
    "required": ["status", "disks"],
    "$defs": {"disk": {"type": "object", "properties": {"path": {"type": "string"}, "used": {"type": "number", "maximum": 100}}, "required": ["path"]}},
}
REPORTS: list[tuple[t.Any, bool]] = [
    ({"status": "ok", "disks": []}, True),
    ({"status": "full", "disks": [{"path": "/", "used": 99.5}, {"path": "/srv", "used": None}], "note": None}, True),
    ({"status": "ok", "disks": [], "note": "fine"}, True),
    ({"status": "ok"}, False),
    ({"status": "well", "disks": []}, False),
    ({"status": "ok", "disks": [], "more": 1}, False),
    ({"status": "ok", "disks": [{"path": 5}]}, False),
    ({"status": "ok", "disks": [{"path": "/", "used": 101}]}, False),
    ({"status": "ok", "disks": [{"path": "a"}, {"path": "b"}, {"path": "c"}]}, False),
    ({"status": "ok", "disks": [], "note": "fine\n"}, False),
    ({"status": True, "disks": []}, False),
    ([], False),
    ("ok", False),
    (None, False),
]


@pytest.mark.parametrize(("report", "expected"), REPORTS)
def test_a_report_is_valid_exactly_when_the_engine_takes_it(report: t.Any, expected: bool) -> None:
    assert valid_report(report, SCHEMA) is expected
    try:
        read_report(json.dumps(report), SCHEMA)
        taken = True
    except CodexOpsError:
        taken = False
    assert taken is expected


def test_the_schema_of_the_collection_is_known_by_name() -> None:
    report = {"status": "changed", "summary": "The sender was corrected."}
    assert valid_report(report, "slice-report") is valid_report(report) is True
    assert not valid_report({"status": "well", "summary": ""}, "slice-report")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: "x"}, object()])
def test_what_json_cannot_hold_is_not_a_valid_report(value: t.Any) -> None:
    assert not valid_report({"status": "ok", "disks": [], "x": value}, {"type": "object", "properties": {"status": {}, "disks": {}, "x": {}}})


def test_a_report_nested_without_end_is_not_valid() -> None:
    deep: t.Any = "x"
    for _level in range(5000):
        deep = [deep]
    assert not valid_report({"x": deep}, {"type": "object", "properties": {"x": {}}})


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        ({"type": "object", "oneOf": []}, "output_schema at oneOf: the keyword 'oneOf' is not in the supported subset"),
        ({"type": "array"}, "expected the type 'object' at the top"),
        ({"type": "object", "properties": {"a": {"pattern": "("}}}, "not a regular expression"),
        ("no-such-report", "valid_report: schema: There is no report schema named 'no-such-report'"),
        (5, "schema: expected a schema, or the name of one, found 5"),
        (None, "schema: expected a schema"),
    ],
)
def test_a_schema_that_is_none_is_an_error_with_its_place(schema: t.Any, part: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        valid_report({}, schema)
    assert str(caught.value).startswith("day2.codex.valid_report: ")
    assert part in str(caught.value)
