# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A statement is signed with the key that was named, or nobody is kept waiting; and only what was asked for is signed."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.action.approval import ActionModule
from ansible_collections.day2.codex.plugins.module_utils._canonical import canonical
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates import signers
from ansible_collections.day2.codex.plugins.plugin_utils._signing import sign

TEXT = '{"a":1}'


def _key(folder: pathlib.Path, phrase: str = "") -> pathlib.Path:
    path = folder / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", phrase, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return path


def _verifies(folder: pathlib.Path, key: pathlib.Path, signature: str) -> bool:
    allowed = folder / "allowed_signers"
    allowed.write_text(f'alice namespaces="codex-ops-approval" {key.with_suffix(".pub").read_text()}')
    allowed.chmod(0o600)
    return signers.verify(TEXT.encode(), signature, "alice", signers=str(allowed), revoked_keys=None, owners={os.geteuid()}).name == "alice"


@pytest.fixture(name="agent")
def _agent(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[pathlib.Path]:
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    until = time.monotonic() + 10
    while not socket.exists() and time.monotonic() < until:
        time.sleep(0.01)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    yield socket
    process.terminate()
    process.wait(10)


def test_a_key_without_a_passphrase_signs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key = _key(tmp_path)
    assert _verifies(tmp_path, key, sign(TEXT, str(key)))


def test_a_passphrase_without_an_agent_is_said_at_once(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key = _key(tmp_path, "a secret phrase")
    began = time.monotonic()
    for path in (key, key.with_suffix(".pub")):
        with pytest.raises(CodexOpsError) as caught:
            sign(TEXT, str(path))
        assert caught.value.code == "signing_failed"
        assert "passphrase" in caught.value.message and "ssh-add" in str(caught.value)
        assert "secret phrase" not in str(caught.value)
    assert time.monotonic() - began < 20


def test_an_agent_that_does_not_hold_the_key_is_no_help(tmp_path: pathlib.Path, agent: pathlib.Path) -> None:
    key = _key(tmp_path, "a secret phrase")
    with pytest.raises(CodexOpsError) as caught:
        sign(TEXT, str(key.with_suffix(".pub")))
    assert "ssh-add" in str(caught.value)


def test_an_agent_signs_for_the_public_half(tmp_path: pathlib.Path, agent: pathlib.Path) -> None:
    key = _key(tmp_path)
    subprocess.run(["ssh-add", "-q", str(key)], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    key.rename(tmp_path / "elsewhere")
    assert _verifies(tmp_path, key, sign(TEXT, str(key.with_suffix(".pub"))))


def test_no_key_and_a_key_that_others_can_read_are_said(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    (tmp_path / "text").write_text("no key\n")
    (tmp_path / "text").chmod(0o600)
    (tmp_path / "-y").write_text("no key\n")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "text", tmp_path / "-y", pathlib.Path("/dev/zero")):
        with pytest.raises(CodexOpsError) as caught:
            sign(TEXT, str(path))
        assert caught.value.code == "signing_failed" and caught.value.where == str(path)
    key = _key(tmp_path)
    key.chmod(0o644)
    with pytest.raises(CodexOpsError) as caught:
        sign(TEXT, str(key))
    assert "Others can read" in str(caught.value)


# --- a host that asks for something else ------------------------------------------------------------------------------

PLAN = {
    "id": "p1", "sha256": "a" * 64, "patch_sha256": "b" * 64, "base_sha256": "c" * 64, "slice_sha256": "d" * 64, "policy_sha256": "e" * 64, "host_id": "f" * 32,
}  # fmt: skip
SAID = {
    "version": 1, "plan": "p1", "decision": "reject", "approver": "alice", "plan_sha256": "a" * 64, "patch_sha256": "b" * 64, "base_sha256": "c" * 64,
    "slice_sha256": "d" * 64, "policy_sha256": "e" * 64, "host_id": "f" * 32, "nonce": "0" * 32, "issued": "2027-01-15T08:00:00Z",
    "expires": "2027-01-15T09:00:00Z", "comment": "no",
}  # fmt: skip
GIVEN = {"plan": "p1", "decision": "reject", "approver": "alice", "comment": "no"}


def test_a_statement_about_what_was_asked_for_is_meant() -> None:
    ActionModule._is_meant(canonical(SAID).decode(), GIVEN, {"plan": PLAN})
    ActionModule._is_meant(canonical(SAID).decode(), {**GIVEN, "plan_sha256": "a" * 64}, {"plan": PLAN})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("plan", "p2"),
        ("decision", "approve"),
        ("approver", "bob"),
        ("comment", "yes"),
        ("plan_sha256", "1" * 64),
        ("patch_sha256", "1" * 64),
        ("base_sha256", "1" * 64),
        ("slice_sha256", "1" * 64),
        ("policy_sha256", None),
        ("host_id", "1" * 32),
    ],
)
def test_a_statement_about_anything_else_is_not_signed(key: str, value: t.Any) -> None:
    with pytest.raises(CodexOpsError) as caught:
        ActionModule._is_meant(canonical({**SAID, key: value}).decode(), GIVEN, {"plan": PLAN})
    assert caught.value.code == "statement_foreign" and key in str(caught.value)


def test_another_plan_than_the_person_looked_at_is_not_signed_even_if_the_host_says_it_is_that() -> None:
    with pytest.raises(CodexOpsError) as caught:
        ActionModule._is_meant(canonical(SAID).decode(), {**GIVEN, "plan_sha256": "9" * 64}, {"plan": PLAN})
    assert caught.value.code == "statement_foreign"


@pytest.mark.parametrize("text", ["", "{}", "ssh", json.dumps(SAID), "x" * 100000])
def test_what_is_no_statement_is_not_signed(text: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        ActionModule._is_meant(text, GIVEN, {"plan": PLAN})
    assert caught.value.code == "statement_invalid"
