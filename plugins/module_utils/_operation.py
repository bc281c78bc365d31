# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow of one operation, from top to bottom. PRIVATE.

exec asks: copy, agent, report. slice changes: recover, goal, copy, agent, report, contract, validation, plan, apply, validation.
"""

from __future__ import annotations

import os
import typing as t

from . import _agent_step, _validation
from ._agent.caller import CallerWatch
from ._contract import prompt as prompts
from ._contract.globs import Scope
from ._contract.model import Violation
from ._contract.slice import Slice, build, parse
from ._errors import CodexOpsError
from ._gates.lock import workspace_lock
from ._options import Options, Order, Question
from ._run import Run
from ._trail import memory

#: What exec never copies, whatever the workspace: files that usually hold secrets.
EXEC_EXCLUDE = (
    "**/.env", "**/.env.*", "**/*.pem", "**/*.key", "**/*.p12", "**/*.pfx", "**/*.jks", "**/*.kdbx", "**/id_rsa*", "**/id_ecdsa*", "**/id_ed25519*",
    "**/.netrc", "**/.pgpass", "**/.my.cnf", "**/.npmrc", "**/.pypirc", "**/.htpasswd",
    "**/.ssh/**", "**/.aws/**", "**/.gnupg/**", "**/.kube/**", "**/.docker/**", "**/.vault-token", "**/vault-password*",
)  # fmt: skip


def _narrowed(option: int | None, limit: int) -> int:
    return limit if option is None else min(option, limit)


def _answer(answer: t.Any) -> dict[str, t.Any]:
    """What every result says of the agent's part."""
    result = {
        "outcome": answer.outcome,
        "msg": answer.msg,
        "message": answer.message,
        "commands": answer.commands,
        "usage": answer.usage,
        "codex_version": answer.codex_version,
        "replayed": answer.replayed,
    }
    if answer.outcome != "completed":
        result["code"] = answer.code
    if answer.cassette is not None:
        result["_recorded"] = answer.cassette
    return result


# --- exec -------------------------------------------------------------------------------------------------------------


def ask(options: Options, question: Question) -> dict[str, t.Any]:
    """Ask the agent one thing. The live tree stays as it is.

    :returns: the result as the module exec documents it.
    :raises CodexOpsError: when nothing could even be recorded.
    """
    run = Run(options, "exec")
    with CallerWatch(ansible=options.ansible) as caller:
        return run.recorded(lambda: _ask(run, question, caller.lost))


def _ask(run: Run, question: Question, cancelled: t.Callable[[], str | None]) -> dict[str, t.Any]:
    from ._contract.report import check_schema, read_report  # pylint: disable=import-outside-toplevel
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    options = run.options
    schema = check_schema(question.output_schema) if question.output_schema is not None else None
    codex_path, version = _agent_step.find(run)
    scope = Scope(["**"], EXEC_EXCLUDE)
    base = None
    copy = os.path.join(run.folder, "workspace")
    if question.workspace is not None:
        run.places.check_workspace(question.workspace)
        base = tree.copy(question.workspace, scope, copy)
        for refused in base.refused[:5]:
            run.warnings.append(f"{refused.path} was not copied: {refused.detail}")
    else:
        os.mkdir(copy, 0o700)
    base_sha256 = base.sha256 if base else None
    known = _agent_step.fingerprint(
        run,
        version,
        prompt=question.prompt,
        inputs=question.inputs,
        base=base_sha256,
        workspace=question.workspace,
        schema=schema,
        writable=question.writable,
    )
    run.facts["input"] = {"workspace": question.workspace, "base_sha256": base_sha256, "fingerprint": known}
    try:
        if options.rerun == "on_change":
            remembered = memory.recall(run.places.remembered, known)
            if remembered is not None:
                return {**remembered, "cached": True, "msg": "An identical task was answered before; no model was asked."}
        answer = _agent_step.ask_agent(
            run,
            codex_path=codex_path,
            workspace=copy,
            writable=question.writable,
            prompt=prompts.exec_prompt(question.prompt, question.inputs),
            contract=prompts.EXEC_CONTRACT,
            schema=schema,
            timeout=options.timeout or _agent_step.DEFAULT_TIMEOUT,
            tokens=options.tokens or _agent_step.DEFAULT_TOKENS,
            cancelled=cancelled,
        )
        result = {**_answer(answer), "fingerprint": known, "report": None}
        if answer.outcome != "completed":
            return result
        if question.writable:
            result["patch"] = _exec_patch(question, base, copy)
        if schema is not None:
            try:
                result["report"] = read_report(answer.message, schema)
            except CodexOpsError as error:
                return {**result, "outcome": error.outcome, "code": error.code, "msg": str(error), "details": error.details}
        if not options.check:
            kept = {key: result.get(key) for key in ("outcome", "message", "report", "patch", "codex_version", "fingerprint", "replayed")}
            memory.remember(run.places.remembered, known, run.redactor.data({**kept, "patch": kept["patch"] or ""}))
        return result
    finally:
        tree.remove_tree(copy)


