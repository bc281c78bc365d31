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
_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
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
        return hashlib.sha256(self.template.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Groups:
    """Counts lines by what they say, in memory that has a bound."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget what was counted."""
        #: Shape (the line with its numbers taken out) to count, first line, last line, and the number of that.
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
        raw = block.split(b"\n")
        raw.pop()
        if max(map(len, raw)) > KEPT:
            raw = [line[:KEPT] for line in raw]
            block = b"\n".join(raw) + b"\n"
        block = block.translate(_TO_ZERO)
        while b"00" in block:
            block = block.replace(b"00", b"0")
        shaped = block.split(b"\n")
        shaped.pop()
        last = dict(zip(shaped, range(len(raw))))
        shapes = self._shapes
        for shape, count in collections.Counter(shaped).items():
            known, at = shapes.get(shape), last[shape]
            if known is not None:
                known[0] += count
                known[2:] = raw[at], self.lines + at
            elif len(shapes) < MAX_SHAPES:
                shapes[shape] = [count, raw[shaped.index(shape)], raw[at], self.lines + at]
            else:
                self.beyond += count
        self.lines += len(raw)

    def groups(self, redactor: Redactor) -> list[Group]:
        """What was counted, most frequent first. No template holds what *redactor* masks."""
        found: dict[str, Group] = {}
        newest: dict[str, int] = {}
        # In the order in which they came first.
        for count, first, last, at in self._shapes.values():
            made = template(first, redactor)
            known = found.get(made)
            if known is None:
                found[made] = Group(made, count, first, last)
                newest[made] = at
                continue
            known.count += count
            if at > newest[made]:
                known.last, newest[made] = last, at
        return sorted(found.values(), key=lambda group: (-group.count, group.template))


def template(line: bytes, redactor: Redactor) -> str:
    """What a line says, without what differs from one to the next."""
    text = redactor.text(line[:KEPT].decode("utf-8", "backslashreplace"))
    for expression, word in _MASKS:
        text = expression.sub(word, text)
    return text.strip()
