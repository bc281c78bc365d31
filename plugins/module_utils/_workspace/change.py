# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an agent did to its copy, found by the bytes alone. PRIVATE."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import stat

from .._contract.model import MAX_CONTENT, Change, FileState
from .._errors import CodexOpsError
from . import handles
from .descent import make_usable
from .tree import Snapshot, walk_all

#: Bytes of old and new contents that one list of changes may hold in memory.
MAX_CONTENTS = 128 * 1024 * 1024


def changes(base: Snapshot, base_root: str, copy_root: str) -> list[Change]:
    """The changes from *base* to what stands in *copy_root* now, sorted by path.

    The old content of the few changed files is read again from the live workspace, and taken only if its digest is still
    the base's. That saves a second copy of everything, and finds out early that a plan would be stale.

    :arg base: The snapshot that was taken when *copy_root* was made.
    :arg base_root: The live workspace that *base* describes.
    :arg copy_root: The agent's copy. No process may work in it any more.
    :raises CodexOpsError: ``stale_plan`` when a changed file's original changed too; ``change_too_large``; and what
        :func:`walk_all` raises.
    """
    now = walk_all(copy_root)
    found: list[Change] = []
    for path in sorted(set(base.files) | set(now)):
        old, new = base.files.get(path), now.get(path)
        if old is not None and new is not None:
            # The copy never had the bits beyond rwx: without them it is as it was given out.
            if new.mode != old.mode and new.mode == old.mode & 0o777:
                new = dataclasses.replace(new, mode=old.mode)
            if new == old:
                continue
        found.append(Change(path, old, new))
    return _with_contents(found, base_root, copy_root)


def _with_contents(found: list[Change], base_root: str, copy_root: str) -> list[Change]:
    filled: list[Change] = []
    total = 0
    if not found:
        return filled
    live = copied = -1
    try:
        live, copied = handles.open_root(base_root), handles.open_root(copy_root)
        for change in found:
            old = _content(live, change.path, change.old, live=True)
            new = _content(copied, change.path, change.new, live=False)
            total += len(old or b"") + len(new or b"")
            if total > MAX_CONTENTS:
                raise CodexOpsError(
                    f"The agent changed files of more than {MAX_CONTENTS // 1024**2} MiB together.",
                    code="change_too_large",
                    outcome="rejected",
                    hint="Give it a smaller task, or a narrower scope.",
                )
            filled.append(dataclasses.replace(change, old_content=old, new_content=new))
    finally:
        for handle in (live, copied):
            if handle >= 0:
                os.close(handle)
    return filled


def _content(root: int, path: str, state: FileState | None, *, live: bool) -> bytes | None:
    """The content of *path* with the digest that *state* says; ``None`` for what has none to show."""
    if state is None or state.kind != "file" or state.size > MAX_CONTENT:
        return None
    content: bytes | None = None
    mode = -1
    try:
        *above, name = path.split("/")
        folder = handles.open_folder(root, above)
        try:
            handle = _open(folder, name, live)
        finally:
            os.close(folder)
        try:
            found = os.fstat(handle)
            mode = stat.S_IMODE(found.st_mode)
            if stat.S_ISREG(found.st_mode) and found.st_size == state.size:
                content = handles.read_handle(handle, state.size)
        finally:
            os.close(handle)
    except (OSError, CodexOpsError):
        content = None
    if content is None or hashlib.sha256(content).hexdigest() != state.sha256 or (live and mode != state.mode):
        raise CodexOpsError(
            "The file changed in the live workspace while the agent worked."
            if live
            else "The file changed after the agent had ended.",
            code="stale_plan" if live else "workspace_busy",
            outcome="stale_plan" if live else "rejected",
            hint="Run the task again.",
            where=path,
        )
    return content


def _open(folder: int, name: str, live: bool) -> int:
    try:
        return os.open(name, handles.READ, dir_fd=folder)
    except PermissionError:
        if live:
            raise
    # A file that the agent closed to everybody: it is ours, so it is opened for a moment and closed again.
    mode = stat.S_IMODE(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    make_usable(folder, name)
    handle = os.open(name, handles.READ, dir_fd=folder)
    os.fchmod(handle, mode)
    return handle
