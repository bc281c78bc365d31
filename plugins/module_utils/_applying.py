# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""slice, second half: recover, write what a plan says, validate in place, take back. No model is involved. PRIVATE."""

from __future__ import annotations

import os
import typing as t

from . import _agent_step, _validation
from ._contract.slice import Slice
from ._errors import CodexOpsError
from ._gates.lock import workspace_lock
from ._options import Order
from ._places import host_id
from ._run import Run
from ._shown import planned_patch


def described(run: Run, stored: dict[str, t.Any]) -> dict[str, t.Any]:
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    return {
        "outcome": "planned",
        "changed": False,
        "plan": plans.summary(stored),
        "patch": planned_patch(stored["patch"], run.redactor),
        "report": stored["report"],
        "validation": stored["validation"],
        "replayed": stored["replayed"],
    }


def _stale(message: str, code: str) -> t.NoReturn:
    raise CodexOpsError(message, code=code, outcome="stale_plan", hint="Plan again; the live tree is as it was.")


def check_base(run: Run, slice_: Slice, stored: dict[str, t.Any]) -> None:
    """What the plan was made from must still be there, byte for byte.

    :raises CodexOpsError: ``base_changed``, outcome ``stale_plan``.
    """
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    base = tree.snapshot(slice_.workspace, slice_.scope)
    run.facts["input"]["base_sha256"] = base.sha256
    if base.sha256 != stored["base_sha256"]:
        _stale(f"Files in the scope of {slice_.name} changed since the plan {stored['id']} was made.", "base_changed")


def fits(run: Run, slice_: Slice, stored: dict[str, t.Any]) -> dict[str, t.Any]:
    """Whether a stored plan can still be applied here and now.

    :raises CodexOpsError: outcome ``stale_plan``.
    """
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    if stored["host_id"] != host_id():
        _stale(f"The plan {stored['id']} was made on another host.", "plan_foreign")
    if plans.is_spent(run.places.run_dir(stored["id"])):
        _stale(f"The plan {stored['id']} was used before. A plan is used once.", "plan_spent")
    check_base(run, slice_, stored)
    result = described(run, stored)
    count = len(result["plan"]["files"])
    return {**result, "changed": run.options.check, "msg": f"The plan {stored['id']} can be applied; it changes {count} file{'s' if count != 1 else ''}."}


def _in_place(run: Run, slice_: Slice) -> t.Callable[[t.Sequence[str]], list[str]]:
    from ._agent.inplace import confine_in_place, no_sockets  # pylint: disable=import-outside-toplevel

    path = os.path.join(run.folder, "no-sockets.bpf")
    with open(path, "xb") as handle:
        handle.write(no_sockets())
    codex_path = _agent_step.find(run)[0]
    return lambda argv: confine_in_place(argv, live=slice_.workspace, codex_path=codex_path, filter_path=path)


def apply_plan(run: Run, slice_: Slice, stored: dict[str, t.Any]) -> dict[str, t.Any]:
    """Write exactly what the plan says, validate in place, and take it back when that fails."""
    from ._workspace import apply, restore, tree  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    def before_each() -> None:
        reason = run.cancelled()
        if reason:
            raise CodexOpsError(f"Stopped while writing: {reason}. The old files were put back.", code="killed", outcome="killed")

    run.cancelled()
    confine = _in_place(run, slice_) if slice_.checks else None
    run.intend(
        "apply", plan=stored["id"], plan_sha256=stored["sha256"], patch_sha256=stored["patch_sha256"], slice_sha256=stored["slice_sha256"]
    )
    plans.spend(stored, run.places.run_dir(stored["id"]))
    apply.apply(stored, backup_dir=run.places.backups, run_id=run.id, before_each=before_each)
    run.facts["rollback"] = {"possible": True, "run_id": run.id}
    try:
        results = []
        if confine is not None:
            results = _validation.run_checks(slice_.checks, stage="live", folder=slice_.workspace, confine=confine, cancelled=run.cancelled)
        bad = _validation.failures(results)
        if not bad:
            apply.commit(run.places.backups, run.id)
            run.changed = True
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
        if restored.conflicts:
            state = f"Somebody else changed these files meanwhile, and they were left alone: {', '.join(restored.conflicts[:20])}"
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
    run.facts["input"]["workspace"] = workspace
    run.places.check_workspace(workspace)
    with workspace_lock(run.places.locks, workspace, run.id):
        if not run.options.check:
            run.intend("roll back", run_id=order.run_id)
        restored = restore.restore(run.places.backups, order.run_id, check=run.options.check)
        run.changed = restored.changed and not run.options.check
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
