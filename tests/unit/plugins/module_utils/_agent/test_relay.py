# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of the relay towards whoever connects to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent import http1
from ansible_collections.day2.codex.plugins.module_utils._agent.cassette import Places, Replay
from ansible_collections.day2.codex.plugins.module_utils._agent.ledger import Ledger
from ansible_collections.day2.codex.plugins.module_utils._agent.relay import Relay, ReplayBackend
from ansible_collections.day2.codex.plugins.module_utils._agent.transcript import Transcript
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor

TOKEN = "one-time-token"


@pytest.fixture
def relay(model):
    """A relay with two answers, its ledger, and a way to send it bytes."""
    ledger, transcript = Ledger(None, 10), Transcript(Redactor())
    backend = ReplayBackend(Replay(model.cassette("ls"), Places("/w", "/r"), Redactor(), ledger), ledger, transcript)
    server = Relay(TOKEN, ledger, transcript, backend)
    server.start()
    yield Client(server, ledger)
    server.close()
    ledger.close()


class Client:
    def __init__(self, server, ledger):
        self.server = server
        self.ledger = ledger

    def raw(self, data, end=True):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as sock:
            try:
                sock.sendall(data)
                if end:
                    sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            answer = b""
            try:
                while piece := sock.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
        return answer

    def send(self, method="POST", path="/v1/responses", body=b'{"input":[]}', token=TOKEN, **headers):
        lines = [f"{method} {path} HTTP/1.1", "Host: x"]
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        headers.setdefault("Content_Length", str(len(body)))
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value is not None]
        return self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def status(answer):
    return int(answer.split(b" ", 2)[1])


def test_it_listens_on_the_loopback_interface_alone(relay):
    assert relay.server._listener.getsockname()[0] == "127.0.0.1"


def test_without_the_token_nothing_is_served(relay):
    for token in (None, "", "wrong", TOKEN + "x", TOKEN[:-1], "one-time-tok\xe9n"):
        assert status(relay.send(token=token)) == 401
    assert relay.ledger.usage["requests"] == 0 and relay.ledger.notes and TOKEN not in str(relay.ledger.notes)
    assert status(relay.send()) == 200


def test_only_the_model_api_is_served(relay):
    for method, path in (
        ("GET", "/"),
        ("POST", "/v1/files"),
        ("DELETE", "/v1/responses"),
        ("GET", "/v1/responses"),
        ("POST", "/v1/responses/../files"),
        ("GET", "http://elsewhere/v1/models"),
    ):
        assert status(relay.send(method, path)) == 404
    assert json.loads(relay.send("GET", "/v1/models").split(b"\r\n\r\n")[1]) == {"models": []}
    assert relay.send("POST", "/v1/analytics/codex/turn-costs").endswith(b"{}")
    assert relay.ledger.usage["requests"] == 0 and len(relay.ledger.notes) == 6


def test_a_chunked_body_is_read(relay):
    body = b'{"input":[]}'
    chunks = b"5;ext=1\r\n" + body[:5] + b"\r\n" + b"%x\r\n" % len(body[5:]) + body[5:] + b"\r\n0\r\nTrailer: x\r\n\r\n"
    assert status(relay.send(body=chunks, Content_Length=None, Transfer_Encoding="chunked")) == 200


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({"Content_Encoding": "zstd"}, b"x", 415),
        ({"Content_Length": str(http1.MAX_BODY + 1)}, b"", 413),
        ({"Content_Length": "many"}, b"", 400),
        ({"Content_Length": "-1"}, b"", 400),
        ({"Transfer_Encoding": "gzip"}, b"", 400),
        ({"Transfer_Encoding": "chunked"}, b"zz\r\n", 400),
        ({"Transfer_Encoding": "chunked"}, b"-5\r\n", 400),
        ({"Transfer_Encoding": "chunked"}, b"%x\r\n" % (http1.MAX_BODY + 1), 413),
        ({"Transfer_Encoding": "chunked"}, b"1" * (http1.MAX_HEAD + 10), 400),
        ({}, b"not json", 400),
        ({}, b"[1]", 400),
        ({}, b"[" * 200000, 400),
    ],
)
def test_what_it_cannot_read_is_refused_and_ends_the_run(relay, headers, body, code):
    assert status(relay.send(body=body, **headers)) == code
    assert relay.ledger.verdict.outcome == "agent_error"


