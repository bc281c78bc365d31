# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages that wait are sent: at least once, each under the same ID every time, the worst first, within the limit of an hour. PRIVATE.

A message that the hook refuses waits by itself, longer each time, and is given up in the end: it never keeps another one from being
sent. The hook as a whole is left in peace when it cannot be reached, or when it refuses different messages. Even then each message
is tried once.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from .._canonical import digest
from . import files
from .hook import Unreached
from .journal import BEGUN, REFUSED, TAKEN, UNREACHED, Call, Journal, calls, in_doubt
from .outbox import OPEN, RESOLVED, SUMMARY, path, put, sendings, waiting
from .settings import SEVERITIES, Alert
from .state import HOUR, LONGEST_DELAY, Sending, delay, load, save, set_aside

#: Messages that wait; of more than that, the least of the oldest become part of a summary.
MOST = 200
#: Calls of one pass, and calls after which a message that is refused is given up: that takes most of a day.
AT_ONCE, MOST_CALLS = 20, 24
_CRITICAL = SEVERITIES["CRITICAL"]


class Message(t.NamedTuple):
    """A message that waits. ``rank``: how bad it is, with -1 for what is over."""

    id: str
    rank: int
    created: float
    about: dict[str, t.Any]
    body: str


class Sent(t.NamedTuple):
    """What came of one pass: messages that went, that were held back, why the hook failed, if it did, what could not be remembered, and warnings."""

    messages: tuple[str, ...] = ()
    held: int = 0
    failure: str | None = None
    problem: OSError | None = None
    warnings: tuple[str, ...] = ()


class View:
    """What waits, and what of it may go."""

    def __init__(self, folder: str, alert: Alert, state: Sending, known: t.Sequence[Call]) -> None:
        self.folder = folder
        self.alert = alert
        self.state = state
        self.calls: t.Sequence[Call] = known
        self.messages: dict[str, Message] = {}
        self.broken: list[str] = []
        self.look()
        self._merge()

    def look(self) -> None:
        """Look at what waits by now."""
        names = set(waiting(self.folder))
        self.messages = {name: message for name, message in self.messages.items() if name in names}
        for name in names - set(self.messages) - set(self.broken):
            message = None if name in self.state.done else _read(self.folder, name)
            if message is None:
                self.broken.append(name)
            else:
                self.messages[name] = message

    def _merge(self) -> None:
        """What was noted and not remembered."""
        self.doubtful, self.taken = in_doubt(self.calls), {call.message: call.at for call in self.calls if call.how == TAKEN}
        for name in self.messages:
            mine = [call for call in self.calls if call.message == name]
            if mine and name not in self.taken:
                old = self.state.tries.get(name, {"calls": 0, "refused": 0, "at": 0.0, "why": "the engine was ended on the way"})
                refused = sum(1 for call in mine if call.how in (BEGUN, REFUSED))
                counts = {"calls": max(old["calls"], len(mine)), "refused": max(old["refused"], refused), "at": max(old["at"], mine[-1].at)}
                self.state.tries[name] = {**old, **counts}

    def recent(self, now: float) -> int:
        """How many alerts may have gone within the last hour."""
        return max(self.state.recent(now), sum(1 for call in self.calls if call.how in (BEGUN, TAKEN) and now - HOUR < call.at <= now))

    def room(self, rank: int, now: float, message: str = "") -> bool:
        """Whether one more may go. One is kept for what is critical."""
        used = self.recent(now) - (1 if now - HOUR < self.doubtful.get(message, 0.0) <= now else 0)
        return used < (self.alert.per_hour if rank >= _CRITICAL else max(1, self.alert.per_hour - 1))

    def until(self, name: str) -> float:
        """Until when a message is left alone."""
        tries = self.state.tries.get(name)
        # One that a killed process had begun is sent again at once, the first time.
        return 0.0 if tries is None else tries["at"] + delay(tries["refused"] - (1 if name in self.doubtful else 0))

    def following(self, now: float, tried: t.Collection[str] = ()) -> Message | None:
        """The message that goes next: what was tried least, then the worst, then a summary, then the oldest."""
        resting, able = self.state.waits(now), []
        for message in self.messages.values():
            tries = self.state.tries.get(message.id)
            paused = tries is not None and (resting or now < self.until(message.id) <= now + LONGEST_DELAY)
            if message.id not in tried and message.id not in self.taken and not paused and self.room(message.rank, now, message.id):
                count = 0 if tries is None else tries["calls"] - (1 if message.id in self.doubtful else 0)
                able.append((count, -message.rank, not message.id.startswith(SUMMARY), message.created, message.id))
        return self.messages[min(able)[-1]] if able else None

    def crowded(self, now: float) -> list[Message]:
        """The messages of which a summary is to tell: those for which there is no room within the hour, and the least of too many."""
        free = [one for one in self.messages.values() if one.id.startswith(OPEN) and one.id not in self.doubtful and one.id not in self.taken]
        free = [one for one in free if self.state.tries.get(one.id, {"refused": 0})["refused"] == 0]
        found = [one for one in free if not self.room(one.rank, now)]
        rest = sorted((one for one in free if one not in found), key=lambda one: (one.rank, one.created))
        return found + rest[: max(0, len(self.messages) - len(found) - MOST)]

    def summary_due(self, now: float) -> bool:
        """Whether there is something to tell of, and room for it."""
        untried = any(name.startswith(SUMMARY) and name not in self.state.tries for name in self.messages)
        return bool(self.state.held_count) and not untried and self.room(self.worst(), now)

    def worst(self) -> int:
        """How bad the worst is of which a summary is to tell."""
        return max((SEVERITIES.get(str(one.get("severity")), 0) for one in self.state.held), default=0)

    def due(self, now: float) -> bool:
        """Whether there is anything to do."""
        done = self.broken or any(name in self.taken for name in self.messages)
        return bool(done or self.following(now) or self.crowded(now) or self.summary_due(now))


