# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the records of the trail from what a run knows. PRIVATE."""

from __future__ import annotations

import hashlib
import json
import os
import re
import typing as t

from ._outcomes import NO_USAGE
from ._trail.who import who

#: What the controller says of itself: the head of its log, and who it says runs this. Both are claims.
HEAD_VARIABLE = "DAY2_CODEX_CONTROLLER_HEAD"
CALLER_VARIABLE = "DAY2_CODEX_CALLER"
_HEAD = re.compile(r"([0-9a-f]{16}):([1-9][0-9]{0,15}):([0-9a-f]{64})")
_RESULT = ("outcome", "msg", "code", "changed", "cached", "report", "violations", "rolled_back", "isolation", "warnings", "gate", "actions")


def _anchor() -> dict[str, t.Any] | None:
    found = _HEAD.fullmatch(os.environ.get(HEAD_VARIABLE, ""))
    return {"log": found.group(1), "seq": int(found.group(2)), "hash": found.group(3)} if found else None


def _caller() -> tuple[str | None, dict[str, t.Any]]:
    """The job's ID, and who runs this, with what the controller claims beside what the host knows."""
    user = who()
    try:
        claim = json.loads(os.environ.get(CALLER_VARIABLE, "{}")[:4000])
        via = {str(key)[:40]: str(value)[:200] for key, value in claim["via"].items()}
        job = None if claim["job_id"] is None else str(claim["job_id"])[:200]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, user
    return job, {**user, "via": {**{f"controller_{key}": value for key, value in via.items()}, **user["via"]}}


def names() -> list[str]:
    """The names under which whoever runs this is known, as ``kind:name``: of the Unix user, of sudo's caller, and of what the controller says.

    Who asked for a plan may not approve it, so more names are safer than fewer.
    """
    _job, user = _caller()
    found = [f"unix:{user['name']}"]
    kinds = {"sudo_user": "unix", "login": "unix", "session": "unix", "controller_awx_user": "awx"}
    kinds.update({f"controller_{key}": "controller" for key in ("user", "sudo_user", "login")})
    found += [f"{kinds[key]}:{value}" for key, value in sorted(user["via"].items()) if key in kinds and value]
    return sorted(set(found))


def make(
    phase: str,
    *,
    run_id: str,
    operation: str,
    check_mode: bool,
    facts: dict[str, t.Any],
    result: dict[str, t.Any],
    kept: t.Sequence[dict[str, t.Any]],
) -> dict[str, t.Any]:
    """One record, without its place in the chain.

    :arg facts: ``input``, ``command`` and ``rollback`` as far as they are known.
    :arg kept: The files that were kept of the run: ``path`` and ``sha256`` of each.
    """
    job_id, user = _caller()
    patch, plan = str(result.get("patch") or ""), result.get("plan") or {}
    # A change that was rejected is no plan, and is counted all the same.
    counts = plan or facts.get("diff") or {}
    digest = plan.get("patch_sha256") or (hashlib.sha256(patch.encode("utf-8", "surrogatepass")).hexdigest() if patch else None)
    return {
        "phase": phase,
        "job_id": facts.get("job_id") or job_id,
        "run_id": run_id,
        "host": os.uname().nodename,
        "user": user,
        "anchor": _anchor(),
        "input": facts["input"],
        "command": {"operation": operation, "check_mode": check_mode, **facts["command"]},
        "attempts": result.get("commands", []),
        "result": {key: result[key] for key in _RESULT if key in result},
        "diff": {
            "sha256": digest,
            "files": counts.get("files", []),
            "added": counts.get("added", 0),
            "removed": counts.get("removed", 0),
            "kept": next((file["path"] for file in kept if file["path"].endswith("/patch.diff")), None),
        },
        "kept": list(kept),
        "approval": facts.get("approval"),
        "rollback": facts["rollback"],
        "usage": result.get("usage", NO_USAGE),
        "validation": result.get("validation", []),
    }
