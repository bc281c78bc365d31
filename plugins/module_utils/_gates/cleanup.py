# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a cleanup stays inside the folders, ages and sizes that the policy lists. PRIVATE."""

from __future__ import annotations

import os
import stat
import typing as t

if t.TYPE_CHECKING:
    from .policy import Cleanup


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")


def possible(listed: t.Sequence[Cleanup], workspace: str) -> bool:
    """Whether anything in *workspace* could be inside a listed folder."""
    return any(_below(workspace + "/", one.path) or _below(one.path, workspace) for one in listed)


def outside(listed: t.Sequence[Cleanup], workspace: str, files: t.Sequence[tuple[str, str, int]], now: float) -> str | None:
    """Why the change of *files* goes beyond what is listed, as a part of a sentence; ``None`` where it stays inside.

    What is deleted is looked at as it lies there now: its age and size are its own, not what a plan says.

    :arg workspace: The real path of the live tree.
    :arg files: (path in the workspace, operation, size) of the plan.
    :arg now: Seconds since the epoch.
    """
    totals: dict[str, int] = {}
    for path, operation, _size in files:
        if operation != "delete":
            return f"{path} would be {'made' if operation == 'create' else 'changed'}, not deleted"
        absolute = os.path.join(workspace, path)
        # The innermost folder decides: it is the one that was meant for this file.
        fitting = sorted((one for one in listed if _below(absolute, one.path)), key=lambda one: len(one.path))
        if not fitting or ".." in path.split("/"):
            return f"{path} is in none of the folders listed under 'cleanup'"
        rule = fitting[-1]
        try:
            found = os.lstat(absolute)
        except (OSError, ValueError):
            return f"{path} cannot be looked at any more"
        if not stat.S_ISREG(found.st_mode):
            return f"{path} is not a regular file"
        if found.st_mtime > now - rule.older_than:
            return f"{path} was written less than {rule.older_than} s ago"
        totals[rule.path] = totals.get(rule.path, 0) + max(found.st_size, 0)
        if totals[rule.path] > rule.max_bytes:
            return f"more than {rule.max_bytes} bytes would be deleted in {rule.path}"
    return None
