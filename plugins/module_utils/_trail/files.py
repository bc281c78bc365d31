# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of one log: the live one and those that were rotated away, opened safely and read from either end. PRIVATE."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
import typing as t

from .chain import MAX_PIECE, TORN, Link, link

#: Seconds for which other writers and readers are waited for.
PATIENCE = 60.0
_BLOCK = 65536
_READ_BLOCK = 1024 * 1024
_SHORTEST = 150
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Tail(t.NamedTuple):
    """The end of a file: the newest whole record, and what stands behind it."""

    link: Link | None
    #: Where the record's line ends, and where the file ends.
    end: int
    size: int
    #: The record lacks nothing but its newline.
    unclosed: bool = False
    #: Behind the record stand bytes that neither a crash nor a full disk leaves.
    foreign: bool = False


class Part(t.NamedTuple):
    """A file of a log, open for reading, and how much of it there was when the log was looked at."""

    path: str
    handle: t.BinaryIO
    size: int


def open_regular(path: str, flags: int) -> int:
    """A descriptor of *path*, which must be a file and nothing else.

    :raises OSError: also for a symbolic link, a FIFO, a device or a folder.
    """
    descriptor = os.open(path, flags | _FLAGS, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "It is not a regular file", path)
    return descriptor


def is_at(descriptor: int, path: str) -> bool:
    """Whether *path* still leads to the file that is open as *descriptor*."""
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def segments(path: str) -> list[str]:
    """The files that were rotated away from *path*, oldest first."""
    folder, name = os.path.split(path)
    expression = re.compile(re.escape(name) + r"\.([0-9]{12,18})")
    try:
        found = [(int(match[1]), entry) for entry in os.listdir(folder or ".") for match in [expression.fullmatch(entry)] if match]
    except FileNotFoundError:
        return []
    return [os.path.join(folder, entry) for _seq, entry in sorted(found)]


def segment_path(path: str, seq: int) -> str:
    """Where a file whose first record is *seq* is rotated to."""
    return f"{path}.{seq:012d}"


def take(descriptor: int, kind: int) -> None:
    """Take the lock of the live file. Whoever may read it can hold it up, so nobody is waited for for ever.

    :arg kind: ``fcntl.LOCK_EX`` or ``fcntl.LOCK_SH``.
    :raises OSError: ``ETIMEDOUT``.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                raise OSError(errno.ETIMEDOUT, f"another process holds its lock for more than {PATIENCE:g} s (lslocks names it)") from None
        time.sleep(0.0005)


@contextlib.contextmanager
def shared(path: str) -> t.Iterator[int | None]:
    """The live file for reading, while nobody writes; ``None`` where there is none."""
    while True:
        try:
            descriptor = open_regular(path, os.O_RDONLY)
        except FileNotFoundError:
            yield None
            return
        try:
            take(descriptor, fcntl.LOCK_SH)
            if not is_at(descriptor, path):
                continue
            try:
                yield descriptor
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            return
        finally:
            os.close(descriptor)


def _snapshot(path: str) -> tuple[list[str], int | None, int]:
    """The files that were rotated away, the live one, which the caller closes, and its size."""
    with shared(path) as descriptor:
        older = segments(path)
        if descriptor is None:
            return older, None, 0
        # A rotation that was interrupted leaves the live file a second name.
        older = [name for name in older if not is_at(descriptor, name)]
        return older, os.dup(descriptor), os.fstat(descriptor).st_size


def parts(path: str) -> t.Iterator[Part]:
    """Every file of the log in the order of its records, as they are at one moment. Each is open until the next is asked for."""
    older, live, size = _snapshot(path)
    try:
        for name in older:
            with open(open_regular(name, os.O_RDONLY), "rb", _READ_BLOCK) as handle:
                yield Part(name, handle, os.fstat(handle.fileno()).st_size)
        if live is not None:
            with open(live, "rb", _READ_BLOCK, closefd=False) as handle:
                yield Part(path, handle, size)
    finally:
        if live is not None:
            os.close(live)


def lines(part: Part) -> t.Iterator[bytes]:
    """The lines of *part* with their newlines. A piece longer than any line of ours comes without one."""
    left, read = part.size, part.handle.readline
    while left > 0:
        line = read(MAX_PIECE)
        if not line:
            return
        yield line if len(line) <= left else line[:left]
        left -= len(line)


def _backwards(descriptor: int, size: int) -> t.Iterator[tuple[int, int]]:
    """(start, end) of every line without its newline, from the last; the first is what stands behind the last newline."""
    end = position = size
    while position > 0:
        step = min(_BLOCK, position)
        position -= step
        block = os.pread(descriptor, step, position)
        at = block.rfind(b"\n")
        while at >= 0:
            yield position + at + 1, end
            end = position + at
            at = block.rfind(b"\n", 0, at)
    yield 0, end


def tail(descriptor: int) -> Tail:
    """The end of the open file."""
    size = os.fstat(descriptor).st_size
    foreign, closed = False, False
    for start, end in _backwards(descriptor, size):
        line = os.pread(descriptor, end - start, start) if _SHORTEST < end - start <= MAX_PIECE else b""
        found = link(line)
        if found is not None:
            return Tail(found, end + 1 if closed else end, size, not closed, foreign)
        if closed:
            foreign = foreign or os.pread(descriptor, len(TORN), max(start, end + 1 - len(TORN))) != TORN
        elif line and link(line[:-1]) is not None:
            # A whole record, and a byte in the place of its newline.
            foreign = True
        else:
            foreign = end - start > MAX_PIECE
        closed = True
    return Tail(None, 0, size, False, foreign and size > 0)
