# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies whatever Ansible hands over into what JSON can carry, redacted and bounded. PRIVATE.

Nothing here imports Ansible: its own types are subclasses of plain ones.
"""

from __future__ import annotations

import datetime
import functools
import re
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._trail.assignments import telling
from ansible_collections.day2.codex.plugins.module_utils._trail.names import last_word
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import MIN_KNOWN, Redactor, marker
from ansible_collections.day2.codex.plugins.module_utils._trail.values import PAIR_NAMES, PAIR_VALUES

#: Characters of one text, and of all that one task or result brings, that a record takes.
MAX_TEXT = 8192
MAX_ALL = 131072
#: A text is looked through for secrets this far. A secret that begins within MAX_TEXT ends within this.
_LOOKED_THROUGH = 65536
MAX_DEPTH = 40
# Texts up to this length, and so many of them, are remembered as they are shown.
_SHORT = 200
_REMEMBERED = 4096

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:pass|passwd|password|passphrase|pwd|secrets?|token|credentials?|authorization|(?:api|access|private|secret|signing|encryption)_?key)"
    r"(?:$|_(?!file$|path$|name$|id$))"
)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[-. ]")


@functools.lru_cache(maxsize=4096)
def secret_name(name: str) -> bool:
    """Whether *name* is that of a secret, such as ``smtp_password`` or ``clientSecret``."""
    return len(name) <= 200 and _SECRET_NAME.search(_WORDS.sub("_", name).lower()) is not None


class Plain:
    """Copies values into what JSON can carry, redacted, within a bound on depth and characters.

    Ansible's own types are subclasses of plain ones. Anything else is named by its type and never turned into text: to do so
    may decrypt a vaulted value.
    """

    def __init__(self, redactor: Redactor, seen: dict[str, str] | None = None, key: bytes | None = None) -> None:
        self._redactor = redactor
        self._key = key
        self._seen = {} if seen is None else seen
        self._room = MAX_ALL

    @property
    def full(self) -> bool:
        """Whether something was left out."""
        return self._room < 0

    def text(self, value: str) -> str:
        """*value*, redacted and cut."""
        # str() of a subclass gives a plain copy; slicing does not in every version.
        whole = str.__str__(value)
        shown = self._seen.get(whole)
        if shown is None:
            shown = self._shown(whole)
        self._room -= len(shown)
        return shown if self._room >= 0 else "(left out: the record would be too large)"

    def _shown(self, whole: str) -> str:
        shown = self._redactor.text(whole[:_LOOKED_THROUGH])
        if len(shown) > MAX_TEXT or len(whole) > _LOOKED_THROUGH:
            shown = f"{shown[:MAX_TEXT]} (cut; {len(whole)} characters)"
        if len(whole) <= _SHORT:
            # Names of plays, tasks and hosts come again and again.
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[whole] = shown
        return shown

    def data(self, value: t.Any, depth: int = 0) -> t.Any:
        """A copy of *value*."""
        if value is None or value is True or value is False:
            return value
        self._room -= 8
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int):
            return int(value) if -(2**53) < value < 2**53 else str(int(value))
        if isinstance(value, float):
            return float(value) if abs(value) < float("inf") else repr(float(value))
        if isinstance(value, (bytes, bytearray)):
            return self.text(bytes(value).decode("utf-8", "backslashreplace"))
        if depth >= MAX_DEPTH:
            return "(nested too deeply)"
        if isinstance(value, dict):
            return self._mapping(value, depth)
        if isinstance(value, (list, tuple)):
            found: list[t.Any] = []
            for item in value:
                if self._room < 0:
                    found.append("(left out: the record would be too large)")
                    break
                found.append(self.data(item, depth + 1))
            # What stands behind a telling word of a command line is hidden, too.
            return self._redactor.data(found) if len(found) > 1 and all(isinstance(item, str) for item in found) else found
        if isinstance(value, (datetime.date, datetime.time)):
            return value.isoformat()
        return f"({type(value).__name__})"

    def word(self, value: t.Any) -> str | None:
        """*value* if it is a text that says something."""
        return self.text(value) if isinstance(value, str) and value else None

    def rows(self, value: t.Any) -> list[dict[str, t.Any]]:
        """The mappings of the list *value*, as many as there is room for. None of them is in it in part."""
        found: list[dict[str, t.Any]] = []
        for item in value if isinstance(value, (list, tuple)) else ():
            row = self.data(item, 1) if isinstance(item, dict) and not self.full else None
            if self.full:
                break
            if row is not None:
                found.append(row)
        return found

    def _mapping(self, value: dict[t.Any, t.Any], depth: int) -> dict[str, t.Any]:
        found: dict[str, t.Any] = {}
        # A pair such as {name: smtp_password, value: ...} or {option: smtp_password, value: ...} hides its value, too.
        others = [last_word(str.__str__(value[key])) for key in PAIR_NAMES if isinstance(value.get(key), str)]
        pair = next((other for other in others if secret_name(other) or telling(other)), None)
        for key, item in value.items():
            if self._room < 0:
                found["(left out)"] = "the record would be too large"
                break
            name = self.text(key if isinstance(key, str) else repr(key) if isinstance(key, (int, float)) else f"({type(key).__name__})")
            teller = pair if pair is not None and name in PAIR_VALUES else name
            if isinstance(item, (str, bytes)) and item and secret_name(teller):
                found[name] = marker("option", self.plainest(item), self._key)
            elif isinstance(item, str):
                found[name] = self._behind(teller, item)
            else:
                shown = self.data(item, depth + 1)
                # Numbers, and what is in lists and dictionaries.
                found[name] = self._redactor.under(teller, shown) if shown and telling(teller) else shown
        return found

    def _behind(self, name: str, item: str) -> str:
        """*item*, which stands under *name*: the room of redaction knows more telling names, and looks at the value too."""
        whole, shown = str.__str__(item), self.text(item)
        if shown != whole or len(whole) < MIN_KNOWN:
            return shown
        key = f"{name}\0{whole}"
        known = self._seen.get(key)
        if known is None:
            known = str(self._redactor.under(name, whole))
            if len(key) <= _SHORT:
                self._seen[key] = known
        return known

    @staticmethod
    def plainest(item: str | bytes) -> str:
        return str.__str__(item) if isinstance(item, str) else bytes(item).decode("utf-8", "backslashreplace")
