# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fifty workers, killed at random: each job is worked on once, none is lost, and the database is sound."""

from __future__ import annotations

import collections
import contextlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import typing as t

import pytest

WORKERS = 50
JOBS = 5000
KILLS = 60

# While it works on a job it holds a lock on a file of the job's own: the kernel is the witness that nobody else does. The lock falls with
# the process. What it has finished, it writes down, and after that nobody may have the job.
WORKER = """
import fcntl, os, sys
from {module} import Inbox
folder, number = sys.argv[1:]
inbox = Inbox(folder + "/inbox.sqlite3")
done = open(folder + "/done-" + number + "-" + str(os.getpid()), "a", buffering=1)
while True:
    job = inbox.claim("worker-" + number)
    if job is None:
        if inbox.count({{"state": ["pending"]}}) == 0:
            break
        continue
    held = os.open(folder + "/jobs/" + job.dedupe_key, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if os.pread(held, 1, 0):
        raise SystemExit("finished before: " + job.id)
    inbox.finish(job.id, "worker-" + number, outcome="applied", run_id="run-" + number)
    os.write(held, b"x")
    os.close(held)
    done.write(job.id + "\\n")
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    """A folder in memory where there is one: it is about processes that die, not about disks."""
    shared = "/dev/shm"
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    made = tempfile.mkdtemp(prefix="inbox-", dir=shared)
    yield pathlib.Path(made)
    shutil.rmtree(made)


def test_fifty_workers_that_are_killed_at_random_do_each_job_once(folder: pathlib.Path) -> None:
    from ansible_collections.day2.codex.plugins.module_utils._inbox import states
    from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox

    (folder / "jobs").mkdir()
    inbox = Inbox(str(folder / "inbox.sqlite3"))
    ids = [inbox.enqueue("disk-report", {"signal": "disk", "findings": []}, f"job-{number}", priority=number % 3)[0].id for number in range(JOBS)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    code = WORKER.format(module=Inbox.__module__)

    def start(number: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, str(folder), str(number)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)

    chance = random.Random(20260115)
    workers = {number: start(number) for number in range(WORKERS)}
    killed, wrong = 0, []
    try:
        until = time.monotonic() + 300
        while workers and time.monotonic() < until:
            number = chance.choice(sorted(workers))
            process = workers[number]
            with contextlib.suppress(subprocess.TimeoutExpired):
                # Another moment each time, somewhere in what it does.
                process.wait(chance.uniform(0.02, 0.12))
            if process.poll() is None:
                if killed == KILLS:
                    continue
                process.send_signal(signal.SIGKILL)
                process.wait()
            said = process.communicate()[1]
            if process.returncode == -signal.SIGKILL:
                killed += 1
                workers[number] = start(number)
                continue
            if process.returncode:
                wrong.append(said[-1000:])
            del workers[number]
    finally:
        for process in workers.values():
            process.kill()
            process.communicate()
    assert wrong == [] and workers == {}
    assert killed >= KILLS // 2
    # None is lost, none is there twice, and each was finished by one worker, once.
    assert inbox.count() == JOBS and inbox.count({"state": "applied"}) == JOBS
    assert inbox.check() == []
    lost = 0
    for job_id in ids:
        events = collections.Counter(entry["event"] for entry in inbox.history(job_id))
        assert events["finished"] == events["created"] == 1, inbox.history(job_id)
        assert events["claimed"] == 1 + events["worker_lost"] <= states.MAX_FAILURES
        lost += events["worker_lost"]
    written = [line for path in folder.glob("done-*") for line in path.read_text("ascii").splitlines()]
    assert len(written) == len(set(written)) >= JOBS - killed
    assert {len(job.run_ids) for job in inbox.jobs(limit=JOBS)} == {1}
    # The kills did hit workers at work.
    assert lost > 0
