# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a ticket says: made of a job, its report, its plan and its patch. Pure. PRIVATE."""

from __future__ import annotations

import json
import typing as t

from .._canonical import digest
from .settings import SEVERITIES

#: The version of the form.
VERSION = 1
#: Findings, files and runs that a ticket names.
MOST_FINDINGS, MOST_FILES, MOST_RUNS = 50, 50, 20
#: Characters of its texts, of its patch, and of its report as JSON.
SUMMARY, LINE, NAME, PATCH, REPORT = 2000, 500, 200, 32 * 1024, 32 * 1024
_FAILED = ("failed", "rejected", "rolled_back")


class Source(t.NamedTuple):
    """What is known. ``job`` is as the published contract has it; ``plan`` is stored, or ``None``; ``patch`` is as people read it."""

    job: dict[str, t.Any]
    report: dict[str, t.Any] | None = None
    plan: dict[str, t.Any] | None = None
    patch: str = ""


def statuses(job: t.Mapping[str, t.Any], report: t.Mapping[str, t.Any] | None) -> tuple[str, ...]:
    """Why the job needs a person, the strongest reason first; empty where it does not."""
    found = []
    state, code = job["state"], job.get("code")
    if state == "awaiting_approval":
        found.append("awaiting_approval")
    # What a person rejected or took back, a person knows of.
    if state in _FAILED and code != "approval_rejected" and job.get("outcome") != "restored":
        found.append("failed")
    done = state in (*_FAILED, "awaiting_approval", "unchanged", "applied")
    if done and code not in ("resolved", "approval_rejected") and job.get("outcome") != "restored" and report is not None and report.get("needs_human") is True:
        found.append("needs_human")
    return tuple(found)


def key(job: t.Mapping[str, t.Any]) -> str:
    """By which the same thing is known again: the job's key, without the moment that the rules put into theirs."""
    given, said = str(job["dedupe_key"]), job.get("input")
    rule = said.get("rule") if isinstance(said, dict) else None
    if isinstance(rule, str) and given.startswith(f"rule:{rule}:"):
        ids = sorted(str(found.get("id")) for found in _findings(job.get("signal")))
        return f"{given.rpartition(':')[0]}:{digest(ids)[:32]}"
    return given


def mark(job: t.Mapping[str, t.Any]) -> str:
    """What changes when the job does."""
    return digest([job.get(name) for name in ("id", "updated", "state", "outcome", "code", "plan")])[:32]


def make(source: Source, status: str, host: str, clean: t.Callable[[t.Any], t.Any]) -> dict[str, t.Any]:
    """The ticket, open, without ``id``, ``opened``, ``updated`` and ``branch``, which are not its content.

    :arg clean: Masks secrets and shows what is invisible, in whatever it is given.
    """
    job, report, plan = source.job, source.report, source.plan
    document = (plan or {}).get("slice")
    title = document.get("title") if isinstance(document, dict) else None
    findings = _listed(job.get("signal"), report, clean)
    summary = report.get("summary") if status == "needs_human" and report is not None else job.get("msg")
    kept, cut = _cut_patch(source.patch)
    # What needs a person is never mere information.
    worst = max([SEVERITIES[found["severity"]] for found in findings] + [SEVERITIES["WARNING"]])
    return {
        "version": VERSION,
        "key": key(job),
        "state": "open",
        "status": status,
        "severity": next(name for name, rank in SEVERITIES.items() if rank == worst),
        "host": _text(clean(host), NAME),
        "slice": _text(clean(job["slice"]), 100),
        "title": None if title is None else _text(clean(str(title)), NAME),
        "job": job["id"],
        "job_state": job["state"],
        "outcome": job.get("outcome"),
        "code": job.get("code"),
        "summary": _text(clean(str(summary or "There is nothing more to say.")), SUMMARY),
        "findings": findings,
        "report": _bounded(report, clean),
        "plan": None if plan is None else _plan(plan, job, clean),
        "patch": kept,
        "patch_cut": cut,
        "run_ids": list(job.get("run_ids", ()))[-MOST_RUNS:],
        "first_seen": job["first_seen"],
        "resolved": None,
    }


def _findings(holder: t.Any) -> list[dict[str, t.Any]]:
    found = holder.get("findings") if isinstance(holder, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _optional(value: t.Any, clean: t.Callable[[t.Any], t.Any]) -> str | None:
    return None if value is None else _text(clean(str(value)), NAME)


def _listed(signal: t.Any, report: t.Any, clean: t.Callable[[t.Any], t.Any]) -> list[dict[str, t.Any]]:
    found = []
    for source, holder in (("signal", signal), ("report", report)):
        for one in _findings(holder):
            severity = one.get("severity")
            if not isinstance(severity, str) or severity not in SEVERITIES:
                continue
            said = one.get("summary") or one.get("observed") or one.get("detail") or one.get("id") or ""
            if source == "signal" and one.get("expected") and one.get("observed"):
                said = f"expected {one['expected']}, found {one['observed']}"
            found.append((SEVERITIES[severity], source, one, str(said)))
    found.sort(key=lambda item: -item[0])
    return [
        {
            "from": source,
            "id": _optional(one.get("id"), clean),
            "severity": one["severity"],
            "resource": _optional(one.get("resource"), clean),
            "summary": _text(clean(said), LINE),
        }
        for _rank, source, one, said in found[:MOST_FINDINGS]
    ]


def _bounded(report: dict[str, t.Any] | None, clean: t.Callable[[t.Any], t.Any]) -> dict[str, t.Any] | None:
    """The report, where it is not too large."""
    if report is None or len(json.dumps(report)) > REPORT:
        return None
    shown = clean(report)
    # What is invisible takes more room once it is written out.
    return shown if isinstance(shown, dict) and len(json.dumps(shown)) <= 2 * REPORT else None


def _plan(plan: t.Mapping[str, t.Any], job: t.Mapping[str, t.Any], clean: t.Callable[[t.Any], t.Any]) -> dict[str, t.Any]:
    files = [str(entry["path"]) for entry in plan["files"]]
    return {
        "id": plan["id"],
        "sha256": plan["sha256"],
        "created": str(plan["created"]),
        "files": [_text(clean(path), LINE) for path in files[:MOST_FILES]],
        "more_files": max(0, len(files) - MOST_FILES),
        "added": plan["added"],
        "removed": plan["removed"],
        "actions": list(plan["actions"]),
        "approvals_needed": int(job.get("approvals_needed") or 0),
        "approve": [f"ansible-playbook day2.codex.approve -e plan={plan['id']}", f"codex-ops approve {plan['id']}"],
    }


def _cut_patch(patch: str) -> tuple[str, bool]:
    if len(patch) <= PATCH:
        return patch, False
    # Whole lines: half of one could say something else.
    return patch[: patch.rfind("\n", 0, PATCH) + 1], True


def settled(ticket: t.Mapping[str, t.Any], at: str, by: str, why: str) -> dict[str, t.Any]:
    """*ticket*, resolved."""
    return {**ticket, "state": "resolved", "updated": at, "resolved": {"at": at, "by": _text(by, NAME), "why": _text(why, LINE)}}


def same(old: t.Mapping[str, t.Any] | None, new: t.Mapping[str, t.Any]) -> bool:
    """Whether nothing but the time of the last look differs."""
    return old is not None and {**old, "updated": ""} == {**new, "updated": ""}
