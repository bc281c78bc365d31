# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of the way to a live provider, held against a TLS server of the test's own."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import subprocess
import threading
import time

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent import process, upstream
from ansible_collections.day2.codex.plugins.module_utils._agent.request import Provider
from ansible_collections.day2.codex.plugins.module_utils._agent.run import run_agent
from ansible_collections.day2.codex.plugins.module_utils._agent.sse import response_events
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor

KEY = "test-key-0123456789abcdef"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A self-signed certificate for localhost, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(folder / "cert.pem"), str(folder / "key.pem")


class Provider_(http.server.ThreadingHTTPServer):
    """Answers with scripted responses: a list of items, or a callable that writes what it likes."""

    daemon_threads = True

    def __init__(self, script, certificate=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.seen = []
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        pass


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.answer(200, "application/json", b'{"object":"list","data":[]}')

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        number = len(self.server.seen)
        self.server.seen.append((self.path, dict(self.headers.items()), json.loads(body)))
        step = self.server.script[number]
        if callable(step):
            step(self)
        else:
            self.answer(200, "text/event-stream", b"".join(response_events(number, step, usage())))

    def answer(self, status, content_type, body, **headers):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def usage(given=100, made=10):
    return {"input_tokens": given, "cached_input_tokens": 5, "output_tokens": made, "total_tokens": given + made}


@pytest.fixture
def provider(certificate):
    """Starts a scripted provider, with TLS unless told otherwise."""
    servers = []

    def start(*script, tls=True):
        server = Provider_(list(script), certificate if tls else None)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def live(make_request, certificate):
    """Runs the real Codex against a provider."""

    def go(codex_path, server, redactor=None, scheme="https", **changes):
        proxy = changes.pop("proxy", None)
        ca_path = changes.pop("ca_path", certificate[0])
        base_url = changes.pop("base_url", f"{scheme}://localhost:{server.server_address[1] if server else 1}/api/v1")
        request = make_request(codex_path, provider=Provider(base_url, KEY, ca_path, proxy), **changes)
        return run_agent(request, redactor or Redactor(), process.never)

    return go


def test_a_live_run_over_tls_carries_the_key_and_only_the_relay_has_it(codex, provider, live, model):
    server = provider([model.call("env; cat /proc/*/environ; cat $HOME/../codex/config.toml; echo $$ > file")], [model.say("done")])
    result = live(codex, server)
    assert (result.outcome, result.message, result.replayed) == ("completed", "done", False)
    assert result.usage == {"requests": 2, "input_tokens": 200, "cached_input_tokens": 10, "output_tokens": 20, "total_tokens": 220}
    for path, headers, _body in server.seen:
        assert path == "/api/v1/responses"
        assert headers["Authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(server.seen[1][2]) and KEY not in json.dumps(result.__dict__)


def test_known_secrets_are_masked_on_the_way_out_and_the_json_stays_whole(one_codex, provider, live, model):
    secret = 'pass"word\\with-quotes'
    server = provider([model.call("printf '%s' 'pass\"word\\with-quotes'")], [model.say("done")])
    result = live(one_codex, server, Redactor([secret]), prompt=f"The password is {secret}.")
    assert result.outcome == "completed"
    for _path, _headers, body in server.seen:
        text = json.dumps([item for item in body["input"] if item.get("type") != "function_call"], ensure_ascii=False)
        assert "with-quotes" not in text
        assert "[redacted:known_value:" in text


def test_encrypted_content_is_passed_on_as_it_is():
    item = {"encrypted_content": "gAAAA-sk-abcdefghijklmnopqrstuvwxyz", "text": "sk-abcdefghijklmnopqrstuvwxyz"}
    masked = upstream.mask({"input": [item]}, Redactor())
    assert masked["input"][0]["encrypted_content"] == item["encrypted_content"] and "sk-abc" not in masked["input"][0]["text"]


def test_the_first_byte_is_passed_on_before_the_last_arrives(one_codex, provider, make_request, model, certificate, wait_for):
    import os

    go_on = threading.Event()

    def slow(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        events = list(response_events(1, [model.call("touch early")], usage()))
        for event in events[:-1]:
            handler.wfile.write(event)
        assert go_on.wait(10)
        handler.wfile.write(events[-1])
        handler.close_connection = True

    server = provider(slow, [model.say("done")])
    request = make_request(one_codex, provider=Provider(f"https://localhost:{server.server_address[1]}/v1", KEY, certificate[0]))
    early: list[bool] = []

    def let_on():
        # Codex acts on an item as soon as it has it: the file is there while the response is still open.
        early.append(wait_for(lambda: os.path.exists(os.path.join(request.workspace, "early"))))
        go_on.set()

    thread = threading.Thread(target=let_on)
    thread.start()
    result = run_agent(request, Redactor(), process.never)
    thread.join()
    assert early == [True] and result.outcome == "completed"


def test_a_proxy_is_used_with_connect_and_never_sees_the_key(one_codex, provider, live, model):
    server = provider([model.say("through")])
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    near, _address = listener.accept()
                except OSError:
                    return
                head = b""
                while b"\r\n\r\n" not in head:
                    head += near.recv(4096)
                heard.append(head)
                far = socket.create_connection(("127.0.0.1", server.server_address[1]))
                near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(one, other, heard), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        result = live(one_codex, server, proxy=f"http://127.0.0.1:{listener.getsockname()[1]}")
        listener.shutdown(socket.SHUT_RDWR)
    assert (result.outcome, result.message) == ("completed", "through")
    assert heard[0].startswith(b"CONNECT localhost:") and KEY.encode() not in b"".join(heard)


def _pump(one, other, heard):
    try:
        while data := one.recv(65536):
            heard.append(data)
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_a_certificate_of_an_unknown_authority_is_refused_at_once(one_codex, provider, live, model):
    server = provider([model.say("never")])
    result = live(one_codex, server, ca_path=None)
    assert (result.outcome, result.code) == ("provider_unreachable", "provider_tls_failed")
    assert server.seen == [] and "ca_path" in result.msg


def test_a_provider_that_is_down_is_unreachable_at_once(codex, live):
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = live(codex, None, base_url=f"https://127.0.0.1:{port}/v1")
    assert (result.outcome, result.code) == ("provider_unreachable", "provider_connection_refused")
    assert time.monotonic() - started < 5


def test_a_name_that_does_not_resolve_is_unreachable(one_codex, live):
    result = live(one_codex, None, base_url="https://provider.invalid/v1")
    assert (result.outcome, result.code) == ("provider_unreachable", "provider_dns_failed")


def test_a_plain_server_where_tls_is_expected_is_told(one_codex, provider, live, model):
    server = provider([model.say("never")], tls=False)
    result = live(one_codex, server)
    assert (result.outcome, result.code) == ("provider_unreachable", "provider_tls_failed")


def test_a_silent_provider_ends_at_the_time_limit(one_codex, provider, live):
    released = threading.Event()
    server = provider(lambda handler: released.wait(20))
    started = time.monotonic()
    result = live(one_codex, server, timeout=1.5)
    released.set()
    assert result.outcome == "timeout" and time.monotonic() - started < 15


@pytest.mark.parametrize(("status", "word"), [(401, "key"), (404, "base_url"), (500, "later")])
def test_a_status_of_the_provider_ends_the_run(one_codex, provider, live, status, word):
    server = provider(lambda handler: handler.answer(status, "application/json", b'{"error":{"message":"said so"}}'))
    result = live(one_codex, server)
    assert (result.outcome, result.code) == ("provider_error", f"provider_status_{status}")
    assert "said so" in result.msg and word in result.msg


def test_an_overloaded_provider_is_asked_again(one_codex, provider, live, model):
    server = provider(lambda handler: handler.answer(503, "text/plain", b"busy", Retry_After="0"), [model.say("second try")])
    result = live(one_codex, server)
    assert (result.outcome, result.message) == ("completed", "second try")
    assert result.usage["requests"] == 1


def test_a_stream_that_breaks_off_is_dropped(codex, provider, live, model):
    def breaks(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.wfile.write(next(iter(response_events(1, [], usage()))))
        handler.close_connection = True

    result = live(codex, provider(breaks))
    assert (result.outcome, result.code) == ("provider_error", "stream_dropped")


def test_a_failure_inside_the_stream_is_told(one_codex, provider, live):
    event = {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "internal trouble"}}}
    body = f"event: response.failed\ndata: {json.dumps(event)}\n\n".encode()
    result = live(one_codex, provider(lambda handler: handler.answer(200, "text/event-stream", body)))
    assert (result.outcome, result.code) == ("provider_error", "provider_response_failed") and "internal trouble" in result.msg


def test_the_token_limit_ends_a_live_run(one_codex, provider, live, model):
    server = provider([model.call("true")], [model.call("true")], [model.say("never")])
    result = live(one_codex, server, tokens=150)
    assert (result.outcome, result.code) == ("budget_exhausted", "token_limit") and len(server.seen) == 2


def test_a_command_that_is_polled_is_one_command_with_its_exit_code(codex, provider, live, model):
    def poll(handler):
        # The session's number is Codex's choice: the script reads it, as a model does.
        output = handler.server.seen[-1][2]["input"][-1]["output"]
        session = int(output.partition("session ID ")[2].split()[0])
        arguments = json.dumps({"session_id": session, "chars": "", "yield_time_ms": 5000})
        item = {"type": "function_call", "call_id": "c2", "name": "write_stdin", "arguments": arguments}
        handler.answer(200, "text/event-stream", b"".join(response_events(2, [item], usage())))

    server = provider([model.call("sleep 0.5; echo late; exit 7", yield_time_ms=250)], poll, [model.say("done")])
    result = live(codex, server)
    assert result.outcome == "completed", result
    assert result.commands == [{"command": "sleep 0.5; echo late; exit 7", "status": "failed", "exit_code": 7, "reason": "late"}]


def test_a_recording_can_be_replayed_and_holds_no_secret(codex, provider, live, run, model, tmp_path):
    secret = "swordfish-swordfish"
    server = provider([model.call("pwd > where; cat where; echo swordfish-swordfish")], [model.say("all done")])
    recorded = live(codex, server, Redactor([secret]), cassette_mode="record", prompt=f"Use {secret}.")
    assert recorded.outcome == "completed"
    text = json.dumps(recorded.cassette)
    assert secret not in text and KEY not in text and str(tmp_path) not in text
    replayed = run(codex, {**recorded.cassette, "strict": True}, prompt=f"Use {secret}.", redactor=Redactor([secret]))
    assert (replayed.outcome, replayed.message) == ("completed", recorded.message)
    assert replayed.usage == recorded.usage
    other = run(codex, {**recorded.cassette, "strict": True}, prompt="Use another.")
    assert (other.outcome, other.code) == ("provider_error", "cassette_mismatch")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"base_url": "ftp://x/"}, "base_url_invalid"),
        ({"base_url": "https://user:secret@x/v1"}, "base_url_invalid"),
        ({"base_url": "https://x/v1\r\nX: y"}, "base_url_invalid"),
        ({"base_url": "https://x:99999/v1"}, "base_url_invalid"),
        ({"base_url": "https://x/v1", "proxy": "socks5://y"}, "proxy_invalid"),
        ({"base_url": "https://x/v1", "ca_path": "/dev/null/ca.pem"}, "ca_path_invalid"),
        ({"base_url": "https://x/v1", "api_key": "two\nlines"}, "api_key_invalid"),
    ],
)
def test_bad_settings_are_refused_without_naming_a_secret(fields, code):
    with pytest.raises(CodexOpsError) as caught:
        upstream.Upstream(Provider(**fields), Redactor(), None, None, 0.0)
    assert caught.value.code == code and "secret" not in str(caught.value)


def test_a_provider_never_shows_its_key():
    assert KEY not in repr(Provider("https://x/v1", KEY, None, f"http://{KEY}@proxy:1"))
