# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A walk through a tree of any depth, holding one directory handle at a time. PRIVATE."""

from __future__ import annotations

import itertools
import os
import stat
import typing as t

from .._errors import CodexOpsError
from . import handles

#: Paths of a live workspace longer than this (characters) could not be named by any other program either.
LONGEST_LIVE = 4096
#: The bound for trees that an agent may have made.
LONGEST_HOSTILE = 65536
#: Folders in one tree, and entries in one folder.
MOST_FOLDERS = 200_000
MOST_IN_FOLDER = 1_000_000


class Descent:
    """A position in a tree. It goes up through ``..`` and proves by identity that it came back to where it was.

    :arg handle: The root's directory handle, which this object closes.
    :arg force: Give ourselves the rights to read, write and enter each directory that is ours.
    """

    def __init__(self, handle: int, *, force: bool = False) -> None:
        self.handle = handle
        self.force = force
        self._above: list[tuple[int, int]] = []
        if force:
            _open_up(handle)

    def enter(self, name: str) -> None:
        """Go down into the directory *name*. A link or anything else there is an error."""
        above = handles.identity(os.fstat(self.handle))
        try:
            below = os.open(name, handles.FOLDER, dir_fd=self.handle)
        except PermissionError:
            if not self.force:
                raise
            make_usable(self.handle, name)
            below = os.open(name, handles.FOLDER, dir_fd=self.handle)
        if self.force:
            _open_up(below)
        os.close(self.handle)
        self.handle = below
        self._above.append(above)

    def leave(self) -> None:
        """Go back up."""
        above = os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.handle)
        if handles.identity(os.fstat(above)) != self._above[-1]:
            os.close(above)
            raise CodexOpsError(
                "A folder was moved while the tree was read.",
                code="workspace_busy",
                outcome="rejected",
                hint="Try again when nobody else works in it.",
            )
        self._above.pop()
        os.close(self.handle)
        self.handle = above

    def close(self) -> None:
        """Let the handle go."""
        os.close(self.handle)


def _open_up(handle: int) -> None:
    found = os.fstat(handle)
    if stat.S_IMODE(found.st_mode) & 0o700 != 0o700 and found.st_uid == os.geteuid():
        os.fchmod(handle, stat.S_IMODE(found.st_mode) | 0o700)


def make_usable(folder: int, name: str) -> None:
    """Give the owner (us) all rights to *name* in the directory handle *folder*, by handle and not through a link."""
    handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISLNK(mode):
            # A handle without rights cannot be given to fchmod; its name below /proc is the file itself, not a path to it.
            os.chmod(f"/proc/self/fd/{handle}", stat.S_IMODE(mode) | 0o700)
    finally:
        os.close(handle)


def walk(
    root: int,
    descend: t.Callable[[str], bool],
    *,
    force: bool = False,
    longest: int = LONGEST_LIVE,
) -> t.Iterator[tuple[str, int, list[os.DirEntry[str]]]]:
    """Every directory below the handle *root* (which is closed at the end), each before what lies in it.

    Gives the directory's path with a ``/`` behind it (``""`` for the root), its handle, and its entries sorted by name.
    The entries are good until the next step.

    :arg descend: Whether to enter a directory, by its path.
    :raises CodexOpsError: ``workspace_too_large`` for a path longer than *longest*; ``workspace_unreadable``.
    """
    position = Descent(root, force=force)
    prefix = ""
    entered = 0
    waiting: list[list[str]] = []
    try:
        while True:
            with os.scandir(position.handle) as listing:
                entries = sorted(itertools.islice(listing, MOST_IN_FOLDER + 1), key=_by_name)
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            entered += 1
            if entered > MOST_FOLDERS or len(entries) > MOST_IN_FOLDER:
                raise CodexOpsError(
                    f"The tree is too large: more than {MOST_FOLDERS} folders, or {MOST_IN_FOLDER} entries in one.",
                    code="workspace_too_large",
                    outcome="rejected",
                    hint="Narrow scope.include, or exclude what the task does not need.",
                    where=prefix[:200],
                )
            yield prefix, position.handle, entries
            waiting.append(folders[::-1])
            while waiting:
                if waiting[-1]:
                    name = waiting[-1].pop()
                    if len(prefix) + len(name) > longest:
                        raise CodexOpsError(
                            f"A path is longer than {longest} characters.",
                            code="workspace_too_large",
                            outcome="rejected",
                            where=prefix[:200],
                        )
                    if not descend(prefix + name):
                        continue
                    position.enter(name)
                    prefix += name + "/"
                    break
                waiting.pop()
                if waiting:
                    position.leave()
                    prefix = prefix[: prefix.rfind("/", 0, -1) + 1]
            else:
                return
    except PermissionError as exc:
        raise CodexOpsError(
            "A folder of the workspace cannot be read.",
            code="workspace_unreadable",
            outcome="rejected",
            hint="Run as a user who may read it, or exclude it from the slice's scope.",
            where=prefix + str(exc.filename or ""),
        ) from exc
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise busy(prefix + str(exc.filename or "")) from exc
    finally:
        position.close()


def _by_name(entry: os.DirEntry[str]) -> str:
    return entry.name


def busy(path: str) -> CodexOpsError:
    """The error for a tree that somebody else changes while we read it."""
    return CodexOpsError(
        "The workspace changed while it was read.",
        code="workspace_busy",
        outcome="rejected",
        hint="Try again when nobody else writes there, or exclude what changes all the time.",
        where=path,
    )
