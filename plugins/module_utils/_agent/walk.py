# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Walks a tree that an agent may have made: no link is followed, and no depth is too deep. PRIVATE."""

from __future__ import annotations

import os
import stat
import typing as t

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
Act = t.Callable[[int, str, os.stat_result], None]


def contents_first(path: str, act: Act) -> None:
    """Call *act* with (descriptor of the parent, name, status) for everything below *path*, then for *path* itself.

    Nobody else may write in the tree meanwhile. A path that is not there is no error.
    """
    try:
        parent = os.open(os.path.dirname(path), _FOLDER)
    except FileNotFoundError:
        return
    try:
        _walk(parent, os.path.basename(path), act)
    finally:
        os.close(parent)


def _walk(parent: int, name: str, act: Act) -> None:
    """Holds one descriptor whatever the depth: the way back is "..", and it is checked."""
    current = os.dup(parent)
    # Of each level: names still to do, then name and status of the folder itself, and which folder it lies in.
    levels: list[tuple[list[str], str, os.stat_result | None, tuple[int, int]]] = [([name], "", None, (0, 0))]
    try:
        while True:
            names, itself, status, above = levels[-1]
            if names:
                entry = names.pop()
                try:
                    found = os.stat(entry, dir_fd=current, follow_symlinks=False)
                    if not stat.S_ISDIR(found.st_mode):
                        act(current, entry, found)
                        continue
                    child = _open_folder(current, entry, found)
                except FileNotFoundError:
                    continue
                levels.append((os.listdir(child), entry, found, _key(current)))
                os.close(current)
                current = child
                continue
            levels.pop()
            if status is None:
                return
            up = os.open("..", _FOLDER, dir_fd=current)
            os.close(current)
            current = up
            if _key(current) != above:
                raise OSError(f"the folder {itself} was moved meanwhile")
            act(current, itself, status)
    finally:
        os.close(current)


def _key(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _open_folder(parent: int, name: str, found: os.stat_result) -> int:
    if found.st_mode & 0o700 != 0o700 and os.geteuid() != 0:
        # Nobody writes here any more, so the entry is still the folder that was looked at.
        os.chmod(name, 0o700, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)
