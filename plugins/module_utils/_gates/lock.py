# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One operation at a time on a workspace. PRIVATE."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import time
import typing as t

from .._errors import CodexOpsError

#: Seconds for which the lock of an engine that is dead is waited for.
PATIENCE = 2.0


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


def _taken(descriptor: int, path: str) -> bool:
    """Whether the lock could be had.

    A child that a killed engine was just starting holds its lock for the moment until it is killed too: that is waited for.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until or _holder_lives(path):
                return False
        time.sleep(0.01)


@contextlib.contextmanager
def workspace_lock(folder: str, workspace: str, run_id: str) -> t.Iterator[None]:
    """Hold the lock on *workspace* for the length of a ``with`` block. It falls with the process, however that ends.

    :arg folder: Where the lock files are.
    :raises CodexOpsError: outcome ``busy``, naming who holds it since when.
    """
    name = hashlib.sha256(os.fsencode(os.path.realpath(workspace))).hexdigest()[:32]
    path = os.path.join(folder, f"workspace-{name}.lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if not _taken(descriptor, path):
            raise CodexOpsError(
                f"The workspace {workspace} is in use by {_holder(path)}.",
                code="busy",
                outcome="busy",
                hint="Wait until it is done, and run this again.",
            )
        since = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        text = json.dumps({"pid": os.getpid(), "user": os.geteuid(), "run_id": run_id, "since": since})
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)
