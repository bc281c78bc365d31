# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the old bytes back: after a failed validation, after a crash, and when a person asks. PRIVATE."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import typing as t

from .._contract.model import Violation
from .._errors import CodexOpsError
from . import handles, journal, metadata, place

#: The outcome where not everything is back. ``rolled_back`` would say that it is; ``rejected``, that nothing was begun.
NOT_BACK = "agent_error"

#: The outcome where not everything is back. ``rolled_back`` would say that it is; ``rejected``, that nothing was begun.
NOT_BACK = "agent_error"


@dataclasses.dataclass(frozen=True)
class Restored:
    """What was put back. ``conflicts`` are paths left alone because somebody else changed them since."""

    changed: bool
    files: list[str]
    conflicts: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Recovered:
    """One interrupted apply that was undone at a start. ``files`` were put back, ``conflicts`` left alone."""

    run_id: str
    files: list[str]
    conflicts: list[str]


def undo(backup_dir: str, run_id: str) -> Restored:
    """Put everything back that the apply of *run_id* did, before it was committed. Can be repeated.

    :raises CodexOpsError: ``undo_failed``: the tree is partly changed, and ``details`` name what is not back; the journal
        stays unfinished then, and the next start tries again. ``already_committed`` if it is too late; ``backup_not_found``.
    """
    folder = journal.open_folder(backup_dir, run_id)
    try:
        try:
            written = journal.read(folder, os.path.join(backup_dir, run_id))
        except CodexOpsError as exc:
            raise CodexOpsError(
                f"What the run {run_id} changed could not be undone; the workspace may be partly changed. {exc.message}",
                code="undo_failed",
                outcome=NOT_BACK,
                hint=exc.hint,
                where=exc.where,
            ) from exc
        if written is None or written["state"] == "undone":
            return Restored(False, [])
        if written["state"] not in journal.UNFINISHED:
            raise CodexOpsError(
                f"The run {run_id!r} is finished.",
                code="already_committed",
                outcome="rejected",
                hint="Ask for a rollback instead (state: rolled_back).",
            )
        return _undo(folder, written, "undone", os.path.join(backup_dir, run_id))
    finally:
        os.close(folder)


def pending(backup_dir: str, workspace: str) -> list[str]:
    """The run IDs that :func:`recover` would treat, the newest first. Reads only."""
    return [run_id for run_id, _journal in journal.unfinished(backup_dir, workspace)]


def recover(backup_dir: str, workspace: str) -> list[Recovered]:
    """Undo every unfinished apply in *workspace*, the newest first. The caller holds the workspace's lock.

    :raises CodexOpsError: ``undo_failed`` or ``restore_failed``, as :func:`undo` and :func:`restore`; what
        :func:`journal.unfinished` raises.
    """
    done: list[Recovered] = []
    for run_id, written in journal.unfinished(backup_dir, workspace):
        folder = journal.open_folder(backup_dir, run_id)
        try:
            state = "undone" if written["state"] == "applying" else "restored"
            restored = _undo(folder, written, state, os.path.join(backup_dir, run_id))
        finally:
            os.close(folder)
        done.append(Recovered(run_id, restored.files, restored.conflicts))
    return done


def restore(backup_dir: str, run_id: str, *, check: bool) -> Restored:
    """The rollback that a person asked for: everything as it was before the apply of *run_id*, or nothing at all.

    :arg check: Only say what would be done.
    :raises CodexOpsError: ``changed_since``, outcome ``stale_plan``, with a violation for each file whose content, mode or
        existence is not what the apply left; ``rollback_not_begun``, ``disk_full``, ``journal_damaged`` or
        ``backup_not_found``, with nothing changed; ``restore_failed`` as :func:`undo` says ``undo_failed``.
    """
    folder = journal.open_folder(backup_dir, run_id)
    try:
        with handles.explained("The run could not be rolled back; nothing was changed", "rollback_not_begun", backup_dir):
            written = journal.read(folder, os.path.join(backup_dir, run_id))
            if written is None or written["state"] in ("undone", "restored"):
                return Restored(False, [])
            _refuse_later_edits(written)
            if check:
                return Restored(True, sorted(entry["path"] for entry in written["files"]))
            journal.write(folder, written, "restoring")
        return _undo(folder, written, "restored", os.path.join(backup_dir, run_id))
    finally:
        os.close(folder)


