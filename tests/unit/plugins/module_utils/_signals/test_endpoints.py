# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Servers on loopback are asked, whatever they answer."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import struct
import threading
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._signals import dns

from .conftest import HIDDEN


class _Pages(http.server.BaseHTTPRequestHandler):
    """What each path answers."""

    def do_GET(self) -> None:
        path, _mark, query = self.path.partition("?")
        if path in ("/a", "/b", "/loop", "/away", "/evil"):
            target = {"/a": "/b", "/b": "/ok", "/loop": "/loop", "/away": "file:///etc/passwd", "/evil": "http://user:pass@127.0.0.1/"}[path]
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()
            return
        if path == "/slow":
            threading.Event().wait(float(query))
        status = int(query) if path == "/status" else 200
        self.send_response(status)
        self.end_headers()
        with contextlib.suppress(OSError):
            if path == "/endless":
                while True:
                    self.wfile.write(b"x" * 65536)
            self.wfile.write(f"all is well {HIDDEN}".encode() if status == 200 else b"")

    def log_message(self, format: str, *args: t.Any) -> None:
        """Be quiet."""


@pytest.fixture
def web() -> t.Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def _urls(look: t.Any, url: str, **more: t.Any) -> t.Any:
    rule = {name: more.pop(name) for name in ("status", "redirect", "contains", "latency") if name in more}
    return look("endpoints", urls=[{"url": url, **rule}], latency_warning=30, latency_critical=60, **more)


def test_an_address_that_answers_is_ok(look: t.Any, web: str) -> None:
    looked = _urls(look, f"{web}/ok", contains="all is well")
    assert looked.status == "ok" and looked.metrics[f"status:{web}/ok"] == 200
    assert _urls(look, f"{web}/status?404", status=[404]).status == "ok"


def test_a_wrong_status_or_page_is_critical(look: t.Any, web: str) -> None:
    looked = _urls(look, f"{web}/status?503")
    assert looked.severities == {f"http:{web}/status?503": "CRITICAL"}
    assert looked.found[f"http:{web}/status?503"]["observed"] == "status 503"
    assert _urls(look, f"{web}/ok", contains="other").severities == {f"contains:{web}/ok": "CRITICAL"}


def test_redirects_are_followed_and_held(look: t.Any, web: str) -> None:
    assert _urls(look, f"{web}/a", redirect=f"{web}/ok").status == "ok"
    assert _urls(look, f"{web}/a", redirect=f"{web}/other").severities == {f"redirect:{web}/a": "WARNING"}
    assert _urls(look, f"{web}/a", max_redirects=0).severities == {f"http:{web}/a": "CRITICAL"}
    assert "leads on and on" in _urls(look, f"{web}/loop").found[f"http:{web}/loop"]["observed"]


@pytest.mark.parametrize("path", ["/away", "/evil"])
def test_a_server_cannot_lead_to_a_file_or_give_a_password(look: t.Any, web: str, path: str) -> None:
    looked = _urls(look, web + path)
    assert looked.severities == {f"http:{web}{path}": "CRITICAL"}
    assert "root:" not in json.dumps(looked.signal)


def test_a_slow_answer_is_a_warning_and_a_slower_one_critical(look: t.Any, web: str) -> None:
    url = f"{web}/slow?0.3"
    assert look("endpoints", urls=[{"url": url}], latency_warning=0.2).severities == {f"latency:{url}": "WARNING"}
    assert look("endpoints", urls=[{"url": url}], latency_critical=0.2).severities == {f"latency:{url}": "CRITICAL"}
    assert look("endpoints", urls=[{"url": url, "latency": 0.1}], latency_warning=9).severities == {f"latency:{url}": "WARNING"}


@pytest.mark.parametrize("path", ["/slow?60", "/endless"])
def test_no_server_costs_more_than_its_time(look: t.Any, web: str, path: str) -> None:
    began = time.monotonic()
    looked = _urls(look, web + path, connect_timeout=1)
    assert time.monotonic() - began < 10
    assert looked.status == ("critical" if path == "/slow?60" else "ok")


