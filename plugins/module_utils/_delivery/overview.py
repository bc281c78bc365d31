# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How delivery stands, for who asks often and wants nothing else: only what is needed for that is loaded. PRIVATE."""

from __future__ import annotations

import os
import time
import typing as t

from .._errors import CodexOpsError
from . import files

#: Seconds for which it is told that a message was given up.
GIVEN_UP_FOR = 7 * 86400.0


def overview(path: str, owners: t.Collection[int], key_file: str, outbox: str) -> dict[str, t.Any]:
    """How many ``tickets`` are open, alerts ``waiting``, ``held_back`` and ``given_up`` lately; ``alerts_by``, where they go; and what is wrong, as
    ``error``.

    :arg path: The delivery file, with *owners* and *key_file* as :func:`settings.load` takes them.
    :raises OSError:
    """
    error = alert = None
    if os.path.lexists(path):
        from .settings import load  # pylint: disable=import-outside-toplevel

        try:
            alert = load(path, owners, key_file).alert
        except CodexOpsError as invalid:
            error = str(invalid)
    state, waiting = files.read_json(os.path.join(outbox, "state.json")) or {}, files.names(outbox, files.MESSAGE)
    sending = files.read_json(os.path.join(outbox, "sending.json")) or {}
    tickets, held, now = state.get("tickets"), sending.get("held_count"), time.time()
    tries = [entry for name, entry in _entries(sending.get("tries")) if name in waiting]
    lost = [entry for _name, entry in _entries(sending.get("given_up")) if now - GIVEN_UP_FOR < entry["at"]]
    wrong = [f"{len(tries)} could not be sent: {max(tries, key=_at).get('why')}"] if tries else []
    wrong += [f"{len(lost)} given up: {max(lost, key=_at).get('why')}"] if lost else []
    return {
        "path": path,
        "alerts_by": None if alert is None else alert.where,
        "tickets": sum(1 for _key, entry in _entries(tickets, at=False) if entry.get("open") is True),
        "waiting": len(waiting),
        "held_back": held if isinstance(held, int) else 0,
        "given_up": len(lost),
        "error": error or "; ".join(wrong) or None,
    }


def _at(entry: dict[str, t.Any]) -> float:
    return float(entry["at"])


def _entries(found: t.Any, at: bool = True) -> list[tuple[str, dict[str, t.Any]]]:
    items = found.items() if isinstance(found, dict) else ()
    return [(name, entry) for name, entry in items if isinstance(entry, dict) and (not at or isinstance(entry.get("at"), (int, float)))]
