# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are replaced whole or not at all, in a folder of the engine's own. PRIVATE."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
import typing as t

#: Bytes of one file.
MAX_FILE = 16 << 20
#: Seconds after which nobody writes a file any more that is half-written.
_OLD = 3600.0
#: How the name of a message that waits ends.
MESSAGE = ".message"
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def make(folder: str) -> None:
    """Make *folder*, for its owner alone, where it is not there. The folders above it are.

    :raises OSError:
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)


def write(path: str, content: bytes) -> None:
    """*content* at *path*, all or nothing, mode 0600, on disk when this returns.

    :raises OSError: then what was there is still there.
    """
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name}.{os.getpid()}.new")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(above)
    finally:
        os.close(above)


def write_json(path: str, value: t.Any) -> None:
    """*value* as JSON at *path*, as :func:`write` does it.

    :raises OSError: also where it is so large that nobody would read it back.
    """
    content = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
    if len(content) > MAX_FILE:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
    write(path, content)


def read_json(path: str) -> dict[str, t.Any] | None:
    """The object in the file at *path*; ``None`` where there is none, or something else.

    :raises OSError: it is there and cannot be read.
    """
    try:
        handle = os.open(path, _READ)
    except FileNotFoundError:
        return None
    try:
        # A folder can be opened like a file, and not be read.
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with os.fdopen(os.dup(handle), "rb") as stream:
            raw = stream.read(MAX_FILE + 1)
    finally:
        os.close(handle)
    try:
        found = json.loads(raw) if len(raw) <= MAX_FILE else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def remove(path: str) -> None:
    """Remove the file at *path*, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def names(folder: str, end: str) -> list[str]:
    """The names of the files in *folder* that end with *end*, without it, in order. What a killed process left half-written is none."""
    try:
        return sorted(name[: -len(end)] for name in os.listdir(folder) if name.endswith(end) and not name.startswith("."))
    except FileNotFoundError:
        return []


def sweep(folder: str) -> None:
    """Remove what killed processes left half-written. Somebody may be writing what is new."""
    with contextlib.suppress(OSError):
        for path in left(folder, ".", ".new"):
            remove(path)


def left(folder: str, begin: str, end: str = "") -> list[str]:
    """The paths in *folder* of what begins and ends so, and that nobody touched for an hour."""
    with os.scandir(folder) as entries:
        ours = [entry for entry in entries if entry.name.startswith(begin) and entry.name.endswith(end)]
        return [entry.path for entry in ours if time.time() - entry.stat(follow_symlinks=False).st_mtime > _OLD]


@contextlib.contextmanager
def locked(path: str, patience: float) -> t.Iterator[bool]:
    """Hold the lock file *path* in the block. False, where somebody else held it for *patience* seconds.

    :raises OSError:
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    yield False
                    return
            time.sleep(0.01)
        yield True
    finally:
        os.close(handle)
