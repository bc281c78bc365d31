# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One installed engine: is every byte of it as it was packed and compiled, and nobody else's to change? PRIVATE."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import typing as t

from .._errors import CodexOpsError
from .manifest import FILE, MAX_FILE, MAX_SOURCE, PACKAGE, Manifest, read

#: Beside the manifest: which Python compiled it, and the digest of what that made.
COMPILED = "compiled.json"
#: Compiled code is larger than its source.
_MAX_COMPILED = 4 * MAX_SOURCE


def read_file(path: str, owners: t.Collection[int], limit: int) -> bytes:
    """The bytes of a file that only its owner can write.

    :raises CodexOpsError: ``engine_unsafe``.
    :raises OSError: when it cannot be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        _check(path, os.fstat(handle), owners, stat.S_ISREG)
        raw = stream.read(limit + 1)
    if len(raw) > limit:
        raise _unsafe(path, f"it is larger than {limit} bytes")
    return raw


def _unsafe(path: str, why: str) -> CodexOpsError:
    message = f"This file of the engine cannot be trusted: {why}."
    return CodexOpsError(message, code="engine_unsafe", outcome="rejected", where=path, hint="Run day2.codex.engine.")


def _check(path: str, found: os.stat_result, owners: t.Collection[int], kind: t.Callable[[int], bool]) -> None:
    if not kind(found.st_mode):
        raise _unsafe(path, "it is neither a file nor a folder of its own")
    if found.st_uid not in owners:
        raise _unsafe(path, f"it belongs to user {found.st_uid}")
    if found.st_mode & 0o022:
        raise _unsafe(path, f"others can write it (mode {stat.S_IMODE(found.st_mode):04o})")


def manifest_of(folder: str, owners: t.Collection[int]) -> Manifest | None:
    """The manifest in *folder*; ``None`` where there is none that can be used."""
    path = os.path.join(folder, FILE)
    try:
        return read(read_file(path, owners, MAX_FILE).decode("ascii"), path)
    except (OSError, UnicodeDecodeError, CodexOpsError):
        return None


def fault(folder: str, manifest: Manifest, owners: t.Collection[int], python: str | None) -> str | None:
    """What is wrong with the engine in *folder*, in words; ``None`` where it is *manifest*, byte for byte, and compiled.

    :arg python: The kind of Python (cache tag) that it must be compiled for; ``None`` for any.
    """
    try:
        _check(folder, os.lstat(folder), owners, stat.S_ISDIR)
        if read_file(os.path.join(folder, FILE), owners, MAX_FILE) != manifest.text().encode("ascii"):
            return "it is another pack"
        compiled = _compiled(folder, owners)
        if python is not None and compiled["python"] != python:
            return f"it is compiled for {compiled['python']}, not for {python}"
        wanted = {**manifest.files, **compiled["files"]}
        seen = _walk(folder, wanted, owners)
    except CodexOpsError as error:
        return str(error)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return error.strerror or str(error) if isinstance(error, OSError) else "its list of compiled files is damaged"
    missing = sorted(set(wanted) - seen)
    return f"{missing[0]} is missing" if missing else None


def _compiled(folder: str, owners: t.Collection[int]) -> dict[str, t.Any]:
    said = json.loads(read_file(os.path.join(folder, COMPILED), owners, MAX_FILE))
    if not all("/__pycache__/" in path and path.endswith(".pyc") for path in said["files"]):
        raise ValueError("compiled files lie elsewhere")
    return {"python": str(said["python"]), "files": dict(said["files"])}


def _walk(folder: str, wanted: t.Mapping[str, str], owners: t.Collection[int]) -> set[str]:
    """The files of the package, each with its digest.

    :raises CodexOpsError: for one that is not wanted, or not as it should be.
    """
    seen: set[str] = set()
    waiting = [PACKAGE]
    while waiting:
        here = waiting.pop()
        _check(os.path.join(folder, here), os.lstat(os.path.join(folder, here)), owners, stat.S_ISDIR)
        for name in os.listdir(os.path.join(folder, here)):
            path = f"{here}/{name}"
            full = os.path.join(folder, path)
            if stat.S_ISDIR(os.lstat(full).st_mode):
                waiting.append(path)
                continue
            if path not in wanted:
                raise _unsafe(full, "no pack has it")
            if hashlib.sha256(read_file(full, owners, _MAX_COMPILED)).hexdigest() != wanted[path]:
                raise _unsafe(full, "it is not as it was packed or compiled")
            seen.add(path)
    return seen