def _refuse_later_edits(written: journal.Journal) -> None:
    breaches: list[dict[str, t.Any]] = []
    root = handles.open_root(written["workspace"])
    try:
        for entry in written["files"]:
            detail = _later_edit(root, entry)
            if detail:
                breaches.append(Violation("changed_since", entry["path"], detail=detail).as_dict())
    finally:
        os.close(root)
    if breaches:
        names = ", ".join(repr(breach["path"]) for breach in breaches[:5]) + (", ..." if len(breaches) > 5 else "")
        raise CodexOpsError(
            f"Changed since the apply, so a rollback would overwrite later work: {names}.",
            code="changed_since",
            outcome="stale_plan",
            hint="Keep the edits, or undo them first and roll back then.",
            where=written["workspace"],
            details=breaches,
        )


def _later_edit(root: int, entry: dict[str, t.Any]) -> str:
    """Why *entry* is not what the apply left; empty if it is."""
    found = None
    parent = _parent(root, entry["path"])
    if parent is not None:
        try:
            found = place.examine(parent, _name(entry))
        finally:
            os.close(parent)
    new = entry["new"]
    if new is None:
        return "" if found is None else "The apply deleted it; now something is there."
    if found is None:
        return "It is gone."
    if found.kind != "file":
        return f"It is a {found.kind} now."
    if found.sha256 != new["sha256"]:
        return "Its content is different."
    return "" if found.mode == new["mode"] else f"Its mode is {found.mode:04o}, not {new['mode']:04o}."


def _name(entry: dict[str, t.Any]) -> str:
    return str(entry["path"]).rpartition("/")[2]


def _parent(root: int, path: str) -> int | None:
    """The handle of the folder of *path*; ``None`` where it is gone, or is something else now."""
    try:
        return handles.open_folder(root, handles.path_parts(path)[:-1])
    except CodexOpsError:
        return None
    except OSError as exc:
        if exc.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise


def _undo(folder: int, written: journal.Journal, state: str, where: str) -> Restored:
    """All-old: put back in the reverse order, so that on a full disk each step has the room that its apply had.

    What cannot be put back stops nothing else from being put back.
    """
    files: list[str] = []
    conflicts: list[str] = []
    failures: list[dict[str, t.Any]] = []
    entries = written["files"][::-1]
    try:
        root = handles.open_root(written["workspace"])
    except CodexOpsError as exc:
        raise _not_back(written, state, where, [_failure(entry["path"], exc) for entry in entries]) from exc
    try:
        made = [entry for entry in entries if entry["operation"] != "delete"]
        _put_entries_back(root, folder, made, files, conflicts, failures)
        _remove_folders(root, written["folders"], failures)
        deleted = [entry for entry in entries if entry["operation"] == "delete"]
        _put_entries_back(root, folder, deleted, files, conflicts, failures)
    finally:
        os.close(root)
    if failures:
        left = [{"code": "not_restored", "path": path, "detail": "Somebody else changed it; it was left alone."} for path in conflicts]
        raise _not_back(written, state, where, failures + left)
    written["conflicts"] = conflicts
    with contextlib.suppress(OSError):
        # Without room for this the tree is right all the same, and the next start finds nothing left to do.
        journal.write(folder, written, state)
    return Restored(bool(files), sorted(files), sorted(conflicts))


def _failure(path: str, exc: OSError | CodexOpsError) -> dict[str, t.Any]:
    reason = exc.message if isinstance(exc, CodexOpsError) else f"{exc.strerror or exc}."
    return {"code": "not_restored", "path": path, "detail": reason}


def _not_back(written: journal.Journal, state: str, where: str, failures: list[dict[str, t.Any]]) -> CodexOpsError:
    """The error for a tree that is neither old nor new."""
    names = ", ".join(repr(failure["path"]) for failure in failures[:5]) + (", ..." if len(failures) > 5 else "")
    reason = f" {failures[0]['detail']}" if failures else ""
    return CodexOpsError(
        f"The workspace is partly changed: what the run {written['run_id']} did to {names} could not be put back.{reason}",
        code="undo_failed" if state == "undone" else "restore_failed",
        outcome=NOT_BACK,
        hint=f"Remove the cause; the next run in this workspace tries again by itself. The old files are kept in {where}.",
        where=written["workspace"],
        details=failures,
    )


