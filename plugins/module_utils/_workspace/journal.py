# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an apply is about to do, on disk before it does it. PRIVATE.

``<backups>/<run ID>/`` holds ``journal.json``, the old bytes as ``0001``, ``0002``..., and while the journal's state is not
final a marker ``open``, so that a start finds unfinished runs without reading every journal.

States: ``applying`` (not validated yet) -> ``done``, or ``undone``; ``done`` -> ``restoring`` -> ``restored``. Whatever is in
``applying`` or ``restoring`` at a start is put back to all-old.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import typing as t

from .._errors import CodexOpsError
from . import handles, shape

#: The version of the format that this engine writes and reads.
VERSION = 1
#: States in which a start has something to put back.
UNFINISHED = ("applying", "restoring")

_FILE = "journal.json"
_OPEN = "open"
_STATES = (*UNFINISHED, "done", "undone", "restored")
_MAX_FILE = 256 * 1024 * 1024

Journal = dict[str, t.Any]


def check_run_id(run_id: str) -> None:
    """:raises CodexOpsError: ``backup_not_found`` if *run_id* cannot be the name of a folder."""
    if not handles.plain_name(run_id):
        raise _missing(run_id, "")


def _missing(run_id: str, backup_dir: str) -> CodexOpsError:
    return CodexOpsError(
        f"There is no backup of a run {run_id!r} on this host.",
        code="backup_not_found",
        outcome="rejected",
        hint="Take run_id from the result or record of the apply.",
        where=backup_dir or None,
    )


def make_folder(backup_dir: str, run_id: str) -> int:
    """The handle of a new folder for *run_id*, mode 0700.

    :raises CodexOpsError: ``backup_exists`` if that run has one.
    """
    check_run_id(run_id)
    os.makedirs(backup_dir, 0o700, exist_ok=True)
    above = handles.open_root(backup_dir)
    try:
        try:
            os.mkdir(run_id, 0o700, dir_fd=above)
        except FileExistsError:
            raise CodexOpsError(
                f"The run {run_id!r} has applied something already.",
                code="backup_exists",
                outcome="rejected",
                where=os.path.join(backup_dir, run_id),
            ) from None
        os.fsync(above)
        return os.open(run_id, handles.FOLDER, dir_fd=above)
    finally:
        os.close(above)


def open_folder(backup_dir: str, run_id: str) -> int:
    """The handle of the folder of *run_id*. :raises CodexOpsError: ``backup_not_found``."""
    check_run_id(run_id)
    try:
        return os.open(os.path.join(backup_dir, run_id), handles.FOLDER)
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(run_id, backup_dir) from None


def write(folder: int, journal: Journal, state: str) -> None:
    """Write *journal* with its new *state* into the run's *folder*, all or nothing, on disk when this returns."""
    journal["state"] = state
    if state in UNFINISHED:
        with contextlib.suppress(FileExistsError):
            handles.write_new(folder, _OPEN, b"")
    handles.replace_file(folder, _FILE, json.dumps(journal, sort_keys=True, ensure_ascii=True).encode("ascii"))
    if state not in UNFINISHED:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_OPEN, dir_fd=folder)


def read(folder: int, where: str) -> Journal | None:
    """The journal in the run's *folder*; ``None`` where the apply ended before it wrote one, so changed nothing.

    :raises CodexOpsError: ``journal_damaged``, or ``newer_state``.
    """
    try:
        _check_owner(os.fstat(folder), where)
        try:
            handle = os.open(_FILE, handles.READ, dir_fd=folder)
        except FileNotFoundError:
            return None
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise _damaged(where, "it is no regular file")
            _check_owner(found, where)
            content = handles.read_handle(handle, _MAX_FILE)
        finally:
            os.close(handle)
    except OSError as exc:
        raise _damaged(where, f"it cannot be read ({exc.strerror})") from exc
    try:
        journal = json.loads(content)
    except (ValueError, RecursionError):
        raise _damaged(where, "it is not JSON") from None
    if not isinstance(journal, dict):
        raise _damaged(where, "it is not an object")
    workspace = shape.workspace_of(journal)
    version = journal.get("version")
    if isinstance(version, int) and version > VERSION:
        raise CodexOpsError(
            f"The journal has version {version}; this engine knows {VERSION}.",
            code="newer_state",
            outcome="newer_state",
            hint="Finish with the engine that wrote it, or update this one.",
            where=where,
            details=[{"workspace": workspace}],
        )
    wrong = shape.fault(journal, _STATES) if version == VERSION and not isinstance(version, bool) else "its version is unknown"
    if wrong:
        raise _damaged(where, wrong, workspace)
    return journal


def _check_owner(found: os.stat_result, where: str) -> None:
    """What others could have written is not acted upon."""
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        raise _damaged(where, "it, or its folder, belongs to somebody else or can be written by others")


def _damaged(where: str, wrong: str, workspace: str | None = None) -> CodexOpsError:
    return CodexOpsError(
        f"The journal of an apply is damaged: {wrong}.",
        code="journal_damaged",
        outcome="rejected",
        hint="Compare the workspace with the backup beside the journal by hand, then move that folder away.",
        where=where,
        details=[{"workspace": workspace}],
    )


def _is_open(path: str) -> bool:
    """Whether the run folder *path* is marked as not finished."""
    try:
        os.lstat(os.path.join(path, _OPEN))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        raise _damaged(path, f"its folder cannot be read ({exc.strerror})") from exc
    return True


def _read_of(path: str) -> Journal | None:
    try:
        folder = os.open(path, handles.FOLDER)
    except OSError as exc:
        raise _damaged(path, f"its folder cannot be opened ({exc.strerror})") from exc
    try:
        return read(folder, path)
    finally:
        os.close(folder)


def unfinished(backup_dir: str, workspace: str) -> list[tuple[str, Journal]]:
    """Run IDs and journals of what is not finished in *workspace*, the newest first.

    A journal that we cannot act upon but that surely is another workspace's does not stop this one.

    :raises CodexOpsError: ``journal_damaged``, or ``newer_state``; the place is the run's folder.
    """
    found: list[tuple[str, Journal]] = []
    try:
        names = sorted(os.listdir(backup_dir))
    except FileNotFoundError:
        return found
    real = os.path.realpath(workspace)
    for run_id in names:
        path = os.path.join(backup_dir, run_id)
        if not handles.plain_name(run_id) or not _is_open(path):
            continue
        try:
            journal = _read_of(path)
        except CodexOpsError as exc:
            if exc.details and exc.details[0]["workspace"] not in (None, real):
                continue
            raise
        if journal is not None and journal["workspace"] == real and journal["state"] in UNFINISHED:
            found.append((run_id, journal))
    found.sort(key=lambda item: (item[1]["started_ns"], item[0]), reverse=True)
    return found


def workspace_of(backup_dir: str, run_id: str) -> str:
    """The workspace in which *run_id* applied something. :raises CodexOpsError: ``backup_not_found``, ``journal_damaged``."""
    folder = open_folder(backup_dir, run_id)
    try:
        journal = read(folder, os.path.join(backup_dir, run_id))
    finally:
        os.close(folder)
    if journal is None:
        raise _missing(run_id, backup_dir)
    return str(journal["workspace"])
