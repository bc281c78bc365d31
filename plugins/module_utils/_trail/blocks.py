# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a value stands that begins on the line after its name: block scalars, indented values, text in triple quotes. PRIVATE.

A line of a diff has one character more in front of it, which counts as a blank.
"""

from __future__ import annotations

import typing as t

from .formats import compiled
from .names import is_placeholder

#: start, end, whether it stands in quotes or is a value of its own by its form
Line = tuple[int, int, bool]

#: A block is followed no further than this, in lines and in characters.
MAX_LINES, MAX_BLOCK = 24, 4096
# A line's end, also as it is written inside a string of JSON.
_NEWLINE = r"[ \t]{0,64}(?:\r?(?P<real>\n)|(?P<written>\\{1,4}(?:r\\{1,4})?n))"
_INDICATOR = rf"[|>][+\-0-9]{{0,2}}(?:[ \t]{{1,16}}#[^\n\\]{{0,200}})?(?={_NEWLINE})"
_COMMENT = r"(?:#(?=[ \t])[^\n\\]{0,200})?"
_HEAD = r"[+\-]?[ \t]{0,200}(?:-[ \t]{1,8}){0,3}[\"']?\Z"
_ITEM = r"(?:-[ \t]{1,8}){0,3}(?:\"(?P<double>[^\"\n]{1,4096})\"|'(?P<single>[^'\n]{1,4096})'|(?P<plain>[^\s\"'{}\[\]]{1,4096}))[ \t]{0,16},?\Z"
_JSON = r"[\s+\-]{1,200}\"(?P<value>(?:[^\"\\\n]|\\.){1,4096})\""
# What is encrypted may be shown.
_ENCRYPTED = ("$ANSIBLE_VAULT;", "-----BEGIN PGP MESSAGE", "-----BEGIN AGE ENCRYPTED", "ENC[")


def indicator(text: str, at: int) -> int:
    """Where the line ends that holds nothing more than the sign of a block at *at*; -1 if there is none."""
    found = compiled(_INDICATOR).match(text, at) if text[at : at + 1] in ("|", ">") else None
    return -1 if found is None else found.end()


def _column(text: str, begin: int, written: str | None) -> int | None:
    """How far the name at *begin* is indented, if nothing stands before it in its line."""
    low = max(0, begin - 220)
    line = text.rfind("\n", low, begin) + 1
    if written is not None:
        # In a string of JSON a line begins behind a written line's end, or with the string.
        line = max(line, text.rfind(written, low, begin) + len(written), text.rfind('"', low, begin) + 1)
    if line == 0 and low > 0:
        return None
    head = compiled(_HEAD).match(text, line, begin)
    return None if head is None else len(head.group().rstrip("\"'"))


def _lines(text: str, at: int, begin: int) -> t.Iterator[tuple[int, int]]:
    """The lines, without what indents them, that belong to the name at *begin* whose line ends at *at*."""
    newline = compiled(_NEWLINE).match(text, at)
    if newline is None:
        return
    written = newline["written"]
    column = _column(text, begin, written)
    if column is None:
        return
    sign = written or "\n"
    at = newline.end()
    limit = min(len(text), at + MAX_BLOCK)
    if written is not None:
        # The string that it is written in ends the block.
        for quote in ('"', "\n"):
            stop = text.find(quote, at, limit)
            limit = limit if stop < 0 else stop
    for _line in range(MAX_LINES):
        if at >= limit:
            return
        end = text.find(sign, at, limit)
        end = limit if end < 0 else end
        line = text[at:end]
        if line[:1] in ("+", "-") and line[1:2] in (" ", "\t", "\r", ""):
            line = " " + line[1:]
        held = line.strip(" \t\r")
        if held:
            indent = len(line) - len(line.lstrip(" \t"))
            if indent <= column:
                return
            yield at + indent, at + indent + len(held)
        at = end + len(sign)


def block(text: str, at: int, begin: int) -> list[Line]:
    """The lines of the block scalar whose sign ends at *at*, for the name at *begin*."""
    lines = [(start, end, True) for start, end in _lines(text, at, begin)]
    if not lines or text.startswith(_ENCRYPTED, lines[0][0]):
        return []
    return [] if is_placeholder(" ".join(text[start:end] for start, end, _own in lines)) else lines


def below(text: str, at: int, begin: int, json: bool) -> list[Line]:
    """The values on the lines below the name at *begin*, in whose line nothing follows from *at* on.

    :arg json: The name stands in quotes: indentation means nothing.
    """
    if json:
        found = compiled(_JSON).match(text, at)
        if found is not None:
            return [(*found.span("value"), True)]
    comment = compiled(_COMMENT).match(text, at)
    found_lines: list[Line] = []
    for start, end in _lines(text, comment.end() if comment else at, begin):
        item = compiled(_ITEM).match(text[start:end])
        if item is None or text[end - 1] == ":":
            break
        kind = str(item.lastgroup)
        if kind == "plain" and "=" in item["plain"].rstrip("="):
            break
        found_lines.append((start + item.start(kind), start + item.end(kind), kind != "plain"))
        if not text.startswith("-", start):
            break
    return found_lines


def tripled(text: str, at: int, quote: str) -> list[Line] | None:
    """The lines of the text in triple quotes that *quote* at *at* begins; ``None`` if it does not."""
    if not text.startswith(quote * 2, at):
        return None
    at += 2 * len(quote)
    end = text.find(quote * 3, at, at + MAX_BLOCK)
    if end < 0:
        end = text.find("\n", at, at + MAX_BLOCK)
        end = min(len(text), at + MAX_BLOCK) if end < 0 else end
    lines: list[Line] = []
    while at < end and len(lines) < MAX_LINES:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        line = text[at:stop]
        sign = 1 if line[:1] in ("+", "-") and lines else 0
        held = line[sign:].strip(" \t\r\\")
        if held:
            start = at + line.index(held, sign)
            lines.append((start, start + len(held), True))
        at = stop + 1
    return lines
