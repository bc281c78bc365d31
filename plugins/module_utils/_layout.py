# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of a provisioned host: whose each is, so that codex-ops and root cannot be led astray by each other. PRIVATE.

``/var/lib/codex-ops`` is root's and sticky: codex-ops can make files in it, and cannot touch root's. Root keeps plans that it
takes over, its records and its counts in ``root``, where codex-ops cannot go, and backups in ``backups``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t

from ._errors import CodexOpsError
from ._identities import Account
from ._trail import append_only as attribute
from ._trail.files import segments

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
#: Below the state: what is codex-ops' own, and what is root's.
OPS_FOLDERS = ("runs", "remembered", "preflight", "tickets", "outbox")
ROOT_FOLDERS = ("backups", "root", "root/runs", "root/remembered", "root/preflight", "root/locks")


class Correction(t.NamedTuple):
    """What was not as it must be."""

    path: str
    #: Owner, group, mode and attribute, or whatever tells of it in one line; ``None`` where there was nothing.
    before: str | None
    after: str


def lay(state: str, log: str, locks: str, ops: Account, *, check: bool = False) -> list[Correction]:
    """Make the folders and the log as they must be. What is there already gets its owner and mode back. To be called by root.

    The folders above *state*, *log* and *locks* are there, and root's.

    :arg check: Only look.
    :returns: What was not so.
    :raises CodexOpsError: ``prefix_unsafe``: something else stands in the place of one of them.
    :raises OSError:
    """
    found = [
        _folder(state, 0, ops.gid, 0o1770, check),
        *(_folder(os.path.join(state, name), ops.uid, ops.gid, 0o700, check) for name in OPS_FOLDERS),
        *(_folder(os.path.join(state, name), 0, 0, 0o700, check) for name in ROOT_FOLDERS),
        _folder(os.path.dirname(log), 0, ops.gid, 0o750, check),
        *(_log(path, ops, 0o640, check) for path in segments(log)),
        _log(log, ops, 0o660, check),
        _folder(locks, ops.uid, ops.gid, 0o700, check),
    ]
    return [correction for correction in found if correction is not None]


def _unsafe(path: str, wrong: str) -> CodexOpsError:
    return CodexOpsError(
        wrong, code="prefix_unsafe", outcome="rejected", where=path, hint="Somebody else made it. Look at what it holds, move it away, and run this again."
    )


def _words(uid: int, gid: int, mode: int, append_only: bool | None = None) -> str:
    return f"{uid}:{gid} {mode:04o}" + (" append-only" if append_only else "")


def _folder(path: str, uid: int, gid: int, mode: int, check: bool) -> Correction | None:
    wanted, made = _words(uid, gid, mode), False
    if not check:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
            made = True
            os.chown(path, uid, gid, follow_symlinks=False)
    try:
        handle = os.open(path, _FOLDER)
    except FileNotFoundError:
        if check:
            return Correction(path, None, wanted)
        raise
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise _unsafe(path, "Expected a folder, not a link or a file.") from None
        raise
    try:
        found = os.fstat(handle)
        # A folder of root's can be given away; one of somebody else's may hold anything.
        if found.st_uid not in (0, uid):
            raise _unsafe(path, f"This folder belongs to user {found.st_uid}, expected {uid}.")
        now = _words(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))
        if now != wanted and not check:
            os.fchown(handle, uid, gid)
            os.fchmod(handle, mode)
    finally:
        os.close(handle)
    return Correction(path, None if made else now, wanted) if made or now != wanted else None


def _log(path: str, ops: Account, mode: int, check: bool) -> Correction | None:
    """The log, or what was rotated away of it: root's, and codex-ops may append. Where the file system can, nobody can do anything else."""
    made = False
    try:
        try:
            handle = os.open(path, _FILE)
        except FileNotFoundError:
            if check:
                return Correction(path, None, _words(0, ops.gid, mode))
            handle, made = os.open(path, _FILE | os.O_CREAT, 0o600), True
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _unsafe(path, "Expected a file.") from None
        raise
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != 0:
            raise _unsafe(path, "Expected a file of root's.")
        append_only = attribute.is_set(handle)
        before = _words(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode), append_only)
        wanted = _words(0, ops.gid, mode, append_only is not None)
        if before != wanted and not check:
            if _words(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != _words(0, ops.gid, mode):
                attribute.put(handle, False)
                os.fchown(handle, 0, ops.gid)
                os.fchmod(handle, mode)
            attribute.put(handle, True)
            # It cannot be set everywhere.
            wanted = _words(0, ops.gid, mode, attribute.is_set(handle))
    finally:
        os.close(handle)
    return Correction(path, None if made else before, wanted) if made or before != wanted else None
