# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notices that whoever called the engine is gone. PRIVATE.

Killing ansible-playbook does not kill a module that runs over SSH, nor a local worker when it was killed with KILL: the
module itself must notice.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import types
import typing as t

from . import _proc

_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
_SHELLS = (b"sh", b"bash", b"dash", b"ash", b"busybox", b"zsh", b"ksh", b"sudo", b"su", b"runuser", b"doas", b"env", b"setsid", b"timeout", b"nice")


class CallerWatch:
    """Context manager: while it is open, :meth:`lost` tells whether the caller still wants the result.

    :arg ansible: The caller is Ansible, whose worker outlives a killed ansible-playbook. Not looked at under ``async``, where
        losing the starter is the rule (ANSIBLE_ASYNC_DIR is set).
    """

    def __init__(self, ansible: bool = False) -> None:
        self._ansible = ansible and "ANSIBLE_ASYNC_DIR" not in os.environ
        self._signal: str | None = None
        self._handlers: dict[signal.Signals, t.Any] = {}
        self._parent = os.getppid()
        self._worker: tuple[int, int] | None = None
        self._poll: select.poll | None = None

    def __enter__(self) -> CallerWatch:
        self._parent = os.getppid()
        for number in _SIGNALS:
            # nohup and the like ignore HUP on purpose.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._on_signal)
        if self._ansible:
            self._worker = _nearest_worker()
        try:
            mode = os.fstat(1).st_mode
        except OSError:
            mode = 0
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            self._poll = select.poll()
            self._poll.register(1, 0)  # POLLERR and POLLHUP are always reported
        return self

    def __exit__(self, *args: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def _on_signal(self, number: int, frame: types.FrameType | None) -> None:
        if self._signal is None:
            self._signal = signal.Signals(number).name

    def lost(self) -> str | None:
        """Why the caller is lost, in words; ``None`` while it is there."""
        if self._signal is not None:
            return f"signal {self._signal}"
        if os.getppid() != self._parent:
            return "the caller ended"
        if self._poll is not None and any(event & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _fd, event in self._poll.poll(0)):
            return "nobody reads the output any more"
        if self._worker is not None:
            pid, parent = self._worker
            found = _proc.stat(pid)
            if found is None or found[0] in ("Z", "X") or found[1] != parent:
                return "ansible-playbook ended"
        return None


def _nearest_worker() -> tuple[int, int] | None:
    """The nearest ancestor that is not a shell, with its parent; ``None`` when there is none above it to lose."""
    pid = os.getppid()
    for _step in range(32):
        found = _proc.stat(pid)
        if found is None or pid <= 1:
            return None
        if _proc.name(pid) not in _SHELLS:
            return (pid, found[1]) if found[1] > 1 else None
        pid = found[1]
    return None
