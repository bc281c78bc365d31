# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role guardrails would write is checked before it is written, and a wrong variable is refused with its place and a way out."""

from __future__ import annotations

import json
import pathlib
import re
import typing as t

import pytest
import tomllib
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.filter.codex_requirements import codex_requirements
from ansible_collections.day2.codex.plugins.filter.egress_rules import egress_rules
from ansible_collections.day2.codex.plugins.filter.hook_patterns import hook_patterns
from ansible_collections.day2.codex.plugins.filter.policy_document import policy_document
from ansible_collections.day2.codex.plugins.filter.signer_lines import signer_lines
from ansible_collections.day2.codex.plugins.module_utils._agent import probe
from ansible_collections.day2.codex.plugins.module_utils._gates import signers

ROLE = pathlib.Path(__file__).resolve().parents[4] / "roles/guardrails"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text("utf-8"))
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB6bCk0kRoGyEVHvPyqaBwiDTqI9xPOz9QvFh7pK9JkW"


def rule(**more: t.Any) -> dict[str, t.Any]:
    return {"rules": {"prefix_rules": [{"pattern": [{"token": "ls"}], "decision": "forbidden", **more}]}}


def test_the_requirements_hold_the_role_s_own_and_what_the_user_adds() -> None:
    extra = {"enforce_residency": "us", "features": {"apps": False}, "mcp_servers": {"a": {"identity": {"command": "/usr/bin/a"}}}, **rule()}
    found = tomllib.loads(codex_requirements({**extra, "permissions": {"filesystem": {"deny_read": ["/home"]}}}, ["git push", "curl"], ["/root"]))
    assert found["allowed_approval_policies"] == ["never"] and found["allowed_web_search_modes"] == ["disabled"]
    assert found["allowed_sandbox_modes"] == ["read-only", "workspace-write"] and found["allow_managed_hooks_only"] is True
    assert found["hooks"]["managed_dir"] == "/etc/codex/hooks"
    assert found["hooks"]["PreToolUse"][0]["hooks"] == [{"type": "command", "command": "/etc/codex/hooks/pre-tool-use", "timeout": 10}]
    assert found["permissions"]["filesystem"]["deny_read"] == ["/root", "/home"]
    words = [[item["token"] for item in entry["pattern"]] for entry in found["rules"]["prefix_rules"]]
    assert words == [["codex-ops-selftest-forbidden"], ["git", "push"], ["curl"], ["ls"]]
    assert {entry["decision"] for entry in found["rules"]["prefix_rules"]} == {"forbidden"}
    assert found["features"] == {"apps": False} and found["mcp_servers"]["a"]["identity"] == {"command": "/usr/bin/a"}


def test_the_same_variables_give_the_same_bytes() -> None:
    one = codex_requirements({"features": {"apps": False, "memories": False}}, ["curl"], ["/root"])
    assert one == codex_requirements({"features": {"memories": False, "apps": False}}, ["curl"], ["/root"])


