# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes one report of a fleet from what its hosts answered: plain data, worst first. PRIVATE.

The page shows nothing that is not in it. Its published form is schemas/fleet-report.schema.json.
"""

from __future__ import annotations

import collections
import datetime
import hashlib
import json
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._outcomes import ALL as OUTCOMES
from ansible_collections.day2.codex.plugins.module_utils._outcomes import FAILED
from ansible_collections.day2.codex.plugins.plugin_utils._report_answers import AUDIT, JOBS, Words, taken

#: How a runbook stands on a host, worst first, with what that means to people.
STATUSES = {
    "critical": "The newest report says CRITICAL.",
    "failed": "The newest run failed, the agent could not do its work, or the audit log is not as it was written.",
    "not asked": "The host could not be asked, or answered something unexpected.",
    "warning": "The newest report says WARNING, or asks for a person.",
    "stopped": "The kill switch is engaged or stopped the newest run, or something else was at work.",
    "waits": "A plan waits for a person.",
    "unknown": "The newest report cannot tell, its status is none that is known, or plans could not be read.",
    "open": "A job waits in the inbox, and nothing has run yet.",
    "ok": "The newest run went well and reported nothing bad.",
    "no run": "Nothing has run in this time. Where nothing is found, nothing runs.",
}
RANK = {status: rank for rank, status in enumerate(STATUSES)}
#: What is listed at most; what is left off is counted. Of more runbooks, the worst OWN of each host come first: no host crowds out the others.
APPROVALS, DENIED, RUNBOOKS, OWN = 300, 200, 60, 30
#: The name under which runs of exec stand, which have no slice.
EXEC = "(exec)"
_OPEN = ("pending", "planned", "awaiting_approval", "approved")
_STOPPED = ("kill_switch_engaged", "busy", "killed")
_REPORTED = {"critical": "critical", "warning": "warning", "blocked": "failed", "failed": "failed", "": "ok", "ok": "ok", "changed": "ok", "unchanged": "ok"}
_NO_JOBS = {"states": {}, "jobs": [], "plans": {"waiting": [], "left_off": 0, "unreadable": 0}, "kill_switch": None}


def number_of_days(given: t.Any) -> int:
    """How many days *given* says.

    :raises ValueError: for another number than one from 1 to 92.
    """
    text = str(given)
    if not text.isascii() or not text.isdigit() or len(text) > 4 or not 1 <= int(text) <= 92:
        raise ValueError(f"expected a number of days from 1 to 92, found {text[:40]!r}.")
    return int(text)


def since(days: int, now: datetime.datetime) -> datetime.datetime:
    """The beginning of the first of *days* days, of which today is the last: the same all day long."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - datetime.timedelta(days=days - 1)


def fleet(answers: t.Mapping[str, tuple[t.Any, t.Any, t.Any]], *, made: str, since: str, days: int, version: str) -> dict[str, t.Any]:
    """The report of a fleet.

    :arg answers: Of each host, by its name, what job_info and audit_info returned, ``None`` where one was not even asked, and its prefix.
    :arg made: When, and *since* from when on, as RFC 3339 has it; *days* is the time between in days.
    """
    words = Words()
    hosts = [_Host(words.text(str(name), 120), *said, words, since) for name, said in answers.items()]
    runbooks = _runbooks(hosts)
    listed = sorted(runbooks[:RUNBOOKS], key=_order)
    shown = [host.as_dict([book["name"] for book in listed]) for host in hosts]
    shown.sort(key=lambda one: (RANK[one["status"]], -one["bad_cells"], one["name"]))
    approvals = [{"host": host.name, **plan} for host in hosts for plan in host.plans["waiting"]]
    approvals.sort(key=lambda plan: (plan["created"], plan["host"]))
    denied = [{"host": host.name, **attempt} for host in hosts for attempt in host.denied["newest"]]
    denied.sort(key=lambda attempt: (attempt["time"], attempt["host"]), reverse=True)
    waiting = len(approvals) + sum(host.plans["left_off"] for host in hosts)
    refused = sum(host.denied["count"] for host in hosts)
    data = {
        "version": 1,
        "collection": version,
        "since": since,
        "days": days,
        "totals": {
            "hosts": len(hosts),
            "hosts_not_asked": sum(one["status_of_host"] == "not asked" for one in shown),
            "kill_switches": sum(bool(one["kill_switch"]) for one in shown),
            "logs_not_verified": sum(one["log"]["verified"] is False for one in shown),
            "cells": {status: sum(book["cells"].get(status, 0) for book in runbooks) for status in STATUSES},
            "approvals": waiting,
            "denied": refused,
            "runs": sum(book["runs"] for book in runbooks),
            "requests": sum(book["requests"] for book in runbooks),
            "tokens": sum(book["tokens"] for book in runbooks),
        },
        "runbooks": listed,
        "runbooks_left_off": len(runbooks) - len(listed),
        "hosts": shown,
        "approvals": approvals[:APPROVALS],
        "approvals_left_off": waiting - min(len(approvals), APPROVALS),
        "denied": denied[:DENIED],
        "denied_left_off": refused - min(len(denied), DENIED),
    }
    # What went into it, and not when it was made: whoever compares two reports compares these.
    raw = json.dumps(data, sort_keys=True, ensure_ascii=True).encode("ascii")
    return {**data, "made": made, "data_sha256": hashlib.sha256(raw).hexdigest()}


