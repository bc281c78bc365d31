# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow of one operation, from top to bottom. PRIVATE.

exec asks: kill switch, copy, agent, report. slice changes: recover, kill switch, goal, copy, agent, report, contract, validation,
plan, gate, apply, actions, validation.
"""

from __future__ import annotations

import os
import typing as t

from ._canonical import digest
from ._errors import CodexOpsError
from ._options import Options, Order, Question
from ._run import Run

if t.TYPE_CHECKING:
    from ._contract.slice import Slice


def ask(options: Options, question: Question) -> dict[str, t.Any]:
    """Ask the agent one thing. The live tree stays as it is.

    :returns: the result as the module exec documents it.
    :raises CodexOpsError: when nothing could even be recorded.
    """
    from ._dropping import as_ops, wanted  # pylint: disable=import-outside-toplevel

    if wanted(options.prefix):
        return as_ops(options.prefix, options.ansible, lambda: ask(options, question))
    from ._question import answer  # pylint: disable=import-outside-toplevel

    run = Run(options, "exec")
    run.facts["input"] = {"workspace": question.workspace, "prompt_sha256": digest(question.prompt)}
    return run.recorded(lambda: _kill_switch(run) or answer(run, question))


def _kill_switch(run: Run) -> dict[str, t.Any] | None:
    """The result of an operation that may not begin; ``None`` when it may."""
    reason = run.stopped()
    if reason is None:
        return None
    return {
        "outcome": "kill_switch_engaged",
        "code": "kill_switch_engaged",
        "changed": False,
        "msg": f"Nothing was begun. {reason} Release it with day2.codex.kill_switch or 'codex-ops kill-switch release'; rollbacks are possible all the same.",
    }


def operate(options: Options, order: Order, *, helper: bool = False) -> dict[str, t.Any]:
    """Plan, apply or take back one slice.

    :arg helper: This is root's helper, which applies a plan of codex-ops.
    :returns: the result as the module slice documents it.
    :raises CodexOpsError: when nothing could even be recorded.
    """
    from ._dropping import as_ops, wanted  # pylint: disable=import-outside-toplevel

    if not helper and order.state != "rolled_back" and wanted(options.prefix):
        return as_ops(options.prefix, options.ansible, lambda: operate(options, order))
    run = Run(options, "slice")
    run.inputs = order.inputs
    if order.job_id is not None:
        run.facts["job_id"] = order.job_id
    given = order.document if isinstance(order.document, dict) else {}
    run.facts["input"] = {
        "state": order.state,
        "slice": given.get("name", order.name),
        "workspace": given.get("workspace"),
        "plan": order.plan,
        "run_id": order.run_id,
    }
    work = _take_back if order.state == "rolled_back" else _change
    # An operation that ends early has these as well: who reads a result need not ask whether they are there.
    empty: dict[str, t.Any] = {"violations": [], "validation": [], "rolled_back": False}
    result = {**empty, **run.recorded(lambda: {**empty, **work(run, order)})}
    if result["outcome"] == "restored" and not options.check and order.run_id is not None:
        from ._working import followed, taken_back  # pylint: disable=import-outside-toplevel

        of_run = order.run_id
        followed(result, lambda: taken_back(options, of_run))
    return result


def _known(run: Run, document: dict[str, t.Any], source: str | None) -> Slice:
    """The slice that *document* describes. One that was found valid before is not held against the schema again."""
    from ._contract.slice import build, parse  # pylint: disable=import-outside-toplevel
    from ._schemas import SCHEMAS  # pylint: disable=import-outside-toplevel

    try:
        stamp = os.path.join(run.places.stamps, "slice-" + digest([SCHEMAS["slice"], document]))
    except (ValueError, RecursionError):
        # NaN, or nested without end: the contract says so better.
        return parse(document, source)
    if os.path.exists(stamp):
        return build(document)
    valid = parse(document, source)
    if not run.options.check:
        os.close(os.open(stamp, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    return valid


def _installed(run: Run, name: str) -> Slice:
    import json  # pylint: disable=import-outside-toplevel

    path = os.path.join(run.places.slices, name + ".json")
    try:
        if os.path.basename(path) != name + ".json" or "\0" in name:
            raise OSError(2, "not the name of a slice")
        with open(path, encoding="utf-8") as handle:
            document = json.load(handle)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"it is not JSON: {error}"
        raise CodexOpsError(
            f"The slice {name!r} cannot be read: {reason}.",
            code="slice_not_found",
            outcome="rejected",
            where=path,
            hint="Install it there as JSON, or give it with 'slice' or 'src'.",
        ) from None
    return _known(run, document, path)


def _change(run: Run, order: Order) -> dict[str, t.Any]:
    from ._contract.slice import build  # pylint: disable=import-outside-toplevel
    from ._gates.lock import workspace_lock  # pylint: disable=import-outside-toplevel

    given: Slice | None = None
    if order.name is not None:
        given = _installed(run, order.name)
    elif order.document is not None:
        given = _known(run, order.document, order.source)
    stored = None
    if order.plan is not None:
        from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

        if run.places.privileged:
            from ._handing import adopt  # pylint: disable=import-outside-toplevel

            adopt(run, order.plan)
        stored = plans.load(run.places.runs, order.plan)
        if given is not None and given.sha256 != stored["slice_sha256"]:
            raise CodexOpsError(
                f"The plan {order.plan} was made from another version of the slice {given.name}.",
                code="slice_changed",
                outcome="stale_plan",
                hint="Plan again.",
            )
        # On a provisioned host somebody else made the plan.
        given = given or (_known(run, stored["slice"], None) if run.places.privileged else build(stored["slice"]))
    if given is None:
        raise CodexOpsError(
            "There is no slice.", code="option_invalid", outcome="rejected", hint="Give one of slice, src, name, or a plan to apply."
        )
    run.facts["input"].update(slice=given.name, slice_sha256=given.sha256, workspace=given.workspace)
    run.places.check_workspace(given.workspace)
    with workspace_lock(run.places.locks, given.workspace, run.id):
        ended = _recover(run, given.workspace) or _kill_switch(run)
        if ended is not None:
            return ended
        result = _apply(run, given, stored) if stored is not None else _plan_and_apply(run, given, order)
    return _handed_over(run, given, result) if result.pop("_hand_over", False) else result


def _handed_over(run: Run, slice_: Slice, result: dict[str, t.Any]) -> dict[str, t.Any]:
    """What root's helper makes of the plan in *result*, which may be applied."""
    from ._handing import apply_by_helper  # pylint: disable=import-outside-toplevel

    done = apply_by_helper(run, result["plan"]["id"])
    if done["outcome"] == "applied":
        from ._planning import remember_applied  # pylint: disable=import-outside-toplevel

        run.facts["rollback"] = {"possible": bool(result["plan"]["files"]), "run_id": done.get("run_id")}
        remember_applied(run, slice_)
    run.changed = bool(done.get("changed"))
    run.warnings.extend(done.get("warnings", ()))
    # What the agent did and used is known here only; what became of the plan, there.
    kept = ("outcome", "code", "msg", "changed", "validation", "actions", "gate", "rolled_back", "violations", "details", "run_id", "plan")
    return {**result, **{key: done[key] for key in kept if key in done and done[key] is not None}}


