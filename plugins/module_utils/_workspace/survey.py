# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds every file of a plan against the live tree, before anything is written. PRIVATE."""

from __future__ import annotations

import dataclasses
import os
import typing as t
import unicodedata

from .._errors import CodexOpsError
from . import handles, place


@dataclasses.dataclass
class Target:
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
        new = self.entry["new"]
        if new is None:
            return int(self.entry["old"]["mode"])
        mode = int(new["mode"])
        # A new file is never executable, and never writable for everybody.
        return mode if self.operation == "modify" else (mode & 0o664) or 0o644


def stale(path: str, wrong: str, code: str = "stale_plan") -> CodexOpsError:
    """The error for a workspace that is not what the plan was made from."""
    return CodexOpsError(
        f"{wrong} The plan was made from another state of the workspace.",
        code=code,
        outcome="stale_plan",
        hint="Make a new plan.",
        where=path,
    )


def look_at_all(root: int, plan: t.Mapping[str, t.Any]) -> list[Target]:
    """Every file of the plan held against the tree; deletions first, so that a folder may take a deleted file's place."""
    order = {"delete": 0, "modify": 1, "create": 2}
    deleted = {entry["path"] for entry in plan["files"] if entry["operation"] == "delete"}
    folded: dict[str, str] = {}
    targets: list[Target] = []
    mark = os.urandom(8).hex()
    for number, entry in enumerate(sorted(plan["files"], key=lambda entry: (order[entry["operation"]], entry["path"])), 1):
        *above, name = handles.path_parts(entry["path"])
        target = Target(entry, above, name, None, f".codex-ops-{mark}-{number:04d}")
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


def _look_for_old(root: int, target: Target) -> None:
    try:
        folder = handles.open_folder(root, target.above)
    except (FileNotFoundError, NotADirectoryError):
        raise stale(target.path, "The file's folder is gone.") from None
    try:
        target.folder = handles.identity(os.fstat(folder))
        found = place.examine(folder, target.name)
    finally:
        os.close(folder)
    old = target.entry["old"]
    if found is None:
        raise stale(target.path, "The file is gone.")
    if found.kind != "file":
        raise stale(target.path, f"The file is a {found.kind} now.", "symlink" if found.kind == "symlink" else "stale_plan")
    if found.stat.st_nlink != 1:
        raise stale(target.path, "The file has another name (a hard link) now.", "hard_link")
    if (found.sha256, found.stat.st_size) != (old["sha256"], old["size"]):
        raise stale(target.path, "The file's content changed.")
    if found.mode != old["mode"]:
        raise stale(target.path, f"The file's mode is {found.mode:04o}, not {old['mode']:04o}.")
    # Deleted ones too: an undo would have to give them their rights again.
    gains = target.operation == "modify" and target.entry["new"]["mode"] & 0o6000
    if found.mode & 0o6000 or "security.capability" in found.kept["xattrs"] or gains:
        raise CodexOpsError(
            "The file runs with other rights than its caller's (set-uid, set-gid or capabilities).",
            code="privileged_file",
            outcome="rejected",
            hint="Such files are never changed by an agent.",
            where=target.path,
        )
    target.found = found


def _look_for_new(root: int, target: Target, deleted: set[str]) -> None:
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
                raise stale(target.path, "It is deleted and created at once.")
            if depth == len(target.above):
                kind = handles.kind_of(found.st_mode)
                raise stale(target.path, f"A {kind} stands where a new file belongs.", "symlink" if kind == "symlink" else "stale_plan")
            try:
                below = handles.open_below(here, name, path)
            except NotADirectoryError:
                raise stale(target.path, f"{path!r} is not a folder.") from None
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
            raise stale(path, f"{above + other!r} differs from it in case only.", "case_twin")


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def missing_folders(root: int, targets: t.Sequence[Target]) -> list[str]:
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


def folder_of(root: int, target: Target) -> int:
    """The handle of the target's folder, which must be the one that was looked at."""
    try:
        folder = handles.open_folder(root, target.above)
    except (FileNotFoundError, NotADirectoryError):
        raise stale(target.path, "The file's folder is gone.") from None
    if target.folder is None:
        target.folder = handles.identity(os.fstat(folder))
    elif handles.identity(os.fstat(folder)) != target.folder:
        os.close(folder)
        raise stale(target.path, "The file's folder was exchanged.")
    return folder
