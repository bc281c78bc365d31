# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows what a screen would hide: control, direction and invisible characters. Pure. PRIVATE."""

from __future__ import annotations

import re

# Controls but tab and line feed, soft hyphen, joiners, fillers, direction marks, line and paragraph separators, variation
# selectors, musical and shorthand format controls, tags, and what stands for bytes that are not UTF-8.
_HIDDEN = (
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f"
    "\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ud800-\\udfff\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb"
    "\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff"
)
_HIDDEN_RE = re.compile(f"[{_HIDDEN}]")
_QUOTED_RE = re.compile(f'[{_HIDDEN}\\t\\n"\\\\]')
_SHORT = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def escape(text: str) -> str:
    r"""*text* with every character that a person could not see written out, such as ``\u{202e}``. Tab and line feed stay."""
    return _HIDDEN_RE.sub(lambda match: f"\\u{{{ord(match.group()):04x}}}", text)


def quote(path: str) -> str:
    """*path* as git writes it in a patch: in C-style quotes if a character in it could mislead, else as it is."""
    if not _QUOTED_RE.search(path):
        return path

    def octal(match: re.Match[str]) -> str:
        character = match.group()
        if ord(character) in _SHORT:
            return _SHORT[ord(character)]
        errors = "surrogateescape" if "\udc80" <= character <= "\udcff" else "surrogatepass"
        return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", errors))

    return f'"{_QUOTED_RE.sub(octal, path)}"'
