# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of runs: made private, held while the engine lives, and swept when it died. PRIVATE."""

from __future__ import annotations

import contextlib
import fcntl
import os

from ._errors import CodexOpsError
from ._places import Places

_MARKER = "run-"


class RunFolder:
    """The folder of one run. While it is open, a lock beside it tells that its engine lives."""

    def __init__(self, places: Places, run_id: str) -> None:
        self.path = places.run_dir(run_id)
        self._marker = os.path.join(places.locks, f"{_MARKER}{run_id}.lock")
        self._held = -1

    def open(self) -> str:
        """Make the folder, and hold it. Its path."""
        if self._held < 0:
            self._held = os.open(self._marker, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            fcntl.flock(self._held, fcntl.LOCK_EX)
            os.mkdir(self.path, 0o700)
        return self.path

    def close(self) -> None:
        """Let go. A folder in which nothing was kept goes too."""
        if self._held < 0:
            return
        with contextlib.suppress(OSError):
            os.rmdir(self.path)
        with contextlib.suppress(OSError):
            os.unlink(self._marker)
        os.close(self._held)
        self._held = -1


def sweep(places: Places) -> list[str]:
    """End what engines that died left running, and remove the copies they left. The IDs of their runs."""
    swept = []
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(places.locks)):
            if name.startswith(_MARKER) and _sweep_one(places, name):
                swept.append(name[len(_MARKER) : -len(".lock")])
    return swept


def _sweep_one(places: Places, name: str) -> bool:
    marker = os.path.join(places.locks, name)
    try:
        handle = os.open(marker, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        _clear(places.run_dir(name[len(_MARKER) : -len(".lock")]))
        os.unlink(marker)
        return True
    except (OSError, CodexOpsError):
        # Next time again: a sweep never stops a run.
        return False
    finally:
        os.close(handle)


def _clear(folder: str) -> None:
    from ._agent.folder import sweep as sweep_agent  # pylint: disable=import-outside-toplevel
    from ._workspace.removal import remove_tree  # pylint: disable=import-outside-toplevel

    if not os.path.isdir(folder):
        return
    sweep_agent(folder)
    for name in ("workspace", "goal", "scratch"):
        remove_tree(os.path.join(folder, name))
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def write_private(path: str, text: str) -> None:
    """Write *text* to a file that only its owner can read.

    :raises OSError: when it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as handle:
        handle.write(text)
