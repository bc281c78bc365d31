# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies between codex-ops, who plans, and root, who applies, on a provisioned host. PRIVATE.

codex-ops hands over nothing but the ID of a plan. Root takes the plan and what people said about it into its own folder once, and
from then on believes only that: who may write in the run's folder may change it at any time.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t

from ._contract.model import MAX_CONTENT, Change, FileState
from ._contract.slice import Slice
from ._errors import CodexOpsError
from ._identities import become
from ._run import Run
from ._workspace import handles
from ._workspace import plan as plans

_SUDO = "/usr/bin/sudo"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_APPROVALS = "approvals"
_NAME = re.compile(r"[0-9a-f]{64}\.json")
_MAX_PLAN = 512 * 1024 * 1024
_MAX_APPROVAL = 256 * 1024
_MAX_APPROVALS = 200
_MAX_RESULT = 256 * 1024 * 1024


# --- codex-ops' side ----------------------------------------------------------------------------------------------------


def apply_by_helper(run: Run, plan_id: str) -> dict[str, t.Any]:
    """What root's helper made of the plan: the result of its own run.

    The caller holds no lock on the workspace. The helper looks at the kill switch itself, and stops when nobody reads its answer.

    :raises CodexOpsError: ``helper_failed``.
    """
    helper = os.path.join(run.places.helpers, "apply")
    try:
        child = subprocess.Popen(
            [_SUDO, "-n", helper], cwd="/", env=_ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        raise _failed(helper, f"{_SUDO}: {error.strerror}") from None
    with child:
        data, complaint = _talk(run, child, plan_id)
    try:
        result = json.loads(data)
    except ValueError:
        result = None
    if not isinstance(result, dict) or "outcome" not in result:
        said = " ".join(complaint.decode("utf-8", "replace").split())[-500:]
        if said.startswith("sudo: "):
            raise _failed(helper, said)
        raise CodexOpsError(
            f"The helper {helper} ended without an answer ({said or f'status {child.returncode}'}), so it is not known whether the plan was applied.",
            code="helper_lost",
            outcome="agent_error",
            hint="Look at the last records of the audit log. The next run on this workspace puts back what was written in part.",
        )
    return result


def _talk(run: Run, child: subprocess.Popen[bytes], plan_id: str) -> tuple[bytes, bytes]:
    data, complaint = b"", b""
    asked: bytes | None = plan_id.encode("ascii", "replace") + b"\n"
    while True:
        try:
            data, complaint = child.communicate(asked, timeout=0.2)
            return data[:_MAX_RESULT], complaint
        except subprocess.TimeoutExpired:
            asked = None
            if run.cancelled() is not None and child.stdout is not None and not child.stdout.closed:
                # It finds nobody to answer to, puts the old files back, and ends.
                child.stdout.close()
                child.wait()
                raise CodexOpsError(
                    f"Stopped while root applied the plan: {str(run.cancelled()).rstrip('.')}. Root's own record says how far it came.",
                    code="killed",
                    outcome="killed",
                ) from None


def _failed(helper: str, why: str) -> CodexOpsError:
    return CodexOpsError(
        f"The helper {helper} did not apply the plan: {why}",
        code="helper_failed",
        outcome="rejected",
        hint="Provision the host again (helpers, sudoers), or apply the plan as root.",
    )


# --- root's side --------------------------------------------------------------------------------------------------------


def adopt(run: Run, plan_id: str) -> None:
    """Take the plan *plan_id* of codex-ops, and the decisions about it, into root's own folder.

    What root has already stays: a plan is never replaced, a decision never removed.

    :raises CodexOpsError: ``plan_not_found``, ``plan_damaged``, or ``state_unwritable``.
    """
    if not handles.plain_name(plan_id):
        return
    source, target = os.path.join(run.places.plans, plan_id), run.places.run_dir(plan_id)
    found = _as_ops(run, lambda: _collect(source))
    if not found:
        return
    if not os.path.lexists(os.path.join(target, "plan.json")):
        try:
            plan = json.loads(found["plan"])
        except (ValueError, RecursionError):
            raise CodexOpsError("The plan is damaged: it is not JSON.", code="plan_damaged", outcome="rejected", where=source) from None
        plans.verify(plan)
        if plan["id"] != plan_id:
            raise CodexOpsError("The plan is damaged: it belongs to another run.", code="plan_damaged", outcome="rejected", where=source)
        os.makedirs(target, 0o700, exist_ok=True)
        plans.store(plan, target)
    with handles.explained("The decisions about the plan could not be kept", "state_unwritable", target):
        folder = os.path.join(target, _APPROVALS)
        os.makedirs(folder, 0o700, exist_ok=True)
        here = handles.open_root(folder)
        try:
            for name, text in sorted(found["approvals"].items()):
                if _NAME.fullmatch(name) and isinstance(text, str) and handles.look(here, name) is None and len(os.listdir(here)) < _MAX_APPROVALS:
                    # Whether it is one is found out when it is counted.
                    handles.replace_file(here, name, text.encode("utf-8", "replace"))
        finally:
            os.close(here)


def hand_back(run: Run, plan_id: str) -> None:
    """Show codex-ops the decisions that root keeps, so that its jobs go on. What becomes of these copies decides nothing."""
    known, target = _decisions(run.places.run_dir(plan_id)), os.path.join(run.places.plans, plan_id)

    def keep() -> dict[str, t.Any]:
        folder = os.path.join(target, _APPROVALS)
        os.makedirs(folder, 0o700, exist_ok=True)
        here = handles.open_root(folder)
        for name, text in known.items():
            if handles.look(here, name) is None:
                handles.replace_file(here, name, text.encode("utf-8"))
        return {}

    try:
        _as_ops(run, keep)
    except CodexOpsError:
        run.warnings.append(f"The decision could not be shown to codex-ops in {target}; root has it.")


def _collect(folder: str) -> dict[str, t.Any]:
    """Plan and decisions, as codex-ops can read them. Nothing where there is no plan."""
    try:
        plan = _text(os.path.join(folder, "plan.json"), _MAX_PLAN)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {"plan": plan, "approvals": _decisions(folder)}


def _decisions(folder: str) -> dict[str, str]:
    approvals: dict[str, str] = {}
    where = os.path.join(folder, _APPROVALS)
    if os.path.isdir(where) and not os.path.islink(where):
        for name in sorted(os.listdir(where))[: 2 * _MAX_APPROVALS]:
            if _NAME.fullmatch(name):
                approvals[name] = _text(os.path.join(where, name), _MAX_APPROVAL)
    return approvals


def _text(path: str, limit: int) -> str:
    handle = os.open(path, handles.READ)
    try:
        return handles.read_handle(handle, limit)[: limit + 1].decode("utf-8", "replace")
    finally:
        os.close(handle)


def _as_ops(run: Run, work: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """What *work* returns in a process of codex-ops: root itself opens nothing where codex-ops can write."""
    ops = run.places.ops
    if ops is None:
        return {}
    heard, says = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(heard)
            become(ops)
            with os.fdopen(says, "wb") as pipe:
                pipe.write(json.dumps(work(), ensure_ascii=True).encode("ascii"))
            os._exit(0)
        finally:
            os._exit(1)
    os.close(says)
    with os.fdopen(heard, "rb") as stream:
        data = stream.read(2 * _MAX_PLAN)
    os.waitpid(pid, 0)
    try:
        found = json.loads(data)
    except ValueError:
        raise CodexOpsError(
            "The plan cannot be read by codex-ops, whose it should be.", code="plan_damaged", outcome="rejected", where=run.places.plans, hint="Plan again."
        ) from None
    return found if isinstance(found, dict) else {}


def check_again(run: Run, slice_: Slice, stored: dict[str, t.Any]) -> None:
    """Hold what the plan would write against the slice once more: who planned is not who applies.

    :raises CodexOpsError: ``plan_breaks_contract``, outcome ``rejected``, with the violations as details.
    """
    from ._contract.checks import check_change  # pylint: disable=import-outside-toplevel
    from ._workspace import patch, tree  # pylint: disable=import-outside-toplevel

    base = tree.snapshot(slice_.workspace, slice_.scope)
    changes = []
    for entry in stored["files"]:
        old, new = _state(entry["old"]), _state(entry["new"])
        before = _before(slice_.workspace, entry["path"]) if old is not None else None
        changes.append(Change(entry["path"], old, new, before, plans.content_of(entry) if new is not None else None))
    rendered = patch.render(changes, scratch=run.folder)
    violations = check_change(slice_, changes, base.files, rendered.added + rendered.removed, run.redactor.find)
    actions = [name for name in stored["actions"] if name not in slice_.document.get("actions", ())]
    if not violations and not actions:
        return
    said = f"{violations[0].code} at {violations[0].path}: {violations[0].detail}" if violations else f"the slice does not list the action {actions[0]!r}"
    raise CodexOpsError(
        f"The plan {stored['id']} breaks the contract of its slice: {said}. The live tree is as it was.",
        code="plan_breaks_contract",
        outcome="rejected",
        hint="No engine makes such a plan. Find out who did.",
        details=[violation.as_dict() for violation in violations[:20]],
    )


def _state(side: dict[str, t.Any] | None) -> FileState | None:
    return None if side is None else FileState("file", side["mode"], side["size"], side["sha256"])


def _before(workspace: str, path: str) -> bytes | None:
    """The live file, whose digest the plan's base vouches for."""
    parts = handles.path_parts(path)
    root = handles.open_root(workspace)
    try:
        folder = handles.open_folder(root, parts[:-1])
        try:
            handle = os.open(parts[-1], handles.READ, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            content = handles.read_handle(handle, MAX_CONTENT)
            return content if len(content) <= MAX_CONTENT else None
        finally:
            os.close(handle)
    except OSError as error:
        raise CodexOpsError(f"The file {path!r} cannot be read: {error.strerror}.", code="base_changed", outcome="stale_plan", hint="Plan again.") from None
    finally:
        os.close(root)
