# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan does, made anew from the bytes that it would write and from those that stand there now. PRIVATE."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import typing as t

from .._contract.model import MAX_CONTENT, Change, FileState
from .._errors import CodexOpsError
from . import handles
from .patch import Patch, render


def recomputed(plan: t.Mapping[str, t.Any], *, scratch: str | None = None) -> Patch:
    """The patch of *plan*, not taken from the plan's own text but rendered again.

    :arg plan: A plan whose digests were verified.
    :arg scratch: As :func:`patch.render` takes it.
    :raises CodexOpsError: outcome ``stale_plan``: ``base_changed`` when a file is not what it was; ``patch_mismatch`` when the text
        that the plan carries is not what its bytes come to.
    """
    root = handles.open_root(plan["workspace"])
    try:
        changes = [_change(root, entry) for entry in plan["files"]]
    finally:
        os.close(root)
    patch = render(changes, scratch=scratch)
    if patch.text != plan["patch"]:
        raise CodexOpsError(
            "The patch that the plan carries is not what would be written.",
            code="patch_mismatch",
            outcome="stale_plan",
            hint="Make a new plan. An update of git since it was made can be the reason; so can somebody who wants to deceive.",
        )
    return patch


def _change(root: int, entry: t.Mapping[str, t.Any]) -> Change:
    path, old, new = entry["path"], entry["old"], entry["new"]
    content = None if new is None else base64.b64decode(new["content"])
    return Change(path, _state(old), _state(new), _live(root, path, old), content)


def _state(side: t.Mapping[str, t.Any] | None) -> FileState | None:
    return None if side is None else FileState("file", side["mode"], side["size"], side["sha256"])


def _live(root: int, path: str, old: t.Mapping[str, t.Any] | None) -> bytes | None:
    """What stands at *path* now, which must be *old*; ``None`` where nothing stands, or more than can be shown."""
    content: bytes | None = None
    try:
        *above, name = handles.path_parts(path)
        folder = handles.open_folder(root, above)
        try:
            if old is None:
                if handles.look(folder, name) is None:
                    return None
                raise _changed(path)
            handle = os.open(name, handles.READ, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            found = os.fstat(handle)
            same = stat.S_ISREG(found.st_mode) and found.st_size == old["size"] and stat.S_IMODE(found.st_mode) == old["mode"]
            if same and found.st_size > MAX_CONTENT:
                if handles.stream_digest(handle, old["size"], None) == old["sha256"]:
                    return None
            elif same:
                content = handles.read_handle(handle, old["size"])
        finally:
            os.close(handle)
    except FileNotFoundError:
        if old is None:
            return None
    except OSError:
        content = None
    if content is None or old is None or hashlib.sha256(content).hexdigest() != old["sha256"]:
        raise _changed(path)
    return content


def _changed(path: str) -> CodexOpsError:
    return CodexOpsError(
        "This file is not what it was when the plan was made.", code="base_changed", outcome="stale_plan", hint="Plan again.", where=path
    )