def _read(folder: str, name: str) -> Message | None:
    found = files.read_json(path(folder, name)) or {}
    body, about, created = found.get("body"), found.get("about"), found.get("created")
    if found.get("id") != name or not isinstance(body, str) or not body.isascii() or not isinstance(about, dict) or not isinstance(created, (int, float)):
        return None
    return Message(name, -1 if name.startswith(RESOLVED) else SEVERITIES.get(str(about.get("severity")), 0), created, about, body)


def view(folder: str, alert: Alert) -> View:
    """How things stand, for who only looks.

    :raises CodexOpsError: ``newer_state``.
    :raises OSError:
    """
    return View(folder, alert, sendings(folder), calls(folder))


def send(folder: str, host: str, alert: Alert, call: t.Callable[[str, bytes], str | None], *, seconds: float, clock: t.Callable[[], float]) -> Sent:
    """Send what waits, as far as the hook, its limit and the time allow.

    :arg call: Sends one message, by its ID and body; why that failed, or ``None``. :class:`Unreached` says that no message would do better.
    :arg seconds: After that, no further message is begun.
    :arg clock: Seconds since the epoch.
    :raises OSError: no call can be noted, so none is made.
    """
    with files.locked(os.path.join(folder, "sending"), 0.0) as mine:
        if not mine:
            return Sent()
        warning = set_aside(folder, Sending)
        with Journal(folder) as journal:
            done = _Pass(folder, host, alert, call, clock, journal).all(seconds)
        return done._replace(warnings=(*([warning] if warning else []), *done.warnings))


