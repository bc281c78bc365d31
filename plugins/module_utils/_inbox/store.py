# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What waits: signals as jobs that are worked on once, reviewed, and remembered. PRIVATE.

Each change of a job is one transaction: its state, when, by whom and why. A worker holds a job while its process lives; what a
worker that was killed had taken goes back, and can be taken again.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
import typing as t

from .._canonical import digest
from . import job as jobs
from . import rows, states
from .counts import counts
from .database import Database
from .form import EXPIRING, FORGETTABLE
from .job import Job

#: Seconds for which a worker holds a job whose death cannot be seen from here.
DEFAULT_LEASE = 3600.0
#: Seconds between two looks at whether the other workers live, where there is other work.
LOOK_AGAIN = 1.0


class Inbox:
    """The jobs of one installation. To be used by one thread at a time; after a fork each process has its own connection.

    Times (``now``) are in seconds since the epoch; without one it is now. Every method may raise :class:`CodexOpsError` with the
    codes ``newer_state``, ``inbox_unsafe``, ``inbox_damaged``, ``inbox_unusable``, ``inbox_busy`` and ``disk_full``: then nothing changed.

    :arg path: The database. Its folder exists. The first job makes it, for its owner alone; a damaged one is never made anew.
    :arg owners: Whose the file may be, as user numbers. Without them: the caller's or root's.
    :arg jitter: A number from 0 to 1, another each time.
    """

    def __init__(self, path: str, owners: t.Collection[int] | None = None, *, jitter: t.Callable[[], float] = random.random) -> None:
        self._database = Database(path, frozenset({0, os.geteuid()}) if owners is None else owners)
        self._jitter = jitter
        self._looked = 0.0

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    # --- in ---------------------------------------------------------------------------------------------------------------

    def enqueue(
        self,
        slice_: str | dict[str, t.Any],
        signal: dict[str, t.Any] | None = None,
        dedupe_key: str | None = None,
        *,
        priority: int = 0,
        expires_in: float | None = None,
        requested_by: t.Sequence[str] = (),
        input_: t.Any = None,
        now: float | None = None,
    ) -> tuple[Job, bool]:
        """Add a job, or count once more the open one that has the same key.

        The open one gets the higher priority and the later end of both, everyone who asked, and, while nobody works on it yet, the
        newer signal and input.

        :arg slice_: The name of an installed slice, or the document of one.
        :arg dedupe_key: Without it, one is made: see :func:`job.key`.
        :arg expires_in: Seconds after which it is no use any more.
        :arg requested_by: The names of who asks: none of them may approve what comes of it.
        :returns: The job, and whether it is new.
        :raises CodexOpsError: ``job_invalid`` or ``job_too_large``.
        """
        now = time.time() if now is None else now
        name = jobs.slice_name(slice_)
        content, payload = jobs.content(slice_, signal, input_)
        if isinstance(priority, bool) or priority not in jobs.PRIORITIES:
            raise jobs.invalid(f"expected a whole number from {jobs.PRIORITIES[0]} to {jobs.PRIORITIES[-1]}, found {priority!r}.", "priority")
        if expires_in is not None and not 0 < expires_in <= jobs.LAST_SECOND - now:
            raise jobs.invalid(f"expected seconds, more than 0, found {expires_in!r}.", "expires_in")
        key = jobs.key(dedupe_key, name, {**content, "slice": slice_})
        expires = None if expires_in is None else now + expires_in
        by = jobs.texts(requested_by)
        with self._database.transaction(write=True) as database:
            same = rows.open_with(database, key)
            if same is not None and rows.is_over(same.job, now):
                rows.expire(database, same, now)
                same = None
            if same is not None:
                self._again(database, same, payload, priority, expires, by, now)
                return rows.whole(database, same.seq), False
            facts: dict[str, t.Any] = {"requested_by": by}
            if isinstance(slice_, dict):
                facts["slice_sha256"] = digest(slice_)
            seq = rows.created(database, rows.new_id(now, os.urandom(6)), name, key, payload, priority, expires, facts, now)
            return rows.whole(database, seq), True

    @staticmethod
    def _again(database: sqlite3.Connection, same: rows.Row, payload: str, priority: int, expires: float | None, by: list[str], now: float) -> None:
        later = None if expires is None or same.job.expires is None else max(expires, same.job.expires)
        facts = rows.facts_of(database, same.seq)
        facts["requested_by"] = jobs.texts([*facts["requested_by"], *by])
        database.execute(
            "UPDATE jobs SET count = count + 1, last_seen = ?, priority = max(priority, ?), expires = ?, facts = ? WHERE seq = ?",
            (now, priority, later, rows.as_json(facts), same.seq),
        )
        if same.job.state == "pending" and same.job.worker is None:
            database.execute("UPDATE payloads SET content = ? WHERE job = ?", (payload, same.seq))

    # --- work -------------------------------------------------------------------------------------------------------------

    def claim(self, worker: str, now: float | None = None, lease: float = DEFAULT_LEASE) -> Job | None:
        """Take the next job for this process: the highest priority first, then the oldest. Nobody else gets it then.

        :arg worker: The worker's name, for people.
        :arg lease: Seconds for which it is held where nobody can see whether this process lives.
        :returns: A job that is ``pending`` or ``approved``, or ``None`` where there is none.
        """
        if not self._database.exists():
            return None
        now = time.time() if now is None else now
        # A power cut that takes a claim back takes the worker too.
        with self._database.transaction(write=True, durable=False) as database:
            if time.monotonic() - self._looked > LOOK_AGAIN:
                self._looked = time.monotonic()
                rows.free(database, now)
            rows.wake(database, now)
            found = rows.following(database, now)
            if found is None and rows.free(database, now):
                found = rows.following(database, now)
            return None if found is None else rows.take(database, found, worker, now, lease)

    def claim_id(self, job_id: str, worker: str, now: float | None = None, lease: float = DEFAULT_LEASE) -> Job:
        """Take the job *job_id*, whatever its priority, if it is open. It need not wait for its next attempt.

        :raises CodexOpsError: ``job_not_found``, ``job_state`` (it is not open), or outcome ``busy``, code ``job_claimed``.
        """
        now = time.time() if now is None else now
        with self._database.transaction(write=True, durable=False) as database:
            row = rows.unheld(database, job_id, now)
            if row.job.state in states.OPEN and not rows.is_over(row.job, now):
                return rows.take(database, row, worker, now, lease)
            if row.job.state in states.OPEN:
                rows.expire(database, row, now)
        raise rows.wrong_state(self.get(job_id), "taken")

    def renew(self, job_id: str, worker: str, now: float | None = None, lease: float = DEFAULT_LEASE) -> None:
        """Hold on to the job *job_id* for *lease* seconds from now.

        :raises CodexOpsError: ``lease_lost``.
        """
        now = time.time() if now is None else now
        with self._database.transaction(write=True, durable=False) as database:
            row = rows.mine(database, job_id, worker)
            database.execute("UPDATE jobs SET lease_until = ? WHERE seq = ?", (now + lease, row.seq))

    def finish(
        self,
        job_id: str,
        worker: str,
        state: str | None = None,
        outcome: str = "",
        *,
        code: str | None = None,
        msg: str | None = None,
        plan: str | None = None,
        run_id: str | None = None,
        approvals_needed: int | None = None,
        slice_sha256: str | None = None,
        now: float | None = None,
    ) -> Job:
        """Say how the work on a job that this process holds has ended, and let go of it.

        Where it failed with an outcome that may pass, the job stays in its state (after ``stale_plan``: goes back to ``pending``) and
        waits for its next attempt; see :mod:`states`.

        :arg state: The job's state from now on. Without it, what :func:`states.landing` makes of *outcome* and *code*.
        :raises CodexOpsError: ``lease_lost`` (somebody else may hold it by now), or ``job_state`` (it cannot go this way).
        """
        now = time.time() if now is None else now
        target = states.landing(outcome, code) if state is None else state
        more = {"plan": plan, "run_id": run_id, "approvals_needed": approvals_needed, "slice_sha256": slice_sha256}
        facts: dict[str, t.Any] = {name: value for name, value in more.items() if value is not None}
        facts.update(outcome=outcome or None, code=code, msg=msg)
        with self._database.transaction(write=True) as database:
            row = rows.mine(database, job_id, worker)
            event, why = "finished", f"{outcome}{f' ({code})' if code else ''}: {msg or ''}"
            if target == "failed" and states.passing(outcome, code):
                failures = row.job.failures + (0 if states.held(outcome, code) else 1)
                if failures < states.MAX_FAILURES:
                    event, target = "waits", "pending" if outcome == "stale_plan" else row.job.state
                    until = now + states.delay(row.waits, self._jitter())
                    facts.update(not_before=until, failures=failures, waits=row.waits + 1)
            if event == "finished":
                facts.update(failures=0, waits=0)
            rows.shift(database, row, target, event, worker, why, now, **facts)
            return rows.whole(database, row.seq)

    def move(self, job_id: str, to: str, by: str, why: str, now: float | None = None, **facts: t.Any) -> Job:
        """Change the state of a job that nobody works on: approve, reject, cancel, or send it back to ``pending``.

        :arg by: Who does it.
        :arg facts: ``plan``, ``outcome``, ``code``, ``msg``, ``run_id``, ``approvals_needed``, ``slice_sha256``.
        :raises CodexOpsError: ``job_not_found``; ``job_state`` (there is no such way); ``job_duplicate`` (another open job has its
            key); outcome ``busy``, code ``job_claimed``.
        """
        now = time.time() if now is None else now
        with self._database.transaction(write=True) as database:
            row = rows.unheld(database, job_id, now)
            if to == row.job.state or to not in states.TRANSITIONS[row.job.state]:
                raise rows.wrong_state(row.job, f"made {to}")
            more: dict[str, t.Any] = {}
            if to in states.OPEN and row.job.state not in states.OPEN:
                other = rows.open_with(database, row.job.dedupe_key)
                if other is not None:
                    raise jobs.invalid(f"The open job {other.job.id} is about the same.", job_id, "Work on that one.", "job_duplicate")
                # A person wants it again: what ended it before counts no more.
                more = {"failures": 0, "waits": 0, "expires": None, "outcome": None, "code": None, "msg": None}
            rows.shift(database, row, to, "moved", by, why, now, **{**more, **facts})
            return rows.whole(database, row.seq)

    def sweep(self, now: float | None = None, keep: float | None = None) -> dict[str, int]:
        """Free what dead workers held, expire what is over, and forget closed jobs that were last changed *keep* seconds ago.

        :returns: How many: ``freed``, ``expired``, ``forgotten``.
        """
        now = time.time() if now is None else now
        found = {"freed": 0, "expired": 0, "forgotten": 0}
        if not self._database.exists():
            return found
        with self._database.transaction(write=True) as database:
            found["freed"] = rows.free(database, now)
        found["expired"] = self._batches(f"{EXPIRING} AND expires <= ?", now, lambda database, row: rows.expire(database, row, now))
        if keep is not None:
            found["forgotten"] = self._batches(f"{FORGETTABLE} AND updated <= ?", now - keep, rows.forget)
        return found

    def _batches(self, where: str, limit: float, work: t.Callable[[sqlite3.Connection, rows.Row], None]) -> int:
        done = 0
        while True:
            with self._database.transaction(write=True) as database:
                found = database.execute(f"SELECT {rows.COLUMNS} FROM jobs WHERE {where} LIMIT {rows.BATCH}", (limit,)).fetchall()
                for values in found:
                    work(database, rows.Row(values))
            done += len(found)
            if len(found) < rows.BATCH:
                return done

    # --- looking ----------------------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> Job:
        """The job *job_id*.

        :raises CodexOpsError: ``job_not_found``.
        """
        if self._database.exists():
            with self._database.transaction(write=False) as database:
                return rows.whole(database, rows.named(database, job_id).seq)
        raise rows.not_found(job_id)

    def jobs(self, wanted: t.Mapping[str, t.Any] | None = None, limit: int = 100) -> list[Job]:
        """The newest *limit* jobs that are all of *wanted*, newest first.

        :arg wanted: ``state`` (one or a list), ``slice``, ``dedupe_key``, ``plan``, ``id``, ``since`` (added at that second or later) and
            ``until`` (added earlier), in seconds since the epoch.
        """
        if not self._database.exists():
            return []
        where, values = rows.conditions(wanted or {})
        columns = ", ".join(f"jobs.{name}" for name in jobs.COLUMNS.replace(" ", "").split(","))
        with self._database.transaction(write=False) as database:
            question = f"SELECT {columns}, content FROM jobs LEFT JOIN payloads ON payloads.job = jobs.seq WHERE {where} ORDER BY jobs.seq DESC LIMIT ?"
            return [jobs.read(row[:-1], row[-1]) for row in database.execute(question, [*values, limit])]

    def oldest(self, state: str, limit: int, skip: int = 0) -> list[Job]:
        """The oldest *limit* jobs in a state, oldest first, without the first *skip* of them."""
        if not self._database.exists():
            return []
        with self._database.transaction(write=False) as database:
            found = database.execute("SELECT seq FROM jobs WHERE state = ? ORDER BY seq LIMIT ? OFFSET ?", (state, limit, skip)).fetchall()
            return [rows.whole(database, seq) for (seq,) in found]

    def closed_since(self, since: float, limit: int) -> list[Job]:
        """The jobs whose work came to an end at *since* or later, in seconds since the epoch: at most *limit*, the one that ended first first."""
        if not self._database.exists():
            return []
        question = f"SELECT seq FROM jobs INDEXED BY jobs_closed WHERE {FORGETTABLE} AND updated >= ? AND state NOT IN ('expired', 'cancelled')"
        with self._database.transaction(write=False) as database:
            found = database.execute(f"{question} ORDER BY updated, seq LIMIT ?", (since, limit)).fetchall()
            return [rows.whole(database, seq) for (seq,) in found]

    def count(self, wanted: t.Mapping[str, t.Any] | None = None) -> int:
        """How many jobs are all of *wanted*."""
        if not self._database.exists():
            return 0
        where, values = rows.conditions(wanted or {})
        with self._database.transaction(write=False) as database:
            return int(database.execute(f"SELECT count(*) FROM jobs WHERE {where}", values).fetchone()[0])

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        return counts(self._database)

    def open_with(self, key: str) -> Job | None:
        """The open job that has the key *key*, as :attr:`Job.dedupe_key` has it."""
        found = self.jobs({"dedupe_key": key, "state": list(states.OPEN)}, 1)
        return found[0] if found else None

    def history(self, job_id: str, limit: int = 100) -> list[dict[str, t.Any]]:
        """What happened to a job, oldest first: ``at`` (seconds), ``event``, ``from``, ``to``, ``by``, ``why``. The last *limit* entries."""
        if not self._database.exists():
            return []
        with self._database.transaction(write=False) as database:
            found = database.execute(
                "SELECT at, event, old, new, by, why FROM history WHERE job = (SELECT seq FROM jobs WHERE id = ?) ORDER BY n DESC LIMIT ?",
                (rows.given_id(job_id), limit),
            ).fetchall()
        return [dict(zip(("at", "event", "from", "to", "by", "why"), row)) for row in reversed(found)]

    def check(self) -> list[str]:
        """What is wrong with the database, found by reading all of it. Nothing, where it is sound."""
        if not self._database.exists():
            return []
        with self._database.transaction(write=False) as database:
            return [str(row[0]) for row in database.execute("PRAGMA integrity_check") if row[0] != "ok"]
