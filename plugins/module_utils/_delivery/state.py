# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered between two deliveries: which tickets there are, and what people were told when. PRIVATE."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .._errors import CodexOpsError
from . import files

#: The version of the form that this engine writes. It refuses a newer one.
VERSION = 1
#: Tickets, things that were told, messages that were sent, and tickets in a summary that are remembered: the newest.
MOST_TICKETS, MOST_TOLD, MOST_SENT, MOST_HELD = 2000, 5000, 2000, 50
#: Seconds before the second call of a hook that failed, doubled each time, and the most that it comes to.
FIRST_DELAY, LONGEST_DELAY = 30.0, 3600.0
HOUR = 3600.0


@dataclasses.dataclass
class State:
    """Times are in seconds since the epoch.

    ``seen``: the newest change of a closed job that was looked at. ``tickets``: by key, each with ``ticket``, ``job``, ``created``, ``mark``,
    ``open`` and ``at``. ``told``: by what was told, with ``at`` and ``severity``. ``sent``: when alerts went, in the last hour. ``done``: messages
    that are dealt with. ``held``: tickets that a summary is going to name, ``held_count`` of them; ``summaries`` is how many there were before.
    ``failures``, ``not_before`` and ``why`` are of the hook.
    """

    seen: float = 0.0
    tickets: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    told: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    sent: list[float] = dataclasses.field(default_factory=list)
    done: dict[str, float] = dataclasses.field(default_factory=dict)
    held: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    held_count: int = 0
    summaries: int = 0
    failures: int = 0
    not_before: float = 0.0
    why: str | None = None

    def recent(self, now: float) -> int:
        """How many alerts went within the last hour. Times that lie ahead are of a clock that was set back."""
        self.sent = [at for at in self.sent if now - HOUR < at <= now]
        return len(self.sent)

    def failed(self, now: float, why: str) -> None:
        """The hook was called, and failed."""
        self.failures += 1
        self.not_before = now + min(FIRST_DELAY * 2.0 ** min(self.failures - 1, 30), LONGEST_DELAY)
        self.why = why

    def waits(self, now: float) -> bool:
        """Whether the hook is left in peace for now."""
        return now < self.not_before <= now + LONGEST_DELAY

    def succeeded(self, message: str, now: float) -> None:
        """A message was taken."""
        self.failures, self.not_before, self.why = 0, 0.0, None
        self.sent.append(now)
        self.done[message] = now


def _path(folder: str) -> str:
    return os.path.join(folder, "state.json")


def _newest(entries: dict[str, t.Any], limit: int, at: t.Callable[[t.Any], float]) -> dict[str, t.Any]:
    if len(entries) <= limit:
        return entries
    return dict(sorted(entries.items(), key=lambda item: at(item[1]))[-limit:])


def load(folder: str) -> State | None:
    """What is remembered in *folder*; ``None`` where nothing is, or what is there is damaged.

    :raises CodexOpsError: ``newer_state``.
    :raises OSError: it cannot be read.
    """
    found = files.read_json(_path(folder))
    if found is None:
        return None
    version = found.pop("version", None)
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        raise CodexOpsError(
            f"What was delivered was written by a newer engine (form {version}, this one knows {VERSION}).",
            code="newer_state",
            outcome="newer_state",
            where=_path(folder),
            hint="Use that engine, or a newer one.",
        )
    blank = State()
    try:
        state = State(**found)
        fits = all(_like(getattr(state, field.name), getattr(blank, field.name)) for field in dataclasses.fields(State))
        fits = fits and all({"ticket", "job", "created", "mark", "open", "at"} <= set(entry) for entry in state.tickets.values())
        return state if fits and all({"at", "severity"} <= set(entry) for entry in state.told.values()) else None
    except TypeError:
        return None


def _like(value: t.Any, blank: t.Any) -> bool:
    if blank is None:
        return value is None or isinstance(value, str)
    if isinstance(blank, (int, float)):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, type(blank))


def save(folder: str, state: State) -> None:
    """Remember *state*, all or nothing.

    :raises OSError:
    """
    state.told = _newest(state.told, MOST_TOLD, lambda entry: float(entry["at"]))
    state.done = _newest(state.done, MOST_SENT, float)
    state.held = state.held[-MOST_HELD:]
    files.write_json(_path(folder), {"version": VERSION, **dataclasses.asdict(state)})
