# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one entry of the schedule, for cron and for systemd alike. Written by the role day2.codex.schedule; only the standard library is used.

What the entry says goes to the journal line by line, as codex-ops-NAME. How it went stands in NAME.json beside the locks. A failure is also said on
standard output, which cron sends by mail. A run that does not get the lock is passed over, one that lasts too long is ended, and whatever it leaves
behind is ended too; runs that should have been since the last one are counted.

usage: scheduled.py --name NAME --when "M H D M W" --timeout S --ok 0,3 [--delay S] [--state FOLDER] [--missed] [--unit] -- COMMAND...
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import datetime
import json
import os
import pathlib
import selectors
import signal
import socket
import subprocess
import sys
import time
import typing as t

JOURNAL = "/run/systemd/journal/socket"
STATE = pathlib.Path("/var/lib/codex-ops/schedule")
CRON = "/etc/cron.d/codex-ops-schedule-{}"
#: What came due less than so many seconds ago is not late.
ON_TIME = 90
#: Seconds between TERM and KILL for what a run left behind.
GRACE = 10
#: The status by which flock says that somebody else has the lock.
TAKEN = 213
LONGEST_LINE = 8192
LOOK_BACK = datetime.timedelta(days=40)
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6
_SUBREAPER = 36


class Entry(t.NamedTuple):
    """What the command line says."""

    name: str
    when: tuple[frozenset[int], ...]
    either: bool
    timeout: int
    ok: frozenset[int]
    delay: int
    state: pathlib.Path
    missed: bool
    unit: bool
    argv: list[str]


def parsed(argv: t.Sequence[str]) -> Entry:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scheduled.py", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True)
    parser.add_argument("--when", required=True)
    parser.add_argument("--timeout", type=int, required=True)
    parser.add_argument("--ok", default="0")
    parser.add_argument("--delay", type=int, default=0)
    parser.add_argument("--state", type=pathlib.Path, default=STATE)
    parser.add_argument("--missed", action="store_true")
    parser.add_argument("--unit", action="store_true")
    parser.add_argument("argv", nargs="+")
    given = parser.parse_args(argv)
    words = given.when.split()
    full = ((0, 60), (0, 24), (1, 32), (1, 13), (0, 7))
    if len(words) != 5:
        parser.error("--when has five fields")
    when = tuple(frozenset(range(*span)) if word == "*" else frozenset(map(int, word.split(","))) for word, span in zip(words, full))
    either = words[2] != "*" and words[4] != "*"
    ok = frozenset(map(int, given.ok.split(",")))
    return Entry(given.name, when, either, given.timeout, ok, given.delay, given.state, given.missed, given.unit, given.argv)


def due(entry: Entry, after: datetime.datetime, until: datetime.datetime) -> list[datetime.datetime]:
    """The times, later than *after* and not later than *until*, at which the entry is due. Local time, as cron and systemd have it."""
    minutes, hours, days, months, week = entry.when
    found = []
    day = max(after, until - LOOK_BACK).date()
    while day <= until.date():
        of_month, of_week = day.day in days, day.isoweekday() % 7 in week
        if day.month in months and ((of_month or of_week) if entry.either else (of_month and of_week)):
            found += [datetime.datetime.combine(day, datetime.time(hour, minute)) for hour in sorted(hours) for minute in sorted(minutes)]
        day += datetime.timedelta(days=1)
    return [moment for moment in found if after < moment <= until]


class Journal:
    """Writes to the journal. Where there is none, to syslog's file: standard error."""

    def __init__(self, name: str) -> None:
        self.fields = {"SYSLOG_IDENTIFIER": f"codex-ops-{name}", "CODEX_OPS_ENTRY": name}
        self.socket: socket.socket | None = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self.socket.connect(JOURNAL)
        except OSError:
            self.socket.close()
            self.socket = None

    def write(self, message: str, priority: int) -> None:
        """One line."""
        text = "".join(char if char == "\t" or (char.isprintable()) else "\N{REPLACEMENT CHARACTER}" for char in message)
        if self.socket is not None:
            fields = {**self.fields, "PRIORITY": str(priority), "MESSAGE": text}
            with contextlib.suppress(OSError):
                self.socket.send("".join(f"{key}={value}\n" for key, value in fields.items()).encode("utf-8"))
                return
        sys.stderr.write(f"{self.fields['SYSLOG_IDENTIFIER']}: {text}\n")


