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

from .chain import COVERED, MAX_PIECE, TORN, ZERO, Link, beginning, link
from .files import lines, parts
from .log import parsed

_START = b'{"hash":"'
_HASH = slice(len(_START), len(_START) + 64)
# So many bytes before the end of a torn line are tried as the end of a record.
_TRIED = 8192


class Verdict(t.NamedTuple):
    """What :func:`verify` found.

    ``head`` and ``records`` are those of the part that is right: all of it, or what stands before ``first_bad``.
    ``first_bad`` says where the log is wrong first: ``seq`` (the number of the record that should stand there, or that an anchor names),
    ``file``, ``line`` (from 1), ``offset`` (in bytes, of the line's beginning) and ``reason`` (a sentence). Where somebody remembers
    another record, ``by`` has the names of those who do, and ``agree`` of those whose memory fits the log there or behind.
    ``healed`` has ``seq`` and ``bytes`` of each record that heals torn lines, up to there.
    """

    verified: bool
    head: dict[str, t.Any] | None
    records: int
    first_bad: dict[str, t.Any] | None
    healed: list[dict[str, int]]


class _Pending:
    """Torn lines that wait for the record that heals them."""

    def __init__(self, file: str, line: int, offset: int) -> None:
        self.place = (file, line, offset)
        self.bytes = 0
        self.sha256 = hashlib.sha256()

    def add(self, line: bytes) -> None:
        self.bytes += len(line)
        self.sha256.update(line)


def _names(found: t.Iterable[str]) -> str:
    names = sorted(found)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def _whole(line: bytes) -> Link | None:
    """The record that the torn *line* is when its end is cut: what a crash leaves is never one."""
    found = beginning(line)
    if found is None:
        return None
    at = max(COVERED, len(line) - len(TORN) - _TRIED)
    total = hashlib.sha256(b"{" + line[COVERED:at])
    while True:
        end = line.find(b"}", at) + 1
        if not end:
            return None
        total.update(line[at:end])
        at = end
        if total.hexdigest() == found.hash:
            return found


