# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""health: load, memory, pressure, failed units, dead and stopped processes, a reboot that is due, the clock. PRIVATE."""

from __future__ import annotations

import ctypes
import os
import re
import time
import typing as t

from . import files, processes, tools
from .disk import sizes
from .options import Option
from .report import CRITICAL, INFO, WARNING, Report, Seen

WHAT = "Load, memory, pressure, failed units, zombies and stopped processes, a reboot that is due, and the clock."
OPTIONS: dict[str, Option] = {
    "load_warning": Option("number", 2, "The load of five minutes for each processor from which on there is a warning.", minimum=0),
    "load_critical": Option("number", 5, "The same, from which on it is critical.", minimum=0),
    "memory_warning": Option("percent", 10, "Below so much available memory there is a warning."),
    "memory_critical": Option("percent", 4, "Below so much it is critical."),
    "pressure_warning": Option("percent", 25, "From this share of the last minute on, in which work waited for memory, disk or processor, there is a warning."),
    "pressure_critical": Option("percent", 60, "The same, from which on it is critical."),
    "failed_units": Option("bool", True, "Whether systemd is asked for failed units."),
    "ignore_units": Option("texts", [], "Failed units that are left out."),
    "process_age": Option("span", "2m", "A zombie or a stopped process counts from this age on."),
    "zombies_warning": Option("int", 1, "From so many zombies of one parent on, there is a warning.", minimum=1),
    "reboot": Option("bool", True, "Whether it is looked whether the host waits for a reboot."),
    "clock": Option("bool", True, "Whether the kernel is asked if its clock is synchronized."),
}

_UNSYNCHRONIZED = 0x40
_SOME = re.compile(rb"^(some|full) .*?avg60=([0-9.]+)", re.MULTILINE)
_STATES = {"Z": "zombie", "T": "stopped", "t": "stopped"}


class _Timex(ctypes.Structure):
    """The kernel's struct timex, as far as it is read; the rest is room."""

    _fields_ = [
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long), ("esterror", ctypes.c_long),
        ("status", ctypes.c_int), ("room", ctypes.c_byte * 400),
    ]  # fmt: skip


