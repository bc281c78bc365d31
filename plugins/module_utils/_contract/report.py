# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's final report: which schemas are taken, the provider's strict form of them, and the verdict. PRIVATE.

The subset is what the provider's strict mode takes and what jsonschema 3.2 and 4.x agree on.
"""

from __future__ import annotations

import json
import math
import re
import typing as t

from .._errors import CodexOpsError
from .document import describe, end_anchors, load_schema, pointer, problems, short

#: Reports longer than this (characters) are not read.
MAX_REPORT = 1024 * 1024
#: Reports that are nested more deeply are not read.
MAX_DEPTH = 60

_ANNOTATIONS = {"title", "description", "$schema", "$id"}
_KEYWORDS = _ANNOTATIONS | {
    "type", "enum", "const", "properties", "required", "additionalProperties", "items", "anyOf", "$defs", "$ref",
    "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems",
}  # fmt: skip
_TYPES = {"object", "array", "string", "number", "integer", "boolean", "null"}


def _fail(message: str, path: t.Sequence[t.Any]) -> t.NoReturn:
    raise CodexOpsError(
        message,
        code="schema_invalid",
        outcome="rejected",
        where=f"output_schema at {pointer(path)}",
        hint="The supported keywords are: " + ", ".join(sorted(_KEYWORDS - _ANNOTATIONS)) + ".",
    )


def _check(schema: t.Any, path: tuple[t.Any, ...], root: dict[str, t.Any], depth: int = 0) -> None:
    if not isinstance(schema, dict):
        _fail(f"expected a dictionary, found {short(schema)}.", path)
    if depth > 30:
        _fail("the schema is nested too deeply (30 levels are taken).", path)
    _forms(schema, path)
    for keyword in schema:
        if keyword not in _KEYWORDS:
            _fail(f"the keyword {keyword!r} is not in the supported subset.", (*path, keyword))
    if "$ref" in schema:
        _reference(schema, path, root)
        return
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind is not None and (not isinstance(kind, str) or kind not in _TYPES):
            _fail(f"unknown type {short(kind)}.", (*path, "type"))
    if "additionalProperties" in schema and schema["additionalProperties"] is not False:
        _fail("expected false: the provider's strict mode takes nothing else.", (*path, "additionalProperties"))
    for number, part in enumerate(schema.get("anyOf", ())):
        _check(part, (*path, "anyOf", number), root, depth + 1)
    for keyword in ("properties", "$defs"):
        for name, part in schema.get(keyword, {}).items():
            _check(part, (*path, keyword, name), root, depth + 1)
    unknown = [name for name in schema.get("required", ()) if name not in schema.get("properties", {})]
    if unknown:
        _fail(f"{unknown[0]!r} is required but is not among the properties.", (*path, "required"))
    if "items" in schema:
        _check(schema["items"], (*path, "items"), root, depth + 1)


def _forms(schema: dict[str, t.Any], path: tuple[t.Any, ...]) -> None:
    """The values of the keywords have the form that the rest relies on."""
    for keywords, form, words in ((("anyOf", "required", "enum"), list, "a list"), (("properties", "$defs"), dict, "a dictionary")):
        for keyword in keywords:
            if keyword in schema and not isinstance(schema[keyword], form):
                _fail(f"expected {words}, found {short(schema[keyword])}.", (*path, keyword))
    for number, name in enumerate(schema.get("required", ())):
        if not isinstance(name, str):
            _fail(f"expected the name of a property, found {short(name)}.", (*path, "required", number))
    if "pattern" in schema:
        try:
            re.compile(end_anchors(schema["pattern"]))
        except (re.error, TypeError, OverflowError, RecursionError) as error:
            _fail(f"not a regular expression: {error}.", (*path, "pattern"))


def _loops(schema: dict[str, t.Any], root: dict[str, t.Any], above: tuple[str, ...] = ()) -> str | None:
    """The reference by which *schema* leads back to itself without going down in the data: no report could be held against it."""
    target = schema.get("$ref")
    if target is not None:
        if target in above:
            return str(target)
        return _loops(root if target == "#" else root["$defs"][target[len("#/$defs/") :]], root, (*above, target))
    return next((found for found in (_loops(part, root, above) for part in schema.get("anyOf", ())) if found), None)


def _reference(schema: dict[str, t.Any], path: tuple[t.Any, ...], root: dict[str, t.Any]) -> None:
    extra = set(schema) - {"$ref"} - _ANNOTATIONS
    if extra:
        _fail(f"beside $ref nothing else is read, found {sorted(extra)[0]!r}.", path)
    target = schema["$ref"]
    if target == "#":
        return
    name = target[len("#/$defs/") :] if isinstance(target, str) and target.startswith("#/$defs/") else None
    if name is None or name not in root.get("$defs", {}):
        _fail(f"expected '#' or '#/$defs/NAME' of a known NAME, found {short(target)}.", (*path, "$ref"))


def check_schema(schema: t.Any) -> dict[str, t.Any]:
    """*schema* itself, when the whole of it lies in the supported subset.

    :raises CodexOpsError: ``schema_invalid``, naming the path in the schema.
    """
    if not isinstance(schema, dict):
        _fail(f"expected a dictionary, found {short(schema)}.", ())
    _check(schema, (), schema)
    for name, part in schema.get("$defs", {}).items():
        if _loops(part, schema, (f"#/$defs/{name}",)):
            _fail("it refers to itself without going down in the data.", ("$defs", name))
    kind = schema.get("type")
    if kind != "object":
        _fail(f"expected the type 'object' at the top, which the provider's strict mode asks for, found {short(kind)}.", ("type",))
    from .document import validator  # pylint: disable=import-outside-toplevel

    checker = validator(schema)
    try:
        checker.check_schema(schema)
    except Exception as error:  # jsonschema's SchemaError, whose class moved between versions  # pylint: disable=broad-except
        _fail(f"{getattr(error, 'message', error)}.", tuple(getattr(error, "path", ())))
    return schema


def _nullable(schema: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _convert(schema: t.Any, strict: bool) -> t.Any:
    if not isinstance(schema, dict):
        return schema
    result = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
    kinds = schema.get("type")
    if "properties" in schema or kinds == "object" or (isinstance(kinds, list) and "object" in kinds):
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        result["properties"] = {
            name: _convert(part, strict) if name in required else _nullable(_convert(part, strict)) for name, part in properties.items()
        }
        result["required"] = list(properties) if strict else list(required)
        result["additionalProperties"] = False
    if "$defs" in schema:
        result["$defs"] = {name: _convert(part, strict) for name, part in schema["$defs"].items()}
    if "items" in schema:
        result["items"] = _convert(schema["items"], strict)
    if "anyOf" in schema:
        result["anyOf"] = [_convert(part, strict) for part in schema["anyOf"]]
    return result


def strict_form(schema: dict[str, t.Any]) -> dict[str, t.Any]:
    """What the provider is sent: every property required, those that were optional may be null, nothing else allowed."""
    return t.cast("dict[str, t.Any]", _convert(schema, True))


def local_form(schema: dict[str, t.Any]) -> dict[str, t.Any]:
    """What a report is held against here: optional properties may be left out or be null."""
    return t.cast("dict[str, t.Any]", _convert(schema, False))


def known_schema(name: str) -> dict[str, t.Any]:
    """The report schema *name* that comes with the collection.

    :raises CodexOpsError: ``schema_unknown``.
    """
    if name in ("slice-report", "report"):
        return check_schema(load_schema("report"))
    raise CodexOpsError(
        f"There is no report schema named {name!r}.",
        code="schema_unknown",
        outcome="rejected",
        where="report_schema",
        hint="Known: slice-report. A schema may also be written out in place of the name.",
    )


def _refuse(message: str, details: t.Sequence[dict[str, t.Any]] = ()) -> t.NoReturn:
    raise CodexOpsError(
        message,
        code="invalid_report",
        outcome="invalid_report",
        hint="Nothing was changed. Run it again, or make the schema or the instructions clearer.",
        details=details,
    )


def _no_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is out of range")
    return number


def _depth(value: t.Any) -> int:
    """How deeply *value* is nested, counted without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [item for part in level if isinstance(part, (dict, list)) for item in (part.values() if isinstance(part, dict) else part)]
    return depth


def read_report(message: str, schema: dict[str, t.Any], *, truncated: bool = False) -> dict[str, t.Any]:
    """The report in the agent's final *message*, held against *schema*.

    :arg truncated: The message was longer than what was kept of it, so it can be no report, whatever it looks like.
    :raises CodexOpsError: outcome ``invalid_report``; ``details`` holds data path, schema path, expected and found of each problem.
    """
    if truncated:
        _refuse(f"The agent's final message is longer than the {len(message)} characters that are kept; a report of at most {MAX_REPORT} is read.")
    if len(message) > MAX_REPORT:
        _refuse(f"The agent's final message has {len(message)} characters; a report of at most {MAX_REPORT} is read.")
    try:
        report = json.loads(message, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        _refuse(f"The agent's final message is not JSON ({type(error).__name__}): expected a report, found {short(message, 80)}.")
    if _depth(report) > MAX_DEPTH:
        _refuse(f"The agent's report is nested too deeply: at most {MAX_DEPTH} levels are read.")
    wrong = problems(report, local_form(schema))
    if wrong:
        _refuse(f"The agent's report does not fit its schema {describe(wrong[0])}.", t.cast("list[dict[str, t.Any]]", wrong))
    return t.cast("dict[str, t.Any]", report)
