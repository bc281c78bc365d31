# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of which each change in the inbox is made, within a transaction that somebody else began. PRIVATE."""

from __future__ import annotations

import json
import sqlite3
import time
import typing as t

from .._canonical import canonical
from .._errors import CodexOpsError
from . import job as jobs
from . import states
from .form import IS_OPEN, LEASED, READY, WAITING
from .job import Job, text
from .worker import lives, this_process

#: Jobs that one transaction looks at where there may be many.
BATCH = 500
COLUMNS = f"seq, {jobs.COLUMNS}, waits"
#: What is kept of a job outside the table's columns.
_FACTS = ("outcome", "code", "msg", "approvals_needed", "slice_sha256")
_COLUMNS = ("plan", "not_before", "failures", "waits", "expires")


class Row:
    """A job with its place in the table; without its signal and input."""

    def __init__(self, values: t.Sequence[t.Any]) -> None:
        self.seq, self.waits = int(values[0]), int(values[-1])
        self.job = jobs.read(values[1:-1], None)


def as_json(value: t.Any) -> str:
    """*value* as it is kept."""
    return canonical(value).decode("ascii")


def given_id(job_id: str) -> str:
    """An ID as somebody gave it, as text that can be looked for."""
    return text(job_id, 200)


def one(database: sqlite3.Connection, where: str, *values: t.Any) -> Row | None:
    """The job that *where* means, if there is one."""
    row = database.execute(f"SELECT {COLUMNS} FROM jobs WHERE {where} LIMIT 1", values).fetchone()
    return None if row is None else Row(row)


def named(database: sqlite3.Connection, job_id: str) -> Row:
    """The job *job_id*. :raises CodexOpsError: ``job_not_found``."""
    row = one(database, "id = ?", given_id(job_id))
    if row is None:
        raise not_found(job_id)
    return row


def whole(database: sqlite3.Connection, seq: int) -> Job:
    """The job at *seq* with its signal and input."""
    row = database.execute(f"SELECT {jobs.COLUMNS} FROM jobs WHERE seq = ?", (seq,)).fetchone()
    content = database.execute("SELECT content FROM payloads WHERE job = ?", (seq,)).fetchone()
    return jobs.read(row, content[0] if content else None)


def is_over(job: Job, now: float) -> bool:
    """Whether nobody works on a job whose time is over."""
    return job.worker is None and job.expires is not None and job.expires <= now


def facts_of(database: sqlite3.Connection, seq: int) -> dict[str, t.Any]:
    """What is kept of a job outside the table's columns."""
    found: dict[str, t.Any] = json.loads(database.execute("SELECT facts FROM jobs WHERE seq = ?", (seq,)).fetchone()[0])
    return found


def note(database: sqlite3.Connection, seq: int, now: float, event: str, old: str | None, new: str, by: str, why: str) -> None:
    """One entry of a job's history."""
    database.execute(
        "INSERT INTO history SELECT ?, coalesce(max(n), 0) + 1, ?, ?, ?, ?, ?, ? FROM history WHERE job = ?",
        (seq, now, event, old, new, text(by, 200), text(why), seq),
    )


def shift(database: sqlite3.Connection, row: Row, to: str, event: str, by: str, why: str, now: float, **given: t.Any) -> None:
    """Bring a job into the state *to*, let go of it, and remember that. It may stay where it is.

    :arg given: What else is known of it from now on: columns, facts, and ``run_id``, which is added to those there are.
    :raises CodexOpsError: ``job_state``.
    """
    if to != row.job.state and to not in states.TRANSITIONS[row.job.state]:
        raise wrong_state(row.job, f"made {text(to, 40)}")
    facts = facts_of(database, row.seq)
    if given.get("run_id"):
        facts["run_ids"] = jobs.texts([*facts.get("run_ids", ()), given["run_id"]])
    if to == "pending" and (row.job.state != "pending" or given.get("outcome") == "stale_plan"):
        # What was planned counts no more.
        given = {"plan": None, "approvals_needed": None, **given}
    for name in _FACTS:
        if name in given:
            facts[name] = text(given[name]) if isinstance(given[name], str) else given[name]
    columns = {"not_before": 0, **{name: given[name] for name in _COLUMNS if name in given}}
    if columns.get("plan") is not None:
        columns["plan"] = text(columns["plan"], 200)
    sets = ", ".join(f"{name} = ?" for name in columns)
    database.execute(
        f"UPDATE jobs SET state = ?, updated = ?, facts = ?, worker = NULL, lease = NULL, lease_until = NULL, {sets} WHERE seq = ?",
        (to, now, as_json({name: value for name, value in facts.items() if value is not None}), *columns.values(), row.seq),
    )
    note(database, row.seq, now, event, row.job.state, to, by, why)


