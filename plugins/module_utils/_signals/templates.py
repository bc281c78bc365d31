# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups lines of logs that say the same: numbers, addresses and the like are taken out. PRIVATE."""

from __future__ import annotations

import calendar
import collections
import dataclasses
import hashlib
import re
import time
import typing as t

from .._trail.redaction import Redactor
from .tools import MAX_LINE

#: Different lines, but for their numbers, that are kept of one source. What is beyond is counted together.
MAX_SHAPES = 5000
#: Bytes of a line that are looked at.
KEPT = 600

_BLOCK = 1 << 20
_DIGITS = b"0123456789"
#: Up to so many shapes in one block, looking for a line of each costs less than keeping all lines apart.
_FEW = 50
_MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,]\d{1,9})?\s?(Z|[+-]\d\d:?\d\d)?")
_SYSLOG = re.compile(r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(?: (\d{4}))?\b")
_CLF = re.compile(r"\b(\d\d)/(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})")
_MASKS = (
    (re.compile(r"\[redacted:([a-z_]{1,40}):[0-9a-f]{4}\]"), r"<\1>"),
    (_ISO, "<time>"),
    (_CLF, "<time>"),
    (_SYSLOG, "<time>"),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<hex>"),
    (re.compile(r"\b(?=[0-9a-fA-F]*[0-9])(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{7,}\b"), "<hex>"),
    (re.compile(r"[0-9]+(?:[.:,][0-9]+)*"), "<n>"),
)


def moment(line: str, now: float) -> float | None:
    """When a line was written, in seconds since the epoch, where it says so within its first 100 characters.

    Without a zone, it is the host's own; without a year, the newest that is not after *now*.
    """
    head = line[:100]
    found = _ISO.search(head)
    try:
        if found:
            year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
            return _epoch((year, month, day, hour, minute, second), found.group(7))
        found = _CLF.search(head)
        if found:
            parts = found.groups()
            return _epoch((int(parts[2]), _MONTHS[parts[1]], int(parts[0]), int(parts[3]), int(parts[4]), int(parts[5])), parts[6])
        found = _SYSLOG.search(head)
        if found:
            parts = found.groups()
            year = int(parts[5]) if parts[5] else time.localtime(now).tm_year
            when = _epoch((year, _MONTHS[parts[0]], int(parts[1]), int(parts[2]), int(parts[3]), int(parts[4])), None)
            if not parts[5] and when > now + 86400:
                when = _epoch((year - 1, _MONTHS[parts[0]], int(parts[1]), int(parts[2]), int(parts[3]), int(parts[4])), None)
            return when
    except (ValueError, OverflowError):
        pass
    return None


def _epoch(parts: tuple[int, int, int, int, int, int], zone: str | None) -> float:
    if not (1 <= parts[1] <= 12 and 1 <= parts[2] <= 31 and parts[3] < 24 and parts[4] < 60 and parts[5] < 61):
        raise ValueError
    if zone is None:
        return time.mktime((*parts, 0, 0, -1))
    offset = 0
    if zone != "Z":
        digits = zone[1:].replace(":", "")
        offset = (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (-1 if zone[0] == "-" else 1)
    return float(calendar.timegm(parts)) - offset


@dataclasses.dataclass
class Group:
    """Lines that say the same. ``first`` and ``last`` are lines as they were written."""

    template: str
    count: int
    first: bytes
    last: bytes

    @property
    def key(self) -> str:
        """The same from run to run."""
        return hashlib.sha256(_stable(self.template).encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Groups:
    """Counts lines by what they say, in memory that has a bound."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget what was counted."""
        #: Shape (the line without its digits) to count, first line, last line, and the number of that.
        self._shapes: dict[bytes, list[t.Any]] = {}
        self._pieces: list[bytes] = []
        self._size = 0
        self._rest = b""
        self._skipping = False
        self.lines = 0
        #: Lines whose shape was one too many.
        self.beyond = 0

    def __call__(self, chunk: bytes) -> None:
        """More of the log."""
        self._pieces.append(chunk)
        self._size += len(chunk)
        if self._size >= _BLOCK:
            self._flush()

    def close(self) -> None:
        """What had no end is a line too."""
        self._flush()
        if self._rest:
            self._count(self._rest[:MAX_LINE] + b"\n")
            self._rest = b""

    def _flush(self) -> None:
        chunk, self._pieces, self._size = b"".join(self._pieces), [], 0
        if self._skipping:
            # The rest of a line that is longer than anybody reads.
            end = chunk.find(b"\n")
            if end < 0:
                return
            chunk, self._skipping = chunk[end + 1 :], False
        cut = chunk.rfind(b"\n") + 1
        whole, self._rest = (self._rest + chunk[:cut], chunk[cut:]) if cut else (b"", self._rest + chunk)
        if whole:
            self._count(whole)
        if len(self._rest) > MAX_LINE:
            self._count(self._rest[:MAX_LINE] + b"\n")
            self._rest, self._skipping = b"", True

    def _count(self, block: bytes) -> None:
        """Whole lines. All at once, a line costs a fraction of what it does one by one."""
        shaped = block.translate(None, _DIGITS).split(b"\n")
        shaped.pop()
        counted = collections.Counter(shaped)
        lines = _Lines(block, shaped, len(counted) <= _FEW)
        shapes = self._shapes
        for shape, count in counted.items():
            known = shapes.get(shape[:KEPT])
            if known is None and len(shapes) >= MAX_SHAPES:
                self.beyond += count
                continue
            at, last = lines.last(shape)
            if known is None:
                shapes[shape[:KEPT]] = [count, lines.first(shape)[:KEPT], last[:KEPT], self.lines + at]
                continue
            known[0] += count
            if self.lines + at > known[3]:
                known[2:] = last[:KEPT], self.lines + at
        self.lines += len(shaped)

    def groups(self, redactor: Redactor) -> list[Group]:
        """What was counted, most frequent first. No template holds what *redactor* masks."""
        found: dict[str, Group] = {}
        newest: dict[str, int] = {}
        # In the order in which they came first.
        for count, first, last, at in self._shapes.values():
            made = template(first, redactor)
            key = _stable(made)
            known = found.get(key)
            if known is None:
                found[key] = Group(made, count, first, last)
                newest[key] = at
                continue
            known.count += count
            if at > newest[key]:
                known.last, newest[key] = last, at
        return sorted(found.values(), key=lambda group: (-group.count, group.template))


class _Lines:
    """The first and the last line of each shape in a block of whole lines."""

    def __init__(self, block: bytes, shaped: list[bytes], few: bool) -> None:
        self._block, self._shaped = block, shaped
        self._backwards = shaped[::-1] if few else []
        self._raw = [] if few else block.split(b"\n")
        self._at = {} if few else dict(zip(shaped, range(len(shaped))))

    def first(self, shape: bytes) -> bytes:
        """The first line of this shape."""
        at = self._shaped.index(shape)
        return self._raw[at] if self._raw else self._block.split(b"\n", at + 1)[at]

    def last(self, shape: bytes) -> tuple[int, bytes]:
        """The number of the last line of this shape, and that line."""
        if self._raw:
            at = self._at[shape]
            return at, self._raw[at]
        behind = self._backwards.index(shape) + 2
        return len(self._shaped) + 1 - behind, self._block.rsplit(b"\n", behind)[-behind]


def _stable(made: str) -> str:
    """What is the same of a template, whether or not the line from which it was made had a number in each place."""
    return made.replace("<n>", "")


def template(line: bytes, redactor: Redactor) -> str:
    """What a line says, without what differs from one to the next."""
    text = redactor.text(line[:KEPT].decode("utf-8", "backslashreplace"))
    for expression, word in _MASKS:
        text = expression.sub(word, text)
    return text.strip()
