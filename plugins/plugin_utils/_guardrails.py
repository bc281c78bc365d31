# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role guardrails writes beside the requirements: the hook's patterns, egress, policy, signers. Checked here first. PRIVATE.

Policy and signers are held against the engine's own code, so what the controller lets through the host takes. Nothing here imports Ansible.
"""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates import policy, signers

#: What the hook blocks on every host, so that the self-test can see that it does.
PROBE_PATTERN = "codex-ops-selftest-blocked"
_MAX_PATTERN = 500
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


def _fail(message: str, where: str, hint: str | None = None) -> t.NoReturn:
    raise CodexOpsError(message, code="guardrails_invalid", outcome="rejected", where=where, hint=hint)


def _list(value: t.Any, where: str) -> list[t.Any]:
    return value if isinstance(value, list) else _fail(f"expected a list, found {value!r}.", where)


def _keys(value: t.Any, where: str, known: t.Sequence[str], needed: t.Sequence[str]) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        _fail(f"expected a dictionary, found {value!r}.", where)
    for key in value:
        if key not in known:
            _fail(f"there is no key {str(key)!r}.", where, "Known: " + ", ".join(known) + ".")
    for key in needed:
        if value.get(key) in (None, "", []):
            _fail(f"the key {key!r} is missing.", where)
    return value


def patterns(given: t.Any, kill_switch: str) -> str:
    """The hook's own file (JSON): what it blocks.

    :arg given: Dictionaries with ``pattern``, a regular expression of Python's, and ``reason``.
    :arg kill_switch: The file whose presence blocks everything.
    :raises CodexOpsError: ``guardrails_invalid``, naming the entry.
    """
    found = [{"pattern": PROBE_PATTERN, "reason": "the self-test sees that the hook blocks"}]
    for number, item in enumerate(_list(given, "guardrails_hook_patterns")):
        where = f"guardrails_hook_patterns[{number}]"
        entry = _keys(item, where, ("pattern", "reason"), ("pattern", "reason"))
        for key, value in entry.items():
            if not isinstance(value, str) or len(value) > _MAX_PATTERN or "\n" in value:
                _fail(f"expected a text in one line of at most {_MAX_PATTERN} characters, found {value!r}.", f"{where}.{key}")
        try:
            compiled = re.compile(entry["pattern"])
        except (re.error, RecursionError, OverflowError) as error:
            _fail(f"this is no regular expression of Python's: {error}.", f"{where}.pattern")
        if compiled.search(""):
            _fail("this matches the empty text, so it would block every command.", f"{where}.pattern", "Say what it has to find.")
        found.append({"pattern": entry["pattern"], "reason": entry["reason"]})
    return json.dumps({"version": 1, "kill_switch": kill_switch, "patterns": found}, indent=1, ensure_ascii=True) + "\n"


def _ports(value: t.Any, where: str) -> list[tuple[int, int]]:
    found = []
    for number, item in enumerate(value if isinstance(value, list) else [value]):
        match = _PORTS.fullmatch(str(item)) if not isinstance(item, bool) else None
        first = int(match[1]) if match else 0
        last = int(match[2]) if match and match[2] else first
        if not 1 <= first <= last <= 65535:
            _fail(f"expected a port from 1 to 65535, or a range like 8000-8010, found {item!r}.", f"{where}[{number}]")
        found.append((first, last))
    return found


def _address(text: str, where: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    hint = "Write an address (192.0.2.7), a network (192.0.2.0/24), 'outside' or 'resolvers'. The relay, not this, pins the name of the provider."
    try:
        found = ipaddress.ip_network(text)
    except ValueError as error:
        _fail(f"expected a destination, found {text!r} ({error}).", where, hint)
    if isinstance(found, ipaddress.IPv6Network) and found.network_address.ipv4_mapped is not None:
        _fail(f"{text!r} is an IPv4 address within IPv6.", where, "Write the IPv4 address.")
    for closed in _LOOPBACK:
        if found.version == closed.version and found.overlaps(closed) and found.num_addresses > 1:
            _fail(
                f"{text!r} holds the host's own loopback addresses.",
                where,
                "For anywhere but this host write 'outside'; name a local service by its one address.",
            )
    return found


def _towards(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    """What matches packets to *network*. This host's own services are meant only by one address, not by a network in which the host is, too."""
    daddr = f"ip{'6' if network.version == 6 else ''} daddr "
    return f"{daddr}{network.network_address}" if network.num_addresses == 1 else f'oifname != "lo" {daddr}{network}'


