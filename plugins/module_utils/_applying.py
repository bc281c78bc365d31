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
    if (stored["workspace"], stored["slice_sha256"]) != (slice_.workspace, slice_.sha256):
        raise CodexOpsError(
            f"The plan {stored['id']} is damaged: its workspace or digest is not that of the slice in it.",
            code="plan_damaged",
            outcome="rejected",
            hint="Make a new plan; this one cannot be trusted.",
        )
    if plans.is_spent(run.places.run_dir(stored["id"])):
        _stale(f"The plan {stored['id']} was used before. A plan is used once.", "plan_spent")
    check_base(run, slice_, stored)
    result = described(run, stored)
    count = _count(len(result["plan"]["files"]))
    return {**result, "changed": run.options.check, "msg": f"The plan {stored['id']} can be applied; it changes {count}."}


def _in_place(run: Run, slice_: Slice) -> t.Callable[[t.Sequence[str]], list[str]]:
    from ._agent.inplace import confine_in_place, no_sockets  # pylint: disable=import-outside-toplevel

    path = os.path.join(run.folder, "no-sockets.bpf")
    with open(path, "xb") as handle:
        handle.write(no_sockets())
    codex_path = _agent_step.find(run)[0]
    return lambda argv: confine_in_place(argv, live=slice_.workspace, codex_path=codex_path, filter_path=path)


def _undo(run: Run, stored: dict[str, t.Any]) -> list[str]:
    """Put back what the plan wrote; the files that somebody else changed since, which were left alone."""
    from ._workspace import restore  # pylint: disable=import-outside-toplevel

    conflicts = restore.undo(run.places.backups, run.id).conflicts if stored["files"] else []
    run.facts["rollback"] = {"possible": False, "done": True, "conflicts": conflicts}
    run.partial["rolled_back"] = True
    return conflicts


def apply_plan(run: Run, slice_: Slice, stored: dict[str, t.Any]) -> dict[str, t.Any]:
    """Write exactly what the plan says, run its actions, validate in place, and take it back when any of it fails."""
    from . import _acting as acting  # pylint: disable=import-outside-toplevel
    from ._workspace import apply  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    def before_each() -> None:
        run.go_on("The old files were put back.")

    run.go_on()
    confine = _in_place(run, slice_) if slice_.checks else None
    actions = acting.chosen(run, stored["actions"], f"plan {stored['id']} of {slice_.name}")
    run.intend(
        "apply",
        plan=stored["id"],
        plan_sha256=stored["sha256"],
        patch_sha256=stored["patch_sha256"],
        slice_sha256=stored["slice_sha256"],
        policy_sha256=stored["policy_sha256"],
        actions=stored["actions"],
    )
    plans.spend(stored, run.places.run_dir(stored["id"]))
    if stored["files"]:
        apply.apply(stored, backup_dir=run.places.backups, run_id=run.id, before_each=before_each)
        run.facts["rollback"] = {"possible": True, "run_id": run.id}
    done: list[dict[str, t.Any]] = []
    results: list[dict[str, t.Any]] = []
    try:
        done += acting.perform(run, actions, run.cancelled)
        if confine is not None and acting.failed(done) is None:
            results = _validation.run_checks(slice_.checks, stage="live", folder=slice_.workspace, confine=confine, cancelled=run.cancelled)
            if run.places.privileged:
                # Root may read what whoever planned this may not.
                results = [{**one, "output": ""} for one in results]
        why = _why_not(done, results)
        if why is None:
            if stored["files"]:
                apply.commit(run.places.backups, run.id)
            run.changed = True
    except BaseException as error:
        conflicts = _undo(run, stored)
        _way_back(run, stored, actions, done)
        if conflicts:
            raise CodexOpsError(
                f"{error} These files were changed by somebody else meanwhile and were left alone: {', '.join(conflicts[:20])}.",
                code="changed_since",
                outcome="rolled_back",
            ) from error
        raise
    validation = list(stored["validation"]) + results
    if why is not None:
        return {**_taken_back(run, slice_, stored, why), "validation": validation, "actions": done + _way_back(run, stored, actions, done)}
    what = _count(len(stored["files"])) + (f", ran {', '.join(stored['actions'])}" if done else "")
    back = f" To take it back: state: rolled_back, run_id: {run.id}." if stored["files"] else ""
    return {"outcome": "applied", "changed": True, "validation": validation, "actions": done, "msg": f"Applied the plan {stored['id']}: {what}.{back}"}


