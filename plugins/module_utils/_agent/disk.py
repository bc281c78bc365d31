# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells a full disk from other trouble, because it needs another remedy. PRIVATE."""

from __future__ import annotations

import contextlib
import errno
import typing as t

from .._errors import CodexOpsError

OUTCOME = "agent_error"
CODE = "disk_full"
HINT = "Free space or inodes there, or raise the quota."
_NUMBERS = (errno.ENOSPC, errno.EDQUOT)
_WORDS = ("No space left on device", "os error 28)", "Disk quota exceeded", "os error 122)", "database or disk is full")


def says_full(text: str) -> bool:
    """Whether *text*, such as a program's last words, tells of a full disk.

    The kernel uses the same words for the limit on user namespaces, which is no matter of disks.
    """
    return any(word in text for word in _WORDS) and "namespace" not in text


def message(where: str) -> str:
    """What a person is told."""
    return f"The disk is full: the agent cannot work below {where}. {HINT}"


@contextlib.contextmanager
def watched(where: str) -> t.Iterator[None]:
    """Turns a full disk inside the block into an error that says so.

    :raises CodexOpsError: ``disk_full``.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NUMBERS:
            raise
        raise CodexOpsError("The disk is full: the agent cannot work.", code=CODE, outcome=OUTCOME, where=error.filename or where, hint=HINT) from None