def egress(given: t.Any, resolvers: t.Any) -> list[str]:
    """The rules of nftables that let ``codex-ops`` reach what is listed, each in one line.

    :arg given: Dictionaries with ``to``, ``ports`` and ``protocol``.
    :arg resolvers: Addresses of the host's name servers, for which ``to: resolvers`` stands.
    :raises CodexOpsError: ``guardrails_invalid``, naming the entry.
    """
    servers = []
    for item in _list(resolvers, "resolvers"):
        try:
            servers.append(ipaddress.ip_network(str(item).partition("%")[0]))
        except ValueError:
            # What else stands in resolv.conf no program can ask either.
            continue
    found: list[str] = []
    for number, item in enumerate(_list(given, "guardrails_egress")):
        where = f"guardrails_egress[{number}]"
        entry = _keys(item, where, ("to", "ports", "protocol"), ("to", "ports"))
        protocol = entry.get("protocol") or "tcp"
        if protocol not in ("tcp", "udp"):
            _fail(f"expected tcp or udp, found {protocol!r}.", f"{where}.protocol")
        ports = _ports(entry["ports"], f"{where}.ports")
        to = str(entry["to"])
        if to == "outside":
            heads = ['oifname != "lo"']
        else:
            networks = servers if to == "resolvers" else [_address(to, f"{where}.to")]
            for network in networks:
                if network.is_loopback and any(first != last for first, last in ports):
                    _fail("a range of ports of this host itself.", f"{where}.ports", "Name each local service by its port.")
            heads = [_towards(network) for network in networks]
        numbers = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in sorted(set(ports)))
        found += [f"{head} {protocol} dport {{ {numbers} }} counter accept" for head in heads]
    return list(dict.fromkeys(found))


def policy_text(given: t.Any) -> str:
    """``policy.json`` with what *given* says.

    :raises CodexOpsError: as the engine does when it reads the file, naming the place in it.
    """
    where = "guardrails_policy"
    if not isinstance(given, dict):
        _fail(f"expected a dictionary, found {given!r}.", where)
    try:
        text = json.dumps(given, indent=2, sort_keys=True, ensure_ascii=True) + "\n"
    except (TypeError, ValueError, RecursionError) as error:
        _fail(f"this cannot be written as JSON: {error}.", where)
    policy.parse(text.encode("ascii"), where)
    return text


def signer_lines(given: t.Any) -> str:
    """``allowed_signers`` with the people in *given*.

    :arg given: Dictionaries with ``principal`` and ``key``, the public key as it stands in a file ``.pub``.
    :raises CodexOpsError: as the engine does when it reads the file; or ``guardrails_invalid``, naming the entry.
    """
    lines = ["# Written by the role day2.codex.guardrails. Change the variable guardrails_signers, not this file."]
    for number, item in enumerate(_list(given, "guardrails_signers")):
        where = f"guardrails_signers[{number}]"
        entry = _keys(item, where, ("principal", "key"), ("principal", "key"))
        for key, value in entry.items():
            if not isinstance(value, str) or "\n" in value.strip() or "\r" in value.strip():
                _fail(f"expected a text in one line, found {value!r}.", f"{where}.{key}")
        if not signers.NAME.fullmatch(entry["principal"]):
            _fail(f"expected one plain name, found {entry['principal']!r}.", f"{where}.principal", "Patterns, lists and quotes are not taken.")
        line = f'{entry["principal"]} namespaces="{signers.NAMESPACE}" {" ".join(entry["key"].split())}'
        try:
            signers.parse("\n".join([*lines, line]).encode("utf-8"), where)
        except CodexOpsError as error:
            said = error.message.partition(" is not taken: ")[2] or error.message
            _fail(f"this signer is not taken: {said}", where, "The key is what stands in a file such as id_ed25519.pub: its type, and base64.")
        lines.append(line)
    return "\n".join(lines) + "\n"
