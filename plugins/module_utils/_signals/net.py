# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that end in time, whatever the other side does. PRIVATE."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import typing as t

from .files import Late, within

#: Bytes of one line of a greeting, and lines of one answer.
_LINE = 8192
_LINES = 100
STARTTLS = ("smtp", "imap", "pop3", "ftp", "postgres")


class Unreachable(Exception):
    """There is no connection, or no answer. The message says why."""


def address(text: str, port: int | None = None) -> tuple[str, int]:
    """Host and port of ``example.com:443`` or ``[::1]:443``.

    :arg port: What is meant where none is said.
    :raises ValueError: when it is not one.
    """
    host, _colon, number = text.rpartition(":") if not text.endswith("]") and (text.count(":") == 1 or "]:" in text) else (text, "", "")
    if not number:
        host = text
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    found = int(number) if number.isascii() and number.isdigit() else port
    if not host or found is None or not 0 < found < 65536 or any(letter.isspace() or letter in "/@?#" for letter in host) or (number and not number.isdigit()):
        raise ValueError(text)
    return host, found


def addresses(host: str, port: int, seconds: float) -> list[t.Any]:
    """What the host's own resolver says.

    :raises Unreachable: when it says nothing.
    """
    try:
        return within(seconds, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except Late:
        raise Unreachable(f"Its name was not resolved within {seconds:.0f} s.") from None
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"Its name cannot be resolved: {getattr(error, 'strerror', None) or error}.") from None


def connect(host: str, port: int, seconds: float) -> socket.socket:
    """A connection to the first of its addresses that takes one.

    :raises Unreachable: when none does.
    """
    until = time.monotonic() + seconds
    reason = "It has no address."
    for family, kind, protocol, _name, where in addresses(host, port, seconds)[:8]:
        left = until - time.monotonic()
        if left <= 0:
            break
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(left)
            connection.connect(where)
            return connection
        except OSError as error:
            connection.close()
            reason = f"It does not take a connection: {'no answer in time' if isinstance(error, TimeoutError) else error.strerror or error}."
    raise Unreachable(reason)


@contextlib.contextmanager
def ending(connection: socket.socket, seconds: float) -> t.Iterator[list[bool]]:
    """Cut *connection* after *seconds*, however slowly the other side drips. The list is not empty where it was cut."""
    cut: list[bool] = []
    # TLS takes the descriptor over; this one stays, and both are one connection.
    same = connection.dup()

    def stop() -> None:
        cut.append(True)
        with contextlib.suppress(OSError):
            same.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.01, seconds), stop)
    timer.daemon = True
    timer.start()
    try:
        yield cut
    finally:
        timer.cancel()
        timer.join()
        same.close()


def _line(connection: socket.socket) -> bytes:
    """One line. It is read byte by byte: what comes behind it belongs to TLS."""
    line = b""
    while not line.endswith(b"\n"):
        piece = connection.recv(1)
        if not piece or len(line) > _LINE:
            raise Unreachable("It does not answer as this protocol wants it.")
        line += piece
    return line.rstrip(b"\r\n")


def _answer(connection: socket.socket, good: bytes, tag: bytes = b"") -> None:
    """Read an answer to its last line, which must begin with *good*."""
    for _number in range(_LINES):
        line = _line(connection)
        if tag and not line.startswith(tag):
            continue
        if not tag and line[3:4] == b"-":
            continue
        if line.startswith(good):
            return
        break
    raise Unreachable("It does not offer STARTTLS.")


def start_tls(connection: socket.socket, protocol: str) -> None:
    """Ask for TLS on *connection*, as *protocol* (one of :data:`STARTTLS`) does.

    :raises Unreachable: when it is refused.
    """
    try:
        if protocol == "smtp":
            _answer(connection, b"220")
            connection.sendall(b"EHLO localhost\r\n")
            _answer(connection, b"250")
            connection.sendall(b"STARTTLS\r\n")
            _answer(connection, b"220")
        elif protocol == "imap":
            _line(connection)
            connection.sendall(b"a1 STARTTLS\r\n")
            _answer(connection, b"a1 OK", b"a1")
        elif protocol == "pop3":
            _line(connection)
            connection.sendall(b"STLS\r\n")
            _answer(connection, b"+OK")
        elif protocol == "ftp":
            _answer(connection, b"220")
            connection.sendall(b"AUTH TLS\r\n")
            _answer(connection, b"234")
        else:
            connection.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
            if connection.recv(1) != b"S":
                raise Unreachable("It does not offer TLS.")
    except OSError as error:
        raise Unreachable(f"It does not answer: {error.strerror or error}.") from None


def _handshake(host: str, port: int, protocol: str | None, name: str, seconds: float, context: ssl.SSLContext) -> bytes | None:
    until = time.monotonic() + seconds
    connection = connect(host, port, seconds)
    with connection, ending(connection, until - time.monotonic()) as cut:
        try:
            if protocol:
                start_tls(connection, protocol)
            with context.wrap_socket(connection, server_hostname=name) as secured:
                return secured.getpeercert(binary_form=True)
        except ssl.SSLCertVerificationError:
            raise
        except Unreachable:
            if cut:
                raise Unreachable(f"It does not answer within {seconds:.0f} s.") from None
            raise
        except (OSError, ValueError) as error:
            reason = f"within {seconds:.0f} s" if cut or isinstance(error, TimeoutError) else f"with TLS: {getattr(error, 'reason', None) or error}"
            raise Unreachable(f"It does not answer {reason}.") from None


def trusting(authorities: str | None) -> ssl.SSLContext:
    """Wants a chain to one of the *authorities* in a file, or to one of the host's own, as other programs do.

    From 3.13 on Python also refuses certificates that lack a part of their form which no other program asks for; whether a host is well
    must not depend on its Python.

    :raises OSError: when the file cannot be used.
    """
    made = ssl.create_default_context(cafile=authorities)
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return made


def peer(host: str, port: int, *, protocol: str | None, name: str, seconds: float, authorities: str | None) -> tuple[bytes, str]:
    """(the certificate that an endpoint shows as DER, what is wrong with its chain or nothing).

    :arg protocol: How TLS begins; ``None``: at once.
    :arg authorities: A file with the authorities that are trusted. Without one, the host's own.
    :raises Unreachable: where there is none.
    """
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.check_hostname = False
    plain.verify_mode = ssl.CERT_NONE
    shown = _handshake(host, port, protocol, name, seconds, plain)
    if not shown:
        raise Unreachable("It shows no certificate.")
    try:
        strict = trusting(authorities)
    except (OSError, ssl.SSLError) as error:
        raise Unreachable(f"The file of authorities cannot be used: {error}.") from None
    # Names and time are judged apart, each with a finding of its own.
    strict.check_hostname = False
    try:
        _handshake(host, port, protocol, name, seconds, strict)
    except ssl.SSLCertVerificationError as error:
        return shown, "" if error.verify_code in (9, 10) else error.verify_message
    return shown, ""
