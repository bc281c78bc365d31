# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds values in the bytes of a file, and tells whether the protected ones stayed. PRIVATE."""

from __future__ import annotations

import itertools
import re
import typing as t

from .model import Violation
from .slice import Slice

# What ends the text around a protected value that is compared with it. Quotes, braces, backslashes and = do not: in
# 'api.example.com".attacker.net', 'api.example.com{{ suffix }}' or 'api.example.com\u002eattacker.net' they join what they stand between.
_SEPARATORS = b" \t\r\n\v\f<>,;()[]}|&"
_FOLD = bytes.maketrans(_SEPARATORS, b" " * len(_SEPARATORS))
_WORD_LIMIT = 512
# How a line begins: a mark that makes it a comment, or a list item, and a key.
_HEAD = re.compile(rb"[ \t]*(?:(?:[#;*!%]|//|--|<!--|- )[ \t]*){0,8}(?:[\"']?[\w.$-]{1,100}[\"']?[ \t]{0,8}[:=])?")


def occurrences(content: bytes, value: bytes) -> t.Iterator[int]:
    """The offsets at which *value* stands in *content*, from left to right, without overlap."""
    start = content.find(value)
    while start >= 0:
        yield start
        start = content.find(value, start + len(value))


def line_at(content: bytes, offset: int) -> int:
    """The line number, from 1, of *offset*."""
    return content.count(b"\n", 0, offset) + 1


def _inside(start: int, end: int, content: bytes, shelters: t.Sequence[bytes]) -> bool:
    for shelter in shelters:
        first = max(0, end - len(shelter))
        if content.find(shelter, first, start + len(shelter)) >= 0:
            return True
    return False


def incorrect_values(slice_: Slice, path: str, content: bytes) -> t.Iterator[tuple[str, int]]:
    """The incorrect values that are left in *content* of *path*, as (value, line).

    An occurrence inside a longer correct or protected value does not count: it is either right or not this task's business.
    """
    shelters = [text.encode() for text in (*slice_.correct, *slice_.protected_values)]
    for item in slice_.incorrect:
        if item.where is not None and not item.where.match(path):
            continue
        value = item.value.encode()
        longer = [shelter for shelter in shelters if len(shelter) > len(value) and value in shelter]
        for offset in occurrences(content, value):
            if not _inside(offset, offset + len(value), content, longer):
                yield item.value, line_at(content, offset)
                break


def _contexts(content: bytes, value: bytes) -> t.Iterator[tuple[tuple[bytes, bytes], int]]:
    """What an occurrence of *value* means where it stands: how its line begins, and the word around it; and its offset."""
    folded = content.translate(_FOLD)
    for offset in occurrences(content, value):
        end = offset + len(value)
        start = folded.rfind(b" ", max(0, offset - _WORD_LIMIT), offset) + 1 or max(0, offset - _WORD_LIMIT)
        stop = folded.find(b" ", end, end + _WORD_LIMIT)
        line = content.rfind(b"\n", max(0, offset - _WORD_LIMIT), offset) + 1
        head = _HEAD.match(content, line, offset) if line or offset <= _WORD_LIMIT else None
        yield (head.group() if head else b"", content[start : stop if stop >= 0 else end + _WORD_LIMIT]), offset


def touched_value(old: bytes, new: bytes, value: str) -> int | None:
    """The line at which an occurrence of the protected *value* was added, removed, given another key or built into another word.

    The line is the new content's where it can be named, else the old one's; ``None`` when every occurrence stayed.
    """
    wanted = value.encode()
    # One after the other: of an agent's million occurrences only the first that differs is looked at.
    for before, after in itertools.zip_longest(_contexts(old, wanted), _contexts(new, wanted)):
        if before is None or after is None or before[0] != after[0]:
            return line_at(new, after[1]) if after is not None else line_at(old, before[1])
    return None


def check_incorrect(slice_: Slice, path: str, content: bytes) -> list[Violation]:
    """The incorrect values that *content* of *path* still holds."""
    return [
        Violation("incorrect_value_left", path, line, f"{value!r} is still there") for value, line in incorrect_values(slice_, path, content)
    ]
