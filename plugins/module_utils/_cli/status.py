# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""codex-ops status: what is going on here. Reads only, and goes on where something cannot be read. PRIVATE."""

from __future__ import annotations

import json
import os
import time
import typing as t

from .._errors import CodexOpsError
from .._gates import kill_switch
from .._places import Places
from . import show
from .asked import Asked

#: The newest runs that are looked at for plans, the plans and the runs that are shown, and the bytes of the log's end that are read.
RUNS = 500
PLANS = 10
LAST = 8
_END = 512 * 1024
_MAX_PLAN = 8 * 1024 * 1024


def status(given: Asked) -> dict[str, t.Any]:
    """The result of ``status``: ``kill_switch``, ``policy``, ``rules``, ``budget``, ``inbox``, ``delivery``, ``plans``, ``runs`` and ``interrupted``."""
    places = Places(given.prefix)
    switch = kill_switch.state(places.kill_switches)
    rules, policy = _policy(places)
    result: dict[str, t.Any] = {
        "outcome": "completed",
        "changed": False,
        "msg": "",
        "version": given.version,
        "host": os.uname().nodename,
        "prefix": places.prefix,
        "kill_switch": {"engaged": switch.engaged, "path": switch.path, "reason": switch.reason, "by": switch.by, "since": switch.since},
        "policy": policy,
        "rules": _rules(places),
        "budget": _told(lambda: _budget(places, rules)),
        "inbox": _told(lambda: _inbox(places)),
        "delivery": _told(lambda: _delivery(places)),
        "interrupted": _told(lambda: _interrupted(places)),
        "plans": _told(lambda: _plans(places)),
        "runs": _told(lambda: _runs(places)),
    }
    result["shown"] = lambda: _text(result, switch.sentence())
    return result


def _told(look: t.Callable[[], t.Any]) -> t.Any:
    """What *look* finds, or ``{"error": ...}``: one thing that cannot be read does not hide the others."""
    try:
        return look()
    except FileNotFoundError:
        return None
    except OSError as error:
        return {"error": f"{error.filename or ''}: {error.strerror}".lstrip(": ")}
    except CodexOpsError as error:
        return {"error": str(error)}


def _policy(places: Places) -> tuple[t.Any, dict[str, t.Any]]:
    from .._gates.policy import standing  # pylint: disable=import-outside-toplevel

    rules = standing(places.policies)
    closed = rules.closed
    return rules, {"path": places.policy, "sha256": rules.sha256, "error": str(closed) if closed else None, "code": closed.code if closed else None}


def _rules(places: Places) -> dict[str, t.Any] | None:
    """The table of rules: ``path``, ``count``, and ``error`` and ``code`` where it is wrong. ``None`` where there is none."""
    if not os.path.lexists(places.rules):
        return None
    from .._ruling import standing  # pylint: disable=import-outside-toplevel

    try:
        table = standing(places)
    except CodexOpsError as error:
        return {"path": places.rules, "count": None, "error": str(error), "code": error.code}
    return None if table is None else {"path": places.rules, "count": len(table.rules), "error": None, "code": None}


def _budget(places: Places, rules: t.Any) -> dict[str, t.Any]:
    limits = {"tokens_per_day": rules.limits.tokens_per_day, "runs_per_hour": rules.limits.runs_per_hour}
    if not os.path.exists(places.budget):
        return {"tokens_today": 0, "runs_last_hour": 0, "open_runs": 0, "actions_last_hour": {}, **limits}
    from .._gates.budget import Budget  # pylint: disable=import-outside-toplevel

    return {**Budget(places.budget).totals(time.time()), **limits}


def _inbox(places: Places) -> dict[str, int] | None:
    if not os.path.exists(places.inbox):
        return None
    from .._inbox.counts import counts_at  # pylint: disable=import-outside-toplevel

    return counts_at(places.inbox, places.owners | {os.geteuid()})


def _delivery(places: Places) -> dict[str, t.Any]:
    from .._delivery.overview import overview  # pylint: disable=import-outside-toplevel

    return overview(places.delivery, places.owners, places.alert_key, places.outbox)


def _interrupted(places: Places) -> list[str] | None:
    """The runs whose apply was interrupted. The next run on the same workspace puts their files back. ``None`` where only root can know."""
    if places.divided and not places.privileged:
        return None
    found = []
    with os.scandir(places.backups) as entries:
        for entry in entries:
            if os.path.lexists(os.path.join(entry.path, "open")):
                found.append(entry.name)
    return sorted(found)


def _plans(places: Places) -> list[dict[str, t.Any]]:
    """The plans that nobody has applied yet, newest first."""
    found: list[dict[str, t.Any]] = []
    for name in sorted(os.listdir(places.runs), reverse=True)[:RUNS]:
        folder = places.run_dir(name)
        if len(found) == PLANS or os.path.lexists(os.path.join(folder, "spent")):
            continue
        plan = _read(os.path.join(folder, "plan.json"))
        if plan is not None and plan.get("id") == name:
            found.append(_plan(plan, folder))
    return found