def expire(database: sqlite3.Connection, row: Row, now: float) -> None:
    """End a job whose time is over."""
    shift(database, row, "expired", "expired", "", "Its time is over.", now)


def forget(database: sqlite3.Connection, row: Row) -> None:
    """Remove a job and all that was kept of it."""
    for table, column in (("history", "job"), ("payloads", "job"), ("jobs", "seq")):
        database.execute(f"DELETE FROM {table} WHERE {column} = ?", (row.seq,))


# --- workers --------------------------------------------------------------------------------------------------------------


def take(database: sqlite3.Connection, row: Row, worker: str, now: float, lease: float) -> Job:
    """Give a job to this process."""
    name = text(worker, 200)
    held = as_json({"process": this_process().as_dict(), "since": now})
    database.execute(
        "UPDATE jobs SET worker = ?, lease = ?, lease_until = ?, not_before = 0, attempts = attempts + 1 WHERE seq = ?",
        (name, held, now + lease, row.seq),
    )
    note(database, row.seq, now, "claimed", row.job.state, row.job.state, name, "")
    return whole(database, row.seq)


def mine(database: sqlite3.Connection, job_id: str, worker: str) -> Row:
    """The job *job_id*, which this process holds as *worker*.

    :raises CodexOpsError: ``job_not_found`` or ``lease_lost``.
    """
    row = named(database, job_id)
    if row.job.worker != text(worker, 200) or row.job.process != this_process():
        holder = "nobody" if row.job.worker is None else f"the worker {row.job.worker!r}"
        raise CodexOpsError(
            f"The job {row.job.id} is not held by this worker but by {holder}.",
            code="lease_lost",
            outcome="busy",
            hint="Claim it before working on it, and renew the lease of one that takes long.",
        )
    return row


def unheld(database: sqlite3.Connection, job_id: str, now: float) -> Row:
    """The job *job_id*, which no living worker holds.

    :raises CodexOpsError: ``job_not_found``, or outcome ``busy`` with code ``job_claimed``.
    """
    row = named(database, job_id)
    if row.job.worker is None:
        return row
    _free_one(database, row, now)
    row = named(database, job_id)
    if row.job.worker is not None:
        pid = row.job.process.pid if row.job.process else 0
        raise CodexOpsError(
            f"The worker {row.job.worker!r} (process {pid}) works on the job {row.job.id} since {jobs.moment(row.job.since)}.",
            code="job_claimed",
            outcome="busy",
            hint="Wait until it is done, or end that process.",
        )
    return row


def _free_one(database: sqlite3.Connection, row: Row, now: float) -> bool:
    job = row.job
    if job.worker is None or job.process is None or lives(job.process, this_process(), now, job.until or 0.0):
        return False
    failures = job.failures + 1
    why = f"The worker {job.worker!r} (process {job.process.pid}) ended without a word."
    if failures < states.MAX_FAILURES:
        shift(database, row, job.state, "worker_lost", job.worker, why, now, failures=failures)
    else:
        msg = f"{why} That was the {failures}th attempt that failed, and the last."
        shift(database, row, "failed", "worker_lost", job.worker, msg, now, failures=failures, outcome="agent_error", code="worker_lost", msg=msg)
    return True


