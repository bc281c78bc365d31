# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From jobs that need a person to tickets, and back: what is due, and how it is written. PRIVATE.

Nothing but the inbox says what is due, so whatever a process that was killed had not written is written by the next one.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import time
import typing as t

from . import _branching
from ._canonical import digest
from ._delivery import files, outbox, ticket
from ._delivery.settings import Settings
from ._delivery.state import MOST_TICKETS, State, load, save, set_aside
from ._errors import CodexOpsError
from ._places import Places

if t.TYPE_CHECKING:
    from ._inbox.job import Job
    from ._inbox.store import Inbox

#: Seconds by which a job may come into the inbox's order late, and for which jobs are looked back at where nothing is remembered.
_OVERLAP, _FIRST = 120.0, 86400.0
#: Jobs of one page of those that wait, and closed ones that one pass looks at.
_AWAITING, _CLOSED = 200, 2000
#: Runs of a job among which its report is looked for, and bytes that are read of a report and a patch.
_RUNS, _MAX_REPORT, _MAX_PATCH = 3, 32 << 20, 1 << 20
_END = ".json"


class Step(t.NamedTuple):
    """One thing to do: ``status`` is why the job needs a person, ``None`` where it does no more. ``job`` is ``None`` where it was forgotten."""

    key: str
    status: str | None
    job: Job | None
    report: dict[str, t.Any] | None
    why: str


def path_of(places: Places, name: str, end: str = _END) -> str:
    """The file of a ticket."""
    return os.path.join(places.tickets, name + end)


def read(places: Places, name: str) -> dict[str, t.Any] | None:
    """The ticket *name*; ``None`` where there is none."""
    found = files.read_json(path_of(places, name))
    return found if found is not None and found.get("id") == name else None


def listed(places: Places) -> list[dict[str, t.Any]]:
    """All tickets, newest first."""
    found = [read(places, name) for name in reversed(files.names(places.tickets, _END))]
    return [one for one in found if one is not None]


def of_job(places: Places, job_id: str) -> dict[str, t.Any] | None:
    """The open ticket of a job."""
    entries = remembered(places, time.time()).tickets.values()
    name = next((entry["ticket"] for entry in entries if entry["job"] == job_id and entry["open"]), None)
    found = None if name is None else read(places, name)
    return found if found is not None and found.get("state") == "open" else None


def remembered(places: Places, now: float) -> State:
    """What is remembered. Where that is lost, the tickets themselves tell."""
    state = load(places.outbox, State)
    if state is not None:
        return state
    state = State(seen=now - _FIRST)
    for one in listed(places):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            created = datetime.datetime.fromisoformat(one["first_seen"]).timestamp()
            kept = state.tickets.get(one["key"])
            if kept is None or kept["created"] < created:
                entry = {"ticket": one["id"], "job": one["job"], "created": created, "mark": "", "open": one["state"] == "open", "at": now}
                state.tickets[str(one["key"])] = entry
    return state


def sweep(places: Places) -> None:
    """Remove what killed processes left behind."""
    for folder in (places.tickets, places.outbox):
        files.sweep(folder)
    _branching.sweep(places)


