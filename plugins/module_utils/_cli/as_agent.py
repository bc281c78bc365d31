# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What codex-agent can do on this host by itself, sandbox or not: tried by root, before it becomes codex-ops. PRIVATE."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import typing as t

from .._identities import AGENT, Account, account, become
from .._places import Places

#: Seconds for all of it.
_TIMEOUT = 15
_MOST = 200


class Tried(t.NamedTuple):
    """What was found: how much was closed, what was not, and whether sudo lets it do anything at all."""

    closed: int
    read: tuple[str, ...]
    reached: tuple[str, ...]
    sudo: bool


def secrets(places: Places) -> list[str]:
    """Files and folders that are not for the agent, as far as the caller can see them."""
    folder = os.path.dirname(places.provider_key)
    found = [folder, places.log, places.inbox, places.plans, places.tickets, places.outbox, places.backups, "/etc/shadow"]
    with contextlib.suppress(OSError):
        found += [os.path.join(folder, name) for name in sorted(os.listdir(folder))[:_MOST]]
    return [path for path in found if os.path.lexists(path)]


def tried(places: Places) -> Tried | None:
    """What codex-agent can do; ``None`` where this is not root on a provisioned host, or there is no such user."""
    agent = account(AGENT) if places.privileged else None
    if agent is None:
        return None
    paths = secrets(places)
    sudo = _sudo()
    with listening() as addresses:
        found = _in_a_child(agent, lambda: _attempts(paths, addresses))
    return Tried(len(paths) - len(found["read"]), tuple(found["read"]), tuple(found["reached"]), sudo)


def _own() -> list[tuple[int, str]]:
    """Family and address by which this host reaches itself: loopback, and the addresses from which it would reach others. Nothing is sent."""
    found: list[tuple[int, str]] = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # There may be no IPv6, or no way out.
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((elsewhere, 9))
            found.append((family, asking.getsockname()[0]))
    return list(dict.fromkeys(found))


@contextlib.contextmanager
def listening() -> t.Iterator[list[tuple[int, t.Any]]]:
    """Ports of this host that nobody listed, by family and address. They are open meanwhile."""
    with contextlib.ExitStack() as held:
        listeners = []
        for family, address in _own():
            with contextlib.suppress(OSError):
                listeners.append(held.enter_context(socket.create_server((address, 0), family=family)))
        yield [(listener.family, listener.getsockname()[:2]) for listener in listeners]


def reached(addresses: t.Sequence[tuple[int, t.Any]]) -> list[str]:
    """To which of these the caller can connect."""
    found = []
    for family, address in addresses:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(2)
            client.connect(address)
            found.append(str(address[0]))
    return found


def _attempts(paths: t.Sequence[str], addresses: t.Sequence[tuple[int, t.Any]]) -> dict[str, t.Any]:
    read = []
    for path in paths:
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY))
            read.append(path)
        except OSError:
            continue
    return {"read": read, "reached": reached(addresses)}


def _sudo() -> bool:
    """Whether sudo lets the agent do anything. Asked as root; whatever is not a clear no is a yes."""
    argv = ["sudo", "-n", "-l", "-U", AGENT]
    try:
        clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False, cwd="/", env=clean)
    except FileNotFoundError:
        return False
    except (OSError, subprocess.TimeoutExpired):
        return True
    return not re.match(rb"User %s is not allowed to run sudo on [^\n]*\n?\Z" % AGENT.encode(), done.stdout)


def _in_a_child(agent: Account, work: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """The result of *work*, done by *agent*. :raises OSError: when it could not be done."""
    heard, says = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            become(agent)
            os.write(says, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(says)
    try:
        data = b""
        while select.select([heard], [], [], _TIMEOUT)[0]:
            piece = os.read(heard, 65536)
            if not piece:
                break
            data += piece
    finally:
        os.close(heard)
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    try:
        return t.cast("dict[str, t.Any]", json.loads(data))
    except ValueError:
        raise OSError(0, f"what {AGENT} can do could not be tried") from None
