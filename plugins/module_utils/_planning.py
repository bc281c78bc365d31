# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""slice, first half: goal, copy, agent, report, contract, validation, plan. The live tree is only read. PRIVATE."""

from __future__ import annotations

import datetime
import os
import typing as t

from . import _acting, _agent_step, _validation
from ._applying import described
from ._contract import prompt as prompts
from ._contract.model import Violation
from ._contract.slice import Slice
from ._errors import CodexOpsError
from ._goal import confined, left
from ._options import Order
from ._places import host_id
from ._record import names
from ._run import Run
from ._shown import capped, counted, planned_patch, refused_patch
from ._trail import memory


def _narrowed(option: int | None, limit: int) -> int:
    return limit if option is None else min(option, limit)


def _fingerprint(run: Run, slice_: Slice, version: str, base_sha256: str, actions: t.Sequence[str]) -> str:
    more = {} if run.inputs is None else {"inputs": run.inputs}
    return _agent_step.fingerprint(run, version, slice=slice_.sha256, base=base_sha256, actions=list(actions), **more)


def make_plan(run: Run, slice_: Slice, order: Order, base: t.Any) -> tuple[dict[str, t.Any], dict[str, t.Any] | None]:
    """(result, plan); no plan where there is nothing to apply or the agent's work was not taken.

    :arg base: The snapshot by which the goal was found not to hold.
    """
    from ._contract.report import check_schema, known_schema  # pylint: disable=import-outside-toplevel
    from ._workspace import patch, tree  # pylint: disable=import-outside-toplevel

    if base.refused:
        return _rejected({}, base.refused, "The workspace holds what cannot be copied safely"), None
    schema = known_schema(slice_.report_schema) if isinstance(slice_.report_schema, str) else check_schema(slice_.report_schema)
    if not base.files and slice_.incorrect:
        raise CodexOpsError(
            "No file of the workspace is in scope, so nobody can tell whether an incorrect value is left.",
            code="scope_empty",
            outcome="rejected",
            where=f"scope.include of {slice_.name}",
            hint=f"Check the patterns against {slice_.workspace}: two stars cross folders, one does not.",
        )
    allowed = _acting.offered(run, slice_)
    missing = [name for name in slice_.document.get("actions", ()) if name not in allowed]
    if missing:
        run.warnings.append(f"The policy knows no action {', '.join(missing[:5])}; it cannot be proposed.")
    schema = _acting.asking(schema, allowed)
    codex_path, version = _agent_step.find(run)
    patch.check_git()
    known = _fingerprint(run, slice_, version, base.sha256, allowed)
    remembered = _remembered(run, slice_, order, known)
    if remembered is not None:
        return remembered
    copy = os.path.join(run.folder, "workspace")
    try:
        base = tree.copy(slice_.workspace, slice_.scope, copy)
        run.facts["input"]["base_sha256"] = base.sha256
        answer = _agent_step.ask_agent(
            run,
            codex_path=codex_path,
            workspace=copy,
            writable=True,
            prompt=prompts.exec_prompt(prompts.slice_prompt(slice_), run.redactor.data(run.inputs)),
            contract=prompts.slice_contract(slice_),
            schema=schema,
            timeout=_narrowed(run.options.timeout, slice_.limits["timeout"]),
            tokens=_narrowed(run.options.tokens, slice_.limits["tokens"]),
        )
        result = run.partial = {**_agent_step.described(answer), "fingerprint": known, "report": None}
        if answer.outcome != "completed":
            return result, None
        return _judge(run, slice_, order, known, base, copy, schema, result, codex_path, answer.message_truncated, allowed)
    finally:
        tree.remove_tree(copy)


def _remembered(run: Run, slice_: Slice, order: Order, known: str) -> tuple[dict[str, t.Any], dict[str, t.Any] | None] | None:
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    if run.options.rerun != "on_change" or run.options.cassette_mode == "record":
        return None
    remembered = memory.recall(run.places.remembered, known)
    if remembered is None:
        return None
    if "plan_id" not in remembered:
        return {**remembered, "cached": True, "msg": "An identical task was done before; no model was asked."}, None
    try:
        stored = plans.load(run.places.runs, str(remembered["plan_id"]))
        if plans.is_spent(run.places.run_dir(stored["id"])) or stored["policy_sha256"] != run.rules.sha256:
            return None
    except CodexOpsError:
        return None
    result = described(run, stored)
    return {**result, "cached": True, "msg": f"The plan {stored['id']} of an identical task is still open; no model was asked."}, stored


def _rejected(result: dict[str, t.Any], violations: t.Sequence[Violation], why: str) -> dict[str, t.Any]:
    first = violations[0]
    line = f":{first.line}" if first.line else ""
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    return {
        **result,
        "outcome": "rejected",
        "code": first.code,
        "msg": f"{why}: {first.code} at {first.path}{line}: {first.detail}{more}. The live tree is as it was.",
        "violations": capped(violations),
    }


