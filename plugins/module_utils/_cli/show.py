# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tables and lists for people: plain text, as wide as the terminal, with nothing hidden in it. PRIVATE."""

from __future__ import annotations

import os
import sys
import typing as t

from .._workspace.escape import escape

#: Columns where the width is not known: nothing is cut then, since a program or a file reads it.
UNKNOWN = 0
_NARROWEST = 8


def width() -> int:
    """The columns of the terminal that reads the output; ``UNKNOWN`` where it is none."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return UNKNOWN


def cell(value: t.Any) -> str:
    """*value* on one line, with every character visible."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return escape(str(value)).replace("\n", "\\n").replace("\t", "\\t")


def columns(text: str) -> int:
    """The columns that *text* takes on a terminal."""
    if text.isascii():
        return len(text)
    import unicodedata  # pylint: disable=import-outside-toplevel

    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def cut(text: str, room: int) -> str:
    """*text* in at most *room* columns; three dots say that there is more."""
    if columns(text) <= room:
        return text
    kept, used = "", 0
    for char in text:
        used += columns(char)
        if used > room - 3:
            break
        kept += char
    return (kept + "...")[:room]


def table(heads: t.Sequence[str], rows: t.Sequence[t.Sequence[t.Any]], room: int) -> str:
    """*rows* under *heads*. Where they are wider than *room*, the widest columns are cut first; numbers stand to the right."""
    shown = [[cell(value) for value in row] for row in rows]
    wide = [max([len(head), *(columns(row[place]) for row in shown)]) for place, head in enumerate(heads)]
    if room != UNKNOWN:
        while sum(wide) + 2 * (len(wide) - 1) > room and max(wide) > _NARROWEST:
            wide[wide.index(max(wide))] -= 1
    right = [all(isinstance(row[place], int) and not isinstance(row[place], bool) for row in rows) and bool(rows) for place in range(len(heads))]
    return "\n".join(_line(line, wide, right) for line in ([head.upper() for head in heads], *shown))


def _line(cells: t.Sequence[str], wide: t.Sequence[int], right: t.Sequence[bool]) -> str:
    parts = []
    for text, size, to_right in zip(cells, wide, right):
        shown = cut(text, size)
        space = " " * (size - columns(shown))
        parts.append(space + shown if to_right else shown + space)
    return "  ".join(parts).rstrip()


def facts(pairs: t.Sequence[tuple[str, t.Any]]) -> str:
    """Names and values, one to a line."""
    size = max((len(name) for name, _value in pairs), default=0)
    return "\n".join(f"{name:<{size}}  {cell(value)}" for name, value in pairs)


def moment(text: t.Any) -> str:
    """A time of a record or a plan, to the second, in UTC."""
    return str(text)[:19].replace("T", " ") if text else ""
