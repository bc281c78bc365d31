# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel tells of processes, through /proc and prctl. PRIVATE."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37

# Loaded once, before any fork: nothing may be looked up between fork and exec.
_LIBC = ctypes.CDLL(None, use_errno=True)
_PRCTL = _LIBC.prctl


def set_subreaper(wanted: bool) -> bool:
    """Make this process the parent of its orphaned descendants, or no longer. Returns what it was before."""
    before = ctypes.c_int(0)
    _PRCTL(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    _PRCTL(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1 if wanted else 0), 0, 0, 0)
    return bool(before.value)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Let the kernel send this process *number* when the thread that forked it ends. To be called between fork and exec."""
    _PRCTL(_PR_SET_PDEATHSIG, ctypes.c_ulong(number), 0, 0, 0)


def stat(pid: int) -> tuple[str, int] | None:
    """State letter and parent of a process; ``None`` when it is gone."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(fd, 4096)
    except OSError:
        return None
    finally:
        os.close(fd)
    # The name, in parentheses, may hold anything, parentheses included.
    fields = data[data.rfind(b")") + 2 :].split(None, 2)
    return (fields[0].decode("ascii"), int(fields[1])) if len(fields) >= 2 else None


def alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    found = stat(pid)
    return found is not None and found[0] not in ("Z", "X")


def all_pids() -> list[int]:
    """Every process that /proc shows."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(parent: int) -> set[int]:
    """The direct children of a process, zombies included."""
    try:
        found: set[int] = set()
        for task in os.listdir(f"/proc/{parent}/task"):
            with open(f"/proc/{parent}/task/{task}/children", encoding="ascii") as stream:
                found.update(int(word) for word in stream.read().split())
        return found
    except OSError:  # the kernel was built without it
        return {pid for pid in all_pids() if (stat(pid) or ("", -1))[1] == parent}


def descendants(root: int, excluded: set[int]) -> set[int]:
    """The living processes below *root*, without the subtrees of *excluded*."""
    parents: dict[int, list[tuple[int, str]]] = {}
    for pid in all_pids():
        found = stat(pid)
        if found is not None:
            parents.setdefault(found[1], []).append((pid, found[0]))
    living: set[int] = set()
    todo = [root]
    while todo:
        for pid, state in parents.get(todo.pop(), ()):
            if pid not in excluded:
                todo.append(pid)
                if state not in ("Z", "X"):
                    living.add(pid)
    return living


def name(pid: int) -> bytes:
    """The name of the program that a process runs, at most 15 bytes; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as stream:
            return stream.read(64).rstrip(b"\n")
    except OSError:
        return b""


def users_of(pid: int) -> tuple[int, ...]:
    """The user numbers of a process (real, effective, saved, file system); empty when it is gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as stream:
            for line in stream:
                if line.startswith(b"Uid:"):
                    return tuple(int(word) for word in line.split()[1:])
    except OSError:
        pass
    return ()


def user_numbers() -> set[int]:
    """The user numbers of all processes."""
    return {number for pid in all_pids() for number in users_of(pid)}


def of_user(uid: int) -> set[int]:
    """The living processes with this user number."""
    return {pid for pid in all_pids() if uid in users_of(pid) and alive(pid)}
