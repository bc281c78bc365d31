# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""backups: whether they are there, young, as large as the ones before, whole, and can really be restored. PRIVATE."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import hashlib
import os
import re
import statistics
import tempfile
import time
import typing as t

from . import files, restoring
from .disk import sizes, spans
from .options import Option
from .report import CRITICAL, WARNING, Report, Seen

WHAT = "Backups: age, size, check sum, and a real restore into a scratch folder, with a look at what came out."
OPTIONS: dict[str, Option] = {
    "sets": Option(
        "tables", None, "The backups, one entry for each kind.", required=True,
        keys={
            "name": Option("text", None, "Its name in findings.", required=True),
            "path": Option("path", None, "The backups: a path whose last part may hold * and ?. Each file or folder that matches is one.", required=True),
            "max_age": Option("span", "26h", "The newest one is not older than this."),
            "min_count": Option("int", 1, "There are at least so many.", minimum=0),
            "min_size": Option("size", "1", "The newest one is not smaller than this."),
            "max_change": Option("percent", 50, "The newest one is smaller than the median of those before by less than this. 100 turns it off."),
            "checksum": Option("bool", None, "Whether a check sum beside it (.sha256, SHA256SUMS) must be there. One that is there must be right."),
            "restore": Option("bool", True, "Whether the newest one is restored."),
            "sentinel": Option("text", None, "A file that must be in what was restored, as a path in it."),
            "contains": Option("text", None, "Text that the sentinel must hold."),
            "sentinel_max_age": Option("span", None, "A time in the sentinel, in its first line as 2026-01-15T03:15:00Z, is not older than this."),
        },
    ),
    "scratch": Option("path", None, "The folder in which a folder for the restore is made and removed again. Without it, the host's for temporary files."),
    "max_restore": Option("size", "10G", "At most so many bytes are restored of one backup."),
}  # fmt: skip

_SUMS = {".sha256": "sha256", ".sha512": "sha512", ".sha1": "sha1", ".md5": "md5"}
_LISTS = {"SHA256SUMS": "sha256", "SHA512SUMS": "sha512", "SHA1SUMS": "sha1", "MD5SUMS": "md5"}
_LINE = re.compile(rb"^\\?([0-9a-fA-F]{32,128})(?: [ *](.+))?$", re.MULTILINE)
_BEFORE = 14
_TREE = 1_000_000


@dataclasses.dataclass(frozen=True)
class _Backup:
    path: str
    when: float
    size: int


