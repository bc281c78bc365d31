# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The attribute of a file that lets nobody do anything with it but append. PRIVATE.

Only root can set it or take it away. In a container without CAP_LINUX_IMMUTABLE, or on a file system without attributes,
nobody can: there the owner alone must do.
"""

from __future__ import annotations

import contextlib
import fcntl
import struct

_GETFLAGS, _SETFLAGS, _APPEND = 0x80086601, 0x40086602, 0x20


def is_set(handle: int) -> bool | None:
    """Whether the open file has it; ``None`` where the file system has no attributes."""
    flags = _flags(handle)
    return None if flags is None else bool(flags & _APPEND)


def put(handle: int, wanted: bool) -> bool:
    """Set it, or take it away.

    :returns: Whether the open file changed.
    """
    flags = _flags(handle)
    if flags is None or bool(flags & _APPEND) == wanted:
        return False
    with contextlib.suppress(OSError):
        fcntl.ioctl(handle, _SETFLAGS, struct.pack("l", flags | _APPEND if wanted else flags & ~_APPEND))
        return True
    return False


def _flags(handle: int) -> int | None:
    try:
        return int(struct.unpack("l", fcntl.ioctl(handle, _GETFLAGS, struct.pack("l", 0)))[0])
    except OSError:
        return None
