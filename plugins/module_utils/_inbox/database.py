# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The database of the inbox: a file that is made whole or not at all, and that nobody else can write. PRIVATE."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import stat
import time
import typing as t

from .._errors import CodexOpsError
from .form import APPLICATION, FORM, VERSION

#: Seconds for which another writer is waited for.
PATIENCE = 30.0
_HELPERS = ("-wal", "-shm", "-journal")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-")


def _address(path: str) -> str:
    """*path* as SQLite takes it when it must not make the file."""
    return "file:" + "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(os.path.abspath(path))) + "?mode=rw"


class Database:
    """The file at *path*, and this process's connection to it. To be used by one thread at a time; a fork gets one of its own.

    :arg owners: Whose the file may be, as user numbers.
    """

    def __init__(self, path: str, owners: t.Collection[int]) -> None:
        self.path = path
        self._owners = owners
        self._connection: sqlite3.Connection | None = None
        self._known: tuple[int, int, int] | None = None
        # Connections of a parent process: closing them here could remove its log from under it.
        self._inherited: list[sqlite3.Connection] = []

    def exists(self) -> bool:
        """Whether there is anything at the path, or what is left of it. What cannot be looked at counts: opening it says why."""
        for path in (self.path, self.path + "-wal"):
            try:
                os.lstat(path)
                return True
            except FileNotFoundError:
                continue
            except OSError:
                return True
        return self._known is not None

    def close(self) -> None:
        """Let go of the file. The next use opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._known is not None and self._known[0] != os.getpid():
                self._inherited.append(connection)
            else:
                connection.close()

    @contextlib.contextmanager
    def transaction(self, *, write: bool, durable: bool = True) -> t.Iterator[sqlite3.Connection]:
        """All that happens in the block is in the file at its end, or nothing of it.

        :arg durable: Whether a power cut afterwards may not take it back.
        :raises CodexOpsError: ``newer_state``, ``inbox_unsafe``, ``inbox_damaged``, ``inbox_unusable``, ``inbox_busy`` or ``disk_full``.
        """
        try:
            connection = self._open()
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self.close()
            raise self._explain(str(error)) from None
        except OSError as error:
            raise self._explain(str(error.strerror or error)) from None

    # --- the file ---------------------------------------------------------------------------------------------------------

    def _look(self, suffix: str = "") -> os.stat_result | None:
        """What is at the path, if it is as it must be.

        Nothing here may open the file: closing it again would drop the locks that SQLite holds in this process.
        """
        path = self.path + suffix
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode) or (not suffix and found.st_nlink != 1):
            raise self._unsafe(path, "Expected a regular file with one name.")
        if found.st_uid not in self._owners:
            raise self._unsafe(path, f"The inbox belongs to user {found.st_uid}; expected user {' or '.join(map(str, sorted(self._owners)))}.")
        if found.st_mode & 0o022:
            raise self._unsafe(path, f"Others can write the inbox (mode {stat.S_IMODE(found.st_mode):04o}).")
        return found

    def _open(self) -> sqlite3.Connection:
        logged = self._look("-wal")
        found = self._look()
        if (found is None or found.st_size == 0) and (logged is not None and logged.st_size):
            raise self._damaged("it is missing or empty, and the log of its last changes is still beside it")
        if found is None:
            if self._known is not None:
                raise self._damaged("it was there a moment ago and is gone")
            found = self._make()
        if found.st_size == 0:
            raise self._damaged("it is empty")
        known = (os.getpid(), found.st_dev, found.st_ino)
        if self._connection is None or self._known != known:
            self.close()
            self._known = known
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        self._look("-shm")
        connection = sqlite3.connect(_address(self.path), uri=True, timeout=PATIENCE, isolation_level=None)
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if application != APPLICATION or version < 1:
                raise self._damaged("it is the database of another program")
            if version > VERSION:
                raise CodexOpsError(
                    f"The inbox was written by a newer engine (form {version}, this one knows {VERSION}).",
                    code="newer_state",
                    outcome="newer_state",
                    where=self.path,
                    hint="Use that engine, or a newer one.",
                )
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _make(self) -> os.stat_result:
        """A new inbox, put in its place when it is whole: an empty or half-made file is never taken for one."""
        folder = os.open(os.path.dirname(os.path.abspath(self.path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._lock(folder)
            found = self._look()
            if found is not None:
                return found
            new = self.path + ".new"
            for name in (new, *(new + suffix for suffix in _HELPERS)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name)
            os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(_address(new), uri=True, isolation_level=None)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN IMMEDIATE")
                for statement in FORM:
                    connection.execute(statement)
                connection.execute("COMMIT")
                # All of it into the one file that is moved.
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()
            os.rename(new, self.path)
            os.fsync(folder)
            found = self._look()
            if found is None:
                raise self._damaged("it was made a moment ago and is gone")
            return found
        finally:
            os.close(folder)

    @staticmethod
    def _lock(folder: int) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise sqlite3.OperationalError("its folder is locked") from None
            time.sleep(0.01)

    # --- what went wrong --------------------------------------------------------------------------------------------------

    def _error(self, message: str, code: str, hint: str, where: str | None = None) -> CodexOpsError:
        return CodexOpsError(message, code=code, outcome="busy" if code == "inbox_busy" else "rejected", where=where or self.path, hint=hint)

    def _unsafe(self, path: str, message: str) -> CodexOpsError:
        return self._error(message, "inbox_unsafe", "Find out who put it there; then correct its owner and mode.", path)

    def _damaged(self, reason: str) -> CodexOpsError:
        hint = "No job is lost by this message. Put a backup back, or move it and the files beside it away: the next job then begins a new inbox."
        return self._error(f"The inbox cannot be used: {reason}.", "inbox_damaged", hint)

    def _explain(self, reason: str) -> CodexOpsError:
        if "full" in reason or "No space" in reason or "quota" in reason:
            return self._error(f"The inbox cannot be written: {reason}.", "disk_full", "Make room and run this again.")
        if "locked" in reason or "busy" in reason:
            hint = f"Another process holds it for more than {PATIENCE:.0f} s. 'lslocks' names it."
            return self._error(f"The inbox cannot be read or written: {reason}.", "inbox_busy", hint)
        if "malformed" in reason or "not a database" in reason or "no such" in reason or "corrupt" in reason:
            return self._damaged(reason)
        hint = "Look at the disk, its space and its limits." if "I/O" in reason else "Run this as the owner of the file, and correct its mode."
        return self._error(f"The inbox cannot be read or written: {reason}.", "inbox_unusable", hint)
