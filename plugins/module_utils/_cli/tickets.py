# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""codex-ops inbox tickets, close and deliver: what people are told. PRIVATE."""

from __future__ import annotations

import typing as t

from .._errors import CodexOpsError
from .._options import Options
from . import show
from .asked import Asked

_HEADS = ("ticket", "severity", "why", "slice", "opened (UTC)", "what")
_RANK = {"CRITICAL": 0, "WARNING": 1, "INFO": 2}


def work(given: Asked) -> dict[str, t.Any]:
    """The result of the action that was asked for.

    :raises CodexOpsError: for a ticket that is not there, or files that cannot be used.
    """
    from .. import _delivering  # pylint: disable=import-outside-toplevel

    if given.action == "close":
        return _delivering.close(Options(prefix=given.prefix), given.job, given.reason)
    if given.action == "deliver":
        result = _delivering.deliver(Options(prefix=given.prefix))
        # Who came for nothing else is told by the exit status that the host's own file is wrong. A hook that fails is tried again.
        result["failed"] = result.get("code") is not None
        return result
    found = _delivering.tickets(given.prefix, resolved=given.resolved, name=given.job)
    if given.job is not None:
        if not found["tickets"]:
            hint = "'codex-ops inbox tickets' lists them."
            raise CodexOpsError(f"There is no ticket {given.job!r}.", code="ticket_not_found", outcome="rejected", hint=hint)
        one = found["tickets"][0]
        return {"outcome": "completed", "changed": False, "msg": "", "ticket": one, "shown": lambda: _one(one)}
    tickets = sorted(found["tickets"], key=lambda one: (one.get("state") != "open", _RANK.get(str(one.get("severity")), 3)))
    counts = found["counts"]
    more = counts["resolved"] if not given.resolved else 0
    msg = "" if tickets else "No ticket is open."
    msg += f"{' ' if msg else ''}{more:,} resolved ones are not shown; --resolved shows them." if more else ""
    return {"outcome": "completed", "changed": False, "msg": msg, "tickets": tickets, "counts": counts, "shown": lambda: _table(tickets)}


def _table(tickets: list[dict[str, t.Any]]) -> str:
    rows = []
    for one in tickets:
        why = one.get("status") if one.get("state") == "open" else "resolved"
        rows.append([one["id"], one.get("severity"), why, one.get("slice"), show.moment(one.get("opened")), one.get("summary")])
    return show.table(_HEADS, rows, show.width()) if rows else ""


def _one(one: dict[str, t.Any]) -> str:
    keys = ("id", "state", "status", "severity", "host", "slice", "title", "job", "job_state", "outcome", "code")
    pairs = [(key.replace("_", " "), one.get(key)) for key in keys]
    pairs += [(key, show.moment(one.get(key))) for key in ("opened", "updated")]
    if one.get("resolved"):
        pairs.append(("resolved", f"{show.moment(one['resolved']['at'])} by {one['resolved']['by']}: {one['resolved']['why']}"))
    plan, branch = one.get("plan"), one.get("branch")
    if plan:
        pairs += [("plan", f"{plan['id']}, sha256 {plan['sha256']}"), ("to decide", f"codex-ops approve {plan['id']}")]
    if branch:
        pairs += [("branch", branch["name"] or f"none: {branch['why_not']}"), ("commit", branch["commit"]), ("fetch", branch["fetch"])]
    parts = [show.facts(pairs), str(one.get("summary"))]
    rows = [[found["severity"], found["from"], found["id"], found["resource"], found["summary"]] for found in one.get("findings", ())]
    if rows:
        parts.append(show.table(("severity", "from", "finding", "about", "what"), rows, show.width()))
    if one.get("patch"):
        parts.append(one["patch"].rstrip("\n") + ("\n... there is more of it" if one.get("patch_cut") else ""))
    return "\n\n".join(parts)
