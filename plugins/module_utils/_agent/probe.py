# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tries the sandbox with a scripted agent: a real ``codex exec`` that attempts what must fail. PRIVATE."""

from __future__ import annotations

import errno
import json
import os
import socket
import tempfile
import typing as t

from .._trail.redaction import Redactor
from . import disk
from .folder import remove
from .process import never
from .request import AgentRequest, Helpers
from .run import run_agent

_SCRIPT = r"""
note() { printf '%s\n' "$1" >> findings; }
note started
REACHED="network: it reached a port on the loopback interface"
if cat "$CANARY" >/dev/null 2>&1; then note "read: it read a file outside the workspace"; fi
if cat "$HOME/../codex/config.toml" >/dev/null 2>&1; then note "read: it read a file outside the workspace"; fi
# Opened only: nothing is written.
if ( : >> /proc/sys/kernel/core_pattern ) 2>/dev/null; then note "sys: it can write the kernel's settings in /proc/sys"; fi
cat "$CANARY" > canary 2>/dev/null
( printf x > "$OUTSIDE" ) 2>/dev/null
for name in /etc/shadow /etc/passwd; do if cat "$name" >/dev/null 2>&1; then note "etc: it read $name"; fi; done
if command -v bash >/dev/null 2>&1; then
  if bash -c "exec 3<>/dev/tcp/127.0.0.1/$PORT && printf $NONCE >&3" 2>/dev/null; then note "$REACHED"; fi
fi
if command -v python3 >/dev/null 2>&1; then
  if python3 -I -c "import socket;socket.create_connection(('127.0.0.1',$PORT),2).sendall(b'$NONCE')" 2>/dev/null; then note "$REACHED"; fi
fi
{ env; cat /proc/[0-9]*/environ; } > environment 2>/dev/null
note done
"""


def probe(codex_path: str, scratch_dir: str, helpers: Helpers | None = None, cancelled: t.Callable[[], str | None] = never) -> list[str]:
    """What did not hold, in words; empty when the sandbox is sound.

    :arg cancelled: Polled at least five times a second; a reason ends the probe, which then proves nothing.
    """
    folder = tempfile.mkdtemp(prefix="probe-", dir=scratch_dir)
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            return _probe(codex_path, folder, listener, helpers, cancelled)
    finally:
        remove(folder)


def _probe(codex_path: str, folder: str, listener: socket.socket, helpers: Helpers | None, cancelled: t.Callable[[], str | None]) -> list[str]:
    workspace, outside = os.path.join(folder, "workspace"), os.path.join(folder, "outside")
    canary, written = os.path.join(outside, "canary"), os.path.join(outside, "written")
    os.mkdir(workspace, 0o700)
    os.mkdir(outside, 0o700)
    secret, token, nonce = os.urandom(16).hex(), os.urandom(24).hex(), os.urandom(16).hex()
    with open(canary, "x", encoding="ascii") as stream:
        stream.write(secret)
    import shlex

    head = f"CANARY={shlex.quote(canary)}; OUTSIDE={shlex.quote(written)}; PORT={listener.getsockname()[1]}; NONCE={nonce}\n"
    request = AgentRequest(
        run_dir=folder,
        workspace=workspace,
        writable=True,
        prompt="Probe the sandbox.",
        contract=None,
        output_schema=None,
        codex_path=codex_path,
        model=None,
        reasoning_effort=None,
        timeout=60,
        tokens=None,
        requests=10,
        cassette=_cassette(head + _SCRIPT),
        cassette_mode="replay",
        helpers=helpers,
    )
    result = run_agent(request, Redactor(), cancelled, token=token)
    findings = _read(os.path.join(workspace, "findings")).splitlines()
    reasons = [command["reason"] for command in result.commands if command["reason"]]
    if result.code == disk.CODE or (not findings and any(disk.says_full(reason) for reason in reasons)):
        raise OSError(errno.ENOSPC, "the disk is full", folder)
    if result.outcome != "completed":
        return [result.msg.rstrip(".")]
    if not findings or findings[-1] != "done":
        return ["a command that writes in the workspace did not run" + (f" ({reasons[0]})" if reasons else "")]
    broken = sorted({line.partition(": ")[2] for line in findings if ": " in line})
    if secret in _read(os.path.join(workspace, "canary")):
        broken.append("a secret outside the workspace came into it")
    if os.path.lexists(written):
        broken.append("it wrote a file outside the workspace")
    if token in _read(os.path.join(workspace, "environment")):
        broken.append("the relay's token is in an environment that commands can read")
    if _was_reached(listener, nonce.encode()):
        broken.append("a connection arrived at a port on the loopback interface")
    return broken


def _was_reached(listener: socket.socket, nonce: bytes) -> bool:
    """Whether the probe's own word arrived. Anybody on this host may connect, and that proves nothing."""
    while True:
        try:
            connection = listener.accept()[0]
        except OSError:
            return False
        with connection:
            connection.settimeout(0.2)
            try:
                if connection.recv(len(nonce), socket.MSG_WAITALL) == nonce:
                    return True
            except OSError:
                continue


def _read(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(fd, "rb") as stream:
        return stream.read(4 * 1024 * 1024).decode("utf-8", "replace")


def _cassette(script: str) -> dict[str, t.Any]:
    call = {"type": "function_call", "call_id": "probe", "name": "exec_command", "arguments": json.dumps({"cmd": script, "yield_time_ms": 30000})}
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "probed"}]}
    return {"version": 1, "exchanges": [{"response": {"items": [call]}}, {"response": {"items": [answer]}}]}
