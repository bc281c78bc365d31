# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""job_info: the plans that wait for people's approval, as policy and signatures stand now. Reads only. PRIVATE."""

from __future__ import annotations

import json
import os
import stat
import typing as t

from ._errors import CodexOpsError
from ._options import Options
from ._places import Places

#: The newest runs that are looked at, the plans that are listed, and the bytes of one, and of all together, that are read.
RUNS = 1000
PLANS = 50
MAX_PLAN = 8 * 1024 * 1024
MAX_PLANS = 64 * 1024 * 1024
_LISTED = 10


def plans(prefix: str, named: t.Collection[str], budget: int = MAX_PLANS) -> dict[str, t.Any]:
    """The plans that wait for an approval: ``waiting`` (newest first), ``left_off`` (how many more of them there may be) and ``unreadable``.

    Of one slice and workspace only the newest plan counts, used or not, and those that jobs wait with: whoever plans again means the new one.
    Whether the files are still as the plan found them is not looked at.

    :arg named: The IDs of the plans of jobs that wait for approval.
    :arg budget: The bytes of plans that are read, newest first. What is not read is left off.
    """
    places = Places(prefix)
    try:
        names = sorted(os.listdir(places.runs), reverse=True)
    except OSError:
        return {"waiting": [], "left_off": 0, "unreadable": 0}
    # The newest, and those that somebody surely waits for, however old.
    names = [*names[:RUNS], *(name for name in names[RUNS:] if name in named)]
    waiting: list[dict[str, t.Any]] = []
    seen: set[tuple[str, str]] = set()
    left_off = unreadable = 0
    for name in names:
        folder = places.run_dir(name)
        spent = os.path.lexists(os.path.join(folder, "spent"))
        budget -= 0 if budget < 0 else min(_size(folder), MAX_PLAN)
        if budget < 0:
            # From here on nobody knows what is newest of what.
            left_off += not spent and _size(folder) > 0
            continue
        try:
            plan = _read(folder, name)
            if plan is None:
                continue
            about = (str((plan["slice"] or {}).get("name")), plan["workspace"])
            if spent or (about in seen and name not in named):
                seen.add(about)
                continue
            seen.add(about)
            if len(waiting) == PLANS:
                left_off += 1
                continue
            gate = _gate(prefix, plan)
        except (CodexOpsError, OSError, RecursionError):
            unreadable += not spent
            continue
        if gate is not None:
            waiting.append(_shown(plan, gate))
    return {"waiting": waiting, "left_off": left_off, "unreadable": unreadable}


def _size(folder: str) -> int:
    """The bytes of the plan in *folder*; 0 where there is none."""
    try:
        return os.lstat(os.path.join(folder, "plan.json")).st_size
    except OSError:
        return 0


def _read(folder: str, name: str) -> dict[str, t.Any] | None:
    """The plan in *folder*, its digests recomputed; ``None`` where there is none.

    :raises CodexOpsError: ``plan_damaged`` or ``newer_state``.
    :raises OSError: when it cannot be read, or is too large to look at in passing.
    """
    from ._workspace.plan import verify  # pylint: disable=import-outside-toplevel

    path = os.path.join(folder, "plan.json")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError("no file")
        raw = stream.read(MAX_PLAN + 1)
    try:
        plan = json.loads(raw) if len(raw) <= MAX_PLAN else None
    except ValueError:
        plan = None
    if plan is None:
        raise OSError("not read")
    verify(plan)
    if plan["id"] != name:
        raise OSError("another run's")
    return t.cast("dict[str, t.Any]", plan)


def _gate(prefix: str, plan: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """What policy wants for *plan* and who said yes so far; ``None`` where it does not wait for anybody's approval.

    :raises CodexOpsError: it can never be approved any more.
    """
    from . import _gating as gating  # pylint: disable=import-outside-toplevel
    from ._contract.slice import build  # pylint: disable=import-outside-toplevel
    from ._run import Run  # pylint: disable=import-outside-toplevel

    # No model is asked, so no key is read.
    run = Run(Options(prefix=prefix, check=True, cassette_mode="replay"), "job_info")
    try:
        closed = gating.closed(run, build(plan["slice"]), plan)
    except CodexOpsError as error:
        if error.outcome == "stale_plan":
            return None
        raise
    return closed["gate"] if closed is not None and closed["outcome"] == "awaiting_approval" else None


def _shown(plan: dict[str, t.Any], gate: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "id": plan["id"],
        "sha256": plan["sha256"],
        "slice": plan["slice"]["name"],
        "workspace": plan["workspace"],
        "created": str(plan["created"]),
        "requested_by": plan["requested_by"][:_LISTED],
        "files": len(plan["files"]),
        "added": plan["added"],
        "removed": plan["removed"],
        "approvals_needed": gate["approvals"],
        "approved_by": gate["given"][:_LISTED],
        "reason": gate["reason"],
        "replayed": bool(plan.get("replayed")),
    }
