# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restores a backup into a folder of its own, to see whether it can be restored. PRIVATE.

Whoever wrote the archive is not trusted: nothing leaves the folder, and nothing but files and folders is made. What is read is counted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
import typing as t

from . import files

_BLOCK = 1 << 20
_PREFIX = "codex-ops-restore-"
#: Members of one archive.
MAX_MEMBERS = 2_000_000


class Broken(Exception):
    """It cannot be restored. The message says why."""


class TooMuch(Exception):
    """It was not restored to its end, and why."""


class Budget:
    """How much may be written, and until when.

    :arg left: Bytes.
    :arg deadline: As ``time.monotonic`` has it.
    """

    def __init__(self, left: int, deadline: float) -> None:
        self._left = left
        self._given = left
        self._deadline = deadline
        self.members = 0

    @property
    def used(self) -> int:
        """Bytes that were written."""
        return self._given - self._left

    def take(self, count: int) -> None:
        """:raises TooMuch: when the bytes or the time are over."""
        self._left -= count
        if self._left < 0:
            raise TooMuch("It is larger than 'max_restore'.")
        if time.monotonic() > self._deadline:
            raise TooMuch("The time was over before all of it was restored.")

    def member(self) -> None:
        """:raises TooMuch: when there are too many."""
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise TooMuch(f"It holds more than {MAX_MEMBERS} files.")
        self.take(0)


@contextlib.contextmanager
def scratch(parent: str) -> t.Iterator[str]:
    """An empty folder for its owner alone, which is gone afterwards. One that a killed process left behind goes with it.

    :raises Broken: where there can be none.
    """
    try:
        _sweep(parent)
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
    except OSError as error:
        raise TooMuch(f"There can be no scratch folder in {parent}: {files.why(error)}") from None
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        os.close(held)
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: str) -> None:
    for name in os.listdir(parent):
        path = os.path.join(parent, name)
        if not name.startswith(_PREFIX):
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                # A moment after it was made, it may not be locked yet.
                found = os.fstat(descriptor)
                if found.st_uid != os.geteuid() or time.time() - found.st_mtime < 60:
                    continue
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)