def _read(path: str) -> dict[str, t.Any] | None:
    """A plan as it lies there. Nothing is decided by it, so its digests are not recomputed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as stream:
        raw = stream.read(_MAX_PLAN + 1)
    try:
        plan = json.loads(raw) if len(raw) <= _MAX_PLAN else None
    except (ValueError, RecursionError):
        return None
    return plan if isinstance(plan, dict) else None


def _plan(plan: dict[str, t.Any], folder: str) -> dict[str, t.Any]:
    document, files = plan.get("slice"), plan.get("files")
    try:
        decisions = len(os.listdir(os.path.join(folder, "approvals")))
    except OSError:
        decisions = 0
    return {
        "id": plan["id"],
        "slice": document.get("name") if isinstance(document, dict) else None,
        "created": plan.get("created"),
        "files": len(files) if isinstance(files, list) else None,
        "added": plan.get("added"),
        "removed": plan.get("removed"),
        "decisions": decisions,
    }


def _runs(places: Places) -> list[dict[str, t.Any]]:
    """The last runs that the log tells of, newest first. Whether the log is right is another question: audit verify."""
    with open(places.log, "rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, size - _END))
        lines = handle.read().split(b"\n")
    found: list[dict[str, t.Any]] = []
    for line in reversed(lines if size <= _END else lines[1:]):
        if b'"outcome"' not in line or len(found) == LAST:
            continue
        try:
            record = json.loads(line)
            if record["phase"] == "outcome":
                found.append(
                    {
                        "time": record["time"],
                        "run": record["run_id"],
                        "operation": record["command"]["operation"],
                        "check": record["command"]["check_mode"],
                        "slice": record["input"].get("slice"),
                        "user": record["user"]["name"],
                        "outcome": record["result"].get("outcome"),
                    }
                )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return found


def _error(value: t.Any) -> str | None:
    return str(value["error"]) if isinstance(value, dict) and value.get("error") else None


def _delivered(found: t.Any) -> list[tuple[str, t.Any]]:
    """How many tickets are open, and what is wrong with alerts. Nothing, where nothing is to be said."""
    if not found or set(found) == {"error"}:
        return [("tickets", found["error"])] if found else []
    pairs: list[tuple[str, t.Any]] = [("tickets", f"{found['tickets']:,} open")] if found["tickets"] else []
    late = ", ".join(f"{found[name]:,} {word}" for name, word in (("waiting", "waiting"), ("held_back", "held back")) if found[name])
    if found["error"] or late:
        pairs.append(("alerts", found["error"] or late))
    return pairs


def _text(result: dict[str, t.Any], sentence: str) -> str:
    room = show.width()
    policy, budget, inbox = result["policy"], result["budget"], result["inbox"]
    pairs: list[tuple[str, t.Any]] = [
        ("kill switch", sentence if result["kill_switch"]["engaged"] else "released"),
        ("policy", policy["error"] or f"{policy['path']} (sha256 {str(policy['sha256'])[:12]})"),
    ]
    if result["rules"]:
        pairs.append(("rules", result["rules"]["error"] or f"{result['rules']['count']} in {result['rules']['path']}"))
    if _error(budget):
        pairs.append(("budget", _error(budget)))
    else:
        tokens, runs = f"{budget['tokens_today']:,} of {budget['tokens_per_day']:,}", f"{budget['runs_last_hour']:,} of {budget['runs_per_hour']:,}"
        pairs += [("tokens today", tokens), ("runs this hour", runs)]
    jobs = "" if _error(inbox) or not inbox else ", ".join(f"{count:,} {state}" for state, count in inbox.items() if count)
    pairs.append(("inbox", _error(inbox) or jobs or "empty"))
    pairs += _delivered(result["delivery"])
    if result["interrupted"]:
        what = _error(result["interrupted"]) or f"{', '.join(result['interrupted'])}: the next run there puts the old files back"
        pairs.append(("interrupted", what))
    parts = [f"{result['version']} on {result['host']}, prefix {result['prefix']}", show.facts(pairs)]
    plans, runs_ = result["plans"], result["runs"]
    heads: tuple[str, ...]
    if plans:
        heads = ("plan", "slice", "made (UTC)", "files", "added", "removed", "decisions")
        rows = [] if _error(plans) else [[item["id"], item["slice"], show.moment(item["created"]), *(item[key] for key in heads[3:])] for item in plans]
        parts.append("plans that were not applied\n" + (_error(plans) or show.table(heads, rows, room)))
    if runs_:
        heads = ("time (UTC)", "run", "operation", "slice", "user", "outcome")
        rows = [] if _error(runs_) else [[show.moment(item["time"]), *(item[key] for key in heads[1:])] for item in runs_]
        parts.append("last runs\n" + (_error(runs_) or show.table(heads, rows, room)))
    return "\n\n".join(parts)
