# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs when: entries of the role schedule, held against what cron and systemd can both do, and written for each of them. PRIVATE.

Nothing here imports Ansible.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError

#: (name, lowest, highest, words) of the fields of a time, in cron's order.
FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
WORDS = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *"}
KEYS = {"name", "when", "run", "timeout", "lock", "delay", "ok", "helpers"}
#: The engine's command, and those of its exit statuses that are no failure: done, and waiting for an approval.
ENGINE, ENGINE_OK = "/opt/codex-ops/bin/codex-ops", (0, 3)
#: What the engine does without root's helpers.
ALONE = ("audit", "collect", "inbox", "status")
#: Where the program keeps locks and results unless it is told.
STATE = "/var/lib/codex-ops/schedule"
#: The status by which flock says that somebody else has the lock.
TAKEN = 213
#: cron cuts a longer command.
MAX_LINE = 900
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_PART = re.compile(r"(\*|[0-9a-z]+)(?:-([0-9a-z]+))?(?:/([0-9]+))?")
_SPAN = re.compile(r"([1-9][0-9]{0,6})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_WEEK = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def _fail(message: str, where: str, hint: str | None = None) -> t.NoReturn:
    raise CodexOpsError(message, code="schedule_invalid", outcome="rejected", where=where, hint=hint)


def _number(text: str, field: tuple[str, int, int, tuple[str, ...]], where: str) -> int:
    name, lowest, highest, words = field
    if text in words:
        return words.index(text) + (1 if name == "month" else 0)
    if not text.isdigit() or not lowest <= int(text) <= highest:
        _fail(f"expected for the {name} a number from {lowest} to {highest}, found {text!r}.", where)
    return int(text)


def _numbers(text: str, field: tuple[str, int, int, tuple[str, ...]], where: str) -> tuple[int, ...]:
    name, lowest, highest, _words = field
    found: set[int] = set()
    for part in text.lower().split(","):
        match = _PART.fullmatch(part)
        if not match or (match[1] == "*" and match[2]):
            _fail(f"expected for the {name} something like 5, 1-5, */10 or 1,15, found {part!r}.", where)
        first = lowest if match[1] == "*" else _number(match[1], field, where)
        last = highest if match[1] == "*" else _number(match[2], field, where) if match[2] else highest if match[3] else first
        step = int(match[3] or 1)
        if step < 1 or last < first:
            _fail(f"expected for the {name} a range that goes up and a step from 1, found {part!r}.", where)
        if match[3] and match[1] != "*" and not match[2]:
            _fail(f"a step needs a range, found {part!r}.", where, f"Write {match[1]}-{highest}/{match[3]}.")
        found.update(range(first, last + 1, step))
    if name == "day of the week":
        found = {day % 7 for day in found}
    return tuple(sorted(found))


def times(when: str, where: str) -> tuple[tuple[int, ...], ...]:
    """The minutes, hours, days of the month, months and days of the week (0 is Sunday) that *when* names.

    :raises CodexOpsError: ``schedule_invalid``.
    """
    hint = "Five fields as in crontab(5): minute, hour, day of the month, month, day of the week; or @hourly, @daily, @weekly, @monthly."
    words = WORDS.get(when.strip(), when).split()
    if len(words) != 5:
        _fail(f"expected a time of five fields, found {when!r}.", where, hint)
    found = tuple(_numbers(word, field, where) for word, field in zip(words, FIELDS))
    _minutes, _hours, days, months, week = found
    if len(week) == 7 and not any(days[0] <= _DAYS[month - 1] for month in months):
        _fail(f"no such day ever comes: {when!r}.", where)
    return found


def _fields(found: tuple[tuple[int, ...], ...]) -> list[str]:
    full = (60, 24, 31, 12, 7)
    return ["*" if len(numbers) == all_of_them else ",".join(map(str, numbers)) for numbers, all_of_them in zip(found, full)]


def calendars(found: tuple[tuple[int, ...], ...]) -> list[str]:
    """The values of ``OnCalendar=`` that mean the same. Where cron is given both kinds of days, either is enough, hence two."""
    minute, hour, day, month, _week = _fields(found)
    week = ",".join(_WEEK[number] for number in found[4]) + " " if len(found[4]) < 7 else ""
    clock = f"{hour}:{minute}:00"
    if week and day != "*":
        return [f"{week}*-{month}-* {clock}", f"*-{month}-{day} {clock}"]
    return [f"{week}*-{month}-{day} {clock}"]


def span(value: t.Any, where: str, lowest: int, highest: int) -> int:
    """Seconds in ``90``, ``15m``, ``8h``.

    :raises CodexOpsError: ``schedule_invalid``.
    """
    match = _SPAN.fullmatch(str(value)) if not isinstance(value, bool) else None
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0 if str(value) == "0" else -1
    if not lowest <= seconds <= highest:
        _fail(f"expected a time from {lowest} to {highest} seconds, such as 90, 15m or 2h, found {value!r}.", where)
    return seconds


def _argv(value: t.Any, where: str) -> list[str]:
    hint = "It is run without a shell. Put pipes, lists and redirections into a script, and run that."
    if isinstance(value, str):
        lexer = shlex.shlex(value, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = ""
        try:
            words = list(lexer)
        except ValueError as error:
            _fail(f"the command is not complete: {error}.", where)
        wrong = next((word for word in words if word and set(word) <= set("();<>|&")), None)
        if wrong:
            _fail(f"{wrong!r} has no meaning here.", where, hint)
    elif isinstance(value, list) and all(isinstance(word, str) for word in value):
        words = list(value)
    else:
        _fail("expected a command, as a text or a list of texts.", where)
    if not words or not words[0].startswith("/"):
        _fail(f"expected a program by its absolute path, found {words[0] if words else ''!r}.", where, hint)
    for word in words:
        if any(ord(char) < 32 or ord(char) == 127 for char in word):
            _fail(f"a word of the command holds a line break or another control character: {word!r}.", where, hint)
    return words


def spread(seed: str, most: int) -> int:
    """A number of seconds from 0 to *most* that is always the same for *seed*, and anything for another."""
    return int.from_bytes(hashlib.sha256(seed.encode("utf-8")).digest()[:8], "big") % (most + 1)


def _for_unit(argv: t.Sequence[str]) -> str:
    """*argv* as ``ExecStart=`` takes it."""
    words = []
    for word in argv:
        escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
        words.append(escaped if re.fullmatch(r"[A-Za-z0-9_@%+=:,./\\$-]+", escaped) else f'"{escaped}"')
    return " ".join(words)


def entries(given: t.Any, host: str, folder: str, state: str, python: str) -> list[dict[str, t.Any]]:
    """What the role writes for each entry.

    :arg given: The entries, as the user wrote them.
    :arg host: The name of the host, by which delays differ between hosts.
    :arg folder: Where the program ``scheduled.py`` lies on the host.
    :arg state: The folder for locks and results.
    :arg python: The interpreter that runs it.
    :raises CodexOpsError: ``schedule_invalid``, naming the entry and the key.
    """
    found: list[dict[str, t.Any]] = []
    for number, entry in enumerate(given if isinstance(given, list) else _fail("expected a list of entries.", "schedule_entries")):
        where = f"schedule_entries[{number}]"
        if not isinstance(entry, dict):
            _fail("expected a dictionary.", where)
        unknown = sorted(set(map(str, entry)) - KEYS)
        if unknown:
            _fail(f"there is no key {unknown[0]!r}.", where, "Known: " + ", ".join(sorted(KEYS)) + ".")
        for key in ("name", "when", "run"):
            if entry.get(key) is None:
                _fail(f"the key {key!r} is missing.", where)
        name = entry["name"]
        for key, value in (("name", name), ("lock", entry.get("lock") or name)):
            if not isinstance(value, str) or not _NAME.fullmatch(value):
                # cron passes over files in cron.d with a dot in their name.
                _fail(f"expected up to 40 lower-case letters, digits and hyphens, found {value!r}.", f"{where}.{key}")
        if name in (other["name"] for other in found):
            _fail(f"{name!r} is the name of another entry, too.", f"{where}.name")
        found.append(_entry(entry, where, host, folder, state, python))
    return found


def _entry(entry: dict[str, t.Any], where: str, host: str, folder: str, state: str, python: str) -> dict[str, t.Any]:
    name, argv = entry["name"], _argv(entry["run"], f"{where}.run")
    found = times(str(entry["when"]), f"{where}.when")
    timeout = span(entry.get("timeout") or "1h", f"{where}.timeout", 1, 7 * 86400)
    most = span(entry.get("delay") or 0, f"{where}.delay", 0, 3600)
    good = entry.get("ok") or (ENGINE_OK if argv[0] == ENGINE else (0,))
    if not isinstance(good, (list, tuple)) or not all(isinstance(code, int) and not isinstance(code, bool) and 0 <= code <= 125 for code in good):
        _fail(f"expected a list of exit statuses from 0 to 125, found {good!r}.", f"{where}.ok")
    lock = f"{state}/{entry.get('lock') or name}.lock"
    head = [python, "-I", f"{folder}/scheduled.py", "--name", name, "--when", " ".join(_fields(found)), "--timeout", str(timeout)]
    head += ["--ok", ",".join(map(str, sorted(set(good))))]
    tail = ["--", "/usr/bin/flock", "-n", "-E", str(TAKEN), lock, "/usr/bin/timeout", "--kill-after=10", str(timeout), *argv]
    head += [] if state == STATE else ["--state", state]
    delay = spread(f"{host} {name}", most)
    head += ["--delay", str(delay)] if delay else []
    line = shlex.join([*head, *tail]).replace("%", r"\%")
    if len(line) + len(" --missed") > MAX_LINE:
        _fail(f"the command is too long for cron, by {len(line) + 9 - MAX_LINE} characters.", f"{where}.run", "Put it into a script, and run that.")
    return {
        "name": name,
        "cron": " ".join(_fields(found)),
        "cron_command": line,
        "cron_missed": shlex.join([*head, "--missed", *tail]).replace("%", r"\%"),
        "calendars": calendars(found),
        "unit_command": _for_unit([*head, "--unit", *tail]),
        "delay": delay,
        "timeout": timeout,
        "helpers": bool(entry.get("helpers", argv[0] == ENGINE and (argv + [""])[1] not in ALONE)),
        # A collector has to see processes, owners and files as they are.
        "collects": argv[0] == ENGINE and argv[1:2] == ["collect"],
    }
