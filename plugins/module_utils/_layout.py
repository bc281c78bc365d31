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
import fcntl
import os
import stat
import struct

from ._errors import CodexOpsError
from ._identities import Account

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FS_IOC_GETFLAGS, _FS_IOC_SETFLAGS, _FS_APPEND_FL = 0x80086601, 0x40086602, 0x20
#: Below the state: what is codex-ops' own, and what is root's.
OPS_FOLDERS = ("runs", "remembered", "preflight")
ROOT_FOLDERS = ("backups", "root", "root/runs", "root/remembered", "root/preflight", "root/locks")


def lay(state: str, log: str, locks: str, ops: Account) -> None:
    """Make the folders and the log as they must be. What is there already gets its owner and mode back. To be called by root.

    The folders above *state*, *log* and *locks* are there, and root's.

    :raises CodexOpsError: ``prefix_unsafe``: something else stands in the place of one of them.
    :raises OSError:
    """
    _folder(state, 0, ops.gid, 0o1770)
    for name in OPS_FOLDERS:
        _folder(os.path.join(state, name), ops.uid, ops.gid, 0o700)
    for name in ROOT_FOLDERS:
        _folder(os.path.join(state, name), 0, 0, 0o700)
    _folder(os.path.dirname(log), 0, ops.gid, 0o750)
    _log(log, ops)
    _folder(locks, ops.uid, ops.gid, 0o700)


def _unsafe(path: str, wrong: str) -> CodexOpsError:
    return CodexOpsError(
        wrong, code="prefix_unsafe", outcome="rejected", where=path, hint="Somebody else made it. Look at what it holds, move it away, and run this again."
    )


def _folder(path: str, uid: int, gid: int, mode: int) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
        os.chown(path, uid, gid, follow_symlinks=False)
    try:
        handle = os.open(path, _FOLDER)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise _unsafe(path, "Expected a folder, not a link or a file.") from None
        raise
    try:
        found = os.fstat(handle)
        # A folder of root's can be given away; one of somebody else's may hold anything.
        if found.st_uid not in (0, uid):
            raise _unsafe(path, f"This folder belongs to user {found.st_uid}, expected {uid}.")
        if (found.st_uid, found.st_gid) != (uid, gid):
            os.fchown(handle, uid, gid)
        if stat.S_IMODE(found.st_mode) != mode:
            os.fchmod(handle, mode)
    finally:
        os.close(handle)


def _log(path: str, ops: Account) -> None:
    """The log: root's, and codex-ops may append. Where the file system can, nobody can do anything else."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise _unsafe(path, "Expected a file.") from None
        raise
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != 0:
            raise _unsafe(path, "Expected a file of root's.")
        flags = _flags(handle)
        if found.st_gid != ops.gid or stat.S_IMODE(found.st_mode) != 0o660:
            if flags is not None and flags & _FS_APPEND_FL:
                _set_flags(handle, flags & ~_FS_APPEND_FL)
            os.fchown(handle, 0, ops.gid)
            os.fchmod(handle, 0o660)
        if flags is not None:
            _set_flags(handle, flags | _FS_APPEND_FL)
    finally:
        os.close(handle)


def _flags(handle: int) -> int | None:
    try:
        return int(struct.unpack("l", fcntl.ioctl(handle, _FS_IOC_GETFLAGS, struct.pack("l", 0)))[0])
    except OSError:
        return None


def _set_flags(handle: int, flags: int) -> None:
    # In a container without CAP_LINUX_IMMUTABLE, or on a file system without attributes, the owner alone must do.
    with contextlib.suppress(OSError):
        fcntl.ioctl(handle, _FS_IOC_SETFLAGS, struct.pack("l", flags))