def inside(name: str) -> list[str]:
    """The parts of a member's path.

    :raises Broken: when it leads out of the folder.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name or any(len(os.fsencode(part)) > 255 for part in parts) or len(parts) > 256:
        raise Broken(f"The archive holds the path {name[:200]!r}, which leads out of it.")
    return parts


def _make(folder: str, parts: t.Sequence[str]) -> str:
    path = os.path.join(folder, *parts)
    # Nothing in the folder is a link: none is ever made.
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    return path


def _copy(read: t.Callable[[int], bytes], path: str, budget: Budget) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        while True:
            block = read(_BLOCK)
            if not block:
                break
            budget.take(len(block))
            view = memoryview(block)
            while view:
                view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def _tar(stream: t.IO[bytes], folder: str, budget: Budget) -> None:
    import tarfile  # pylint: disable=import-outside-toplevel

    with tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as archive:
        for member in archive:
            budget.member()
            parts = inside(member.name)
            if member.isdir():
                if parts:
                    os.makedirs(os.path.join(folder, *parts), mode=0o700, exist_ok=True)
            elif member.isreg() and parts:
                source = archive.extractfile(member)
                if source is not None:
                    _copy(source.read, _make(folder, parts), budget)
            elif member.islnk():
                # A second name of a file that is there already.
                source_path = os.path.join(folder, *inside(member.linkname))
                if parts and os.path.isfile(source_path):
                    with open(source_path, "rb") as copied:
                        _copy(copied.read, _make(folder, parts), budget)
            # Links and devices are nothing that a restore could break at.
            archive.members = []  # type: ignore[attr-defined]
        # The check sum of the compression stands behind the end of the archive.
        while True:
            block = stream.read(_BLOCK)
            if not block:
                return
            budget.take(len(block))


def _zip(descriptor: int, folder: str, budget: Budget) -> None:
    import zipfile  # pylint: disable=import-outside-toplevel

    with os.fdopen(os.dup(descriptor), "rb") as handle, zipfile.ZipFile(handle) as archive:
        for member in archive.infolist():
            budget.member()
            parts = inside(member.filename)
            if member.is_dir():
                if parts:
                    os.makedirs(os.path.join(folder, *parts), mode=0o700, exist_ok=True)
            elif parts and not stat.S_ISLNK(member.external_attr >> 16):
                if member.flag_bits & 1:
                    raise TooMuch("It is encrypted.")
                with archive.open(member) as source:
                    _copy(source.read, _make(folder, parts), budget)


def _tree(path: str, folder: str, budget: Budget) -> None:
    walk = files.Walk(time.monotonic() + 86400, MAX_MEMBERS)
    for place, entries in walk.files(path):
        parts = [part for part in place[len(path) :].split("/") if part]
        os.makedirs(os.path.join(folder, *parts), mode=0o700, exist_ok=True)
        for entry in entries:
            budget.member()
            # By its path: what is a link is left out, and a copy of a wrong file is no danger in a folder that goes away.
            if not entry.is_file(follow_symlinks=False):
                continue
            try:
                descriptor = files.open_regular(f"{place}/{entry.name}", links=False)
            except files.Unreadable as error:
                raise Broken(f"{place}/{entry.name} cannot be read: {error}") from None
            try:
                _copy(lambda count, source=descriptor: os.read(source, count), os.path.join(folder, *parts, entry.name), budget)  # type: ignore[misc]
            finally:
                os.close(descriptor)
    if walk.unreadable:
        raise Broken(f"{walk.unreadable[0][0]} cannot be read: {walk.unreadable[0][1]}")
    if walk.stopped:
        raise TooMuch(f"Not all of it was restored: {walk.stopped}.")


def _opened(handle: t.IO[bytes]) -> tuple[t.IO[bytes], str]:
    """(the bytes without their compression, its name)"""
    # pylint: disable=import-outside-toplevel
    head = handle.read(6)
    handle.seek(0)
    if head.startswith(b"\x1f\x8b"):
        import gzip

        return t.cast("t.IO[bytes]", gzip.GzipFile(fileobj=handle)), "gz"
    if head.startswith(b"BZh"):
        import bz2

        return t.cast("t.IO[bytes]", bz2.BZ2File(handle)), "bz2"
    if head == b"\xfd7zXZ\x00":
        import lzma

        return t.cast("t.IO[bytes]", lzma.LZMAFile(handle)), "xz"
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        raise TooMuch("It is compressed with zstd, which Python cannot read.")
    return handle, ""


def restore(path: str, folder: str, budget: Budget) -> None:
    """Restore the backup at *path* (a tar or zip archive, compressed or not; a compressed file; a folder; a file) into *folder*.

    A single file is restored under its own name, without the end that names its compression.

    :raises Broken: where it cannot be restored.
    :raises TooMuch: where it was not restored to its end for another reason.
    """
    try:
        if os.path.isdir(path):
            _tree(path.rstrip("/"), folder, budget)
            return
        descriptor = files.open_regular(path)
    except files.Unreadable as error:
        raise TooMuch(f"It cannot be read: {error}") from None
    except OSError as error:
        raise TooMuch(f"It cannot be restored: {files.why(error)}") from None
    try:
        _archive(descriptor, path, folder, budget)
    except (Broken, TooMuch):
        raise
    except OSError as error:
        # A full scratch folder says nothing about the backup; a broken gzip file does.
        raise (TooMuch if error.errno else Broken)(f"{type(error).__name__}: {error.strerror or error}.") from None
    except Exception as error:  # pylint: disable=broad-except
        # The readers of archives raise a lot: EOFError, zlib.error, tarfile.ReadError, BadZipFile, LZMAError, ValueError.
        raise Broken(f"{type(error).__name__}: {str(error)[:300]}.") from None
    finally:
        os.close(descriptor)


def _archive(descriptor: int, path: str, folder: str, budget: Budget) -> None:
    with os.fdopen(os.dup(descriptor), "rb") as handle:
        head = handle.read(4)
        handle.seek(0)
        if head in (b"PK\x03\x04", b"PK\x05\x06"):
            _zip(descriptor, folder, budget)
            return
        plain, compression = _opened(handle)
        name = os.path.basename(path)
        if ".tar" in name or name.endswith((".tgz", ".tbz", ".tbz2", ".txz")):
            _tar(plain, folder, budget)
            return
        if compression and name.endswith(f".{compression}"):
            name = name[: -len(compression) - 1]
        _copy(plain.read, os.path.join(folder, name), budget)
