# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan: exactly what would be written, in one file, closed by digests and used once. PRIVATE."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import re
import typing as t

from .._contract.model import Change, FileState
from .._errors import CodexOpsError
from . import handles
from .patch import Patch
from .tree import Snapshot

#: The version of the format that this engine writes and reads.
VERSION = 1

_FILE = "plan.json"
_SPENT = "spent"
_MAX_FILE = 512 * 1024 * 1024
_SHA256_RE = re.compile(r"[0-9a-f]{64}")
_SHAPE: dict[str, t.Any] = {
    "version": int,
    "id": str,
    "workspace": str,
    "host_id": str,
    "created": (str, int, float),
    "base_sha256": str,
    "slice": (dict, type(None)),
    "slice_sha256": str,
    "policy_sha256": (str, type(None)),
    "requested_by": list,
    "actions": list,
    "files": list,
    "added": int,
    "removed": int,
    "patch": str,
    "patch_sha256": str,
    "nonce": str,
    "sha256": str,
}


def canonical(document: t.Any) -> bytes:
    """*document* as the one JSON text that digests are made of: sorted keys, no spaces, ASCII only."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def digest(plan: t.Mapping[str, t.Any]) -> str:
    """The digest over everything in *plan* but its own ``sha256``."""
    return hashlib.sha256(canonical({key: value for key, value in plan.items() if key != "sha256"})).hexdigest()


def build(
    *,
    plan_id: str,
    workspace: str,
    host_id: str,
    base: Snapshot,
    changes: t.Sequence[Change],
    patch: Patch,
    slice_document: dict[str, t.Any] | None,
    slice_sha256: str,
    policy_sha256: str | None = None,
    requested_by: t.Sequence[str] = (),
    actions: t.Sequence[str] = (),
    report: t.Any,
    usage: t.Any,
    validation: t.Any,
    replayed: bool,
    created: str | float,
) -> dict[str, t.Any]:
    """The plan for *changes*, complete with its digests and a fresh nonce.

    :arg plan_id: The name of the run folder it will be stored in.
    :arg policy_sha256: The digest of the policies under which it was made.
    :arg requested_by: The names of whoever asked for it (``unix:alice``): none of them may approve it.
    :arg actions: The privileged actions that go with it, by name.
    :raises CodexOpsError: ``special_file`` or ``file_too_large`` for a change that no plan can carry.
    """
    plan: dict[str, t.Any] = {
        "version": VERSION,
        "id": plan_id,
        "workspace": workspace,
        "host_id": host_id,
        "created": created,
        "base_sha256": base.sha256,
        "slice": slice_document,
        "slice_sha256": slice_sha256,
        "policy_sha256": policy_sha256,
        "requested_by": list(requested_by),
        "actions": list(actions),
        "files": [_entry(change) for change in changes],
        "added": patch.added,
        "removed": patch.removed,
        "patch": patch.text,
        "patch_sha256": hashlib.sha256(patch.text.encode("utf-8", "surrogatepass")).hexdigest(),
        "report": report,
        "usage": usage,
        "validation": validation,
        "replayed": replayed,
        "nonce": os.urandom(16).hex(),
    }
    plan["sha256"] = digest(plan)
    return plan


def _entry(change: Change) -> dict[str, t.Any]:
    entry: dict[str, t.Any] = {"path": change.path, "operation": change.operation}
    entry["old"] = _side(change.path, change.old)
    entry["new"] = _side(change.path, change.new)
    if entry["new"] is not None:
        if change.new_content is None:
            raise CodexOpsError(
                "The file is too large for a plan.", code="file_too_large", outcome="rejected", where=change.path
            )
        entry["new"]["content"] = base64.b64encode(change.new_content).decode("ascii")
    return entry


def _side(path: str, state: FileState | None) -> dict[str, t.Any] | None:
    if state is None:
        return None
    if state.kind != "file":
        raise CodexOpsError(f"A {state.kind} cannot be planned.", code="special_file", outcome="rejected", where=path)
    return {"sha256": state.sha256, "mode": state.mode, "size": state.size}


def _damaged(what: str, where: str | None = None) -> CodexOpsError:
    return CodexOpsError(
        f"The plan is damaged: {what}.",
        code="plan_damaged",
        outcome="rejected",
        hint="Make a new plan; this one cannot be trusted.",
        where=where,
    )


def verify(plan: t.Any) -> None:
    """Recompute every digest in *plan*, and hold its shape against what this engine knows.

    :raises CodexOpsError: ``plan_damaged``, or ``newer_state`` when a newer engine wrote it.
    """
    if not isinstance(plan, dict):
        raise _damaged("it is not an object")
    version = plan.get("version")
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        raise CodexOpsError(
            f"The plan has version {version}; this engine knows {VERSION}.",
            code="newer_state",
            outcome="newer_state",
            hint="Use the engine that made it, or update this one.",
        )
    for key, kinds in _SHAPE.items():
        if key not in plan or not isinstance(plan[key], kinds) or (isinstance(plan[key], bool) and kinds is int):
            raise _damaged(f"{key} is missing or of the wrong type")
    if version != VERSION:
        raise _damaged(f"its version is {version!r}")
    try:
        if digest(plan) != plan["sha256"]:
            raise _damaged("its digest does not fit its content")
    except (TypeError, ValueError) as exc:
        raise _damaged(str(exc)) from None
    if hashlib.sha256(plan["patch"].encode("utf-8", "surrogatepass")).hexdigest() != plan["patch_sha256"]:
        raise _damaged("the patch does not fit its digest")
    if not handles.plain_name(plan["id"]):
        raise _damaged("its ID is not a plain name")
    for key in ("requested_by", "actions"):
        if not all(isinstance(name, str) for name in plan[key]):
            raise _damaged(f"{key} holds what is not a text")
    seen: set[str] = set()
    for entry in plan["files"]:
        path = _verify_entry(entry)
        if path in seen:
            raise _damaged("it names the file twice", path)
        seen.add(path)


def _verify_entry(entry: t.Any) -> str:
    if not isinstance(entry, dict) or set(entry) != {"path", "operation", "old", "new"}:
        raise _damaged("an entry of files has the wrong keys")
    path = "/".join(handles.path_parts(entry["path"]))
    old, new = entry["old"], entry["new"]
    operation = {(True, False): "create", (False, True): "delete", (False, False): "modify"}.get((old is None, new is None))
    if operation is None or entry["operation"] != operation:
        raise _damaged("the operation does not fit", path)
    for side, keys in ((old, {"sha256", "mode", "size"}), (new, {"sha256", "mode", "size", "content"})):
        if side is None:
            continue
        if not isinstance(side, dict) or set(side) != keys:
            raise _damaged("a state has the wrong keys", path)
        for key in ("mode", "size"):
            if not isinstance(side[key], int) or isinstance(side[key], bool) or side[key] < 0:
                raise _damaged(f"{key} is not a number", path)
        if side["mode"] > 0o7777 or not isinstance(side["sha256"], str) or not _SHA256_RE.fullmatch(side["sha256"]):
            raise _damaged("a state is out of range", path)
    if new is not None:
        content = content_of(entry)
        if len(content) != new["size"] or hashlib.sha256(content).hexdigest() != new["sha256"]:
            raise _damaged("a content does not fit its digest", path)
    return path


def content_of(entry: t.Mapping[str, t.Any]) -> bytes:
    """The new content of one entry of ``files``."""
    try:
        return base64.b64decode(entry["new"]["content"], validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise _damaged("a content is not base64", str(entry["path"])) from None


def store(plan: t.Mapping[str, t.Any], run_dir: str) -> None:
    """Write *plan* into its run folder, all or nothing, mode 0600, on disk when this returns.

    :raises CodexOpsError: ``disk_full`` or ``state_unwritable``.
    """
    folder = handles.open_root(run_dir)
    try:
        with handles.explained("The plan could not be stored", "state_unwritable", run_dir):
            handles.replace_file(folder, _FILE, canonical(plan))
    finally:
        os.close(folder)


def load(runs_dir: str, plan_id: str) -> dict[str, t.Any]:
    """The plan *plan_id*, every digest of it recomputed.

    :raises CodexOpsError: ``plan_not_found``, ``plan_damaged`` or ``newer_state``.
    """
    missing = CodexOpsError(
        f"There is no plan {plan_id!r} on this host.",
        code="plan_not_found",
        outcome="rejected",
        hint="Plans are named by plan.id of a run with state: planned.",
        where=runs_dir,
    )
    if not handles.plain_name(plan_id):
        raise missing
    where = os.path.join(runs_dir, plan_id, _FILE)
    try:
        handle = os.open(where, handles.READ)
    except (FileNotFoundError, NotADirectoryError):
        raise missing from None
    except OSError as exc:
        raise _damaged(str(exc.strerror), where) from exc
    try:
        content = handles.read_handle(handle, _MAX_FILE)
    except OSError as exc:
        raise _damaged(str(exc.strerror), where) from exc
    finally:
        os.close(handle)
    try:
        plan = json.loads(content)
    except (ValueError, RecursionError):
        raise _damaged("it is not JSON", where) from None
    verify(plan)
    if plan["id"] != plan_id:
        raise _damaged("it belongs to another run", where)
    return t.cast("dict[str, t.Any]", plan)


def spend(plan: t.Mapping[str, t.Any], run_dir: str) -> None:
    """Mark *plan* as used, which can be done once, whoever tries at the same time.

    :raises CodexOpsError: ``plan_spent``, outcome ``stale_plan``; ``disk_full`` or ``state_unwritable``.
    """
    folder = handles.open_root(run_dir)
    try:
        with handles.explained("The plan could not be marked as used", "state_unwritable", run_dir):
            try:
                handles.write_new(folder, _SPENT, canonical({"nonce": plan["nonce"], "sha256": plan["sha256"]}))
            except FileExistsError:
                raise CodexOpsError(
                    f"The plan {plan['id']!r} was used before.",
                    code="plan_spent",
                    outcome="stale_plan",
                    hint="Make a new plan.",
                ) from None
            os.fsync(folder)
    finally:
        os.close(folder)


def summary(plan: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What results and records say about *plan*: ``files`` names path and operation of each, the counts are lines."""
    keys = ("id", "sha256", "patch_sha256", "base_sha256", "slice_sha256", "policy_sha256", "actions", "added", "removed")
    files = [{"path": entry["path"], "operation": entry["operation"]} for entry in plan["files"]]
    return {**{key: plan[key] for key in keys}, "files": files}


def discard(run_dir: str) -> None:
    """Remove the plan that was stored in *run_dir*, if any: it can never be applied."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(run_dir, _FILE))


def is_spent(run_dir: str) -> bool:
    """Whether the plan in *run_dir* was used."""
    return os.path.lexists(os.path.join(run_dir, _SPENT))
