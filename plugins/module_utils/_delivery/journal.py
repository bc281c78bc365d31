# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls of the hook, each noted before it is made, where the disk has given the room already. PRIVATE.

A disk that is full keeps what was decided from being remembered. It does not keep a call from being noted, so nobody is told the
same again and again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import typing as t

#: Calls that are remembered, and bytes of each.
SLOTS, SIZE = 2048, 64
#: How a call ended: it was begun, and nobody knows; the hook took it; the hook refused it; the hook was not reached.
BEGUN, TAKEN, REFUSED, UNREACHED = "b", "s", "f", "c"
_LINE = re.compile(rb"([0-9]{10}) ([0-9]{13}) ([bsfc]) ([a-z]{3}_[0-9a-f]{32})\n")
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Call(t.NamedTuple):
    """One call: its number, of which message, when (in seconds since the epoch) and how it ended."""

    number: int
    message: str
    at: float
    how: str


def path(folder: str) -> str:
    """The file."""
    return os.path.join(folder, "calls")


def calls(folder: str) -> list[Call]:
    """What was noted, the oldest first. A line that is none is left out.

    :raises OSError:
    """
    try:
        handle = os.open(path(folder), os.O_RDONLY | _FLAGS)
    except FileNotFoundError:
        return []
    try:
        data = os.pread(handle, SLOTS * SIZE, 0) if stat.S_ISREG(os.fstat(handle).st_mode) else b""
    finally:
        os.close(handle)
    lines = (_LINE.fullmatch(data[place : place + SIZE]) for place in range(0, len(data), SIZE))
    return sorted(Call(int(one[1]), one[4].decode(), int(one[2]) / 1000.0, one[3].decode()) for one in lines if one is not None)


def in_doubt(known: t.Iterable[Call]) -> dict[str, float]:
    """The messages whose last call was begun and may have come through, with when it was begun."""
    last = {call.message: call for call in known}
    return {call.message: call.at for call in last.values() if call.how == BEGUN}


class Journal:
    """The file, for the one process that sends. Use as a context manager.

    :raises OSError: there is no room for it, or it is none of ours.
    """

    def __init__(self, folder: str) -> None:
        self.calls = calls(folder)
        self._handle = os.open(path(folder), os.O_RDWR | os.O_CREAT | _FLAGS, 0o600)
        try:
            self._fill()
        except BaseException:
            os.close(self._handle)
            raise

    def _fill(self) -> None:
        size = os.fstat(self._handle).st_size // SIZE * SIZE
        if size >= SLOTS * SIZE:
            return
        while size < SLOTS * SIZE:
            written = os.pwrite(self._handle, (b" " * (SIZE - 1) + b"\n") * ((SLOTS * SIZE - size) // SIZE), size) // SIZE * SIZE
            if not written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            size += written
        os.fsync(self._handle)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *args: object) -> None:
        os.close(self._handle)

    def begin(self, message: str, now: float) -> Call:
        """Note that *message* is about to be sent.

        :raises OSError: then it must not be sent.
        """
        call = Call(self.calls[-1].number + 1 if self.calls else 1, message, now, BEGUN)
        self._write(call)
        os.fdatasync(self._handle)
        self.calls = [*self.calls[-SLOTS + 1 :], call]
        return call

    def end(self, call: Call, how: str) -> None:
        """Note how *call* ended. Where that fails, it may have come through."""
        self.calls[-1] = ended = call._replace(how=how)
        with contextlib.suppress(OSError):
            self._write(ended)

    def _write(self, call: Call) -> None:
        line = f"{call.number:010d} {int(call.at * 1000):013d} {call.how} {call.message}\n".encode("ascii")
        if os.pwrite(self._handle, line, call.number % SLOTS * SIZE) != SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
