# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""logs: errors that repeat themselves, in files and in the journal, grouped by what they say. PRIVATE."""

from __future__ import annotations

import datetime
import glob
import json
import os
import re
import typing as t

from . import files, tools
from .options import Option
from .report import CRITICAL, INFO, WARNING, Report, Seen
from .templates import Group, Groups, moment

WHAT = "Errors in logs and in the journal, grouped by what they say, with how often and when. Personal data in them is masked."
OPTIONS: dict[str, Option] = {
    "files": Option("paths", [], "Log files. The last part of a path may hold * and ?."),
    "journal": Option("bool", None, "Whether the journal is read. Without it, it is where no files are named."),
    "journal_folder": Option("path", None, "A folder with journal files, where it is not the host's own journal."),
    "units": Option("texts", [], "Only these units of the journal."),
    "priority": Option(
        "text", "err", "The journal's messages from this priority on.", choices=("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
    ),
    "words": Option(
        "texts",
        ["error", "fatal", "critical", "panic", "exception", "traceback", "segfault", "out of memory", "failed"],
        "A line of a file counts where one of these words is in it, in large or small letters.",
    ),
    "ignore": Option("texts", [], "Messages with one of these words in their template are left out."),
    "since": Option("span", "24h", "Only messages of this time. Lines of a file without a time all count.", minimum=1),
    "warning": Option("int", 10, "From so many messages that say the same on, there is a warning. Fewer are mentioned.", minimum=1),
    "critical": Option("int", 1000, "From so many on, it is critical.", minimum=1),
    "max_bytes": Option("size", "4G", "Only the last bytes of each file, at most so many.", minimum=4096),
}

_FILES = 200
_BLOCK = 1 << 20
#: What grep may use. A line without an end would fill any memory.
_MEMORY = 512 << 20
_JOURNAL_FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT,UNIT"
_PROBE = 64 * 1024
_SPECIAL = re.compile(r"[\\.\[\]*^$+?(){}|]")


def collect(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """Read the files, then the journal."""
    for name in ("warning", "critical"):
        report.thresholds[f"{name}_count"] = options[name]
    report.thresholds["since_seconds"] = options["since"]
    total = 0
    for path in _paths(options["files"], report):
        groups = Groups()
        try:
            _file(path, groups, options, seen, report)
        except files.Unreadable as error:
            report.missed(path, str(error))
        total += _judge(path, groups, options, seen, report)
    wants_journal = options["journal"] if options["journal"] is not None else not options["files"]
    if wants_journal:
        total += _journal(options, seen, report)
    report.measure("matching_lines", total)
    report.good = f"No message came {options['warning']} times or more."


def _paths(given: t.Sequence[str], report: Report) -> list[str]:
    found: list[str] = []
    for path in given:
        base = os.path.basename(path)
        if not set(base) & set("*?"):
            found.append(path)
            continue
        matching = sorted(glob.glob(os.path.join(glob.escape(os.path.dirname(path)), base)))
        if not matching:
            report.missed(path, "There is no such file.")
        found.extend(matching)
    if len(found) > _FILES:
        report.missed("files", f"There are {len(found)} files; the first {_FILES} were looked at.")
    return list(dict.fromkeys(found))[:_FILES]


# --- files ----------------------------------------------------------------------------------------------------------------


def _begin(descriptor: int, size: int, options: dict[str, t.Any], seen: Seen) -> int:
    """Where to begin: at the first line of the wanted time, as far as the lines are in order and say when they were written."""
    lowest, highest = max(0, size - options["max_bytes"]), size
    since = seen.now - options["since"]

    def look(at: int) -> tuple[int, float | None]:
        """(offset, time) of the first line with a time at or behind *at*."""
        data = os.pread(descriptor, _PROBE, at)
        skipped = 0 if at == 0 else data.find(b"\n") + 1
        if at and not skipped:
            return at, None
        offset = at + skipped
        for line in data[skipped:].split(b"\n")[:50]:
            when = moment(line[:200].decode("utf-8", "replace"), seen.now)
            if when is not None:
                return offset, when
            offset += len(line) + 1
        return at, None

    begin: int = lowest
    if lowest:
        data = os.pread(descriptor, _PROBE, lowest)
        begin = lowest + max(0, data.find(b"\n") + 1)
    while highest - lowest > _PROBE:
        middle = (lowest + highest) // 2
        offset, when = look(middle)
        if when is None:
            # Nobody knows. Then from here on down, all of it counts.
            highest = middle
        elif when < since:
            lowest = middle
            begin = max(begin, offset)
        else:
            highest = middle
    return begin


def _file(path: str, groups: Groups, options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """:raises Unreadable: where it cannot be read."""
    descriptor = files.open_regular(path)
    try:
        size = os.fstat(descriptor).st_size
        begin = _begin(descriptor, size, options, seen)
        report.measure("bytes_read", size - begin, of=path)
        os.lseek(descriptor, begin, os.SEEK_SET)
        argv = ["grep", "-a", "-i", "-E", "-e", "|".join(_SPECIAL.sub(r"\\\g<0>", word) for word in options["words"])]
        try:
            ended = tools.run(seen, argv, groups, timeout=seen.left(), max_output=64 << 30, stdin=descriptor, memory=_MEMORY)
        except tools.Missing as error:
            if seen.left() <= 0:
                report.missed(path, "The time was over before all of it was read.")
                groups.close()
                return
            ended = tools.Ended(2, str(error), False)
        if ended.code in (0, 1):
            groups.close()
            return
        # A file that is one long line, or no grep: slower, in memory that has a bound.
        groups.clear()
        os.lseek(descriptor, begin, os.SEEK_SET)
        _scan(descriptor, groups, options["words"], seen, path, report)
    except OSError as error:
        raise files.Unreadable(files.why(error)) from None
    finally:
        os.close(descriptor)


def _scan(descriptor: int, groups: Groups, words: t.Sequence[str], seen: Seen, path: str, report: Report) -> None:
    expression = re.compile(b"|".join(re.escape(word.lower().encode("utf-8")) for word in words))
    take = tools.Lines(lambda line: groups(line + b"\n") if expression.search(line.lower()) else None)
    while True:
        if seen.left() <= 0:
            report.missed(path, "The time was over before all of it was read.")
            break
        block = os.read(descriptor, _BLOCK)
        if not block:
            break
        if not block.strip(b"\0"):
            # A hole: nothing was written there.
            continue
        take(block)
    take.close()
    groups.close()


# --- the journal ----------------------------------------------------------------------------------------------------------


def _journal(options: dict[str, t.Any], seen: Seen, report: Report) -> int:
    argv = ["journalctl", "--no-pager", "--quiet", "--output=json", f"--output-fields={_JOURNAL_FIELDS}", f"--priority={options['priority']}"]
    argv.append(f"--since=@{int(seen.now - options['since'])}")
    if options["journal_folder"]:
        argv.append(f"--directory={options['journal_folder']}")
    argv += [f"--unit={unit}" for unit in options["units"]]
    sources: dict[str, Groups] = {}

    def take(line: bytes) -> None:
        entry = _entry(line)
        if entry is None:
            return
        source, text = entry
        if source not in sources and len(sources) >= 500:
            source = "others"
        sources.setdefault(source, Groups())(text)

    split = tools.Lines(take)
    try:
        ended = tools.run(seen, argv, split, timeout=seen.left(), max_output=8 << 30)
    except tools.Missing as error:
        report.missed("journal", str(error))
        return 0
    split.close()
    if ended.code != 0 and not sources:
        report.missed("journal", f"journalctl: {ended.words.splitlines()[-1] if ended.words else f'exit status {ended.code}'}")
    elif not sources and not options["journal_folder"] and not any(os.path.isdir(place) for place in ("/var/log/journal", "/run/log/journal")):
        report.missed("journal", "This host keeps no journal.")
    return sum(_judge(f"journal:{source}", groups, options, seen, report) for source, groups in sorted(sources.items()))


def _entry(line: bytes) -> tuple[str, bytes] | None:
    """(source, a line that begins with its time) of one message of journalctl's JSON."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    message = found.get("MESSAGE")
    if isinstance(message, list):
        # Bytes that are no text.
        message = bytes(number & 255 for number in message[:10000] if isinstance(number, int)).decode("utf-8", "backslashreplace")
    source = found.get("UNIT") or found.get("_SYSTEMD_UNIT") or found.get("SYSLOG_IDENTIFIER") or "unknown"
    stamp = str(found.get("__REALTIME_TIMESTAMP", ""))
    when = ""
    if stamp.isascii() and stamp.isdigit() and len(stamp) < 18:
        when = datetime.datetime.fromtimestamp(int(stamp) // 1_000_000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ ")
    text = f"{when}{str(message)[: tools.MAX_LINE]}".replace("\n", "\\n")
    return str(source)[:200], text.encode("utf-8", "backslashreplace") + b"\n"


# --- findings -------------------------------------------------------------------------------------------------------------


def _when(line: bytes, now: float) -> str | None:
    found = moment(line[:200].decode("utf-8", "replace"), now)
    return None if found is None else datetime.datetime.fromtimestamp(found, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _judge(source: str, groups: Groups, options: dict[str, t.Any], seen: Seen, report: Report) -> int:
    groups.close()
    if groups.beyond:
        report.truncated = True
        report.measure("lines_beyond_templates", groups.beyond, of=source)
    ignored = [word.lower() for word in options["ignore"]]
    for group in groups.groups(seen.personal):
        lower = group.template.lower()
        if any(word in lower for word in ignored):
            continue
        severity = CRITICAL if group.count >= options["critical"] else WARNING if group.count >= options["warning"] else INFO
        _add(severity, source, group, options, seen, report)
    return groups.lines


def _add(severity: str, source: str, group: Group, options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    first, last = _when(group.first, seen.now), _when(group.last, seen.now)
    times = f"first {first}, last {last}. " if first and last else ""
    sample = seen.personal.text(group.last.decode("utf-8", "backslashreplace"))
    detail = f"{times}It says: {group.template[:1500]}\nThe last one: {sample[:1500]}"
    wanted = options["critical" if severity == CRITICAL else "warning"]
    observed = f"{group.count} times" if group.count > 1 else "once"
    report.add(severity, f"log:{group.key}", source, expected=f"less than {wanted} times", observed=observed, detail=detail)