def _count(files: int) -> str:
    return f"{files} file{'s' if files != 1 else ''}"


def _why_not(done: list[dict[str, t.Any]], results: list[dict[str, t.Any]]) -> tuple[str, str] | None:
    """(code, clause) of the first action or validation that was not as it should be."""
    from . import _acting as acting  # pylint: disable=import-outside-toplevel

    action = acting.failed(done)
    if action is not None:
        return "action_failed", f"the action {action['name']!r} failed: {action['reason']}"
    return ("validation_failed", _validation.describe(results)) if _validation.failures(results) else None


def _way_back(run: Run, stored: dict[str, t.Any], actions: t.Any, done: list[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Run the actions once more, now on the old files, where files were changed and actions were run.

    Not while the kill switch is engaged: then a person decides what is restarted.
    """
    from . import _acting as acting  # pylint: disable=import-outside-toplevel
    from ._agent.process import never  # pylint: disable=import-outside-toplevel

    if not done or not stored["files"]:
        return []
    stopped = run.stopped()
    if stopped:
        names = ", ".join(one["name"] for one in done)
        run.warnings.append(f"The old files are back, but what {names} manages may still use the new ones: the kill switch is engaged. Look at it.")
        return []
    # Nothing cuts it short.
    again = [{**one, "way_back": True} for one in acting.perform(run, actions, never)]
    bad = acting.failed(again)
    if bad is not None:
        run.warnings.append(f"After the rollback the action {bad['name']!r} failed as well: {bad['reason']}. Look at what it manages.")
    return again


def _taken_back(run: Run, slice_: Slice, stored: dict[str, t.Any], why: tuple[str, str]) -> dict[str, t.Any]:
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    conflicts = _undo(run, stored)
    same = tree.snapshot(slice_.workspace, slice_.scope).sha256 == stored["base_sha256"]
    run.facts["rollback"]["digest_as_before"] = same
    stopped = run.cancelled()
    state = "The tree is as it was before" if same else "The files of the plan were put back; others changed meanwhile"
    if conflicts:
        state = f"Somebody else changed these files meanwhile, and they were left alone: {', '.join(conflicts[:20])}"
    return {
        "outcome": "killed" if stopped else "rolled_back",
        "code": why[0],
        "changed": False,
        "rolled_back": True,
        "msg": f"In place {why[1]}. Rolled back. {state}.",
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
    ran = _actions_of(run, order.run_id)
    if ran:
        run.warnings.append(f"That run had also run {', '.join(ran)}, which a rollback does not: what these manage may still use the newer files.")
    return {
        "outcome": "restored",
        "changed": True,
        "rolled_back": not run.options.check,
        "msg": f"{word} back {len(restored.files)} file{'s' if len(restored.files) != 1 else ''} of the run {order.run_id}.",
    }


def _actions_of(run: Run, run_id: str) -> list[str]:
    """The privileged actions that went with the plan that *run_id* applied, as far as that is still known."""
    from ._workspace import journal  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    try:
        folder = journal.open_folder(run.places.backups, run_id)
        try:
            written = journal.read(folder, os.path.join(run.places.backups, run_id))
        finally:
            os.close(folder)
        return list(plans.load(run.places.plans, written["plan"])["actions"]) if written else []
    except (CodexOpsError, OSError):
        return []