def _exec_patch(question: Question, base: t.Any, copy: str) -> str:
    from ._workspace import change, patch, tree  # pylint: disable=import-outside-toplevel

    empty = base if base is not None else tree.Snapshot({}, {}, [])
    changes = change.changes(empty, question.workspace or copy, copy)
    return patch.escape(patch.render(changes).text)


# --- slice ------------------------------------------------------------------------------------------------------------


def operate(options: Options, order: Order) -> dict[str, t.Any]:
    """Plan, apply or take back one slice.

    :returns: the result as the module slice documents it.
    :raises CodexOpsError: when nothing could even be recorded.
    """
    run = Run(options, "slice")
    work = {"rolled_back": _roll_back, "planned": _change, "applied": _change}[order.state]
    with CallerWatch(ansible=options.ansible) as caller:
        return run.recorded(lambda: {"violations": [], "validation": [], "rolled_back": False, **work(run, order, caller.lost)})


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
    return parse(document, path)


def _change(run: Run, order: Order, cancelled: t.Callable[[], str | None]) -> dict[str, t.Any]:
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    given: Slice | None = None
    if order.name is not None:
        given = _installed(run, order.name)
    elif order.document is not None:
        given = parse(order.document, order.source)
    stored = None
    if order.plan is not None:
        stored = plans.load(run.places.runs, order.plan)
        if given is not None and given.sha256 != stored["slice_sha256"]:
            raise CodexOpsError(
                f"The plan {order.plan} was made from another version of the slice {given.name}.",
                code="slice_changed",
                outcome="stale_plan",
                hint="Plan again.",
            )
        given = given or build(stored["slice"])
    if given is None:
        raise CodexOpsError(
            "There is no slice.", code="option_invalid", outcome="rejected", hint="Give one of slice, src, name, or a plan to apply."
        )
    run.facts["input"] = {"slice": given.name, "slice_sha256": given.sha256, "workspace": given.workspace, "plan": order.plan}
    run.places.check_workspace(given.workspace)
    with workspace_lock(run.places.locks, given.workspace, run.id):
        waiting = _recover(run, given.workspace)
        if waiting is not None:
            return waiting
        if stored is None:
            result, stored = _plan(run, given, order, cancelled)
            if stored is None or order.state == "planned" or run.options.check:
                return result
        else:
            result = _fits(run, given, stored)
            if order.state == "planned" or run.options.check:
                return result
        return {**result, **_apply(run, given, stored, cancelled)}


def _recover(run: Run, workspace: str) -> dict[str, t.Any] | None:
    """Undo what an interrupted apply left. In check mode only the result says that it would be done."""
    from ._workspace import restore  # pylint: disable=import-outside-toplevel

    waiting = restore.pending(run.places.backups, workspace)
    if not waiting:
        return None
    if run.options.check:
        return {
            "outcome": "planned",
            "changed": True,
            "msg": f"An apply was interrupted (run {', '.join(waiting)}). A real run first puts the old files back, then plans.",
        }
    for recovered in restore.recover(run.places.backups, workspace):
        run.facts["rollback"] = {"possible": False, "recovered": recovered.run_id, "conflicts": recovered.conflicts}
        run.warnings.append(f"An apply was interrupted (run {recovered.run_id}); its files were put back.")
        if recovered.conflicts:
            run.warnings.append(
                "These files were changed by somebody else since, and were left alone: " + ", ".join(recovered.conflicts[:20])
            )
    return None


