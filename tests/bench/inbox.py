# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints what adding and taking a job costs among a thousand and among a million. Nothing here passes or fails."""

from __future__ import annotations

import os
import pathlib
import sqlite3
import statistics
import tempfile
import time
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._inbox import states
from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox

FEW, MANY = 1_000, 1_000_000
ROUNDS = 400
SIGNAL = {
    "signal": "disk", "host": "inbox-1", "collected_at": "2026-01-15T03:15:00Z", "status": "warning", "summary": "/srv is almost full.",
    "findings": [{"id": "space:/srv", "severity": "WARNING", "resource": "/srv", "expected": "below 90 %", "observed": "97 %"}],
}  # fmt: skip
# What a busy host has after years: most jobs are done, and as many wait as there is room for. Keys are digests, as they are where
# nobody gives one.
FILL = (
    "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < :count)"
    " INSERT INTO jobs (seq, id, state, slice, dedupe_key, priority, created, updated, last_seen, facts)"
    " SELECT i, printf('job-20260115T031500Z-%012x', i), CASE WHEN i % 2 THEN 'pending' ELSE 'applied' END, 'slice-' || (i % 20),"
    " 'disk-report:' || lower(hex(randomblob(32))), i % 5, 1800000000 + i, 1800000000 + i, 1800000000 + i, facts FROM n, jobs WHERE seq = 1",
    "INSERT INTO payloads SELECT jobs.seq, content FROM jobs, payloads WHERE payloads.job = 1 AND jobs.seq > 1",
    "INSERT INTO history SELECT seq, 1, created, 'created', NULL, 'pending', 'unix:codex-ops', '' FROM jobs WHERE seq > 1",
)


def filled(path: pathlib.Path, count: int) -> Inbox:
    """An inbox with *count* jobs."""
    inbox = Inbox(str(path))
    inbox.enqueue("disk-report", t.cast("dict[str, t.Any]", SIGNAL), requested_by=["unix:codex-ops"])
    inbox.close()
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("PRAGMA synchronous = OFF")
        for statement in FILL:
            database.execute(statement, {"count": count} if ":count" in statement else {})
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return inbox


def _seconds(work: t.Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _add(inbox: Inbox, number: int) -> None:
    findings = [{**t.cast("list[dict[str, t.Any]]", SIGNAL["findings"])[0], "id": f"space:/srv/{number}"}]
    job, created = inbox.enqueue("disk-report", {**SIGNAL, "findings": findings}, requested_by=["unix:codex-ops"])
    if not created or job.state not in states.OPEN:
        raise SystemExit("the job was there already")


def _take(inbox: Inbox) -> None:
    job = inbox.claim("bench")
    if job is None:
        raise SystemExit("there is no job")
    # Not part of what is measured elsewhere, but a worker holds one job at a time.
    inbox.finish(job.id, "bench", outcome="unchanged")


def inbox_many_against_few(folder: pathlib.Path) -> None:
    """One job after another, in turn among few and among many, so under the same load."""
    inboxes = {count: filled(folder / f"{count}.sqlite3", count) for count in (FEW, MANY)}
    works: dict[str, t.Callable[[Inbox, int], object]] = {
        "enqueue": _add,
        "enqueue the same again": lambda inbox, _number: inbox.enqueue("disk-report", t.cast("dict[str, t.Any]", SIGNAL)),
        "claim and finish": lambda inbox, _number: _take(inbox),
        "look at the newest 100": lambda inbox, number: inbox.jobs() if number % 10 == 0 else None,
    }
    for name, work in works.items():
        times: dict[int, list[float]] = {FEW: [], MANY: []}
        for number in range(ROUNDS):
            for count, inbox in inboxes.items():
                times[count].append(_seconds(lambda inbox=inbox, number=number, work=work: work(inbox, number)))
        if name.startswith("look"):
            times = {count: found[::10] for count, found in times.items()}
        many, few = (statistics.median(times[count]) * 1000 for count in (MANY, FEW))
        print(f"{f'inbox: {name}, among {MANY:,} jobs : among {FEW:,}':<66} {many:9.3f} ms {few:9.3f} ms {many / few:6.2f}   aim 2.00", flush=True)
    for inbox in inboxes.values():
        inbox.close()


def main() -> None:
    """Run it alone."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as folder:
        inbox_many_against_few(pathlib.Path(folder))


if __name__ == "__main__":
    main()
