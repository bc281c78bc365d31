# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a document fits one of our contracts, without the time that loading jsonschema takes. Pure. PRIVATE.

For documents that every run reads. It knows the keywords that those contracts use, and takes nothing that jsonschema would
refuse; messages for people come from :mod:`document`.
"""

from __future__ import annotations

import re
import typing as t

from .document import end_anchors

_TYPES: dict[str, t.Callable[[t.Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    # As in JSON Schema, 2.0 is an integer and true is none.
    "integer": lambda value: not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer())),
}
_ANNOTATIONS = {"$schema", "$id", "title", "description", "definitions"}


def misfit(instance: t.Any, schema: dict[str, t.Any]) -> tuple[t.Any, ...] | None:
    """The path in *instance* at which it does not fit *schema*, the first one found; ``None`` where it fits.

    :raises ValueError: the schema has a keyword that is not known here.
    """
    return _misfit(instance, schema, schema, ())


def _misfit(value: t.Any, schema: dict[str, t.Any], root: dict[str, t.Any], path: tuple[t.Any, ...]) -> tuple[t.Any, ...] | None:
    if "$ref" in schema:
        return _misfit(value, root["definitions"][schema["$ref"].rpartition("/")[2]], root, path)
    for keyword, wanted in schema.items():
        if keyword in _ANNOTATIONS:
            continue
        if keyword == "type":
            if not any(_TYPES[kind](value) for kind in ([wanted] if isinstance(wanted, str) else wanted)):
                return path
        elif keyword in _PLAIN:
            if not _PLAIN[keyword](value, wanted):
                return path
        elif keyword not in _NESTED:
            raise ValueError(f"the keyword {keyword!r} is not known here")
    if isinstance(value, dict):
        return _in_object(value, schema, root, path)
    if isinstance(value, list) and "items" in schema:
        found = (_misfit(item, schema["items"], root, (*path, number)) for number, item in enumerate(value))
        return next((place for place in found if place is not None), None)
    return None


def _in_object(value: dict[t.Any, t.Any], schema: dict[str, t.Any], root: dict[str, t.Any], path: tuple[t.Any, ...]) -> tuple[t.Any, ...] | None:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, item in value.items():
        if "propertyNames" in schema and _misfit(name, schema["propertyNames"], root, path) is not None:
            return path
        if name not in known and others is False:
            return path
        inner = known.get(name, others)
        if isinstance(inner, dict):
            found = _misfit(item, inner, root, (*path, name))
            if found is not None:
                return found
    return None


def _number(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_PLAIN: dict[str, t.Callable[[t.Any, t.Any], bool]] = {
    "const": lambda value, wanted: type(value) is type(wanted) and value == wanted,
    "enum": lambda value, wanted: any(type(value) is type(item) and value == item for item in wanted),
    "pattern": lambda value, wanted: not isinstance(value, str) or re.search(end_anchors(wanted), value) is not None,
    "minLength": lambda value, wanted: not isinstance(value, str) or len(value) >= wanted,
    "maxLength": lambda value, wanted: not isinstance(value, str) or len(value) <= wanted,
    "minItems": lambda value, wanted: not isinstance(value, list) or len(value) >= wanted,
    "maxItems": lambda value, wanted: not isinstance(value, list) or len(value) <= wanted,
    "maxProperties": lambda value, wanted: not isinstance(value, dict) or len(value) <= wanted,
    "minimum": lambda value, wanted: not _number(value) or value >= wanted,
    "maximum": lambda value, wanted: not _number(value) or value <= wanted,
    "required": lambda value, wanted: not isinstance(value, dict) or all(name in value for name in wanted),
}
_NESTED = {"properties", "additionalProperties", "propertyNames", "items"}