class Pass:
    """One look at the inbox, by who holds the lock of the outbox.

    :arg clock: Seconds since the epoch.
    :arg complete: Whether the settings are those that the host wants; without them nothing is taken for told.
    """

    def __init__(self, places: Places, inbox: Inbox, settings: Settings, *, clock: t.Callable[[], float], complete: bool = True) -> None:
        self._places = places
        self._inbox = inbox
        self._settings = settings
        self._clock = clock
        self._complete = complete
        self._seen = 0.0
        # Where the host wants something else from now on, open tickets are looked at again.
        alert = settings.alert
        self._wants = digest([settings.when, settings.ticket, settings.branch, alert is not None, alert and alert.min_severity])[:8]
        damaged = set_aside(places.outbox, State)
        #: What a person should know of.
        self.warnings: list[str] = [damaged] if damaged else []
        self.state = remembered(places, clock())
        if damaged:
            with contextlib.suppress(OSError):
                save(places.outbox, self.state)

    # --- what is due --------------------------------------------------------------------------------------------------

    def due(self, named: t.Sequence[str]) -> list[Step]:
        """What is to be done, the oldest job first.

        :arg named: Jobs that are to be looked at whatever is remembered.
        """
        now, gone = self._clock(), []
        closed = self._inbox.closed_since(max(0.0, min(self.state.seen, now) - _OVERLAP), _CLOSED)
        jobs = {job.id: job for job in (*closed, *self._awaiting())}
        if closed and self._complete:
            # A full page is followed by what comes behind it.
            self._seen = closed[-1].updated + (_OVERLAP if len(closed) == _CLOSED else 0.0)
        for key, entry in self.state.tickets.items():
            if entry["open"] and entry["job"] not in jobs:
                try:
                    job = self._job(entry["job"])
                except (CodexOpsError, ValueError) as error:
                    # Nobody knows how it stands, so its ticket stays as it is.
                    self.warnings.append(f"The job {entry['job']} could not be looked at. The next delivery tries again. {error}")
                    continue
                if job is None:
                    gone.append(Step(key, None, None, None, f"The job {entry['job']} was forgotten."))
                else:
                    jobs[job.id] = job
        for name in named:
            job = self._job(name)
            if job is not None:
                jobs[name] = job
        return self._steps(gone, sorted(jobs.values(), key=lambda one: one.created))

    def _job(self, name: str) -> Job | None:
        """The job *name*; ``None`` where it was forgotten.

        :raises CodexOpsError: that cannot be told.
        """
        try:
            return self._inbox.get(name)
        except CodexOpsError as error:
            if error.code != "job_not_found":
                raise
            return None

    def _awaiting(self) -> t.Iterator[Job]:
        """All jobs that wait for an approval, the oldest first."""
        count = 0
        while True:
            page = self._inbox.oldest("awaiting_approval", _AWAITING, count)
            yield from page
            count += len(page)
            if len(page) < _AWAITING:
                return

    def _steps(self, gone: t.Sequence[Step], jobs: t.Sequence[Job]) -> list[Step]:
        """What is to be done, of *jobs*, the oldest first: of several about the same, the last one that says something counts."""
        steps, entries = {step.key: step for step in gone}, dict(self.state.tickets)
        for job in jobs:
            said = job.as_dict()
            key = ticket.key(said)
            step = self._step(job, said, key, entries.get(key))
            if step is None:
                continue
            entries[key] = {"job": job.id, "created": job.created, "mark": self._mark(said), "open": step.status is not None}
            if step.status is None and not self.state.tickets.get(key, {}).get("open"):
                # It was over before anybody had written of it.
                steps.pop(key, None)
            else:
                steps[key] = step
        return list(steps.values())

    def _mark(self, said: t.Mapping[str, t.Any]) -> str:
        # Who does not know what the host wants leaves it to who does.
        return f"{ticket.mark(said)}.{self._wants if self._complete else ''}"

    def _known(self, entry: t.Mapping[str, t.Any], said: t.Mapping[str, t.Any]) -> bool:
        """Whether the ticket's own job was looked at as it is."""
        mark, _dot, wants = entry["mark"].partition(".")
        return mark == ticket.mark(said) and (wants == self._wants or not self._complete or not entry["open"])

    def _step(self, job: Job, said: dict[str, t.Any], key: str, entry: t.Mapping[str, t.Any] | None) -> Step | None:
        mine = entry is not None and entry["job"] == job.id
        if entry is not None and (self._known(entry, said) if mine else entry["created"] > job.created):
            return None
        report = self._report(job)
        status = next((word for word in ticket.statuses(said, report) if word in self._settings.when), None)
        if status is not None:
            return Step(key, status, job, report, "")
        # A later job about the same that went well says that it is over, too.
        if entry is not None and entry["open"] and (mine or job.state in ("applied", "unchanged")):
            return Step(key, None, job, None, f"The job {job.id} is {job.state}.")
        return None

    def _report(self, job: Job) -> dict[str, t.Any] | None:
        """The newest report of a job's runs, as it was kept."""
        for name in [*reversed(job.run_ids[-_RUNS:]), *([job.plan] if job.plan else [])]:
            found = self._kept(name, "report.json", _MAX_REPORT)
            if found:
                import json  # pylint: disable=import-outside-toplevel

                try:
                    report = json.loads(found)
                    return report if isinstance(report, dict) else None
                except (ValueError, RecursionError):
                    # Nobody knows what it said, so somebody should look.
                    return {"needs_human": True, "summary": f"The report of the run {name} cannot be read."}
        return None

    def _kept(self, run_id: str, name: str, limit: int) -> str:
        from ._workspace.handles import plain_name  # pylint: disable=import-outside-toplevel

        if not plain_name(run_id):
            return ""
        try:
            handle = os.open(os.path.join(self._places.run_dir(run_id), name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as stream:
                raw = stream.read(limit + 1)
        except OSError:
            return ""
        return raw[:limit].decode("utf-8", "replace")

    def over(self) -> None:
        """Remember how far this pass looked, where that saves the next one much."""
        if self._seen > self.state.seen + _OVERLAP / 2:
            self.state.seen = self._seen
            save(self._places.outbox, self.state)

    # --- doing it -----------------------------------------------------------------------------------------------------

    def do(self, step: Step, clean: t.Callable[[t.Any], t.Any], warn: t.Callable[[str], None]) -> dict[str, t.Any] | None:
        """Write the ticket of *step*, and queue its alert. The ticket, where it changed.

        :raises OSError: then it is due still.
        """
        written = self._resolve(step, self._clock()) if step.status is None or step.job is None else self._open(step, step.job, step.status, clean, warn)
        save(self._places.outbox, self.state)
        return written

    def _open(self, step: Step, job: Job, status: str, clean: t.Callable[[t.Any], t.Any], warn: t.Callable[[str], None]) -> dict[str, t.Any] | None:
        entry = self.state.tickets.get(step.key)
        name = entry["ticket"] if entry is not None else job.id
        plan, now = _branching.plan_of(self._places, job), self._clock()
        patch = next((text for text in (self._kept(run, "patch.diff", _MAX_PATCH) for run in ([job.plan] if job.plan else job.run_ids[-1:])) if text), "")
        made = ticket.make(ticket.Source(job.as_dict(), step.report, plan, patch), status, os.uname().nodename, clean)
        old = read(self._places, name)
        opened = old["opened"] if old is not None and old.get("state") == "open" else outbox.stamp(now)
        branch = None
        if plan is not None and self._settings.ticket and self._settings.branch and status != "needs_human":
            bundle = path_of(self._places, name, ".bundle")
            branch = _branching.branch_of(self._places, bundle, job, plan, made["title"] or job.slice, clean, warn)
        new = {**made, "id": name, "opened": opened, "updated": outbox.stamp(now), "branch": branch}
        fresh = self._settings.ticket and not ticket.same(old, new)
        if fresh:
            files.write_json(path_of(self._places, name), new)
        if self._settings.alert is not None:
            outbox.queue(self._places.outbox, self.state, new, self._settings.alert, now)
        self.state.tickets[step.key] = {
            "ticket": name,
            "job": job.id,
            "created": job.created,
            "mark": self._mark(job.as_dict()),
            "open": self._settings.ticket,
            "at": now,
        }
        return new if fresh else None

    def _resolve(self, step: Step, now: float, by: str = "codex-ops") -> dict[str, t.Any] | None:
        entry = self.state.tickets[step.key]
        old = read(self._places, entry["ticket"])
        new = None
        if old is not None and old.get("state") == "open":
            new = ticket.settled(old, outbox.stamp(now), by, step.why)
            files.write_json(path_of(self._places, entry["ticket"]), new)
        # Whoever was killed here had written it, and told nobody.
        if new is not None or (old is not None and entry["open"]):
            outbox.over(self._places.outbox, self.state, new or t.cast("dict[str, t.Any]", old), now)
        entry.update(open=False, at=now)
        if step.job is not None:
            entry.update(job=step.job.id, created=step.job.created, mark=self._mark(step.job.as_dict()))
        return new

    def failed(self, step: Step) -> None:
        """*step* could not be done: it stays due, however far the inbox is looked at meanwhile.

        :raises OSError: nothing can be remembered.
        """
        entry = self.state.tickets.get(step.key)
        if step.job is not None and step.status is not None:
            name = entry["ticket"] if entry is not None else step.job.id
            new = {"ticket": name, "job": step.job.id, "created": step.job.created, "mark": "", "open": True, "at": self._clock()}
            self.state.tickets[step.key] = new
        elif entry is not None:
            entry["mark"] = ""
        save(self._places.outbox, self.state)

    def close(self, name: str, by: str, why: str) -> dict[str, t.Any] | None:
        """Resolve the ticket *name*, since a person says so. It is opened again when its job changes.

        :raises CodexOpsError: ``ticket_not_found``, or one of the inbox's own.
        """
        key = next((key for key, entry in self.state.tickets.items() if name in (entry["ticket"], entry["job"])), None)
        if key is None:
            hint = "'codex-ops inbox tickets' lists them."
            raise CodexOpsError(f"There is no ticket {name[:80]!r}.", code="ticket_not_found", outcome="rejected", hint=hint)
        step = Step(key, None, self._job(self.state.tickets[key]["job"]), None, why)
        written = self._resolve(step, self._clock(), by)
        save(self._places.outbox, self.state)
        return written

    def forget(self, days: int) -> None:
        """Remove tickets that were resolved more than *days* days ago; 0 keeps them. The oldest of too many go in any case."""
        closed = sorted((entry["at"], key) for key, entry in self.state.tickets.items() if not entry["open"])
        before = self._clock() - days * 86400.0 if days > 0 else float("-inf")
        old = [key for at, key in closed if at < before]
        old += [key for _at, key in closed if key not in old][: max(0, len(self.state.tickets) - len(old) - MOST_TICKETS)]
        for key in old:
            name = self.state.tickets.pop(key)["ticket"]
            for end in (".bundle", _END):
                files.remove(path_of(self._places, name, end))
        if old:
            save(self._places.outbox, self.state)