class _Pass(View):
    """One pass, by who holds the lock of those who send."""

    def __init__(
        self, folder: str, host: str, alert: Alert, call: t.Callable[[str, bytes], str | None], clock: t.Callable[[], float], journal: Journal
    ) -> None:
        super().__init__(folder, alert, load(folder, Sending) or Sending(), journal.calls)
        self._host = host
        self._call = call
        self._clock = clock
        self._journal = journal
        self._problem: OSError | None = None
        self._warnings: list[str] = []

    def all(self, seconds: float) -> Sent:
        """Send, and hold back."""
        self._settle()
        sent: list[str] = []
        tried: list[str] = []
        failure, until = None, time.monotonic() + seconds
        while len(tried) < AT_ONCE and time.monotonic() < until:
            self._summarise()
            self.look()
            message = self.following(self._clock(), tried)
            if message is None:
                break
            tried.append(message.id)
            try:
                why = self._send(message)
            except OSError as error:
                self._problem = error
                break
            if why is None:
                sent.append(message.id)
                continue
            failure = why
            # In peace, it was tried for what is new only.
            if self.state.waits(self._clock()):
                break
        held = self.crowded(self._clock())
        self._hold(held)
        return Sent(tuple(sent), len(held), failure, self._problem, tuple(self._warnings))

    def _saved(self) -> bool:
        try:
            save(self.folder, self.state)
            return True
        except OSError as error:
            self._problem = error
            return False

    def _drop(self, names: t.Iterable[str]) -> None:
        """Forget messages that are dealt with, once that is remembered."""
        names = list(names)
        if self._saved():
            for name in names:
                with contextlib.suppress(OSError):
                    files.remove(path(self.folder, name))
        self.messages = {name: message for name, message in self.messages.items() if name not in names}
        self.broken += names

    def _settle(self) -> None:
        """Go on where a killed process, or one on a full disk, left off; remove what is no message."""
        known = [name for name in self.messages if name in self.taken]
        for name in known:
            self._took(self.messages[name], self.taken[name])
        # A hook that ends the engine each time never answers.
        lost = [name for name in self.messages if name in self.doubtful and self.state.tries[name]["refused"] >= MOST_CALLS]
        for name in lost:
            self._give_up(self.messages[name], self.state.tries[name], self._clock())
        if known or lost or self.broken:
            self._drop([*known, *lost, *self.broken])

    def _took(self, message: Message, now: float) -> None:
        self.state.took(message.id, now)
        ticket = str(message.about.get("id"))
        if message.id.startswith(OPEN):
            self.state.opened[ticket] = now
        elif message.id.startswith(RESOLVED):
            self.state.opened.pop(ticket, None)

    def _send(self, message: Message) -> str | None:
        """Why it failed, or ``None``.

        :raises OSError: the call cannot be noted, so it is not made.
        """
        noted = self._journal.begin(message.id, self._clock())
        why = self._call(message.id, message.body.encode("ascii"))
        self._journal.end(noted, TAKEN if why is None else UNREACHED if isinstance(why, Unreached) else REFUSED)
        now = self._clock()
        self.calls, self.doubtful = self._journal.calls, in_doubt(self._journal.calls)
        if why is None:
            self._took(message, now)
            self._drop([message.id])
            return None
        if self._failed(message, why, now):
            self._drop([message.id])
        else:
            self._saved()
        return why

    def _failed(self, message: Message, why: str, now: float) -> bool:
        """Whether the message is given up."""
        old, whole = self.state.tries.get(message.id, {"calls": 0, "refused": 0}), isinstance(why, Unreached)
        tries = {"calls": old["calls"] + 1, "refused": old["refused"] + (0 if whole else 1), "at": now, "why": str(why)}
        self.state.tries[message.id] = tries
        if whole or self.state.refused not in (None, message.id):
            self.state.rests(now, str(why))
        if not whole:
            self.state.refused = message.id
        if tries["refused"] >= MOST_CALLS:
            self._give_up(message, tries, now)
            return True
        return False

    def _give_up(self, message: Message, tries: dict[str, t.Any], now: float) -> None:
        self.state.over(message.id, now)
        self.state.given_up[message.id] = {**message.about, "at": now, "why": tries["why"]}
        about = f"the ticket {message.about['id']}" if message.about.get("id") else "what was held back"
        self._warnings.append(f"An alert on {about} is given up after {tries['refused']} calls: {tries['why']}.")

    def _hold(self, messages: t.Sequence[Message]) -> None:
        """Let a summary tell of these messages."""
        for message in messages:
            self.state.held.append(message.about)
            self.state.held_count += 1
            self.state.over(message.id, message.created)
        if messages:
            self._drop(message.id for message in messages)

    def _summarise(self) -> None:
        """Make one message of what was held back, where there is room for it by now."""
        now = self._clock()
        if not self.summary_due(now):
            return
        severity = next(name for name, rank in SEVERITIES.items() if rank == self.worst())
        data = {"host": self._host, "count": self.state.held_count, "severity": severity, "tickets": self.state.held, "per_hour": self.alert.per_hour}
        try:
            put(self.folder, SUMMARY + digest([data, self.state.summaries])[:32], data, {"severity": severity}, now)
        except OSError as error:
            self._problem = error
            return
        self.state.held, self.state.held_count, self.state.summaries = [], 0, self.state.summaries + 1
        self._saved()
