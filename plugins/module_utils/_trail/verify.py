# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells whether a log is what its writers wrote, and where it is not. PRIVATE.

A chain alone cannot show that its end was cut off, or that all of it was written anew. Anchors do: heads that somebody else
remembered.
"""

from __future__ import annotations

import hashlib
import typing as t

from .chain import COVERED, MAX_PIECE, TORN, ZERO, link
from .files import lines, parts
from .log import parsed

_START = b'{"hash":"'
_HASH = slice(len(_START), len(_START) + 64)


class Verdict(t.NamedTuple):
    """What :func:`verify` found.

    ``head`` and ``records`` are those of the part that is right: all of it, or what stands before ``first_bad``.
    ``first_bad`` says where the log is wrong first: ``seq`` (the number of the record that should stand there, or that an anchor names),
    ``file``, ``line`` (from 1), ``offset`` (in bytes, of the line's beginning) and ``reason`` (a sentence).
    """

    verified: bool
    head: dict[str, t.Any] | None
    records: int
    first_bad: dict[str, t.Any] | None


class _Pending:
    """Torn lines that wait for the record that heals them."""

    def __init__(self, file: str, line: int, offset: int) -> None:
        self.place = (file, line, offset)
        self.bytes = 0
        self.sha256 = hashlib.sha256()

    def add(self, line: bytes) -> None:
        self.bytes += len(line)
        self.sha256.update(line)


class _Walk:
    """The state of one verification."""

    def __init__(self, path: str, anchors: t.Iterable[t.Mapping[str, t.Any]]) -> None:
        self.path = path
        self.wanted: dict[int, set[str]] = {}
        for anchor in anchors:
            self.wanted.setdefault(int(anchor["seq"]), set()).add(str(anchor["hash"]))
        if any(seq < 1 for seq in self.wanted):
            raise ValueError("the number of an anchor is 1 or greater")
        self.seq = 0
        self.hash = ZERO
        self.pending: _Pending | None = None

    def verdict(self, reason: str | None = None, place: tuple[str, int, int] = ("", 0, 0), seq: int | None = None) -> Verdict:
        head = {"seq": self.seq, "hash": self.hash} if self.seq else None
        if reason is None:
            return Verdict(True, head, self.seq, None)
        number = self.seq + 1 if seq is None else seq
        first_bad = {"seq": number, "file": place[0], "line": place[1], "offset": place[2], "reason": reason}
        return Verdict(False, head, self.seq, first_bad)

    def healed(self, line: bytes, place: tuple[str, int, int]) -> Verdict | None:
        """Hold what a record says of torn lines against what stands before it."""
        said = (parsed(line) or {}).get("healed")
        if self.pending is None:
            if said is None:
                return None
            return self.verdict("The torn line that this record heals is missing before it.", place)
        torn, self.pending = self.pending, None
        if said == {"bytes": torn.bytes, "sha256": torn.sha256.hexdigest()}:
            return None
        return self.verdict("The record after these torn lines does not bind them: they were changed or added later.", torn.place)

    def anchored(self, seq: int, found: str, place: tuple[str, int, int]) -> Verdict | None:
        """Hold a record against what others remember of it."""
        hashes = self.wanted.pop(seq)
        if hashes == {found}:
            return None
        other = min(hashes - {found})
        reason = f"Record {seq} is not the one that was remembered: its hash is {found}, and {other} was remembered. The log was rewritten or replaced."
        return self.verdict(reason, place, seq)

    def wrong(self, line: bytes, place: tuple[str, int, int]) -> Verdict:
        """Say what is wrong with a line that is not the next record."""
        expected = self.seq + 1
        if not line.endswith(b"\n"):
            if len(line) >= MAX_PIECE:
                return self.verdict("A line longer than any record.", place)
            return self.verdict(
                f"The log ends in a torn line in the place of record {expected}: a crash, a full disk, or bytes that were cut off. "
                "The next record heals what a crash left.",
                place,
            )
        found = link(line[:-1])
        if found is None:
            return self.verdict(f"The line is not record {expected}: its bytes do not match its hash, or it is no record at all.", place)
        if self.pending is not None:
            bad = self.healed(line, place)
            if bad is not None:
                return bad
        if found.seq == expected:
            return self.verdict(f"Record {expected} is not bound to the record before it: one of the two was changed, added or replaced.", place)
        what = "was removed" if found.seq > expected else "was expected"
        return self.verdict(f"Record {expected} {what}: record {found.seq} stands in its place.", place)

    def ended(self, place: tuple[str, int, int]) -> Verdict:
        """Judge the end of the log: nobody may remember more."""
        if not self.wanted:
            return self.verdict()
        seq = min(self.wanted)
        return self.verdict(f"Record {seq} is remembered, but the log ends with record {self.seq}: it was cut off or replaced.", place, seq)


def verify(path: str, anchors: t.Iterable[t.Mapping[str, t.Any]] = ()) -> Verdict:
    """Hold the log at *path*, with the files that were rotated away, against its own chain and against *anchors*.

    :arg anchors: ``{"seq": ..., "hash": ...}`` of records that somebody else remembered.
    :raises OSError: when it cannot be read. A bad log raises nothing; one that does not exist is an empty one.
    :raises ValueError: for an anchor that is none.
    """
    walk = _Walk(path, anchors)
    sha256, wanted = hashlib.sha256, walk.wanted
    end = (path, 1, 0)
    for part in parts(path):
        number, offset = 0, 0
        for line in lines(part):
            number += 1
            # The straight way for the next record: compare bytes, hash bytes. Everything else is looked at below.
            follows = b'","prev":"%s","seq":%d,' % (walk.hash.encode("ascii"), walk.seq + 1)
            if (
                line.startswith(_START)
                and line.startswith(follows, COVERED - 2)
                and line[-1:] == b"\n"
                and sha256(b"{" + line[COVERED:-1]).hexdigest().encode("ascii") == line[_HASH]
            ):
                bad = None
                if walk.pending is not None or b'"healed":{' in line:
                    bad = walk.healed(line, (part.path, number, offset))
                found = line[_HASH].decode("ascii")
                if bad is None and walk.seq + 1 in wanted:
                    bad = walk.anchored(walk.seq + 1, found, (part.path, number, offset))
                if bad is not None:
                    return bad
                walk.seq, walk.hash = walk.seq + 1, found
            elif line.endswith(TORN):
                walk.pending = walk.pending or _Pending(part.path, number, offset)
                walk.pending.add(line)
            else:
                return walk.wrong(line, (part.path, number, offset))
            offset += len(line)
        if walk.pending is not None:
            return walk.verdict("The file ends in torn lines that no record heals yet.", walk.pending.place)
        end = (part.path, number + 1, offset)
    return walk.ended(end)
