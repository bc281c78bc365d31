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
import unicodedata

from .._errors import CodexOpsError
from . import handles, journal, metadata, place
from . import plan as plans
from .removal import remove_tree
from .restore import undo

_NEW_FOLDER = 0o755
# Directory handles kept open while the plan is written.
_HELD_AT_MOST = 200


@dataclasses.dataclass(frozen=True)
class Applied:
    """What was written: the paths, sorted, and the folders made for them."""

    run_id: str
    files: list[str]
    folders: list[str]


@dataclasses.dataclass
class _Target:
    """One file of the plan, and what was found where it goes."""

    entry: dict[str, t.Any]
    above: list[str]
    name: str
    found: place.Found | None
    temporary: str
    folder: tuple[int, int] | None = None
    written: os.stat_result | None = None

    @property
    def path(self) -> str:
        """Relative to the workspace."""
        return str(self.entry["path"])

    @property
    def operation(self) -> str:
        """``create``, ``modify`` or ``delete``."""
        return str(self.entry["operation"])

    @property
    def mode(self) -> int:
        """The mode of the file when it is in its place."""
        mode = int(self.entry["new"]["mode"])
        # A new file is never executable, and never writable for everybody.
        return mode if self.operation == "modify" else (mode & 0o664) or 0o644


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
        targets = _look_at_all(root, plan)
        folders = _missing_folders(root, targets)
        run = journal.make_folder(backup_dir, run_id)
        try:
            try:
                _back_up(root, run, targets)
                written = _journal(plan, workspace, run_id, targets, folders)
                journal.write(run, written, "applying")
            except BaseException as exc:
                with contextlib.suppress(CodexOpsError):
                    remove_tree(os.path.join(backup_dir, run_id))
                explained = _explained(exc, "rejected", backup_dir)
                if explained is exc:
                    raise
                raise explained from exc
        finally:
            os.close(run)
        _write_all(root, plan, targets, folders, before_each, backup_dir, run_id)
        return Applied(run_id, sorted(target.path for target in targets), folders)
    finally:
        os.close(root)


