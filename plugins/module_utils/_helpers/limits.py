# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits of memory and tasks for one agent, by a control group of its own (version 2 or 1). PRIVATE.

A help where the kernel has it: the end of the agent does not depend on it, and limits for the user count without it too.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

#: Tasks of one run; bytes of memory, of which half of the host's is the most.
MAX_TASKS, MAX_MEMORY, LEAST_MEMORY = 512, 4 << 30, 512 << 20
_ROOT = "/sys/fs/cgroup"
_OURS = "day2-codex-agents"


def _memory() -> int:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return max(LEAST_MEMORY, min(MAX_MEMORY, pages * size // 2))


def _write(path: str, text: str) -> bool:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        os.write(handle, text.encode("ascii"))
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def _places(root: str) -> t.Iterator[tuple[str, dict[str, str]]]:
    """(folder in which ours may be made, what is written into it) for each hierarchy that has a controller we use."""
    memory, tasks = str(_memory()), str(MAX_TASKS)
    try:
        with open(os.path.join(root, "cgroup.controllers"), encoding="ascii") as stream:
            known = stream.read().split()
    except OSError:
        for name, settings in (("memory", {"memory.limit_in_bytes": memory}), ("pids", {"pids.max": tasks})):
            if os.path.isdir(os.path.join(root, name)):
                yield os.path.join(root, name), settings
        return
    wanted = [name for name in ("memory", "pids") if name in known]
    if wanted:
        _write(os.path.join(root, "cgroup.subtree_control"), " ".join("+" + name for name in wanted))
        yield root, {"memory.max": memory, "memory.oom.group": "1", "pids.max": tasks}


@contextlib.contextmanager
def limited(name: str, root: str = _ROOT) -> t.Iterator[list[str]]:
    """Make the groups of one run, and remove them at the end, when nothing is in them any more.

    :arg name: A plain name that no other run has.
    :returns: The files to which a process writes ``0`` to get into them; none where there are no groups to be had.
    """
    made: list[str] = []
    for folder, settings in _places(root):
        path = _make(os.path.join(folder, _OURS), name)
        if path is not None:
            made.append(path)
            for key, value in settings.items():
                _write(os.path.join(path, key), value)
    try:
        yield [os.path.join(path, "cgroup.procs") for path in made]
    finally:
        for path in made:
            _remove(path)
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(path))


def _make(ours: str, name: str) -> str | None:
    path = os.path.join(ours, name)
    # Another run may just remove the folder above, as the last one in it.
    for _attempt in range(3):
        with contextlib.suppress(OSError):
            os.makedirs(ours, 0o755, exist_ok=True)
            _sweep(ours)
            _write(os.path.join(ours, "cgroup.subtree_control"), "+memory +pids")
            os.mkdir(path, 0o755)
            return path
    return None


def enter(files: t.Iterable[str]) -> None:
    """Put this process, and what it starts from now on, into the groups."""
    for path in files:
        _write(path, "0")


def _sweep(ours: str) -> None:
    """Remove the groups of helpers that were killed. One in use cannot be removed, so nothing is lost by trying."""
    for name in os.listdir(ours):
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(ours, name))


def _remove(path: str) -> None:
    for _attempt in range(50):
        try:
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)
