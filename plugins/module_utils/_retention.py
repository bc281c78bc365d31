# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is kept of old runs, and for how long. The trail itself is never shortened. PRIVATE."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
import typing as t

from ._errors import CodexOpsError
from ._places import Places

#: Bytes after which the log goes on in a new file; the chain goes on with it.
MAX_LOG = 64 * 1024 * 1024
_DAY = 86400
# What says that a plan was used, and what people decided about it.
_FOR_EVER = ("spent", "approvals")
_RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


def _due(path: str) -> bool:
    """Whether a day has passed since this was last done; then it counts as done now."""
    with contextlib.suppress(OSError):
        # A stamp that lies ahead was written by a clock that was set back since.
        if 0 <= time.time() - os.stat(path, follow_symlinks=False).st_mtime < _DAY:
            return False
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.utime(descriptor)
    finally:
        os.close(descriptor)
    return True


def _expired(folder: str, before: float) -> list[str]:
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.stat(follow_symlinks=False).st_mtime < before:
                found.append(entry.path)
    return found


def _remove(path: str, remove_tree: t.Callable[[str], None]) -> None:
    """Remove the folder of a run. That its plan was used or decided about is kept: there may be a copy of the plan elsewhere."""
    kept = [name for name in _FOR_EVER if os.path.lexists(os.path.join(path, name))]
    if not kept:
        remove_tree(path)
        return
    for name in os.listdir(path):
        if name in kept:
            continue
        below = os.path.join(path, name)
        if stat.S_ISDIR(os.lstat(below).st_mode):
            remove_tree(below)
        else:
            os.unlink(below)


def prune(places: Places, retention: t.Callable[[], int]) -> None:
    """Once a day: begin a new segment of a long log, and remove what is older than *retention* says in days (0 keeps everything).

    Removed are the folders of runs (patch, transcript, report, plan), the backups by which they could be rolled back, and remembered
    results. An unfinished apply keeps its backup. What cannot be removed now is tried again tomorrow.
    """
    with contextlib.suppress(OSError):
        if not _due(os.path.join(places.state, "pruned")):
            return
        from ._trail.log import rotate  # pylint: disable=import-outside-toplevel
        from ._workspace.removal import remove_tree  # pylint: disable=import-outside-toplevel

        if not places.divided:
            # On a provisioned host the log's folder is root's.
            with contextlib.suppress(OSError):
                rotate(places.log, MAX_LOG)
        days = retention()
        if days <= 0:
            return
        before = time.time() - days * _DAY
        for path in [*_expired(places.remembered, before), *_expired(places.stamps, before)]:
            with contextlib.suppress(OSError):
                os.unlink(path)
        for folder in (places.runs, places.backups):
            for path in _expired(folder, before):
                name = os.path.basename(path)
                held = os.path.lexists(os.path.join(path, "open")) or os.path.lexists(os.path.join(places.locks, f"run-{name}.lock"))
                if _RUN_ID.fullmatch(name) and not held:
                    with contextlib.suppress(CodexOpsError, OSError):
                        _remove(path, remove_tree)
