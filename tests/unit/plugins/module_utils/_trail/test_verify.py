# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is done to a log is found, every time and at the right place."""

from __future__ import annotations

import hashlib
import os
import pathlib
import random
import shutil
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._trail import chain
from ansible_collections.day2.codex.plugins.module_utils._trail.log import append, first, records, rotate
from ansible_collections.day2.codex.plugins.module_utils._trail.verify import Verdict, verify

TRIALS = 10_000
TORN = chain.TORN


class Item(t.NamedTuple):
    """A line of a log: the number of its record, or of the record that heals it, and the first torn line of its group."""

    file: str
    line: int
    offset: int
    data: bytes
    torn: bool
    seq: int
    group: int


class Log:
    """A valid log that can be broken, and put right again."""

    def __init__(self, folder: pathlib.Path, chosen: random.Random) -> None:
        self.folder = folder
        folder.mkdir()
        self.path = str(folder / "audit.jsonl")
        for number in range(chosen.randrange(4, 26)):
            append(self.path, {"number": number, "text": chosen.choice("\n}\"é{'") * chosen.randrange(60), "healed_": {"healed": {}}})
            if chosen.random() < 0.25:
                self._tear(chosen)
            elif chosen.random() < 0.25:
                rotate(self.path, 0)
        append(self.path, {"number": "last"})
        self.names = sorted(os.listdir(folder), key=lambda name: (name == "audit.jsonl", name))
        self.files = {name: (folder / name).read_bytes() for name in self.names}
        self.hashes = {record["seq"]: record["hash"] for record in records(self.path)}
        self.items = self._items()
        self.written = set(self.names)

    def _tear(self, chosen: random.Random) -> None:
        for number in range(chosen.choice([1, 1, 2, 3])):
            with open(self.path, "ab") as handle:
                handle.write(TORN * bool(number) + bytes(chosen.choice(b'{}"hash:\0\xff#') for _byte in range(chosen.randrange(1, 40))))

    def _items(self) -> list[Item]:
        found: list[Item] = []
        for name in self.names:
            offset = 0
            for number, data in enumerate(self._split(name), 1):
                link = chain.link(data[:-1])
                found.append(Item(str(self.folder / name), number, offset, data, link is None, link.seq if link else 0, len(found)))
                offset += len(data)
        for index in range(len(found) - 2, -1, -1):
            if found[index].torn:
                found[index] = found[index]._replace(seq=found[index + 1].seq)
        for index in range(1, len(found)):
            if found[index - 1].torn:
                found[index] = found[index]._replace(group=found[index - 1].group)
        return found

    def _split(self, name: str) -> list[bytes]:
        return [line + b"\n" for line in self.files[name].split(b"\n")[:-1]]

    def write(self, files: dict[str, bytes]) -> None:
        """Put *files* in the place of the log."""
        for name in self.written - set(files):
            (self.folder / name).unlink()
        for name, data in files.items():
            if name not in self.written or data is not self.files.get(name) or name in self.dirty:
                (self.folder / name).write_bytes(data)
        self.dirty = {name for name, data in files.items() if data is not self.files.get(name)}
        self.written = set(files)

    dirty: t.ClassVar[set[str]] = set()

    def joined(self, items: t.Iterable[Item]) -> dict[str, bytes]:
        """The files that *items* make; those that did not change are the same objects."""
        made: dict[str, list[bytes]] = {name: [] for name in self.names}
        for item in items:
            made[os.path.basename(item.file)].append(item.data)
        return {name: self.files[name] if b"".join(data) == self.files[name] else b"".join(data) for name, data in made.items()}

    def anchor(self, seq: int) -> dict[str, t.Any]:
        return {"seq": seq, "hash": self.hashes[seq]}

    @property
    def head(self) -> dict[str, t.Any]:
        return self.anchor(max(self.hashes))

    def records(self) -> list[int]:
        """Where the records stand among the items."""
        return [index for index, item in enumerate(self.items) if not item.torn]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[Log]:
    folder = tmp_path_factory.mktemp("logs")
    chosen = random.Random(2026)
    made = [Log(folder / str(number), chosen) for number in range(40)]
    assert sum(len(log.names) > 1 for log in made) > 10
    assert sum(any(item.torn for item in log.items) for log in made) > 10
    return made


Place = tuple[str, int, int]


def _place(item: Item) -> Place:
    return item.file, item.line, item.offset


