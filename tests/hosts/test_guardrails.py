# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role guardrails writes, in force under the real Codex CLI: what it denies is denied, and what a broken hook lets through is stopped."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t

import pytest
import yaml

from ansible_collections.day2.codex.plugins.plugin_utils._guardrails import patterns
from ansible_collections.day2.codex.plugins.plugin_utils._requirements import compose, toml

from .host import PYTHON, ROOT, WORKSPACE, Host, cassette

ROLE = ROOT / "roles/guardrails"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text("utf-8"))
HOOK = "/etc/codex/hooks/pre-tool-use"
NEXT = os.environ.get("DAY2_CODEX_CLI_NEXT", "")
#: What a command may not have, whatever the hook says. Each is tried by its own way, so that no other failure hides it.
ATTEMPTS = {
    "secret": "cat /etc/codex-ops/secrets/provider-key",
    "shadow": "cat /etc/shadow",
    "log": "cat /var/log/codex-ops/audit.jsonl",
    "sudo": '/usr/bin/python3 -I -c \'import os; os.execv("/usr/bin/sudo", ["sudo", "-n", "true"])\'',
    "live": f"echo x >>{WORKSPACE}/config/inbox.yml",
    "network": "/usr/bin/python3 -I -c 'import socket; socket.create_connection((\"127.0.0.1\", 4711), 2)'",
}


def files(given: dict[str, t.Any]) -> dict[str, tuple[str, int]]:
    """What the role would write for the requirements *given*: content and mode by path."""
    requirements = compose(given, DEFAULTS["guardrails_forbidden_commands"], DEFAULTS["guardrails_deny_read"], HOOK, 10)
    return {
        "/etc/codex/requirements.toml": (toml(requirements), 0o644),
        f"{HOOK}.json": (patterns(DEFAULTS["guardrails_hook_patterns"], "/etc/codex-ops/disabled"), 0o644),
        f"{HOOK}.py": ((ROLE / "files/pre-tool-use.py").read_text("utf-8"), 0o644),
        HOOK: ((ROLE / "files/pre-tool-use").read_text("utf-8"), 0o755),
    }


def put_up(host: Host, given: dict[str, t.Any] | None = None) -> None:
    """Write them."""
    found = files(given or {})
    for path, (content, mode) in found.items():
        host.write(path, content, mode)
    digests = {path: hashlib.sha256(content.encode()).hexdigest() for path, (content, _mode) in found.items()}
    host.write("/etc/codex-ops/guardrails.json", json.dumps({"version": 1, "files": digests}))


@pytest.fixture(scope="module", name="guarded")
def _guarded(host: Host) -> Host:
    host.must("install", "-d", "-m", "0750", "-g", "codex-ops", "/etc/codex-ops/secrets")
    host.write("/etc/codex-ops/secrets/provider-key", "placeholder-key\n", 0o640, "root:codex-ops")
    return host


@pytest.fixture(name="codex", params=["pinned", *(["next"] if NEXT else [])])
def _codex(request: pytest.FixtureRequest, guarded: Host) -> t.Iterator[Host]:
    """The host, with each Codex CLI that there is."""
    if request.param == "next":
        inside = os.path.relpath(os.path.realpath(NEXT), ROOT)
        guarded.must("ln", "-sfn", f"/checkout/{inside}", "/opt/codex-ops/bin/codex")
    yield guarded
    guarded.must("ln", "-sfn", "/opt/codex/bin/codex", "/opt/codex-ops/bin/codex")


def run(host: Host, *commands: str) -> list[dict[str, t.Any]]:
    """How the commands of an agent ended, by agent-run."""
    result = host.drive("exec", "codex-ops", cassette=cassette(commands, "done"), workspace=WORKSPACE, writable=True)
    assert result["outcome"] == "completed", result
    return t.cast("list[dict[str, t.Any]]", result["commands"])


