# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a policy file: whose it is, who else can write it, whether it fits the contract. PRIVATE."""

from __future__ import annotations

import json
import os
import stat
import typing as t

from .._errors import CodexOpsError

#: The version of the form that this engine reads. It refuses a newer one.
VERSION = 1
#: Bytes of a policy file.
MAX_FILE = 1024 * 1024
_HINT = "The guide on gates and schemas/policy.schema.json describe its form. Until it is right, nothing is changed on this host."


def wrong(code: str, message: str, where: str, hint: str = _HINT) -> CodexOpsError:
    """Why a policy cannot be used, as an error that closes the gates."""
    return CodexOpsError(message, code=code, outcome="newer_state" if code == "newer_state" else "forbidden", where=where, hint=hint)


def content(path: str, owners: t.Collection[int]) -> bytes:
    """The bytes of the policy at *path*, if they are surely of one of *owners* and nobody else's.

    :raises CodexOpsError: ``policy_missing``, ``policy_unsafe`` or ``policy_invalid``.
    """
    unsafe = "Anybody who can write this file decides what happens on this host: make it root's own (chown root, chmod 0644)."
    try:
        # Not blocking: a named pipe must not hold anybody up.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise wrong(
            "policy_missing", "There is no policy, so nothing is changed on this host.", path, "Write one; the guide on gates begins with an example."
        ) from None
    except OSError as error:
        if os.path.islink(path):
            raise wrong("policy_unsafe", "The policy is a symbolic link.", path, "Put the file itself there.") from None
        raise wrong(
            "policy_unsafe", f"The policy cannot be read: {error.strerror}.", path, "Correct its owner and mode (0644), and those of its folder."
        ) from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise wrong("policy_unsafe", "The policy is not a regular file.", path, "Put a file there.")
        if found.st_uid not in owners:
            raise wrong("policy_unsafe", f"The policy belongs to user {found.st_uid}, expected {' or '.join(map(str, sorted(owners)))}.", path, unsafe)
        if found.st_mode & 0o022:
            raise wrong("policy_unsafe", f"Others can write the policy (mode {stat.S_IMODE(found.st_mode):04o}).", path, unsafe)
        data = b""
        while len(data) <= MAX_FILE:
            block = os.read(handle, MAX_FILE + 1 - len(data))
            if not block:
                return data
            data += block
    except OSError as error:
        raise wrong("policy_unsafe", f"The policy cannot be read: {error.strerror}.", path) from None
    finally:
        os.close(handle)
    raise wrong("policy_invalid", f"The policy is larger than {MAX_FILE // 1024} KiB.", path)


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


def document(data: bytes, path: str) -> dict[str, t.Any]:
    """The JSON in *data*, held against the published contract.

    :raises CodexOpsError: ``policy_invalid`` or ``newer_state``.
    """
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_pairs, parse_int=_number, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise wrong("policy_invalid", f"The policy is not UTF-8: byte {error.start} is no part of a character.", path) from None
    except RecursionError:
        raise wrong("policy_invalid", "The policy is nested too deeply.", path) from None
    except ValueError as error:
        raise wrong("policy_invalid", f"The policy is not JSON: {error}.", path) from None
    version = found.get("version") if isinstance(found, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise wrong("newer_state", f"The policy is of version {version}; this engine knows {VERSION}.", path, "Install a newer engine.")
    from .._contract.document import load_schema  # pylint: disable=import-outside-toplevel
    from .._contract.quick import misfit  # pylint: disable=import-outside-toplevel

    schema = load_schema("policy")
    place = misfit(found, schema)
    if place is not None:
        raise _unfit(found, schema, place, path)
    return t.cast("dict[str, t.Any]", found)


def _unfit(said: t.Any, schema: dict[str, t.Any], place: tuple[t.Any, ...], path: str) -> CodexOpsError:
    from .._contract.document import describe, pointer, problems  # pylint: disable=import-outside-toplevel

    try:
        faults = problems(said, schema)
    except CodexOpsError:
        faults = []
    if not faults:
        # Without jsonschema on the host it is known where, but not what was expected.
        return wrong("policy_invalid", f"The policy is not valid at {pointer(place)}.", path)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    error = wrong("policy_invalid", f"The policy is not valid {describe(faults[0])}{more}.", path)
    error.details = list(faults)
    return error
