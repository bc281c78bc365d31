# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""As much of HTTP/1.1, server side, as Codex speaks with the relay. One request per connection. PRIVATE.

The standard library's server would do, but importing it costs more than a quarter of what the engine may add to a run.
"""

from __future__ import annotations

import json
import socket
import time
import typing as t

#: Longest request head and body, in bytes.
MAX_HEAD = 64 * 1024
MAX_BODY = 64 * 1024 * 1024

_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 413: "Content Too Large", 429: "Too Many Requests"}


class BadRequest(Exception):
    """A request that is refused, with the status and the code that say so."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Request:
    """One request. Header names are in lower case."""

    def __init__(self, method: str, path: str, headers: dict[str, str], rest: bytes) -> None:
        self.method = method
        self.path = path
        self.headers = headers
        self.body: bytes | bytearray = b""
        self._rest = bytearray(rest)

    def read_body(self, sock: socket.socket) -> None:
        """Read the body into ``body``.

        :raises BadRequest: When it is too long, encoded or malformed.
        """
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise BadRequest(415, "request_encoding", f"the content encoding {encoding[:50]!r} is not known")
        transfer = self.headers.get("transfer-encoding", "").strip().lower()
        if transfer == "chunked":
            self.body = self._read_chunked(sock)
        elif transfer:
            raise BadRequest(400, "request_malformed", "an unknown transfer encoding")
        else:
            length = self.headers.get("content-length", "0").strip()
            if not (length.isascii() and length.isdigit()):
                raise BadRequest(400, "request_malformed", "a content length that is no number")
            self.body = self._take(sock, self._allowed(int(length)))

    @staticmethod
    def _allowed(length: int) -> int:
        if length > MAX_BODY:
            raise BadRequest(413, "request_too_large", f"its body is larger than {MAX_BODY // 1048576} MiB")
        return length

    def _take(self, sock: socket.socket, length: int) -> bytearray:
        while len(self._rest) < length:
            data = sock.recv(min(262144, length - len(self._rest)))
            if not data:
                raise ConnectionError("the body ended early")
            self._rest += data
        taken = self._rest[:length]
        del self._rest[:length]
        return taken

    def _line(self, sock: socket.socket) -> bytes:
        while b"\r\n" not in self._rest:
            data = sock.recv(65536)
            if not data:
                raise ConnectionError("the body ended early")
            self._rest += data
            if len(self._rest) > MAX_HEAD and b"\r\n" not in self._rest[:MAX_HEAD]:
                raise BadRequest(400, "request_malformed", "a line without end")
        line, _found, rest = self._rest.partition(b"\r\n")
        self._rest = rest
        return bytes(line)

    def _read_chunked(self, sock: socket.socket) -> bytearray:
        body = bytearray()
        while True:
            try:
                size = int(self._line(sock).split(b";")[0], 16)
            except ValueError:
                raise BadRequest(400, "request_malformed", "a chunk size that is no number") from None
            if size < 0:
                raise BadRequest(400, "request_malformed", "a chunk size that is no number")
            if size == 0:
                while self._line(sock):
                    pass
                return body
            self._allowed(len(body) + size)
            body += self._take(sock, size)
            self._line(sock)


def read_head(sock: socket.socket, seconds: float) -> Request:
    """Read the request line and the headers, all of it within *seconds*.

    :raises BadRequest: When they are malformed or too long.
    :raises OSError: When they do not arrive in time.
    """
    data = bytearray()
    deadline = time.monotonic() + seconds
    while True:
        end = data.find(b"\r\n\r\n")
        if end >= 0:
            break
        if len(data) > MAX_HEAD:
            raise BadRequest(400, "request_malformed", "its headers are too long")
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no request in time")
        sock.settimeout(left)
        piece = sock.recv(65536)
        if not piece:
            raise ConnectionError("no request")
        data += piece
    lines = bytes(data[:end]).decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest(400, "request_malformed", "its first line is not HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, found, value = line.partition(":")
        if not found:
            raise BadRequest(400, "request_malformed", "a header without a colon")
        headers[name.strip().lower()] = value.strip()
    return Request(words[0], words[1], headers, bytes(data[end + 4 :]))


class Reply:
    """Writes the one response of a connection, as it comes."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.started = False

    def start(self, status: int, content_type: str, length: int | None = None) -> None:
        """Send status line and headers. Without *length* the body ends with the connection."""
        self.started = True
        head = f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\nContent-Type: {content_type}\r\nConnection: close\r\n"
        if length is not None:
            head += f"Content-Length: {length}\r\n"
        self._sock.sendall((head + "\r\n").encode("latin-1"))

    def write(self, data: bytes) -> None:
        """Send a piece of the body at once."""
        self._sock.sendall(data)

    def plain(self, status: int, text: str) -> None:
        """A whole response of plain text; nothing when one was begun."""
        self._whole(status, "text/plain; charset=utf-8", text.encode("utf-8", "replace"))

    def json(self, status: int, value: t.Any) -> None:
        """A whole response of JSON; nothing when one was begun."""
        self._whole(status, "application/json", json.dumps(value).encode())

    def _whole(self, status: int, content_type: str, body: bytes) -> None:
        if self.started:
            return
        try:
            self.start(status, content_type, len(body))
            self._sock.sendall(body)
        except OSError:
            pass  # whoever asked is gone

    def close(self) -> None:
        """Close the connection so that what was sent arrives."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self._sock.close()
