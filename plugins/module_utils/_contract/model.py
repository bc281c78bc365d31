# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words that the stages share: a file's state, a change, a violation. Pure data, no I/O. PRIVATE."""

from __future__ import annotations

import dataclasses
import typing as t

#: The kinds a path can be of. Only ``file`` can ever become part of a patch.
KINDS = ("file", "directory", "symlink", "fifo", "socket", "device")

#: Contents of a file larger than this (bytes) are never loaded for a check or a patch.
MAX_CONTENT = 4 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class FileState:
    """One path as the byte walk found it.

    ``mode`` holds the permission bits including set-uid, set-gid and sticky; ``size`` is in bytes; ``sha256`` is the
    hexadecimal digest of a regular file's content and ``None`` for every other kind.
    """

    kind: str
    mode: int
    size: int
    sha256: str | None
    nlink: int = 1


@dataclasses.dataclass(frozen=True)
class Change:
    """What the agent did to one path, relative to the workspace, with ``/`` between its parts.

    ``old`` or ``new`` is ``None`` where the path did not exist. Contents are ``None`` for what is not a regular file, and
    for files larger than :data:`MAX_CONTENT`.
    """

    path: str
    old: FileState | None
    new: FileState | None
    old_content: bytes | None = None
    new_content: bytes | None = None

    @property
    def operation(self) -> str:
        """``create``, ``delete`` or ``modify``."""
        if self.old is None:
            return "create"
        if self.new is None:
            return "delete"
        return "modify"


@dataclasses.dataclass(frozen=True)
class Violation:
    """One breach of the contract: a stable code, the path, the line (from 1, where one can be named) and the reason."""

    code: str
    path: str
    line: int | None = None
    detail: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        """The form in which results, plans and records carry it."""
        return dataclasses.asdict(self)
