# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A log: one hash chain of records, appended by many writers at once, never cut and never rewritten. PRIVATE.

The form of a line stands in :mod:`chain`. Everything here works on a file with the append-only attribute.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import hashlib
import json
import os
import typing as t

from . import append_only as attribute
from .chain import MAX_LINE, TORN, ZERO, Link, beginning, link, render
from .files import Part, Tail, is_at, lines, open_regular, parts, segment_path, segments, shared, tail, take

_BLOCK = 1024 * 1024
_MODE = 0o640


def _sync_folder(path: str) -> None:
    descriptor = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create(path: str) -> int:
    """A new live file. After a rotation it belongs to whom the one before belonged, or its other writers were locked out."""
    descriptor = open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
    try:
        older = segments(path)
        mode = _MODE
        if older:
            before = os.stat(older[-1], follow_symlinks=False)
            mode = before.st_mode & 0o666
            if os.geteuid() == 0:
                os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, mode)
        _sync_folder(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _locked(path: str, *, create: bool) -> int:
    """The live file under an exclusive lock. It may be rotated away while one waits for the lock."""
    while True:
        try:
            descriptor = open_regular(path, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            if not create:
                raise
            try:
                descriptor = _create(path)
            except FileExistsError:
                continue
        try:
            take(descriptor, fcntl.LOCK_EX)
            if is_at(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _release(descriptor: int) -> None:
    # Not by closing alone: a child that was forked meanwhile has the lock too.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _newest(path: str) -> Link | None:
    """The last record of the files that were rotated away."""
    for name in reversed(segments(path)):
        descriptor = open_regular(name, os.O_RDONLY)
        try:
            found = tail(descriptor).link
        finally:
            os.close(descriptor)
        if found is not None:
            return found
    return None


def _closing(descriptor: int, found: Tail) -> tuple[bytes, dict[str, t.Any] | None]:
    """What must stand before the next record, and what that record says of the bytes behind the last one."""
    if found.unclosed:
        return b"\n", None
    if found.end == found.size:
        return b"", None
    closing = b"" if os.pread(descriptor, 1, found.size - 1) == b"\n" else TORN
    if found.foreign:
        # Not ours to explain: without ``healed``, verification points there for ever.
        return closing, None
    total, position = hashlib.sha256(), found.end
    while position < found.size:
        block = os.pread(descriptor, min(_BLOCK, found.size - position), position)
        if not block:
            break
        total.update(block)
        position += len(block)
    total.update(closing)
    return closing, {"bytes": found.size - found.end + len(closing), "sha256": total.hexdigest()}


def append(path: str, record: t.Mapping[str, t.Any], copy: t.Callable[[str], object] | None = None) -> dict[str, t.Any]:
    """Append *record* under a lock; it is on disk before this returns. What JSON cannot carry is written as text.

    :arg path: The log. Its folder exists; the file is made with mode 0640.
    :arg record: What happened, with no secret in it. ``version``, ``seq``, ``time``, ``prev``, ``hash`` and ``healed`` are written here.
    :arg copy: Gets the line, without its newline, once it is on disk: for the syslog.
    :returns: ``{"seq": ..., "hash": ...}`` of the record.
    :raises OSError: when it cannot be written. The log may then end in a torn line, which the next record heals.
    """
    return append_all(path, [record], copy)[0]


def append_all(path: str, records_: t.Sequence[t.Mapping[str, t.Any]], copy: t.Callable[[str], object] | None = None) -> list[dict[str, t.Any]]:
    """Append records as :func:`append` does, one behind the other, and wait for the disk once.

    :raises OSError: when not all of them could be written; the first of them may be in the log all the same. Any other error comes
        before anything was written.
    """
    lines_, heads = [], []
    descriptor = _locked(path, create=True)
    try:
        found = tail(descriptor)
        last = found.link or _newest(path) or Link(0, ZERO, ZERO)
        closing, healed = _closing(descriptor, found)
        for record in records_:
            now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds")
            line, last = render(record, seq=last.seq + 1, prev=last.hash, time=now, healed=healed)
            if len(line) > MAX_LINE:
                raise OSError(errno.EFBIG, f"A record of {len(line)} bytes is longer than {MAX_LINE}", path)
            lines_.append(line)
            heads.append({"seq": last.seq, "hash": last.hash})
            healed = None
        data = memoryview(b"".join([closing, *lines_]))
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        _release(descriptor)
    if copy is not None:
        for line in lines_:
            copy(line[:-1].decode("ascii"))
    return heads


def head(path: str) -> dict[str, t.Any] | None:
    """``{"seq": ..., "hash": ...}`` of the newest whole record, or ``None`` where there is none.

    :raises OSError: when the log cannot be read.
    """
    with shared(path) as descriptor:
        found = tail(descriptor).link if descriptor is not None else None
        found = found or _newest(path)
    return {"seq": found.seq, "hash": found.hash} if found else None


def first(path: str) -> str | None:
    """The hash of the first record, by which a log is known wherever it lies; ``None`` where there is none.

    :raises OSError: when the log cannot be read.
    """
    # Not through the shared lock: who asks has often just written.
    for name in (*segments(path), path):
        try:
            descriptor = open_regular(name, os.O_RDONLY)
        except FileNotFoundError:
            continue
        with open(descriptor, "rb") as handle:
            for line in lines(Part(name, handle, os.fstat(descriptor).st_size)):
                found = link(line[:-1])
                if found is not None:
                    return found.hash
    return None


def rotate(path: str, max_bytes: int) -> bool:
    """Give the live file another name when it is larger than *max_bytes*. The chain goes on in a new one, which is as it was.

    A file that does not end in a whole record stays until the next one has healed it. Where the file has the append-only attribute, only
    root can do this. A crash at any point leaves a log that is whole, and a live file.

    :returns: Whether it was renamed, to ``<path>.<its first seq, 12 digits>``.
    :raises OSError: when it cannot be renamed.
    """
    try:
        descriptor = _locked(path, create=False)
    except FileNotFoundError:
        return False
    try:
        if os.fstat(descriptor).st_size <= max_bytes:
            return False
        found = tail(descriptor)
        if found.link is None or found.unclosed or found.end != found.size:
            return False
        target = segment_path(path, _first(path, descriptor))
        if os.path.lexists(target) and not is_at(descriptor, target):
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        _replace(path, descriptor, target)
        return True
    finally:
        _release(descriptor)


def _replace(path: str, descriptor: int, target: str) -> None:
    """Call the live file, which is open and locked, *target*, and put an empty one in its place, with no moment in which there is none."""
    beside = f"{path}.new"
    append_only = attribute.put(descriptor, False)
    try:
        for left in (beside, target):
            # What an interrupted rotation left: as *target* it is the live file itself.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(left)
        before = os.fstat(descriptor)
        fresh = open_regular(beside, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        try:
            if os.geteuid() == 0:
                os.fchown(fresh, before.st_uid, before.st_gid)
            os.fchmod(fresh, before.st_mode & 0o666)
            os.link(path, target, follow_symlinks=False)
            os.rename(beside, path)
            if append_only:
                attribute.put(fresh, True)
        finally:
            os.close(fresh)
        # Nobody has to write it any more.
        os.fchmod(descriptor, before.st_mode & 0o644)
        _sync_folder(path)
    finally:
        if append_only:
            attribute.put(descriptor, True)


def _first(path: str, descriptor: int) -> int:
    """The number of the first record in the open file, which has one."""
    with open(os.dup(descriptor), "rb") as handle:
        for line in lines(Part(path, handle, os.fstat(descriptor).st_size)):
            found = link(line[:-1])
            if found is not None:
                return found.seq
    raise OSError(errno.EINVAL, "It holds no record", path)


def raw_records(path: str, *, after_seq: int = 0) -> t.Iterator[bytes]:
    """The lines that look like records, those of a damaged log too, in their order.

    :arg after_seq: Only those with a greater number.
    :raises OSError: when the log cannot be read.
    """
    for part in parts(path):
        for line in lines(part):
            found = beginning(line)
            if found is not None and found.seq > after_seq and line[-1:] == b"\n":
                yield line


def records(path: str, *, after_seq: int = 0) -> t.Iterator[dict[str, t.Any]]:
    """The whole records, those of a damaged log too, in their order; one at a time is in memory.

    Their hashes are not looked at: that is :func:`verify.verify`.

    :arg after_seq: Only those with a greater number.
    :raises OSError: when the log cannot be read.
    """
    for line in raw_records(path, after_seq=after_seq):
        record = parsed(line)
        if record is not None:
            yield record


def parsed(line: bytes) -> dict[str, t.Any] | None:
    """The record that *line* holds, or ``None``."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
