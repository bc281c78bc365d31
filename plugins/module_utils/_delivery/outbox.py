# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The alerts that wait: a file each, sent at least once, under the same ID each time. PRIVATE.

Whatever is decided here is first made sure of on disk, in an order in which a process that is killed at any point leaves nothing
that the next one could not go on with. Messages are made by who holds the lock of the folder, and sent by who holds its other one.
"""

from __future__ import annotations

import datetime
import os
import time
import typing as t

from .._canonical import canonical, digest
from . import files
from .settings import SEVERITIES, Alert
from .state import State, load, save

_END = files.MESSAGE
#: Messages that wait; of more than that, the oldest become part of a summary.
MOST = 200
#: Messages of one pass.
AT_ONCE = 20
#: Seconds for which who remembers waits for another process.
PATIENCE = 10.0


def stamp(now: float) -> str:
    """*now*, in seconds since the epoch, as RFC 3339 has it, in UTC."""
    return datetime.datetime.fromtimestamp(now, datetime.timezone.utc).isoformat(timespec="milliseconds")


def lock(folder: str) -> str:
    """The lock of who changes what is remembered."""
    return os.path.join(folder, "lock")


def waiting(folder: str) -> list[str]:
    """The IDs of the messages that wait."""
    return files.names(folder, _END)


def _message(folder: str, name: str) -> str:
    return os.path.join(folder, name + _END)


def _put(folder: str, name: str, kind: str, data: dict[str, t.Any], about: dict[str, t.Any], now: float) -> None:
    # One that is there may have been sent already, by a process that was killed then: its body stays as it is.
    if files.read_json(_message(folder, name)) is None:
        body = canonical({"type": kind, "timestamp": stamp(now), "data": data}).decode("ascii")
        files.write_json(_message(folder, name), {"version": 1, "id": name, "created": now, "attempts": 0, "about": about, "body": body})


def queue(folder: str, state: State, ticket: dict[str, t.Any], alert: Alert, now: float) -> bool:
    """Make a message of *ticket*, unless the same was told lately or it is not bad enough. *state* is to be saved by the caller.

    :returns: Whether there is one.
    """
    rank = SEVERITIES[ticket["severity"]]
    if rank < SEVERITIES[alert.min_severity]:
        return False
    plan = (ticket["plan"] or {}).get("sha256") if ticket["status"] == "awaiting_approval" else None
    what = digest([ticket["key"], ticket["status"], plan])[:32]
    known = state.told.get(what)
    if known is not None and 0 <= now - known["at"] < alert.repeat_after and rank <= SEVERITIES.get(known["severity"], 0):
        return False
    name = "msg_" + digest([ticket["host"], ticket["id"], what, rank, known["at"] if known else None])[:32]
    if name not in state.done:
        about = {name: ticket[name] for name in ("id", "status", "severity", "slice", "job")}
        about["summary"] = ticket["summary"][:200]
        _put(folder, name, "ticket.open", ticket, about, now)
    state.told[what] = {"at": now, "severity": ticket["severity"]}
    return True


def _hold(folder: str, names: t.Iterable[str]) -> None:
    """Let a summary tell of these messages."""
    with files.locked(lock(folder), PATIENCE) as mine:
        if not mine:
            return
        state = load(folder) or State()
        for name in names:
            message = files.read_json(_message(folder, name))
            if message is not None and name not in state.done and isinstance(message.get("about"), dict):
                state.held.append(message["about"])
                state.held_count += 1
                state.done[name] = float(message.get("created") or 0.0)
        save(folder, state)
    for name in names:
        files.remove(_message(folder, name))


def _summarise(folder: str, host: str, alert: Alert, now: float) -> None:
    """Make one message of what was held back, where there is room for it by now."""
    with files.locked(lock(folder), PATIENCE) as mine:
        state = load(folder) or State()
        if not mine or not state.held_count or state.recent(now) >= alert.per_hour:
            return
        data = {"host": host, "count": state.held_count, "tickets": state.held, "per_hour": alert.per_hour}
        _put(folder, "sum_" + digest([data, state.summaries])[:32], "tickets.held_back", data, {}, now)
        state.held, state.held_count, state.summaries = [], 0, state.summaries + 1
        save(folder, state)


def _next(folder: str, tried: t.Collection[str]) -> dict[str, t.Any] | None:
    """The message that goes next: a summary first, then what was tried least, then the oldest."""
    found = [files.read_json(_message(folder, name)) for name in waiting(folder) if name not in tried]
    able = [message for message in found if message is not None and isinstance(message.get("body"), str) and isinstance(message.get("id"), str)]
    return min(able, key=lambda message: (message["id"].startswith("msg_"), message.get("attempts", 0), message.get("created", 0)), default=None)


class Sent(t.NamedTuple):
    """What came of one pass: messages that went, that were held back, and why the hook failed, if it did."""

    messages: tuple[str, ...]
    held: int
    failure: str | None


def send(folder: str, host: str, alert: Alert, call: t.Callable[[str, bytes], str | None], *, seconds: float, clock: t.Callable[[], float]) -> Sent:
    """Send what waits, as far as the hook, its limit and the time allow.

    :arg call: Sends one message, by its ID and body; why that failed, or ``None``.
    :arg seconds: After that, no further message is begun.
    :arg clock: Seconds since the epoch.
    :raises OSError: something cannot be remembered. Then a message may be sent once more.
    """
    sent: list[str] = []
    with files.locked(os.path.join(folder, "sending"), 0.0) as mine:
        if not mine:
            return Sent((), 0, None)
        state = load(folder) or State()
        if state.waits(clock()):
            return Sent((), 0, None)
        _settle(folder, state)
        _summarise(folder, host, alert, clock())
        until, failure, held = time.monotonic() + seconds, None, 0
        while len(sent) < AT_ONCE and time.monotonic() < until and failure is None:
            message = _next(folder, sent)
            if message is None:
                break
            if (load(folder) or State()).recent(clock()) >= alert.per_hour:
                rest = [name for name in waiting(folder) if name.startswith("msg_")]
                _hold(folder, rest)
                held += len(rest)
                break
            failure = call(message["id"], message["body"].encode("ascii"))
            _remember(folder, message, failure, clock())
            if failure is None:
                sent.append(message["id"])
        names = [name for name in waiting(folder) if name.startswith("msg_")]
        if len(names) > MOST:
            by_age = sorted(names, key=lambda name: float((files.read_json(_message(folder, name)) or {}).get("created") or 0.0))
            _hold(folder, by_age[: len(names) - MOST])
            held += len(names) - MOST
    return Sent(tuple(sent), held, failure)


def _settle(folder: str, state: State) -> None:
    """Remove what a killed process had dealt with, and what is no message."""
    for name in waiting(folder):
        if name in state.done or files.read_json(_message(folder, name)) is None:
            files.remove(_message(folder, name))


def _remember(folder: str, message: dict[str, t.Any], failure: str | None, now: float) -> None:
    with files.locked(lock(folder), PATIENCE) as mine:
        if not mine:
            raise BlockingIOError(11, "another process holds it", lock(folder))
        state = load(folder) or State()
        if failure is None:
            state.succeeded(message["id"], now)
        else:
            state.failed(now, failure)
        save(folder, state)
    if failure is None:
        files.remove(_message(folder, message["id"]))
    else:
        files.write_json(_message(folder, message["id"]), {**message, "attempts": int(message.get("attempts", 0)) + 1})
