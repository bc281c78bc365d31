# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker keeps its job for as long as it lives, and not a moment longer."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._inbox import states
from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox
from ansible_collections.day2.codex.plugins.module_utils._inbox.worker import lives, this_process

NOON = 1_800_000_000.0
# Takes a job, says so, and waits for its end.
WORKER = """
import sys
from {module} import Inbox
inbox = Inbox(sys.argv[1])
job = inbox.claim("worker", {noon}, lease=60)
sys.stdout.write((job.id if job else "none") + "\\n")
sys.stdout.flush()
sys.stdin.readline()
"""


@pytest.fixture(name="inbox")
def _inbox(tmp_path: pathlib.Path) -> Inbox:
    return Inbox(str(tmp_path / "inbox.sqlite3"))


@pytest.fixture(name="worker")
def _worker(tmp_path: pathlib.Path) -> t.Iterator[t.Callable[[], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        code = WORKER.format(module=Inbox.__module__, noon=NOON)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-c", code, str(tmp_path / "inbox.sqlite3")]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _refused(work: t.Callable[[], object]) -> CodexOpsError:
    with pytest.raises(CodexOpsError) as caught:
        work()
    return caught.value


def test_a_job_that_a_living_worker_holds_is_nobody_elses_however_long_it_takes(inbox: Inbox, worker: t.Callable[[], subprocess.Popen[str]]) -> None:
    job, _created = inbox.enqueue("disk-report", now=NOON, expires_in=10)
    process = worker()
    assert _line(process) == job.id
    assert inbox.claim("me", NOON + 100_000) is None
    assert inbox.sweep(NOON + 100_000) == {"freed": 0, "expired": 0, "forgotten": 0}
    for work in (lambda: inbox.claim_id(job.id, "me", NOON), lambda: inbox.move(job.id, "cancelled", "me", "", NOON)):
        error = _refused(work)
        assert (error.outcome, error.code) == ("busy", "job_claimed")
        assert f"'worker' (process {process.pid})" in str(error)
    for work in (lambda: inbox.finish(job.id, "worker", outcome="applied"), lambda: inbox.renew(job.id, "worker")):
        # The same name is not the same worker.
        assert _refused(work).code == "lease_lost"
    assert inbox.get(job.id).worker == "worker" and inbox.get(job.id).attempts == 1


def test_a_job_of_a_worker_that_was_killed_can_be_taken_again_at_once(inbox: Inbox, worker: t.Callable[[], subprocess.Popen[str]]) -> None:
    job, _created = inbox.enqueue("disk-report", now=NOON)
    process = worker()
    assert _line(process) == job.id
    process.send_signal(signal.SIGKILL)
    # Before anybody asked for its status as well as after that.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    taken = inbox.claim("me", NOON + 1)
    assert taken is not None and taken.id == job.id and taken.attempts == 2
    assert [entry["event"] for entry in inbox.history(job.id)] == ["created", "claimed", "worker_lost", "claimed"]
    assert inbox.finish(job.id, "me", outcome="applied", now=NOON + 2).state == "applied"


def test_a_person_need_not_wait_for_a_worker_that_was_killed(inbox: Inbox, worker: t.Callable[[], subprocess.Popen[str]]) -> None:
    job, _created = inbox.enqueue("disk-report", now=NOON)
    process = worker()
    assert _line(process) == job.id
    process.kill()
    process.communicate()
    assert inbox.move(job.id, "cancelled", "unix:alice", "it kills its workers", NOON).state == "cancelled"


def test_a_job_that_kills_its_workers_is_given_up(inbox: Inbox, worker: t.Callable[[], subprocess.Popen[str]]) -> None:
    job, _created = inbox.enqueue("disk-report", now=NOON)
    for _attempt in range(states.MAX_FAILURES):
        process = worker()
        assert _line(process) == job.id
        process.kill()
        process.communicate()
    assert inbox.sweep(NOON)["freed"] == 1
    after = inbox.get(job.id)
    assert (after.state, after.code, after.attempts) == ("failed", "worker_lost", states.MAX_FAILURES)
    assert inbox.claim("me", NOON) is None


def test_whose_death_cannot_be_seen_keeps_a_job_for_its_lease() -> None:
    me = this_process()
    assert lives(me, me, NOON, NOON - 1)
    elsewhere = dataclasses.replace(me, namespace="pid:[1]")
    for other in (elsewhere, dataclasses.replace(me, start="")):
        assert lives(other, me, NOON, NOON + 1) and not lives(other, me, NOON, NOON)


def test_another_process_with_the_same_number_and_one_from_before_the_boot_are_not_the_worker() -> None:
    me = this_process()
    parent = dataclasses.replace(me, pid=os.getppid())
    assert not lives(parent, me, NOON, NOON + 100)
    assert not lives(dataclasses.replace(me, start="1"), me, NOON, NOON + 100)
    assert not lives(dataclasses.replace(me, boot="another"), me, NOON, NOON + 100)


def test_a_lease_can_be_renewed_by_its_worker(inbox: Inbox) -> None:
    job, _created = inbox.enqueue("disk-report", now=NOON)
    inbox.claim("me", NOON, lease=10)
    inbox.renew(job.id, "me", NOON + 5, lease=100)
    assert inbox.get(job.id).until == NOON + 105
    assert _refused(lambda: inbox.renew(job.id, "somebody")).code == "lease_lost"
    inbox.finish(job.id, "me", outcome="applied", now=NOON)
    assert _refused(lambda: inbox.finish(job.id, "me", outcome="applied", now=NOON)).code == "lease_lost"