def _write_all(
    root: int,
    plan: dict[str, t.Any],
    targets: t.Sequence[_Target],
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
        explained = _explained(exc, "rolled_back" if switched else "rejected", plan["workspace"])
        if isinstance(explained, CodexOpsError):
            explained.details.extend({"code": "changed_since", "path": path} for path in restored.conflicts)
        if explained is exc:
            raise
        raise explained from exc
    finally:
        for handle in held.values():
            os.close(handle)


def commit(backup_dir: str, run_id: str) -> None:
    """The validation in place passed: the apply of *run_id* is final, and no start undoes it any more.

    :raises CodexOpsError: ``backup_not_found``; ``disk_full``; ``not_applied`` if it was undone before.
    """
    folder = journal.open_folder(backup_dir, run_id)
    try:
        written = journal.read(folder, os.path.join(backup_dir, run_id))
        if written is not None and written["state"] == "done":
            return
        if written is None or written["state"] != "applying":
            raise CodexOpsError(f"The run {run_id!r} is not in force any more.", code="not_applied", outcome="rejected")
        journal.write(folder, written, "done")
    except OSError as exc:
        raise _explained(exc, "rolled_back", backup_dir) from exc
    finally:
        os.close(folder)


def _explained(exc: BaseException, outcome: str, where: str) -> BaseException:
    """*exc* itself, or what a person should read instead of an OSError."""
    if not isinstance(exc, OSError):
        return exc
    full = exc.errno in handles.NO_SPACE
    return CodexOpsError(
        "There is no space left, so nothing was changed." if full else f"The plan could not be applied: {exc.strerror}.",
        code="disk_full" if full else "apply_failed",
        outcome=outcome,
        hint="Make room and apply again." if full else "Check rights, mount options and file attributes there.",
        where=where if exc.filename is None else f"{where}: {exc.filename}",
    )


def _stale(path: str, wrong: str, code: str = "stale_plan") -> CodexOpsError:
    return CodexOpsError(
        f"{wrong} The plan was made from another state of the workspace.",
        code=code,
        outcome="stale_plan",
        hint="Make a new plan.",
        where=path,
    )


def _look_at_all(root: int, plan: dict[str, t.Any]) -> list[_Target]:
    """Every file of the plan held against the tree; deletions first, so that a folder may take a deleted file's place."""
    order = {"delete": 0, "modify": 1, "create": 2}
    deleted = {entry["path"] for entry in plan["files"] if entry["operation"] == "delete"}
    folded: dict[str, str] = {}
    targets: list[_Target] = []
    mark = os.urandom(8).hex()
    for number, entry in enumerate(sorted(plan["files"], key=lambda entry: (order[entry["operation"]], entry["path"])), 1):
        *above, name = handles.path_parts(entry["path"])
        target = _Target(entry, above, name, None, f".codex-ops-{mark}-{number:04d}")
        if entry["operation"] == "create":
            other = folded.setdefault(_fold(target.path), target.path)
            if other != target.path:
                raise CodexOpsError(
                    f"Two new files differ in case only: {other!r} and {target.path!r}.",
                    code="case_twin",
                    outcome="rejected",
                )
            _look_for_new(root, target, deleted)
        else:
            _look_for_old(root, target)
        targets.append(target)
    return targets


def _look_for_old(root: int, target: _Target) -> None:
    try:
        folder = handles.open_folder(root, target.above)
    except (FileNotFoundError, NotADirectoryError):
        raise _stale(target.path, "The file's folder is gone.") from None
    try:
        target.folder = handles.identity(os.fstat(folder))
        found = place.examine(folder, target.name)
    finally:
        os.close(folder)
    old = target.entry["old"]
    if found is None:
        raise _stale(target.path, "The file is gone.")
    if found.kind != "file":
        raise _stale(target.path, f"The file is a {found.kind} now.", "symlink" if found.kind == "symlink" else "stale_plan")
    if found.stat.st_nlink != 1:
        raise _stale(target.path, "The file has another name (a hard link) now.", "hard_link")
    if (found.sha256, found.stat.st_size) != (old["sha256"], old["size"]):
        raise _stale(target.path, "The file's content changed.")
    if found.mode != old["mode"]:
        raise _stale(target.path, f"The file's mode is {found.mode:04o}, not {old['mode']:04o}.")
    gains = target.operation == "modify" and target.entry["new"]["mode"] & 0o6000
    if target.operation == "modify" and (found.mode & 0o6000 or "security.capability" in found.kept["xattrs"] or gains):
        raise CodexOpsError(
            "The file runs with other rights than its caller's (set-uid, set-gid or capabilities).",
            code="privileged_file",
            outcome="rejected",
            hint="Such files are never changed by an agent.",
            where=target.path,
        )
    target.found = found


def _look_for_new(root: int, target: _Target, deleted: set[str]) -> None:
    """Nothing may stand at the target, nor anything that differs from it, or from a folder above it, in case only."""
    here = os.dup(root)
    try:
        for depth, name in enumerate([*target.above, target.name]):
            path = "/".join(target.above[:depth] + [name])
            found = handles.look(here, name)
            if found is None:
                _refuse_twin(here, name, path, deleted)
                return
            if path in deleted:
                if depth < len(target.above):
                    return
                raise _stale(target.path, "It is deleted and created at once.")
            if depth == len(target.above):
                kind = handles.kind_of(found.st_mode)
                raise _stale(target.path, f"A {kind} stands where a new file belongs.", "symlink" if kind == "symlink" else "stale_plan")
            try:
                below = handles.open_below(here, name, path)
            except NotADirectoryError:
                raise _stale(target.path, f"{path!r} is not a folder.") from None
            os.close(here)
            here = below
            if depth == len(target.above) - 1:
                target.folder = handles.identity(os.fstat(here))
    finally:
        os.close(here)


def _refuse_twin(folder: int, name: str, path: str, deleted: set[str]) -> None:
    above = path[: len(path) - len(name)]
    wanted = _fold(name)
    for other in os.listdir(folder):
        if other != name and _fold(other) == wanted and above + other not in deleted:
            raise _stale(path, f"{above + other!r} differs from it in case only.", "case_twin")


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _missing_folders(root: int, targets: t.Sequence[_Target]) -> list[str]:
    """The folders that have to be made, each after the one above it."""
    missing: list[str] = []
    deleted = {target.path for target in targets if target.operation == "delete"}
    for target in targets:
        if target.operation != "create" or target.folder is not None:
            continue
        for depth in range(1, len(target.above) + 1):
            path = "/".join(target.above[:depth])
            if path in missing:
                continue
            try:
                os.close(handles.open_folder(root, target.above[:depth]))
            except FileNotFoundError:
                missing.append(path)
            except NotADirectoryError:
                if not any(path == gone or path.startswith(gone + "/") for gone in deleted):
                    raise
                missing.append(path)
    return missing


def _back_up(root: int, run: int, targets: t.Sequence[_Target]) -> None:
    for number, target in enumerate(targets, 1):
        if target.found is None:
            continue
        folder = _folder_of(root, target)
        try:
            source = os.open(target.name, handles.READ, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            _found, sha256 = place.write_beside(run, f"{number:04d}", source, lambda handle: None)
        finally:
            os.close(source)
        if sha256 != target.entry["old"]["sha256"]:
            raise _stale(target.path, "The file's content changed.")
    os.fsync(run)


def _journal(
    plan: dict[str, t.Any], workspace: str, run_id: str, targets: t.Sequence[_Target], folders: list[str]
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


def _folder_of(root: int, target: _Target) -> int:
    """The handle of the target's folder, which must be the one that was looked at."""
    try:
        folder = handles.open_folder(root, target.above)
    except (FileNotFoundError, NotADirectoryError):
        raise _stale(target.path, "The file's folder is gone.") from None
    if target.folder is None:
        target.folder = handles.identity(os.fstat(folder))
    elif handles.identity(os.fstat(folder)) != target.folder:
        os.close(folder)
        raise _stale(target.path, "The file's folder was exchanged.")
    return folder


def _make_folder(root: int, path: str, *, again: bool = False) -> None:
    *above, name = path.split("/")
    parent = handles.open_folder(root, above)
    try:
        try:
            os.mkdir(name, _NEW_FOLDER, dir_fd=parent)
        except FileExistsError:
            if again:
                return
            raise _stale(path, "Something stands where a new folder belongs.") from None
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


def _write(root: int, target: _Target, held: dict[tuple[int, int], int]) -> None:
    """The new bytes beside the target, with everything that belongs to the old ones."""
    if target.operation == "delete":
        return
    folder = _folder_of(root, target)
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
        target.written, _sha256 = place.write_beside(folder, target.temporary, plans.content_of(target.entry), finish)
    finally:
        os.close(folder)


def _same_root(root: int, workspace: str) -> None:
    again = handles.open_root(workspace)
    try:
        if handles.identity(os.fstat(again)) != handles.identity(os.fstat(root)):
            raise _stale(workspace, "The workspace was exchanged.")
    finally:
        os.close(again)


def _switch(root: int, target: _Target) -> None:
    """Put one file in its place, if everything is still as it was looked at."""
    folder = _folder_of(root, target)
    try:
        if not place.is_same(folder, target.name, target.found.stat if target.found else None):
            raise _stale(target.path, "The file changed at this very moment.")
        if target.operation == "delete":
            os.unlink(target.name, dir_fd=folder)
            return
        if target.written is None or not place.is_same(folder, target.temporary, target.written):
            raise _stale(target.path, "Somebody touched the new file before it was in its place.")
        try:
            place.put_in_place(folder, target.temporary, target.name, replace=target.found is not None)
        except FileExistsError:
            raise _stale(target.path, "Something was put there at this very moment.") from None
    finally:
        os.close(folder)


def _sync_folders(root: int, targets: t.Sequence[_Target]) -> None:
    done: set[tuple[str, ...]] = set()
    for target in targets:
        if tuple(target.above) in done:
            continue
        done.add(tuple(target.above))
        folder = _folder_of(root, target)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
