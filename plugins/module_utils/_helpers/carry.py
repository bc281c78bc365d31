# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carries a tree from one user to another. Each side is a process of that user, so no file is read or written by root. PRIVATE.

What cannot be carried as it is stays visible: a link as a link, a FIFO, socket or device as a FIFO, a further name of a file as one.
"""

from __future__ import annotations

import errno
import os
import stat
import struct

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_HEAD = struct.Struct("!cIIQ")
_BLOCK = 1 << 20
#: Entries of one tree.
MAX_ENTRIES = 200_000
#: Bytes of one tree.
MAX_BYTES = 1 << 30


class TooLarge(Exception):
    """The tree has more bytes or entries than are carried."""


class _Counter:
    def __init__(self) -> None:
        self.entries = 0
        self.bytes = 0

    def add(self, size: int) -> None:
        self.entries += 1
        self.bytes += size
        if self.entries > MAX_ENTRIES or self.bytes > MAX_BYTES:
            raise TooLarge(f"more than {MAX_ENTRIES} entries or {MAX_BYTES >> 20} MiB")


def _write(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]


def _put(pipe: int, kind: bytes, name: bytes, mode: int, size: int) -> None:
    _write(pipe, _HEAD.pack(kind, len(name), mode, size) + name)


def pack(path: str, pipe: int) -> None:
    """Write everything below the folder *path*, which is this user's own, to *pipe*.

    :raises TooLarge:
    :raises OSError: when something cannot be read.
    """
    counter = _Counter()
    here = os.open(path, _FOLDER)
    try:
        _put(pipe, b"D", b"", stat.S_IMODE(os.fstat(here).st_mode), 0)
        # Of each level: names still to do, and which folder lies above.
        levels: list[tuple[list[bytes], tuple[int, int]]] = [(_names(here), (0, 0))]
        while levels:
            names, above = levels[-1]
            if names:
                name = names.pop()
                found = os.stat(name, dir_fd=here, follow_symlinks=False)
                counter.add(0)
                if stat.S_ISDIR(found.st_mode):
                    below = _enter(here, name, found)
                    _put(pipe, b"D", name, stat.S_IMODE(found.st_mode), 0)
                    levels.append((_names(below), _key(here)))
                    os.close(here)
                    here = below
                else:
                    _pack_one(here, name, found, pipe, counter)
                continue
            levels.pop()
            _put(pipe, b"U", b"", 0, 0)
            if levels:
                up = os.open("..", _FOLDER, dir_fd=here)
                os.close(here)
                here = up
                if _key(here) != above:
                    raise OSError(errno.EBUSY, "a folder was moved meanwhile")
        _put(pipe, b"E", b"", 0, 0)
    finally:
        os.close(here)


def _names(folder: int) -> list[bytes]:
    return [os.fsencode(name) for name in os.listdir(folder)]


def _key(folder: int) -> tuple[int, int]:
    found = os.fstat(folder)
    return found.st_dev, found.st_ino


def _enter(above: int, name: bytes, found: os.stat_result) -> int:
    if found.st_mode & 0o500 != 0o500:
        os.chmod(name, 0o700, dir_fd=above)
    return os.open(name, _FOLDER, dir_fd=above)


def _pack_one(here: int, name: bytes, found: os.stat_result, pipe: int, counter: _Counter) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISLNK(found.st_mode):
        target = os.readlink(name, dir_fd=here)
        _put(pipe, b"L", name, 0, len(target))
        _write(pipe, target)
        return
    if not stat.S_ISREG(found.st_mode):
        _put(pipe, b"S", name, mode, 0)
        return
    if not found.st_mode & 0o400:
        os.chmod(name, mode | 0o400, dir_fd=here)
    handle = os.open(name, _FILE, dir_fd=here)
    try:
        found = os.fstat(handle)
        counter.add(found.st_size)
        _put(pipe, b"F" if found.st_nlink == 1 else b"M", name, mode, found.st_size)
        left = found.st_size
        while left:
            data = os.read(handle, min(_BLOCK, left))
            if not data:
                raise OSError(errno.EBUSY, "a file was cut meanwhile")
            _write(pipe, data)
            left -= len(data)
    finally:
        os.close(handle)


def unpack(path: str, pipe: int) -> None:
    """Make the folder *path* and fill it with what comes through *pipe*. More names of a file go to ``path.links``.

    :raises TooLarge:
    :raises OSError: when something cannot be written, or the other side ended too early.
    """
    counter = _Counter()
    kind, _name, mode, _size = _get(pipe)
    if kind != b"D":
        raise OSError(errno.EPROTO, "what comes is not a tree")
    os.mkdir(path, 0o700)
    here = os.open(path, _FOLDER)
    # Of each level: the mode that its folder gets when it is full, and which folder lies above.
    levels: list[tuple[int, tuple[int, int]]] = [(mode, (0, 0))]
    try:
        while True:
            kind, name, mode, size = _get(pipe)
            if kind == b"E" and not levels:
                return
            if not levels or (kind == b"U") != (not name) or b"/" in name or name in (b".", b".."):
                raise OSError(errno.EPROTO, "what comes is not a tree")
            if kind == b"U":
                wanted, above = levels.pop()
                up = os.open("..", _FOLDER, dir_fd=here) if levels else -1
                os.fchmod(here, wanted)
                if up >= 0:
                    os.close(here)
                    here = up
                    if _key(here) != above:
                        raise OSError(errno.EBUSY, "a folder was moved meanwhile")
                continue
            counter.add(size)
            if kind == b"D":
                os.mkdir(name, 0o700, dir_fd=here)
                below = os.open(name, _FOLDER, dir_fd=here)
                levels.append((mode, _key(here)))
                os.close(here)
                here = below
            else:
                _unpack_one(kind, name, mode, size, here, pipe, f"{path}.links", counter.entries)
    finally:
        os.close(here)


def _unpack_one(kind: bytes, name: bytes, mode: int, size: int, here: int, pipe: int, links: str, number: int) -> None:
    if kind == b"L":
        if size > 4096:
            raise OSError(errno.EPROTO, "what comes is not a tree")
        os.symlink(_read(pipe, size), name, dir_fd=here)
    elif kind == b"S":
        os.mkfifo(name, 0o600, dir_fd=here)
    elif kind in (b"F", b"M"):
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=here)
        try:
            left = size
            while left:
                data = _read(pipe, min(_BLOCK, left))
                _write(handle, data)
                left -= len(data)
            os.fchmod(handle, mode)
        finally:
            os.close(handle)
        if kind == b"M":
            os.makedirs(links, 0o700, exist_ok=True)
            os.link(name, os.path.join(os.fsencode(links), b"%d" % number), src_dir_fd=here, follow_symlinks=False)
    else:
        raise OSError(errno.EPROTO, "what comes is not a tree")


def _get(pipe: int) -> tuple[bytes, bytes, int, int]:
    kind, length, mode, size = _HEAD.unpack(_read(pipe, _HEAD.size))
    if length > 255 or mode > 0o7777:
        raise OSError(errno.EPROTO, "what comes is not a tree")
    return kind, _read(pipe, length), mode, size


def _read(pipe: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(pipe, size - len(data))
        if not piece:
            raise OSError(errno.EPIPE, "the other side ended too early")
        data += piece
    return data


def reason(error: BaseException) -> str:
    """Why a tree could not be carried, in few words."""
    if isinstance(error, OSError):
        return error.strerror or "an error of the system"
    return str(error) if isinstance(error, TooLarge) else type(error).__name__
