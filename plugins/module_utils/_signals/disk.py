# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""disk: space, inodes, how fast it fills, and space that deleted files still hold. PRIVATE."""

from __future__ import annotations

import os
import re
import typing as t

from .files import Late, read_kernel, why, within
from .options import Option
from .report import CRITICAL, WARNING, Report, Seen

WHAT = "Space and inodes of file systems, when they will be full, and deleted files that are still open."
OPTIONS: dict[str, Option] = {
    "paths": Option("paths", None, "Look only at the file systems that these paths lie on. Without it, at every one that keeps files."),
    "space_warning": Option("percent", 85, "Used space from which on there is a warning."),
    "space_critical": Option("percent", 95, "Used space from which on it is critical."),
    "inodes_warning": Option("percent", 85, "Used inodes from which on there is a warning."),
    "inodes_critical": Option("percent", 95, "Used inodes from which on it is critical."),
    "fills_within": Option("span", "3d", "There is a warning where it will be full within this time, if it goes on as it did."),
    "growth_window": Option("span", "7d", "The time over which growth is measured. It is known once an eighth of it has been seen."),
    "deleted_size": Option("size", "500M", "There is a warning for a deleted file that a process still holds open, from this size on."),
}
#: It remembers what it measured.
REMEMBERS = True

_POINTS = 64
_ESCAPE = re.compile(rb"\\([0-7]{3})")
# They keep nothing, or are full by nature.
_NO_STORE = frozenset(
    b"autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fuse.gvfsd-fuse fuse.lxcfs fuse.portal fusectl hugetlbfs iso9660"
    b" mqueue nsfs proc pstore ramfs rpc_pipefs securityfs selinuxfs squashfs sysfs tracefs udf erofs nfsd".split()
)


