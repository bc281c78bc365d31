# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""delivery.json means what it says; what is wrong in it is said in words, with the place and what to do."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._delivery.settings import Settings, load, parse
from ansible_collections.day2.codex.plugins.module_utils._delivery.signing import parse as parse_key
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError


def _parsed(**said: t.Any) -> Settings:
    return parse(json.dumps({"version": 1, **said}).encode(), "delivery.json", "/etc/codex-ops/secrets/alert-key")


def test_without_a_file_there_are_tickets_and_nothing_else(tmp_path: pathlib.Path) -> None:
    for found in (load(str(tmp_path / "delivery.json"), {os.geteuid()}, "/k"), _parsed()):
        assert found == Settings(when=("needs_human", "awaiting_approval", "failed"), ticket=True, branch=False, alert=None)


def test_every_key_means_something() -> None:
    hook: dict[str, t.Any] = {"webhook": "https://hook.example.com/x", "ca_file": "/ca.pem", "key_file": "/k", "min_severity": "WARNING", "per_hour": 3}
    hook.update(repeat_after="2d", timeout=5)
    found = _parsed(when=["failed"], ticket=False, branch=True, alert=hook)
    assert (found.when, found.ticket, found.branch) == (("failed",), False, True)
    assert found.alert is not None
    assert found.alert._asdict() == {**hook, "command": (), "repeat_after": 172800.0, "timeout": 5.0}
    plain = _parsed(alert={"command": ["/usr/local/sbin/page", "ops"]}).alert
    assert plain is not None and plain.where == "/usr/local/sbin/page"
    assert (plain.key_file, plain.per_hour, plain.repeat_after, plain.timeout) == ("/etc/codex-ops/secrets/alert-key", 10, 86400.0, 10.0)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"tickets": True}, r"no key 'tickets' \(did you mean 'ticket'\?\)"),
        ({"when": ["always"]}, "one of \"needs_human\""),
        ({"when": []}, "at least 1"),
        ({"alert": {}}, "either 'command' or 'webhook'"),
        ({"alert": {"command": ["/x"], "webhook": "https://a/"}}, "either 'command' or 'webhook'"),
        ({"alert": {"command": ["page"]}}, r"alert.command\[0\].*absolute path"),
        ({"alert": {"command": "/bin/sh -c x"}}, "array"),
        ({"alert": {"command": ["/x", "a\0b"]}}, "command"),
        ({"alert": {"command": ["/x"], "ca_file": "/ca"}}, "ca_file.*for a webhook only"),
        ({"alert": {"webhook": "http://hook.example.com/"}}, "Use https"),
        ({"alert": {"webhook": "http://127.0.0.1.example.com/"}}, "Use https"),
        ({"alert": {"webhook": "ftp://hook.example.com/"}}, "webhook"),
        ({"alert": {"webhook": "https://user:word@hook.example.com/"}}, "user name or a password"),
        ({"alert": {"webhook": "https://hook.example.com/#x"}}, "fragment"),
        ({"alert": {"webhook": "https://hook.example.com:99999/"}}, "no address"),
        ({"alert": {"webhook": "https://hook.example.com/\r\nX: y"}}, "webhook"),
        ({"alert": {"command": ["/x"], "per_hour": 0}}, "at least 1"),
        ({"alert": {"command": ["/x"], "timeout": 3600}}, "at most 60"),
        ({"alert": {"command": ["/x"], "repeat_after": "soon"}}, "repeat_after"),
        ({"alert": {"command": ["/x"], "key_file": "relative"}}, "key_file"),
    ],
)
def test_what_is_wrong_is_said_in_words(said: dict[str, t.Any], words: str) -> None:
    with pytest.raises(CodexOpsError, match=words) as caught:
        _parsed(**said)
    assert (caught.value.code, caught.value.outcome) == ("delivery_invalid", "rejected")


def test_loopback_may_be_plain() -> None:
    for host in ("127.0.0.1", "127.1.2.3:80", "[::1]:8080", "localhost"):
        assert _parsed(alert={"webhook": f"http://{host}/"}).alert is not None


def test_a_file_that_others_can_write_is_not_believed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "delivery.json"
    path.write_text('{"version": 1}')
    path.chmod(0o666)
    with pytest.raises(CodexOpsError) as caught:
        load(str(path), {os.geteuid()}, "/k")
    assert caught.value.code == "delivery_unsafe"
    path.chmod(0o644)
    with pytest.raises(CodexOpsError) as caught:
        load(str(path), {os.geteuid() + 1}, "/k")
    assert caught.value.code == "delivery_unsafe"
    path.write_text('{"version": 2}')
    with pytest.raises(CodexOpsError) as caught:
        load(str(path), {os.geteuid()}, "/k")
    assert caught.value.code == "newer_state"


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_c2hvcnQ=", "hunter2" * 10, "whsec_" + "A" * 100, "whsec_!!!!" + "A" * 32, "whsec_" + "A" * 5000, "whsec_é"]
)
def test_a_key_that_is_none_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        parse_key(text.encode(), "key")
    assert caught.value.code == "alert_key_invalid"
    said = str(caught.value)
    assert "hunter2" not in said and "AAAA" not in said and "openssl rand" in said
