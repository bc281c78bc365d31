# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host may spend: tokens per day, runs per hour, actions per hour. Counted in SQLite, before and after. PRIVATE.

A reservation is written before the first token is used, and counts in full until it is settled: an engine that was killed
has spent what it had reserved.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
import stat
import time
import typing as t

from .._errors import CodexOpsError

#: The version of the state's form that this engine writes. It refuses a newer one.
VERSION = 1
#: Seconds for which another writer is waited for.
PATIENCE = 30.0
#: Days after which what was counted is forgotten.
KEPT_DAYS = 40
HOUR = 3600
DAY = 86400
_MAX_CAUSE = 500
# SQLite's integers end here.
_MOST = 2**62
_FORM = (
    "CREATE TABLE runs (id INTEGER PRIMARY KEY, run_id TEXT NOT NULL, at REAL NOT NULL, day INTEGER NOT NULL, reserved INTEGER NOT NULL, used INTEGER)",
    "CREATE INDEX runs_at ON runs (at)",
    "CREATE INDEX runs_day ON runs (day)",
    "CREATE INDEX runs_run_id ON runs (run_id)",
    "CREATE TABLE actions (id INTEGER PRIMARY KEY, name TEXT NOT NULL, at REAL NOT NULL, cause TEXT NOT NULL)",
    "CREATE INDEX actions_name_at ON actions (name, at)",
    f"PRAGMA user_version = {VERSION}",
)
# Within the last hour. A time that lies ahead was written by a clock that was set back since, and counts as well for an hour.
_HOUR = "at > :now - 3600 AND at < :now + 3600"


def _time(seconds: float) -> str:
    try:
        moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    except (OverflowError, ValueError, OSError):
        return "a time far ahead"
    # Up: at a time with the seconds cut off it would still be closed.
    return f"{moment + datetime.timedelta(seconds=1):%Y-%m-%d %H:%M:%S} UTC"


def _exhausted(code: str, message: str, hint: str) -> CodexOpsError:
    return CodexOpsError(message, code=code, outcome="budget_exhausted", hint=hint)