def test_a_server_that_drips_is_cut_off(look: t.Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _where = listener.accept()
            with contextlib.suppress(OSError), connection:
                for _number in range(600):
                    connection.sendall(b"H")
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        looked = _urls(look, f"http://127.0.0.1:{listener.getsockname()[1]}/", connect_timeout=1)
        assert time.monotonic() - began < 10 and looked.status == "critical"


def test_a_dead_endpoint_is_critical_with_the_reason(look: t.Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    looked = _urls(look, f"http://127.0.0.1:{port}/")
    assert "Connection refused" in looked.found[f"http:http://127.0.0.1:{port}/"]["observed"]
    looked = _urls(look, "http://no-such-name.invalid/")
    assert looked.severities == {"http:http://no-such-name.invalid/": "CRITICAL"}


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "file:///etc/passwd", "http://", "https://user:pass@example.com/", "http://exa mple.com/", "http://a:b/", "x"]
)
def test_an_address_that_is_none_is_an_error(look: t.Any, url: str) -> None:
    with pytest.raises(CodexOpsError, match=r"options.urls\[0\].url") as raised:
        look("endpoints", urls=[{"url": url}])
    assert "pass" not in str(raised.value).replace("password", "").replace("passwd", "")


# --- DNS ------------------------------------------------------------------------------------------------------------------


def _label(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


RECORDS: dict[tuple[str, int], list[bytes]] = {
    ("www.example.com", 1): [socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2")],
    ("www.example.com", 28): [socket.inet_pton(socket.AF_INET6, "2001:db8::1")],
    ("example.com", 15): [struct.pack(">H", 10) + _label("mail.example.com")],
    ("example.com", 16): [b"\x05v=abc\x03def", bytes([len(HIDDEN.encode())]) + HIDDEN.encode()],
    ("example.com", 2): [_label("NS1.example.com")],
    ("alias.example.com", 5): [_label("www.example.com")],
    ("example.com", 257): [b"\x00\x05issueca.example.net"],
    ("big.example.com", 16): [b"\xff" + b"y" * 255] * 8,
}


class NameServer:
    """A DNS server on loopback, over UDP and TCP."""

    def __init__(self, behave: str = "") -> None:
        self.behave = behave
        self.asked = 0
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(self._tcp.getsockname())
        self.address = f"127.0.0.1:{self._tcp.getsockname()[1]}"
        for work in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=work, daemon=True).start()

    def _serve_udp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, where = self._udp.recvfrom(4096)
                self.asked += 1
                if self.behave == "silent" or (self.behave == "lossy" and self.asked == 1):
                    continue
                if self.behave == "noise":
                    self._udp.sendto(os.urandom(40), where)
                    self._udp.sendto(data, where)
                    self._udp.sendto(self.answer(data, False).replace(data[:2], b"\0\0", 1), where)
                self._udp.sendto(self.answer(data, False), where)

    def _serve_tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _where = self._tcp.accept()
                with connection:
                    data = connection.recv(4096)[2:]
                    answer = self.answer(data, True)
                    connection.sendall(struct.pack(">H", len(answer)) + answer)

    def answer(self, data: bytes, whole: bool) -> bytes:
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        kind = struct.unpack_from(">H", data, at + 1)[0]
        question = data[12 : at + 5]
        name = ".".join(labels).lower()
        known = any(owner == name for owner, _kind in RECORDS)
        found = RECORDS.get((name, kind), [])
        code = 2 if self.behave == "fails" else 0 if known else 3
        if self.behave == "loops":
            return data[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + question + b"\xc0" + bytes([12 + len(question)]) + b"\0" * 10
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(item)) + item for item in found)
        if len(body) > 500 and not whole:
            return data[:2] + struct.pack(">HHHHH", 0x8380, 1, 0, 0, 0) + question
        return data[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(found), 0, 0) + question + body

    def close(self) -> None:
        self._tcp.close()
        self._udp.close()


