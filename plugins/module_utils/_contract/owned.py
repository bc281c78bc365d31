# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a file by which a host is governed: whose it is, who else can write it, whether it fits its contract. PRIVATE."""

from __future__ import annotations

import json
import os
import stat
import typing as t

from .._errors import CodexOpsError

#: Bytes of such a file.
MAX_FILE = 1024 * 1024
#: Seconds of each unit in which such a file gives a span.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Kind(t.NamedTuple):
    """What is read. Its codes are ``NAME_missing``, ``NAME_unsafe`` and ``NAME_invalid``; its contract is the published one of that name.

    ``words`` is what people call it; ``version`` the form that this engine reads; ``outcome`` what a wrong one ends with. ``missing`` says
    what follows where there is none, ``write_one`` what to do then, ``unsafe`` what to do where others can write it, and ``hint`` what
    to do otherwise.
    """

    name: str
    words: str
    version: int
    outcome: str
    missing: str
    write_one: str
    unsafe: str
    hint: str

    def wrong(self, code: str, message: str, where: str, hint: str | None = None) -> CodexOpsError:
        """Why it cannot be used. *code* is without the name, or ``newer_state``."""
        newer = code == "newer_state"
        full = code if newer else f"{self.name}_{code}"
        return CodexOpsError(message, code=full, outcome="newer_state" if newer else self.outcome, where=where, hint=self.hint if hint is None else hint)


def content(path: str, owners: t.Collection[int], kind: Kind) -> bytes:
    """The bytes of the file at *path*, if they are surely of one of *owners* and nobody else's.

    :raises CodexOpsError: ``missing``, ``unsafe`` or ``invalid``, behind the name of *kind*.
    """
    words = kind.words
    try:
        # Not blocking: a named pipe must not hold anybody up.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise kind.wrong("missing", kind.missing, path, kind.write_one) from None
    except OSError as error:
        if os.path.islink(path):
            raise kind.wrong("unsafe", f"The {words} is a symbolic link.", path, "Put the file itself there.") from None
        raise kind.wrong(
            "unsafe", f"The {words} cannot be read: {error.strerror}.", path, "Correct its owner and mode (0644), and those of its folder."
        ) from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise kind.wrong("unsafe", f"The {words} is not a regular file.", path, "Put a file there.")
        if found.st_uid not in owners:
            raise kind.wrong("unsafe", f"The {words} belongs to user {found.st_uid}, expected {' or '.join(map(str, sorted(owners)))}.", path, kind.unsafe)
        if found.st_mode & 0o022:
            raise kind.wrong("unsafe", f"Others can write the {words} (mode {stat.S_IMODE(found.st_mode):04o}).", path, kind.unsafe)
        data = b""
        while len(data) <= MAX_FILE:
            block = os.read(handle, MAX_FILE + 1 - len(data))
            if not block:
                return data
            data += block
    except OSError as error:
        raise kind.wrong("unsafe", f"The {words} cannot be read: {error.strerror}.", path) from None
    finally:
        os.close(handle)
    raise kind.wrong("invalid", f"The {words} is larger than {MAX_FILE // 1024} KiB.", path)


def _pairs(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:80]!r} stands there twice")
    return found


def _number(text: str) -> int:
    if len(text) > 20:
        raise ValueError(f"the number {text[:20]}... is too large")
    return int(text)


def _constant(text: str) -> t.NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def document(data: bytes, path: str, kind: Kind) -> dict[str, t.Any]:
    """The JSON in *data*, held against the published contract.

    :raises CodexOpsError: ``invalid``, behind the name of *kind*, or ``newer_state``.
    """
    words = kind.words
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_pairs, parse_int=_number, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise kind.wrong("invalid", f"The {words} is not UTF-8: byte {error.start} is no part of a character.", path) from None
    except RecursionError:
        raise kind.wrong("invalid", f"The {words} is nested too deeply.", path) from None
    except ValueError as error:
        raise kind.wrong("invalid", f"The {words} is not JSON: {error}.", path) from None
    version = found.get("version") if isinstance(found, dict) else None
    if isinstance(version, int) and version > kind.version:
        raise kind.wrong("newer_state", f"The {words} is of version {version}; this engine knows {kind.version}.", path, "Install a newer engine.")
    from .document import load_schema  # pylint: disable=import-outside-toplevel
    from .quick import misfit  # pylint: disable=import-outside-toplevel

    schema = load_schema(kind.name)
    place = misfit(found, schema)
    if place is not None:
        raise _unfit(found, schema, place, path, kind)
    return t.cast("dict[str, t.Any]", found)


def _unfit(said: t.Any, schema: dict[str, t.Any], place: tuple[t.Any, ...], path: str, kind: Kind) -> CodexOpsError:
    from .document import describe, pointer, problems  # pylint: disable=import-outside-toplevel

    try:
        faults = problems(said, schema)
    except CodexOpsError:
        faults = []
    if not faults:
        # Without jsonschema on the host it is known where, but not what was expected.
        return kind.wrong("invalid", f"The {kind.words} is not valid at {pointer(place)}.", path)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    error = kind.wrong("invalid", f"The {kind.words} is not valid {describe(faults[0])}{more}.", path)
    error.details = list(faults)
    return error


def seconds(value: int | str | float) -> float:
    """The seconds of a span that fits its contract: a number of them, or digits with a unit such as ``7d``."""
    if isinstance(value, str) and value[-1] in UNITS:
        return float(int(value[:-1]) * UNITS[value[-1]])
    return float(value)
