# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report fits its schema or fails; a schema that no report could be held against is refused before anybody is asked."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract import report
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError


def of(**properties: t.Any) -> dict[str, t.Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ([], "(top)"),
        ({"type": "array"}, "type"),
        ({}, "type"),
        (of(a={"oneOf": []}), "properties.a.oneOf"),
        (of(a={"format": "email"}), "format"),
        (of(a=True), "properties.a"),
        (of(a={"anyOf": 5}), "anyOf"),
        (of(a={"anyOf": [5]}), "anyOf[0]"),
        (of(a={"properties": ["b"]}), "properties.a.properties"),
        (of(a={"required": 5}), "required"),
        (of(a={"required": [["b"]]}), "required[0]"),
        (of(a={"required": ["b"]}), "required"),
        (of(a={"enum": "x"}), "enum"),
        (of(a={"type": "text"}), "type"),
        (of(a={"type": [["string"]]}), "type"),
        (of(a={"type": {}}), "type"),
        (of(a={"items": [{}]}), "items"),
        (of(a={"minLength": -1}), "minLength"),
        (of(a={"pattern": "("}), "pattern"),
        (of(a={"pattern": 5}), "pattern"),
        (of(a={"additionalProperties": True}), "additionalProperties"),
        (of(a={"$ref": "#/$defs/b"}), "$ref"),
        (of(a={"$ref": "http://example.com/"}), "$ref"),
        (of(a={"$ref": "#", "type": "object"}), "properties.a"),
        ({**of(a={"$ref": "#/$defs/b"}), "$defs": []}, "$defs"),
        ({**of(a={"$ref": "#/$defs/b"}), "$defs": {"b": {"$ref": "#/$defs/b"}}}, "$defs.b"),
        ({**of(a={}), "$defs": {"b": {"anyOf": [{"$ref": "#/$defs/c"}]}, "c": {"$ref": "#/$defs/b"}}}, "$defs.b"),
    ],
)
def test_a_schema_outside_the_subset_is_refused_with_its_place(schema: t.Any, place: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        report.check_schema(schema)
    assert caught.value.code == "schema_invalid"
    assert place in str(caught.value.where)


def test_a_schema_may_refer_to_itself_going_down() -> None:
    schema = report.check_schema({"type": "object", "properties": {"parts": {"type": "array", "items": {"$ref": "#"}}}})
    assert report.read_report('{"parts": [{"parts": []}]}', schema) == {"parts": [{"parts": []}]}


ANY = report.check_schema(of(a={}))


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Done.",
        "```json\n{}\n```",
        "[]",
        "{}",
        '{"a": 1, "b": 2}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": ' + "9" * 100000 + "}",
        '{"a": ' + "[" * 500 + "]" * 500 + "}",
        '{"a": ' + "[" * 100000 + "]" * 100000 + "}",
        '{"a": "' + "x" * report.MAX_REPORT + '"}',
    ],
    ids=lambda message: message[:24],
)
def test_a_bad_report_is_invalid_and_nothing_worse(message: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        report.read_report(message, ANY)
    assert (caught.value.code, caught.value.outcome) == ("invalid_report", "invalid_report")
    assert len(str(caught.value)) < 1000


def test_a_report_of_a_megabyte_is_read_in_no_time() -> None:
    began = time.monotonic()
    text = '{"a": [' + ",".join(["[]"] * 300000) + "]}"
    assert len(report.read_report(text, ANY)["a"]) == 300000
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("name", ["restart-inbox\n", "Restart", "rm -rf /", ""])
def test_a_proposed_action_is_a_plain_name(name: str) -> None:
    import json

    with pytest.raises(CodexOpsError):
        report.read_report(json.dumps({"status": "changed", "proposed_actions": [name]}), report.known_schema("slice-report"))


def test_optional_properties_may_be_missing_or_null_here_and_are_required_there() -> None:
    schema = report.check_schema({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]})
    for text in ('{"a": "x"}', '{"a": "x", "b": null}', '{"a": "x", "b": 1}'):
        assert report.read_report(text, schema)["a"] == "x"
    with pytest.raises(CodexOpsError):
        report.read_report('{"a": null}', schema)
    strict = report.strict_form(schema)
    assert strict["required"] == ["a", "b"] and strict["additionalProperties"] is False
    assert strict["properties"]["b"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}


def test_an_object_that_may_be_null_is_closed_too() -> None:
    schema = report.check_schema(of(a={"type": ["object", "null"]}))
    assert report.read_report('{"a": null}', schema) == {"a": None}
    with pytest.raises(CodexOpsError):
        report.read_report('{"a": {"anything": 1}}', schema)


def test_an_unknown_schema_name_lists_the_known_one() -> None:
    with pytest.raises(CodexOpsError, match="slice-report"):
        report.known_schema("slice_report")
