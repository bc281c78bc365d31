# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Adds a log up: each slice's newest run and report, what it cost, how it went day by day, and what was denied. Pure. PRIVATE.

What comes out is bounded, however long the log is; what is left off is counted.
"""

from __future__ import annotations

import collections
import heapq
import typing as t

#: Slices, days of each, findings of a report and denied tool calls that are listed, and characters of a text.
SLICES = 64
DAYS = 92
FINDINGS = 5
DENIED = 25
TEXT = 600
COMMAND = 300
#: The operations that ask an agent; the others cost nothing and report nothing.
_RUNS = ("slice", "exec")
_SEVERITIES = ("CRITICAL", "WARNING", "INFO")
#: What a day or a run counts as where it did not go well.
_WELL = frozenset({"completed", "unchanged", "planned", "awaiting_approval", "applied", "restored"})
_FINE = frozenset({"changed", "unchanged", "ok"})


def _cut(value: t.Any, limit: int) -> str | None:
    """*value* as a text of at most *limit* characters, with how many there were where there were more."""
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def _dict(value: t.Any) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _number(value: t.Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _report(found: t.Any) -> dict[str, t.Any] | None:
    """What of a report stands on a page. A report in a form of its own may lack any of it."""
    if not isinstance(found, dict):
        return None
    listed = [one for one in found.get("findings") or () if isinstance(one, dict)] if isinstance(found.get("findings"), list) else []
    counts = {severity: sum(one.get("severity") == severity for one in listed) for severity in _SEVERITIES}
    listed.sort(key=lambda one: _SEVERITIES.index(one["severity"]) if one.get("severity") in _SEVERITIES else len(_SEVERITIES))
    worst = [{"severity": _cut(one.get("severity"), 20), "id": _cut(one.get("id"), 200), "summary": _cut(one.get("summary"), COMMAND)} for one in listed]
    human = found.get("needs_human")
    return {
        "status": _cut(found.get("status"), 40),
        "summary": _cut(found.get("summary"), TEXT),
        "findings": counts,
        "worst": worst[:FINDINGS],
        "needs_human": human if isinstance(human, bool) else None,
    }


class _Slice:
    """What is known of one slice. ``last`` is its newest run that was no dry run."""

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.runs = self.requests = self.tokens = 0
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.last: dict[str, t.Any] | None = None
        self.report: dict[str, t.Any] | None = None
        self.days: dict[str, dict[str, t.Any]] = {}

    def add(self, record: dict[str, t.Any]) -> None:
        result, usage, command = _dict(record.get("result")), _dict(record.get("usage")), _dict(record.get("command"))
        time, outcome, report = str(record.get("time"))[:40], _cut(result.get("outcome"), 40), _report(result.get("report"))
        tokens = _number(usage.get("total_tokens")) or _number(usage.get("input_tokens")) + _number(usage.get("output_tokens"))
        bad = outcome not in _WELL or (report is not None and report["status"] is not None and report["status"] not in _FINE)
        self.runs += 1
        self.requests += _number(usage.get("requests"))
        self.tokens += tokens
        self.outcomes[str(outcome)] += 1
        day = self.days.setdefault(time[:10], {"day": time[:10], "runs": 0, "bad": 0, "tokens": 0})
        day["runs"] += 1
        day["bad"] += bad
        day["tokens"] += tokens
        # The newest stand at the end of a log.
        if not command.get("check_mode"):
            ids = {name: _cut(record.get(name), 200) for name in ("run_id", "job_id")}
            self.last = {**ids, "time": time, "outcome": outcome, "code": _cut(result.get("code"), 80), "msg": _cut(result.get("msg"), TEXT), "tokens": tokens}
            if report is not None:
                self.report = {"run_id": ids["run_id"], "time": time, **report}

    def as_dict(self) -> dict[str, t.Any]:
        days = [self.days[day] for day in sorted(self.days)[-DAYS:]]
        outcomes = dict(self.outcomes.most_common(20))
        return {
            "slice": self.name,
            "runs": self.runs,
            "requests": self.requests,
            "tokens": self.tokens,
            "outcomes": outcomes,
            "last": self.last,
            "report": self.report,
            "days": days,
        }


def summed(records: t.Iterable[dict[str, t.Any]]) -> dict[str, t.Any]:
    """*records*, oldest first, added up: ``records``, ``slices`` (the latest first), ``slices_left_off``, ``denied`` (the newest last).

    Only outcomes of ``slice`` and ``exec`` count. An ``exec``, which has no slice, is counted under ``None``.
    """
    count, slices = 0, {}  # type: int, dict[str | None, _Slice]
    order: dict[str | None, int] = {}
    # A rollback names the run that it takes back, and no slice.
    applied: dict[str, str | None] = {}
    denied, newest = 0, collections.deque(maxlen=DENIED)  # type: int, collections.deque[dict[str, t.Any]]
    for number, record in enumerate(records):
        count += 1
        if record.get("phase") != "outcome" or _dict(record.get("command")).get("operation") not in _RUNS:
            continue
        about = _dict(record.get("input"))
        name = _cut(about.get("slice") or applied.get(str(about.get("run_id"))), 80)
        if _dict(record.get("result")).get("outcome") == "applied":
            applied[str(record.get("run_id"))] = name
        slices.setdefault(name, _Slice(name)).add(record)
        order[name] = number
        attempts = record.get("attempts")
        for attempt in attempts if isinstance(attempts, list) else ():
            if _dict(attempt).get("status") == "denied":
                denied += 1
                said = {key: _cut(attempt.get(key), COMMAND) for key in ("command", "reason")}
                newest.append({"time": str(record.get("time"))[:40], "run_id": _cut(record.get("run_id"), 200), "slice": name, **said})
    shown = heapq.nlargest(SLICES, slices, key=order.__getitem__)
    return {
        "records": count,
        "slices": [slices[name].as_dict() for name in shown],
        "slices_left_off": len(slices) - len(shown),
        "denied": {"count": denied, "newest": list(newest)},
    }
