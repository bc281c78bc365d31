# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who works on a job: a process, known by more than its number, so that its death is noticed. PRIVATE."""

from __future__ import annotations

import dataclasses
import os
import typing as t


@dataclasses.dataclass(frozen=True)
class Process:
    """One process. ``start`` is in the kernel's ticks since the boot ``boot``; ``namespace`` is that of its number ``pid``."""

    pid: int
    start: str
    boot: str
    namespace: str

    def as_dict(self) -> dict[str, t.Any]:
        """As it is kept."""
        return dataclasses.asdict(self)


def _start(pid: int) -> str | None:
    """When a process started, ``""`` when it has ended and nobody asked for its status, or ``None`` when /proc does not say."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(descriptor, 4096)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    # The name, in parentheses, may hold anything, parentheses included.
    fields = data[data.rfind(b")") + 2 :].split()
    if len(fields) < 20:
        return None
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode("ascii")


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="ascii") as handle:
            return handle.readline().strip()
    except (OSError, ValueError):
        return ""


def this_process() -> Process:
    """The process that asks."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    pid = os.getpid()
    return Process(pid, _start(pid) or "", _first_line("/proc/sys/kernel/random/boot_id"), namespace)


def lives(process: Process, me: Process, now: float, until: float) -> bool:
    """Whether *process* still works on what it took.

    Where its death can be known, that alone counts: a slow worker keeps its job. Where it cannot (another PID namespace, a hidden
    /proc), its lease counts.

    :arg me: The process that asks.
    :arg until: When its lease ends, in seconds since the epoch, as *now*.
    """
    if process == me:
        return True
    if process.boot != me.boot:
        return False
    if process.namespace != me.namespace or not process.start:
        return now < until
    start = _start(process.pid)
    if start is not None:
        return start == process.start
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    # It is there, and this process may not look at it.
    return now < until
