# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a test of this host does: let the clock's own units look, read the inbox, and say which promise is broken."""

from __future__ import annotations

import json
import pathlib
import sys
import time
import typing as t

from world import as_codex_ops, call

STATE = pathlib.Path("/var/lib/codex-ops")
COMMAND = "/opt/codex-ops/bin/codex-ops"
OPEN = ("pending", "planned", "awaiting_approval", "approved")
_FAILURES: list[str] = []


def hold(good: object, promise: str, found: object = "") -> None:
    """Say that *promise* is broken, where it is, with what was *found* instead."""
    if not good:
        _FAILURES.append(f"{promise}{f': {found}' if found != '' else ''}"[:3000])


def end() -> None:
    """End with all that is broken."""
    for line in _FAILURES:
        print(f"BROKEN: {line}")
    sys.exit(1 if _FAILURES else 0)


def codex_ops(*argv: str) -> dict[str, t.Any]:
    """What the command says to codex-ops."""
    said: dict[str, t.Any] = json.loads(as_codex_ops(COMMAND, *argv, "--json", check=False))
    if said.get("code") in ("option_invalid", "usage"):
        raise SystemExit(f"The test's own call is wrong: codex-ops {' '.join(argv)}: {said['msg']}")
    return said


def begin() -> None:
    """An empty inbox, and nothing remembered: what a part of the test found keeps nothing away from the next."""
    for path in (*STATE.glob("inbox.sqlite3*"), *STATE.glob("signals/*")):
        path.unlink()


def tick(name: str) -> None:
    """Do what the clock does: the unit that the role schedule wrote, with its user and its walls."""
    unit = f"codex-ops-schedule-{name}.service"
    call("systemctl", "reset-failed", unit, check=False)
    call("systemctl", "start", unit, check=False)
    last = json.loads((STATE / f"schedule/{name}.json").read_text("utf-8"))
    hold(last["result"] == "ok", f"a look of {name} that the clock starts goes well", last)


def look(name: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """The signal of one collector, of which no job is made."""
    return t.cast("dict[str, t.Any]", codex_ops("collect", name, "--options", json.dumps(options))["signal"])


def jobs(slice_: str, states: t.Collection[str] = OPEN) -> list[dict[str, t.Any]]:
    """The jobs of a slice, newest first."""
    argv = [word for state in states for word in ("--state", state)]
    return t.cast("list[dict[str, t.Any]]", codex_ops("inbox", "list", "--slice", slice_, "--limit", "500", *argv)["jobs"])


def bad(signal: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """The findings that make a status, by their IDs."""
    return {found["id"]: found for found in signal["findings"] if found["severity"] != "INFO"}


def until(what: str, look_: t.Callable[[], t.Any], seconds: float = 60) -> t.Any:
    """What *look_* finds, as soon as it finds something."""
    late = time.monotonic() + seconds
    while time.monotonic() < late:
        found = look_()
        if found:
            return found
        time.sleep(0.2)
    hold(False, what, f"not within {seconds:.0f} s")
    return None