def _left(run: Run, slice_: Slice, root: str, paths: t.Iterable[str]) -> list[Violation]:
    """The incorrect values that are left in *paths* of *root*."""
    if not slice_.incorrect:
        return []
    from ._contract.checks import check_incorrect  # pylint: disable=import-outside-toplevel
    from ._workspace.contents import contents  # pylint: disable=import-outside-toplevel

    found: list[Violation] = []
    for path, content in contents(root, paths):
        found.extend(check_incorrect(slice_, path, content))
    return found


def _confined(run: Run, slice_: Slice, copy: str, codex_path: str) -> t.Callable[[t.Sequence[str]], list[str]]:
    from ._agent.sandbox import confine  # pylint: disable=import-outside-toplevel

    return lambda argv: confine(argv, copy=copy, live=slice_.workspace, codex_path=codex_path)


def _goal_holds(run: Run, slice_: Slice, base: t.Any, cancelled: t.Callable[[], str | None]) -> list[dict[str, t.Any]] | None:
    """The validations that passed when the goal holds already, else ``None``."""
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    if not slice_.has_goal or _left(run, slice_, slice_.workspace, base.files):
        return None
    if not slice_.checks:
        return []
    codex_path, _version = _agent_step.find(run)
    copy = os.path.join(run.folder, "goal")
    tree.copy(slice_.workspace, slice_.scope, copy)
    try:
        results = _validation.run_checks(
            slice_.checks,
            stage="goal",
            folder=copy,
            confine=_confined(run, slice_, copy, codex_path),
            cancelled=cancelled,
            stop_early=True,
        )
    finally:
        tree.remove_tree(copy)
    return None if _validation.failures(results) else results


def _plan(run: Run, slice_: Slice, order: Order, cancelled: t.Callable[[], str | None]) -> tuple[dict[str, t.Any], dict[str, t.Any] | None]:
    """(result, plan); no plan where there is nothing to apply or the agent's work was not taken."""
    from ._contract.report import check_schema, known_schema  # pylint: disable=import-outside-toplevel
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    schema = known_schema(slice_.report_schema) if isinstance(slice_.report_schema, str) else check_schema(slice_.report_schema)
    base = tree.snapshot(slice_.workspace, slice_.scope)
    run.facts["input"]["base_sha256"] = base.sha256
    if base.refused:
        return _rejected({}, base.refused, "The workspace holds what cannot be copied safely"), None
    held = _goal_holds(run, slice_, base, cancelled)
    if held is not None:
        return {"outcome": "unchanged", "msg": "The goal holds already; no model was asked.", "validation": held}, None
    codex_path, version = _agent_step.find(run)
    known = _agent_step.fingerprint(run, version, slice=slice_.sha256, base=base.sha256)
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
            prompt=prompts.slice_prompt(slice_),
            contract=prompts.slice_contract(slice_),
            schema=schema,
            timeout=_narrowed(run.options.timeout, slice_.limits["timeout"]),
            tokens=_narrowed(run.options.tokens, slice_.limits["tokens"]),
            cancelled=cancelled,
        )
        result = {**_answer(answer), "fingerprint": known, "report": None}
        if answer.outcome != "completed":
            return result, None
        return _judge(run, slice_, order, known, base, copy, schema, result, codex_path, cancelled)
    finally:
        tree.remove_tree(copy)


def _remembered(run: Run, slice_: Slice, order: Order, known: str) -> tuple[dict[str, t.Any], dict[str, t.Any] | None] | None:
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    if run.options.rerun != "on_change":
        return None
    remembered = memory.recall(run.places.remembered, known)
    if remembered is None:
        return None
    if "plan_id" not in remembered:
        return {**remembered, "cached": True, "msg": "An identical task was done before; no model was asked."}, None
    if order.state != "planned":
        return None
    try:
        stored = plans.load(run.places.runs, str(remembered["plan_id"]))
        if plans.is_spent(run.places.run_dir(stored["id"])):
            return None
    except CodexOpsError:
        return None
    result = _described(run, stored)
    return {**result, "cached": True, "msg": f"The plan {stored['id']} of an identical task is still open; no model was asked."}, stored


