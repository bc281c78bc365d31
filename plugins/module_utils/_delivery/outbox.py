# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The alerts that wait: a file each, made by who holds the lock of the folder, sent by who holds its other one (see sending). PRIVATE.

Whatever is decided here is first made sure of on disk, in an order in which a process that is killed at any point leaves nothing
that the next one could not go on with.
"""

from __future__ import annotations

import datetime
import os
import typing as t

from .._canonical import canonical, digest
from . import files, journal
from .settings import SEVERITIES, Alert
from .state import Sending, State, load

_END = files.MESSAGE
#: How the IDs of messages begin: of a ticket that is open, of one that is resolved, and of a summary.
OPEN, RESOLVED, SUMMARY = "msg_", "end_", "sum_"
_TYPES = {OPEN: "ticket.open", RESOLVED: "ticket.resolved", SUMMARY: "tickets.held_back"}


def stamp(now: float) -> str:
    """*now*, in seconds since the epoch, as RFC 3339 has it, in UTC."""
    return datetime.datetime.fromtimestamp(now, datetime.timezone.utc).isoformat(timespec="milliseconds")


def lock(folder: str) -> str:
    """The lock of who writes tickets and makes messages of them."""
    return os.path.join(folder, "lock")


def waiting(folder: str) -> list[str]:
    """The IDs of the messages that wait."""
    return files.names(folder, _END)


def path(folder: str, name: str) -> str:
    """The file of a message."""
    return os.path.join(folder, name + _END)


def sendings(folder: str) -> Sending:
    """What who sends remembers. Nothing, where that is damaged."""
    return load(folder, Sending) or Sending()


def put(folder: str, name: str, data: dict[str, t.Any], about: dict[str, t.Any], now: float) -> None:
    """Write a message, unless it waits already or was dealt with.

    :raises OSError:
    """
    # One that is there may have been sent already, by a process that was killed then: its body stays as it is. What was dealt with is
    # remembered before its file goes, so it is looked for in that order.
    if files.read_json(path(folder, name)) is None and name not in sendings(folder).done:
        body = canonical({"type": _TYPES[name[:4]], "timestamp": stamp(now), "data": data}).decode("ascii")
        files.write_json(path(folder, name), {"version": 1, "id": name, "created": now, "about": about, "body": body})


def _about(ticket: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {**{name: ticket[name] for name in ("id", "status", "severity", "slice", "job")}, "summary": ticket["summary"][:200]}


def _of_ticket(folder: str, ticket: str, begin: str) -> list[str]:
    """The messages about a ticket that wait."""
    found = {name: files.read_json(path(folder, name)) or {} for name in waiting(folder) if name.startswith(begin)}
    return [name for name, message in found.items() if (message.get("about") or {}).get("id") == ticket]


def queue(folder: str, state: State, ticket: dict[str, t.Any], alert: Alert, now: float) -> bool:
    """Make a message of *ticket*, unless the same was told lately or it is not bad enough. *state* is to be saved by the caller.

    :returns: Whether there is one.
    :raises OSError:
    """
    rank = SEVERITIES[ticket["severity"]]
    if rank < SEVERITIES[alert.min_severity]:
        return False
    plan = (ticket["plan"] or {}).get("sha256") if ticket["status"] == "awaiting_approval" else None
    what = digest([ticket["key"], ticket["status"], plan])[:32]
    known = state.told.get(what)
    if known is not None and not known.get("over") and known.get("message") not in sendings(folder).given_up:
        if 0 <= now - known["at"] < alert.repeat_after and rank <= SEVERITIES.get(known["severity"], 0):
            return False
    # That it is over would be told after this.
    for stale in _of_ticket(folder, ticket["id"], RESOLVED):
        files.remove(path(folder, stale))
    name = OPEN + digest([ticket["host"], ticket["id"], what, rank, known["at"] if known else None])[:32]
    put(folder, name, ticket, _about(ticket), now)
    state.told[what] = {"at": now, "severity": ticket["severity"], "ticket": ticket["id"], "message": name}
    return True


def over(folder: str, state: State, ticket: dict[str, t.Any], now: float) -> None:
    """*ticket* is resolved: what was not sent of it is dropped, and who was told that it is open is told. *state* is to be saved by the caller.

    :raises OSError:
    """
    unsent, doubtful = _of_ticket(folder, ticket["id"], OPEN), journal.in_doubt(journal.calls(folder))
    if ticket["id"] in sendings(folder).opened or any(name in doubtful for name in unsent):
        name = RESOLVED + digest([ticket["host"], ticket["id"], ticket["opened"], ticket["resolved"]])[:32]
        put(folder, name, ticket, _about(ticket), now)
    for name in unsent:
        files.remove(path(folder, name))
    for entry in state.told.values():
        if entry.get("ticket") == ticket["id"]:
            entry["over"] = True
