# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On a provisioned host codex-ops tells people: with a key that only the engine reads, a hook that is root's alone, and a bundle for a tree it cannot write."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import typing as t

import pytest

from .host import FIX, PYTHON, SLICE, WORKSPACE, Host, cassette

RAW = b"a key of thirty-two bytes, or so"
KEY = "/etc/codex-ops/secrets/alert-key"
FILE = "/etc/codex-ops/delivery.json"
HOOK, OUT = "/usr/local/sbin/tell-people", "/var/lib/codex-ops/told"
TICKETS = "/var/lib/codex-ops/tickets"
FRESH = "cd /var/lib/codex-ops/outbox && rm -f *.message *.json calls"


@pytest.fixture(autouse=True)
def _delivery(host: Host) -> None:
    host.must("install", "-d", "-o", "root", "-g", "codex-ops", "-m", "0750", "/etc/codex-ops/secrets")
    host.write(KEY, "whsec_" + base64.b64encode(RAW).decode() + "\n", 0o640, "root:codex-ops")
    host.write(HOOK, f"#!/bin/sh\n{{ id -un; cat; }} >> {OUT}\n", 0o755)
    host.write(FILE, json.dumps({"version": 1, "branch": True, "alert": {"command": [HOOK]}}))
    host.must("rm", "-f", OUT)


def _command(host: Host, user: str, *words: str) -> dict[str, t.Any]:
    program = "import sys; sys.path.insert(0, '/opt/codex-ops/current'); from codex_ops._cli.main import main;"
    program += "sys.exit(main(sys.argv[1:], '/opt/codex-ops/test'))"
    done = host.run(PYTHON, "-IB", "-c", program, *words, "--json", user=user)
    return {**json.loads(done.out), "status": done.status}


def _job(host: Host, user: str, name: str) -> dict[str, t.Any]:
    host.drive("job", "root", slice={**SLICE, "name": name})
    return host.drive("work", user, cassette=cassette((FIX,), '{"status": "changed"}'))


@pytest.mark.parametrize("user", ["codex-ops", "root"])
def test_whoever_works_codex_ops_writes_the_ticket_and_calls_the_hook(host: Host, user: str) -> None:
    waiting = _job(host, user, f"told-{user}")
    assert waiting["outcome"] == "awaiting_approval" and "warnings" not in waiting, waiting
    assert host.must("stat", "-c", "%U %a", TICKETS, waiting["ticket"]) == "codex-ops 700\ncodex-ops 600\n"
    # That the ticket before was resolved comes behind it.
    who, message = host.read(OUT).splitlines()[:2]
    alert = json.loads(message)
    signed = f"{alert['webhook-id']}.{alert['webhook-timestamp']}.{alert['body']}".encode()
    assert who == "codex-ops"
    assert alert["webhook-signature"] == "v1," + base64.b64encode(hmac.new(RAW, signed, hashlib.sha256).digest()).decode()
    assert alert["data"]["job"] == waiting["job"]["id"] and alert["data"]["plan"]["sha256"] == waiting["plan"]["sha256"]
    for name in ("root", "codex-ops"):
        assert waiting["job"]["id"] in {one["id"] for one in _command(host, name, "inbox", "tickets")["tickets"]}
        assert _command(host, name, "status")["delivery"]["error"] is None
    closed = _command(host, "root", "inbox", "cancel", waiting["job"]["id"])
    assert closed["status"] == 0 and _command(host, user, "inbox", "tickets")["tickets"] == []


def test_nobody_but_the_engine_reads_the_key_or_the_tickets(host: Host) -> None:
    for path in (KEY, TICKETS):
        assert host.run("sh", "-c", f"cat {path} || ls {path}", user="codex-agent").status != 0
    host.must("chmod", "0644", KEY)
    waiting = _job(host, "codex-ops", "known-key")
    assert "Others can read" in waiting["warnings"][-1] and host.run("test", "-e", OUT).status != 0
    host.must("sh", "-c", FRESH)


