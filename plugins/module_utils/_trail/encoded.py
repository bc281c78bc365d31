# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tokens of a known format that stand in base64. PRIVATE.

Only what decodes to ASCII is decoded: in random base64 one run in millions does. The runs are found without looking at each character here.
"""

from __future__ import annotations

import typing as t

from . import formats
from .formats import Span, compiled

#: Fewer characters of base64 hold no token. A longer run is looked at up to here.
MIN_RUN, MAX_RUN = 26, 65536
# The other two letters of base64 stand for no character of a token.
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_TABLE = bytes(65 if letter in _LETTERS else 32 for letter in range(256))
_FIRST = bytes(65 if letter in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef" else 32 for letter in range(256))
_SIGN = b"A" * MIN_RUN
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def _class(mask: int) -> str:
    """The letters whose six bits have none of *mask*."""
    held = "".join(letter for value, letter in enumerate(_ALPHABET) if not value & mask)
    return f"[{held}{'-' if '+' in held else ''}{'_' if '/' in held else ''}]"


def _expression() -> str:
    # Four letters are three bytes, whose highest bits are these. The dash stands last in its brackets.
    first, second, third = _class(0b100000), _class(0b001000), _class(0b000010)
    return rf"(?:{first}{second}{third}[A-Za-z0-9+/_-]){{6,{MAX_RUN // 4}}}(?:{first}{second}(?:{third}|=)=?)?"


def find(text: str) -> t.Iterator[Span]:
    """Every run of base64 in *text* that holds a token."""
    raw = text.encode("latin-1", "replace")
    table = raw.translate(_TABLE)
    at = table.find(_SIGN)
    if at < 0:
        return
    expression, first = compiled(_expression()), raw.translate(_FIRST)
    while at >= 0:
        end = table.find(b" ", at)
        end = len(text) if end < 0 else end
        # The first letter of each four, in one of the four ways to begin: of random letters few are like this.
        if not any(first[at + shift : at + shift + 24 : 4] == b"AAAAAA" for shift in range(4)):
            at = table.find(_SIGN, end)
            continue
        # In four letters a run has begun that may go on behind this one.
        match = expression.search(text, at, min(end, at + MAX_RUN))
        while match is not None:
            match = expression.match(text, match.start())
            kind = _holds(match.group()) if match is not None else None
            if match is None:
                break
            end = max(end, match.end())
            if kind is not None:
                yield match.start(), match.end(), kind
            match = expression.search(text, match.end(), min(end, at + MAX_RUN))
        at = table.find(_SIGN, end)


def _holds(run: str) -> str | None:
    """The kind of the first token in *run*, decoded."""
    import base64  # pylint: disable=import-outside-toplevel

    plain = base64.b64decode(run.rstrip("=").replace("-", "+").replace("_", "/") + "==").decode("latin-1")
    return next((kind for _start, _end, kind in formats.find(plain)), None)