def _found(verdict: Verdict) -> tuple[int, Place]:
    bad = verdict.first_bad
    assert not verdict.verified and bad is not None
    assert verdict.records == (verdict.head or {"seq": 0})["seq"] < bad["seq"]
    assert bad["reason"].endswith(".")
    return bad["seq"], (bad["file"], bad["line"], bad["offset"])


def _byte(log: Log, chosen: random.Random) -> tuple[dict[str, bytes], set[int], set[Place]]:
    item = chosen.choice(log.items)
    # The last bytes of a line are where most can go wrong.
    at = chosen.choice([chosen.randrange(len(item.data)), len(item.data) - 1 - chosen.randrange(min(8, len(item.data)))])
    other = chosen.choice([byte for byte in (10, 0, 255, chosen.randrange(256), item.data[at] ^ 1, 125) if byte != item.data[at]])
    changed = item._replace(data=item.data[:at] + bytes([other]) + item.data[at + 1 :])
    items = [changed if one is item else one for one in log.items]
    # A record that lost its newline to a torn line behind it looks like one more of the torn lines before it.
    grouped = item.torn or at == len(item.data) - 1
    places = {_place(item)} | ({_place(log.items[item.group])} if grouped else set())
    return log.joined(items), {item.seq}, places


def _remove(log: Log, chosen: random.Random) -> tuple[dict[str, bytes], set[int], set[Place]]:
    index = chosen.choice(log.records()[:-1])
    item = log.items[index]
    items = [one for one in log.items if one is not item]
    if item.group != index:
        return log.joined(items), {item.seq}, {_place(log.items[item.group])}
    # Torn lines behind it are still bound by the record after them, which is the one that does not follow.
    place = next(at for at in range(index, len(items)) if not items[at].torn)
    after = items[place]
    moved = (after.file, after.line - 1, after.offset - len(item.data)) if after.file == item.file else _place(after)
    return log.joined(items), {item.seq}, {moved}


def _forged(log: Log, item: Item, chosen: random.Random) -> bytes:
    """A line to stand before the record *item*: a copy of another, or a new one whose hash is right, whose place is right, or neither."""
    kind = chosen.randrange(5)
    if kind == 0:
        return log.items[chosen.choice(log.records())].data
    if kind == 1:
        return bytes(chosen.choice(b'{}"hash:\0\xff#') for _byte in range(chosen.randrange(40))) + chosen.choice([b"\n", TORN])
    linked = kind == 2
    prev = log.hashes.get(item.seq - 1, chain.ZERO) if linked else chosen.choice([*log.hashes.values(), "ab" * 32])
    seq = item.seq if linked else chosen.randrange(1, 30)
    healed = {"bytes": 5, "sha256": "ab" * 32} if chosen.random() < 0.2 else None
    line, _link = chain.render({"forged": True}, seq=seq, prev=prev, time="2026-01-15T03:15:00.000000+00:00", healed=healed)
    return line if kind < 4 else line.replace(b'{"hash":"', b'{"hash":"0', 1)


def _insert(log: Log, chosen: random.Random) -> tuple[dict[str, bytes], set[int], set[Place]]:
    index = chosen.choice(log.records())
    item = log.items[index]
    made = item._replace(data=_forged(log, item, chosen))
    items = [*log.items[:index], made, *log.items[index:]]
    link = chain.link(made.data[:-1])
    fits = link is not None and link.seq == item.seq and link.prev == log.hashes.get(item.seq - 1, chain.ZERO)
    if item.group != index:
        # A whole record there does not bind the torn lines before it; a line of rubbish is found by itself.
        places = {_place(log.items[item.group]), _place(item)}
    elif fits and b'"healed":{"bytes"' not in made.data:
        # Nobody can tell it from the true one, until the true one comes.
        return log.joined(items), {item.seq + 1}, {(item.file, item.line + 1, item.offset + len(made.data))}
    else:
        places = {_place(item)}
    if link is not None and made.data == item.data and item.group != index:
        # A copy of the healing record itself: it is right, and its twin behind it is not.
        return log.joined(items), {item.seq + 1}, {(item.file, item.line + 1, item.offset + len(made.data))}
    return log.joined(items), {item.seq}, places


def _swap(log: Log, chosen: random.Random) -> tuple[dict[str, bytes], set[int], set[Place]]:
    first, second = sorted(chosen.sample(log.records(), 2))
    one, two = log.items[first], log.items[second]
    items = list(log.items)
    items[first], items[second] = one._replace(data=two.data), two._replace(data=one.data)
    places = {_place(log.items[one.group])} if one.group != first else {_place(one)}
    return log.joined(items), {one.seq}, places