def _rejected(result: dict[str, t.Any], violations: t.Sequence[Violation], why: str) -> dict[str, t.Any]:
    first = violations[0]
    line = f":{first.line}" if first.line else ""
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    from ._workspace.patch import escape  # pylint: disable=import-outside-toplevel

    return {
        **result,
        "outcome": "rejected",
        "code": first.code,
        "msg": f"{why}: {first.code} at {escape(first.path)}{line}: {escape(first.detail)}{more}. The live tree is as it was.",
        "violations": [{**violation.as_dict(), "path": escape(violation.path), "detail": escape(violation.detail)} for violation in violations],
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
    cancelled: t.Callable[[], str | None],
) -> tuple[dict[str, t.Any], dict[str, t.Any] | None]:
    """Hold the agent's report and change against the slice; what passes becomes a plan."""
    from ._contract.checks import check_change  # pylint: disable=import-outside-toplevel
    from ._contract.report import read_report  # pylint: disable=import-outside-toplevel
    from ._workspace import change, patch  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    changes = change.changes(base, slice_.workspace, copy)
    rendered = patch.render(changes)
    result["patch"] = patch.escape(rendered.text)
    try:
        result["report"] = read_report(result["message"], schema)
    except CodexOpsError as error:
        return {**result, "outcome": error.outcome, "code": error.code, "msg": str(error), "details": error.details}, None
    violations = check_change(slice_, changes, base.files, rendered.added + rendered.removed)
    changed = {item.path for item in changes}
    if not violations:
        kept = [path for path in base.files if path not in changed]
        written = [item.path for item in changes if item.new is not None]
        violations = _left(run, slice_, copy, kept + written)
    if violations:
        return _rejected(result, violations, "The agent's change breaks the contract"), None
    result["validation"] = _validation.run_checks(
        slice_.checks, stage="copy", folder=copy, confine=_confined(run, slice_, copy, codex_path), cancelled=cancelled
    )
    if _validation.failures(result["validation"]):
        why = _validation.describe(result["validation"])
        return {**result, "outcome": "rejected", "code": "validation_failed", "msg": f"In the patched copy {why}. The live tree is as it was."}, None
    if not changes:
        _remember_done(run, slice_, known, result)
        return {**result, "outcome": "unchanged", "msg": "The agent found nothing to change."}, None
    plan = plans.build(
        plan_id=run.id,
        workspace=slice_.workspace,
        host_id=_host(),
        base=base,
        changes=changes,
        patch=rendered,
        slice_document=slice_.document,
        slice_sha256=slice_.sha256,
        report=result["report"],
        usage=result["usage"],
        validation=result["validation"],
        replayed=result["replayed"],
        created=_now(),
    )
    result["plan"] = plans.summary(plan)
    count = len(result["plan"]["files"])
    what = f"{count} file{'s' if count != 1 else ''}, +{rendered.added} -{rendered.removed}"
    if run.options.check:
        return {**result, "outcome": "planned", "changed": True, "msg": f"Would change {what}. Nothing was kept."}, plan
    if order.state == "planned":
        plans.store(plan, run.folder)
        memory.remember(run.places.remembered, known, {"plan_id": plan["id"]})
        return {**result, "outcome": "planned", "changed": True, "msg": f"The plan {plan['id']} changes {what}. Apply it with plan: {plan['id']}."}, plan
    plans.store(plan, run.folder)
    return {**result, "msg": what}, plan


def _host() -> str:
    from ._places import host_id  # pylint: disable=import-outside-toplevel

    return host_id()


def _now() -> str:
    import datetime  # pylint: disable=import-outside-toplevel

    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _described(run: Run, stored: dict[str, t.Any]) -> dict[str, t.Any]:
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


