# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs Codex through the helper agent-run: the engine is codex-ops, Codex is codex-agent. PRIVATE.

The engine may not touch the agent's processes. It holds one end of a pair of sockets: when that is closed, by the engine or by
its death, the helper ends everything.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
import typing as t

from .._errors import CodexOpsError
from . import config, disk, folder
from .ending import Ending
from .identity import Identity
from .request import AgentRequest

_SUDO = "/usr/bin/sudo"
_REQUEST, _RETURNED = "request.json", "returned"
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
#: Seconds for the helper to end everything, and for agent-stop where it does not.
_PATIENCE = 5.0


class Helped:
    """One Codex that the helper runs, with all of its descendants. It has what :class:`family.Family` has."""

    def __init__(self, request: AgentRequest) -> None:
        if request.helpers is None:
            raise ValueError("no helpers")
        self._request = request
        self._helpers = request.helpers
        self._id = os.path.relpath(os.path.realpath(request.run_dir), os.path.realpath(self._helpers.runs))
        self._ours, theirs = socket.socketpair()
        self._said = b""
        self._silent = False
        with theirs:
            self.child = subprocess.Popen(
                [_SUDO, "-n", self._helpers.agent_run], cwd="/", env=_ENVIRONMENT, stdin=theirs.fileno(),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, close_fds=True, start_new_session=True,
            )  # fmt: skip
        self.survivors: list[int] = []

    def start(self, cancelled: t.Callable[[], str | None], deadline: float) -> tuple[str, socket.socket] | None:
        """(the folder in which the agent sees its own, the relay's socket); ``None`` when the run was cancelled before.

        :raises CodexOpsError: ``helper_failed``, with what the helper said.
        """
        with contextlib.suppress(OSError):
            self._ours.sendall(self._id.encode() + b"\n")
        self._ours.settimeout(0.1)
        while True:
            try:
                data, handles, _flags, _address = socket.recv_fds(self._ours, 65536, 1)
                break
            except socket.timeout:
                if cancelled() is not None or time.monotonic() > deadline:
                    return None
            except OSError:
                data, handles = b"", []
                break
        if data[:1] == b"R" and len(handles) == 1:
            return json.loads(data[1:])["home"], socket.socket(fileno=handles[0])
        for handle in handles:
            os.close(handle)
        self.end(0.0)
        raise self._failed(data[1:].decode("utf-8", "replace") if data[:1] == b"E" else self._complaint())

    def _complaint(self) -> str:
        if self.child.stderr is None:
            return ""
        with self.child.stderr as stream:
            return " ".join(stream.read(4096).decode("utf-8", "replace").split())[-500:]

    def _failed(self, why: str) -> CodexOpsError:
        return CodexOpsError(
            f"The helper {self._helpers.agent_run} did not run the agent: {why or 'it said nothing'}",
            code="helper_failed",
            outcome="killed" if "kill switch" in why else "sandbox_unavailable",
            hint="On a provisioned host Codex runs as codex-agent only. Provision the host again (users, helpers, sudoers); 'codex-ops selftest' says more.",
        )

    def status(self, ending: Ending) -> None:
        """Take what the helper said at the end, and the copy as the agent left it, into the run's folder.

        :raises CodexOpsError: ``copy_lost``: the agent ended well, and what it did is not to be had.
        """
        if ending.timed_out or ending.cancelled is not None or ending.verdict:
            return
        found = self._last_word()
        if found.get("not_started"):
            ending.not_started = str(found["not_started"])
            return
        number = found.get("signal")
        ending.exit_code = -int(number) if number else found.get("exit_code")
        if not found.get("returned"):
            why = str(found.get("missing") or "the helper was killed")
            full = disk.says_full(why)
            raise CodexOpsError(
                f"What the agent did is lost: {why}",
                code=disk.CODE if full else "copy_lost",
                outcome=disk.OUTCOME,
                where=self._request.run_dir,
                hint=disk.HINT if full else "Nothing was changed; run this again.",
            )
        folder.remove(self._request.workspace)
        os.rename(os.path.join(self._request.run_dir, _RETURNED), self._request.workspace)

    def _last_word(self) -> dict[str, t.Any]:
        self._gone(_PATIENCE)
        try:
            found = json.loads(self._said[1:]) if self._said[:1] == b"D" else {}
        except ValueError:
            found = {}
        return found if isinstance(found, dict) else {}

    def end(self, grace: float) -> None:
        """Have the helper end everything; it needs no grace."""
        with contextlib.suppress(OSError):
            self._ours.shutdown(socket.SHUT_WR)
        if self._gone(grace + _PATIENCE):
            return
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                [_SUDO, "-n", self._helpers.agent_stop], input=self._id.encode() + b"\n", cwd="/", env=_ENVIRONMENT, timeout=15, check=False,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        if not self._gone(_PATIENCE):
            self.survivors = [self.child.pid]

    def _gone(self, seconds: float) -> bool:
        """Whether the helper and everything below it ended within *seconds*.

        The helper and the first process of the agent's namespace hold the other end of the sockets: when that is closed, neither
        lives. sudo alone tells nothing: codex-ops may kill it.
        """
        until = time.monotonic() + seconds
        while not self._silent:
            left = until - time.monotonic()
            if left <= 0:
                return False
            self._ours.settimeout(left)
            try:
                piece = self._ours.recv(65536)
            except socket.timeout:
                return False
            except OSError:
                piece = b""
            self._silent = not piece
            self._said = (self._said + piece)[:65536]
        try:
            self.child.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """End everything, and let go."""
        self.end(0.0)
        self._ours.close()


@contextlib.contextmanager
def begun(
    request: AgentRequest, token: str, cancelled: t.Callable[[], str | None], deadline: float
) -> t.Iterator[tuple[Helped, Identity, socket.socket] | None]:
    """Start Codex by the helper, and end it with the block; ``None`` when the run was cancelled before.

    :raises CodexOpsError: ``helper_failed``, ``disk_full``.
    """
    keys = ("contract", "model", "output_schema", "prompt", "reasoning_effort", "timeout", "writable")
    asked = {**{key: getattr(request, key) for key in keys}, "token": token}
    path = os.path.join(request.run_dir, _REQUEST)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    # What is wrong with it would be the helper's word against ours: better here.
    config.config_toml(
        config.Layout("/"), port=1, writable=False, install=[], model=request.model, reasoning_effort=request.reasoning_effort, timeout=request.timeout
    )
    folder.check_contract(request)
    with disk.watched(request.run_dir):
        folder.write(path, json.dumps(asked, ensure_ascii=True).encode("ascii"))
    try:
        helped = Helped(request)
    except FileNotFoundError:
        raise CodexOpsError(
            f"There is no {_SUDO}, by which the agent is run.", code="sudo_missing", outcome="sandbox_unavailable", hint="Install the package sudo."
        ) from None
    try:
        started = helped.start(cancelled, deadline)
        if started is None:
            yield None
            return
        home, listener = started
        with listener:
            place = Identity(None, config.Layout(os.path.join(home, "agent")), os.path.join(home, "workspace"), home, request.codex_path, "", alone=True)
            yield helped, place, listener
    finally:
        helped.close()
        with contextlib.suppress(OSError):
            os.unlink(path)