def _judge(
    run: Run,
    slice_: Slice,
    order: Order,
    known: str,
    base: t.Any,
    copy: str,
    schema: dict[str, t.Any],
    result: dict[str, t.Any],
    codex_path: str,
    truncated: bool,
    allowed: t.Sequence[str],
) -> tuple[dict[str, t.Any], dict[str, t.Any] | None]:
    """Hold the agent's report and change against the slice; what passes becomes a plan."""
    from ._contract.checks import check_change  # pylint: disable=import-outside-toplevel
    from ._contract.report import read_report  # pylint: disable=import-outside-toplevel
    from ._workspace import change, patch  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    changes = change.changes(base, slice_.workspace, copy)
    rendered = patch.render(changes, scratch=run.folder)
    result["patch"] = refused_patch(rendered.text, run.redactor)
    run.facts["diff"] = counted(changes, rendered)
    result["report"] = read_report(result["message"], schema, truncated=truncated)
    actions = _acting.proposed(result["report"])
    violations = check_change(slice_, changes, base.files, rendered.added + rendered.removed, run.redactor.find) + _acting.breaches(actions, allowed)
    changed = {item.path for item in changes}
    if not violations:
        kept = [path for path in base.files if path not in changed]
        written = [item.path for item in changes if item.new is not None]
        violations = left(run, slice_, copy, kept + written)
    if violations:
        return _rejected(result, violations, "The agent's change breaks the contract"), None
    # What only an action can bring about is looked at in place, behind it.
    checks = [check for check in slice_.checks if not (actions and check.after_actions)]
    result["validation"] = _validation.run_checks(checks, stage="copy", folder=copy, confine=confined(slice_, copy, codex_path), cancelled=run.cancelled)
    # What was cut short says nothing of the change.
    run.go_on()
    if _validation.failures(result["validation"]):
        why = _validation.describe(result["validation"])
        return {**result, "outcome": "rejected", "code": "validation_failed", "msg": f"In the patched copy {why}. The live tree is as it was."}, None
    if not changes and not actions:
        remember_done(run, slice_, known, result)
        return {**result, "outcome": "unchanged", "msg": "The agent found nothing to change."}, None
    plan = plans.build(
        plan_id=run.id,
        workspace=slice_.workspace,
        host_id=host_id(),
        base=base,
        changes=changes,
        patch=rendered,
        slice_document=slice_.document,
        slice_sha256=slice_.sha256,
        report=result["report"],
        usage=result["usage"],
        validation=result["validation"],
        replayed=result["replayed"],
        policy_sha256=run.rules.sha256,
        requested_by=sorted({*names(), *order.requested_by}),
        actions=actions,
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    )
    result["plan"] = plans.summary(plan)
    result["patch"] = planned_patch(rendered.text, run.redactor)
    count = len(result["plan"]["files"])
    what = f"{count} file{'s' if count != 1 else ''}, +{rendered.added} -{rendered.removed}"
    if actions:
        what += f", and run {', '.join(actions)}"
    if run.options.check:
        return {**result, "outcome": "planned", "changed": True, "msg": f"Would change {what}. Nothing was kept."}, plan
    plans.store(plan, run.folder)
    run.remember(known, {"plan_id": plan["id"]})
    return {**result, "outcome": "planned", "changed": True, "msg": f"The plan {plan['id']} changes {what}. Apply it with plan: {plan['id']}."}, plan


def forget(run: Run, result: dict[str, t.Any]) -> None:
    """The plan of this run is none: whoever asks again asks anew."""
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    if not run.options.check and not result.get("cached"):
        plans.discard(run.folder)
    result.pop("plan", None)


def remember_done(run: Run, slice_: Slice, known: str, result: dict[str, t.Any]) -> None:
    # With a goal, the test comes first and tells more than memory.
    if slice_.has_goal or run.options.check:
        return
    kept = {"outcome": "unchanged", "fingerprint": known, "report": result["report"], "message": result.get("message", "")}
    run.remember(known, kept)


def remember_applied(run: Run, slice_: Slice) -> None:
    """An identical task on the tree as it is now has nothing left to do. The change stands, whatever comes of this."""
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    if slice_.has_goal:
        return
    try:
        _path, version = _agent_step.find(run)
        now = tree.snapshot(slice_.workspace, slice_.scope).sha256
    except (OSError, CodexOpsError) as error:
        run.warnings.append(f"The result could not be remembered: {error}.")
        return
    remember_done(run, slice_, _fingerprint(run, slice_, version, now, _acting.offered(run, slice_)), {"report": None})
