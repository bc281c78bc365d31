# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a plan into the live workspace, all or nothing. PRIVATE.

The order is what makes it safe: look at every target; back up; journal; write every new file beside its target; and only
then, one rename at a time, switch. A full disk or a lost right shows before the first switch, and a reader sees the shortest
possible time between all-old and all-new. Nothing is ever reached through a path with a link in it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import time
import typing as t

from .._errors import CodexOpsError
from . import handles, journal, metadata, place
from . import plan as plans
from .removal import remove_tree
from .restore import undo
from .survey import Target, folder_of, look_at_all, missing_folders, stale

_NEW_FOLDER = 0o755
# Directory handles kept open while the plan is written.
_HELD_AT_MOST = 200


@dataclasses.dataclass(frozen=True)
class Applied:
    """What was written: the paths, sorted, and the folders made for them."""

    run_id: str
    files: list[str]
    folders: list[str]


def apply(
    plan: dict[str, t.Any], *, backup_dir: str, run_id: str, before_each: t.Callable[[], None]
) -> Applied:
    """Write *plan* into its workspace. The journal stays unfinished until :func:`commit`.

    :arg backup_dir: Where backups lie; this makes ``backup_dir/run_id`` (0700).
    :arg before_each: Called before each file is switched. If it raises, everything is undone and its exception passed on.
    :raises CodexOpsError: ``stale_plan`` for a workspace that is not what the plan was made from; ``symlink``,
        ``unsafe_path``, ``git_metadata``, ``ownership``, ``attributes``, ``privileged_file``; ``disk_full`` or ``apply_failed``
        with outcome ``rejected`` (nothing was switched) or ``rolled_back``. The tree is as before then.
    """
    plans.verify(plan)
    workspace = os.path.realpath(plan["workspace"])
    root = handles.open_root(plan["workspace"])
    try:
        with handles.explained("The plan could not be applied", "apply_failed", plan["workspace"]):
            targets = look_at_all(root, plan)
            folders = missing_folders(root, targets)
        with handles.explained("The backup could not be made", "apply_failed", backup_dir):
            _prepare(root, plan, workspace, backup_dir, run_id, targets, folders)
        _write_all(root, plan, targets, folders, before_each, backup_dir, run_id)
        return Applied(run_id, sorted(target.path for target in targets), folders)
    finally:
        os.close(root)


def _prepare(
    root: int,
    plan: dict[str, t.Any],
    workspace: str,
    backup_dir: str,
    run_id: str,
    targets: t.Sequence[Target],
    folders: list[str],
) -> None:
    """Back up, then write the journal. On any error there is no trace of it."""
    run = journal.make_folder(backup_dir, run_id)
    try:
        _back_up(root, run, targets)
        journal.write(run, _journal(plan, workspace, run_id, targets, folders), "applying")
    except BaseException:
        with contextlib.suppress(CodexOpsError):
            remove_tree(os.path.join(backup_dir, run_id))
        raise
    finally:
        os.close(run)


def _write_all(
    root: int,
    plan: dict[str, t.Any],
    targets: t.Sequence[Target],
    folders: t.Sequence[str],
    before_each: t.Callable[[], None],
    backup_dir: str,
    run_id: str,
) -> None:
    """Write everything beside its target, then switch; undo all of it if anything goes wrong."""
    # What goes below a file that this plan deletes can only be written after that file is gone.
    deleted = tuple(target.path + "/" for target in targets if target.operation == "delete")
    held: dict[tuple[int, int], int] = {}
    switched = 0
    try:
        for path in folders:
            if not (path + "/").startswith(deleted):
                _make_folder(root, path)
        for target in targets:
            if not target.path.startswith(deleted):
                _write(root, target, held)
        _same_root(root, plan["workspace"])
        for target in targets:
            before_each()
            if target.path.startswith(deleted):
                for path in folders:
                    if target.path.startswith(path + "/") and (path + "/").startswith(deleted):
                        _make_folder(root, path, again=True)
                _write(root, target, held)
            _switch(root, target)
            switched += 1
        _sync_folders(root, targets)
    except BaseException as exc:
        for target in targets:
            # By the handles we wrote through, in case a folder was moved away from its path meanwhile.
            if target.folder in held:
                with contextlib.suppress(OSError):
                    place.drop(held[target.folder], target.temporary)
        restored = undo(backup_dir, run_id)
        known = exc
        if isinstance(exc, OSError):
            outcome = "rolled_back" if switched else "rejected"
            known = handles.explain(exc, "The plan could not be applied", "apply_failed", plan["workspace"], outcome)
        if isinstance(known, CodexOpsError):
            known.details.extend({"code": "changed_since", "path": path} for path in restored.conflicts)
        if known is exc:
            raise
        raise known from exc
    finally:
        for handle in held.values():
            os.close(handle)