def selftest(host: Host, user: str = "root") -> dict[str, tuple[str, str]]:
    """Result and reason of each check."""
    program = "import sys; sys.path.insert(0, '/opt/codex-ops/current'); from codex_ops._cli.main import main;"
    program += "sys.exit(main(['selftest', '--json'], '/opt/codex-ops/test'))"
    done = host.run(PYTHON, "-IB", "-c", program, user=user)
    return {check["name"]: (check["result"], check["why"]) for check in json.loads(done.out)["checks"]}


def test_an_agent_works_under_the_requirements_and_what_they_deny_is_in_the_transcript(codex: Host) -> None:
    extra = {"enforce_residency": "us", "features": {"apps": False}, "mcp_servers": {}, "allowed_web_search_modes": ["disabled", "cached"]}
    put_up(codex, extra)
    work, ruled, hooked, around = run(codex, "sed -i s/norply/noreply/ config/inbox.yml && cat config/inbox.yml", "curl --version", "find . | xargs curl", "ls")
    assert (work["status"], around["status"]) == ("completed", "completed"), (work, around)
    assert ruled["status"] == "denied" and "curl is not for agents on this host" in ruled["reason"]
    assert hooked["status"] == "denied" and "begins a forbidden command by way of another" in hooked["reason"]


def test_codex_takes_every_key_without_a_warning(codex: Host) -> None:
    events = {event: [{"hooks": [{"type": "command", "command": HOOK}]}] for event in ("PostToolUse", "Stop", "SessionStart", "UserPromptSubmit", "PreCompact")}
    put_up(codex, {"hooks": events, "mcp_servers": {"a": {"identity": {"url": "https://mcp.example.com"}}}, "features": {"apps": False, "memories": False}})
    result = codex.drive("exec", "codex-ops", cassette=cassette(["true"], "done"), workspace=WORKSPACE)
    assert not [warning for warning in result.get("warnings", []) if "requirement" in warning], result["warnings"]


def test_codex_refuses_to_run_without_its_sandbox_whoever_asks(codex: Host) -> None:
    put_up(codex)
    codex.must("install", "-d", "-o", "codex-agent", "-g", "codex-agent", "/var/agent")
    argv = ["env", "HOME=/var/agent", "CODEX_HOME=/var/agent", "TMPDIR=/var/agent", "timeout", "20", "/opt/codex-ops/bin/codex", "exec"]
    for way in (["-s", "danger-full-access"], ["--dangerously-bypass-approvals-and-sandbox"], ["-c", "sandbox_mode=danger-full-access"]):
        done = codex.run(*argv, "--skip-git-repo-check", "-C", "/var/agent", *way, "Do nothing.", user="codex-agent")
        assert done.status == 1 and b"requirements do not allow" in done.err, (way, done.text)


@pytest.mark.parametrize("broken", ["exit 1", "exit 0", "kill -9 $$", "sleep 60", 'echo \'{"decision": "deny"}\''])
def test_what_a_broken_hook_lets_through_is_stopped_by_the_layers_under_it(guarded: Host, broken: str) -> None:
    put_up(guarded)
    # Without the rules for commands and paths, too.
    guarded.write("/etc/codex/requirements.toml", toml(compose({}, [], [], HOOK, 1)))
    guarded.write(HOOK, f"#!/bin/sh\n{broken}\n", 0o755)
    before = guarded.tree()
    found = run(guarded, "find . | xargs echo", *ATTEMPTS.values())
    assert found[0]["status"] == "completed", "the hook was to be broken"
    assert {name: command["status"] for name, command in zip(ATTEMPTS, found[1:])} == dict.fromkeys(ATTEMPTS, "failed"), found
    assert guarded.tree() == before


@pytest.mark.parametrize("user", ["root", "codex-ops"])
def test_the_self_test_tries_what_the_guardrails_promise(guarded: Host, user: str) -> None:
    put_up(guarded)
    found = selftest(guarded, user)
    for name in ("sandbox", "guardrails", "requirements", "hook", "secrets", "sudo"):
        assert found[name][0] == "ok", (name, found[name])
    assert found["egress"][0] == "look at it" and "no table" in found["egress"][1]


