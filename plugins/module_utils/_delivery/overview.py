# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How delivery stands, for who asks often and wants nothing else: only what is needed for that is loaded. PRIVATE."""

from __future__ import annotations

import os
import typing as t

from .._errors import CodexOpsError
from . import files


def overview(path: str, owners: t.Collection[int], key_file: str, outbox: str) -> dict[str, t.Any]:
    """How many ``tickets`` are open, alerts ``waiting`` and ``held_back``; ``alerts_by``, where they go; and what is wrong, as ``error``.

    :arg path: The delivery file, with *owners* and *key_file* as :func:`settings.load` takes them.
    :raises OSError:
    """
    error = alert = None
    if os.path.lexists(path):
        from .settings import load  # pylint: disable=import-outside-toplevel

        try:
            alert = load(path, owners, key_file).alert
        except CodexOpsError as wrong:
            error = str(wrong)
    state, waiting = files.read_json(os.path.join(outbox, "state.json")) or {}, len(files.names(outbox, files.MESSAGE))
    why, tickets, held = state.get("why"), state.get("tickets"), state.get("held_count")
    if isinstance(why, str) and waiting and error is None:
        error = f"{waiting} could not be sent: {why}"
    known = tickets.values() if isinstance(tickets, dict) else ()
    return {
        "path": path,
        "alerts_by": None if alert is None else alert.where,
        "tickets": sum(1 for entry in known if isinstance(entry, dict) and entry.get("open") is True),
        "waiting": waiting,
        "held_back": held if isinstance(held, int) else 0,
        "error": error,
    }
