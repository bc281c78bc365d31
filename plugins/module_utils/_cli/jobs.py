# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""codex-ops inbox and run: what waits, and one of it done. PRIVATE."""

from __future__ import annotations

import typing as t

from .._errors import CodexOpsError
from .._options import Options
from . import progress, show, slices
from .asked import Asked

_HEADS = ("job", "state", "slice", "priority", "count", "asked first (UTC)", "plan")


def work(given: Asked) -> dict[str, t.Any]:
    """The result of the part that was asked for.

    :raises CodexOpsError: for a job that is not there or held by somebody else, or an inbox that cannot be used.
    """
    if given.part == "run":
        return _run(given)
    if given.action in ("tickets", "close", "deliver"):
        from . import tickets  # pylint: disable=import-outside-toplevel

        return tickets.work(given)
    if given.action == "cancel":
        from .._jobs import Request, change  # pylint: disable=import-outside-toplevel

        return change(Options(prefix=given.prefix), Request(state="cancelled", id=given.job, why=given.reason))
    from .._jobs import info  # pylint: disable=import-outside-toplevel

    if given.action == "show":
        result = info(given.prefix, {"id": given.job}, limit=1, history=True)
        if not result["jobs"]:
            raise CodexOpsError(f"There is no job {given.job!r}.", code="job_not_found", outcome="rejected", hint="'codex-ops inbox list' shows them.")
        job = result["jobs"][0]
        return {"outcome": "completed", "changed": False, "msg": "", "job": job, "shown": lambda: _one(job)}
    from .._inbox.states import STATES  # pylint: disable=import-outside-toplevel

    unknown = [state for state in given.state if state not in STATES]
    if unknown:
        message = f"expected one of {', '.join(STATES)}, found {unknown[0]!r}."
        raise CodexOpsError(message, code="option_invalid", outcome="rejected", where="--state")
    wanted = {name: value for name, value in (("states", given.state), ("slice", given.slice)) if value}
    result = info(given.prefix, wanted, limit=given.limit, history=False)
    more = result["count"] - len(result["jobs"])
    result["msg"] = f"{more} older jobs are not shown; --limit shows more." if more > 0 else "" if result["jobs"] else "There are no such jobs."
    return {"outcome": "completed", "changed": False, **result, "shown": lambda: _table(result["jobs"])}


def _run(given: Asked) -> dict[str, t.Any]:
    if given.slice is not None:
        return slices.carry_out(given, slices.order(given.slice, "applied"), f"Working on {given.slice}")
    from .._working import work as work_on  # pylint: disable=import-outside-toplevel

    with progress.shown("Working on the next job" if given.next else f"Working on the job {given.job}", quiet=given.json):
        result = work_on(slices.options(given), None if given.next else given.job)
    return slices.presented(given, result) if "run_id" in result else result


def _table(jobs: list[dict[str, t.Any]]) -> str:
    rows = [
        [job["id"], job["state"], job["slice"], job["priority"], job["count"], show.moment(job["first_seen"]), job["plan"]] for job in jobs
    ]
    return show.table(_HEADS, rows, show.width()) if rows else ""


def _one(job: dict[str, t.Any]) -> str:
    import json  # pylint: disable=import-outside-toplevel

    keys = ("id", "state", "slice", "priority", "count", "attempts", "outcome", "code", "msg", "plan", "approvals_needed", "dedupe_key")
    pairs = [(key.replace("_", " "), job.get(key)) for key in keys]
    pairs += [(key.replace("_", " "), show.moment(job.get(key))) for key in ("first_seen", "last_seen", "not_before", "expires")]
    pairs += [("requested by", ", ".join(job["requested_by"])), ("runs", ", ".join(job["run_ids"]))]
    if job["claimed_by"]:
        pairs.append(("held by", f"{job['claimed_by']['worker']} since {show.moment(job['claimed_by']['since'])}"))
    parts = [show.facts(pairs)]
    for name in ("signal", "input"):
        if job.get(name) is not None:
            parts.append(f"{name}\n{json.dumps(job[name], indent=1, ensure_ascii=True, sort_keys=True)}")
    rows = [[show.moment(entry["at"]), entry["event"], entry["from"], entry["to"], entry["by"], entry["why"]] for entry in job["history"]]
    if rows:
        parts.append(show.table(("at (UTC)", "event", "from", "to", "by", "why"), rows, show.width()))
    return "\n\n".join(parts)