class _Host:
    """What one host said, as far as it had the right form."""

    def __init__(self, name: str, jobs: t.Any, audit: t.Any, prefix: t.Any, words: Words, since: str) -> None:
        self.name, self.since = name, since
        self.prefix = words.text(str(prefix), 300) if isinstance(prefix, str) and prefix else "/"
        inbox, wrong_jobs = taken(jobs, JOBS, "job_info", words)
        trail, wrong_audit = taken(audit, AUDIT, "audit_info", words)
        problems = [wrong for wrong in (wrong_jobs, wrong_audit) if wrong]
        if jobs is None and audit is None:
            problems.append("it was not asked: the play ended for it before")
        self.problem = "; ".join(problems)
        self.inbox_known = "states" in inbox
        inbox = {**_NO_JOBS, **inbox}
        self.switch, self.states, self.jobs, self.plans = (inbox[key] for key in ("kill_switch", "states", "jobs", "plans"))
        summary = trail.get("summary") or {"slices": [], "slices_left_off": 0, "denied": {"count": 0, "newest": []}}
        self.denied, self.left_off = summary["denied"], summary["slices_left_off"]
        self.slices = {found["slice"] or EXEC: found for found in summary["slices"]}
        self.log = {
            "verified": trail.get("verified"), "exists": trail.get("exists"), "head": trail.get("head"), "msg": trail.get("msg", ""),
        }  # fmt: skip
        if self.log["exists"] is False and any(job["run_ids"] and job["state"] not in _OPEN for job in self.jobs):
            self.log.update(verified=False, msg="There is no audit log, but jobs of the inbox have runs, which are all recorded: it was removed.")
        # The newest job of each: they come newest first.
        self.newest: dict[str, dict[str, t.Any]] = {}
        for job in self.jobs:
            self.newest.setdefault(job["slice"], job)
        self.open_jobs = collections.Counter(job["slice"] for job in self.jobs if job["state"] in _OPEN)
        self.waits = {plan["slice"] for plan in self.plans["waiting"]}
        #: How each runbook stands that it knows of, worst first.
        cells = [self._cell(name) for name in sorted({*self.slices, *self.newest, *self.waits} - {""})]
        self.cells = {cell["runbook"]: cell for cell in sorted(cells, key=lambda cell: RANK[cell["status"]])}

    def _cell(self, name: str) -> dict[str, t.Any]:
        found = self.slices.get(name) or {"runs": 0, "requests": 0, "tokens": 0, "last": None, "report": None, "days": []}
        last, report, job = found["last"], found["report"], self.newest.get(name)
        cell = {
            "runbook": name,
            "status": "no run",
            "outcome": last["outcome"] if last else "",
            "time": last["time"] if last else "",
            "run_id": last["run_id"] if last else "",
            "msg": last["msg"] if last else "",
            "report": report,
            "open_jobs": self.open_jobs[name],
            "runs": found["runs"],
            "tokens": found["tokens"],
        }
        lost = self._lost(name, last)
        cell["status"] = self._status(name, last, report, job, lost)
        if lost is not None and cell["status"] == "failed":
            cell.update(outcome=lost["outcome"] or lost["state"], time=lost["updated"], run_id="", msg=lost["msg"])
        if cell["status"] == "ok" and job is not None and job["code"] == "resolved":
            cell["outcome"] = "resolved"
        return cell

    def _lost(self, name: str, last: dict[str, t.Any] | None) -> dict[str, t.Any] | None:
        """The newest job of the runbook *name* that failed after its *last* run, and of which no run has told: its worker was lost, say."""
        after = last or {"time": self.since, "job_id": "", "outcome": ""}
        found = [
            job
            for job in self.jobs
            if job["slice"] == name and job["state"] in ("failed", "rejected") and job["code"] != "approval_rejected" and job["updated"] > after["time"]
        ]
        found = [job for job in found if (job["id"], job["outcome"]) != (after["job_id"], after["outcome"])]
        return max(found, key=lambda job: str(job["updated"]), default=None)

    def _status(
        self, name: str, last: dict[str, t.Any] | None, report: dict[str, t.Any] | None, job: dict[str, t.Any] | None, lost: dict[str, t.Any] | None
    ) -> str:
        said = {"waits"} if name in self.waits else set()
        # What is resolved says nothing of what is still open.
        if not said and not self.open_jobs[name] and job is not None and job["code"] == "resolved" and job["updated"] >= (last["time"] if last else ""):
            return "ok"
        if lost is not None:
            said.add("failed")
        if last is None:
            return min(said, key=RANK.__getitem__, default="open" if self.open_jobs[name] else "no run")
        outcome = last["outcome"]
        said.add("stopped" if outcome in _STOPPED else "failed" if outcome in FAILED else "ok" if outcome in OUTCOMES else "unknown")
        # What a change was made for is over once it is made.
        if report is not None and outcome not in ("applied", "restored"):
            said.add("warning" if report["needs_human"] else "ok")
            said.add(_REPORTED.get(report["status"].lower(), "unknown"))
        return min(said, key=RANK.__getitem__)

    def as_dict(self, names: t.Sequence[str]) -> dict[str, t.Any]:
        """Its part of the report, with a cell for each of *names* that it knows of. Whatever is added up counts the others, too."""
        cells = self.cells.values()
        engaged = self.switch if self.switch and self.switch["engaged"] else None
        own = "not asked" if self.problem else "failed" if self.log["verified"] is False else "stopped" if engaged else ""
        own = own or ("unknown" if self.plans["unreadable"] else "no run")
        worst = min([own, *(cell["status"] for cell in cells)], key=RANK.__getitem__)
        return {
            "name": self.name,
            "prefix": self.prefix,
            "status": worst,
            "status_of_host": own if own != "no run" else "ok",
            "problem": self.problem,
            "kill_switch": engaged,
            "kill_switch_known": self.switch is not None,
            "log": self.log,
            "inbox_known": self.inbox_known,
            "jobs": {state: count for state, count in self.states.items() if count},
            "cells": [self.cells[name] for name in names if name in self.cells],
            "bad_cells": sum(RANK[cell["status"]] < RANK["waits"] for cell in cells),
            "runbooks_left_off": self.left_off,
            "plans_unreadable": self.plans["unreadable"],
            "runs": sum(cell["runs"] for cell in cells),
            "tokens": sum(cell["tokens"] for cell in cells),
            "days": _added(found["days"] for found in self.slices.values()),
        }