def kept(entry: Entry) -> tuple[dict[str, t.Any], datetime.datetime | None]:
    """What is known of the last run, and since when the schedule was kept."""
    try:
        known = json.loads((entry.state / f"{entry.name}.json").read_text("utf-8"))
        return known, datetime.datetime.fromtimestamp(float(known["handled"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    with contextlib.suppress(OSError):
        return {}, datetime.datetime.fromtimestamp(os.stat(CRON.format(entry.name)).st_mtime)
    return {}, None


def keep(entry: Entry, known: dict[str, t.Any], journal: Journal) -> None:
    """Write down what is known, all of it or nothing."""
    path = entry.state / f"{entry.name}.json"
    beside = entry.state / f".{entry.name}.{os.getpid()}"
    try:
        beside.write_text(json.dumps(known, sort_keys=True) + "\n", "utf-8")
        beside.replace(path)
    except OSError as error:
        journal.write(f"{path} cannot be written: {error.strerror}", ERROR)


def family() -> list[int]:
    """Everything that this process began, however it was detached: it is the reaper of its own orphans."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                parents[int(name)] = int(pathlib.Path("/proc", name, "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1])
    found: set[int] = set()
    here = {os.getpid()}
    while here:
        here = {pid for pid, parent in parents.items() if parent in here and pid not in found}
        found |= here
    return sorted(found)


def clear() -> int:
    """End what is left of a run; how many processes that were."""
    seen: set[int] = set()
    began = time.monotonic()
    while time.monotonic() < began + GRACE + 5:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        alive = family()
        if not alive:
            break
        for pid in alive:
            late = time.monotonic() > began + GRACE
            if pid not in seen or late:
                # One of another user (a helper of root's) is not ours to end: it has limits of its own.
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        seen.update(alive)
        time.sleep(0.05)
    return len(seen)


def run(entry: Entry, journal: Journal) -> tuple[int, float, list[str]]:
    """Run the command; its exit status, how many seconds it took, and the last that it said."""
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)
    began = time.monotonic()
    said: list[str] = []
    with subprocess.Popen(entry.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:

        def ended(_signal: int, _frame: t.Any) -> None:
            # flock hands nothing on, so everybody is told.
            for pid in family():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGTERM)

        signal.signal(signal.SIGTERM, ended)
        signal.signal(signal.SIGHUP, ended)
        status = drained(child, journal, said)
    return status, time.monotonic() - began, said


def drained(child: subprocess.Popen[bytes], journal: Journal, said: list[str]) -> int:
    """Pass on what the command says until it ends; what it left behind cannot keep this waiting."""
    os.set_blocking(child.stdout.fileno(), False)  # type: ignore[union-attr]
    rest, status = b"", None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        while True:
            ready = selector.select(timeout=0.2)
            part = child.stdout.read() if ready else None  # type: ignore[union-attr]
            if part:
                *lines, rest = (rest + part).split(b"\n")
                if len(rest) > LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    tell(line, journal, said)
                continue
            if status is not None or part == b"":
                break
            status = child.poll()
    if rest:
        tell(rest, journal, said)
    return child.wait()


def tell(line: bytes, journal: Journal, said: list[str]) -> None:
    """Pass one line on."""
    text = line[:LONGEST_LINE].decode("utf-8", "replace")
    journal.write(text, INFO)
    said.append(text)
    del said[:-20]


def judged(entry: Entry, status: int, seconds: float) -> tuple[str, str, int]:
    """(result, message, priority) of a run."""
    took = f"after {seconds:.0f} s"
    if status == TAKEN:
        return "skipped", "passed over: the run before, or another with the same lock, is still at it", WARNING
    if status in (124, 137, -9) and seconds >= entry.timeout - 1:
        return "timeout", f"ended {took}: it may last {entry.timeout} s", ERROR
    if status in entry.ok:
        return "ok", f"done {took} with status {status}", INFO
    words = f"signal {-status}" if status < 0 else f"status {status}"
    return "failed", f"failed {took} with {words}", ERROR


def main(argv: t.Sequence[str]) -> int:
    """Do one run."""
    entry = parsed(argv)
    os.umask(0o077)
    journal = Journal(entry.name)
    now = datetime.datetime.now()
    known, since = kept(entry)
    late = due(entry, since, now - datetime.timedelta(seconds=0 if entry.missed else ON_TIME)) if since is not None else []
    if entry.missed and not late:
        return 0
    if late:
        what = "this one makes up for them"
        journal.write(f"{len(late)} run(s) were missed, the first at {late[0]:%Y-%m-%d %H:%M}: {what}", WARNING)
    time.sleep(entry.delay)
    began = time.time()
    status, seconds, said = run(entry, journal)
    left = clear()
    result, message, priority = judged(entry, status, seconds)
    if left:
        message += f"; {left} process(es) that it left behind were ended"
    journal.write(message, NOTICE if priority == INFO and left else priority)
    if result != "skipped":
        # What came due meanwhile: systemd drops it silently, cron's own runs have said so themselves.
        passed = due(entry, now, datetime.datetime.now())
        if passed and entry.unit:
            journal.write(f"{len(passed)} run(s) were passed over while this one was at it", WARNING)
        last = {"began": began, "seconds": round(seconds, 1), "result": result, "status": status, "missed": len(late), "handled": time.time()}
        keep(entry, {**last, "skipped": known.get("skipped")}, journal)
    else:
        keep(entry, {**kept(entry)[0], "handled": time.time(), "skipped": began}, journal)
    if priority == ERROR:
        # The journal knows it already; cron makes a mail of it.
        if not entry.unit:
            sys.stdout.write("".join(f"{line}\n" for line in (f"{entry.name}: {message}", *said, f"All of it: journalctl -t codex-ops-{entry.name}")))
        return 124 if result == "timeout" else status if 0 < status < 126 else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