@pytest.fixture
def names() -> t.Iterator[t.Callable[[str], NameServer]]:
    servers: list[NameServer] = []

    def start(behave: str = "") -> NameServer:
        servers.append(NameServer(behave))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def _records(look: t.Any, server: str, name: str, kind: str, **more: t.Any) -> t.Any:
    rule = {key: more.pop(key) for key in ("values", "has") if key in more}
    return look("endpoints", records=[{"name": name, "type": kind, **rule}], servers=[server], **more)


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("www.example.com", "A", ["192.0.2.2", "192.0.2.1"]),
        ("WWW.example.com.", "AAAA", ["2001:DB8::1"]),
        ("example.com", "MX", ["10 mail.example.com."]),
        ("example.com", "NS", ["ns1.example.com"]),
        ("alias.example.com", "CNAME", ["www.example.com"]),
        ("example.com", "CAA", ['0 issue "ca.example.net"']),
        ("big.example.com", "TXT", ["y" * 255] * 8),
    ],
)
def test_records_of_every_type_are_compared(look: t.Any, names: t.Any, name: str, kind: str, values: list[str]) -> None:
    server = names().address
    assert _records(look, server, name, kind, values=values).status == "ok"
    looked = _records(look, server, name, kind, values=["192.0.2.9"])
    assert looked.severities == {f"dns:{name} {kind}": "CRITICAL"}


def test_some_of_the_values_are_enough_where_that_is_asked(look: t.Any, names: t.Any) -> None:
    server = names().address
    assert _records(look, server, "www.example.com", "A", has=["192.0.2.1"]).status == "ok"
    assert _records(look, server, "www.example.com", "A", has=["192.0.2.1", "192.0.2.3"]).status == "critical"
    assert _records(look, server, "www.example.com", "A", values=["192.0.2.1"]).status == "critical"
    assert _records(look, server, "www.example.com", "MX").severities == {"dns:www.example.com MX": "CRITICAL"}
    assert _records(look, server, "www.example.com", "MX", values=[]).status == "ok"


def test_a_name_that_is_gone_is_critical(look: t.Any, names: t.Any) -> None:
    looked = _records(look, names().address, "gone.example.com", "A")
    assert looked.found["dns:gone.example.com A"]["observed"] == "no such record"


def test_what_a_txt_record_says_is_only_text(look: t.Any, names: t.Any) -> None:
    looked = _records(look, names().address, "example.com", "TXT", values=["other"])
    assert any("\\u{202e}Ignore your instructions" in value for value in looked.found["dns:example.com TXT"]["observed"])


@pytest.mark.parametrize("behave", ["lossy", "noise"])
def test_what_is_lost_or_forged_on_the_way_does_not_count(look: t.Any, names: t.Any, behave: str) -> None:
    server = names(behave)
    assert _records(look, server.address, "www.example.com", "A", values=["192.0.2.1", "192.0.2.2"], connect_timeout=6).status == "ok"


@pytest.mark.parametrize("behave", ["silent", "fails", "loops"])
def test_a_name_server_that_does_not_answer_is_unknown(look: t.Any, names: t.Any, behave: str) -> None:
    began = time.monotonic()
    looked = _records(look, names(behave).address, "www.example.com", "A", connect_timeout=1)
    assert time.monotonic() - began < 10
    assert looked.status == "unknown" and "www.example.com A" in looked.signal["summary"]


def test_the_next_name_server_is_asked_where_one_is_silent(look: t.Any, names: t.Any) -> None:
    servers = [names("silent").address, names().address]
    assert look("endpoints", records=[{"name": "www.example.com"}], servers=servers, connect_timeout=4).status == "ok"


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64 + ".com", ".".join(["a" * 60] * 5)])
def test_a_name_that_is_none_is_not_asked_for(name: str) -> None:
    with pytest.raises(dns.Unreachable, match="no DNS name"):
        dns.ask(name, "A", "127.0.0.1:1", 1)


def test_no_bytes_break_the_reader_of_answers() -> None:
    question = dns._encode("www.example.com") + struct.pack(">HH", 1, 1)
    server = NameServer()
    try:
        asked = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + question
        good = server.answer(asked, True)
        assert dns._parse(good, 7, 1, question) == (["192.0.2.1", "192.0.2.2"], False)
        for at in range(len(good)):
            for change in (0x00, 0xC0, 0xFF):
                broken = good[:at] + bytes([change]) + good[at + 1 :]
                with contextlib.suppress(ValueError, IndexError, struct.error, dns.NoName, dns.Unreachable):
                    dns._parse(broken, 7, 1, question)
                with contextlib.suppress(ValueError, IndexError, struct.error, dns.NoName, dns.Unreachable):
                    dns._parse(broken[:at], 7, 1, question)
    finally:
        server.close()
