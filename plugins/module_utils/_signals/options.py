# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a collector: what they are, and whether what somebody gave is one. PRIVATE."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import re
import typing as t

from .._errors import CodexOpsError

#: Elements of one list at most.
MAX_ITEMS = 1000
_SPAN = re.compile(r"([0-9]{1,9})(s|m|h|d|w)?")
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"([0-9]{1,18})([KMGT])?")
_BYTES = {None: 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_BOOLS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "number": "a number",
    "percent": "a number from 0 to 100",
    "text": "text",
    "path": "an absolute path",
    "span": "a time such as 90, 15m, 8h or 7d",
    "size": "a size such as 4096, 64K, 100M or 2G",
}


@dataclasses.dataclass(frozen=True)
class Option:
    """One option.

    :arg kind: ``bool``, ``int``, ``number``, ``percent``, ``text``, ``path``, ``span`` (becomes seconds), ``size`` (becomes bytes), one
        of them with ``s`` behind it for a list, ``table`` for a dictionary or ``tables`` for a list of dictionaries.
    :arg default: As a person would write it; ``None`` for none.
    :arg what: A sentence about it.
    :arg keys: For ``table`` and ``tables``: the options of each dictionary.
    """

    kind: str
    default: t.Any
    what: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    required: bool = False
    keys: t.Mapping[str, Option] | None = None


#: What every collector takes.
COMMON: dict[str, Option] = {
    "timeout": Option("span", "120s", "After what time it ends, with what it has seen until then.", minimum=1, maximum=86400),
    "max_findings": Option("int", 100, "At most so many findings, the worst. One in place of the others counts them.", minimum=1, maximum=500),
}


def _wrong(where: str, expected: str, value: t.Any) -> CodexOpsError:
    found = repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "..."
    return CodexOpsError(f"expected {expected}, found {found}.", code="option_invalid", outcome="rejected", where=where)


def span(value: t.Any, where: str) -> int:
    """Seconds in ``90``, ``15m``, ``8h``, ``7d`` or ``2w``."""
    found = _SPAN.fullmatch(str(value)) if not isinstance(value, bool) else None
    if not found:
        raise _wrong(where, _KINDS["span"], value)
    return int(found.group(1)) * _SECONDS[found.group(2)]


def size(value: t.Any, where: str) -> int:
    """Bytes in ``4096``, ``64K``, ``100M`` or ``2G``, with powers of 1024."""
    found = _SIZE.fullmatch(str(value)) if not isinstance(value, bool) else None
    if not found:
        raise _wrong(where, _KINDS["size"], value)
    return int(found.group(1)) * _BYTES[found.group(2)]


def _number(value: t.Any, where: str, kind: str) -> float:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", value):
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _wrong(where, _KINDS[kind], value)
    if kind == "int" and value != int(value):
        raise _wrong(where, _KINDS[kind], value)
    if kind == "percent" and not 0 <= value <= 100:
        raise _wrong(where, _KINDS[kind], value)
    return int(value) if kind == "int" else value


def _text(value: t.Any, where: str, kind: str) -> str:
    if not isinstance(value, str) or not value or len(value) > 4096 or "\0" in value or (kind == "path" and not value.startswith("/")):
        raise _wrong(where, _KINDS[kind], value)
    return value


def _one(option: Option, value: t.Any, where: str) -> t.Any:
    kind = option.kind
    if kind == "bool":
        value = _BOOLS.get(value.lower(), value) if isinstance(value, str) else value
        if not isinstance(value, bool):
            raise _wrong(where, _KINDS[kind], value)
        return value
    if kind in ("text", "path"):
        value = _text(value, where, kind)
        if option.choices and value not in option.choices:
            raise _wrong(where, "one of " + ", ".join(option.choices), value)
        return value
    if kind in ("span", "size"):
        number: float = (span if kind == "span" else size)(value, where)
    else:
        number = _number(value, where, kind)
    if option.minimum is not None and number < option.minimum:
        raise _wrong(where, f"at least {option.minimum:g}", value)
    if option.maximum is not None and number > option.maximum:
        raise _wrong(where, f"at most {option.maximum:g}", value)
    return number


def _value(option: Option, value: t.Any, where: str) -> t.Any:
    if option.kind == "table":
        return checked(option.keys or {}, value, where)
    if option.kind == "tables":
        element: t.Callable[[t.Any, str], t.Any] = functools.partial(checked, option.keys or {})
    elif option.kind.endswith("s"):
        single = dataclasses.replace(option, kind=option.kind[:-1])
        element = functools.partial(_one, single)
    else:
        return _one(option, value, where)
    if not isinstance(value, (list, tuple)) or len(value) > MAX_ITEMS:
        raise _wrong(where, f"a list of at most {MAX_ITEMS}", value)
    return [element(item, f"{where}[{number}]") for number, item in enumerate(value)]


def checked(options: t.Mapping[str, Option], given: t.Any, where: str = "options") -> dict[str, t.Any]:
    """*given* with every value as the collector wants it, and defaults for what is not there.

    :raises CodexOpsError: ``option_invalid``.
    """
    if not isinstance(given, dict):
        raise _wrong(where, "a dictionary", given)
    for name in given:
        if name not in options:
            near = difflib.get_close_matches(str(name), list(options), n=1)
            asked = f" Did you mean {near[0]!r}?" if near else ""
            raise CodexOpsError(
                f"there is no option {str(name)[:80]!r}.{asked}",
                code="option_invalid",
                outcome="rejected",
                where=where,
                hint=f"There are: {', '.join(sorted(options))}.",
            )
    found = {}
    for name, option in options.items():
        value = given.get(name)
        value = option.default if value is None else value
        if value is None and option.required:
            raise CodexOpsError("it is required.", code="option_invalid", outcome="rejected", where=f"{where}.{name}", hint=option.what)
        found[name] = None if value is None else _value(option, value, f"{where}.{name}")
    return found
