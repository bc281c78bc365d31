# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which version of each kind of state a host keeps: an engine must not be put in charge of newer state than it understands. PRIVATE."""

from __future__ import annotations

import contextlib
import json
import os
import re
import typing as t

from .._errors import CodexOpsError

_VERSION_RE = re.compile(rb'"version":\s*([1-9][0-9]{0,8})')
_END = 65536


def _database(path: str) -> int | None:
    """The version that an SQLite database says it has."""
    import sqlite3  # pylint: disable=import-outside-toplevel
    import urllib.parse  # pylint: disable=import-outside-toplevel

    try:
        with contextlib.closing(sqlite3.connect(f"file:{urllib.parse.quote(path)}?mode=ro", uri=True, timeout=5)) as database:
            return int(database.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error:
        # What cannot be opened is for the engine itself to complain about.
        return None


def _document(path: str) -> int | None:
    with open(path, "rb") as handle:
        said = json.loads(handle.read(1024 * 1024))
    version = said.get("version") if isinstance(said, dict) else None
    return version if isinstance(version, int) and not isinstance(version, bool) else None


def _log(path: str) -> int | None:
    """The version of the newest record."""
    with open(path, "rb") as handle:
        handle.seek(max(0, handle.seek(0, os.SEEK_END) - _END))
        found = _VERSION_RE.findall(handle.read())
    return int(found[-1]) if found else None


_LOOKS: dict[str, t.Callable[[str], int | None]] = {"database": _database, "document": _document, "log": _log}


def check(places: t.Mapping[str, tuple[str, str]], understood: t.Mapping[str, int]) -> None:
    """Hold the state of a host against what an engine understands.

    :arg places: For each kind of state, its path and how it says its version: ``database``, ``document`` or ``log``.
    :arg understood: The newest version of each kind.
    :raises CodexOpsError: ``newer_state``.
    """
    for name, (path, how) in sorted(places.items()):
        if not os.path.isfile(path):
            continue
        version = None
        with contextlib.suppress(OSError, ValueError, RecursionError):
            version = _LOOKS[how](path)
        if version is not None and version > understood.get(name, 0):
            raise CodexOpsError(
                f"The {name.replace('_', ' ')} of this host has version {version}; this engine understands {understood.get(name, 0)}.",
                code="newer_state",
                outcome="newer_state",
                where=path,
                hint="Install the engine of a newer collection. Nothing was changed.",
            )