def free(database: sqlite3.Connection, now: float) -> int:
    """Take their jobs from workers that are dead. How many there were."""
    rows = database.execute(f"SELECT {COLUMNS} FROM jobs INDEXED BY jobs_leased WHERE {LEASED}").fetchall()
    return sum(_free_one(database, Row(values), now) for values in rows)


def wake(database: sqlite3.Connection, now: float) -> None:
    """Let jobs that have waited long enough be taken again."""
    due = f"SELECT seq FROM jobs INDEXED BY jobs_waiting WHERE {WAITING} AND not_before <= ? LIMIT {BATCH}"
    database.execute(f"UPDATE jobs SET not_before = 0 WHERE seq IN ({due})", (now,))


def following(database: sqlite3.Connection, now: float) -> Row | None:
    """The next job that can be taken. Those before it whose time is over are expired."""
    while True:
        row = database.execute(f"SELECT {COLUMNS} FROM jobs INDEXED BY jobs_ready WHERE {READY} ORDER BY priority DESC, seq LIMIT 1").fetchone()
        found = None if row is None else Row(row)
        if found is None or not is_over(found.job, now):
            return found
        expire(database, found, now)


# --- questions and refusals -----------------------------------------------------------------------------------------------


def conditions(wanted: t.Mapping[str, t.Any]) -> tuple[str, list[t.Any]]:
    """What to ask for, as SQL and its values."""
    parts: list[str] = []
    values: list[t.Any] = []
    for name, value in wanted.items():
        if name in ("since", "until"):
            parts.append("jobs.created >= ?" if name == "since" else "jobs.created < ?")
            values.append(float(value))
            continue
        if name not in ("state", "slice", "dedupe_key", "plan", "id"):
            raise jobs.invalid(f"jobs cannot be asked for by {text(name, 40)!r}.", "filter")
        several = [value] if isinstance(value, str) else list(value)
        parts.append(f"jobs.{name} IN ({', '.join('?' * len(several))})")
        values.extend(text(item) for item in several)
    return " AND ".join(parts) or "1", values


def open_with(database: sqlite3.Connection, key: str) -> Row | None:
    """The open job with the key *key*."""
    # Not through the index of all keys: thousands that are closed may have this one.
    row = database.execute(f"SELECT {COLUMNS} FROM jobs INDEXED BY jobs_open WHERE dedupe_key = ? AND {IS_OPEN}", (key,)).fetchone()
    return None if row is None else Row(row)


def not_found(job_id: str) -> CodexOpsError:
    """There is no such job."""
    hint = "List the jobs with day2.codex.job_info."
    return CodexOpsError(f"There is no job {text(job_id, 80)!r}.", code="job_not_found", outcome="rejected", hint=hint)


def wrong_state(job: Job, what: str) -> CodexOpsError:
    """The job cannot go that way."""
    ways = ", ".join(sorted(states.TRANSITIONS[job.state])) or "none"
    return CodexOpsError(
        f"The job {job.id} is {job.state} and cannot be {what}.", code="job_state", outcome="rejected", hint=f"From there it can become: {ways}."
    )


def created(
    database: sqlite3.Connection, job_id: str, name: str, key: str, payload: str, priority: int, expires: float | None, facts: t.Any, now: float
) -> int:
    """A new job. Its place in the table."""
    done = database.execute(
        "INSERT INTO jobs (id, state, slice, dedupe_key, priority, created, updated, last_seen, expires, facts) VALUES (?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?)",
        (job_id, name, key, priority, now, now, now, expires, as_json(facts)),
    )
    seq = int(done.lastrowid or 0)
    database.execute("INSERT INTO payloads VALUES (?, ?)", (seq, payload))
    note(database, seq, now, "created", None, "pending", ", ".join(facts["requested_by"]), "")
    return seq


def new_id(now: float, random: bytes) -> str:
    """The name of a new job."""
    return f"job-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{random.hex()}"