class _Walk:
    """The state of one verification."""

    def __init__(self, path: str, anchors: t.Iterable[t.Mapping[str, t.Any]]) -> None:
        self.path = path
        #: By number and hash: who remembers it.
        self.wanted: dict[int, dict[str, set[str]]] = {}
        for anchor in anchors:
            # Whoever knows how the log begins remembers record 1, too.
            for seq, found in ((int(anchor["seq"]), anchor["hash"]), (1, anchor.get("first"))):
                if found is not None:
                    self.wanted.setdefault(seq, {}).setdefault(str(found), set()).add(str(anchor.get("by") or ""))
        if any(seq < 1 for seq in self.wanted):
            raise ValueError("the number of an anchor is 1 or greater")
        self.seq = 0
        self.hash = ZERO
        self.pending: _Pending | None = None
        self.heals: list[dict[str, int]] = []
        #: Whose memory fits, and up to which record.
        self.agree: dict[str, int] = {}
        #: The first record that somebody remembers differently, and the verdict without its words.
        self.other: tuple[int, str, dict[str, set[str]], Verdict] | None = None

    def verdict(self, reason: str | None = None, place: tuple[str, int, int] = ("", 0, 0), seq: int | None = None) -> Verdict:
        if self.other is not None:
            return self.disputed()
        head = {"seq": self.seq, "hash": self.hash} if self.seq else None
        if reason is None:
            return Verdict(True, head, self.seq, None, self.heals)
        number = self.seq + 1 if seq is None else seq
        first_bad = {"seq": number, "file": place[0], "line": place[1], "offset": place[2], "reason": reason}
        return Verdict(False, head, self.seq, first_bad, list(self.heals))

    def disputed(self) -> Verdict:
        """The verdict on the first record that somebody remembers differently."""
        seq, found, hashes, verdict = t.cast("tuple[int, str, dict[str, set[str]], Verdict]", self.other)
        by = set().union(*hashes.values())
        agree = {name for name, last in self.agree.items() if last >= seq and name} - by
        what = f"its hash is {found}, and {min(hashes)} was remembered"
        if agree:
            reason = (
                f"Record {seq} is remembered differently by {_names(by)}: {what}; {_names(agree)} {'agrees' if len(agree) == 1 else 'agree'} with the log. "
                f"What {_names(by)} remembers was made up, or the log was rewritten before {_names(agree)} saw it."
            )
        else:
            who = f" by {_names(by)}" if any(by) else ""
            reason = f"Record {seq} is not the one that was remembered{who}: {what}. The log was rewritten or replaced."
        named = {"by": sorted(by), "agree": sorted(agree)} if any(by) else {}
        return verdict._replace(first_bad={**(verdict.first_bad or {}), "reason": reason, **named})

    def healed(self, line: bytes, place: tuple[str, int, int]) -> Verdict | None:
        """Hold what a record says of torn lines against what stands before it."""
        said = (parsed(line) or {}).get("healed")
        if self.pending is None:
            if said is None:
                return None
            return self.verdict("The torn line that this record heals is missing before it.", place)
        torn, self.pending = self.pending, None
        if said == {"bytes": torn.bytes, "sha256": torn.sha256.hexdigest()}:
            self.heals.append({"seq": self.seq + 1, "bytes": torn.bytes})
            return None
        return self.verdict("The record after these torn lines does not bind them: they were changed or added later.", torn.place)

    def anchored(self, seq: int, found: str, place: tuple[str, int, int]) -> None:
        """Hold a record against what others remember of it. The walk goes on: who agrees is seen behind it."""
        hashes = self.wanted.pop(seq)
        self.agree.update(dict.fromkeys(hashes.pop(found, ()), seq))
        if hashes and self.other is None:
            self.other = (seq, found, hashes, self.verdict("It is remembered differently.", place, seq))

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
        if found.seq == expected and found.prev == self.hash:
            return self.verdict(f"Record {expected} has the right hash, but is no JSON: no writer of ours wrote it.", place)
        if found.seq == expected:
            return self.verdict(f"Record {expected} is not bound to the record before it: one of the two was changed, added or replaced.", place)
        what = "was removed" if found.seq > expected else "was expected"
        return self.verdict(f"Record {expected} {what}: record {found.seq} stands in its place.", place)

    def ended(self, place: tuple[str, int, int]) -> Verdict:
        """Judge the end of the log: nobody may remember more."""
        if not self.wanted:
            return self.verdict()
        seq = min(self.wanted)
        by = _names(set().union(*self.wanted[seq].values()) - {""})
        return self.verdict(f"Record {seq} is remembered{by and f' by {by}'}, but the log ends with record {self.seq}: it was cut off or replaced.", place, seq)


def verify(path: str, anchors: t.Iterable[t.Mapping[str, t.Any]] = (), *, parse: bool = False) -> Verdict:
    """Hold the log at *path*, with the files that were rotated away, against its own chain and against *anchors*.

    :arg anchors: ``{"seq": ..., "hash": ...}`` of records that somebody else remembered; with ``first``, the hash of record 1, and ``by``,
        who remembers it, where they are known.
    :arg parse: Also parse each record. It takes longer than all the rest, and finds lines with a right hash that are no JSON.
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
                and line[-2:] == b"}\n"
                and sha256(b"{" + line[COVERED:-1]).hexdigest().encode("ascii") == line[_HASH]
                and (not parse or parsed(line) is not None)
            ):
                if walk.pending is not None or b'"healed":{' in line:
                    bad = walk.healed(line, (part.path, number, offset))
                    if bad is not None:
                        return bad
                found = line[_HASH].decode("ascii")
                if walk.seq + 1 in wanted:
                    walk.anchored(walk.seq + 1, found, (part.path, number, offset))
                walk.seq, walk.hash = walk.seq + 1, found
            elif line.endswith(TORN):
                hidden = _whole(line)
                if hidden is not None:
                    reason = f"This torn line is a whole record, number {hidden.seq}, by its own hash: it was made one, so that nobody sees the record."
                    return walk.verdict(reason, (part.path, number, offset))
                walk.pending = walk.pending or _Pending(part.path, number, offset)
                walk.pending.add(line)
            else:
                return walk.wrong(line, (part.path, number, offset))
            offset += len(line)
        if walk.pending is not None:
            return walk.verdict("The file ends in torn lines that no record heals yet.", walk.pending.place)
        end = (part.path, number + 1, offset)
    return walk.ended(end)