def collect(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """Ask the kernel, then systemd."""
    for name in ("load_warning", "load_critical", "memory_warning", "memory_critical", "pressure_warning", "pressure_critical"):
        report.thresholds[name] = options[name]
    report.measure("uptime_seconds", int(processes.uptime()))
    _load(options, report)
    _memory(options, report)
    _pressure(options, report)
    _processes(options, seen, report)
    if options["reboot"]:
        _reboot(report)
    if options["clock"]:
        _clock(report)
    if options["failed_units"]:
        _failed(options, seen, report)
    report.good = "Load, memory, processes, units and clock are well."


def _above(value: float, warning: float, critical: float) -> str | None:
    return CRITICAL if value >= critical else WARNING if value >= warning else None


def _load(options: dict[str, t.Any], report: Report) -> None:
    load, processors = os.getloadavg()[1], os.cpu_count() or 1
    report.measure("load5", load)
    report.measure("processors", processors)
    severity = _above(load / processors, options["load_warning"], options["load_critical"])
    if severity:
        wanted = options["load_critical" if severity == CRITICAL else "load_warning"] * processors
        report.add(severity, "load", "load5", expected=f"less than {wanted:g}", observed=round(load, 2))


def _memory(options: dict[str, t.Any], report: Report) -> None:
    found = {}
    for line in files.read_kernel("/proc/meminfo", 65536).decode("ascii", "replace").splitlines():
        name, _colon, value = line.partition(":")
        number = value.split()[:1]
        if number and number[0].isdigit():
            found[name] = int(number[0]) * 1024
    total, available = found.get("MemTotal", 0), found.get("MemAvailable")
    if not total or available is None:
        report.missed("memory", "/proc/meminfo does not say how much there is.")
        return
    percent = 100 * available / total
    report.measure("memory_available_percent", percent)
    report.measure("swap_used_bytes", found.get("SwapTotal", 0) - found.get("SwapFree", 0))
    for severity, limit in ((CRITICAL, options["memory_critical"]), (WARNING, options["memory_warning"])):
        if percent < limit:
            observed = f"{percent:.1f} % available, {sizes(available)} of {sizes(total)}"
            report.add(severity, "memory", "memory", expected=f"at least {limit:g} % available", observed=observed)
            break


def _pressure(options: dict[str, t.Any], report: Report) -> None:
    for name, which in (("cpu", b"some"), ("memory", b"full"), ("io", b"full")):
        # Kernels without it have no such file; that is no fault of the host.
        found = dict(_SOME.findall(files.read_kernel(f"/proc/pressure/{name}", 4096)))
        if which not in found:
            continue
        percent = float(found[which])
        report.measure("pressure_percent", percent, of=name)
        severity = _above(percent, options["pressure_warning"], options["pressure_critical"])
        if severity:
            wanted = options["pressure_critical" if severity == CRITICAL else "pressure_warning"]
            report.add(severity, "pressure", name, expected=f"less than {wanted:g} %", observed=f"{percent:g} % of the last minute")


def _processes(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    found = processes.every(seen.left)
    names = {process.pid: process.name for process in found}
    report.measure("processes", len(found))
    bad: dict[tuple[str, str, str], list[int]] = {}
    again: dict[int, processes.Process] = {}
    for process in found:
        if process.state in _STATES and process.age >= options["process_age"]:
            again[process.pid] = process
    if again:
        # What ends is a zombie for a moment: only what still is one a second later counts.
        time.sleep(seen.left(1))
        up, tick = processes.uptime(), os.sysconf("SC_CLK_TCK")
        for pid, process in again.items():
            now = processes.one(pid, up, tick)
            if now is not None and now.state == process.state:
                bad.setdefault((_STATES[process.state], process.name, names.get(process.parent, "?")), []).append(pid)
    for state in ("zombie", "stopped"):
        report.measure(f"{state}_processes", sum(len(pids) for (kind, _name, _parent), pids in bad.items() if kind == state))
    for (state, name, parent), pids in sorted(bad.items()):
        severity = WARNING if state == "stopped" or len(pids) >= options["zombies_warning"] else INFO
        detail = f"Process {', '.join(map(str, pids[:20]))}; the parent is {parent}."
        report.add(severity, state, f"{name} of {parent}", expected="none", observed=len(pids), detail=detail)


def _version(name: str) -> list[tuple[int, str]]:
    """A key by which kernel versions are in their order."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"[0-9]+|[a-z]+", name)]


def _reboot(report: Report) -> None:
    for path in ("/run/reboot-required", "/var/run/reboot-required"):
        if os.path.lexists(path):
            try:
                packages = files.read(path + ".pkgs", 65536).decode("utf-8", "replace").split()
            except files.Unreadable:
                packages = []
            wanted = f"Asked for by {', '.join(sorted(set(packages))[:20])}." if packages else ""
            report.add(WARNING, "reboot", "host", expected="no reboot is due", observed=f"{path} is there", detail=wanted)
            return
    running = os.uname().release
    # Containers run another host's kernel, and have none of their own.
    try:
        installed = [name for name in os.listdir("/lib/modules") if os.path.exists(f"/lib/modules/{name}/modules.dep")]
    except OSError:
        return
    if running in installed:
        newer = [name for name in installed if _version(name) > _version(running) and re.sub(r"[0-9.-]+", "", name) == re.sub(r"[0-9.-]+", "", running)]
        if newer:
            newest = max(newer, key=_version)
            report.add(WARNING, "reboot", "host", expected=f"kernel {newest}, the newest that is installed", observed=f"kernel {running}")


def _clock(report: Report) -> None:
    asked = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked))
    if state < 0:
        report.missed("clock", f"The kernel does not tell: {os.strerror(ctypes.get_errno())}.")
        return
    report.measure("clock_error_ms", asked.maxerror / 1000)
    if asked.status & _UNSYNCHRONIZED:
        report.add(WARNING, "clock", "clock", expected="synchronized", observed="not synchronized", detail="No time service keeps the clock of this host.")


def _failed(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    failed: list[str] = []

    def take(line: str) -> None:
        words = line.replace("\u25cf", " ").split()
        if words:
            failed.append(words[0])

    argv = ["systemctl", "list-units", "--state=failed", "--all", "--plain", "--no-legend", "--no-pager", "--full"]
    try:
        ended = tools.lines(seen, argv, take, timeout=30, max_output=1 << 20)
    except tools.Missing as error:
        report.missed("failed units", str(error))
        return
    if ended.code != 0:
        report.missed("failed units", f"systemctl: {ended.words.splitlines()[-1] if ended.words else f'exit status {ended.code}'}")
        return
    report.measure("failed_units", len(failed))
    for name in sorted(set(failed) - set(options["ignore_units"])):
        report.add(CRITICAL, "unit", name, expected="not failed", observed="failed", detail=f"'systemctl status {name}' says more.")
