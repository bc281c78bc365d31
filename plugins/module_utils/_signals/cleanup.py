# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cleanup: what could be removed from the folders that somebody listed, and how much room that would make. PRIVATE.

It removes nothing.
"""

from __future__ import annotations

import fnmatch
import heapq
import os
import stat
import typing as t

from .._errors import CodexOpsError
from . import files
from .disk import sizes, spans
from .options import Option
from .report import INFO, WARNING, Report, Seen

WHAT = "Files that could be removed from the folders that are listed, by age and size, and the room that it would make. It removes nothing."
OPTIONS: dict[str, Option] = {
    "rules": Option(
        "tables", None, "The folders, and what of them may go. Nothing else is looked at.", required=True,
        keys={
            "path": Option("path", None, "A folder.", required=True),
            "older_than": Option("span", "7d", "Only files that were not changed within this time."),
            "min_size": Option("size", "0", "Only files that are not smaller."),
            "patterns": Option("texts", ["*"], "Only files with such a name."),
            "exclude": Option("texts", [], "Not the files with such a name."),
        },
    ),
    "warning": Option("size", "1G", "There is a warning where one folder could give so much room."),
    "max_files": Option("int", 1000000, "At most so many files and folders are looked at.", minimum=1, maximum=20000000),
}  # fmt: skip

#: Folders of the system: what lies right in them is nobody's to clean.
_SYSTEM = frozenset(
    "/ /bin /boot /dev /etc /home /lib /lib32 /lib64 /libx32 /opt /proc /root /run /sbin /srv /sys /usr /usr/bin /usr/lib /usr/local /usr/sbin"
    " /usr/share /var /var/lib /var/log /var/spool".split()
)
_NEVER = ("/boot", "/dev", "/etc", "/proc", "/sys", "/usr")
_LARGEST = 10


def collect(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """Look through the folders.

    :raises CodexOpsError: ``option_invalid`` for a folder that may not be cleaned.
    """
    for number, rule in enumerate(options["rules"]):
        _check(rule["path"], f"options.rules[{number}].path")
    report.thresholds["warning_bytes"] = options["warning"]
    total = 0
    for rule in options["rules"]:
        total += _rule(rule, options, seen, report)
    report.measure("bytes_to_win", total)
    report.good = f"Less than {sizes(options['warning'])} could be won in each of {len(options['rules'])} folders."


def _check(path: str, where: str) -> None:
    real = os.path.realpath(path)
    if real in _SYSTEM or any(real == never or real.startswith(never + "/") for never in _NEVER):
        raise CodexOpsError(
            f"the folder {real} belongs to the system.",
            code="option_invalid", outcome="rejected", where=where, hint="List the folders whose old files are of no use, such as /var/cache/app.",
        )  # fmt: skip


def _rule(rule: dict[str, t.Any], options: dict[str, t.Any], seen: Seen, report: Report) -> int:
    """Bytes that the folder could give."""
    path, before, least = rule["path"], seen.now - rule["older_than"], rule["min_size"]
    chosen = None if rule["patterns"] == ["*"] and not rule["exclude"] else rule
    count = win = 0
    largest: list[tuple[int, str]] = []
    #: Names of one file that were seen: it gives room when all of them go.
    shared: dict[tuple[int, int], list[int]] = {}
    walk = files.Walk(seen.deadline, options["max_files"])
    for folder, entries in walk.files(path):
        for entry in entries:
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if found.st_mtime >= before or found.st_size < least or not stat.S_ISREG(found.st_mode):
                continue
            if chosen is not None and not _wanted(entry.name, chosen):
                continue
            count += 1
            room = found.st_blocks * 512
            if found.st_nlink > 1:
                names = shared.setdefault((found.st_dev, found.st_ino), [found.st_nlink, room])
                names[0] -= 1
                room = names[1] if names[0] == 0 else 0
            win += room
            if len(largest) < _LARGEST:
                heapq.heappush(largest, (room, f"{folder}/{entry.name}"))
            elif room > largest[0][0]:
                heapq.heapreplace(largest, (room, f"{folder}/{entry.name}"))
    _say(path, rule, (count, win), sorted(largest, key=lambda item: (-item[0], item[1])), options, report)
    for place, reason in walk.unreadable:
        report.missed(place, reason)
    if walk.stopped:
        report.truncated = True
        report.missed(path, f"Not all of it was looked at: {walk.stopped}.")
    return win


def _wanted(name: str, rule: dict[str, t.Any]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in rule["patterns"]) and not any(fnmatch.fnmatchcase(name, bad) for bad in rule["exclude"])


def _say(path: str, rule: dict[str, t.Any], found: tuple[int, int], largest: t.Sequence[tuple[int, str]], options: dict[str, t.Any], report: Report) -> None:
    count, win = found
    report.measure("candidates", count, of=path)
    report.measure("bytes_to_win", win, of=path)
    if not count:
        return
    severity = WARNING if win >= options["warning"] else INFO
    # One name a line: a name cannot add one of its own.
    listed = "\n".join(f"{sizes(size)} {name}".replace("\n", "\\n") for size, name in largest)
    expected = f"less than {sizes(options['warning'])} in files older than {spans(rule['older_than'])}"
    report.add(severity, "cleanup", path, expected=expected, observed=f"{sizes(win)} in {count} files", detail=f"The largest:\n{listed}")