def _added(several: t.Iterable[list[dict[str, t.Any]]]) -> list[dict[str, t.Any]]:
    """The days of *several*, added up, oldest first."""
    total: dict[str, dict[str, t.Any]] = {}
    for days in several:
        for day in days:
            found = total.setdefault(day["day"][:10], {"day": day["day"][:10], "runs": 0, "bad": 0, "tokens": 0})
            for key in ("runs", "bad", "tokens"):
                found[key] += day[key]
    return [total[day] for day in sorted(total)]


def _order(book: dict[str, t.Any]) -> tuple[t.Any, ...]:
    """Worst first; of those that stand alike, those that stand so on the most hosts."""
    return RANK[book["status"]], [-book["cells"].get(status, 0) for status in STATUSES], book["name"]


def _runbooks(hosts: t.Sequence[_Host]) -> list[dict[str, t.Any]]:
    """The runbooks that hosts know of, with what they cost: those first that are to be listed first."""
    known: dict[str, list[_Host]] = {}
    own = set()
    for host in hosts:
        for at, name in enumerate(host.cells):
            known.setdefault(name, []).append(host)
            if at < OWN:
                own.add(name)
    found = []
    for name, knowing in known.items():
        cells = [host.cells[name] for host in knowing]
        counts = collections.Counter(cell["status"] for cell in cells)
        slices = [host.slices[name] for host in knowing if name in host.slices]
        found.append(
            {
                "name": name,
                "status": min(counts, key=RANK.__getitem__),
                "hosts": len(cells),
                "cells": {status: counts[status] for status in STATUSES if counts[status]},
                "runs": sum(cell["runs"] for cell in cells),
                "requests": sum(one["requests"] for one in slices),
                "tokens": sum(cell["tokens"] for cell in cells),
                "days": _added(one["days"] for one in slices),
            }
        )
    found.sort(key=lambda book: (book["name"] not in own, RANK[book["status"]], -book["hosts"], book["name"]))
    return found