def _fits(run: Run, slice_: Slice, stored: dict[str, t.Any]) -> dict[str, t.Any]:
    """Whether a stored plan can still be applied here and now.

    :raises CodexOpsError: outcome ``stale_plan``.
    """
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    def stale(message: str, code: str) -> t.NoReturn:
        raise CodexOpsError(message, code=code, outcome="stale_plan", hint="Plan again; the live tree is as it was.")

    if stored["host_id"] != _host():
        stale(f"The plan {stored['id']} was made on another host.", "plan_foreign")
    if plans.is_spent(run.places.run_dir(stored["id"])):
        stale(f"The plan {stored['id']} was applied before. A plan is used once.", "plan_spent")
    base = tree.snapshot(slice_.workspace, slice_.scope)
    run.facts["input"]["base_sha256"] = base.sha256
    if base.sha256 != stored["base_sha256"]:
        stale(f"Files in the scope of {slice_.name} changed since the plan {stored['id']} was made.", "base_changed")
    result = _described(run, stored)
    count = len(result["plan"]["files"])
    return {**result, "changed": run.options.check, "msg": f"The plan {stored['id']} can be applied; it changes {count} file{'s' if count != 1 else ''}."}


def _apply(run: Run, slice_: Slice, stored: dict[str, t.Any], cancelled: t.Callable[[], str | None]) -> dict[str, t.Any]:
    """Write exactly what the plan says, validate in place, and take it back when that fails."""
    from ._workspace import apply, restore, tree  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    def before_each() -> None:
        reason = cancelled()
        if reason:
            raise CodexOpsError(f"Stopped while writing: {reason}. The old files were put back.", code="killed", outcome="killed")

    plans.spend(stored, run.places.run_dir(stored["id"]))
    apply.apply(stored, backup_dir=run.places.backups, run_id=run.id, before_each=before_each)
    run.facts["rollback"] = {"possible": True, "run_id": run.id}
    try:
        results = _validation.run_checks(slice_.checks, stage="live", folder=slice_.workspace, confine=None, cancelled=cancelled)
        bad = _validation.failures(results)
    except BaseException:
        restore.undo(run.places.backups, run.id)
        raise
    validation = list(stored["validation"]) + results
    if bad:
        restored = restore.undo(run.places.backups, run.id)
        same = tree.snapshot(slice_.workspace, slice_.scope).sha256 == stored["base_sha256"]
        run.facts["rollback"] = {"possible": False, "done": True, "digest_as_before": same, "conflicts": restored.conflicts}
        stopped = cancelled()
        state = "The tree is as it was before" if same else "The files of the plan were put back; others changed meanwhile"
        return {
            "outcome": "killed" if stopped else "rolled_back",
            "code": "validation_failed",
            "changed": False,
            "rolled_back": True,
            "validation": validation,
            "msg": f"In place {_validation.describe(results)}. Rolled back. {state}.",
        }
    apply.commit(run.places.backups, run.id)
    _remember_applied(run, slice_)
    count = len(stored["files"])
    return {
        "outcome": "applied",
        "changed": True,
        "validation": validation,
        "msg": f"Applied the plan {stored['id']}: {count} file{'s' if count != 1 else ''}. To take it back: state: rolled_back, run_id: {run.id}.",
    }


def _remember_done(run: Run, slice_: Slice, known: str, result: dict[str, t.Any]) -> None:
    # With a goal, the test comes first and tells more than memory.
    if slice_.has_goal or run.options.check:
        return
    kept = {"outcome": "unchanged", "fingerprint": known, "report": result["report"], "message": result.get("message", "")}
    memory.remember(run.places.remembered, known, run.redactor.data(kept))


def _remember_applied(run: Run, slice_: Slice) -> None:
    """An identical task on the tree as it is now has nothing left to do."""
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    if slice_.has_goal:
        return
    _path, version = _agent_step.find(run)
    known = _agent_step.fingerprint(run, version, slice=slice_.sha256, base=tree.snapshot(slice_.workspace, slice_.scope).sha256)
    _remember_done(run, slice_, known, {"report": None})


def _roll_back(run: Run, order: Order, cancelled: t.Callable[[], str | None]) -> dict[str, t.Any]:
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
