# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's rules: which findings become jobs, for which slice, and when. PRIVATE."""

from __future__ import annotations

import datetime
import fnmatch
import functools
import re
import typing as t

from .._contract import owned
from .._errors import CodexOpsError
from . import quiet
from .report import CRITICAL, INFO, WARNING

#: The version of the form that this engine reads. It refuses a newer one.
VERSION = 1
#: How bad a status and a severity are.
STATUSES = {"ok": 0, "unknown": 1, "warning": 2, "critical": 3}
SEVERITIES = {INFO: 0, WARNING: 1, CRITICAL: 2}
#: Seconds, and bytes, where a rule says nothing.
DEDUPE_WINDOW, MAX_BYTES = 24 * 3600.0, 24 * 1024
#: What counts findings that are left out, and what says that something could not be looked at.
MORE, UNSEEN = "more:", "unknown:"
_KIND = owned.Kind(
    name="rules",
    words="table of rules",
    version=VERSION,
    outcome="rejected",
    missing="There is no table of rules, so nobody knows who is to work on what is wrong.",
    write_one="Write one, as the guide on signals shows, or name the slice.",
    unsafe="Anybody who can write this file decides what agents are asked on this host: make it root's own (chown root, chmod 0644).",
    hint="The guide on signals and schemas/rules.schema.json describe its form. Until it is right no job is made, and open ones stay as they are.",
)


class Rule(t.NamedTuple):
    """One rule. ``dedupe_window`` and ``expires_in`` are in seconds; ``at`` is its place in the table."""

    at: int
    name: str
    signal: str
    status: str
    severity: str
    findings: tuple[str, ...]
    resources: tuple[str, ...]
    quiet: tuple[quiet.Quiet, ...]
    dedupe_window: float
    slice: str
    priority: int
    expires_in: float | None
    max_bytes: int

    def takes(self, status: str, finding: t.Mapping[str, t.Any]) -> bool:
        """Whether a finding of a signal with *status* is this rule's."""
        name = str(finding["id"])
        if STATUSES[status] < STATUSES[self.status] or name.startswith(MORE):
            return False
        unseen = self.status == "unknown" and name.startswith(UNSEEN)
        if not unseen and SEVERITIES[finding["severity"]] < SEVERITIES[self.severity]:
            return False
        return _fits(name, self.findings) and _fits(str(finding["resource"]), self.resources)


class Table(t.NamedTuple):
    """The rules of a host, and where its clock hangs."""

    path: str
    rules: tuple[Rule, ...]
    zone: datetime.tzinfo

    def of(self, signal: str) -> tuple[Rule, ...]:
        """Those for the signals of one collector."""
        return tuple(rule for rule in self.rules if rule.signal == signal)

    def quiet(self, rule: Rule, now: float) -> bool:
        """Whether *rule* makes no job at *now*, in seconds since the epoch."""
        return quiet.is_quiet(rule.quiet, quiet.wall(now, self.zone))

    def where(self, rule: Rule, key: str) -> str:
        """A place in the table, for people."""
        return f"{self.path} at rules[{rule.at}].{key}"


@functools.lru_cache(maxsize=1000)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))


def _fits(text: str, patterns: t.Sequence[str]) -> bool:
    return not patterns or any(_pattern(pattern).match(text) for pattern in patterns)


def _bytes(value: int | str) -> int:
    return int(value[:-1]) * 1024 if isinstance(value, str) and value[-1] == "K" else int(value)


def load(path: str, owners: t.Collection[int]) -> Table:
    """The table at *path*.

    :arg owners: The users to whom the file may belong.
    :raises CodexOpsError: ``rules_missing``, ``rules_unsafe``, ``rules_invalid`` (outcome ``rejected``) or ``newer_state``.
    """
    return parse(owned.content(path, owners, _KIND), path)


def parse(data: bytes, path: str) -> Table:
    """The table in *data*, JSON.

    :arg path: Where it stands, for people.
    :raises CodexOpsError: ``rules_invalid`` or ``newer_state``.
    """
    said = owned.document(data, path, _KIND)
    found: list[Rule] = []
    for number, item in enumerate(said["rules"]):
        rule = _rule(number, item, path)
        if any(rule.name == other.name for other in found):
            raise _KIND.wrong(
                "invalid", f"Two rules have the name {rule.name!r}.", f"{path} at rules[{number}].name", "Give each its own: jobs are known by it."
            )
        found.append(rule)
    try:
        # Where nobody is ever left in peace, nobody needs a clock.
        clock = quiet.zone(said.get("time_zone")) if "time_zone" in said or any(rule.quiet for rule in found) else datetime.timezone.utc
    except ValueError as error:
        hint = "Write it as Europe/Berlin; the package tzdata brings the time zones."
        raise _KIND.wrong("invalid", f"{str(error).capitalize()}.", f"{path} at time_zone", hint) from None
    return Table(path, tuple(found), clock)


def _rule(number: int, said: t.Mapping[str, t.Any], path: str) -> Rule:
    hours = []
    for place, item in enumerate(said.get("quiet", ())):
        try:
            hours.append(quiet.span(item["from"], item["to"], item.get("days", quiet.DAYS)))
        except ValueError as error:
            raise _KIND.wrong("invalid", f"{error}.", f"{path} at rules[{number}].quiet[{place}]") from None
    expires, at_most = said.get("expires_in"), _bytes(said.get("max_bytes", MAX_BYTES))
    if expires is not None and not 1 <= owned.seconds(expires) <= 31536000:
        raise _invalid(number, "expires_in", "from a second to a year", expires, path)
    if not 4096 <= at_most <= 262144:
        raise _invalid(number, "max_bytes", "from 4K to 256K", said.get("max_bytes"), path)
    return Rule(
        at=number,
        name=said["name"],
        signal=said["signal"],
        status=said.get("status", "warning"),
        severity=said.get("severity", WARNING),
        findings=tuple(said.get("findings", ())),
        resources=tuple(said.get("resources", ())),
        quiet=tuple(hours),
        dedupe_window=owned.seconds(said["dedupe_window"]) if "dedupe_window" in said else DEDUPE_WINDOW,
        slice=said["slice"],
        priority=int(said.get("priority", 0)),
        expires_in=None if expires is None else owned.seconds(expires),
        max_bytes=at_most,
    )


def _invalid(number: int, key: str, expected: str, found: t.Any, path: str) -> CodexOpsError:
    return _KIND.wrong("invalid", f"expected {expected}, found {found!r}.", f"{path} at rules[{number}].{key}")


def divided(rules: t.Sequence[Rule], signal: t.Mapping[str, t.Any]) -> dict[str, list[dict[str, t.Any]]]:
    """The findings of *signal* by the name of the rule to which each goes: the first that it fits. The worst first."""
    found: dict[str, list[dict[str, t.Any]]] = {}
    for finding in sorted(signal["findings"], key=lambda one: -SEVERITIES[one["severity"]]):
        rule = next((rule for rule in rules if rule.takes(signal["status"], finding)), None)
        if rule is not None:
            found.setdefault(rule.name, []).append(finding)
    return found
