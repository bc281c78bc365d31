# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The form of the inbox's database. PRIVATE.

Every index is there for one question, and holds only the rows that can be its answer: taking a job and adding one cost the same
among a million as among a thousand.
"""

from __future__ import annotations

from .states import CLAIMABLE, OPEN, STATES, TRANSITIONS

#: The version of the form that this engine writes. It refuses a newer one.
VERSION = 1
#: In the head of the file: what it is ("CxOp").
APPLICATION = 0x43784F70


def _one_of(states: tuple[str, ...]) -> str:
    return "state IN (" + ", ".join(f"'{state}'" for state in states) + ")"


# An index that holds only some rows is used by questions that ask for them in these very words.
IS_OPEN = _one_of(OPEN)
READY = f"worker IS NULL AND not_before = 0 AND {_one_of(CLAIMABLE)}"
WAITING = "not_before > 0"
LEASED = "worker IS NOT NULL"
EXPIRING = f"expires IS NOT NULL AND worker IS NULL AND {IS_OPEN}"
FORGETTABLE = f"NOT {IS_OPEN}"

_JOBS = f"""
CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL CHECK ({_one_of(STATES)}),
  slice TEXT NOT NULL,
  dedupe_key TEXT NOT NULL,
  priority INTEGER NOT NULL,
  count INTEGER NOT NULL DEFAULT 1 CHECK (count > 0),
  created REAL NOT NULL,
  updated REAL NOT NULL,
  last_seen REAL NOT NULL,
  expires REAL,
  not_before REAL NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  waits INTEGER NOT NULL DEFAULT 0,
  worker TEXT,
  lease TEXT,
  lease_until REAL,
  plan TEXT,
  facts TEXT NOT NULL,
  CHECK ((worker IS NULL) = (lease IS NULL) AND (worker IS NULL) = (lease_until IS NULL)),
  CHECK (worker IS NULL OR {IS_OPEN})
)"""

FORM = (
    _JOBS,
    # What is large, apart: looking through jobs does not read it.
    "CREATE TABLE payloads (job INTEGER PRIMARY KEY, content TEXT NOT NULL)",
    "CREATE TABLE history (job INTEGER NOT NULL, n INTEGER NOT NULL, at REAL NOT NULL, event TEXT NOT NULL, old TEXT, new TEXT NOT NULL,"
    " by TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (job, n)) WITHOUT ROWID",
    "CREATE TABLE transitions (old TEXT NOT NULL, new TEXT NOT NULL, PRIMARY KEY (old, new)) WITHOUT ROWID",
    *(f"INSERT INTO transitions VALUES ('{old}', '{new}')" for old in STATES for new in STATES if new in TRANSITIONS[old]),
    # Whoever writes here, a job goes only ways that there are.
    "CREATE TRIGGER jobs_transition BEFORE UPDATE OF state ON jobs WHEN old.state <> new.state"
    " AND NOT EXISTS (SELECT 1 FROM transitions WHERE transitions.old = old.state AND transitions.new = new.state)"
    " BEGIN SELECT RAISE(ABORT, 'a job cannot go this way'); END",
    f"CREATE UNIQUE INDEX jobs_open ON jobs (dedupe_key) WHERE {IS_OPEN}",
    "CREATE INDEX jobs_key ON jobs (dedupe_key, seq)",
    f"CREATE INDEX jobs_ready ON jobs (priority DESC, seq) WHERE {READY}",
    f"CREATE INDEX jobs_waiting ON jobs (not_before) WHERE {WAITING}",
    f"CREATE INDEX jobs_leased ON jobs (seq) WHERE {LEASED}",
    f"CREATE INDEX jobs_expiring ON jobs (expires) WHERE {EXPIRING}",
    f"CREATE INDEX jobs_closed ON jobs (updated) WHERE {FORGETTABLE}",
    "CREATE INDEX jobs_state ON jobs (state, seq)",
    "CREATE INDEX jobs_slice ON jobs (slice, seq)",
    "CREATE INDEX jobs_plan ON jobs (plan) WHERE plan IS NOT NULL",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)
