# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The servers that this host looks at, on loopback: HTTP, TLS, DNS over UDP, and a provider that only counts who asks it.

What they answer stands in files below /srv/world, which are read anew for each question.
"""

from __future__ import annotations

import http.server
import json
import pathlib
import socket
import ssl
import struct
import sys
import threading
import typing as t

WORLD = pathlib.Path("/srv/world")
PROVIDER, HTTP, TLS, DNS = 18000, 18001, 18002, 18005
_TYPES = {1: "A", 16: "TXT"}


class _Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # pylint: disable=invalid-name
        """What the file page says: a status, and a text."""
        status, _newline, text = (WORLD / "page").read_text("utf-8").partition("\n")
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_words: t.Any) -> None:  # pylint: disable=arguments-differ
        """Nothing."""


class _Provider(_Web):
    def do_POST(self) -> None:  # pylint: disable=invalid-name
        """Count it, and refuse."""
        with open(WORLD / "asked", "a", encoding="ascii") as stream:
            stream.write(f"{self.path.encode('ascii', 'replace')!r}\n")
        self.send_error(503)

    do_GET = do_POST


def _tls() -> None:
    listener = socket.create_server(("127.0.0.1", TLS))
    while True:
        connection, _where = listener.accept()
        connection.settimeout(5)
        try:
            # A certificate of now, so that the next caller sees a new one.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(WORLD / "server.pem", WORLD / "server.key")
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()


def answer(question: bytes, zone: dict[str, list[str]]) -> bytes:
    """What DNS says to *question*; *zone* maps a name and a type, such as ``example.com A``, to values."""
    at, labels = 12, []
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("latin-1"))
        at += 1 + question[at]
    kind = struct.unpack_from(">H", question, at + 1)[0]
    asked = question[12 : at + 5]
    values = zone.get(f"{'.'.join(labels).lower()} {_TYPES.get(kind)}", [])
    records = b""
    for value in values:
        if kind == 1:
            data = socket.inet_aton(value)
        else:
            raw = value.encode("utf-8", "surrogateescape")
            data = b"".join(bytes([len(part)]) + part for part in (raw[i : i + 255] for i in range(0, len(raw), 255)))
        records += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
    return question[:2] + struct.pack(">HHHHH", 0x8580 if values else 0x8583, 1, len(values), 0, 0) + asked + records


def _dns() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", DNS))
        while True:
            question, where = server.recvfrom(4096)
            try:
                server.sendto(answer(question, json.loads((WORLD / "zone.json").read_text("utf-8"))), where)
            except (OSError, ValueError, IndexError, struct.error):
                continue


def main(which: str) -> None:
    """Serve: the page, or all the others."""
    if which == "web":
        http.server.ThreadingHTTPServer(("127.0.0.1", HTTP), _Web).serve_forever()
    for work in (_tls, _dns):
        threading.Thread(target=work, daemon=True).start()
    http.server.ThreadingHTTPServer(("127.0.0.1", PROVIDER), _Provider).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
