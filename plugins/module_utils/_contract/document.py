# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds a document against one of the published contracts. PRIVATE."""

from __future__ import annotations

import json
import re
import typing as t

from .._errors import CodexOpsError


def pointer(parts: t.Iterable[t.Any]) -> str:
    """A path in a document as people write it: ``values.incorrect[2].in``; ``(top)`` for the document itself."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text or "(top)"


def short(value: t.Any, limit: int = 120) -> str:
    """*value* as JSON, cut to *limit* characters."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def validator(schema: dict[str, t.Any]) -> t.Any:
    """A validator of the host's jsonschema (3.2 or newer) for *schema*, read as draft 7.

    :raises CodexOpsError: ``jsonschema_missing`` where the host has no jsonschema.
    """
    try:
        import jsonschema  # pylint: disable=import-outside-toplevel
    except ImportError:
        raise CodexOpsError(
            "The Python library jsonschema is missing on this host.",
            code="jsonschema_missing",
            hint="Install the distribution's package python3-jsonschema (3.2 or newer) for the Python that Ansible uses there.",
        ) from None
    return jsonschema.validators.extend(jsonschema.Draft7Validator, {"pattern": _pattern})(schema)


def end_anchors(pattern: str) -> str:
    """*pattern* with JSON Schema's ``$``, the very end, written as Python's ``\\Z``: Python's ``$`` also matches before a last line break."""
    return re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", lambda match: r"\Z" if match.group() == "$" else match.group(), pattern, flags=re.DOTALL)


def _pattern(_validator: t.Any, pattern: str, instance: t.Any, _schema: t.Any) -> t.Iterator[t.Any]:
    if isinstance(instance, str) and not re.search(end_anchors(pattern), instance):
        from jsonschema import ValidationError  # pylint: disable=import-outside-toplevel

        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _expected(error: t.Any) -> str:
    keyword, wanted = error.validator, error.validator_value
    if keyword == "type":
        return f"a value of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    if keyword == "enum":
        return "one of " + ", ".join(short(item, 40) for item in wanted)
    if keyword == "required":
        missing = [name for name in wanted if name not in error.instance]
        return "the key " + " and ".join(repr(name) for name in missing)
    if keyword == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        unknown = sorted(str(name) for name in error.instance if name not in known)
        import difflib  # pylint: disable=import-outside-toplevel

        guesses = [guess for name in unknown for guess in difflib.get_close_matches(name, known, n=1)]
        asked = f" (did you mean {guesses[0]!r}?)" if guesses else ""
        return f"no key {unknown[0]!r}{asked}; known keys: {', '.join(known) or 'none'}" if unknown else "no other keys"
    if keyword == "anyOf":
        return "one of the forms that the schema lists"
    words = {
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
        "minItems": "at least {} items",
        "maxItems": "at most {} items",
        "minimum": "at least {}",
        "maximum": "at most {}",
        "exclusiveMinimum": "more than {}",
        "exclusiveMaximum": "less than {}",
        "pattern": "text that matches {}",
        "const": "{}",
    }
    return str(words.get(keyword, str(keyword) + " {}")).format(short(wanted) if keyword == "const" else wanted)


def problems(instance: t.Any, schema: dict[str, t.Any], limit: int = 20) -> list[dict[str, str]]:
    """What is wrong with *instance*: dictionaries with ``data_path``, ``schema_path``, ``expected`` and ``found``.

    At most *limit* of them, in the order of the document.
    """
    found: list[dict[str, str]] = []
    for error in validator(schema).iter_errors(instance):
        if len(found) >= limit:
            break
        found.append(
            {
                "data_path": pointer(error.absolute_path),
                "schema_path": pointer(error.absolute_schema_path),
                "expected": _expected(error),
                "found": short(error.instance),
            }
        )
    return sorted(found, key=lambda problem: problem["data_path"])


def describe(problem: dict[str, str]) -> str:
    """One problem as a sentence."""
    return f"at {problem['data_path']}: expected {problem['expected']}, found {problem['found']}"


def load_schema(name: str) -> dict[str, t.Any]:
    """The published contract *name* (``slice``, ``report``, ...)."""
    from .._schemas import SCHEMAS  # pylint: disable=import-outside-toplevel

    schema: dict[str, t.Any] = json.loads(SCHEMAS[name])
    return schema