def _cut(log: Log, chosen: random.Random) -> tuple[dict[str, bytes], set[int], set[Place]]:
    """Cut anywhere, through whole files too."""
    item = chosen.choice(log.items)
    at = chosen.randrange(len(item.data))
    name = os.path.basename(item.file)
    kept = log.names[: log.names.index(name) + 1]
    files = {other: log.files[other] for other in kept}
    files[name] = files[name][: item.offset + at]
    if not files[name] and chosen.random() < 0.5:
        del files[name]
    places = {_place(item), _place(log.items[item.group])}
    if at == 0 and item.line == 1:
        # Nothing of this file is left: what is missing begins behind the file before it.
        before = [other for other in log.items if os.path.basename(other.file) in kept[:-1]]
        places |= {(before[-1].file, before[-1].line + 1, before[-1].offset + len(before[-1].data))} if before else {(log.path, 1, 0)}
    return files, {item.seq, log.head["seq"]}, places


ATTACKS = {"byte": _byte, "remove": _remove, "insert": _insert, "swap": _swap, "cut": _cut}


@pytest.mark.parametrize("attack", [*ATTACKS, "replace"])
def test_it_is_found_every_time_at_the_right_place(logs: list[Log], attack: str) -> None:
    chosen = random.Random(f"{attack} 2026")
    for log in logs:
        assert verify(log.path, [log.head])[:4] == (True, log.head, log.head["seq"], None)
    trials = -(-TRIALS // (len(ATTACKS) + 1))
    for trial in range(trials):
        log = chosen.choice(logs)
        if attack == "replace":
            _replaced(log, chosen.choice([one for one in logs if one is not log]), chosen)
            continue
        files, numbers, places = ATTACKS[attack](log, chosen)
        log.write(files)
        # Only a cut needs somebody who remembers.
        seq, place = _found(verify(log.path, [log.head] if attack == "cut" else []))
        assert seq in numbers and place in places, f"trial {trial}: {seq} {place}, expected {numbers} {places}"
    for log in logs:
        log.write(log.files)
        assert verify(log.path, [log.anchor(seq) for seq in log.hashes]).verified


def _replaced(log: Log, other: Log, chosen: random.Random) -> None:
    """Another valid log in the place of this one: an anchor of this one names the record, whichever it is."""
    anchor = log.anchor(chosen.choice(list(log.hashes)))
    seq, place = _found(verify(other.path, [anchor]))
    assert seq == anchor["seq"]
    there = [item for item in other.items if not item.torn and item.seq == seq]
    last = other.items[-1]
    expected = _place(there[0]) if there else (last.file, last.line + 1, last.offset + len(last.data))
    assert place == expected


def test_a_log_that_was_written_anew_is_found_by_any_anchor(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "audit.jsonl")
    anchors = [append(path, {"number": number}) for number in range(10)]
    shutil.copy(path, tmp_path / "kept")
    pathlib.Path(path).unlink()
    for number in range(10):
        append(path, {"number": number if number != 4 else "another"})
    assert verify(path).verified
    for anchor in anchors:
        assert _found(verify(path, [anchor]))[0] == anchor["seq"]
    assert _found(verify(path, reversed(anchors)))[0] == 1
    pathlib.Path(path).unlink()
    assert _found(verify(path, anchors[3:])) == (4, (path, 1, 0))


def test_two_different_memories_of_one_record_cannot_both_be_right(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "audit.jsonl")
    made = append(path, {})
    assert verify(path, [made, dict(made)]).verified
    assert not verify(path, [made, {**made, "hash": "0" * 64}]).verified


@pytest.mark.parametrize("seq", [0, -1, "x", None])
def test_an_anchor_that_is_none_is_an_error_of_the_caller(tmp_path: pathlib.Path, seq: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        verify(str(tmp_path / "audit.jsonl"), [{"seq": seq, "hash": "x"}])


def test_a_missing_file_of_an_old_time_is_found(logs: list[Log]) -> None:
    log = next(log for log in logs if len(log.names) > 3)
    for name in log.names[:-1]:
        log.write({other: data for other, data in log.files.items() if other != name})
        seq, place = _found(verify(log.path))
        following = log.names[log.names.index(name) + 1]
        assert place == (str(log.folder / following), 1, 0)
        assert seq == int(name.rsplit(".", 1)[1])
    log.write(log.files)
    assert verify(log.path).verified


def test_what_is_read_while_others_write_is_right(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "audit.jsonl")
    append(path, {})
    child = os.fork()
    if child == 0:
        for number in range(600):
            append(path, {"number": number})
            if number % 50 == 0:
                rotate(path, 0)
        os._exit(0)
    counts = set()
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        verdict = verify(path)
        assert verdict.verified, verdict.first_bad
        counts.add(verdict.records)
    assert len(counts) > 3
    assert verify(path).records == 601


def test_a_log_that_cannot_be_read_raises(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "audit.jsonl")
    append(path, {})
    rotate(path, 0)
    append(path, {})
    segment = f"{path}.000000000001"
    os.rename(segment, tmp_path / "moved")
    os.symlink(tmp_path / "moved", segment)
    with pytest.raises(OSError):
        verify(path)


def _forged_line(path: str, body: bytes) -> bytes:
    """A line behind the head of the log whose hash is right, whatever stands in it."""
    before = verify(path).head
    assert before is not None
    covered = b'"prev":"%s","seq":%d,' % (before["hash"].encode(), before["seq"] + 1) + body
    return b'{"hash":"%s",' % hashlib.sha256(b"{" + covered).hexdigest().encode() + covered + b"\n"


@pytest.mark.parametrize("body", [b"THIS IS NO JSON", b'"phase":"outcome"', b"THIS IS}"])
def test_a_line_with_a_right_hash_that_is_no_json_is_no_record(tmp_path: pathlib.Path, body: bytes) -> None:
    path = str(tmp_path / "audit.jsonl")
    append(path, {})
    line = _forged_line(path, body)
    with open(path, "ab") as handle:
        handle.write(line)
    append(path, {})
    verdict = verify(path, parse=True)
    assert _found(verdict)[0] == 2 and "is no JSON" in (verdict.first_bad or {})["reason"]


@pytest.mark.parametrize("tail", [b"", b"x", b"}}}", b'{"hash":"' + b"}" * 500])
def test_a_whole_record_that_was_made_a_torn_line_is_found(tmp_path: pathlib.Path, tail: bytes) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(3):
        append(str(path), {"number": number, "nested": {"a": {}}})
    kept = path.read_bytes()
    path.write_bytes(kept[:-1] + tail + TORN)
    append(str(path), {})
    verdict = verify(str(path))
    assert _found(verdict) == (3, (str(path), 3, kept.index(b'\n{"hash"', kept.index(b"\n") + 1) + 1))
    assert "whole record, number 3" in (verdict.first_bad or {})["reason"]


def test_what_a_crash_left_is_listed_with_the_record_that_heals_it(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "audit.jsonl")
    for piece in (b'{"hash":"', b"", b"x"):
        append(path, {})
        with open(path, "ab") as handle:
            handle.write(piece)
    append(path, {})
    assert verify(path).healed == [{"seq": 2, "bytes": 9 + len(TORN)}, {"seq": 4, "bytes": 1 + len(TORN)}]


def test_who_remembers_another_record_is_named_and_who_agrees_too(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "audit.jsonl")
    made = [append(path, {"number": number}) for number in range(6)]
    wrong = {"seq": 3, "hash": "0" * 64, "by": "b"}
    verdict = verify(path, [{**made[1], "by": "a"}, wrong, {**made[2], "by": "c"}, {**made[5], "by": "d"}])
    assert _found(verdict)[0] == 3 and verdict.records == 2
    bad = verdict.first_bad or {}
    assert (bad["by"], bad["agree"]) == (["b"], ["c", "d"])
    assert "remembered differently by b" in bad["reason"] and "c and d agree" in bad["reason"]
    alone = verify(path, [{**made[1], "by": "a"}, wrong]).first_bad or {}
    assert alone["agree"] == [] and "is not the one that was remembered by b" in alone["reason"]
    # The log goes wrong behind: who agrees is known up to there.
    with open(path, "ab") as handle:
        handle.write(b"junk\n")
    assert (verify(path, [wrong, {**made[2], "by": "c"}]).first_bad or {})["agree"] == ["c"]


def test_whoever_knows_how_the_log_began_knows_a_log_that_was_written_anew(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "audit.jsonl")
    made = [append(path, {"number": number}) for number in range(3)]
    assert first(path) == made[0]["hash"]
    assert verify(path, [{**made[2], "first": made[0]["hash"]}]).verified
    assert _found(verify(path, [{**made[2], "first": "0" * 64}]))[0] == 1
    rotate(path, 0)
    append(path, {})
    assert first(path) == made[0]["hash"]
