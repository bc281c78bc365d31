# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes, as /proc tells of them. PRIVATE."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .files import read_kernel


@dataclasses.dataclass(frozen=True)
class Process:
    """``name`` is the kernel's short name, ``words`` its command line, ``age`` in seconds. Whoever runs it chose both texts."""

    pid: int
    parent: int
    state: str
    name: str
    words: tuple[str, ...]
    age: float


def uptime() -> float:
    """Seconds since the host was started."""
    try:
        return float(read_kernel("/proc/uptime", 100).split()[0])
    except (IndexError, ValueError):
        return 0.0


def one(pid: int, up: float, tick: int) -> Process | None:
    """A process; ``None`` when it is gone."""
    data = read_kernel(f"/proc/{pid}/stat", 4096)
    # The name, in parentheses, may hold anything, parentheses included.
    begin, end = data.find(b"("), data.rfind(b")")
    fields = data[end + 2 :].split()
    if begin < 0 or len(fields) < 20:
        return None
    words = read_kernel(f"/proc/{pid}/cmdline", 65536).rstrip(b"\0").split(b"\0")
    name = os.fsdecode(data[begin + 1 : end])
    return Process(pid, int(fields[1]), fields[0].decode("ascii", "replace"), name, tuple(map(os.fsdecode, words)), max(0.0, up - int(fields[19]) / tick))


def every(left: t.Callable[[], float]) -> list[Process]:
    """All processes, in the order of their numbers.

    :arg left: How many seconds are left.
    """
    up, tick = uptime(), os.sysconf("SC_CLK_TCK")
    found = []
    for pid in sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        if left() <= 0:
            break
        process = one(pid, up, tick)
        if process is not None:
            found.append(process)
    return found
