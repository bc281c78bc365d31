# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The live backend: passes requests on to the provider, and the response back as it arrives. PRIVATE.

The key is added here and nowhere else. The heavy modules (ssl, http.client) are imported by the first request, while Codex
is still starting.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import typing as t
from urllib.parse import urlsplit

from .._errors import CodexOpsError
from .._trail.redaction import Redactor
from . import faults
from .ledger import Exchange, Ledger
from .sse import Reader

if t.TYPE_CHECKING:
    import http.client
    import ssl

    from . import http1
    from .request import Provider
    from .transcript import Transcript

#: Seconds for a connection to be made.
CONNECT_TIMEOUT = 20.0
#: How often a request is repeated before a byte of the response was passed on.
RETRIES = 2
_RETRIED = (429, 502, 503, 504)
_PASSED_ON = ("accept", "content-type", "user-agent", "originator", "x-codex-beta-features", "session-id", "thread-id", "x-client-request-id")
_ERROR_BODY = 65536


class _Unreachable(Exception):
    """There is no way to the provider."""

    def __init__(self, code: str, msg: str) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg


class Upstream:
    """Answers from the provider.

    :arg deadline: End of the run on the monotonic clock; nothing waits longer.
    :raises CodexOpsError: ``base_url_invalid``, ``proxy_invalid``, ``api_key_invalid`` or ``ca_path_invalid``.
    """

    def __init__(self, provider: Provider, masks: Redactor, ledger: Ledger, transcript: Transcript, deadline: float) -> None:
        self._masks = masks
        self._ledger = ledger
        self._transcript = transcript
        self._deadline = deadline
        self._key = provider.api_key
        if self._key is not None and (not self._key.isascii() or not self._key.isprintable()):
            raise CodexOpsError("The provider's key holds characters that no key has.", code="api_key_invalid", hint="Look for a line break in its file.")
        self._url = _checked_url(provider.base_url, "base_url", ("http", "https"))
        self._proxy = _checked_url(provider.proxy, "proxy", ("http",)) if provider.proxy else None
        self._ca_path = provider.ca_path
        self._lock = threading.Lock()
        self._open: set[http.client.HTTPConnection] = set()
        self._closed = threading.Event()
        self._context: ssl.SSLContext | None = None
        self._ready = threading.Event()
        if self._ca_path is not None and not os.access(self._ca_path, os.R_OK):
            raise CodexOpsError(f"The CA bundle {self._ca_path} cannot be read.", code="ca_path_invalid", hint="Give a PEM file as ca_path.")

    def warm_up(self) -> None:
        """Import what is slow to import, and read the certificates."""
        import http.client  # noqa: F401
        import ssl

        if self._url.scheme == "https":
            try:
                self._context = ssl.create_default_context(cafile=self._ca_path)
            except (OSError, ssl.SSLError) as error:
                said = f"The CA bundle {self._ca_path} cannot be used: {error}. Give a PEM file as ca_path."
                self._ledger.end("provider_unreachable", "ca_path_invalid", said)
                return
        self._ready.set()

    def close(self) -> None:
        """Break every connection."""
        self._closed.set()
        with self._lock:
            for connection in self._open:
                sock = connection.sock
                if sock is not None:
                    try:
                        sock.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass

    def models(self, request: http1.Request, out: http1.Reply) -> None:
        """GET /models, as the provider answers it. Codex can do without, so a failure here ends nothing."""
        try:
            connection, response = self._send("GET", "/models", b"", {"accept": "application/json"})
        except (_Unreachable, OSError):
            out.json(200, {"models": []})
            return
        try:
            body = response.read(16 * 1024 * 1024)
        except Exception:
            body = b""
        finally:
            self._forget(connection)
        out.start(response.status, response.getheader("Content-Type") or "application/json", len(body))
        out.write(body)

    def respond(self, exchange: Exchange, request: http1.Request, out: http1.Reply) -> None:
        """Pass the request on, masked, and the response back."""
        import http.client

        body = json.dumps(mask(exchange.body, self._masks), ensure_ascii=True).encode("ascii")
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        path = "/" + request.path.split("?", 1)[0][len("/v1/") :]
        try:
            connection, response = self._send_with_retries(path, body, headers)
        except _Unreachable as error:
            self._ledger.end("provider_unreachable", error.code, error.msg)
            out.plain(503, "the provider cannot be reached")
            return
        except (OSError, http.client.HTTPException):
            self._end_dropped(exchange)
            return
        try:
            if response.status != 200:
                self._pass_error(exchange, response, out)
            else:
                self._pass_on(exchange, response, out)
        finally:
            self._forget(connection)

    def _pass_error(self, exchange: Exchange, response: http.client.HTTPResponse, out: http1.Reply) -> None:
        try:
            data = response.read(_ERROR_BODY)
        except Exception:
            data = b""
        text = self._masks.text(data.decode("utf-8", "replace"))
        exchange.fault = {"status": response.status if 400 <= response.status <= 599 else 502, "body": text[:4000]}
        self._transcript.response(exchange)
        faults.status_fault(self._ledger, response.status, text)
        out.plain(exchange.fault["status"], text)

    def _pass_on(self, exchange: Exchange, response: http.client.HTTPResponse, out: http1.Reply) -> None:
        import http.client

        if (response.getheader("Content-Encoding") or "identity").lower() != "identity":
            self._ledger.end("provider_error", "response_encoding", "The provider sent a compressed response although none was asked for. Look at the proxy.")
            out.plain(502, "unreadable response")
            return
        content_type = response.getheader("Content-Type") or "text/event-stream"
        streamed = content_type.lower().startswith("text/event-stream")
        reader = Reader(exchange)
        whole = bytearray()
        broken = gone = False
        try:
            out.start(200, content_type)
            while True:
                data = response.read1(65536)
                if not data:
                    break
                if streamed:
                    reader.feed(data)
                elif len(whole) < 16 * 1024 * 1024:
                    whole += data
                try:
                    out.write(data)
                except OSError:
                    gone = True  # Codex was ended, or it has enough: that is not the provider's fault
                    break
                if reader.failure or exchange.completed:
                    break
        except (OSError, http.client.HTTPException, ValueError):
            broken = True
        if not streamed and not broken:
            _read_whole(exchange, bytes(whole))
        if reader.skipped:
            self._ledger.note(f"{reader.skipped} events of the provider's stream were too long to be looked at")
        if reader.failure:
            exchange.fault = {"status": 500, "body": self._masks.text(reader.failure)}
        self._transcript.response(exchange)
        if exchange.completed and exchange.usage is None:
            self._ledger.note("the provider told no token usage; it was estimated from the lengths")
            exchange.usage = _estimate(exchange)
        self._ledger.account(exchange)
        if reader.failure:
            faults.response_failed(self._ledger, self._masks.text(reader.failure))
        elif not exchange.completed and not gone:
            self._end_dropped(exchange, told=True)

    def _end_dropped(self, exchange: Exchange, told: bool = False) -> None:
        if self._closed.is_set():
            return
        exchange.fault = {"drop": True}
        if not told:
            self._transcript.response(exchange)
        faults.dropped(self._ledger)

    def _send_with_retries(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        for attempt in range(RETRIES + 1):
            connection, response = self._send("POST", path, body, headers)
            wait = _retry_after(response.getheader("Retry-After"), attempt)
            if response.status not in _RETRIED or attempt == RETRIES or time.monotonic() + wait + 1 > self._deadline:
                break
            self._forget(connection)
            if self._closed.wait(wait):
                raise ConnectionError("the run has ended")
        return connection, response

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Connect, send and read the status line.

        :raises _Unreachable: When no connection can be made.
        :raises OSError, http.client.HTTPException: When it breaks after that.
        """
        import http.client

        left = max(0.1, self._deadline - time.monotonic())
        if not self._ready.wait(left):
            raise ConnectionError("the certificates are not ready")
        connection = self._connection(min(CONNECT_TIMEOUT, left))
        with self._lock:
            self._open.add(connection)
        try:
            self._connect(connection)
            if connection.sock is not None:
                # The run's own deadline ends a silent provider; this is a second line.
                connection.sock.settimeout(left + 5)
            target = self._url.path.rstrip("/") + path
            if self._proxy is not None and self._context is None:
                target = f"http://{self._url.netloc}{target}"
            sent = {**headers, "Accept-Encoding": "identity", "Connection": "close"}
            if self._key is not None:
                sent["Authorization"] = f"Bearer {self._key}"
            connection.request(method, target, body=body or None, headers=sent)
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException, _Unreachable):
            self._forget(connection)
            raise

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        import http.client

        host, port = str(self._url.hostname), self._url.port or (443 if self._context else 80)
        near_host, near_port = (str(self._proxy.hostname), self._proxy.port or 3128) if self._proxy else (host, port)
        if self._context is None:
            return http.client.HTTPConnection(near_host, near_port, timeout=timeout)
        connection = http.client.HTTPSConnection(near_host, near_port, timeout=timeout, context=self._context)
        if self._proxy is not None:
            connection.set_tunnel(host, port)
        return connection

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        import ssl

        whom = f"the proxy {self._proxy.netloc.rpartition('@')[2]}" if self._proxy else f"the provider {self._url.hostname}"
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise _Unreachable(
                "provider_tls_failed",
                f"The certificate of {self._url.hostname} could not be verified: {error.verify_message}. Check base_url, or give its CA as ca_path.",
            ) from None
        except ssl.SSLError as error:
            said = error.reason or str(error)
            raise _Unreachable("provider_tls_failed", f"There is no TLS with {self._url.hostname}: {said}. Check base_url and the proxy.") from None
        except socket.gaierror as error:
            raise _Unreachable("provider_dns_failed", f"The name of {whom} could not be resolved: {error.strerror}. Check base_url, proxy and DNS.") from None
        except ConnectionRefusedError:
            raise _Unreachable("provider_connection_refused", f"The connection to {whom} was refused. Check base_url, proxy and firewall.") from None
        except TimeoutError:
            raise _Unreachable("provider_connect_timeout", f"There was no answer from {whom} in time. Check base_url, proxy and firewall.") from None
        except OSError as error:
            code = "provider_proxy_failed" if "Tunnel" in str(error) else "provider_connect_failed"
            raise _Unreachable(code, f"There is no connection to {whom}: {error.strerror or error}. Check base_url, proxy and firewall.") from None

    def _forget(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()


class _Url(t.NamedTuple):
    scheme: str
    netloc: str
    hostname: str
    port: int | None
    path: str


def _checked_url(text: str, option: str, schemes: tuple[str, ...]) -> _Url:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment or not text.isprintable() or " " in text:
        raise CodexOpsError(f"{option} is not a URL that can be used.", code=f"{option}_invalid", hint=f"Expected {' or '.join(schemes)}://host[:port][/path].")
    if parts.username is not None:
        raise CodexOpsError(f"{option} must not hold a user or password.", code=f"{option}_invalid", hint="Give the key as api_key or api_key_file.")
    return _Url(parts.scheme, parts.netloc, parts.hostname, port, parts.path)


def mask(value: t.Any, masks: Redactor) -> t.Any:
    """A copy of a request in which every text is masked.

    ``encrypted_content`` stays: the provider made it, only the provider can read it, and one changed byte voids it.
    """
    if isinstance(value, str):
        return masks.text(value)
    if isinstance(value, dict):
        return {masks.text(str(key)): item if key == "encrypted_content" else mask(item, masks) for key, item in value.items()}
    if isinstance(value, list):
        return [mask(item, masks) for item in value]
    return value


def _retry_after(header: str | None, attempt: int) -> float:
    """Seconds to wait before the next attempt."""
    if header is not None and header.strip().isdigit():
        return min(float(header.strip()), 3600.0)
    return float(1 << attempt)


def _estimate(exchange: Exchange) -> dict[str, int]:
    """Roughly four bytes are a token."""
    given, made = len(json.dumps(exchange.body)) // 4, len(json.dumps(exchange.items)) // 4
    return {"input_tokens": given, "cached_input_tokens": 0, "output_tokens": made, "total_tokens": given + made}


def _read_whole(exchange: Exchange, data: bytes) -> None:
    """Usage of a response that is one JSON object (the compaction of a long conversation)."""
    from .ledger import flat_usage

    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict):
        exchange.usage = flat_usage(value.get("usage"))
        exchange.completed = True
