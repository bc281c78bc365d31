# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many jobs there are, for who asks often and wants nothing else: the rest of the inbox is not loaded for that. PRIVATE."""

from __future__ import annotations

import typing as t

from . import states
from .database import Database


def counts(database: Database) -> dict[str, int]:
    """How many jobs are in each state.

    :raises CodexOpsError: the codes of :class:`store.Inbox`.
    """
    found = dict.fromkeys(states.STATES, 0)
    if database.exists():
        with database.transaction(write=False) as connection:
            found.update(connection.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall())
    return found


def counts_at(path: str, owners: t.Collection[int]) -> dict[str, int]:
    """The same of the inbox at *path*, which may belong to *owners*."""
    database = Database(path, owners)
    try:
        return counts(database)
    finally:
        database.close()
