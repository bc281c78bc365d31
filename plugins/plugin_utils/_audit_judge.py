# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the logs of hosts and of the controller say of each other. PRIVATE.

What a host answers is not believed to have any form: whatever it is, it becomes a finding about that host, and hides no other.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._trail.remembered import place
from ansible_collections.day2.codex.plugins.module_utils._workspace.escape import escape

MAX_WORDS = 1500
_CONTROLLER = "the controller's log"


def _dict(value: t.Any) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _rows(answer: t.Any) -> list[t.Any]:
    found = _dict(answer).get("remembered")
    return found if isinstance(found, list) else []


def _words(value: t.Any) -> str:
    return escape(str.__str__(value))[:MAX_WORDS] if isinstance(value, str) and value else "it does not say why"


def _number(value: t.Any) -> str:
    return str(int(value)) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18 else "?"


def _listed(names: t.Collection[t.Any]) -> str:
    ordered = sorted(map(str, names))
    more = len(ordered) - 10
    return ", ".join(escape(name)[:200] for name in ordered[:10]) + (f" and {more} more" if more > 0 else "")


def to_verify(known: t.Any, host: str, log: str, other_logs: t.Collection[str] = ()) -> list[dict[str, t.Any]]:
    """The logs of *host* that have to be verified, each with what the controller remembers of it: ``host``, ``path``, ``anchors``.

    :arg known: What ``audit_info`` returned for the controller's log.
    :arg log: Where the host's log should be.
    :arg other_logs: The first 16 digits of record 1 of each log that is known to be another one.
    """
    found: dict[str, list[dict[str, t.Any]]] = {re.sub("/+", "/", log): []}
    for row in _rows(known):
        entry = place(row)
        if entry is not None and row.get("host") == host and entry.get("first", "")[:16] not in other_logs:
            anchors = found.setdefault(re.sub("/+", "/", entry.pop("log")), [])
            if entry not in anchors[-1:]:
                anchors.append(entry)
    return [{"host": host, "path": path, "anchors": anchors} for path, anchors in found.items()]


def _missing(answer: dict[str, t.Any]) -> bool:
    return answer.get("verified") is True and not isinstance(answer.get("head"), dict)


def _malformed(answer: t.Any) -> list[t.Any]:
    """The numbers of the records that remember what is no record of a log."""
    return [_dict(row).get("record") for row in _rows(answer) if place(row) is None]


def _of_log(answer: dict[str, t.Any], who: str, path: t.Any, allow_missing: bool) -> str | None:
    """What is wrong with one log by its own verdict."""
    if not isinstance(answer.get("verified"), bool):
        return f"UNREADABLE: {who}, {escape(str(path))}. {_words(answer.get('msg'))}"
    if not answer["verified"]:
        bad = _dict(answer.get("first_bad"))
        agree = bad.get("agree")
        word = "DISPUTED" if isinstance(agree, list) and agree else "TAMPERED"
        return f"{word}: {who}, record {_number(bad.get('seq'))}. {_words(answer.get('msg'))}"
    if _missing(answer) and not allow_missing:
        return f"MISSING: {who}, {escape(str(path))}. It has no records. If there are none yet, set verify_audit_allow_missing=true."
    return None


def of_host(verdicts: t.Any, host: str, allow_missing: bool = False) -> dict[str, list[str]]:
    """What is wrong with the logs of *host* (``findings``), and what else there is to say (``says``).

    :arg verdicts: What ``audit_info`` returned for each of :func:`to_verify`, as ``loop`` collects it.
    """
    findings, says = [], []
    answers = [answer for answer in verdicts if isinstance(answer, dict)] if isinstance(verdicts, list) else []
    if not answers:
        findings.append(f"UNREADABLE: {host}. It was not asked, or gave no answer.")
    for answer in answers:
        wanted = _dict(answer.get("item"))
        found = _of_log(answer, host, wanted.get("path"), allow_missing)
        if found is not None:
            findings.append(found)
        malformed = _malformed(answer)
        if malformed:
            findings.append(f"TAMPERED: {host}, record {_number(malformed[0])}. It remembers something of the controller that no engine writes.")
        if found is None:
            says.append(f"{host}: {_words(answer.get('msg'))}")
        healed = answer.get("healed")
        if isinstance(healed, list) and healed:
            places = _listed([f"{_number(_dict(one).get('seq'))} ({_number(_dict(one).get('bytes'))} bytes)" for one in healed[:1000]])
            says.append(f"{host}: a crash or a full disk left torn lines before these records of {escape(str(wanted.get('path')))}: {places}.")
    return {"findings": findings, "says": says}


