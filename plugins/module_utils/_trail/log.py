# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's log: one JSON line a record, each bound to the one before it by a hash. PRIVATE.

``hash`` is the SHA-256 of the record's canonical bytes without ``hash``; ``prev``, which is among them, is the record before.
A torn last line (a crash, a full disk) is closed by a newline and left standing.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import typing as t

from .._canonical import digest

VERSION = 1
ZERO = "0" * 64
_BLOCK = 65536


def _last(descriptor: int) -> tuple[int, str, bool]:
    """(seq, hash, whether the file ends in a torn line) of the newest whole record."""
    size = os.fstat(descriptor).st_size
    if size == 0:
        return 0, ZERO, False
    torn = os.pread(descriptor, 1, size - 1) != b"\n"
    tail, start = b"", size
    while start > 0:
        step = min(_BLOCK, start)
        start -= step
        tail = os.pread(descriptor, step, start) + tail
        lines = tail.split(b"\n")
        # The first piece may be the end of a longer line, unless the file begins here.
        for line in reversed(lines if start == 0 else lines[1:]):
            try:
                record = json.loads(line)
                return int(record["seq"]), str(record["hash"]), torn
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                continue
    return 0, ZERO, torn


def append(path: str, record: dict[str, t.Any]) -> dict[str, t.Any]:
    """Append *record* under a lock, on disk before this returns.

    :returns: ``{"seq": ..., "hash": ...}`` of the record.
    :raises OSError: when it cannot be written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        seq, prev, torn = _last(descriptor)
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="microseconds")
        body = {**record, "version": VERSION, "seq": seq + 1, "time": now, "prev": prev}
        body["hash"] = digest(body)
        line = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")
        data = (b"\n" if torn else b"") + line + b"\n"
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
        return {"seq": body["seq"], "hash": body["hash"]}
    finally:
        os.close(descriptor)