def collect(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """Look at each set, and restore the newest of it."""
    report.thresholds["max_restore_bytes"] = options["max_restore"]
    for rule in options["sets"]:
        report.thresholds[f"max_age_seconds:{report.clean(rule['name'], 200)}"] = rule["max_age"]
        _set(rule, options, seen, report)
    report.good = f"{len(options['sets'])} sets of backups are young, whole and can be restored."


def _found(rule: dict[str, t.Any], seen: Seen) -> list[_Backup]:
    """The backups of a set, newest first.

    :raises Unreadable: where their folder cannot be read.
    """
    folder, pattern = os.path.split(rule["path"].rstrip("/"))
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not fnmatch.fnmatchcase(entry.name, pattern) or entry.name.endswith(tuple(_SUMS)) or entry.name in _LISTS:
                    continue
                with contextlib.suppress(OSError):
                    status = entry.stat()
                    if entry.is_dir():
                        found.append(_Backup(entry.path, status.st_mtime, _weigh(entry.path, seen)))
                    elif entry.is_file():
                        found.append(_Backup(entry.path, status.st_mtime, status.st_size))
    except OSError as error:
        raise files.Unreadable(files.why(error)) from None
    return sorted(found, key=lambda backup: (-backup.when, backup.path))


def _weigh(path: str, seen: Seen) -> int:
    walk = files.Walk(seen.deadline, _TREE)
    total = 0
    for _folder, entries in walk.files(path):
        for entry in entries:
            with contextlib.suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_size
    return total


def _set(rule: dict[str, t.Any], options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    name = rule["name"]
    try:
        found = _found(rule, seen)
    except files.Unreadable as error:
        report.missed(name, f"{rule['path']}: {error}")
        return
    report.measure("backups", len(found), of=name)
    if len(found) < max(1, rule["min_count"]):
        report.add(CRITICAL if not found else WARNING, "count", name, expected=f"at least {max(1, rule['min_count'])} backups", observed=len(found))
    if not found:
        return
    newest = found[0]
    age = seen.now - newest.when
    report.measure("age_seconds", int(age), of=name)
    report.measure("size_bytes", newest.size, of=name)
    if age > rule["max_age"]:
        report.add(CRITICAL, "age", name, expected=f"at most {spans(rule['max_age'])} old", observed=f"{spans(age)} old", detail=newest.path)
    if newest.size < rule["min_size"]:
        report.add(CRITICAL, "size", name, expected=f"at least {sizes(rule['min_size'])}", observed=sizes(newest.size), detail=newest.path)
    before = [backup.size for backup in found[1 : _BEFORE + 1]]
    if before and rule["max_change"] < 100:
        usual = statistics.median(before)
        if usual and newest.size < usual * (1 - rule["max_change"] / 100):
            observed = f"{sizes(newest.size)}, {100 - 100 * newest.size / usual:.0f} % less than the median of the {len(before)} before"
            report.add(WARNING, "shrunk", name, expected=f"about {sizes(usual)}", observed=observed, detail=newest.path)
    if not os.path.isdir(newest.path):
        _checksum(newest.path, rule, seen, report)
    if rule["restore"]:
        _restore(newest, rule, options, seen, report)


# --- check sums -----------------------------------------------------------------------------------------------------------


def _known(path: str) -> tuple[str, str] | None:
    """(algorithm, digest) that a file beside *path* says."""
    folder, name = os.path.split(path)
    for ending, algorithm in _SUMS.items():
        with contextlib.suppress(files.Unreadable):
            for digest, listed in _LINE.findall(files.read(path + ending, 1 << 20)):
                if not listed or os.path.basename(listed.strip()) == os.fsencode(name):
                    return algorithm, digest.decode("ascii").lower()
    for beside, algorithm in _LISTS.items():
        with contextlib.suppress(files.Unreadable):
            for digest, listed in _LINE.findall(files.read(os.path.join(folder, beside), 16 << 20)):
                if listed.strip().removeprefix(b"./") == os.fsencode(name):
                    return algorithm, digest.decode("ascii").lower()
    return None


def _checksum(path: str, rule: dict[str, t.Any], seen: Seen, report: Report) -> None:
    if rule["checksum"] is False:
        return
    known = _known(path)
    if known is None:
        if rule["checksum"]:
            report.add(WARNING, "checksum", rule["name"], expected=f"a check sum beside {path}", observed="none")
        return
    digest = hashlib.new(known[0])
    try:
        descriptor = files.open_regular(path)
    except files.Unreadable as error:
        report.missed(rule["name"], f"{path}: {error}")
        return
    with os.fdopen(descriptor, "rb") as handle:
        while True:
            if seen.left() <= 0:
                report.missed(rule["name"], "The time was over before its check sum was known.")
                return
            block = handle.read(1 << 20)
            if not block:
                break
            digest.update(block)
    if digest.hexdigest() != known[1]:
        observed = f"{known[0]} {digest.hexdigest()}"
        report.add(CRITICAL, "checksum", rule["name"], expected=f"{known[0]} {known[1]}", observed=observed, detail=path)


# --- the restore ----------------------------------------------------------------------------------------------------------


def _restore(backup: _Backup, rule: dict[str, t.Any], options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    name = rule["name"]
    parent = options["scratch"] or tempfile.gettempdir()
    began = time.monotonic()
    try:
        # What would fill the disk is not begun; what grows beyond it is stopped.
        room = os.statvfs(parent)
        free = room.f_bavail * room.f_frsize
        budget = restoring.Budget(min(options["max_restore"], free * 9 // 10), seen.deadline)
        with restoring.scratch(parent) as folder:
            restoring.restore(backup.path, folder, budget)
            report.measure("restored_bytes", budget.used, of=name)
            report.measure("restore_seconds", time.monotonic() - began, of=name)
            _database(folder, backup, rule, report)
            if rule["sentinel"]:
                _sentinel(folder, rule, backup, seen, report)
            elif not budget.used:
                report.add(CRITICAL, "restore", name, expected="files in it", observed="nothing", detail=backup.path)
    except restoring.Broken as error:
        report.add(CRITICAL, "restore", name, expected="it can be restored", observed=str(error), detail=backup.path)
    except restoring.TooMuch as error:
        report.missed(name, f"{backup.path} was not restored: {error}")
    except OSError as error:
        report.missed(name, f"{backup.path} was not restored: {files.why(error)}")


def _database(folder: str, backup: _Backup, rule: dict[str, t.Any], report: Report) -> None:
    """A dump that was cut off says so by what is missing at its end; a SQLite database can be asked."""
    names = os.listdir(folder)
    if len(names) != 1 or not os.path.isfile(os.path.join(folder, names[0])):
        return
    path = os.path.join(folder, names[0])
    with open(path, "rb") as handle:
        head = handle.read(4096)
        handle.seek(max(0, os.path.getsize(path) - 4096))
        tail = handle.read()
    for mark, end in ((b"-- PostgreSQL database dump", b"dump complete"), (b"-- MySQL dump", b"-- Dump completed"), (b"-- MariaDB dump", b"-- Dump completed")):
        if mark in head and end not in tail:
            report.add(CRITICAL, "restore", rule["name"], expected="a dump that was written to its end", observed="it ends in the middle", detail=backup.path)
    if head.startswith(b"SQLite format 3\0"):
        import sqlite3  # pylint: disable=import-outside-toplevel

        try:
            connection = sqlite3.connect(path)
            try:
                connection.execute("PRAGMA trusted_schema = OFF")
                result = str(connection.execute("PRAGMA integrity_check(5)").fetchone()[0])
            finally:
                connection.close()
        except sqlite3.Error as error:
            result = str(error)
        if result != "ok":
            report.add(CRITICAL, "restore", rule["name"], expected="a database that is whole", observed=result[:300], detail=backup.path)


def _sentinel(folder: str, rule: dict[str, t.Any], backup: _Backup, seen: Seen, report: Report) -> None:
    from .templates import moment  # pylint: disable=import-outside-toplevel

    name, wanted = rule["name"], rule["sentinel"]
    try:
        path = os.path.join(folder, *restoring.inside(wanted.lstrip("/")))
        data = files.read(path, 1 << 20, links=False)
    except (files.Unreadable, restoring.Broken):
        report.add(CRITICAL, "sentinel", name, expected=f"the file {wanted} in it", observed="it is not there", detail=backup.path)
        return
    if rule["contains"] and rule["contains"].encode("utf-8") not in data:
        report.add(CRITICAL, "sentinel", name, expected=f"{rule['contains']!r} in {wanted}", observed="it is not in it", detail=backup.path)
    if rule["sentinel_max_age"]:
        written = moment(data[:200].decode("utf-8", "replace"), seen.now)
        if written is None or seen.now - written > rule["sentinel_max_age"]:
            observed = "it says no time" if written is None else f"{spans(seen.now - written)} old"
            report.add(CRITICAL, "sentinel", name, expected=f"{wanted} is at most {spans(rule['sentinel_max_age'])} old", observed=observed, detail=backup.path)