def anchors(verdicts: t.Any, controller: t.Any, other_logs: t.Collection[str] = ()) -> dict[str, t.Any]:
    """What hosts remember of the controller's log (``anchors``, each with ``by``), and of other logs (``unknown``, by their ID the hosts).

    Only logs that hold are heard, and of these only what has the right form.

    :arg verdicts: Those of all hosts.
    :arg controller: What ``audit_info`` returned for the controller's log.
    """
    first = _dict(controller).get("first")
    own = first[:16] if isinstance(first, str) and first else None
    found: dict[tuple[t.Any, ...], dict[str, t.Any]] = {}
    unknown: dict[str, set[str]] = {}
    for answer in verdicts if isinstance(verdicts, list) else ():
        if not isinstance(answer, dict) or answer.get("verified") is not True or _malformed(answer):
            continue
        host = str(_dict(answer.get("item")).get("host"))
        for row in _rows(answer):
            entry = t.cast("dict[str, t.Any]", place(row))
            if entry["log"] == own:
                found[host, entry["seq"], entry["hash"]] = {"seq": entry["seq"], "hash": entry["hash"], "by": host}
            elif entry["log"] not in other_logs and "all" not in other_logs:
                unknown.setdefault(entry["log"], set()).add(host)
    return {"anchors": list(found.values()), "unknown": {name: sorted(hosts) for name, hosts in sorted(unknown.items())}}


def of_controller(
    verdict: t.Any,
    known: t.Any,
    held: t.Any,
    inventory: t.Collection[str],
    *,
    gone: t.Collection[str] = (),
    allow_missing: bool = False,
    allow_unanchored: bool = False,
) -> dict[str, list[str]]:
    """What is wrong with the controller's log (``findings``), and what else there is to say (``says``).

    :arg verdict: What ``audit_info`` returned for it with the anchors *held*.
    :arg known: What it returned before, with all that the log remembers of hosts.
    :arg held: What :func:`anchors` found.
    :arg inventory: The hosts of the inventory.
    :arg gone: Hosts that are no longer in it.
    """
    answer, held, findings, says = _dict(verdict), _dict(held), [], []
    found = _of_log(answer, _CONTROLLER, answer.get("log") or "it could not be read", allow_missing)
    if found is not None:
        findings.append(found)
    if not isinstance(_dict(known).get("remembered"), list):
        findings.append(f"UNREADABLE: {_CONTROLLER}. What it remembers of the hosts is not known: {_words(_dict(known).get('msg'))}")
    used, unknown = held.get("anchors") or [], held.get("unknown") or {}
    hosts = {one["by"] for one in used}
    says.append(f"{len(used)} records that {len(hosts)} hosts remember were held against {_CONTROLLER}; {len(unknown)} other logs are remembered.")
    for name, by in list(unknown.items())[:10]:
        findings.append(
            f"UNKNOWN LOG: {escape(name)[:64]} is remembered by {_listed(by)} as a controller's log, and is not this one. This one was replaced or written "
            "anew from its first record, or another controller works on these hosts. If so, name it in verify_audit_other_logs (or all)."
        )
    if len(unknown) > 10:
        findings.append(f"UNKNOWN LOG: and {len(unknown) - 10} more.")
    if not used and not _missing(answer) and answer.get("verified") is not None and not allow_unanchored:
        findings.append(
            f"UNANCHORED: {_CONTROLLER}. No log of a host that holds remembers any of it, so it could have been cut. If no task has run on these hosts "
            "with the callback, set verify_audit_allow_unanchored=true."
        )
    malformed = _malformed(known)
    if malformed:
        findings.append(f"TAMPERED: {_CONTROLLER}, record {_number(malformed[0])}. It remembers something of a host that the callback does not write.")
    remembered = {str(row["host"]) for row in _rows(known) if place(row) is not None and isinstance(row.get("host"), str)}
    strangers = remembered - set(inventory) - set(gone) - {"localhost"}
    if strangers:
        findings.append(
            f"UNKNOWN HOST: {_CONTROLLER} remembers logs of {_listed(strangers)}, which no inventory has, so nobody verifies them. "
            "If they are gone for good, name them in verify_audit_gone."
        )
    return {"findings": findings, "says": says}