def commit(backup_dir: str, run_id: str) -> None:
    """The validation in place passed: the apply of *run_id* is final, and no start undoes it any more.

    :raises CodexOpsError: ``backup_not_found``; ``disk_full``; ``not_applied`` if it was undone before.
    """
    folder = journal.open_folder(backup_dir, run_id)
    try:
        with handles.explained("The journal could not be written", "apply_failed", backup_dir):
            written = journal.read(folder, os.path.join(backup_dir, run_id))
            if written is not None and written["state"] == "done":
                return
            if written is None or written["state"] != "applying":
                raise CodexOpsError(
                    f"The run {run_id!r} is not in force any more.", code="not_applied", outcome="rejected"
                )
            journal.write(folder, written, "done")
    finally:
        os.close(folder)


def _back_up(root: int, run: int, targets: t.Sequence[Target]) -> None:
    for number, target in enumerate(targets, 1):
        if target.found is None:
            continue
        folder = folder_of(root, target)
        try:
            source = os.open(target.name, handles.READ, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            _found, sha256 = place.write_beside(run, f"{number:04d}", source, lambda handle: None)
        finally:
            os.close(source)
        if sha256 != target.entry["old"]["sha256"]:
            raise stale(target.path, "The file's content changed.")
    os.fsync(run)


def _journal(
    plan: dict[str, t.Any], workspace: str, run_id: str, targets: t.Sequence[Target], folders: list[str]
) -> journal.Journal:
    files: list[dict[str, t.Any]] = []
    for number, target in enumerate(targets, 1):
        old, new = target.entry["old"], target.entry["new"]
        files.append(
            {
                "path": target.path,
                "operation": target.operation,
                "temporary": target.temporary,
                "backup": f"{number:04d}" if old is not None else None,
                "old": None if old is None or target.found is None else {"sha256": old["sha256"], "kept": target.found.kept},
                "new": None if new is None else {"sha256": new["sha256"], "mode": target.mode},
            }
        )
    return {
        "version": journal.VERSION,
        "run_id": run_id,
        "plan": plan["id"],
        "plan_sha256": plan["sha256"],
        "workspace": workspace,
        "started_ns": time.time_ns(),
        "folders": folders,
        "files": files,
        "conflicts": [],
    }


def _make_folder(root: int, path: str, *, again: bool = False) -> None:
    *above, name = path.split("/")
    parent = handles.open_folder(root, above)
    try:
        try:
            os.mkdir(name, _NEW_FOLDER, dir_fd=parent)
        except FileExistsError:
            if again:
                return
            raise stale(path, "Something stands where a new folder belongs.") from None
        owner = os.fstat(parent)
        made = handles.open_below(parent, name, path)
        try:
            if os.geteuid() == 0:
                os.fchown(made, owner.st_uid, owner.st_gid)
            # A set-gid folder hands its group down: keep what the file system gave.
            os.fchmod(made, _NEW_FOLDER | (stat.S_IMODE(os.fstat(made).st_mode) & stat.S_ISGID))
            os.fsync(made)
        finally:
            os.close(made)
        os.fsync(parent)
    finally:
        os.close(parent)


def _write(root: int, target: Target, held: dict[tuple[int, int], int]) -> None:
    """The new bytes beside the target, with everything that belongs to the old ones.

    For a file that is to be deleted this is a rehearsal: what we could not give back is not taken away.
    """
    folder = folder_of(root, target)
    try:

        def finish(handle: int) -> None:
            if target.found is not None:
                metadata.put(handle, target.found.kept, mode=target.mode, times=False, path=target.path)
                return
            if os.geteuid() == 0:
                owner = os.fstat(folder)
                os.fchown(handle, owner.st_uid, owner.st_gid)
            os.fchmod(handle, target.mode)

        if target.folder is not None and target.folder not in held and len(held) < _HELD_AT_MOST:
            held[target.folder] = os.dup(folder)
        if target.operation == "delete":
            place.write_beside(folder, target.temporary, b"", finish)
            place.drop(folder, target.temporary)
            return
        target.written, _sha256 = place.write_beside(folder, target.temporary, plans.content_of(target.entry), finish)
    finally:
        os.close(folder)


def _same_root(root: int, workspace: str) -> None:
    again = handles.open_root(workspace)
    try:
        if handles.identity(os.fstat(again)) != handles.identity(os.fstat(root)):
            raise stale(workspace, "The workspace was exchanged.")
    finally:
        os.close(again)


def _switch(root: int, target: Target) -> None:
    """Put one file in its place, if everything is still as it was looked at."""
    folder = folder_of(root, target)
    try:
        if not place.is_same(folder, target.name, target.found.stat if target.found else None):
            raise stale(target.path, "The file changed at this very moment.")
        if target.operation == "delete":
            os.unlink(target.name, dir_fd=folder)
            return
        if target.written is None or not place.is_same(folder, target.temporary, target.written):
            raise stale(target.path, "Somebody touched the new file before it was in its place.")
        try:
            place.put_in_place(folder, target.temporary, target.name, replace=target.found is not None)
        except FileExistsError:
            raise stale(target.path, "Something was put there at this very moment.") from None
    finally:
        os.close(folder)


def _sync_folders(root: int, targets: t.Sequence[Target]) -> None:
    done: set[tuple[str, ...]] = set()
    for target in targets:
        if tuple(target.above) in done:
            continue
        done.add(tuple(target.above))
        folder = folder_of(root, target)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
