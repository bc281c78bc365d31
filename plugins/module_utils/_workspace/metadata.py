# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Owner, group, mode, access lists and extended attributes of a file, kept over a replacement. PRIVATE."""

from __future__ import annotations

import base64
import errno
import os
import stat
import typing as t

from .._errors import CodexOpsError

# Digests that the kernel itself keeps over the content: an old one would be a lie about new bytes.
_OF_THE_KERNEL = ("security.ima", "security.evm")
# Where the file system knows no attributes there is nothing to keep.
_UNSUPPORTED = (errno.ENOTSUP, errno.ENOSYS)


def capture(handle: int) -> dict[str, t.Any]:
    """Everything about the file behind *handle* that a replacement has to keep, in a form that can be written as JSON."""
    found = os.fstat(handle)
    return {
        "mode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
        "atime_ns": found.st_atime_ns,
        "mtime_ns": found.st_mtime_ns,
        "xattrs": {name: base64.b64encode(value).decode("ascii") for name, value in attributes(handle).items()},
    }


def attributes(handle: int) -> dict[str, bytes]:
    """The extended attributes behind *handle*, access lists included."""
    found: dict[str, bytes] = {}
    try:
        for name in os.listxattr(handle):
            if name not in _OF_THE_KERNEL:
                found[name] = os.getxattr(handle, name)
    except OSError as exc:
        if exc.errno not in _UNSUPPORTED:
            raise
    return found


def put(handle: int, kept: t.Mapping[str, t.Any], *, mode: int, times: bool, path: str) -> None:
    """Give the file behind *handle* the owner, group, access lists and attributes in *kept*, and *mode*.

    :arg times: Also give it the old times.
    :raises CodexOpsError: ``ownership`` or ``attributes`` when something cannot be kept, outcome ``rejected``.
    """
    found = os.fstat(handle)
    uid, gid = kept["uid"], kept["gid"]
    if (found.st_uid, found.st_gid) != (uid, gid):
        try:
            # First of all: a change of owner takes file capabilities and set-id bits away.
            os.fchown(handle, uid if uid != found.st_uid else -1, gid if gid != found.st_gid else -1)
        except PermissionError:
            raise CodexOpsError(
                f"The file belongs to user {uid} and group {gid}, and the caller may not give files to them.",
                code="ownership",
                outcome="rejected",
                hint="Run as the owner of the workspace or as root.",
                where=path,
            ) from None
    wanted = {name: base64.b64decode(value) for name, value in kept["xattrs"].items()}
    have = attributes(handle)
    name = ""
    try:
        for name in have:
            # Labels of a security module belong to every file; one that came by itself stays.
            if name not in wanted and (not name.startswith("security.") or name == "security.capability"):
                os.removexattr(handle, name)
        for name, value in wanted.items():
            if have.get(name) != value:
                os.setxattr(handle, name, value)
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        if exc.errno not in _UNSUPPORTED:
            raise CodexOpsError(
                f"The attribute {name} cannot be kept: {exc.strerror}.",
                code="attributes",
                outcome="rejected",
                hint="Run as the owner of the workspace or as root.",
                where=path,
            ) from exc
    # Last: an access list and the group's bits of the mode are one and the same place.
    os.fchmod(handle, mode)
    if times:
        os.utime(handle, ns=(kept["atime_ns"], kept["mtime_ns"]))
    now = os.fstat(handle)
    if (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) != (uid, gid, mode):
        raise CodexOpsError(
            "Owner or mode of the file cannot be kept.", code="ownership", outcome="rejected", where=path
        )