#: A secret that systemd decrypts, as the role account lays it.
LINK = (
    "mkdir -m 0750 /run/decrypted && chgrp codex-ops /run/decrypted && install -m 0640 -g codex-ops /dev/null /run/decrypted/key"
    " && ln -s /run/decrypted/key /etc/codex-ops/secrets/decrypted"
)


def test_the_self_test_follows_the_link_of_a_secret_that_systemd_decrypts(guarded: Host) -> None:
    put_up(guarded)
    guarded.must("sh", "-c", LINK)
    try:
        assert selftest(guarded)["secrets"][0] == "ok"
    finally:
        guarded.must("rm", "-rf", "/run/decrypted", "/etc/codex-ops/secrets/decrypted")


@pytest.mark.parametrize(
    ("harm", "check", "words"),
    [
        (f"rm {HOOK}", "hook", "no hook denied"),
        (f"rm {HOOK}", "guardrails", "is gone"),
        (f"chmod 0777 {HOOK}", "guardrails", "can be changed by others"),
        ("echo >/etc/codex/requirements.toml", "requirements", "is not in force"),
        ("echo >/etc/codex/requirements.toml", "hook", "no rule denied"),
        ("chmod 0644 /etc/codex-ops/secrets/provider-key", "secrets", "everybody may use"),
        (f"{LINK} && chmod 0644 /run/decrypted/key", "secrets", "everybody may use"),
        ("chown -R codex-agent /etc/codex-ops/secrets", "secrets", "codex-agent could open"),
        ("echo 'codex-agent ALL=(root) NOPASSWD: /usr/bin/true' >/etc/sudoers.d/mistake", "sudo", "may use sudo"),
        ("echo 'codex-agent ALL=(root) NOPASSWD: /usr/bin/cat /etc/hostname' >/etc/sudoers.d/mistake", "sudo", "may use sudo"),
        ("echo '%codex-agent ALL=(codex-ops) /usr/bin/id' >/etc/sudoers.d/mistake", "sudo", "may use sudo"),
        ("echo x >/etc/codex-ops/guardrails.json", "guardrails", "not a list"),
    ],
)
def test_the_self_test_sees_what_does_not_hold(guarded: Host, harm: str, check: str, words: str) -> None:
    put_up(guarded)
    guarded.must("sh", "-c", harm)
    try:
        result, why = selftest(guarded)[check]
    finally:
        guarded.must("rm", "-rf", "/run/decrypted", "/etc/codex-ops/secrets/decrypted")
        guarded.must("sh", "-c", "rm -f /etc/sudoers.d/mistake; chown -R root:codex-ops /etc/codex-ops/secrets; chmod 0640 /etc/codex-ops/secrets/provider-key")
    assert result == "BAD" and words in why, (result, why)


def test_the_self_test_says_what_is_not_installed_and_does_not_fail_for_it(guarded: Host) -> None:
    guarded.must("rm", "-rf", "/etc/codex", "/etc/codex-ops/guardrails.json")
    found = selftest(guarded)
    for name in ("guardrails", "requirements", "hook"):
        assert found[name][0] == "look at it" and "not installed" in found[name][1], found[name]
    assert found["secrets"][0] == "ok" and found["sudo"][0] == "ok", found


def test_an_engaged_kill_switch_keeps_the_self_test_from_starting_an_agent_and_from_failing(guarded: Host) -> None:
    put_up(guarded)
    guarded.write("/etc/codex-ops/disabled", "a person\n")
    try:
        found = selftest(guarded)
    finally:
        guarded.must("rm", "/etc/codex-ops/disabled")
    assert found["hook"][0] == found["sandbox"][0] == found["kill switch"][0] == "look at it", found
    assert found["requirements"][0] == "ok" and found["guardrails"][0] == "ok", found
