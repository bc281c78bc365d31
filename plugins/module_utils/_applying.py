# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""slice, second half: recover, write what a plan says, validate in place, take back. No model is involved. PRIVATE."""

from __future__ import annotations

import typing as t

from . import _validation
from ._contract.slice import Slice
from ._errors import CodexOpsError
from ._gates.lock import workspace_lock
from ._options import Order
from ._places import host_id
from ._run import Run


def described(run: Run, stored: dict[str, t.Any]) -> dict[str, t.Any]:
    from ._workspace import patch  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    return {
        "outcome": "planned",
        "changed": False,
        "plan": plans.summary(stored),
        "patch": patch.escape(stored["patch"]),
        "report": stored["report"],
        "validation": stored["validation"],
        "replayed": stored["replayed"],
    }


def fits(run: Run, slice_: Slice, stored: dict[str, t.Any]) -> dict[str, t.Any]:
    """Whether a stored plan can still be applied here and now.

    :raises CodexOpsError: outcome ``stale_plan``.
    """
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    def stale(message: str, code: str) -> t.NoReturn:
        raise CodexOpsError(message, code=code, outcome="stale_plan", hint="Plan again; the live tree is as it was.")

    if stored["host_id"] != host_id():
        stale(f"The plan {stored['id']} was made on another host.", "plan_foreign")
    if plans.is_spent(run.places.run_dir(stored["id"])):
        stale(f"The plan {stored['id']} was applied before. A plan is used once.", "plan_spent")
    base = tree.snapshot(slice_.workspace, slice_.scope)
    run.facts["input"]["base_sha256"] = base.sha256
    if base.sha256 != stored["base_sha256"]:
        stale(f"Files in the scope of {slice_.name} changed since the plan {stored['id']} was made.", "base_changed")
    result = described(run, stored)
    count = len(result["plan"]["files"])
    return {**result, "changed": run.options.check, "msg": f"The plan {stored['id']} can be applied; it changes {count} file{'s' if count != 1 else ''}."}


def apply_plan(run: Run, slice_: Slice, stored: dict[str, t.Any]) -> dict[str, t.Any]:
    """Write exactly what the plan says, validate in place, and take it back when that fails."""
    from ._workspace import apply, restore, tree  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    def before_each() -> None:
        reason = run.cancelled()
        if reason:
            raise CodexOpsError(f"Stopped while writing: {reason}. The old files were put back.", code="killed", outcome="killed")

    run.cancelled()
    plans.spend(stored, run.places.run_dir(stored["id"]))
    apply.apply(stored, backup_dir=run.places.backups, run_id=run.id, before_each=before_each)
    run.facts["rollback"] = {"possible": True, "run_id": run.id}
    try:
        results = _validation.run_checks(slice_.checks, stage="live", folder=slice_.workspace, confine=None, cancelled=run.cancelled)
        bad = _validation.failures(results)
        if not bad:
            apply.commit(run.places.backups, run.id)
    except BaseException as error:
        restored = restore.undo(run.places.backups, run.id)
        run.facts["rollback"] = {"possible": False, "done": True, "conflicts": restored.conflicts}
        run.partial["rolled_back"] = True
        if restored.conflicts:
            raise CodexOpsError(
                f"{error} These files were changed by somebody else meanwhile and were left alone: {', '.join(restored.conflicts[:20])}.",
                code="changed_since",
                outcome="rolled_back",
            ) from error
        raise
    validation = list(stored["validation"]) + results
    if bad:
        restored = restore.undo(run.places.backups, run.id)
        same = tree.snapshot(slice_.workspace, slice_.scope).sha256 == stored["base_sha256"]
        run.facts["rollback"] = {"possible": False, "done": True, "digest_as_before": same, "conflicts": restored.conflicts}
        stopped = run.cancelled()
        state = "The tree is as it was before" if same else "The files of the plan were put back; others changed meanwhile"
        return {
            "outcome": "killed" if stopped else "rolled_back",
            "code": "validation_failed",
            "changed": False,
            "rolled_back": True,
            "validation": validation,
            "msg": f"In place {_validation.describe(results)}. Rolled back. {state}.",
        }
    count = len(stored["files"])
    return {
        "outcome": "applied",
        "changed": True,
        "validation": validation,
        "msg": f"Applied the plan {stored['id']}: {count} file{'s' if count != 1 else ''}. To take it back: state: rolled_back, run_id: {run.id}.",
    }


def roll_back(run: Run, order: Order) -> dict[str, t.Any]:
    """The rollback that a person asked for."""
    from ._workspace import journal, restore  # pylint: disable=import-outside-toplevel

    if order.run_id is None:
        raise CodexOpsError("There is no run to take back.", code="option_invalid", outcome="rejected", where="run_id", hint="Give the run_id of an apply.")
    workspace = journal.workspace_of(run.places.backups, order.run_id)
    run.facts["input"] = {"run_id": order.run_id, "workspace": workspace}
    run.places.check_workspace(workspace)
    with workspace_lock(run.places.locks, workspace, run.id):
        restored = restore.restore(run.places.backups, order.run_id, check=run.options.check)
    run.facts["rollback"] = {"possible": False, "of": order.run_id, "done": restored.changed and not run.options.check}
    if not restored.changed:
        return {"outcome": "unchanged", "msg": f"The run {order.run_id} was taken back before."}
    word = "Would put" if run.options.check else "Put"
    return {
        "outcome": "restored",
        "changed": True,
        "rolled_back": not run.options.check,
        "msg": f"{word} back {len(restored.files)} file{'s' if len(restored.files) != 1 else ''} of the run {order.run_id}.",
    }