@pytest.mark.parametrize("harm", [f"chown codex-ops {HOOK}", f"chmod 0775 {HOOK}; chgrp codex-ops {HOOK}", f"chmod 0757 {HOOK}"])
def test_a_hook_that_somebody_besides_root_could_change_is_not_run(host: Host, harm: str) -> None:
    host.must("sh", "-c", harm)
    waiting = _job(host, "codex-ops", f"hook-{len(harm)}")
    assert "somebody besides root could change" in waiting["warnings"][-1], waiting
    assert host.run("test", "-e", OUT).status != 0
    host.must("sh", "-c", FRESH)


@pytest.mark.parametrize("kind", ["script", "authorities"])
def test_a_file_that_the_hook_is_given_is_roots_alone_too(host: Host, kind: str) -> None:
    path = "/var/lib/codex-ops/given"
    host.write(path, f"id -un >> {OUT}\n", 0o755, "codex-ops:codex-ops")
    alert = {"command": ["/bin/sh", path]} if kind == "script" else {"webhook": "https://localhost:1/", "ca_file": path}
    host.write(FILE, json.dumps({"version": 1, "alert": alert}))
    waiting = _job(host, "codex-ops", f"given-{kind}")
    assert "somebody besides root could change" in waiting["warnings"][-1] and f"{path} is not used" in waiting["warnings"][-1], waiting
    assert host.run("test", "-e", OUT).status != 0
    host.must("sh", "-c", FRESH)


def test_codex_ops_cannot_say_itself_what_is_run(host: Host) -> None:
    host.must("chown", "codex-ops", FILE)
    result = _command(host, "codex-ops", "inbox", "deliver")
    assert (result["status"], result["code"]) == (1, "delivery_unsafe"), result
    assert "make it root's own" in result["warnings"][0]


def test_the_change_of_a_live_tree_is_a_bundle_that_its_owner_fetches(host: Host) -> None:
    git = ("git", "-C", WORKSPACE, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "safe.directory=*")
    host.must(*git, "init", "-q", "-b", "main")
    try:
        host.must(*git, "add", "config", "templates")
        host.must(*git, "commit", "-q", "-m", "first")
        before = host.must("find", f"{WORKSPACE}/.git", "-type", "f", "-printf", "%p %T@\n")
        waiting = _job(host, "codex-ops", "bundled")
        assert "warnings" not in waiting, waiting
        branch = waiting["branch"]
        assert branch["bundle"] == waiting["ticket"].replace(".json", ".bundle") and branch["name"].startswith("codex-ops/bundled/"), branch
        assert host.must("find", f"{WORKSPACE}/.git", "-type", "f", "-printf", "%p %T@\n") == before
        host.must("sh", "-c", branch["fetch"])
        assert host.must(*git, "rev-parse", branch["name"]).strip() == branch["commit"]
        assert "noreply@" in host.must(*git, "show", f"{branch['name']}:config/inbox.yml")
        assert host.must(*git, "log", "-1", "--format=%an", branch["name"]) == "codex-ops\n"
    finally:
        host.must("rm", "-rf", f"{WORKSPACE}/.git")


def test_the_tree_of_another_user_gets_its_branch_by_that_user(host: Host) -> None:
    host.users("inbox-owner")
    host.must("chown", "-R", "inbox-owner:inbox-owner", WORKSPACE)
    git = ("git", "-C", WORKSPACE, "-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    try:
        for words in (("init", "-q", "-b", "main"), ("add", "config", "templates"), ("commit", "-q", "-m", "first")):
            host.must(*git, *words, user="inbox-owner")
        # What this would run, root must not run.
        host.write(f"{WORKSPACE}/.git/hooks/reference-transaction", "#!/bin/sh\nid -un >> /tmp/ran\n", 0o755, "inbox-owner:inbox-owner")
        waiting = _job(host, "codex-ops", "of-another")
        assert "warnings" not in waiting, waiting
        branch = waiting["branch"]
        host.must("sh", "-c", branch["fetch"])
        assert set(host.read("/tmp/ran").split()) == {"inbox-owner"}
        assert host.must(*git, "rev-parse", branch["name"], user="inbox-owner").strip() == branch["commit"]
        assert host.must("find", f"{WORKSPACE}/.git", "!", "-user", "inbox-owner") == ""
        assert host.must("sh", "-c", "ls -d /tmp/tmp.* 2>/dev/null || true") == ""
    finally:
        host.must("rm", "-rf", f"{WORKSPACE}/.git")
        host.must("chown", "-R", "root:root", WORKSPACE)
