# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at files and folders without being led away: no links followed on the way down, nothing that blocks, an end to everything. PRIVATE."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import threading
import time
import typing as t

#: How deep folders are looked into.
MAX_DEPTH = 64
_T = t.TypeVar("_T")


class Unreadable(Exception):
    """It could not be read. The message says why."""


def why(error: OSError) -> str:
    """An error of the system as the end of a sentence."""
    return f"{error.strerror or error}."


def open_regular(path: str | bytes, *, links: bool = True, folder: int | None = None) -> int:
    """A descriptor of a regular file, for reading. A pipe or a device is not waited for.

    :arg links: Whether the last part of *path* may be a symbolic link.
    :raises Unreadable: for anything else.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (0 if links else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags, dir_fd=folder)
    except OSError as error:
        raise Unreadable(why(error)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable("It is not a regular file.")
    return descriptor


def read(path: str | bytes, limit: int, *, links: bool = True) -> bytes:
    """The first *limit* bytes of a regular file.

    :raises Unreadable: where it cannot be read.
    """
    descriptor = open_regular(path, links=links)
    try:
        pieces, left = [], limit
        while left > 0:
            piece = os.read(descriptor, min(left, 1 << 20))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    except OSError as error:
        raise Unreadable(why(error)) from None
    finally:
        os.close(descriptor)


def read_kernel(path: str, limit: int = 1 << 20) -> bytes:
    """A file of /proc or /sys; nothing where it cannot be read."""
    try:
        return read(path, limit)
    except Unreadable:
        return b""


class Late(Exception):
    """It did not answer in time."""


def within(seconds: float, work: t.Callable[[], _T]) -> _T:
    """The value of *work*, which may hang for ever in the system, such as a look at a dead network share.

    :raises Late: after *seconds*. The thread that hangs is left behind.
    """
    box: list[t.Any] = []

    def call() -> None:
        try:
            box.append((True, work()))
        except BaseException as error:  # pylint: disable=broad-except
            box.append((False, error))

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    if not box:
        raise Late
    good, value = box[0]
    if not good:
        raise value
    return t.cast("_T", value)


@dataclasses.dataclass
class Walk:
    """A look through folders.

    :arg deadline: As ``time.monotonic`` has it.
    :arg left: How many entries may still be seen.
    """

    deadline: float
    left: int
    unreadable: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    #: Why it ended early; empty where it saw everything.
    stopped: str = ""
    #: How many folders could not be read.
    failures: int = 0

    def _fail(self, path: str, reason: str) -> None:
        self.failures += 1
        if len(self.unreadable) < 100:
            self.unreadable.append((path, reason))

    def files(self, top: str, *, one_device: bool = True, skip: t.Collection[str] = ()) -> t.Iterator[tuple[str, list[os.DirEntry[str]]]]:
        """(path of a folder, its entries but folders), for *top* and all folders below it, in the order of their names.

        Each folder is entered through the one above it, so that nobody can put a link in its place on the way.

        :arg skip: Paths of folders that are left out.
        """
        try:
            descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            self._fail(top, why(error))
            return
        device = os.fstat(descriptor).st_dev
        # Descriptors are few: each is closed as soon as the folders below it were entered.
        stack: list[tuple[int, str, list[str]]] = []
        try:
            names, entries = self._look(descriptor, top, device if one_device else None, skip)
            stack.append((descriptor, top, names))
            yield top, entries
            while stack and not self.stopped:
                descriptor, path, names = stack[-1]
                if not names:
                    os.close(descriptor)
                    stack.pop()
                    continue
                name = names.pop()
                below = f"{path.rstrip('/')}/{name}"
                try:
                    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=descriptor)
                except OSError as error:
                    self._fail(below, why(error))
                    continue
                stack.append((inner, below, []))
                if len(stack) > MAX_DEPTH:
                    self._fail(below, f"It is more than {MAX_DEPTH} folders deep.")
                    continue
                inner_names, entries = self._look(inner, below, device if one_device else None, skip)
                stack[-1] = (inner, below, inner_names)
                yield below, entries
        finally:
            for descriptor, _path, _names in stack:
                with contextlib.suppress(OSError):
                    os.close(descriptor)

    def _look(self, descriptor: int, path: str, device: int | None, skip: t.Collection[str]) -> tuple[list[str], list[os.DirEntry[str]]]:
        """(names of the folders, last first; the other entries)"""
        folders: list[str] = []
        others: list[os.DirEntry[str]] = []
        if time.monotonic() > self.deadline:
            self.stopped = "its time was over"
            return folders, others
        try:
            with os.scandir(descriptor) as found:
                for entry in found:
                    self.left -= 1
                    if self.left < 0:
                        self.stopped = "there are too many files"
                        break
                    if not entry.is_dir(follow_symlinks=False):
                        others.append(entry)
                    elif not skip or f"{path.rstrip('/')}/{entry.name}" not in skip:
                        if device is None or entry.stat(follow_symlinks=False).st_dev == device:
                            folders.append(entry.name)
        except OSError as error:
            self._fail(path, why(error))
        folders.sort(reverse=True)
        others.sort(key=lambda entry: entry.name)
        return folders, others
