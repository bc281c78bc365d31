# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks an HTTP server for a page, follows redirects, and ends in time. PRIVATE."""

from __future__ import annotations

import dataclasses
import http.client
import ssl
import time
import urllib.parse

from .net import Unreachable, connect, ending, trusting

#: Bytes of a page that are read.
MAX_BODY = 64 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclasses.dataclass
class Page:
    """``url`` is the last one, ``way`` the addresses that it led to. ``seconds`` are those of all of them."""

    url: str
    status: int
    seconds: float
    way: list[str]
    body: bytes


def problem(url: str) -> str | None:
    """What is wrong with an address, if something is."""
    if any(letter <= " " or letter == "\x7f" for letter in url):
        return "an address holds no space and no control character."
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"it is no address: {error}."
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return f"expected an address that begins with http:// or https://, found {url[:80]!r}."
    if parts.username is not None or parts.password is not None:
        return "an address with a user name or a password in it is not taken: findings are shown and logged."
    return None


def get(url: str, *, seconds: float, redirects: int, authorities: str | None) -> Page:
    """The page at *url*, or the one that it leads to.

    :raises Unreachable: when there is none, in time.
    """
    began = time.monotonic()
    way: list[str] = []
    until = began + seconds
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise Unreachable(f"It does not answer within {seconds:.0f} s.")
        status, location, body = _one(url, left, authorities)
        if status not in _REDIRECTS or not location:
            return Page(url, status, time.monotonic() - began, way, body)
        url = urllib.parse.urljoin(url, location)
        wrong = problem(url)
        if wrong:
            raise Unreachable(f"It leads to an address that is none: {wrong}")
        way.append(url)
        if len(way) > redirects:
            raise Unreachable(f"It leads on and on: {', '.join(way[:6])}.")


def _one(url: str, seconds: float, authorities: str | None) -> tuple[int, str | None, bytes]:
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    until = time.monotonic() + seconds
    connection = connect(host, port, seconds)
    try:
        with ending(connection, until - time.monotonic()) as cut:
            try:
                if secure:
                    connection = trusting(authorities).wrap_socket(connection, server_hostname=host)
                # A name alone would be resolved again, and connected again.
                asked = http.client.HTTPConnection(host, port, timeout=max(0.01, until - time.monotonic()))
                asked.sock = connection
                path = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (f"?{parts.query}" if parts.query else "")
                shown = f"[{host}]" if ":" in host else host
                headers = {"Host": shown if parts.port is None else f"{shown}:{parts.port}", "User-Agent": "codex-ops", "Accept": "*/*", "Connection": "close"}
                asked.request("GET", path, headers=headers)
                answer = asked.getresponse()
                return answer.status, answer.getheader("Location"), answer.read(MAX_BODY)
            except ssl.SSLCertVerificationError as error:
                raise Unreachable(f"Its certificate is not trusted: {error.verify_message}.") from None
            except (OSError, ValueError, http.client.HTTPException) as error:
                if cut or isinstance(error, TimeoutError):
                    raise Unreachable(f"It does not answer within {seconds:.0f} s.") from None
                reason = getattr(error, "strerror", None) or str(error)[:200] or type(error).__name__
                raise Unreachable(f"It does not answer as HTTP wants it: {type(error).__name__}: {reason}.") from None
    finally:
        connection.close()
