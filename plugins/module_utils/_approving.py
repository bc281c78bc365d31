# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""approval: show a person what a plan would write, and keep what they signed about it. PRIVATE."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ._errors import CodexOpsError
from ._options import Options
from ._run import Run

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_OF_AGENTS = ("commands", "usage", "cached", "isolation")
_SAME = ("decision", "approver", "plan", "plan_sha256")


@dataclasses.dataclass(frozen=True)
class Ballot:
    """What a person wants to know or to say about a plan.

    ``expires_in`` is in seconds. ``plan_sha256`` is the digest of the plan that the person looked at. Without ``decision`` and
    ``statement`` the plan is only shown; without ``signature`` the statement to sign is returned.
    """

    plan: str
    decision: str | None = None
    approver: str | None = None
    expires_in: int | None = None
    comment: str = ""
    statement: str | None = None
    signature: str | None = None
    plan_sha256: str | None = None


def seconds_in(text: str) -> int:
    """A span such as ``24h``, ``30m``, ``7d`` or ``3600`` in seconds.

    :raises CodexOpsError: ``option_invalid``.
    """
    found = re.fullmatch(r"([0-9]{1,9})\s*([smhdw]?)", str(text).strip())
    value = int(found.group(1)) * _UNITS[found.group(2) or "s"] if found else 0
    if value < 1:
        raise _option("expires_in", f"expected a span such as 24h, 30m or 7d, found {str(text)[:80]!r}.")
    return value


def _option(name: str, message: str, hint: str | None = None) -> CodexOpsError:
    return CodexOpsError(message, code="option_invalid", outcome="rejected", where=name, hint=hint)


def decide(options: Options, ballot: Ballot) -> dict[str, t.Any]:
    """Show a plan, or keep a decision about it.

    :returns: the result as the module approval documents it.
    :raises CodexOpsError: when nothing could even be recorded.
    """
    run = Run(options, "approval")
    run.facts["input"] = {"plan": ballot.plan, "decision": ballot.decision, "approver": ballot.approver}
    offered: list[str] = []
    result = plain(run.recorded(lambda: _decide(run, ballot, offered)))
    if ballot.signature is not None and not options.check and not result["failed"]:
        from ._working import decided, followed  # pylint: disable=import-outside-toplevel

        followed(result, lambda: decided(options, ballot.plan))
    # As it is: one masked or escaped character, and it could not be signed. There is nothing in it but digests, names and the comment.
    return {**result, "statement": offered[0] if offered else None}


def failed(error: CodexOpsError) -> dict[str, t.Any]:
    """The result of a decision that could not even be recorded."""
    from ._result import failure  # pylint: disable=import-outside-toplevel

    return plain(failure(error, "approval"))