def _put_entries_back(
    root: int,
    backups: int,
    entries: t.Sequence[dict[str, t.Any]],
    files: list[str],
    conflicts: list[str],
    failures: list[dict[str, t.Any]],
) -> None:
    for entry in entries:
        try:
            done = _put_entry_back(root, backups, entry)
        except (OSError, CodexOpsError) as exc:
            failures.append(_failure(entry["path"], exc))
            continue
        if done == "conflict":
            conflicts.append(entry["path"])
        elif done == "restored":
            files.append(entry["path"])


def _put_entry_back(root: int, backups: int, entry: dict[str, t.Any]) -> str:
    parent = _parent(root, entry["path"])
    if parent is None:
        return "unchanged" if entry["operation"] == "create" else "conflict"
    try:
        place.drop(parent, entry["temporary"])
        done = _put_back(parent, backups, entry)
        os.fsync(parent)
        return done
    except (OSError, CodexOpsError):
        # The others may need the room.
        with contextlib.suppress(OSError):
            place.drop(parent, entry["temporary"])
        raise
    finally:
        os.close(parent)


def _put_back(parent: int, backups: int, entry: dict[str, t.Any]) -> str:
    """``restored``, ``unchanged`` (nothing had happened), or ``conflict`` (somebody else's change, left alone)."""
    name, old, new = _name(entry), entry["old"], entry["new"]
    found = place.examine(parent, name)
    if found is None:
        if old is None:
            return "unchanged"
        if new is not None:
            return "conflict"
    elif found.kind != "file":
        return "conflict"
    elif old is None:
        if found.sha256 != new["sha256"]:
            return "conflict"
        if not place.is_same(parent, name, found.stat):
            return "conflict"
        os.unlink(name, dir_fd=parent)
        return "restored"
    elif found.sha256 == old["sha256"] and all(found.kept[key] == old["kept"][key] for key in ("mode", "uid", "gid")):
        return "unchanged"
    elif new is None or found.sha256 not in (old["sha256"], new["sha256"]):
        return "conflict"
    _write_old(parent, backups, entry)
    if not place.is_same(parent, name, found.stat if found else None):
        place.drop(parent, entry["temporary"])
        return "conflict"
    try:
        place.put_in_place(parent, entry["temporary"], name, replace=found is not None)
    except FileExistsError:
        place.drop(parent, entry["temporary"])
        return "conflict"
    back = place.examine(parent, name)
    if back is None or back.sha256 != old["sha256"] or back.mode != old["kept"]["mode"]:
        raise CodexOpsError("A file put back is not what it was.", code="undo_failed", outcome=NOT_BACK, where=entry["path"])
    return "restored"


def _write_old(parent: int, backups: int, entry: dict[str, t.Any]) -> None:
    """The old bytes beside the target, with everything that belonged to them."""
    old = entry["old"]

    def finish(handle: int) -> None:
        metadata.put(handle, old["kept"], mode=old["kept"]["mode"], times=True, path=entry["path"])

    source = os.open(entry["backup"], handles.READ, dir_fd=backups)
    try:
        _found, sha256 = place.write_beside(parent, entry["temporary"], source, finish)
    finally:
        os.close(source)
    if sha256 != old["sha256"]:
        place.drop(parent, entry["temporary"])
        raise CodexOpsError(
            "The backup of the file is damaged, so it was not put back.",
            code="backup_damaged",
            outcome=NOT_BACK,
            hint="Restore it from another backup.",
            where=entry["path"],
        )


def _remove_folders(root: int, folders: t.Sequence[str], failures: list[dict[str, t.Any]]) -> None:
    """Remove the folders that the apply made, where they are empty."""
    for path in reversed(folders):
        try:
            parent = _parent(root, path)
            if parent is None:
                continue
            try:
                os.rmdir(path.rpartition("/")[2], dir_fd=parent)
                os.fsync(parent)
            finally:
                os.close(parent)
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                failures.append(_failure(path, exc))