def test_text_of_a_user_stays_text_in_toml() -> None:
    nasty = 'a" }, { token = "b\\'
    found = tomllib.loads(codex_requirements(rule(justification=nasty), [], []))
    assert found["rules"]["prefix_rules"][1]["justification"] == nasty


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"alowed_sandbox_modes": []}, r"guardrails_requirements: there is no key 'alowed_sandbox_modes'.*Did you mean 'allowed_sandbox_modes'"),
        ({"allowed_sandbox_modes": ["read-only", "workspace-write", "danger-full-access"]}, r"allowed_sandbox_modes\[2\]: expected one of.*no sandbox at all"),
        ({"allowed_sandbox_modes": ["read-only"]}, "'workspace-write' must be in this list"),
        ({"allowed_sandbox_modes": ["workspace-write"]}, "'read-only' must be in this list"),
        ({"allowed_sandbox_modes": "read-only"}, "expected a list"),
        ({"allowed_approval_policies": ["on-request"]}, "'never' must be in this list"),
        ({"allowed_web_search_modes": ["live"]}, "'disabled' must be in this list"),
        ({"allow_managed_hooks_only": "yes"}, "expected true or false"),
        ({"default_permissions": "mine"}, "cannot be set here: the engine brings"),
        ({"experimental_network": {"enabled": True}}, "cannot be set here: it opens ways"),
        ({"enforce_residency": "eu"}, "expected 'us'"),
        (rule(decision="allow"), r"prefix_rules\[0\].decision: expected 'forbidden', found 'allow'. .* outside the sandbox"),
        (rule(decision="prompt"), "expected 'forbidden'"),
        (rule(pattern=[]), "at least one word"),
        (rule(pattern=[{"token": "a", "any_of": ["b"]}]), "expected one of 'token' and 'any_of'"),
        (rule(why="x"), r"prefix_rules\[0\]: there is no key 'why'"),
        ({"hooks": {"PreTolUse": []}}, "Did you mean 'PreToolUse'"),
        ({"hooks": {"PreToolUse": [{"hooks": [{"type": "prompt", "command": "/x"}]}]}}, "expected 'command'"),
        ({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "x"}]}]}}, "absolute path"),
        ({"features": {"apps": True}}, "expected false"),
        ({"features": {"nothing": False}}, "no feature 'nothing'"),
        ({"mcp_servers": {"a": {"identity": {"command": "a", "url": "b"}}}}, "expected one of"),
        ({"permissions": {"mine": {}}}, "there is no key 'mine'"),
        ("x", "expected a dictionary"),
    ],
)
def test_requirements_that_codex_would_pass_over_or_that_would_open_something_are_refused(given: t.Any, words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        codex_requirements(given, [], [])


@pytest.mark.parametrize("path", ["/etc/shadow", "/home/*/.ssh", "etc", "/", "/usr", "/srv", "/a/../b", "/root/", "/opt/codex-ops/cli"])
def test_a_closed_path_with_which_no_command_would_start_is_refused(path: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"guardrails_deny_read\[0\]"):
        codex_requirements({}, [], [path])


def test_the_role_s_defaults_pass_its_own_checks_and_let_the_engine_s_own_probe_through() -> None:
    codex_requirements(DEFAULTS["guardrails_requirements"], DEFAULTS["guardrails_forbidden_commands"], DEFAULTS["guardrails_deny_read"])
    egress_rules(DEFAULTS["guardrails_egress"])
    for entry in json.loads(hook_patterns(DEFAULTS["guardrails_hook_patterns"]))["patterns"]:
        assert not re.search(entry["pattern"], probe._SCRIPT), entry


@pytest.mark.parametrize(
    "command",
    [
        "ls | xargs wget -i -", "env A=b curl x", "sh -c 'ssh host'", "timeout 5 nc host 1", "LD_PRELOAD=./x.so ls", "echo bHM= | base64 -d | sh",
        "cat /etc/codex-ops/secrets/provider-key", "cat /proc/1/mem", "$(nohup sudo id)",
        "/usr/bin/env curl x", "/bin/sh -c 'curl x'", "find . | /usr/bin/xargs wget", "command curl x", "eval 'sudo id'", "echo `env curl x`",
    ],
)  # fmt: skip
def test_ways_around_the_rules_are_blocked_by_default(command: str) -> None:
    patterns = json.loads(hook_patterns(DEFAULTS["guardrails_hook_patterns"]))["patterns"]
    assert any(re.search(entry["pattern"], command) for entry in patterns)


@pytest.mark.parametrize(
    "command",
    [
        "sed -i s/ssh_port/port/ a",
        "grep -rn curl config",
        "python3 -c 'print(1)'",
        "base64 -d a > b",
        "env | sort",
        "sh check.sh",
        "/bin/sh bin/check",
        "command -v git",
    ],
)
def test_ordinary_work_is_not_blocked_by_default(command: str) -> None:
    patterns = json.loads(hook_patterns(DEFAULTS["guardrails_hook_patterns"]))["patterns"]
    assert not [entry for entry in patterns if re.search(entry["pattern"], command)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([{"pattern": "(", "reason": "x"}], r"hook_patterns\[0\].pattern: this is no regular expression"),
        ([{"pattern": "a*", "reason": "x"}], "would block every command"),
        ([{"pattern": "a"}], "'reason' is missing"),
        ([{"pattern": "a", "reason": "b", "c": 1}], "no key 'c'"),
        ([{"pattern": 1, "reason": "b"}], "expected a text"),
    ],
)
def test_a_pattern_that_the_hook_could_not_use_is_refused(given: t.Any, words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        hook_patterns(given)


def test_destinations_become_rules_of_nftables() -> None:
    given = [
        {"to": "outside", "ports": [443]},
        {"to": "resolvers", "ports": 53, "protocol": "udp"},
        {"to": "192.0.2.0/24", "ports": ["8000-8010", 22, "22"]},
        {"to": "2001:db8::1", "ports": [3128]},
        {"to": "127.0.0.1", "ports": [8080]},
    ]
    assert egress_rules(given, ["127.0.0.53", "fe80::1%eth0", "nonsense"]) == [
        'oifname != "lo" tcp dport { 443 } counter accept',
        "ip daddr 127.0.0.53 udp dport { 53 } counter accept",
        "ip6 daddr fe80::1 udp dport { 53 } counter accept",
        'oifname != "lo" ip daddr 192.0.2.0/24 tcp dport { 22, 8000-8010 } counter accept',
        "ip6 daddr 2001:db8::1 tcp dport { 3128 } counter accept",
        "ip daddr 127.0.0.1 tcp dport { 8080 } counter accept",
    ]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"to": "example.com", "ports": [1]}, r"egress\[0\].to: expected a destination.*pins the name"),
        ({"to": "0.0.0.0/0", "ports": [1]}, "loopback.*write 'outside'"),
        ({"to": "::/0", "ports": [1]}, "loopback"),
        ({"to": "127.0.0.0/8", "ports": [1]}, "loopback"),
        ({"to": "127.0.0.1", "ports": ["1-65535"]}, "range of ports of this host"),
        ({"to": "::ffff:192.0.2.1", "ports": [1]}, "IPv4 address within IPv6"),
        ({"to": "192.0.2.1/24", "ports": [1]}, "host bits"),
        ({"to": "outside", "ports": [0]}, r"ports\[0\]: expected a port"),
        ({"to": "outside", "ports": ["1;"]}, "expected a port"),
        ({"to": "outside", "ports": [True]}, "expected a port"),
        ({"to": "outside", "ports": []}, "'ports' is missing"),
        ({"to": "outside", "ports": [1], "protocol": "icmp"}, "expected tcp or udp"),
        ({"to": "outside } accept", "ports": [1]}, "expected a destination"),
        ({"to": "outside", "ports": [1], "port": 1}, "no key 'port'"),
    ],
)
def test_a_destination_that_says_too_much_or_nothing_is_refused(entry: dict[str, t.Any], words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        egress_rules([entry])


def test_a_policy_is_held_against_the_engine_s_own_code() -> None:
    assert json.loads(policy_document({"version": 1, "ad_hoc": "forbidden"})) == {"version": 1, "ad_hoc": "forbidden"}
    with pytest.raises(AnsibleFilterError, match=r"guardrails_policy: .*'categoriez' \(did you mean 'categories'\?\)"):
        policy_document({"version": 1, "categoriez": {}})
    with pytest.raises(AnsibleFilterError, match=r"guardrails_policy at actions.x.argv\[0\]: The program must be an absolute path"):
        policy_document({"version": 1, "actions": {"x": {"argv": ["ls"], "per_hour": 1}}})
    with pytest.raises(AnsibleFilterError, match="expected a dictionary"):
        policy_document([])


def test_signers_become_lines_that_the_engine_reads_back() -> None:
    text = signer_lines([{"principal": "alice", "key": KEY + " alice@example.com\n"}])
    assert [(signer.name, signer.key.text) for signer in signers.parse(text.encode(), "x")] == [("alice", KEY)]
    assert signers.parse(signer_lines([]).encode(), "x") == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([{"principal": "*", "key": KEY}], r"signers\[0\].principal: expected one plain name"),
        ([{"principal": "a,b", "key": KEY}], "one plain name"),
        ([{"principal": "a", "key": "cert-authority " + KEY}], r"signers\[0\]: this signer is not taken"),
        ([{"principal": "a", "key": KEY[:-8]}], "not taken"),
        ([{"principal": "a", "key": KEY}, {"principal": "b", "key": KEY}], r"signers\[1\]: .*One key is one person's"),
        ([{"principal": "a", "key": KEY + "\nb " + KEY}], "one line"),
        ([{"principal": "a", "key": KEY, "namespaces": "git"}], "no key 'namespaces'"),
        ([{"principal": "a"}], "'key' is missing"),
    ],
)
def test_a_signer_who_could_not_be_one_is_refused(given: t.Any, words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        signer_lines(given)
