# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate between a plan and the live tree: what policy says, and which approvals there are. PRIVATE."""

from __future__ import annotations

import os
import typing as t

from ._contract.slice import Slice
from ._errors import CodexOpsError
from ._run import Run


def early(run: Run, slice_: Slice) -> t.Any:
    """What policy says of *slice_* before anybody knows what would be changed."""
    return run.rules.decide(slice_, os.path.realpath(slice_.workspace), None, tuple(slice_.document.get("actions", ())))


def decision(run: Run, slice_: Slice, stored: dict[str, t.Any]) -> t.Any:
    """What policy says of exactly this plan."""
    files = [(entry["path"], entry["operation"], (entry["new"] or entry["old"])["size"]) for entry in stored["files"]]
    return run.rules.decide(slice_, os.path.realpath(slice_.workspace), files, tuple(stored["actions"]))


def shown(said: t.Any) -> dict[str, t.Any]:
    """The ``gate`` of a result."""
    return {"autonomy": said.autonomy, "approvals": said.approvals, "code": said.code, "reason": said.reason, "opens": said.opens}


def refused(said: t.Any) -> dict[str, t.Any]:
    """The result where policy forbids it."""
    return {
        "outcome": "forbidden",
        "code": said.code,
        "changed": False,
        "gate": shown(said),
        "msg": f"{said.reason} {said.opens}".strip() + " The live tree is as it was.",
    }


def outlook(said: t.Any) -> str:
    """What a real run would meet at the gate, for a dry run."""
    if said.autonomy == "forbidden":
        return f"A real run is forbidden: {said.reason} {said.opens}".rstrip()
    if said.autonomy == "approval":
        return f"Before it is applied it needs {_count(said.approvals)}."
    return "The policy lets it be applied without asking."


def closed(run: Run, slice_: Slice, stored: dict[str, t.Any]) -> dict[str, t.Any] | None:
    """Why the plan may not be applied, as a result; ``None`` when the gate is open. What opened it is in the run's facts.

    :raises CodexOpsError: outcome ``stale_plan``: the policy is not the one under which the plan was made.
    """
    # The agent took its time, and somebody may have closed the gate meanwhile.
    rules = run.read_rules()
    said = decision(run, slice_, stored)
    if said.autonomy == "forbidden":
        return refused(said)
    if run.places.own and os.geteuid() == 0 and run.places.host_is_governed:
        return {
            "outcome": "forbidden",
            "code": "host_governed",
            "changed": False,
            "gate": shown(said),
            "msg": "This host has a policy of its own, and for root it holds whatever the prefix: signers, budgets and users of another "
            "prefix are not the host's. Leave out the prefix, or do this as an ordinary user. The live tree is as it was.",
        }
    if stored["policy_sha256"] != rules.sha256:
        raise CodexOpsError(
            f"The policy changed since the plan {stored['id']} was made.",
            code="policy_changed",
            outcome="stale_plan",
            hint="Plan again; the live tree is as it was.",
        )
    if stored["replayed"] and not run.places.own and not rules.cassettes:
        return {
            "outcome": "forbidden",
            "code": "replayed_plan",
            "changed": False,
            "gate": shown(said),
            "msg": f"The plan {stored['id']} was made by a cassette, not by a model. Rehearse under a prefix of your own, or let the policy "
            "say provider.cassettes: true. The live tree is as it was.",
        }
    run.facts["approval"] = {"autonomy": said.autonomy, "needed": said.approvals, "reason": said.reason, "given": []}
    if said.autonomy == "automatic":
        return None
    return _waiting(run, stored, said)


def _waiting(run: Run, stored: dict[str, t.Any], said: t.Any) -> dict[str, t.Any] | None:
    from ._gates.approval import standing  # pylint: disable=import-outside-toplevel

    found = standing(
        run.places.run_dir(stored["id"]),
        stored,
        needed=said.approvals,
        signers=run.places.signers,
        revoked=run.places.revoked_signers,
        owners=run.places.owners,
        people=run.rules.people,
        max_age=run.rules.max_age,
        now=run.now(),
    )
    run.facts["approval"]["given"] = [given.as_dict() for given in (*found.granted, *found.rejected)]
    result = {"changed": False, "gate": {**shown(said), "given": [given.approver for given in found.granted]}}
    if found.rejected:
        by = found.rejected[0]
        comment = f" ({by.comment})" if by.comment else ""
        return {
            **result,
            "outcome": "rejected",
            "code": "approval_rejected",
            "msg": f"{by.approver} rejected the plan {stored['id']}{comment}. Nobody can approve it any more; the live tree is as it was.",
        }
    missing = said.approvals - len(found.granted)
    if missing <= 0:
        return None
    why = f" Not counted: {'; '.join(found.reasons[:5])}." if found.reasons else ""
    return {
        **result,
        "outcome": "awaiting_approval",
        "code": "approval_missing",
        "msg": f"{said.reason} The plan {stored['id']} has {len(found.granted)} of {_count(said.approvals)}.{why} "
        f"Look at it and decide with day2.codex.approve -e plan={stored['id']}, then run this again.",
    }


def _count(number: int) -> str:
    return "1 approval" if number == 1 else f"{number} approvals"
