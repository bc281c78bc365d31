# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered between two deliveries: which tickets there are, what people were told when, and how the hook took it. PRIVATE.

Two files, each written by who holds its lock and read by anybody: a hook that is slow keeps nobody from writing tickets, and a
ticket that takes long keeps nobody from remembering what was sent.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .._errors import CodexOpsError
from . import files
from .settings import SEVERITIES

#: The version of the forms that this engine writes. It refuses a newer one.
VERSION = 1
#: Tickets, things that were told, messages that were dealt with, and tickets in a summary that are remembered.
MOST_TICKETS, MOST_TOLD, MOST_SENT, MOST_HELD = 2000, 5000, 2000, 50
#: Messages that were given up that are remembered.
MOST_GIVEN_UP = 50
#: Seconds before the second call after a failure, doubled each time, and the most that it comes to.
FIRST_DELAY, LONGEST_DELAY = 30.0, 3600.0
HOUR = 3600.0
_S = t.TypeVar("_S", "State", "Sending")


def delay(failures: float) -> float:
    """Seconds to wait after so many failures."""
    return 0.0 if failures < 1 else min(FIRST_DELAY * 2.0 ** min(failures - 1, 30), LONGEST_DELAY)


@dataclasses.dataclass
class State:
    """Of who writes tickets. Times are in seconds since the epoch.

    ``seen``: the newest change of a closed job that was looked at. ``tickets``: by key, each with ``ticket``, ``job``, ``created``, ``mark``,
    ``open`` and ``at``. ``told``: by what was told, with ``at``, ``severity``, ``ticket``, ``message``, and ``over`` once that is resolved.
    """

    seen: float = 0.0
    tickets: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    told: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)

    def tidy(self) -> None:
        """Keep the newest of what there is too much of."""
        self.told = _newest(self.told, MOST_TOLD, lambda entry: float(entry["at"]))

    def fits(self) -> bool:
        """Whether the parts are such as are written here."""
        return _have(self.tickets, {"ticket", "job", "created", "mark", "open", "at"}) and _have(self.told, {"at", "severity"})


@dataclasses.dataclass
class Sending:
    """Of who calls the hook. Times are in seconds since the epoch.

    ``sent``: when alerts went, in the last hour. ``done``: messages that are dealt with. ``opened``: tickets of which the hook knows that they
    are open, with when it was told. ``tries``: messages that failed, with ``calls``, ``refused`` (those that the hook itself refused), ``at`` and
    ``why``. ``given_up``: messages that were refused too often, with ``at``, ``why`` and what they were about. ``held``: tickets that a summary is
    going to name, ``held_count`` of them; ``summaries`` is how many there were before. ``failures``, ``not_before`` and ``why`` are of the hook as a
    whole, and ``refused`` is the last message that it refused since it took one.
    """

    sent: list[float] = dataclasses.field(default_factory=list)
    done: dict[str, float] = dataclasses.field(default_factory=dict)
    opened: dict[str, float] = dataclasses.field(default_factory=dict)
    tries: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    given_up: dict[str, dict[str, t.Any]] = dataclasses.field(default_factory=dict)
    held: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    held_count: int = 0
    summaries: int = 0
    failures: int = 0
    not_before: float = 0.0
    why: str | None = None
    refused: str | None = None

    def recent(self, now: float) -> int:
        """How many alerts went within the last hour. Times that lie ahead are of a clock that was set back."""
        return sum(1 for at in self.sent if now - HOUR < at <= now)

    def waits(self, now: float) -> bool:
        """Whether the hook is left in peace for now."""
        return now < self.not_before <= now + LONGEST_DELAY

    def rests(self, now: float, why: str) -> None:
        """The hook as a whole failed, so leave it in peace for a while."""
        self.failures += 1
        self.not_before, self.why = now + delay(self.failures), why

    def took(self, message: str, now: float) -> None:
        """The hook took a message."""
        self.failures, self.not_before, self.why, self.refused = 0, 0.0, None, None
        self.sent = [*(at for at in self.sent if now - HOUR < at <= now), now]
        self.over(message, now)

    def over(self, message: str, now: float) -> None:
        """A message is dealt with."""
        self.done[message] = now
        self.tries.pop(message, None)

    def tidy(self) -> None:
        """Keep the newest of what there is too much of, and the worst of what is held."""
        self.done = _newest(self.done, MOST_SENT, float)
        self.opened = _newest(self.opened, MOST_SENT, float)
        self.given_up = _newest(self.given_up, MOST_GIVEN_UP, lambda entry: float(entry["at"]))
        self.held = sorted(self.held, key=lambda one: SEVERITIES.get(str(one.get("severity")), 0))[-MOST_HELD:]

    def fits(self) -> bool:
        """Whether the parts are such as are written here."""
        parts = _have(self.tries, {"calls", "refused", "at", "why"}) and _have(self.given_up, {"at", "why"})
        numbers = [*self.sent, *self.done.values(), *self.opened.values()]
        return parts and all(isinstance(one, (int, float)) for one in numbers) and all(isinstance(one, dict) for one in self.held)


def _have(entries: t.Mapping[str, t.Any], names: set[str]) -> bool:
    return all(isinstance(entry, dict) and names <= set(entry) for entry in entries.values())


def _path(folder: str, kind: type[State] | type[Sending]) -> str:
    return os.path.join(folder, "state.json" if kind is State else "sending.json")


def _newest(entries: dict[str, t.Any], limit: int, at: t.Callable[[t.Any], float]) -> dict[str, t.Any]:
    if len(entries) <= limit:
        return entries
    return dict(sorted(entries.items(), key=lambda item: at(item[1]))[-limit:])


def load(folder: str, kind: type[_S]) -> _S | None:
    """What is remembered in *folder*; ``None`` where nothing is, or what is there is damaged.

    :raises CodexOpsError: ``newer_state``.
    :raises OSError: it cannot be read.
    """
    found = files.read_json(_path(folder, kind))
    if found is None:
        return None
    version = found.get("version")
    if isinstance(version, int) and not isinstance(version, bool) and version > VERSION:
        raise CodexOpsError(
            f"What was delivered was written by a newer engine (form {version}, this one knows {VERSION}).",
            code="newer_state",
            outcome="newer_state",
            where=_path(folder, kind),
            hint="Use that engine, or a newer one.",
        )
    blank = kind()
    known = {field.name: found[field.name] for field in dataclasses.fields(kind) if field.name in found}
    if not known or not all(_like(value, getattr(blank, name)) for name, value in known.items()):
        return None
    state = kind(**known)
    return state if state.fits() else None


def set_aside(folder: str, kind: type[State] | type[Sending]) -> str | None:
    """Put a damaged file out of the way, for people to look at, and say so; ``None`` where there is none. To be done under its lock.

    :raises OSError:
    """
    path = _path(folder, kind)
    if not os.path.lexists(path) or load(folder, t.cast("type[State]", kind)) is not None:
        return None
    os.rename(path, path + ".damaged")
    return f"{path} was damaged. It is {path}.damaged now. What can be told from the rest is kept."


def _like(value: t.Any, blank: t.Any) -> bool:
    if blank is None:
        return value is None or isinstance(value, str)
    if isinstance(blank, (int, float)):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, type(blank))


def save(folder: str, state: State | Sending) -> None:
    """Remember *state*, all or nothing.

    :raises OSError:
    """
    state.tidy()
    files.write_json(_path(folder, type(state)), {"version": VERSION, **dataclasses.asdict(state)})
