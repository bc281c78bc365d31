# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Appends records to the controller's log while Ansible goes on with its work. PRIVATE.

A record is on disk some milliseconds after it was handed over: that is what a disk takes, and a play of many hosts cannot wait for it
each time. Whoever must know calls :meth:`Writer.wait`.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import queue
import stat
import threading
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._trail.log import append_all, first

#: So many records may wait.
MAX_WAITING = 256
# So many are written at once.
_AT_ONCE = 32
#: Seconds that the end of the process waits for the disk.
_AT_EXIT = 30.0


_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device"}


def to_do(path: str, error: Exception) -> str:
    """What to do when the log at *path* cannot be written, as the beginning of a sentence."""
    try:
        kind = _KINDS.get(stat.S_IFMT(os.lstat(path).st_mode))
    except OSError:
        kind = None
    if kind is not None:
        return f"{path} is {kind}, and the log must be an ordinary file: name the file itself or move {kind} away"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "Make room"
    return "Make room or correct the owner of the file"


class Writer:
    """One thread that appends, in the order in which records come.

    :arg path: The log. Its folder exists.
    :arg copy: Gets each line that is on disk.
    """

    def __init__(self, path: str, copy: t.Callable[[str], object] | None) -> None:
        self._path = path
        self._copy = copy
        self._records: queue.SimpleQueue[dict[str, t.Any]] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._waiting = 0
        self._failures: list[Exception] = []
        self._process = os.getpid()
        #: The newest record that was written.
        self.head: dict[str, t.Any] | None = None
        #: The hash of the log's first record, by which hosts know it.
        self.first: str | None = None
        # A daemon: it must not keep a process alive that has come to its end. What still waits then is written by _end.
        threading.Thread(target=self._work, name="day2.codex.audit", daemon=True).start()
        atexit.register(self._end)

    def put(self, record: dict[str, t.Any]) -> None:
        """Have *record* appended. It waits only when very many do."""
        with self._changed:
            while self._waiting >= MAX_WAITING:
                self._changed.wait()
            self._waiting += 1
        self._records.put(record)

    def wait(self, seconds: float | None = None) -> None:
        """Return when every record that was handed over is on disk, or has failed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, seconds)

    def failures(self) -> list[Exception]:
        """What went wrong since the last call, one for each record that is lost."""
        if not self._failures:
            return []
        with self._changed:
            found, self._failures = self._failures, []
        return found

    def _work(self) -> None:
        while True:
            records = [self._records.get()]
            # Those that came while the disk was busy go together: it is waited for once.
            while len(records) < _AT_ONCE and not self._records.empty():
                records.append(self._records.get())
            failures = self._append(records)
            with self._changed:
                self._failures += failures
                self._waiting -= len(records)
                self._changed.notify_all()

    def _append(self, records: list[dict[str, t.Any]]) -> list[Exception]:
        try:
            heads = append_all(self._path, records, self._copy)
        except OSError as error:
            return [error] * len(records)
        except Exception as error:  # pylint: disable=broad-except
            # Nothing was written. One of them is to blame, and the others are not.
            return [error] if len(records) == 1 else [failure for record in records for failure in self._append([record])]
        before, self.head = self.head, heads[-1]
        if self.first is None or heads[0]["seq"] == 1:
            with contextlib.suppress(OSError):
                self.first = first(self._path)
        if before is not None and heads[0]["seq"] <= before["seq"]:
            return [OSError(0, f"it was cut or replaced: record {before['seq']} was written before, and now {heads[0]['seq']}")]
        return []

    def _end(self) -> None:
        # A forked worker has a copy of this object, but not the thread.
        if os.getpid() == self._process:
            self.wait(_AT_EXIT)