def _take_back(run: Run, order: Order) -> dict[str, t.Any]:
    from ._applying import roll_back  # pylint: disable=import-outside-toplevel

    return roll_back(run, order)


def _plan_and_apply(run: Run, slice_: Slice, order: Order) -> dict[str, t.Any]:
    from . import _gating as gating  # pylint: disable=import-outside-toplevel
    from ._goal import goal_holds  # pylint: disable=import-outside-toplevel
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    base = tree.snapshot(slice_.workspace, slice_.scope)
    run.facts["input"]["base_sha256"] = base.sha256
    held = goal_holds(run, slice_, base)
    if held is not None:
        return {"outcome": "unchanged", "msg": "The goal holds already; no model was asked.", "validation": held}
    dry = order.state == "planned" or run.options.check
    said = gating.early(run, slice_)
    if said.autonomy == "forbidden" and not dry:
        # No token is spent on what cannot be applied.
        return gating.refused(said)
    from . import _planning as planning  # pylint: disable=import-outside-toplevel

    result, stored = planning.make_plan(run, slice_, order, base)
    if stored is None:
        return result
    said = gating.decision(run, slice_, stored)
    result["gate"] = gating.shown(said)
    if said.code == "path_forbidden":
        # Nobody's approval opens this gate, so this is no plan.
        planning.forget(run, result)
        return {**result, **gating.refused(said)}
    if dry:
        return {**result, "msg": f"{result['msg']} {gating.outlook(said)}"}
    if not result.get("cached"):
        from ._applying import check_base  # pylint: disable=import-outside-toplevel

        # The agent took its time: what it was shown must still be what is there.
        check_base(run, slice_, stored)
    return _through_the_gate(run, slice_, stored, result, fresh=not result.get("cached"))


