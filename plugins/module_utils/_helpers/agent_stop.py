# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The helper agent-stop: ends the agent of one run with everything it started. PRIVATE."""

from __future__ import annotations

import fcntl
import os
import signal
import time
import typing as t

from .._agent import _proc
from . import start

#: Seconds for the end of everything.
_PATIENCE = 10.0


def main(argv: t.Sequence[str]) -> int:
    """The helper's exit status: 0 when nothing of the run is alive any more."""
    return start.main(_work, argv)


def _work() -> int:
    run_id = start.identifier(start.RUN)
    start.accounts()
    try:
        handle = os.open(start.running(run_id), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return 0
    until = time.monotonic() + _PATIENCE
    below: set[int] = set()
    while time.monotonic() < until:
        if not below:
            below = _stop(handle)
        if not any(_proc.alive(pid) for pid in below) and _free(handle):
            return 0
        time.sleep(0.01)
    raise start.Refused("It could not be ended.", start.FAILED)


def _free(handle: int) -> bool:
    """Whether nobody serves the run: agent-run and the agent's first process hold the lock together."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(handle, fcntl.LOCK_UN)
    return True


def _stop(handle: int) -> set[int]:
    """Kill the agent-run that holds the lock; all below it, which dies with it."""
    if _free(handle):
        return set()
    word = os.pread(handle, 20, 0).strip()
    if not word.isdigit():
        return set()
    pid = int(word)
    below = _proc.descendants(pid, excluded=set()) | {pid}
    # The lock is held, so the number is still that of the process that wrote it.
    os.kill(pid, signal.SIGKILL)
    return below
