# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""codex-ops says what is wrong in a sentence, with the right status, whatever it is given."""

from __future__ import annotations

import json
import os
import pathlib
import random
import signal
import string
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._cli import texts
from ansible_collections.day2.codex.plugins.module_utils._cli.main import main
from ansible_collections.day2.codex.plugins.module_utils._cli.slices import read_json
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates.budget import Budget
from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox
from ansible_collections.day2.codex.plugins.module_utils._trail.log import append

Said = tuple[int, str, str]


@pytest.fixture(name="run")
def _run(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> t.Iterator[t.Callable[..., Said]]:
    """Runs codex-ops under a prefix of its own: (status, standard output, standard error)."""

    def run(*argv: str) -> Said:
        status = main(argv, None, str(tmp_path / "prefix"))
        said = capsys.readouterr()
        return status, said.out, said.err

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_the_help_names_every_part(run: t.Callable[..., Said]) -> None:
    for argv in ([], ["--help"], ["-h"]):
        status, out, err = run(*argv)
        assert (status, err) == (0, "")
        assert all(f"\n  {name} " in out for name in texts.PARTS)


@pytest.mark.parametrize("part", sorted(texts.PARTS))
def test_the_help_of_a_part_has_examples_that_are_command_lines(run: t.Callable[..., Said], part: str) -> None:
    status, out, err = run(part, "--help")
    assert (status, err) == (0, "")
    examples = [line.strip() for line in out.split("examples:")[1].splitlines() if line.strip().startswith("codex-ops")]
    assert examples
    for example in examples:
        words = example.split("  ")[0].split(" > ")[0].replace('"', "").split(" --reason ")[0].split(" --comment ")[0].split()[1:]
        status, out, err = run(*words, "--help")
        assert (status, err) == (0, ""), example


def test_the_version_names_release_and_digest(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--version"], ["--json", "--version"]):
        assert main(argv, "/opt/codex-ops/0.1.0-0123456789ab") == 0
        assert capsys.readouterr().out == "codex-ops 0.1.0 (0123456789ab)\n"


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["nothing"], "invalid choice"),
        (["plan"], "SLICE"),
        (["run"], "required"),
        (["run", "job-1", "--next"], "not allowed with"),
        (["plan", "inbox", "--tokens", "0"], "whole number"),
        (["plan", "inbox", "--timeout", "soon"], "15m"),
        (["audit", "verify", "--anchor", "7"], "SEQ:HASH"),
        (["inbox", "show"], "needs the ID of a job"),
        (["inbox", "show", "nothing"], "There is no job"),
        (["inbox", "list", "--state", "asleep"], "asleep"),
        (["kill-switch", "press"], "invalid choice"),
        (["approve", "20260115T031500Z-9f86d081", "--signature", "x"], "--statement"),
        (["approve", "20260115T031500Z-9f86d081", "--statement", "x"], "--signature"),
        (["plan", "/nowhere/slice.json"], "/nowhere/slice.json"),
        (["plan", "inbox", "--cassette", "/nowhere/tape.json"], "/nowhere/tape.json"),
        (["run", "--next", "--check"], "which job"),
        (["status", "--prefix", "relative"], "absolute path"),
        (["audit", "verify", "--prefix", "relative"], "absolute path"),
        (["status", "--verbose"], "--verbose"),
        (["plan", "nothing-installed"], "nothing-installed"),
        (["apply", "20260115T031500Z-9f86d081"], "There is no plan"),
        (["rollback", "20260115T031500Z-9f86d081"], "There is no backup"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_told_in_a_sentence_for_people_and_for_programs(run: t.Callable[..., Said], argv: list[str], says: str) -> None:
    status, out, err = run(*argv)
    assert status == 2, out + err
    assert says in err
    assert "Traceback" not in err
    status, out, _err = run(*argv, "--json")
    assert status == 2
    told = json.loads(out)
    assert told["outcome"] == "rejected"
    assert says in told["msg"]
    assert told["code"]


def test_no_arguments_at_all_make_it_stumble(run: t.Callable[..., Said]) -> None:
    chance = random.Random(4)
    words = [*texts.PARTS, "list", "show", "verify", "status", "--json", "--prefix", "--limit", "--next", "--slice", "--since", "--state"]
    words += ["\x1b[2J", "\ud800", "", "-"]
    for _round in range(300):
        argv = [chance.choice([*words, "".join(chance.choices(string.printable, k=6))]) for _word in range(chance.randrange(1, 5))]
        if "selftest" in argv or "engage" in argv:
            continue
        status, out, err = run(*argv)
        assert 0 <= status <= 7
        assert "Traceback" not in err and "did not expect" not in err + out, argv
        assert "\x1b" not in err + out


def test_a_host_without_anything_has_a_status(run: t.Callable[..., Said]) -> None:
    status, out, err = run("status")
    assert (status, err) == (0, "")
    assert "There is no policy" in out
    status, out, _err = run("--json", "status")
    told = json.loads(out)
    assert told["kill_switch"]["engaged"] is False
    assert told["policy"]["code"] == "policy_missing"
    assert told["plans"] is None and told["runs"] is None and told["inbox"] is None


def test_looking_changes_nothing(run: t.Callable[..., Said], tmp_path: pathlib.Path) -> None:
    for argv in (["status"], ["inbox", "list"], ["audit", "verify"], ["audit", "show"], ["kill-switch", "status"]):
        assert run(*argv)[0] == 0
    assert not (tmp_path / "prefix").exists()


def test_the_kill_switch_is_engaged_and_released_and_tells_scripts(run: t.Callable[..., Said], tmp_path: pathlib.Path) -> None:
    assert run("kill-switch", "status")[0] == 0
    assert run("kill-switch", "engage", "--reason", "wrong host\x1b[2J")[0] == 0
    assert (tmp_path / "prefix/etc/codex-ops/disabled").exists()
    status, _out, err = run("kill-switch", "status")
    assert status == 5 and "wrong host" in err and "\x1b" not in err
    assert "wrong host" in run("status")[1]
    for argv in (["run", "--next"], ["run", "--slice", "inbox"]):
        status, _out, err = run(*argv)
        assert status == (5 if "--next" in argv else 2), err
    assert run("kill-switch", "release")[0] == 0
    assert run("kill-switch", "status")[0] == 0
    assert run("audit", "verify")[0] == 0


def test_a_log_that_was_changed_is_told(run: t.Callable[..., Said], tmp_path: pathlib.Path) -> None:
    run("kill-switch", "engage")
    run("kill-switch", "release")
    log = tmp_path / "prefix/var/log/codex-ops/audit.jsonl"
    log.write_bytes(log.read_bytes().replace(b"released", b"relieved", 1))
    status, _out, err = run("audit", "verify")
    assert status == 1 and "not as it was written" in err
    told = json.loads(run("audit", "verify", "--json")[1])
    assert (told["code"], told["verified"]) == ("log_tampered", False)


@pytest.mark.parametrize("argv", [["status"], ["audit", "show"], ["inbox", "list"]], ids=" ".join)
def test_what_is_broken_on_the_host_is_told_and_hides_nothing_else(run: t.Callable[..., Said], tmp_path: pathlib.Path, argv: list[str]) -> None:
    for name in ("var/lib/codex-ops/inbox.sqlite3", "var/lib/codex-ops/budget.sqlite3", "var/log/codex-ops/audit.jsonl", "etc/codex-ops/policy.json"):
        path = tmp_path / "prefix" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x00\xff" * 2000)
    folder = tmp_path / "prefix/var/lib/codex-ops/runs/20260115T031500Z-9f86d081"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_bytes(b"[" * 5000)
    status, out, err = run(*argv)
    assert "Traceback" not in out + err and "did not expect" not in out + err
    assert status == (1 if argv[0] == "inbox" else 0)
    if argv == ["status"]:
        assert "kill switch" in out and "not a database" in out and "policy.json" in out


@pytest.mark.parametrize("text", [b"", b"\xff", b"{", b'{"a": 1, "a": 2}', b"[" * 100000, b"name: inbox"])
def test_a_slice_that_is_no_json_is_told(tmp_path: pathlib.Path, text: bytes) -> None:
    path = tmp_path / "slice.yml"
    path.write_bytes(text)
    with pytest.raises(CodexOpsError) as caught:
        read_json(str(path), "slice", "slice_invalid")
    assert str(path) in str(caught.value)


COMMAND = """
import signal, sys
# Whoever runs the tests may ignore it.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = {path!r}
from ansible_collections.day2.codex.plugins.module_utils._cli.main import main
raise SystemExit(main(sys.argv[1:], None, {prefix!r}))
"""


def _start(tmp_path: pathlib.Path, *argv: str, **kwargs: t.Any) -> subprocess.Popen[bytes]:
    script = COMMAND.format(path=[path for path in sys.path if path], prefix=str(tmp_path / "prefix"))
    return subprocess.Popen([sys.executable, "-c", script, *argv], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **kwargs)


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: pathlib.Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with _start(tmp_path, "--help", stdout=writing) as child:
        os.close(writing)
        _out, err = child.communicate(timeout=30)
    assert err == b""
    assert child.returncode in (1, 120)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order_and_is_named(tmp_path: pathlib.Path, number: signal.Signals) -> None:
    fifo = tmp_path / "slice.json"
    os.mkfifo(fifo)
    with _start(tmp_path, "plan", str(fifo), stdout=subprocess.PIPE) as child:
        with fifo.open("wb"):
            # It reads now: whoever opens the other end waits for that.
            child.send_signal(number)
            _out, err = child.communicate(timeout=30)
    assert (child.returncode, err.decode()) == (1, f"codex-ops: Ended by {number.name}.\n")


def test_a_terminal_that_knows_no_unicode_gets_what_it_can_show(tmp_path: pathlib.Path) -> None:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict"}
    with _start(tmp_path, "plan", "\u4e2d\u202e", stdout=subprocess.PIPE, env=environment) as child:
        _out, err = child.communicate(timeout=30)
    assert child.returncode == 2
    assert b"Traceback" not in err and b"\\u4e2d" in err


LOADED = """
import io, sys
sys.path[:0] = {path!r}
before = set(sys.modules)
from ansible_collections.day2.codex.plugins.module_utils._cli.main import main
sys.stdout = io.StringIO()
status = main(["status"], None, {prefix!r})
sys.__stdout__.write(" ".join(sorted(set(sys.modules) - before)))
raise SystemExit(status)
"""


def test_a_status_loads_only_what_it_needs(tmp_path: pathlib.Path) -> None:
    """Monitoring asks often. Each of these alone costs a good part of starting Python."""
    etc, state = tmp_path / "prefix/etc/codex-ops", tmp_path / "prefix/var/lib/codex-ops"
    etc.mkdir(parents=True)
    state.mkdir(parents=True)
    (etc / "policy.json").write_text(json.dumps({"version": 1, "ad_hoc": "category"}), "utf-8")
    Inbox(str(state / "inbox.sqlite3")).enqueue("inbox", None, "one")
    Budget(str(state / "budget.sqlite3")).reserve("20260115T031500Z-9f86d081", 1, 10, 10, 1.0)
    script = LOADED.format(path=[path for path in sys.path if path], prefix=str(tmp_path / "prefix"))
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert any(name.endswith("_cli.status") for name in loaded)
    for name in ("argparse", "dataclasses", "inspect", "difflib", "jsonschema", "subprocess", "shutil", "ssl", "socket", "tempfile", "threading"):
        assert name not in loaded, name


def test_a_rotated_log_goes_on_and_is_verified(run: t.Callable[..., Said], tmp_path: pathlib.Path) -> None:
    log = tmp_path / "prefix/var/log/codex-ops/audit.jsonl"
    log.parent.mkdir(parents=True)
    made = append(str(log), {"phase": "outcome"})
    assert run("audit", "rotate", "--larger-than", "1M") == (0, "There was nothing to rotate.\n", "")
    status, out, _err = run("audit", "rotate", "--json")
    assert (status, json.loads(out)["changed"]) == (0, True)
    assert sorted(path.name for path in log.parent.iterdir()) == ["audit.jsonl", "audit.jsonl.000000000001"]
    append(str(log), {"phase": "outcome"})
    assert run("audit", "verify", "--anchor", f"1:{made['hash']}")[0] == 0


def test_a_log_that_cannot_be_rotated_says_so(run: t.Callable[..., Said], tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    append(str(log), {"phase": "outcome"})
    (tmp_path / "audit.jsonl.000000000001").mkdir()
    status, out, err = run("audit", "rotate", "--log", str(log))
    assert (status, out) == (1, "") and "could not be rotated, and is as it was" in err
