# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes a tree away, whatever an agent made of it. PRIVATE."""

from __future__ import annotations

import os
import stat

from .._errors import CodexOpsError
from . import handles
from .descent import Descent


def remove_tree(path: str) -> None:
    """Remove *path* and everything below it. Links are removed, not followed; closed folders of ours are opened first.

    A path that does not exist is fine.

    :raises CodexOpsError: ``cleanup_failed`` when something stays, such as an immutable file; the rest is gone then.
    """
    above, name = os.path.split(os.path.abspath(path))
    folder = handles.open_root(above)
    try:
        found = handles.look(folder, name)
        if found is None:
            return
        left: list[str] = []
        try:
            if stat.S_ISDIR(found.st_mode):
                _empty(os.dup(folder), name, left)
                os.rmdir(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)
        except OSError as exc:
            left.append(f"{exc.strerror}: {path}")
        if left:
            raise CodexOpsError(
                f"Not everything could be removed: {left[0]}" + (f" and {len(left) - 1} more" if len(left) > 1 else ""),
                code="cleanup_failed",
                hint="Look for immutable files (lsattr) and mounts, and remove the folder by hand.",
                where=path,
            )
    finally:
        os.close(folder)


def _empty(folder: int, name: str, left: list[str]) -> None:
    """Remove what lies in the directory *name* of the handle *folder* (closed at the end), depth first."""
    position = Descent(folder)
    position.force = True
    try:
        position.enter(name)
        names = [name]
        waiting = [_unlink_files(position.handle, left)]
        while waiting:
            if waiting[-1]:
                below = waiting[-1].pop()
                try:
                    position.enter(below)
                except OSError as exc:
                    left.append(f"{exc.strerror}: {below}")
                    continue
                names.append(below)
                waiting.append(_unlink_files(position.handle, left))
                continue
            waiting.pop()
            position.leave()
            done = names.pop()
            if waiting:
                try:
                    os.rmdir(done, dir_fd=position.handle)
                except OSError as exc:
                    left.append(f"{exc.strerror}: {done}")
    finally:
        position.close()


def _unlink_files(folder: int, left: list[str]) -> list[str]:
    """Remove everything but directories in *folder*; the names of the directories."""
    folders: list[str] = []
    with os.scandir(folder) as listing:
        for entry in list(listing):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
                continue
            try:
                os.unlink(entry.name, dir_fd=folder)
            except OSError as exc:
                left.append(f"{exc.strerror}: {entry.name}")
    return folders