def _apply(run: Run, slice_: Slice, stored: dict[str, t.Any]) -> dict[str, t.Any]:
    """Apply a plan that was stored before."""
    from . import _applying as applying  # pylint: disable=import-outside-toplevel

    return _through_the_gate(run, slice_, stored, applying.fits(run, slice_, stored), fresh=False)


def _through_the_gate(run: Run, slice_: Slice, stored: dict[str, t.Any], result: dict[str, t.Any], *, fresh: bool) -> dict[str, t.Any]:
    """Apply *stored* when policy and people let it.

    :arg fresh: The plan was made by this run.
    """
    from . import _gating as gating  # pylint: disable=import-outside-toplevel

    run.partial = result
    if run.places.privileged:
        from ._handing import check_again  # pylint: disable=import-outside-toplevel

        check_again(run, slice_, stored)
    refused = gating.closed(run, slice_, stored)
    if refused is not None and refused["outcome"] == "awaiting_approval" and run.places.divided and not fresh and not run.options.check:
        # What people told root, only root knows.
        refused = None
    if refused is not None:
        return {**result, **refused, "changed": fresh and refused["outcome"] == "awaiting_approval"}
    if run.options.check:
        return {**result, "gate": gating.shown(gating.decision(run, slice_, stored))}
    if run.places.divided:
        return {**result, "_hand_over": True}
    from . import _applying as applying  # pylint: disable=import-outside-toplevel

    result.update(applying.apply_plan(run, slice_, stored))
    if result["outcome"] == "applied":
        from ._planning import remember_applied  # pylint: disable=import-outside-toplevel

        remember_applied(run, slice_)
    return result


def _recover(run: Run, workspace: str) -> dict[str, t.Any] | None:
    """Undo what an interrupted apply left. In check mode only the result says that it would be done."""
    if run.places.divided:
        # Root's to do, before it applies; what is planned from half an apply does not fit any more then.
        return None
    from ._workspace import journal  # pylint: disable=import-outside-toplevel

    waiting = [run_id for run_id, _journal in journal.unfinished(run.places.backups, workspace)]
    if not waiting:
        return None
    if run.options.check:
        return {
            "outcome": "planned",
            "changed": True,
            "msg": f"An apply was interrupted (run {', '.join(waiting)}). A real run first puts the old files back, then plans.",
        }
    from ._workspace import restore  # pylint: disable=import-outside-toplevel

    for recovered in restore.recover(run.places.backups, workspace):
        run.facts["rollback"] = {"possible": False, "recovered": recovered.run_id, "conflicts": recovered.conflicts}
        run.warnings.append(f"An apply was interrupted (run {recovered.run_id}); its files were put back.")
        if recovered.conflicts:
            run.warnings.append(
                "These files were changed by somebody else since, and were left alone: " + ", ".join(recovered.conflicts[:20])
            )
    return None
