# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records form one chain: many writers, kills, full disks, rotation and hostile content included."""

from __future__ import annotations

import fcntl
import hashlib
import json
import multiprocessing
import os
import pathlib
import random
import resource
import signal
import stat
import struct
import subprocess
import sys
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._trail import chain
from ansible_collections.day2.codex.plugins.module_utils._trail.log import append, append_all, head, records, rotate
from ansible_collections.day2.codex.plugins.module_utils._trail.verify import verify

FORK = multiprocessing.get_context("fork")
PLUGINS = pathlib.Path(__file__).resolve().parents[5] / "plugins"


@pytest.fixture
def log(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "audit.jsonl")


def _bytes(log: str) -> bytes:
    return pathlib.Path(log).read_bytes()


def _add(log: str, tail: bytes) -> None:
    with open(log, "ab") as handle:
        handle.write(tail)


# --- the form of a line -----------------------------------------------------------------------------------------------


def test_a_line_is_what_is_written_down(log: str) -> None:
    first = append(log, {"phase": "intent", "b": {"y": 1, "x": "é\udcff\u202e\n"}})
    second = append(log, {"seq": 7, "hash": "x", "prev": "y", "healed": {"bytes": 1}, "version": 9, "time": "never"})
    lines = _bytes(log).split(b"\n")
    assert len(lines) == 3 and lines[2] == b""
    prev = "0" * 64
    for number, (line, made) in enumerate(zip(lines, (first, second)), 1):
        assert made == {"seq": number, "hash": hashlib.sha256(b"{" + line[75:]).hexdigest()}
        assert line.startswith(f'{{"hash":"{made["hash"]}","prev":"{prev}","seq":{number},'.encode())
        rest = {key: value for key, value in json.loads(line).items() if key not in ("hash", "prev", "seq")}
        assert line.endswith(json.dumps(rest, sort_keys=True, separators=(",", ":"))[1:].encode("ascii"))
        assert rest["version"] == 1 and rest["time"].endswith("+00:00") and len(rest["time"]) == 32
        assert "healed" not in rest
        prev = made["hash"]
    assert head(log) == second
    assert verify(log)[:4] == (True, second, 2, None)


def test_records_that_are_appended_together_are_as_if_one_came_after_the_other(log: str) -> None:
    _add(log, b'{"hash":"torn')
    copies: list[str] = []
    made = append_all(log, [{"n": 1}, {"n": 2}, {"n": 3}], copies.append)
    made += [append(log, {"n": 4})]
    assert [record["n"] for record in records(log)] == [1, 2, 3, 4]
    assert verify(log, made)[:4] == (True, made[-1], 4, None)
    assert "".join(f"{copy}\n" for copy in copies).encode() == b"".join(_bytes(log).splitlines(True)[1:4])
    assert [record.get("healed") is not None for record in records(log)] == [True, False, False, False]


def test_the_log_is_readable_by_its_group_and_nobody_else_whatever_the_umask(log: str) -> None:
    for umask in (0o077, 0o000):
        before = os.umask(umask)
        try:
            append(f"{log}{umask}", {})
        finally:
            os.umask(before)
        assert stat.S_IMODE(os.stat(f"{log}{umask}").st_mode) == 0o640


@pytest.mark.parametrize("work", [lambda log: append(log, {}), lambda log: rotate(log, 0), head, verify, lambda log: list(records(log))])
def test_what_is_no_file_is_refused_in_the_place_of_the_log(tmp_path: pathlib.Path, log: str, work: t.Callable[[str], object]) -> None:
    append(log, {})
    before = _bytes(log)
    (tmp_path / "link").symlink_to(log)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "new")
    for name in ("link", "fifo", "folder", "dangling"):
        with pytest.raises(OSError):
            work(str(tmp_path / name))
    assert _bytes(log) == before
    assert not (tmp_path / "new").exists()


def test_no_log_is_an_empty_one(tmp_path: pathlib.Path) -> None:
    for path in (tmp_path / "none", tmp_path / "no" / "folder"):
        assert head(str(path)) is None and list(records(str(path))) == [] and not rotate(str(path), 0)
        assert verify(str(path))[:4] == (True, None, 0, None)


def _deep(levels: int) -> t.Any:
    value: t.Any = "bottom"
    for _level in range(levels):
        value = [value]
    return value