def test_heads_that_are_no_http_are_refused(relay):
    for head in (b"hello\r\n\r\n", b"GET / SPDY/1\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * (http1.MAX_HEAD + 65536)):
        answer = relay.raw(head)
        assert answer == b"" or status(answer) == 400
    assert relay.raw(b"") == b""


def test_after_the_verdict_nothing_more_is_answered(relay):
    relay.ledger.end("budget_exhausted", "token_limit", "x")
    assert status(relay.send()) == 429


def test_who_says_nothing_is_cut_off_and_keeps_nobody_waiting(relay):
    started = time.monotonic()
    idle = [socket.create_connection(("127.0.0.1", relay.server.port)) for _number in range(200)]
    slow = socket.create_connection(("127.0.0.1", relay.server.port))
    slow.sendall(b"POST /v1/responses HTTP/1.1\r\n")
    try:
        assert status(relay.send()) == 200
        assert time.monotonic() - started < 2, "a request with the token waits for nobody"
        while threading.active_count() >= 100 and time.monotonic() - started < 30:
            time.sleep(0.01)
        assert threading.active_count() < 100, "who was cut off leaves nothing behind"
        slow.settimeout(10)
        while time.monotonic() - started < 10:
            try:
                slow.sendall(b"X: y\r\n")
                slow.settimeout(0.1)
                if not slow.recv(100):
                    break
            except socket.timeout:
                continue
            except OSError:
                break
        assert 1 < time.monotonic() - started < 9, "a head that comes drop by drop has its deadline too"
    finally:
        for sock in (*idle, slow):
            sock.close()
    assert relay.ledger.verdict is None and status(relay.send()) == 200


def test_what_is_malformed_and_without_the_token_does_not_end_the_run(relay):
    relay.raw(b"hello\r\n\r\n")
    relay.raw(b"GET / HTTP/1.1\r\nX: " + b"y" * (http1.MAX_HEAD + 65536))
    relay.send(body=b"not json", token=None)
    assert relay.ledger.verdict is None
    assert status(relay.send()) == 200


@pytest.mark.parametrize("client", [("AF_INET", "127.0.0.1"), ("AF_INET6", "::ffff:127.0.0.1")])
def test_another_user_is_refused_at_once(relay, client):
    """As root only: nobody else can become another user."""
    family, address = client
    script = f"""
import os, socket, sys
if os.geteuid() == 0:
    os.setresgid(54321, 54321, 54321)
    os.setresuid(54321, 54321, 54321)
sock = socket.socket(socket.{family})
sock.settimeout(10)
sock.connect(({address!r}, {relay.server.port}))
try:
    sock.sendall(b"POST /v1/responses HTTP/1.1\\r\\nAuthorization: Bearer {TOKEN}\\r\\nContent-Length: 12\\r\\n\\r\\n" + b'{{"input":[]}}')
    answer = sock.recv(100)
except OSError:
    answer = b""
sys.stdout.write(repr(answer[:12]))
"""
    done = subprocess.run(["/usr/bin/python3", "-I", "-c", script], capture_output=True, text=True, check=True)
    if os.geteuid() == 0:
        assert done.stdout == "b''" and any("54321" in note for note in relay.ledger.notes)
    else:
        assert "200" in done.stdout
    assert relay.ledger.verdict is None and status(relay.send()) == 200


def test_closing_does_not_wait_for_a_silent_client(model):
    ledger, transcript = Ledger(None, 10), Transcript(Redactor())
    tape = {"version": 1, "exchanges": [{"response": {"hang": True}}]}
    server = Relay(TOKEN, ledger, transcript, ReplayBackend(Replay(tape, Places("/w", "/r"), Redactor(), ledger), ledger, transcript))
    server.start()
    with socket.create_connection(("127.0.0.1", server.port)) as silent, socket.create_connection(("127.0.0.1", server.port)) as hanging:
        hanging.sendall(f"POST /v1/responses HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        server.close()
        try:
            assert silent.recv(1) == b""
        except ConnectionResetError:
            pass
    assert not any(thread.is_alive() for thread in server._threads)
    ledger.close()
