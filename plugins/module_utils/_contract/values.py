# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds values in the bytes of a file, and tells whether the protected ones stayed. PRIVATE."""

from __future__ import annotations

import typing as t

from .model import Violation
from .slice import Slice

# What ends the word around a protected value. 'api.example.com' and 'api.example.com.attacker.net' must not look alike.
_DELIMITERS = frozenset(b" \t\r\n\v\f\"'`<>,;()[]{}|=\\")
_WORD_LIMIT = 512


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


def _words(content: bytes, value: bytes) -> t.Iterator[tuple[bytes, int]]:
    for offset in occurrences(content, value):
        start, end = offset, offset + len(value)
        while start > 0 and offset - start < _WORD_LIMIT and content[start - 1] not in _DELIMITERS:
            start -= 1
        while end < len(content) and end - offset < _WORD_LIMIT and content[end] not in _DELIMITERS:
            end += 1
        yield content[start:end], offset


def touched_value(old: bytes, new: bytes, value: str) -> int | None:
    """The line at which an occurrence of the protected *value* was added, removed, moved or built into another word.

    The line is the new content's where it can be named, else the old one's; ``None`` when every occurrence stayed.
    """
    wanted = value.encode()
    before, after = list(_words(old, wanted)), list(_words(new, wanted))
    for (old_word, _old), (new_word, offset) in zip(before, after):
        if old_word != new_word:
            return line_at(new, offset)
    if len(after) > len(before):
        return line_at(new, after[len(before)][1])
    if len(before) > len(after):
        return line_at(old, before[len(after)][1])
    return None


def check_incorrect(slice_: Slice, path: str, content: bytes) -> list[Violation]:
    """The incorrect values that *content* of *path* still holds."""
    return [
        Violation("incorrect_value_left", path, line, f"{value!r} is still there") for value, line in incorrect_values(slice_, path, content)
    ]
