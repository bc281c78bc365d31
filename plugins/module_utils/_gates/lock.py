# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One operation at a time on a workspace. PRIVATE."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import hashlib
import json
import os
import time
import typing as t

from .._errors import CodexOpsError

#: Seconds for which the lock of an engine that is dead is waited for.
PATIENCE = 2.0

# What flock says about a folder where the file system has no locks for folders.
_NO_LOCKS = (errno.EBADF, errno.EINVAL, errno.EISDIR, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


def _holder(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as handle:
            known = json.load(handle)
        return f"process {int(known['pid'])} (user {str(known['user'])[:40]}, run {str(known['run_id'])[:80]}) since {str(known['since'])[:40]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _holder_lives(path: str) -> bool:
    try:
        with open(path, encoding="utf-8") as handle:
            os.kill(int(json.load(handle)["pid"]), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return True
    return True


def _taken(descriptor: int, hopeless: t.Callable[[], bool]) -> bool:
    """Whether the lock could be had.

    A child that a killed engine was just starting holds its lock for the moment until it is killed too: that is waited for.

    :arg hopeless: Whether the holder is known to live, so that waiting is in vain.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until or hopeless():
                return False
        time.sleep(0.01)


def _busy(workspace: str, holder: str, hint: str) -> CodexOpsError:
    return CodexOpsError(f"The workspace {workspace} is in use by {holder}.", code="busy", outcome="busy", hint=hint)


def _open_file(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise CodexOpsError(
            f"the lock cannot be opened: {error.strerror}.",
            code="disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "prefix_not_writable",
            outcome="rejected",
            where=path,
            hint="Run as the owner of the prefix, or set 'prefix' to a folder of your own. Make room if the disk is full.",
        ) from None


def _lock_tree(workspace: str) -> int:
    """The handle of the folder *workspace* itself, locked: engines with different prefixes meet here."""
    try:
        descriptor = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CodexOpsError(
            f"cannot be opened: {error.strerror}.",
            code="workspace_invalid",
            outcome="rejected",
            where=workspace,
            hint="The workspace must be an existing folder that the caller can read.",
        ) from None
    try:
        if not _taken(descriptor, lambda: False):
            raise _busy(
                workspace,
                "another engine, one with another prefix (or by a program that locks this folder)",
                "Wait until it is done, and run this again. 'lslocks' names the process.",
            )
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            os.close(descriptor)
            raise
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def workspace_lock(folder: str, workspace: str, run_id: str) -> t.Iterator[None]:
    """Hold the lock on *workspace* for the length of a ``with`` block. It falls with the process, however that ends.

    Two locks are taken: a file of ours, which says who holds it, and the workspace's own folder, which is one and the same
    for every prefix. Nothing is written into the workspace. Where its file system has no locks for folders (NFS), only
    engines of one prefix keep each other out. A lock on a folder above or below the workspace is not noticed: slices whose
    workspaces lie in each other are for the people who write them to avoid.

    :arg folder: Where the lock files are.
    :raises CodexOpsError: outcome ``busy``, naming who holds it since when; ``prefix_not_writable``, ``disk_full`` or
        ``workspace_invalid``.
    """
    real = os.path.realpath(workspace)
    name = hashlib.sha256(os.fsencode(real)).hexdigest()[:32]
    path = os.path.join(folder, f"workspace-{name}.lock")
    descriptor = _open_file(path)
    tree = -1
    try:
        if not _taken(descriptor, lambda: _holder_lives(path)):
            raise _busy(workspace, _holder(path), "Wait until it is done, and run this again.")
        tree = _lock_tree(real)
        since = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        text = json.dumps({"pid": os.getpid(), "user": os.geteuid(), "run_id": run_id, "since": since})
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        if tree >= 0:
            os.close(tree)
        os.close(descriptor)