HOSTILE: dict[str, t.Any] = {
    "newlines": "a\nb\r\nc\u2028d\x85e\x0c",
    "nul": "\0" * 1000,
    "surrogates": "\udfff\ud800x\udcff",
    "a line of ours": '{"hash":"' + "0" * 64 + '","prev":"' + "0" * 64 + '","seq":1,"a":1}\n#torn\n',
    "healed": {"healed": {"bytes": 1, "sha256": "x"}, "x": '"healed":{'},
    "ten million characters": "\u202e" * 10_000_000,
    "deep": _deep(120),
    "too deep": _deep(100_000),
    "numbers": [float("nan"), float("inf"), -(10**5000), 1e308, True, None],
    "keys": {1: "a", None: "b", ("x", 2): "c", "\n": "d", "2": "e"},
    "not json": [{1, 2}, b"\xff\n", object(), pathlib.Path("/x")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_content_breaks_a_line(log: str, name: str) -> None:
    append(log, {"before": 1})
    made = append(log, {"content": HOSTILE[name], name: 1, "\n": 2})
    append(log, {"after": 1})
    text = _bytes(log)
    assert text.isascii() and text.count(b"\n") == 3
    assert verify(log, [made]).verified
    found = [record["seq"] for record in records(log)]
    assert found == [1, 2, 3]
    if name in ("newlines", "nul", "surrogates", "a line of ours", "healed", "deep"):
        assert list(records(log, after_seq=1))[0]["content"] == HOSTILE[name]


def test_a_record_that_no_reader_could_hold_is_refused_and_leaves_nothing(log: str) -> None:
    append(log, {})
    before = _bytes(log)
    with pytest.raises(OSError, match="longer than"):
        append(log, {"content": "x" * chain.MAX_LINE})
    assert _bytes(log) == before


def test_a_record_larger_than_a_block_is_found_again(log: str) -> None:
    for size in (65536, 300000, 70000, 0, 65536 * 2 - 400):
        made = append(log, {"a": "x" * size})
        assert head(log) == made
    assert verify(log).records == 5


def test_the_copy_for_the_syslog_is_the_line_once_it_is_on_disk(log: str) -> None:
    seen: list[tuple[str, bytes]] = []
    append(log, {"a": 1}, lambda line: seen.append((line, _bytes(log))))
    assert seen[0][0].encode() + b"\n" == seen[0][1]


# --- torn and foreign bytes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [b"{", b'{"seq": 99, "ha', b"x" * 200_000, b"\0" * 5000, b"\xff\xfe", b"a#torn", b"}"])
@pytest.mark.parametrize("whole", [0, 3])
def test_a_torn_line_is_left_standing_and_bound_by_the_next_record(log: str, tail: bytes, whole: int) -> None:
    for number in range(whole):
        append(log, {"number": number})
    _add(log, tail)
    before = _bytes(log)
    assert not verify(log).verified
    made = append(log, {"number": "after"})
    assert made["seq"] == whole + 1
    assert _bytes(log).startswith(before + b"#torn\n")
    healed = list(records(log))[-1]["healed"]
    assert healed == {"bytes": len(tail) + 6, "sha256": hashlib.sha256(tail + b"#torn\n").hexdigest()}
    append(log, {})
    assert verify(log, [made])[:4] == (True, head(log), whole + 2, None)


def test_torn_lines_one_after_the_other_are_bound_together(log: str) -> None:
    append(log, {})
    torn = b'{"hash":"a#torn\n{"hash":"b#to#torn\n{"ha'
    _add(log, torn)
    made = append(log, {})
    assert list(records(log))[-1]["healed"]["bytes"] == len(torn + b"#torn\n")
    assert verify(log)[:4] == (True, made, 2, None)


def test_a_record_that_lacks_only_its_newline_stays_a_record(log: str) -> None:
    append(log, {"a": 1})
    last = append(log, {"a": 2})
    os.truncate(log, os.stat(log).st_size - 1)
    assert head(log) == last
    assert append(log, {"a": 3})["seq"] == 3
    assert b"#torn" not in _bytes(log) and b"healed" not in _bytes(log)
    assert verify(log, [last]).verified


@pytest.mark.parametrize(
    "tail",
    [b"\n", b"5\n", b"[]\n", b"\xff\xff\n", b"[" * 50000 + b"\n", b'{"seq":2,"hash":"x"}\n', b"x" * 200000 + b"\n", b"x\ny", b"#torn\nx\n#torn\n", b"torn\n"],
)
def test_bytes_that_no_crash_leaves_are_never_explained_away(log: str, tail: bytes) -> None:
    append(log, {"a": 1})
    offset = len(_bytes(log))
    _add(log, tail)
    assert append(log, {"a": 2})["seq"] == 2
    assert tail in _bytes(log)
    verdict = verify(log)
    assert not verdict.verified and verdict.first_bad is not None
    assert offset <= verdict.first_bad["offset"] < offset + len(tail)
    assert [record["a"] for record in records(log) if "a" in record] == [1, 2]


def test_a_changed_byte_in_the_last_record_is_found_after_the_next_append_too(log: str) -> None:
    append(log, {"a": 1})
    offset = len(_bytes(log))
    append(log, {"a": "some words"})
    good = _bytes(log)
    chosen = random.Random(7)
    for position in [*chosen.sample(range(offset, len(good)), 60), len(good) - 1, len(good) - 2]:
        pathlib.Path(log).write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        append(log, {"a": 3})
        bad = verify(log).first_bad
        assert bad is not None and (bad["seq"], bad["line"], bad["offset"]) == (2, 2, offset), position


# --- crashes, disks, attributes ---------------------------------------------------------------------------------------


def _within(limit: int, log: str, record: dict[str, t.Any]) -> int:
    """Append in a process that cannot make files longer than *limit*; the number of the error."""
    child = os.fork()
    if child == 0:
        code = 0
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            append(log, record)
        except OSError as error:
            code = error.errno or 255
        except BaseException:
            code = 254
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_full_disk_leaves_a_torn_line_that_the_next_record_heals(log: str) -> None:
    append(log, {"a": 1})
    chosen = random.Random(3)
    for _round in range(40):
        size = os.stat(log).st_size
        # Sometimes there is no room for one byte, sometimes it fills up in the middle of healing, sometimes all fits.
        assert _within(size + chosen.choice([0, 1, 3, 7, chosen.randrange(400), 100_000]), log, {"a": "x" * 100}) in (0, 27)
        if chosen.random() < 0.3:
            append(log, {"a": "room again"})
    made = append(log, {"a": "end"})
    assert verify(log)[:4] == (True, made, made["seq"], None)
    assert b"#torn\n" in _bytes(log)


def _one_large(log: str, pipe: int) -> None:
    for number in range(1000):
        made = append(log, {"number": number, "a": "x" * 3_000_000})
        os.write(pipe, f"{made['seq']} {made['hash']}\n".encode())


def test_a_kill_at_any_moment_loses_no_acknowledged_record(log: str) -> None:
    chosen = random.Random(11)
    acknowledged: list[dict[str, t.Any]] = []
    for _round in range(15):
        reading, writing = os.pipe()
        child = FORK.Process(target=_one_large, args=(log, writing))
        child.start()
        os.close(writing)
        data = os.read(reading, 65536)
        time.sleep(chosen.random() * 0.03)
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        while block := os.read(reading, 65536):
            data += block
        os.close(reading)
        acknowledged += [{"seq": int(line.split()[0]), "hash": line.split()[1]} for line in data.decode().splitlines()]
        rotate(log, 30_000_000)
    append(log, {})
    assert len(acknowledged) >= 15
    assert verify(log, acknowledged).verified


def _set_append_only(path: str, on: bool) -> bool:
    """Set or take away the append-only attribute, where root may and the file system has it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flags = struct.unpack("l", fcntl.ioctl(descriptor, 0x80086601, b"\0" * 8))[0]
        fcntl.ioctl(descriptor, 0x40086602, struct.pack("l", flags | 0x20 if on else flags & ~0x20))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_the_append_only_attribute_forbids_nothing_of_ours(log: str, record_property: t.Callable[[str, object], None]) -> None:
    append(log, {"a": 1})
    append_only = _set_append_only(log, True)
    record_property("append_only", append_only)
    try:
        append(log, {"a": 2})
        assert _within(os.stat(log).st_size + 40, log, {"a": 3}) == 27
        made = append(log, {"a": 4})
        assert verify(log)[:4] == (True, made, 3, None)
        if append_only:
            with pytest.raises(PermissionError):
                os.truncate(log, 10)
        assert rotate(log, 0)
        made = append(log, {"a": 5})
        assert verify(log)[:4] == (True, made, 4, None)
        if append_only:
            # The new file has it, and the old one keeps it.
            for name in (log, f"{log}.000000000001"):
                with pytest.raises(PermissionError):
                    os.truncate(name, 10)
    finally:
        for name in (log, f"{log}.000000000001"):
            if os.path.exists(name):
                _set_append_only(name, False)


# --- rotation ---------------------------------------------------------------------------------------------------------


def test_rotation_keeps_the_chain(log: str) -> None:
    assert not rotate(log, 0)
    for number in range(1, 10):
        made = append(log, {"number": number})
        assert not rotate(log, 100_000)
        if number % 3 == 0:
            assert rotate(log, 100)
            assert head(log) == made
    names = sorted(os.listdir(os.path.dirname(log)))
    assert names == ["audit.jsonl", *(f"audit.jsonl.{seq:012d}" for seq in (1, 4, 7))]
    append(log, {"number": 10})
    assert [record["number"] for record in records(log)] == list(range(1, 11))
    assert [record["number"] for record in records(log, after_seq=7)] == [8, 9, 10]
    assert verify(log, [made])[:4] == (True, head(log), 10, None)


def test_a_file_that_ends_in_a_torn_line_is_not_rotated_until_it_is_healed(log: str) -> None:
    append(log, {})
    _add(log, b"{")
    assert not rotate(log, 0)
    append(log, {})
    assert rotate(log, 0)
    append(log, {})
    assert verify(log).verified


def _dies(log: str, after: int) -> bool:
    """Rotate in a process that dies after so many calls out of Python; whether it died."""
    child = os.fork()
    if child == 0:
        left = [after]

        def count(frame: t.Any, event: str, argument: object) -> None:
            del frame, argument
            left[0] -= event == "c_call"
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        rotate(log, 0)
        sys.setprofile(None)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_rotation_that_dies_anywhere_leaves_a_log_that_is_whole(tmp_path: pathlib.Path) -> None:
    points, died = 0, True
    while died:
        folder = tmp_path / str(points)
        folder.mkdir()
        log = str(folder / "audit.jsonl")
        made = [append(log, {"number": number}) for number in range(3)]
        _set_append_only(log, True)
        try:
            died = _dies(log, points)
            assert verify(log, made)[:4] == (True, made[-1], 3, None), points
            assert [record["number"] for record in records(log)] == [0, 1, 2], points
            # Whoever writes next, and whoever rotates next, finds nothing in the way.
            made.append(append(log, {"number": 3}))
            assert rotate(log, 0)
            made.append(append(log, {"number": 4}))
            assert verify(log, made)[:4] == (True, made[-1], 5, None), points
            assert not os.path.exists(f"{log}.new")
        finally:
            for name in folder.iterdir():
                _set_append_only(str(name), False)
        points += 1
    assert points > 40


def test_a_rotation_never_overwrites(log: str) -> None:
    append(log, {})
    pathlib.Path(f"{log}.000000000001").write_text("x")
    with pytest.raises(FileExistsError):
        rotate(log, 0)
    assert pathlib.Path(f"{log}.000000000001").read_text() == "x"


def test_the_new_file_belongs_to_whom_the_old_one_belonged(log: str) -> None:
    append(log, {})
    os.chmod(log, 0o660)
    if os.geteuid() == 0:
        os.chown(log, 1234, 2345)
    assert rotate(log, 0)
    append(log, {})
    before, after = os.stat(f"{log}.000000000001"), os.stat(log)
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (before.st_uid, before.st_gid, 0o660)


# --- many writers -----------------------------------------------------------------------------------------------------


def _writer(log: str, pipe: int, name: int, count: int) -> None:
    for number in range(count):
        made = append(log, {"writer": name, "number": number, "text": "x" * (number % 300)})
        os.write(pipe, f"{name} {number} {made['seq']} {made['hash']}\n".encode())


def _rotator(log: str, stop: t.Any) -> None:
    while not stop.is_set():
        rotate(log, 20_000)


def _written(log: str, writers: int, count: int, kill_after: int | None) -> dict[tuple[int, int], dict[str, t.Any]]:
    """Let *writers* append at once; what they acknowledged. One is killed once it has acknowledged *kill_after*."""
    reading, writing = os.pipe()
    children = [FORK.Process(target=_writer, args=(log, writing, name, count)) for name in range(writers)]
    for child in children:
        child.start()
    os.close(writing)
    acknowledged: dict[tuple[int, int], dict[str, t.Any]] = {}
    victim = children[writers // 2]
    with open(reading, encoding="ascii") as lines:
        for line in lines:
            name, number, seq, digest = line.split()
            acknowledged[int(name), int(number)] = {"seq": int(seq), "hash": digest}
            if kill_after is not None and (int(name), int(number)) == (writers // 2, kill_after):
                time.sleep(random.Random(5).random() * 0.005)
                os.kill(victim.pid or 0, signal.SIGKILL)
    for child in children:
        child.join()
    assert victim.exitcode == (0 if kill_after is None else -signal.SIGKILL)
    return acknowledged


def _hold(log: str, acknowledged: dict[tuple[int, int], dict[str, t.Any]]) -> None:
    verdict = verify(log, acknowledged.values())
    assert verdict.verified, verdict.first_bad
    found = {(record["writer"], record["number"]): record["seq"] for record in records(log)}
    assert verdict.records == len(found)
    assert {key: made["seq"] for key, made in acknowledged.items()}.items() <= found.items()
    # One killed writer may have written a record without living to say so.
    assert len(found) - len(acknowledged) <= 1


def test_sixteen_writers_and_a_kill_leave_one_chain_with_every_acknowledged_record(log: str) -> None:
    acknowledged = _written(log, writers=16, count=1000, kill_after=random.Random(17).randrange(300, 600))
    assert 15_300 <= len(acknowledged) < 16_000
    _hold(log, acknowledged)


def test_rotation_while_others_append_loses_nothing(log: str) -> None:
    stop = FORK.Event()
    rotators = [FORK.Process(target=_rotator, args=(log, stop)) for _number in range(2)]
    for child in rotators:
        child.start()
    acknowledged = _written(log, writers=4, count=250, kill_after=None)
    stop.set()
    for child in rotators:
        child.join()
        assert child.exitcode == 0
    # It was rotated, and more than once: how often, the scheduler decides.
    assert len(os.listdir(os.path.dirname(log))) >= 3
    assert len(acknowledged) == 1000
    _hold(log, acknowledged)


def test_a_child_that_was_forked_during_an_append_does_not_keep_the_lock(log: str) -> None:
    children: list[int] = []
    reading, writing = os.pipe()

    class Forks:
        """Its text is asked for while the log is locked."""

        def __str__(self) -> str:
            child = os.fork()
            if child == 0:
                os.read(reading, 1)
                os._exit(0)
            children.append(child)
            return "forked"

    append(log, {"a": Forks()})
    started = time.monotonic()
    assert append(log, {})["seq"] == 2
    assert time.monotonic() - started < 5
    os.write(writing, b"x")
    os.waitpid(children[0], 0)
    os.close(reading)
    os.close(writing)


# --- large logs -------------------------------------------------------------------------------------------------------

MEASURE = r"""
import re, sys
sys.path.insert(0, sys.argv[1])
from module_utils._trail.log import records
from module_utils._trail.verify import verify
if sys.argv[3] == "verify":
    verdict = verify(sys.argv[2])
    count = verdict.records
else:
    count = sum(1 for _record in records(sys.argv[2]))
# Not ru_maxrss: a child that was started by vfork begins with its parent's.
print(count, int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[tuple[str, int]]:
    """A log of 200 MB, and how many records it has."""
    path = tmp_path_factory.mktemp("large") / "audit.jsonl"
    seq, prev, size = 0, chain.ZERO, 0
    record = {"phase": "outcome", "attempts": [{"command": "x" * 180, "status": "denied"}] * 8}
    with path.open("wb") as handle:
        while size < 200_000_000:
            seq += 1
            line, made = chain.render(record, seq=seq, prev=prev, time="2026-01-15T03:15:00.000000+00:00", healed=None)
            prev = made.hash
            size += handle.write(line)
    yield str(path), seq
    path.unlink()


@pytest.mark.parametrize("what", ["verify", "records"])
def test_a_large_log_takes_little_memory(large: tuple[str, int], what: str) -> None:
    path, count = large
    done = subprocess.run([sys.executable, "-c", MEASURE, str(PLUGINS), path, what], capture_output=True, text=True, check=True)
    found, megabytes = map(int, done.stdout.split())
    assert found == count
    assert megabytes < 50


def test_one_endless_line_takes_little_memory(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.jsonl"
    append(str(path), {})
    os.truncate(path, 400_000_000)
    for what, count in (("verify", 1), ("records", 1)):
        done = subprocess.run([sys.executable, "-c", MEASURE, str(PLUGINS), str(path), what], capture_output=True, text=True, check=True)
        found, megabytes = map(int, done.stdout.split())
        assert found == count
        assert megabytes < 250
    assert append(str(path), {})["seq"] == 2
    bad = verify(str(path)).first_bad
    assert bad is not None and (bad["seq"], bad["line"]) == (2, 2)