def plain(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """*result* without what only an agent's run has, and with everything in it visible to people."""
    from ._shown import readable  # pylint: disable=import-outside-toplevel

    kept = {key: value for key, value in result.items() if key not in _OF_AGENTS}
    if "report" in kept:
        kept["report"] = readable(kept["report"])
    return {"validation": [], "approvals": [], "statement": None, **kept}


def _decide(run: Run, ballot: Ballot, offered: list[str]) -> dict[str, t.Any]:
    from ._gates import approval as approvals  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    ballot = _filled(ballot)
    if run.redactor.text(ballot.comment) != ballot.comment:
        raise _option("comment", "it holds what looks like a secret, and it is kept for everybody to read.", "Say it in other words.")
    if run.places.privileged:
        from ._handing import adopt  # pylint: disable=import-outside-toplevel

        adopt(run, ballot.plan)
    stored = plans.load(run.places.runs, ballot.plan)
    if ballot.plan_sha256 is not None and ballot.plan_sha256 != stored["sha256"]:
        raise CodexOpsError(
            f"The plan {stored['id']} is not the one that was looked at.",
            code="plan_mismatch",
            outcome="stale_plan",
            hint="Look at it again.",
            where="plan_sha256",
        )
    result, needed = _shown(run, stored, rejecting=ballot.decision == "reject")
    run.partial = result
    found = approvals.standing(run.places.run_dir(stored["id"]), stored, needed=needed, **_terms(run))
    result.update(_sum(found))
    if ballot.decision is None:
        return {**result, **_verdict(stored, found, result["gate"])}
    gate = result["gate"]
    if ballot.decision == "approve" and gate["autonomy"] == "forbidden":
        raise CodexOpsError(f"Nobody can approve this plan. {gate['reason']}", code=gate["code"], outcome="forbidden", hint=gate["opens"])
    if ballot.decision == "approve" and stored["policy_sha256"] != run.rules.sha256:
        raise CodexOpsError(
            f"The policy changed since the plan {stored['id']} was made.", code="policy_changed", outcome="stale_plan", hint="Plan again."
        )
    return {**result, **_recorded(run, ballot, stored, needed, found, offered)}


def _filled(ballot: Ballot) -> Ballot:
    """*ballot* with what its statement says, which must not be something else than the options say."""
    if ballot.statement is None:
        if ballot.signature is not None:
            raise _option("signature", "there is no statement that it could belong to.", "Give the statement that was signed.")
        if ballot.decision is not None and not ballot.approver:
            raise _option("approver", "whoever decides must say who they are.", "Give the name that stands in allowed_signers.")
        return ballot
    if ballot.signature is None:
        raise _option("statement", "it is not signed.", "Give its signature too.")
    from ._gates.approval import read_statement  # pylint: disable=import-outside-toplevel

    said = read_statement(ballot.statement)
    for name in _SAME:
        wanted = getattr(ballot, name)
        if wanted is not None and wanted != said[name]:
            raise _option(name, f"it is {str(wanted)[:80]!r}, but what was signed says {said[name]!r}.")
    return dataclasses.replace(ballot, decision=said["decision"], approver=said["approver"], comment=said["comment"])


def _terms(run: Run) -> dict[str, t.Any]:
    """What decisions are held against on this host now."""
    return {
        "signers": run.places.signers,
        "revoked": run.places.revoked_signers,
        "owners": run.places.owners,
        "people": run.rules.people,
        "max_age": run.rules.max_age,
        "now": run.now(),
        "scratch": run.folder,
    }


def _shown(run: Run, stored: dict[str, t.Any], *, rejecting: bool) -> tuple[dict[str, t.Any], int]:
    """What a person has to see before they decide, and how many approvals policy wants.

    :arg rejecting: A plan that cannot be applied any more can still be rejected.
    :raises CodexOpsError: outcome ``stale_plan``.
    """
    from . import _applying as applying  # pylint: disable=import-outside-toplevel
    from . import _gating as gating  # pylint: disable=import-outside-toplevel
    from ._contract.slice import build  # pylint: disable=import-outside-toplevel
    from ._places import host_id  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel
    from ._workspace.preview import recomputed  # pylint: disable=import-outside-toplevel

    slice_ = build(stored["slice"])
    digests = {key: stored[key] for key in ("patch_sha256", "base_sha256", "slice_sha256", "policy_sha256")}
    run.facts["input"].update(slice=slice_.name, workspace=stored["workspace"], plan_sha256=stored["sha256"], **digests)
    result: dict[str, t.Any] = {
        "plan": {
            **plans.summary(stored),
            **{key: stored[key] for key in ("workspace", "created", "requested_by", "host_id")},
            "slice": slice_.name,
            "category": slice_.category,
            "instructions": slice_.document["instructions"],
        },
        # What will be run on the host when this is approved.
        "runs": [
            *({"kind": check.kind, "name": check.name, "argv": list(check.argv)} for check in slice_.checks),
            *({"kind": "action", "name": name, "argv": list(found.argv) if found else []} for name in stored["actions"] for found in [run.rules.action(name)]),
        ],
        "patch": stored["patch"],
        "report": stored["report"],
        "validation": stored["validation"],
        "replayed": stored["replayed"],
        "changed": False,
    }
    run.partial = result
    if stored["host_id"] != host_id():
        raise CodexOpsError(f"The plan {stored['id']} was made on another host.", code="plan_foreign", outcome="stale_plan", hint="Plan again.")
    if plans.is_spent(run.places.run_dir(stored["id"])):
        raise CodexOpsError(f"The plan {stored['id']} was used before.", code="plan_spent", outcome="stale_plan", hint="Plan again.")
    try:
        run.places.check_workspace(stored["workspace"])
        applying.check_base(run, slice_, stored)
        result["patch"] = recomputed(stored, scratch=run.folder).text
    except CodexOpsError as error:
        if not rejecting:
            raise
        run.warnings.append(f"The plan could not be applied any more: {error}")
    said = gating.decision(run, slice_, stored)
    result["gate"] = gating.shown(said)
    return result, said.approvals if said.autonomy == "approval" else 0


def _sum(found: t.Any) -> dict[str, t.Any]:
    return {"approvals": [one.as_dict() for one in (*found.granted, *found.rejected)], "missing": found.missing, "not_counted": found.reasons}


def _verdict(stored: dict[str, t.Any], found: t.Any, gate: dict[str, t.Any]) -> dict[str, t.Any]:
    """How the plan stands, for somebody who only looks."""
    if found.rejected:
        return {"outcome": "rejected", "code": "plan_rejected", "msg": f"{found.rejected[0].approver} rejected the plan {stored['id']}. Make a new one."}
    if gate["autonomy"] == "forbidden":
        return {"outcome": "forbidden", "code": gate["code"], "msg": f"{gate['reason']} {gate['opens']}".strip()}
    if found.missing:
        return {"outcome": "awaiting_approval", "msg": f"The plan {stored['id']} waits for {_count(found.missing)}."}
    return {"outcome": "completed", "msg": f"The plan {stored['id']} can be applied; it waits for nobody's approval."}


def _count(number: int) -> str:
    return "one approval" if number == 1 else f"{number} approvals"


def _recorded(run: Run, ballot: Ballot, stored: dict[str, t.Any], needed: int, found: t.Any, offered: list[str]) -> dict[str, t.Any]:
    """Keep the decision of *ballot*, or offer the statement that is to be signed."""
    from ._gates import approval as approvals  # pylint: disable=import-outside-toplevel

    decision, approver = str(ballot.decision), str(ballot.approver)
    word = {"approve": "approval", "reject": "rejection"}[decision]
    if decision == "approve" and found.rejected:
        raise CodexOpsError(
            f"{found.rejected[0].approver} rejected this plan; nobody can approve it any more.",
            code="plan_rejected",
            outcome="forbidden",
            hint="Make a new plan.",
        )
    folder, terms = run.places.run_dir(stored["id"]), _terms(run)
    if ballot.statement is None:
        same = [one for one in (found.granted if decision == "approve" else found.rejected) if one.approver == approver]
        if same:
            run.facts["approval"] = {"given": [same[0].as_dict()]}
            return {"outcome": "unchanged", "msg": f"The {word} of {approver} is kept already{_until(same[0])}."}
        people, max_age, now = terms["people"], terms["max_age"], terms["now"]
        span = ballot.expires_in or min(approvals.DEFAULT_EXPIRY, int(max_age))
        text = approvals.offer(
            stored, decision=decision, approver=approver, expires_in=span, comment=ballot.comment, people=people, max_age=max_age, now=now
        )
        if run.options.check:
            return {"outcome": "awaiting_approval", "changed": True, "msg": f"Would keep the {word} of {approver}. Nothing was signed."}
        offered.append(text)
        return {"outcome": "awaiting_approval", "msg": f"{approver} signs the statement as it is, and this is run again with the signature."}
    signature = str(ballot.signature)
    if run.options.check:
        given = approvals.check(stored, ballot.statement, signature, **terms)
        new = given.sha256 not in {one.sha256 for one in (*found.granted, *found.rejected)}
    else:
        given, new = approvals.record(folder, stored, ballot.statement, signature, **terms)
        found = approvals.standing(folder, stored, needed=needed, **terms)
        if run.places.privileged:
            from ._handing import hand_back  # pylint: disable=import-outside-toplevel

            hand_back(run, stored["id"])
    run.facts["approval"] = {"given": [given.as_dict()]}
    left = f" It waits for {_count(found.missing)} more." if found.missing and decision == "approve" else ""
    if decision == "reject":
        left = " It can never be applied."
    done = "Would keep" if run.options.check else "Kept" if new else "Already kept:"
    return {
        **_sum(found),
        "outcome": "completed" if new else "unchanged",
        "changed": new,
        "msg": f"{done} the {word} of {approver} for the plan {stored['id']}{_until(given)}.{'' if run.options.check else left}",
    }


def _until(given: t.Any) -> str:
    return f", which holds until {given.expires}" if given.decision == "approve" else ""
