# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An engine that was started as root on a provisioned host works as codex-ops: in a child, or for good. PRIVATE."""

from __future__ import annotations

import json
import os
import pwd
import select
import signal
import typing as t

from ._errors import CodexOpsError
from ._identities import Account, become
from ._places import Places

_BLOCK = 1 << 20
_POLL_MS = 100


def wanted(prefix: str) -> bool:
    """Whether work under *prefix* has to be done by codex-ops, and this is root."""
    return Places(prefix).privileged


def for_good(prefix: str) -> None:
    """Become codex-ops where this is root on a provisioned host. Only for a process whose engine everybody can read."""
    places = Places(prefix)
    if places.privileged and places.ops is not None:
        places.prepare()
        _become(places.ops)


def _become(ops: Account) -> None:
    starter = pwd.getpwuid(os.geteuid()).pw_name
    become(ops)
    # Who asked is still who asked: the trail says so, and they may not approve it.
    os.environ.setdefault("SUDO_USER", starter)
    os.environ["HOME"] = pwd.getpwuid(ops.uid).pw_dir
    os.umask(0o077)
    os.chdir("/")


def as_ops(prefix: str, ansible: bool, work: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """The result of *work*, done by codex-ops.

    :arg ansible: The caller is Ansible.
    :raises CodexOpsError: as *work* does; ``engine_died`` when the child was killed.
    """
    places = Places(prefix)
    if places.ops is None:
        raise ValueError("not a provisioned host")
    # Root lays the folders; then the child finds them.
    places.prepare()
    # Ansible's folder with the engine is root's alone: what is not read yet could not be read by the child.
    from . import _everything  # pylint: disable=import-outside-toplevel

    _everything.load()
    heard, says = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(heard)
            _child(places, says, work)
        finally:
            os._exit(1)
    os.close(says)
    data = _listen(pid, heard, ansible)
    _pid, status = os.waitpid(pid, 0)
    try:
        answer = json.loads(data)
    except ValueError:
        raise CodexOpsError(
            f"The engine, which works as {places.ops.name}, ended without a result (wait status {status}).",
            code="engine_died",
            outcome="agent_error",
            hint="What it had begun is in the audit log; the next run clears up after it.",
        ) from None
    if "error" in answer:
        raise CodexOpsError(**answer["error"])
    return t.cast("dict[str, t.Any]", answer["result"])


def _child(places: Places, says: int, work: t.Callable[[], dict[str, t.Any]]) -> None:
    from ._agent import _proc  # pylint: disable=import-outside-toplevel

    parent = os.getppid()
    if places.ops is None:
        return
    _become(places.ops)
    _proc.die_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        return
    answer: dict[str, t.Any]
    try:
        answer = {"result": work()}
    except CodexOpsError as error:
        keys = ("message", "code", "outcome", "hint", "where", "details")
        answer = {"error": {key: getattr(error, key) for key in keys}}
    view = memoryview(json.dumps(answer, ensure_ascii=True, default=str).encode("ascii"))
    while view:
        view = view[os.write(says, view) :]
    os._exit(0)


def _listen(pid: int, heard: int, ansible: bool) -> bytes:
    """What the child says until its end. When the caller is lost, the child is told, and finishes what it must."""
    from ._agent.caller import CallerWatch  # pylint: disable=import-outside-toplevel

    pieces: list[bytes] = []
    told = False
    with CallerWatch(ansible=ansible) as watch, os.fdopen(heard, "rb", buffering=0) as stream:
        poll = select.poll()
        poll.register(heard, select.POLLIN)
        while True:
            if not told and watch.lost() is not None:
                told = True
                os.kill(pid, signal.SIGTERM)
            if not poll.poll(_POLL_MS):
                continue
            piece = stream.read(_BLOCK)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
