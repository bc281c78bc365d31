# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The syslog gets a copy, and nothing that happens to it can hold anybody up."""

from __future__ import annotations

import json
import os
import pathlib
import re
import socket
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._trail.log import append
from ansible_collections.day2.codex.plugins.module_utils._trail.sink import MAX_MESSAGE, syslog


@pytest.fixture
def listener(tmp_path: pathlib.Path) -> t.Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "log"))
        listening.settimeout(10)
        yield listening


def test_a_record_arrives_as_one_message(tmp_path: pathlib.Path, listener: socket.socket) -> None:
    made = append(str(tmp_path / "audit.jsonl"), {"text": "a\nb"}, lambda line: syslog(line, str(tmp_path / "log")))
    message = listener.recv(100_000).decode("ascii")
    match = re.fullmatch(r"<86>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d codex-ops\[(\d+)\]: (.*)", message)
    assert match and int(match[1]) == os.getpid()
    assert json.loads(match[2])["hash"] == made["hash"]


def test_a_long_record_is_cut_and_keeps_its_hash_and_number(tmp_path: pathlib.Path, listener: socket.socket) -> None:
    made = append(str(tmp_path / "audit.jsonl"), {"text": "x" * 1_000_000}, lambda line: syslog(line, str(tmp_path / "log")))
    message = listener.recv(2_000_000).decode("ascii")
    assert len(message) == MAX_MESSAGE
    assert f'"hash":"{made["hash"]}"' in message and '"seq":1,' in message
    assert re.search(r"x \[cut: 1000\d{3} bytes\]$", message)


def test_no_character_can_begin_a_second_message(tmp_path: pathlib.Path, listener: socket.socket) -> None:
    assert syslog("a\n<0>forged\r\0\x1b[2J\u202e\udcff", str(tmp_path / "log"))
    message = listener.recv(1000)
    assert message.endswith(b": a <0>forged   [2J\\u202e\\udcff")


def test_a_syslog_that_is_full_missing_or_something_else_is_no_matter(tmp_path: pathlib.Path, listener: socket.socket) -> None:
    started = time.monotonic()
    sent = 0
    while syslog("x" * 1000, str(tmp_path / "log")):
        sent += 1
        assert sent < 100_000
    (tmp_path / "file").touch()
    (tmp_path / "fifo").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
        stream.bind(str(tmp_path / "stream"))
        stream.listen()
        for name in ("file", "fifo", "stream", "missing", "a/b", "x" * 300):
            assert not syslog("x", str(tmp_path / name))
    assert sent > 0
    assert time.monotonic() - started < 10