class Budget:
    """The counts of one installation.

    :arg path: The database. Its folder exists; the file is made for its owner alone.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def reserve(self, run_id: str, tokens: int, tokens_per_day: int, runs_per_hour: int, now: float) -> int:
        """Take up to *tokens* of what is left today (UTC), and one of the runs of this hour, for the run *run_id*.

        :arg now: Seconds since the epoch.
        :returns: The tokens granted, at least 1: *tokens*, or what is left where that is less.
        :raises CodexOpsError: outcome ``budget_exhausted``, code ``tokens_per_day`` or ``runs_per_hour``: nothing was taken.
        """
        with self._writing() as database:
            self._room(database, "runs", "", runs_per_hour, now, "runs_per_hour", "runs")
            spent = self._spent(database, now)
            left = tokens_per_day - spent
            if left <= 0:
                raise _exhausted(
                    "tokens_per_day",
                    f"The day's budget is used up: {spent} of {tokens_per_day} tokens.",
                    f"It opens again at {_time((now // DAY + 1) * DAY - 1)}, or when the policy's limits.tokens_per_day is raised.",
                )
            granted = max(1, min(tokens, left, _MOST))
            values = (run_id, now, int(now // DAY), granted)
            database.execute("INSERT INTO runs (run_id, at, day, reserved) VALUES (?, ?, ?, ?)", values)
            for table in ("runs", "actions"):
                database.execute(f"DELETE FROM {table} WHERE at < ?", (now - KEPT_DAYS * DAY,))
        return granted

    def settle(self, run_id: str, used: int) -> bool:
        """Say what the run *run_id* used of its newest reservation: that counts from now on, be it more or less.

        :returns: Whether there was a reservation that was not settled yet.
        """
        with self._writing() as database:
            done = database.execute(
                "UPDATE runs SET used = ? WHERE id = (SELECT max(id) FROM runs WHERE run_id = ? AND used IS NULL)",
                (min(max(0, used), _MOST), run_id),
            )
            return done.rowcount == 1

    def act(self, name: str, per_hour: int, cause: str, now: float) -> None:
        """Count one use of the action *name*, at most *per_hour* in any hour.

        :arg cause: Why it is used; kept with the count.
        :raises CodexOpsError: outcome ``budget_exhausted``, code ``action_rate``: nothing was counted.
        """
        with self._writing() as database:
            self._room(database, "actions", name, per_hour, now, "action_rate", f"uses of the action {name!r}")
            database.execute("INSERT INTO actions (name, at, cause) VALUES (?, ?, ?)", (name, now, cause[:_MAX_CAUSE]))

    def totals(self, now: float) -> dict[str, t.Any]:
        """What was spent: ``tokens_today``, ``runs_last_hour``, ``open_runs`` (not settled, today), ``actions_last_hour`` by name."""
        if not os.path.lexists(self.path):
            return {"tokens_today": 0, "runs_last_hour": 0, "open_runs": 0, "actions_last_hour": {}}
        with self._writing() as database:
            (runs,) = database.execute(f"SELECT count(*) FROM runs WHERE {_HOUR}", {"now": now}).fetchone()
            (unsettled,) = database.execute("SELECT count(*) FROM runs WHERE day = ? AND used IS NULL", (int(now // DAY),)).fetchone()
            actions = database.execute(f"SELECT name, count(*) FROM actions WHERE {_HOUR} GROUP BY name ORDER BY name", {"now": now})
            return {
                "tokens_today": self._spent(database, now),
                "runs_last_hour": int(runs),
                "open_runs": int(unsettled),
                "actions_last_hour": {str(name): int(count) for name, count in actions},
            }

    @staticmethod
    def _spent(database: sqlite3.Connection, now: float) -> int:
        # One by one: the sum of what is written down may be more than SQLite's integers hold.
        rows = database.execute("SELECT coalesce(used, reserved) FROM runs WHERE day = ?", (int(now // DAY),))
        return sum(int(row[0]) for row in rows)

    @staticmethod
    def _room(database: sqlite3.Connection, table: str, name: str, limit: int, now: float, code: str, what: str) -> None:
        """Raise unless one more is within *limit* of this hour."""
        also = "AND name = :name" if name else ""
        rows = database.execute(f"SELECT at FROM {table} WHERE {_HOUR} {also} ORDER BY at", {"now": now, "name": name}).fetchall()
        if len(rows) < limit:
            return
        opens = f"It opens again at {_time(float(rows[len(rows) - limit][0]) + HOUR)}." if limit > 0 else "The policy allows none."
        raise _exhausted(code, f"The limit of {limit} {what} an hour is reached.", opens)

    # --- the database ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _writing(self) -> t.Iterator[sqlite3.Connection]:
        """A connection in a transaction of its own: all of it is on disk at the end, or nothing.

        :raises CodexOpsError: outcome ``newer_state``; or ``rejected`` with code ``disk_full``, ``budget_busy`` or ``budget_unusable``.
        """
        database = None
        try:
            self._safe_file()
            database = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            self._prepare(database)
            database.execute("BEGIN IMMEDIATE")
            self._form(database)
            yield database
            database.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._explain(str(error)) from None
        except OSError as error:
            raise self._explain(str(error.strerror)) from None
        finally:
            if database is not None:
                # An open transaction is rolled back with it.
                database.close()

    def _safe_file(self) -> None:
        """The file, made for its owner alone where there is none; SQLite gives its helper files the same mode."""
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        found = os.lstat(self.path)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise self._explain("it is not a regular file with one name")

    @staticmethod
    def _prepare(database: sqlite3.Connection) -> None:
        # What was counted must survive a power cut as well.
        database.execute("PRAGMA synchronous = FULL")
        until = time.monotonic() + PATIENCE
        while True:
            # The busy timeout does not cover this: several first users may meet here.
            try:
                if database.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                    database.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
            time.sleep(0.01)

    def _form(self, database: sqlite3.Connection) -> None:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise CodexOpsError(
                f"The budget was written by a newer engine (form {version}, this one knows {VERSION}).",
                code="newer_state",
                outcome="newer_state",
                where=self.path,
                hint="Use that engine, or a newer one.",
            )
        if version == 0:
            for statement in _FORM:
                database.execute(statement)

    def _explain(self, reason: str) -> CodexOpsError:
        if "full" in reason or "No space" in reason or "quota" in reason:
            code, hint = "disk_full", "Make room and run this again."
        elif "locked" in reason or "busy" in reason:
            code, hint = "budget_busy", f"Another process holds it for more than {PATIENCE:.0f} s. 'lslocks' names it."
        else:
            code, hint = "budget_unusable", "Nothing is spent that cannot be counted. Correct its owner and mode, or move a damaged file away."
        return CodexOpsError(f"The budget cannot be read or written: {reason}.", code=code, outcome="rejected", where=self.path, hint=hint)
