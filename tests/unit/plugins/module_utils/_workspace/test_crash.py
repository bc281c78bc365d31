# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killed between any two system calls, an apply leaves all-old or all-new once the next start has recovered."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._workspace import apply as applying
from ansible_collections.day2.codex.plugins.module_utils._workspace import restore

FILES = {f"d{number % 3}/s{number % 2}/f{number}": f"old {number}\n" * (number + 1) for number in range(9)}
EDITS: dict[str, t.Any] = {
    **{f"d{number % 3}/s{number % 2}/f{number}": f"new {number}\n" for number in range(5)},
    **{f"d{number % 3}/s{number % 2}/f{number}": None for number in range(5, 8)},
    "d0/created": "c\n",
    "made/one": "1\n",
    "made/deep/two": "2\n",
    "made/deep/three": "3\n",
}


def after_calls(count: int, stop: t.Callable[[], None]) -> list[int]:
    """From now on count the system calls of this thread, and call *stop* right before number *count*."""
    calls = [0]

    def profile(_frame: t.Any, event: str, function: t.Any) -> None:
        if event == "c_call" and getattr(function, "__module__", "") == "posix":
            calls[0] += 1
            if calls[0] == count:
                stop()

    sys.setprofile(profile)
    return calls


def kill_myself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: t.Callable[[], None], kill_at: int = 0, kill_after: float | None = None) -> tuple[bool, int]:
    """Run *work* in a child that is killed before its system call *kill_at*, or after *kill_after* seconds.

    :returns: Whether it came to its end, and how many system calls it made then.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            calls = after_calls(kill_at, kill_myself) if kill_after is None else [0]
            work()
            sys.setprofile(None)
            os.write(writing, str(calls[0]).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    said = os.read(reading, 20)
    os.close(reading)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status == 0, int(said or b"0")


class Case:
    """A fresh workspace with its plan, and the two states that are allowed."""

    def __init__(self, make_world: t.Any) -> None:
        self.world = make_world(FILES)
        self.world.edit(EDITS)
        self.plan = self.world.plan()
        self.old = self.world.seen()

    def work(self) -> None:
        self.world.apply(self.plan)
        applying.commit(self.world.backups, "r1")

    def recover(self) -> list[restore.Recovered]:
        return restore.recover(self.world.backups, str(self.world.live))

    def state(self) -> str:
        """``old``, ``new`` or what is wrong. New is judged by the edits, not by another run of the code."""
        seen = self.world.seen()
        if seen == self.old:
            return "old"
        contents = {path: found[2].decode() for path, found in seen.items() if found[0] == "file"}
        wanted = {path: content for path, content in {**FILES, **EDITS}.items() if content is not None}
        return "new" if contents == wanted else f"mixed: {sorted(set(contents) ^ set(wanted))}"


@pytest.fixture
def case(make_world: t.Any) -> t.Callable[[], Case]:
    return lambda: Case(make_world)


def test_a_kill_between_any_two_system_calls_leaves_all_old_or_all_new(case: t.Callable[[], Case]) -> None:
    whole = case()
    finished, calls = in_child(whole.work)
    assert finished and calls > 400 and whole.state() == "new"
    seen: dict[str, int] = {}
    interrupted = 0
    places = sorted({1 + round(step * (calls - 1) / 229) for step in range(230)} | set(range(calls - 30, calls + 1)))
    assert len(places) >= 200
    for place in places:
        one = case()
        finished, _calls = in_child(one.work, kill_at=place)
        assert not finished
        waiting = restore.pending(one.world.backups, str(one.world.live))
        interrupted += one.state() not in ("old", "new")
        recovered = one.recover()
        assert [item.run_id for item in recovered] == waiting
        assert all(item.conflicts == [] for item in recovered)
        state = one.state()
        assert state in ("old", "new"), (place, state)
        assert state == "old" or not waiting
        assert one.recover() == []
        seen[state] = seen.get(state, 0) + 1
    assert seen["old"] > 100 and seen["new"] >= 1
    # The kills really did hit the time when the tree is mixed.
    assert interrupted > 50


def test_a_kill_at_a_random_moment_leaves_all_old_or_all_new(case: t.Callable[[], Case]) -> None:
    start = time.perf_counter()
    in_child(case().work)
    span = time.perf_counter() - start
    chance = random.Random(20260115)
    seen = set()
    for _turn in range(60):
        one = case()
        finished, _calls = in_child(one.work, kill_after=chance.uniform(0, span * 1.5))
        one.recover()
        state = one.state()
        assert state in ("old", "new"), state
        assert state == "new" or not finished
        seen.add(state)
    assert "old" in seen


def test_a_recovery_that_is_killed_too_is_finished_by_the_next(case: t.Callable[[], Case]) -> None:
    probe = case()
    _finished, calls = in_child(probe.work)
    chance = random.Random(1)
    for turn in range(60):
        one = case()
        in_child(one.work, kill_at=calls - 25 - turn * 2)
        for _again in range(2):
            in_child(lambda one=one: t.cast("None", one.recover()), kill_at=chance.randrange(1, 900))
        one.recover()
        assert one.state() == "old"


def test_a_rollback_that_is_killed_is_finished_by_the_next_start(case: t.Callable[[], Case]) -> None:
    seen = set()
    for place in range(1, 900, 15):
        one = case()
        one.work()
        in_child(lambda one=one: t.cast("None", restore.restore(one.world.backups, "r1", check=False)), kill_at=place)
        one.recover()
        state = one.state()
        assert state in ("old", "new"), (place, state)
        seen.add(state)
    assert seen == {"old", "new"}


def test_an_error_at_any_system_call_leaves_all_old_or_all_new(case: t.Callable[[], Case]) -> None:
    """An interruption (Ctrl-C) instead of a kill: the apply undoes itself."""
    probe = case()
    _finished, calls = in_child(probe.work)

    def interrupt() -> None:
        sys.setprofile(None)
        raise KeyboardInterrupt

    for place in range(1, calls, 7):
        one = case()

        def work(one: Case = one, place: int = place) -> None:
            after_calls(place, interrupt)
            try:
                one.work()
            except KeyboardInterrupt:
                pass
            finally:
                sys.setprofile(None)

        work()
        one.recover()
        assert one.state() in ("old", "new"), place
