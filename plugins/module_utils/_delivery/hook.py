# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls the hook: a command of the host's, or a webhook. What it answers is never shown: it comes from outside. PRIVATE."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
import typing as t
from urllib.parse import urlsplit

from .settings import Alert, is_loopback
from .signing import Key, signed

#: All that a command finds in its environment.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
#: Bytes of an answer that are read, and thrown away.
_ANSWER = 64 * 1024


class Unreached(str):
    """Why a call failed where no other message would have done better."""


class Ended(t.Protocol):
    """How a command ended."""

    @property
    def exit_code(self) -> int | None:
        """``None`` where a signal ended it."""

    @property
    def signal(self) -> int | None:
        """The signal that ended it."""

    @property
    def timed_out(self) -> bool:
        """Whether it took too long."""


def by_command(alert: Alert, key: Key, message: str, body: bytes, now: float, run: t.Callable[..., Ended]) -> str | None:
    """Give one alert to the command. Why that failed, or ``None``.

    Nothing of the alert is in its arguments or its environment.

    :arg run: Runs a program with a time limit, and leaves nothing of it behind.
    """
    given = {**json.loads(body), **signed(key, message, body, now), "body": body.decode("ascii")}
    stdin = json.dumps(given, sort_keys=True, ensure_ascii=True).encode("ascii") + b"\n"
    name = alert.command[0]
    try:
        done = run(alert.command, cwd="/", env=ENVIRONMENT, timeout=alert.timeout, stdin=stdin, max_output=0)
    except (OSError, ValueError) as error:
        return Unreached(f"{name} cannot be run: {getattr(error, 'strerror', None) or type(error).__name__}")
    if done.timed_out:
        return f"{name} did not end within {alert.timeout:.0f} s"
    if done.signal is not None:
        return f"{name} was ended by signal {done.signal}"
    return None if done.exit_code == 0 else f"{name} ended with status {done.exit_code}"


def by_webhook(alert: Alert, key: Key, message: str, body: bytes, now: float) -> str | None:
    """Post one alert. Why that failed, or ``None``. Redirects are not followed: they are failures."""
    until = time.monotonic() + alert.timeout
    parts = urlsplit(str(alert.webhook))
    host, secure = str(parts.hostname), parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    try:
        context = ssl.create_default_context(cafile=alert.ca_file) if secure else None
    except (OSError, ssl.SSLError):
        return Unreached(f"{alert.where}: the file of authorities {alert.ca_file} cannot be used")
    headers = {
        **signed(key, message, body, now),
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "codex-ops",
        "Connection": "close",
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        status = _post(host, port, context, target, body, headers, until)
    except _Late as late:
        why = f"{alert.where} did not answer within {alert.timeout:.0f} s"
        return why if late.connected else Unreached(why)
    except _NotHere:
        return Unreached(f"{alert.where} leads to another host, and http is for this one only")
    except ssl.SSLCertVerificationError as error:
        return Unreached(f"the certificate of {alert.where} could not be verified: {error.verify_message}")
    except ssl.SSLError:
        return Unreached(f"there is no TLS with {alert.where}")
    except socket.gaierror:
        return Unreached(f"the name of {alert.where} could not be resolved")
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = f"{alert.where} could not be reached: {getattr(error, 'strerror', None) or type(error).__name__}"
        # Who answers with nonsense, or hangs up, was there.
        return why if isinstance(error, (http.client.HTTPException, ConnectionResetError, BrokenPipeError)) else Unreached(why)
    return None if 200 <= status < 300 else f"{alert.where} answered with status {status}"


class _Late(Exception):
    """The time is over."""

    connected = False


class _NotHere(Exception):
    """Plain HTTP would leave this host."""


def _addresses(host: str, port: int, seconds: float) -> list[t.Any]:
    """What the host's resolver says, in time."""
    found: list[t.Any] = []

    def look() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(max(0.01, seconds))
    if not found:
        raise _Late
    if isinstance(found[0], UnicodeError):
        raise socket.gaierror
    if isinstance(found[0], Exception):
        raise found[0]
    return t.cast("list[t.Any]", found[0])


def _connect(host: str, port: int, plain: bool, until: float) -> socket.socket:
    last: OSError = OSError(0, "it has no address")
    for family, kind, protocol, _name, where in _addresses(host, port, until - time.monotonic())[:8]:
        if plain and not is_loopback(str(where[0])):
            raise _NotHere
        left = until - time.monotonic()
        if left <= 0:
            raise _Late
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(left)
            connection.connect(where)
            return connection
        except OSError as error:
            connection.close()
            if time.monotonic() >= until:
                raise _Late from None
            last = error
    raise last


def _post(host: str, port: int, context: ssl.SSLContext | None, target: str, body: bytes, headers: dict[str, str], until: float) -> int:
    connection = _connect(host, port, context is None, until)
    # TLS takes the descriptor over; this one stays, and both are one connection. However slowly the other side drips, it ends in time.
    same, cut = connection.dup(), threading.Event()

    def stop() -> None:
        cut.set()
        try:
            same.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    timer = threading.Timer(max(0.01, until - time.monotonic()), stop)
    timer.daemon = True
    timer.start()
    try:
        if context is not None:
            connection = context.wrap_socket(connection, server_hostname=host)
        asked = http.client.HTTPConnection(host, port)
        asked.sock = connection
        asked.request("POST", target, body=body, headers=headers)
        answer = asked.getresponse()
        answer.read(_ANSWER)
        return int(answer.status)
    except (OSError, ValueError, http.client.HTTPException) as error:
        if cut.is_set() or time.monotonic() >= until:
            late = _Late()
            late.connected = True
            raise late from error
        raise
    finally:
        timer.cancel()
        timer.join()
        same.close()
        connection.close()
