# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One file of a workspace: looked at, written beside, and put in its place. PRIVATE."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import stat
import typing as t

from .._errors import CodexOpsError
from . import handles, metadata


@dataclasses.dataclass(frozen=True)
class Found:
    """What stands at a path now. ``sha256`` and ``kept`` are of regular files only."""

    kind: str
    stat: os.stat_result
    sha256: str | None = None
    kept: dict[str, t.Any] = dataclasses.field(default_factory=dict)

    @property
    def mode(self) -> int:
        """The permission bits."""
        return stat.S_IMODE(self.stat.st_mode)


def examine(folder: int, name: str) -> Found | None:
    """What stands at *name* in the directory handle *folder*: ``None`` if nothing does.

    :raises CodexOpsError: ``workspace_busy`` when it changes meanwhile.
    """
    for _attempt in (1, 2):
        found = handles.look(folder, name)
        if found is None:
            return None
        kind = handles.kind_of(found.st_mode)
        if kind != "file":
            return Found(kind, found)
        try:
            handle = os.open(name, handles.READ, dir_fd=folder)
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                continue
            raise
        try:
            sha256 = handles.stream_digest(handle, found.st_size, None)
            kept = metadata.capture(handle)
            if sha256 is not None and handles.version(os.fstat(handle)) == handles.version(found):
                return Found(kind, found, sha256, kept)
        finally:
            os.close(handle)
    raise CodexOpsError(
        "The file changes all the time.",
        code="workspace_busy",
        outcome="stale_plan",
        hint="Try again when nobody else writes there.",
        where=name,
    )


def is_same(folder: int, name: str, before: os.stat_result | None) -> bool:
    """Whether *name* is still exactly what it was: the same inode, untouched, or still nothing."""
    now = handles.look(folder, name)
    if now is None or before is None:
        return now is None and before is None
    return handles.version(now) == handles.version(before)


def write_beside(
    folder: int, temporary: str, source: bytes | int, finish: t.Callable[[int], None]
) -> tuple[os.stat_result, str | None]:
    """A new file *temporary* with the bytes of *source* (or behind it, if it is a handle), on disk when this returns.

    :arg finish: Gives the handle its owner, mode and attributes.
    :returns: What the file is now, and the digest of what was read if *source* is a handle.
    """
    handle = os.open(temporary, handles.CREATE, 0o600, dir_fd=folder)
    try:
        sha256 = None
        if isinstance(source, bytes):
            handles.write_handle(handle, source)
        else:
            sha256 = handles.stream_digest(source, os.fstat(source).st_size, handle)
        finish(handle)
        os.fsync(handle)
        return os.fstat(handle), sha256
    finally:
        os.close(handle)


def put_in_place(folder: int, temporary: str, name: str, *, replace: bool) -> None:
    """Give the file *temporary* the name *name*; without *replace* only if nothing stands there.

    :raises FileExistsError: Something stands there.
    """
    if not replace:
        try:
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            os.unlink(temporary, dir_fd=folder)
            return
        except OSError as exc:
            if exc.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                raise
        # A file system without hard links: look, then rename.
        if handles.look(folder, name) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
    os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def drop(folder: int, name: str) -> None:
    """Remove the file *name* if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
