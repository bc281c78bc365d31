# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of running a program with limits."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent import _proc, family, process

ENV = {"PATH": "/usr/bin:/bin"}
#: A fraction of a second that marks the sleepers of this run of the tests.
MARK = f".{os.getpid()}"


def sh(script, **changes):
    fields = {"cwd": "/", "env": ENV, "timeout": 10.0, **changes}
    return process.run_limited(["/bin/sh", "-c", script], **fields)


@pytest.fixture(params=[True, False], ids=["cgroup", "no-cgroup"])
def cgroup(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(family, "_CGROUP_ROOTS", ())


def test_output_exit_code_and_input_come_through():
    done = sh("cat; echo err >&2; exit 3", stdin=b"in" * 100000, max_output=1 << 20)
    assert (done.exit_code, done.signal, done.stdout, done.stderr) == (3, None, b"in" * 100000, b"err\n")
    assert not done.timed_out and done.cancelled is None and not done.stdout_truncated


def test_without_input_there_is_nothing_to_read():
    assert sh("cat").exit_code == 0


def test_the_head_of_long_output_is_kept():
    done = sh("yes 1234567 | head -c 50000000; echo end >&2", max_output=1000)
    assert done.stdout == b"1234567\n" * 125 and done.stdout_truncated and not done.stderr_truncated and done.exit_code == 0


def test_a_program_that_is_not_there_is_an_error():
    with pytest.raises(OSError):
        process.run_limited(["/nowhere"], cwd="/", env=ENV, timeout=1)


def test_the_time_limit_ends_everything(cgroup):
    started = time.monotonic()
    done = sh(f"(setsid sh -c 'trap : TERM HUP; sleep 411{MARK}; sleep 411{MARK}' &) ; (setsid setsid sleep 412{MARK} &); sleep 413{MARK}", timeout=0.4)
    # The shell may see its own child end by TERM before it is ended itself: then it exits with 128 + 15.
    assert done.timed_out and (done.signal == 15 or done.exit_code == 143)
    assert time.monotonic() - started < 30
    assert commands("sleep") == set()


def test_what_a_program_leaves_behind_is_ended(cgroup):
    done = sh(f"(setsid sleep 421{MARK} >/dev/null 2>&1 &); (setsid sh -c 'setsid sleep 422{MARK} &' &); echo out")
    assert done.exit_code == 0 and done.stdout == b"out\n"
    assert commands("sleep") == set()


def test_output_of_a_program_whose_child_holds_the_pipe_is_not_waited_for():
    started = time.monotonic()
    assert sh("sleep 431 & echo out").stdout == b"out\n"
    assert time.monotonic() - started < 30


def test_cancelling_gives_the_reason_and_is_asked_often():
    asked: list[float] = []

    def cancelled():
        asked.append(time.monotonic())
        return "stop" if len(asked) > 5 else None

    done = sh("sleep 441", cancelled=cancelled)
    assert done.cancelled == "stop" and not done.timed_out
    assert asked[-1] - asked[0] < 3


def test_a_child_that_was_there_before_is_left_alone():
    other = subprocess.Popen(["sleep", "451"])
    try:
        sh("true")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_no_cgroup_and_no_descriptor_is_left():
    before = sorted(os.listdir("/proc/self/fd"))
    sh("true")
    sh("sleep 461", timeout=0.1)
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert [name for root in family._CGROUP_ROOTS if os.path.isdir(root) for name in os.listdir(root) if name.startswith(f"day2-codex-{os.getpid()}-")] == []


def test_cgroups_of_killed_engines_are_swept_with_what_is_left_in_them(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    here = os.stat("/proc/self/ns/pid").st_ino
    kept = [f"day2-codex-{os.getpid()}-{here}-ab", f"day2-codex-{gone.pid}-{here + 1}-ab", "day2-codex-x", "other"]
    for name in (f"day2-codex-{gone.pid}-{here}-ab", f"day2-codex-{gone.pid}-{here}-cd", *kept):
        (tmp_path / name).mkdir()
    # In a real one this file ends all that is in it.
    for name in (f"day2-codex-{gone.pid}-{here}-cd", *kept):
        (tmp_path / name / "cgroup.kill").touch()
    family._sweep_cgroups(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted([f"day2-codex-{gone.pid}-{here}-cd", *kept])
    assert {name: (tmp_path / name / "cgroup.kill").read_text() for name in kept} == dict.fromkeys(kept, "")
    assert (tmp_path / f"day2-codex-{gone.pid}-{here}-cd" / "cgroup.kill").read_text() == "1"


def test_the_caller_is_no_subreaper_afterwards():
    before = _proc.set_subreaper(False)
    sh("true")
    assert _proc.set_subreaper(before) is False


def commands(name):
    """The last argument of every living process of that name that this run of the tests started."""
    found = set()
    for pid in _proc.all_pids():
        if _proc.name(pid) == name.encode() and _proc.alive(pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as stream:
                    found.add(stream.read().rstrip(b"\0").split(b"\0")[-1].decode())
            except OSError:
                pass
    return {argument for argument in found if argument.endswith(MARK)}
