# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""/etc/codex/requirements.toml of the role guardrails: composed, checked key by key, and written as TOML. PRIVATE.

Codex only warns of a key that it does not know, and goes on without what the key was to forbid. So every key is checked here.
Each of those that are let through was seen to be taken without a warning by Codex 0.163.0 and 0.169.0. Nothing here imports Ansible.
"""

from __future__ import annotations

import difflib
import posixpath
import re
import shlex
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._agent.config import FEATURES_OFF, toml_string
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError

#: A word that a rule of ours forbids, so that the self-test can see that the rules are in force.
PROBE_TOKEN = "codex-ops-selftest-forbidden"
APPROVALS = ("untrusted", "on-request", "never")
SANDBOXES = ("read-only", "workspace-write")
SEARCHES = ("disabled", "cached", "live")
EVENTS = ("PreToolUse", "PostToolUse", "UserPromptSubmit", "SessionStart", "Stop", "PermissionRequest", "PreCompact")
#: Keys that Codex knows and that cannot be had here, and why.
_NOT_HERE = {
    "default_permissions": "the engine brings a narrower permission profile of its own for every run",
    "allowed_permission_profiles": "the engine brings a narrower permission profile of its own for every run",
    "experimental_network": "it opens ways into the network, and the agent has none",
    "remote_sandbox_config": "the same holds on every host that the role provisions",
    "guardian_policy_config": "nobody asks for an approval in an unattended run",
}
_HEAD = """\
# Written by the role day2.codex.guardrails. Change the variables of the role, not this file.
# Codex takes these as requirements: no configuration, profile or option of a user can loosen them.
"""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_CLOSED = ("/", "/bin", "/dev", "/lib", "/lib64", "/media", "/mnt", "/opt", "/opt/codex-ops", "/proc", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var")

_Check = t.Callable[[t.Any, str], t.Any]


def _fail(message: str, where: str, hint: str | None = None) -> t.NoReturn:
    raise CodexOpsError(message, code="requirements_invalid", outcome="rejected", where=where, hint=hint)


def _keys(value: t.Any, where: str, known: t.Collection[str], needed: t.Collection[str] = ()) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        _fail(f"expected a dictionary, found {value!r}.", where)
    for key in value:
        if key in _NOT_HERE:
            _fail(f"this key cannot be set here: {_NOT_HERE[key]}.", f"{where}.{key}", "Leave it out.")
        if key not in known:
            near = difflib.get_close_matches(str(key), list(known), 1)
            known_ones = "Known: " + ", ".join(sorted(known)) + "."
            _fail(f"there is no key {str(key)!r}, and Codex would only warn of it.", where, f"Did you mean {near[0]!r}?" if near else known_ones)
    for key in needed:
        if key not in value:
            _fail(f"the key {key!r} is missing.", where)
    return value


def _text(value: t.Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or any(ord(char) < 32 or ord(char) == 127 for char in value):
        _fail(f"expected a text in one line, found {value!r}.", where)
    return value


def _flag(value: t.Any, where: str) -> bool:
    if not isinstance(value, bool):
        _fail(f"expected true or false, found {value!r}.", where)
    return value


def _items(value: t.Any, where: str, each: _Check) -> list[t.Any]:
    if not isinstance(value, list):
        _fail(f"expected a list, found {value!r}.", where)
    return [each(item, f"{where}[{number}]") for number, item in enumerate(value)]


def _choices(value: t.Any, where: str, known: t.Sequence[str], needed: t.Sequence[str], why: str) -> list[str]:
    found: list[str] = _items(value, where, _text)
    for number, item in enumerate(found):
        if item not in known:
            _fail(f"expected one of {', '.join(known)}, found {item!r}.", f"{where}[{number}]", why)
    for item in needed:
        if item not in found:
            _fail(f"{item!r} must be in this list.", where, why)
    return found


def deny_read(value: t.Any, where: str) -> str:
    """A path that no command of Codex may read. What breaks Codex's own sandbox is refused: it was tried.

    :raises CodexOpsError: ``requirements_invalid``.
    """
    path = _text(value, where)
    if any(char in path for char in "*?["):
        _fail(
            f"expected a path without * ? [, found {path!r}.",
            where,
            "For a pattern Codex searches the whole folder, and no command starts where it may not. Name folders.",
        )
    if not path.startswith("/") or posixpath.normpath(path) != path or path.startswith("//"):
        _fail(f"expected an absolute path without '..', '.' and slashes at its end, found {path!r}.", where)
    if path.startswith("/etc/"):
        _fail(
            f"{path!r} lies below /etc, which is closed to the agent as a whole; the sandbox cannot close a part of it again, and nothing would start.",
            where,
            "Name /etc, which closes it for everybody's Codex, or leave it out and rely on the file's own mode.",
        )
    if path in _NOT_CLOSED or path.startswith(("/mnt/codex-ops", "/opt/codex-ops/", "/usr/", "/proc/", "/sys/", "/dev/")):
        _fail(f"without {path!r} no command of the agent could start.", where, "Name folders with secrets, such as /root or /srv/app/secrets.")
    return path


def _rule(value: t.Any, where: str) -> dict[str, t.Any]:
    rule = _keys(value, where, ("pattern", "decision", "justification"), ("pattern", "decision"))
    if rule["decision"] != "forbidden":
        _fail(
            f"expected 'forbidden', found {rule['decision']!r}.",
            f"{where}.decision",
            "A rule that allows a command runs it outside the sandbox, and nobody is there to be asked.",
        )

    def token(item: t.Any, place: str) -> dict[str, t.Any]:
        found = _keys(item, place, ("token", "any_of"))
        if len(found) != 1:
            _fail("expected one of 'token' and 'any_of'.", place)
        return {"token": _text(found["token"], f"{place}.token")} if "token" in found else {"any_of": _items(found["any_of"], f"{place}.any_of", _text)}

    pattern = _items(rule["pattern"], f"{where}.pattern", token)
    if not pattern or not all(item.get("any_of", True) for item in pattern):
        _fail("expected at least one word.", f"{where}.pattern")
    return {"pattern": pattern, "decision": "forbidden", "justification": _text(rule.get("justification", "forbidden on this host"), f"{where}.justification")}


def _hook(value: t.Any, where: str) -> dict[str, t.Any]:
    group = _keys(value, where, ("matcher", "hooks"), ("hooks",))

    def command(item: t.Any, place: str) -> dict[str, t.Any]:
        found = _keys(item, place, ("type", "command", "timeout"), ("type", "command"))
        if found["type"] != "command":
            _fail(f"expected 'command', found {found['type']!r}.", f"{place}.type")
        program, seconds = _text(found["command"], f"{place}.command"), found.get("timeout", 10)
        if not program.startswith("/"):
            _fail(f"expected a program by its absolute path, found {program!r}.", f"{place}.command")
        if not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds <= 600:
            _fail(f"expected seconds from 1 to 600, found {seconds!r}.", f"{place}.timeout")
        return {"type": "command", "command": program, "timeout": seconds}

    return {"matcher": _text(group.get("matcher", "*"), f"{where}.matcher"), "hooks": _items(group["hooks"], f"{where}.hooks", command)}


def _server(value: t.Any, where: str) -> dict[str, t.Any]:
    identity = _keys(_keys(value, where, ("identity",), ("identity",))["identity"], f"{where}.identity", ("command", "url"))
    if len(identity) != 1:
        _fail("expected one of 'command' and 'url'.", f"{where}.identity")
    return {"identity": {key: _text(item, f"{where}.identity.{key}") for key, item in identity.items()}}


def _feature(name: str, value: t.Any, where: str) -> bool:
    if name not in FEATURES_OFF:
        _fail(f"there is no feature {name!r} that can be pinned.", where, "Known: " + ", ".join(FEATURES_OFF) + ".")
    if _flag(value, f"{where}.{name}"):
        _fail("expected false: the engine turns this feature off in every run.", f"{where}.{name}")
    return False


def _forbidden(value: t.Any, where: str) -> dict[str, t.Any]:
    try:
        words = shlex.split(_text(value, where))
    except ValueError as error:
        _fail(f"the words cannot be told apart: {error}.", where)
    if not words:
        _fail("expected at least one word.", where)
    return {"pattern": [{"token": word} for word in words], "decision": "forbidden", "justification": f"{' '.join(words)} is not for agents on this host"}


def compose(given: t.Any, commands: t.Any, closed: t.Any, hook: str, timeout: int) -> dict[str, t.Any]:
    """The requirements: the role's own, with what the user adds.

    :arg given: The user's ``guardrails_requirements``. Lists of rules, hooks and closed paths are added to the role's; the rest replaces it.
    :arg commands: Commands that are forbidden, each the words with which it begins.
    :arg closed: Paths that no command may read.
    :arg hook: The program that is asked before each tool call, with *timeout* in seconds.
    :raises CodexOpsError: ``requirements_invalid``, naming the key.
    """
    name = "guardrails_requirements"
    known = ("allowed_approval_policies", "allowed_sandbox_modes", "allowed_web_search_modes", "allow_managed_hooks_only", "enforce_residency")
    extra = _keys(given, name, (*known, "hooks", "permissions", "rules", "features", "mcp_servers"))
    found: dict[str, t.Any] = {
        "allowed_approval_policies": _choices(
            extra.get("allowed_approval_policies", ["never"]), f"{name}.allowed_approval_policies", APPROVALS, ["never"],
            "The engine runs with 'never', because nobody is there to be asked.",
        ),
        "allowed_sandbox_modes": _choices(
            extra.get("allowed_sandbox_modes", list(SANDBOXES)), f"{name}.allowed_sandbox_modes", SANDBOXES, SANDBOXES,
            "Without 'workspace-write' Codex makes the engine's own runs read-only; with 'danger-full-access' it would have no sandbox at all.",
        ),
        "allowed_web_search_modes": _choices(
            extra.get("allowed_web_search_modes", ["disabled"]), f"{name}.allowed_web_search_modes", SEARCHES, ["disabled"], "The engine runs with 'disabled'."
        ),
        "allow_managed_hooks_only": _flag(extra.get("allow_managed_hooks_only", True), f"{name}.allow_managed_hooks_only"),
    }  # fmt: skip
    if "enforce_residency" in extra:
        if extra["enforce_residency"] != "us":
            _fail(f"expected 'us', found {extra['enforce_residency']!r}.", f"{name}.enforce_residency")
        found["enforce_residency"] = "us"
    own = {"PreToolUse": [{"matcher": "*", "hooks": [{"type": "command", "command": hook, "timeout": timeout}]}]}
    hooks = _keys(extra.get("hooks", {}), f"{name}.hooks", EVENTS)
    found["hooks"] = {"managed_dir": posixpath.dirname(hook)}
    for event in EVENTS:
        groups = own.get(event, []) + _items(hooks.get(event, []), f"{name}.hooks.{event}", _hook)
        if groups:
            found["hooks"][event] = groups
    permissions = _keys(extra.get("permissions", {}), f"{name}.permissions", ("filesystem",))
    filesystem = _keys(permissions.get("filesystem", {}), f"{name}.permissions.filesystem", ("deny_read",))
    paths = _items(closed, "guardrails_deny_read", deny_read)
    paths += _items(filesystem.get("deny_read", []), f"{name}.permissions.filesystem.deny_read", deny_read)
    found["permissions"] = {"filesystem": {"deny_read": list(dict.fromkeys(paths))}}
    rules = _keys(extra.get("rules", {}), f"{name}.rules", ("prefix_rules",))
    probe = {"pattern": [{"token": PROBE_TOKEN}], "decision": "forbidden", "justification": "the self-test sees that rules are in force"}
    found["rules"] = {
        "prefix_rules": [probe, *_items(commands, "guardrails_forbidden_commands", _forbidden)]
        + _items(rules.get("prefix_rules", []), f"{name}.rules.prefix_rules", _rule)
    }
    for key, check in (("features", None), ("mcp_servers", _server)):
        if key in extra:
            table = extra[key] if isinstance(extra[key], dict) else _fail(f"expected a dictionary, found {extra[key]!r}.", f"{name}.{key}")
            for item in table:
                if not isinstance(item, str) or not _NAME.fullmatch(item):
                    _fail(f"expected a name of letters, digits, - and _, found {item!r}.", f"{name}.{key}")
            found[key] = {
                item: check(value, f"{name}.{key}.{item}") if check else _feature(item, value, f"{name}.{key}") for item, value in sorted(table.items())
            }
    return found


def _inline(value: t.Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return "{ " + ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items()) + " }" if value else "{}"


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) else toml_string(name)


def _line(name: str, value: t.Any) -> str:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return f"{_key(name)} = [\n" + "".join(f"  {_inline(item)},\n" for item in value) + "]\n"
    return f"{_key(name)} = {_inline(value)}\n"


def toml(found: t.Mapping[str, t.Any]) -> str:
    """*found* as TOML: the same bytes for the same requirements."""
    plain = "".join(_line(name, value) for name, value in found.items() if not isinstance(value, dict))
    tables = "".join(
        f"\n[{_key(name)}]\n" + "".join(_line(key, item) for key, item in value.items()) for name, value in found.items() if isinstance(value, dict)
    )
    return _HEAD + "\n" + plain + tables