def sizes(number: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def spans(seconds: float) -> str:
    """A time for people."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def mounts(text: bytes) -> list[tuple[str, str]]:
    """(mount point, device number) of each file system that keeps files, from /proc/self/mountinfo; one point for each."""
    found: dict[str, str] = {}
    for line in text.split(b"\n"):
        before, _dash, after = line.partition(b" - ")
        fields, kind = before.split(b" "), after.split(b" ")[0]
        if len(fields) < 6 or (kind in _NO_STORE):
            continue
        point = os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match.group(1), 8) & 255]), fields[4]))
        device = fields[2].decode("ascii", "replace")
        if kind == b"overlay" and point != "/":
            continue
        # The same file system mounted twice is one; a later mount on the same point hides the one before.
        for other, known in list(found.items()):
            if other == point:
                del found[other]
            elif known == device and len(other) <= len(point):
                break
            elif known == device:
                del found[other]
        else:
            found[point] = device
    return sorted(found.items())


def collect(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """Look at the file systems, then at the processes.

    :arg options: As :data:`OPTIONS` describes them, checked.
    """
    for name in ("space_warning", "space_critical", "inodes_warning", "inodes_critical"):
        report.thresholds[name] = options[name]
    report.thresholds["fills_within_seconds"] = options["fills_within"]
    report.thresholds["deleted_size_bytes"] = options["deleted_size"]
    if options["paths"]:
        points = sorted(set(options["paths"]))
    else:
        points = [point for point, _device in mounts(read_kernel("/proc/self/mountinfo", 4 << 20))]
        if not points:
            report.missed("/proc/self/mountinfo", "It names no file system.")
    memory: dict[str, list[list[float]]] = {}
    for point in points:
        try:
            found = within(seen.left(5), lambda point=point: os.statvfs(point))  # type: ignore[misc]
        except Late:
            report.missed(point, "It does not answer within 5 s.")
        except OSError as error:
            report.missed(point, why(error))
        else:
            _space(point, found, options, report)
            _inodes(point, found, options, report)
            _growth(point, found, options, seen, report, memory)
    report.memory = {"points": memory}
    _deleted(options["deleted_size"], seen, report)
    report.good = f"{len(points)} file systems have room."


def _percent(used: float, available: float) -> float:
    return 100.0 * used / (used + available) if used + available > 0 else 0.0


def _severity(value: float, warning: float, critical: float) -> str | None:
    return CRITICAL if value >= critical else WARNING if value >= warning else None


def _space(point: str, found: os.statvfs_result, options: dict[str, t.Any], report: Report) -> None:
    if not found.f_blocks:
        return
    used, available = (found.f_blocks - found.f_bfree) * found.f_frsize, found.f_bavail * found.f_frsize
    percent = _percent(used, available)
    report.measure("used_percent", percent, of=point)
    report.measure("available_bytes", available, of=point)
    severity = _severity(percent, options["space_warning"], options["space_critical"])
    if severity:
        wanted = options["space_critical"] if severity == CRITICAL else options["space_warning"]
        observed = f"{percent:.1f} % used, {sizes(available)} available"
        report.add(severity, "space", point, expected=f"less than {wanted:g} % used", observed=observed)


def _inodes(point: str, found: os.statvfs_result, options: dict[str, t.Any], report: Report) -> None:
    if not found.f_files:
        # Some file systems make them as they need them.
        return
    percent = _percent(found.f_files - found.f_ffree, found.f_favail)
    report.measure("inodes_used_percent", percent, of=point)
    severity = _severity(percent, options["inodes_warning"], options["inodes_critical"])
    if severity:
        wanted = options["inodes_critical"] if severity == CRITICAL else options["inodes_warning"]
        report.add(severity, "inodes", point, expected=f"less than {wanted:g} % used", observed=f"{percent:.1f} % used, {found.f_favail} available")


def _points(kept: t.Any, point: str, since: float, now: float) -> list[list[float]]:
    """What was remembered of *point* and is not too old: (time, bytes used)."""
    listed = kept.get(point) if isinstance(kept, dict) else None
    good = []
    for pair in listed if isinstance(listed, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(number, (int, float)) for number in pair) and since <= pair[0] < now:
            good.append([float(pair[0]), float(pair[1])])
    return sorted(good)


def rate(points: t.Sequence[t.Sequence[float]]) -> float:
    """Bytes a second, by least squares."""
    middle = sum(when for when, _used in points) / len(points)
    mean = sum(used for _when, used in points) / len(points)
    spread = sum((when - middle) ** 2 for when, _used in points)
    return sum((when - middle) * (used - mean) for when, used in points) / spread if spread else 0.0


def _growth(point: str, found: os.statvfs_result, options: dict[str, t.Any], seen: Seen, report: Report, memory: dict[str, list[list[float]]]) -> None:
    window = options["growth_window"]
    used, available = float((found.f_blocks - found.f_bfree) * found.f_frsize), found.f_bavail * found.f_frsize
    points = _points(seen.memory.get("points"), point, seen.now - window, seen.now)
    # Evenly spread over the window, however often it is looked at.
    if points and len(points) > 1 and points[-1][0] - points[-2][0] < window / _POINTS:
        points.pop()
    points = [*points, [seen.now, used]][-_POINTS:]
    memory[point] = points
    if len(points) < 3 or points[-1][0] - points[0][0] < window / 8:
        return
    grows = rate(points)
    report.measure("growth_bytes_per_day", grows * 86400, of=point)
    if grows <= 0:
        return
    left = available / grows
    report.measure("full_in_seconds", left, of=point)
    if left <= options["fills_within"]:
        observed = f"full in {spans(left)}: it grows by {sizes(grows * 86400)} a day, {sizes(available)} are available"
        report.add(WARNING, "fills", point, expected=f"room for more than {spans(options['fills_within'])}", observed=observed)


def _deleted(least: int, seen: Seen, report: Report) -> None:
    """Regular files without a name that a process holds open."""
    held: dict[tuple[int, int], tuple[int, str, set[str]]] = {}
    hidden = 0
    for name in sorted(entry for entry in os.listdir("/proc") if entry.isdigit()):
        if seen.left() <= 0:
            report.missed("deleted files", "The time was over before all processes were looked at.")
            break
        folder = f"/proc/{name}/fd"
        try:
            numbers = os.listdir(folder)
        except PermissionError:
            hidden += 1
            continue
        except OSError:
            continue
        for number in numbers:
            try:
                found = os.stat(f"{folder}/{number}")
                if found.st_nlink or not found.st_blocks or found.st_mode & 0o170000 != 0o100000:
                    continue
                target = os.readlink(f"{folder}/{number}")
            except OSError:
                continue
            if not target.endswith(" (deleted)") or target.startswith(("/memfd:", "/dev/shm/", "/dev/zero", "/SYSV", "/[aio]")):
                continue
            who = held.setdefault((found.st_dev, found.st_ino), (found.st_blocks * 512, target[: -len(" (deleted)")], set()))[2]
            command = os.fsdecode(read_kernel(f"/proc/{name}/comm", 64)).strip()
            who.add(f"{command} ({name})")
    report.measure("deleted_open_bytes", sum(size for size, _path, _who in held.values()))
    if hidden:
        report.measure("processes_not_seen", hidden)
    for size, path, who in sorted(held.values(), key=lambda item: (-item[0], item[1])):
        if size < least:
            break
        detail = "Held open by " + ", ".join(sorted(who)[:10]) + ". The space is free when the process closes it."
        report.add(WARNING, "deleted", path, expected=f"less than {sizes(least)}", observed=sizes(size), detail=detail)
