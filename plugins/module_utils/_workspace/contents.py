# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads files of a tree one by one, without following a link. PRIVATE."""

from __future__ import annotations

import os
import stat
import typing as t

from .._errors import CodexOpsError
from . import handles


def contents(root: str, paths: t.Iterable[str]) -> t.Iterator[tuple[str, bytes]]:
    """(path, content) of the regular files *paths* below *root*. Neighbours share one folder handle.

    :raises CodexOpsError: ``workspace_busy`` when one is gone or is something else by now.
    """
    top = handles.open_root(root)
    above, folder = "", top
    try:
        for path in paths:
            parent, _slash, name = path.rpartition("/")
            try:
                if parent != above:
                    if folder != top:
                        os.close(folder)
                    # Known to be the top until the next one is open.
                    above, folder = "", top
                    folder = handles.open_folder(top, parent.split("/")) if parent else top
                    above = parent
                handle = os.open(name, handles.READ, dir_fd=folder)
                try:
                    found = os.fstat(handle)
                    if not stat.S_ISREG(found.st_mode):
                        raise OSError(0, "it is no regular file any more")
                    content = handles.read_handle(handle, found.st_size)
                finally:
                    os.close(handle)
            except (OSError, CodexOpsError) as error:
                raise CodexOpsError(
                    f"The file changed while it was read: {error}.",
                    code="workspace_busy",
                    outcome="rejected",
                    hint="Run the task again.",
                    where=path,
                ) from None
            yield path, content
    finally:
        if folder != top:
            os.close(folder)
        os.close(top)
