# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A webhook gets the signed alert over verified TLS, or over loopback, and nothing else gets it; whatever it answers, the call ends in time."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import ssl
import subprocess
import threading
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._delivery.hook import Unreached, by_webhook
from ansible_collections.day2.codex.plugins.module_utils._delivery.settings import Alert
from ansible_collections.day2.codex.plugins.module_utils._delivery.signing import Key, parse, signed

KEY = parse(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "key")
BODY = b'{"data":{},"timestamp":"2026-01-15T03:15:00.000+00:00","type":"ticket.open"}'


class Server:
    """Takes connections one after the other, keeps what it reads, and answers as it is told."""

    def __init__(self, answer: t.Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> None:
        self.seen: list[bytes] = []
        self.connections = 0
        self._answer = answer
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _peer = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with contextlib.suppress(OSError), connection:
                if self._context is not None:
                    connection = self._context.wrap_socket(connection, server_side=True)
                with connection:
                    data = b""
                    while not data.endswith(BODY):
                        piece = connection.recv(65536)
                        if not piece:
                            break
                        data += piece
                    self.seen.append(data)
                    self._answer(connection)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture(name="serve")
def _serve() -> t.Iterator[t.Callable[..., Server]]:
    made: list[Server] = []

    def serve(answer: bytes | t.Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Server:
        made.append(Server(answer if callable(answer) else lambda connection: connection.sendall(answer), context))
        return made[-1]

    yield serve
    for server in made:
        server.close()


@pytest.fixture(scope="module", name="authority")
def _authority(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str, str], tuple[str, str]]:
    """(certificate, key) of a server for a name, signed by its own authority."""
    folder = tmp_path_factory.mktemp("tls")

    def make(file: str, name: str) -> tuple[str, str]:
        paths = str(folder / f"{file}.crt"), str(folder / f"{file}.key")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=hook"]
        subprocess.run([*command, "-addext", f"subjectAltName={name}", "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
        return paths

    return make


def _context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _alert(url: str, **more: t.Any) -> Alert:
    said = {"command": (), "webhook": url, "key_file": "", "ca_file": None, "min_severity": "INFO", "per_hour": 1, "repeat_after": 0.0, "timeout": 5.0}
    return Alert(**{**said, **more})


def _call(url: str, **more: t.Any) -> str | None:
    return by_webhook(_alert(url, **more), KEY, "msg_1", BODY, 1768447000.5)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_the_signature_is_the_one_of_the_convention() -> None:
    # The example of the convention's own documents.
    body = b'{"test": 2432232314}'
    found = signed(KEY, "msg_p5jXN8AQM9LWM0D4loKWxJek", body, 1614265330.9)
    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert "MfKQ" not in repr(KEY) and isinstance(KEY, Key)


def test_an_alert_is_posted_to_this_host_with_its_signature(serve: t.Callable[..., Server]) -> None:
    server = serve(OK)
    assert _call(f"http://127.0.0.1:{server.port}/hook?a=b") is None
    head, _blank, body = server.seen[0].partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    assert lines[0] == "POST /hook?a=b HTTP/1.1" and body == BODY
    headers = {name.lower(): value for name, _colon, value in (line.partition(": ") for line in lines[1:])}
    assert headers["host"] == f"127.0.0.1:{server.port}" and headers["content-type"] == "application/json"
    assert {name: headers[name] for name in signed(KEY, "m", b"", 0)} == signed(KEY, "msg_1", BODY, 1768447000.5)


def test_tls_is_verified_by_the_authorities_that_are_named(serve: t.Callable[..., Server], authority: t.Callable[[str, str], tuple[str, str]]) -> None:
    good, other, elsewhere = authority("good", "IP:127.0.0.1"), authority("other", "IP:127.0.0.1"), authority("elsewhere", "DNS:hook.example.com")
    server = serve(OK, _context(*good))
    url = f"https://127.0.0.1:{server.port}/"
    assert _call(url, ca_file=good[0]) is None
    seen = len(server.seen)
    assert "could not be verified" in str(_call(url, ca_file=other[0]))
    assert "could not be verified" in str(_call(url))
    assert "cannot be used" in str(_call(url, ca_file="/nowhere.pem"))
    wrong = serve(OK, _context(*elsewhere))
    assert "could not be verified" in str(_call(f"https://127.0.0.1:{wrong.port}/", ca_file=elsewhere[0]))
    # Not one byte of an alert went to whom nobody knows.
    assert len([data for data in server.seen if data]) == seen and not any(wrong.seen)
    plain = serve(OK)
    assert _call(f"https://127.0.0.1:{plain.port}/", timeout=1.0) is not None
    assert BODY not in b"".join(plain.seen)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(serve: t.Callable[..., Server], status: int) -> None:
    second = serve(OK)
    first = serve(f"HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:{second.port}/\r\nContent-Length: 0\r\n\r\n".encode())
    assert f"answered with status {status}" in str(_call(f"http://127.0.0.1:{first.port}/"))
    assert second.connections == 0


def _drip(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"H")
            time.sleep(0.05)


def _flood(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)


def _silent(connection: socket.socket) -> None:
    connection.recv(1)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 500 no\r\n\r\nleaked text", "status 500"),
        (b"HTTP/1.1 400 \x1b[2J\r\n\r\n", "status 400"),
        (b"garbage\r\n\r\n", "could not be reached"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", "could not be reached"),
        (b"", "could not be reached"),
        (_silent, "did not answer within 1 s"),
        (_drip, "did not answer within 1 s"),
    ],
)
def test_whatever_it_answers_the_call_ends_in_time_and_shows_nothing_of_it(serve: t.Callable[..., Server], answer: t.Any, why: str) -> None:
    server = serve(answer)
    began = time.monotonic()
    said = _call(f"http://127.0.0.1:{server.port}/", timeout=1.0)
    # Who was reached may take the next message.
    assert said is not None and not isinstance(said, Unreached)
    assert why in said and "leaked" not in said and "\x1b" not in said
    assert time.monotonic() - began < 5


def test_an_answer_without_end_is_read_for_a_moment_only(serve: t.Callable[..., Server]) -> None:
    server = serve(_flood)
    began = time.monotonic()
    assert _call(f"http://127.0.0.1:{server.port}/", timeout=3.0) is None
    assert time.monotonic() - began < 2


def test_nobody_there_is_said(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url, why in ((f"http://127.0.0.1:{port}/", "could not be reached: Connection refused"), ("https://hook.invalid/", "could not be resolved")):
        said = _call(url, timeout=30.0)
        assert isinstance(said, Unreached) and why in said


def test_plain_http_never_leaves_this_host() -> None:
    assert "leads to another host" in str(_call("http://192.0.2.1/"))


def test_only_the_host_of_an_address_is_ever_shown() -> None:
    assert _alert("https://hook.example.com:8443/services/T0/secret?token=x").where == "https://hook.example.com:8443"
