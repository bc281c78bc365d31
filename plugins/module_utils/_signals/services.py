# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""services: units and processes that should run, and units that start again and again. PRIVATE."""

from __future__ import annotations

import os
import typing as t

from .._errors import CodexOpsError
from . import processes, tools
from .options import Option
from .report import CRITICAL, WARNING, Report, Seen

WHAT = "Units and processes that should run, and units that systemd starts again and again."
OPTIONS: dict[str, Option] = {
    "units": Option("texts", [], "Units that must be active. A name without a dot is a service."),
    "processes": Option(
        "tables", [], "Processes that must be there.",
        keys={
            "name": Option("text", None, "The name of the program, without its folder.", required=True),
            "argument": Option("text", None, "A word that its command line must hold."),
            "min": Option("int", 1, "At least so many.", minimum=0),
            "max": Option("int", None, "At most so many.", minimum=0),
        },
    ),
    "restarts": Option("bool", None, "Whether restarts of all services are looked at. Without it, they are where no processes are named, or units are."),
    "restarts_warning": Option("int", 3, "From so many restarts of a service within the window on, there is a warning.", minimum=1),
    "restarts_critical": Option("int", 10, "From so many on, it is critical.", minimum=1),
    "restarts_window": Option("span", "1h", "The time in which restarts are counted. It needs what was remembered of the time before.", minimum=60),
}  # fmt: skip
#: It remembers how often units had been restarted.
REMEMBERS = True

_PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState,Result,ExecMainStatus,NRestarts"
_POINTS = 32


def collect(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """Look at the units, then at the processes.

    :raises CodexOpsError: ``option_invalid`` for a name that is none.
    """
    units = [name if "." in name else f"{name}.service" for name in options["units"]]
    for number, name in enumerate(units):
        if name.startswith("-") or any(letter.isspace() or letter in "*?[" for letter in name):
            where = f"options.units[{number}]"
            raise CodexOpsError(f"expected the name of a unit, found {name[:80]!r}.", code="option_invalid", outcome="rejected", where=where)
    report.thresholds["restarts_warning"] = options["restarts_warning"]
    report.thresholds["restarts_critical"] = options["restarts_critical"]
    restarts = options["restarts"] if options["restarts"] is not None else bool(units) or not options["processes"]
    if units:
        _units(units, seen, report)
    if restarts:
        _restarts(options, seen, report)
    if options["processes"]:
        _processes(options["processes"], seen, report)
    report.good = "All that should run does, and nothing starts again and again."


def show(seen: Seen, arguments: t.Sequence[str]) -> list[dict[str, str]]:
    """The properties of units, as systemctl shows them.

    :raises Missing: where there is no systemd that answers.
    """
    found: list[dict[str, str]] = [{}]

    def take(line: str) -> None:
        name, sign, value = line.partition("=")
        if sign:
            found[-1][name] = value
        elif not line and found[-1]:
            found.append({})

    ended = tools.lines(seen, ["systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", *arguments], take, timeout=30)
    if ended.code != 0:
        raise tools.Missing(f"systemctl: {ended.words.splitlines()[-1] if ended.words else f'exit status {ended.code}'}")
    return [unit for unit in found if unit.get("Id")]


def _units(units: t.Sequence[str], seen: Seen, report: Report) -> None:
    try:
        found = show(seen, ["--", *units])
    except tools.Missing as error:
        for name in units:
            report.missed(name, str(error))
        return
    # One block for each name, in their order.
    for name, unit in zip(units, found):
        active, sub = unit.get("ActiveState", ""), unit.get("SubState", "")
        if active == "active" or (active == "reloading"):
            continue
        load = unit.get("LoadState", "")
        observed = "there is no such unit" if load == "not-found" else f"{active} ({sub})"
        detail = f"Load state {load}, unit file {unit.get('UnitFileState') or 'none'}, result {unit.get('Result')}, exit status {unit.get('ExecMainStatus')}."
        severity = WARNING if active == "activating" and sub != "auto-restart" else CRITICAL
        report.add(severity, "unit", name, expected="active", observed=observed, detail=detail)
    for name in units[len(found) :]:
        report.missed(name, "systemctl did not say anything about it.")


def _restarts(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    try:
        found = show(seen, ["--", "*.service"])
    except tools.Missing as error:
        report.missed("restarts", str(error))
        return
    window = options["restarts_window"]
    kept = seen.memory.get("restarts")
    memory: dict[str, list[list[float]]] = {}
    for unit in found:
        name, count = unit["Id"], int(unit["NRestarts"]) if unit.get("NRestarts", "").isdigit() else 0
        points = [[float(when), int(number)] for when, number in _pairs(kept.get(name) if isinstance(kept, dict) else None) if when < seen.now]
        # The counter begins anew when somebody starts the unit by hand.
        points = [pair for pair in points if pair[1] <= count]
        older = [pair for pair in points if pair[0] <= seen.now - window][-1:]
        points = [*older, *(pair for pair in points if pair[0] > seen.now - window)]
        # What had no restart before is not remembered; the first time, nobody knows when they were.
        risen = count - (points[0][1] if points else 0 if isinstance(kept, dict) else count)
        if count:
            memory[name] = [*points, [seen.now, count]][-_POINTS:]
        if unit.get("SubState") == "auto-restart" or risen >= options["restarts_warning"]:
            severity = CRITICAL if risen >= options["restarts_critical"] else WARNING
            observed = f"{risen} restarts, now {unit.get('ActiveState')} ({unit.get('SubState')})"
            report.add(severity, "restarts", name, expected=f"less than {options['restarts_warning']} restarts in {window} s", observed=observed)
    report.memory = {"restarts": memory}


def _pairs(kept: t.Any) -> t.Iterator[tuple[float, float]]:
    for pair in kept if isinstance(kept, list) else ():
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(number, (int, float)) for number in pair):
            yield pair[0], pair[1]


def _processes(wanted: t.Sequence[dict[str, t.Any]], seen: Seen, report: Report) -> None:
    running = [process for process in processes.every(seen.left) if process.state not in "ZX"]
    if seen.left() <= 0:
        for rule in wanted:
            report.missed(rule["name"], "The time was over before all processes were looked at.")
        return
    for rule in wanted:
        count = 0
        for process in running:
            # A script is named by its interpreter's first argument too.
            named = {process.name, *(os.path.basename(word) for word in process.words[:2])}
            if rule["name"] in named and (rule["argument"] is None or any(rule["argument"] in word for word in process.words)):
                count += 1
        resource = rule["name"] if rule["argument"] is None else f"{rule['name']} {rule['argument']}"
        report.measure("processes", count, of=resource)
        if count < rule["min"]:
            report.add(CRITICAL, "process", resource, expected=f"at least {rule['min']}", observed=count)
        elif rule["max"] is not None and count > rule["max"]:
            report.add(WARNING, "process", resource, expected=f"at most {rule['max']}", observed=count)
