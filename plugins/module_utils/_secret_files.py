# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which values in the text of a secret file are secrets: of lines, of assignments, of YAML and of JSON. PRIVATE."""

from __future__ import annotations

import codecs
import json
import re
import typing as t

from . import _outcomes
from ._trail import assignments
from ._trail.names import describes, is_placeholder, name_class, strength
from ._trail.redaction import MIN_KNOWN, Redactor

_NAMED = re.compile(
    r"[ \t]*(?:-[ \t]+)?(?:(?:export|set|setenv|declare[ \t]+-x)[ \t]+)?[\"']?(?P<name>[A-Za-z_][\w.-]{0,127})[\"']?"
    r"(?:[ \t]*=[ \t]*|[ \t]*:(?:[ \t]+|$))(?P<value>.*)"
)
# Names as only a program has them: a password is rarely taken for one.
_NAME = re.compile(r"[A-Z][A-Z0-9_]*|\w*_\w*")
_NO_VALUE = re.compile(r"[ \t]*(?:#.*|;.*|---|\.\.\.|[\[\]{},\s]*|\[[\w. -]+\]|[|>][-+0-9]*)[ \t]*")
_DEPTH = 40


def _words() -> frozenset[str]:
    """The engine's own words. Where one is a value, it would be masked wherever the engine says it."""
    from ._inbox.states import STATES  # pylint: disable=import-outside-toplevel

    return frozenset((*_outcomes.ALL, *STATES, "failed", "intent", "outcome", "success", "failure", "changed", "released", "engaged", "automatic"))


def _decoded(raw: bytes) -> tuple[str, str | None]:
    """*raw* as text, and why it is no text."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace"), None
    if b"\0" in raw:
        for encoding, zeros in (("utf-16-le", raw[1::2]), ("utf-16-be", raw[0::2])):
            if zeros.count(0) * 4 > len(zeros) * 3:
                return raw.decode(encoding, "replace"), None
        return raw.decode("latin-1"), "it is no text"
    try:
        return raw.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        # The end may have been cut within a character.
        if error.start >= len(raw) - 4:
            return raw[: error.start].decode("utf-8-sig"), None
        return raw.decode("latin-1"), None


def _secret(name: str | None, value: str) -> bool:
    """Whether *value*, behind *name* if it has one, is to be masked wherever it stands."""
    if name is None or assignments.telling(name):
        return not is_placeholder(value) or strength(value) == 2
    # Random text is a secret here whatever it is called, unless its name says that it is something else.
    return strength(value) == 2 and not describes(name)


def _of_json(data: t.Any, name: str | None, depth: int = _DEPTH) -> t.Iterator[tuple[str | None, str]]:
    if isinstance(data, bool) or data is None or depth <= 0:
        return
    if isinstance(data, dict):
        for key, item in data.items():
            own = key if assignments.telling(key) or name is None or describes(key) else name
            yield from _of_json(item, own, depth - 1)
    elif isinstance(data, list):
        for item in data:
            yield from _of_json(item, name, depth - 1)
    else:
        yield name, str(data)


def _of_lines(text: str) -> t.Iterator[tuple[str | None, str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    found = [_NAMED.fullmatch(line) for line in lines]
    # One value may look like an assignment, and a list of values has no names.
    named = any(match is not None and (name_class(match["name"]) or _NAME.fullmatch(match["name"])) for match in found)
    if not named and (len(lines) < 2 or not all(match or _NO_VALUE.fullmatch(line) for line, match in zip(lines, found))):
        yield None, text
        yield from ((None, line) for line in lines)
        yield from ((None, match["value"]) for match in found if match is not None and "=" in match.group())
        return
    for line, match in zip(lines, found):
        value = line.strip() if match is None else match["value"].strip()
        if _NO_VALUE.fullmatch(value):
            continue
        if match is None:
            # Such as a line of a key in a block.
            yield "line", value
        elif value[0] in "\"'":
            end = value.find(value[0], 1)
            yield match["name"], value[1:end] if end > 0 else value[1:]
        else:
            yield match["name"], value
            yield match["name"], value.partition(" #")[0]


def values(raw: bytes) -> tuple[list[str], str | None]:
    """The secret values in the bytes *raw* of a secret file, and why some of it cannot be masked, if so."""
    text, reason = _decoded(raw)
    try:
        pairs = list(_of_json(json.loads(text), None)) if text.lstrip()[:1] in ("{", "[", '"') else list(_of_lines(text))
    except (ValueError, RecursionError):
        pairs = list(_of_lines(text))
    found = [value.strip().strip("\"'") if name is None else value for name, value in pairs if _secret(name, value.strip())]
    # What the room of redaction would find by itself: values below their names, tokens, keys, addresses.
    found += Redactor().secrets(text)
    own = _words()
    kept = [value.strip() for value in found if len(value.strip()) >= MIN_KNOWN and value.strip().lower() not in own]
    if reason is None and any(0 < len(value.strip()) < MIN_KNOWN for value in found):
        reason = f"a value of fewer than {MIN_KNOWN} characters is part of ordinary words"
    return list(dict.fromkeys(kept)), reason
