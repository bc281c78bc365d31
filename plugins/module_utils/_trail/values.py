# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets in data: what a dictionary keeps under a telling name, a list behind an option, and a pair beside its name. PRIVATE."""

from __future__ import annotations

import typing as t

from . import assignments
from .names import TOKEN, describes, last_word, name_class, number

if t.TYPE_CHECKING:
    from .redaction import Redactor

#: Where the name of a pair stands, and its value: {name: DB_PASSWORD, value: x}, {option: db_password, value: x} ...
PAIR_NAMES = ("name", "key", "option", "question", "xpath", "variable", "property", "parameter", "setting", "attribute")
_MAX_COMMAND = 16384
PAIR_VALUES = frozenset(("value", "values", "val"))


def redacted(redactor: Redactor, value: t.Any, depth: int, name: str | None = None) -> t.Any:
    """A copy of *value*, at most *depth* levels of it, with its secrets masked.

    :arg name: The telling name that it stands under, if there is one.
    """
    if isinstance(value, str):
        return _text(redactor, value, name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        kind = number(name, value) if name else None
        return redactor.mark(kind, str(value)) if kind else value
    if isinstance(value, (dict, list, tuple)) and depth <= 0:
        return "(nested too deeply)"
    if isinstance(value, dict):
        pair = pair_name(value)
        return {
            redactor.text(key) if isinstance(key, str) else key: redacted(redactor, item, depth - 1, _telling(key, name, pair)) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        before = [None, *value]
        value = _command(redactor, value)
        return [redacted(redactor, item, depth - 1, _option(before[at], item) or name) for at, item in enumerate(value)]
    return value


def _text(redactor: Redactor, value: str, name: str | None) -> str:
    shown = redactor.text(value)
    # What is untouched may still be a secret because of its name.
    if name is None or shown != value:
        return shown
    kind = assignments.named(name, value)
    return redactor.mark(kind, value) if kind else headed(redactor, name, value)


def pair_name(value: dict[t.Any, t.Any]) -> str | None:
    """The telling name in a pair such as {"name": "DB_PASSWORD", "value": "x"}."""
    for key in PAIR_NAMES:
        other = value.get(key)
        if isinstance(other, str) and assignments.telling(last_word(other)):
            return last_word(other)
    return None


def _telling(key: t.Any, name: str | None, pair: str | None) -> str | None:
    """The name that tells what stands under *key*: its own, or that of the pair, or the one that all of the dictionary stands under."""
    if not isinstance(key, str):
        return name
    if pair is not None and key.lower() in PAIR_VALUES:
        return pair
    if assignments.telling(key) or key.lower().endswith(_HEADERS):
        return key
    # {"password": {"min_length": 8, "value": "x"}}, and what is known of a token besides it.
    return None if name is None or describes(key) or (name_class(name) or (TOKEN,))[0] == TOKEN else name


def _command(redactor: Redactor, value: t.Sequence[t.Any]) -> t.Sequence[t.Any]:
    """*value* with the secrets masked that it shows as a command line: ["mysql", "-u", "root", "-px"]."""
    if len(value) < 2 or not all(isinstance(item, str) for item in value) or not any(item.startswith("-") for item in value):
        return value
    if sum(map(len, value)) > _MAX_COMMAND:
        return value
    from .commands import words  # pylint: disable=import-outside-toplevel

    shown = list(value)
    for at, (start, end, kind) in words(value).items():
        shown[at] = value[at][:start] + redactor.mark(kind, value[at][start:end]) + value[at][end:]
    return shown


def _option(option: t.Any, item: t.Any) -> str | None:
    """*option* if it is one of a command line, before its value."""
    if isinstance(option, str) and isinstance(item, str) and option.startswith("--") and not item.startswith("-"):
        return option
    return None


_HEADERS = ("authorization", "cookie", "api-key", "-token")


def headed(redactor: Redactor, name: str, value: str) -> str:
    """*value* of the header *name*, as a dictionary of headers keeps it."""
    if "\n" in value or not name.lower().endswith(_HEADERS):
        return value
    begin = f"{name}: "
    return redactor.text(begin + value)[len(begin) :]
