# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a collector has seen: findings and measures, made a signal. PRIVATE.

All text is from outside. It is redacted, hidden characters are written out, and it is cut, here and nowhere else.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
import time
import typing as t

from .._trail.redaction import Redactor

CRITICAL, WARNING, INFO = "CRITICAL", "WARNING", "INFO"
_RANK = {CRITICAL: 0, WARNING: 1, INFO: 2}
#: Characters of an ID, and of what it is made from that are looked through for secrets.
_ID, _LOOKED = 200, 1024
#: Characters of the other parts.
_RESOURCE, _VALUE, _DETAIL, _SUMMARY = 600, 600, 4000, 1000
#: Findings that are kept until the worst of them are chosen, measures, and bytes of JSON that a signal may have.
_KEPT, _METRICS, _BYTES = 5000, 400, 400_000
_DIGEST = re.compile(r"(\[redacted:[a-z_]{1,40}):[0-9a-f]{4}\]")

Value = t.Union[str, float, bool, None, list[t.Union[str, float, bool, None]]]


class _Found(t.NamedTuple):
    """A finding, as it came."""

    id: str
    severity: str
    resource: str
    expected: Value
    observed: Value
    detail: str


def _short(value: Value) -> Value:
    if isinstance(value, str):
        return value[: _VALUE * 2]
    return [item[:400] if isinstance(item, str) else item for item in value[:50]] if isinstance(value, list) else value


@dataclasses.dataclass(frozen=True)
class Seen:
    """Where and when a collector looks.

    :arg now: Seconds since the epoch.
    :arg deadline: When it must have ended, as ``time.monotonic`` has it.
    :arg escape: Writes hidden characters out.
    :arg redactor: Masks secrets.
    :arg personal: Masks secrets and personal data.
    :arg folders: Where the host's tools are looked for.
    :arg memory: What the collector remembered the last time, from its own hand.
    :arg writing: Whether a file may be written where an option asks for it.
    """

    now: float
    host: str
    deadline: float
    escape: t.Callable[[str], str]
    redactor: Redactor
    personal: Redactor
    folders: tuple[str, ...] = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
    memory: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    writing: bool = True

    def left(self, at_most: float | None = None) -> float:
        """Seconds that are left, at least 0."""
        left = max(0.0, self.deadline - time.monotonic())
        return left if at_most is None else min(left, at_most)


class Report:
    """What was seen so far."""

    def __init__(self, name: str, seen: Seen) -> None:
        self._name = name
        self._seen = seen
        self._findings: dict[str, _Found] = {}
        self._missed: dict[str, str] = {}
        self.metrics: dict[str, Value] = {}
        self.thresholds: dict[str, Value] = {}
        self.truncated = False
        self.good = ""
        #: What is to be remembered until the next time; ``None`` leaves it as it is.
        self.memory: dict[str, t.Any] | None = None
        #: A file that was written because somebody asked for it.
        self.written: str | None = None

    @property
    def incomplete(self) -> bool:
        """Whether something could not be looked at."""
        return bool(self._missed)

    def clean(self, text: str, limit: int, *, lines: bool = False) -> str:
        """*text* for people: redacted, nothing hidden, at most *limit* characters, on one line."""
        # More than what is kept is never looked at, however much there is; secrets over the border are cut away with it.
        shown = self._seen.redactor.text(text[: limit * 2])
        if not lines:
            shown = shown.replace("\n", "\\n").replace("\t", "\\t")
        shown = self._seen.escape(shown)
        return shown if len(shown) <= limit else shown[: limit - 6] + " [cut]"

    def identify(self, kind: str, resource: str) -> str:
        """The ID of a finding: the same from run to run."""
        full = f"{kind}:{resource}"
        begin = full[:_LOOKED]
        # The digest in a marker is another in every process.
        shown = _DIGEST.sub(r"\1]", self._seen.escape(self._seen.redactor.text(begin).replace("\n", "\\n").replace("\t", "\\t")))
        if len(shown) <= _ID and len(full) <= _LOOKED:
            return shown
        digest = hashlib.sha256((shown + full[_LOOKED:]).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return f"{shown[: _ID - 17]}#{digest}"

    def _plain(self, value: Value) -> Value:
        if isinstance(value, str):
            return self.clean(value, _VALUE)
        if isinstance(value, list):
            return [self.clean(item, 200) if isinstance(item, str) else item for item in value]
        return round(value, 3) if isinstance(value, float) else value

    def add(self, severity: str, kind: str, resource: str, *, expected: Value = None, observed: Value = None, detail: str = "") -> None:
        """Something was found. *kind* and *resource* make its ID; the worst one with an ID stays.

        *detail* may have lines.
        """
        name = self.identify(kind, resource)
        before = self._findings.get(name)
        if before is not None and _RANK[before.severity] <= _RANK[severity]:
            return
        if before is None and len(self._findings) >= _KEPT:
            self.truncated = True
            return
        # What is kept is cleaned when it is among those that are shown.
        self._findings[name] = _Found(name, severity, resource[: _RESOURCE * 2], _short(expected), _short(observed), detail[: _DETAIL * 2])

    def _shown(self, found: _Found) -> dict[str, t.Any]:
        shown: dict[str, t.Any] = {"id": found.id, "severity": found.severity, "resource": self.clean(found.resource, _RESOURCE)}
        if found.expected is not None:
            shown["expected"] = self._plain(found.expected)
        if found.observed is not None:
            shown["observed"] = self._plain(found.observed)
        if found.detail:
            shown["detail"] = self.clean(found.detail, _DETAIL, lines=True)
        return shown

    def missed(self, resource: str, reason: str) -> None:
        """Something could not be looked at, and why."""
        if len(self._missed) >= _KEPT:
            self.truncated = True
            return
        self._missed.setdefault(resource, self.clean(reason, 300))

    def measure(self, name: str, value: Value, *, of: str | None = None) -> None:
        """A measure, of one of several things where *of* names it."""
        if len(self.metrics) >= _METRICS:
            self.truncated = True
            return
        self.metrics[name if of is None else self.clean(f"{name}:{of}", 300)] = self._plain(value)

    def _status(self) -> str:
        severities = {found.severity for found in self._findings.values()}
        if CRITICAL in severities:
            return "critical"
        if WARNING in severities:
            return "warning"
        return "unknown" if self._missed else "ok"

    def _listed(self, at_most: int) -> list[dict[str, t.Any]]:
        listed = list(self._findings.values())
        # What was not seen stands beside what was found: both are read by the same people.
        listed += [_Found(self.identify("unknown", resource), INFO, resource, None, None, reason) for resource, reason in self._missed.items()]
        listed.sort(key=lambda found: (_RANK[found.severity], found.id))
        if len(listed) > at_most:
            self.truncated = True
            more = f"There are {len(listed) - at_most + 1} more findings."
            listed = [*listed[: at_most - 1], _Found(f"more:{self._name}", INFO, self._name, None, None, more)]
        return [self._shown(found) for found in listed]

    def _summary(self, status: str) -> str:
        parts = []
        worst = sorted(self._findings.values(), key=lambda found: (_RANK[found.severity], found.id))
        bad = [found for found in worst if found.severity != INFO]
        if bad:
            count = f"{len(bad)} finding{'s' if len(bad) > 1 else ''}"
            names = ", ".join(found.id for found in bad[:3])
            parts.append(f"{count}: {names}{', ...' if len(bad) > 3 else ''}.")
        elif status == "ok":
            parts.append(self.good or "All is as expected.")
        if self._missed:
            resource, reason = next(iter(sorted(self._missed.items())))
            more = f" (and {len(self._missed) - 1} more)" if len(self._missed) > 1 else ""
            parts.append(f"Not looked at: {self.clean(resource, 200)}: {reason}{more}")
        return self._seen.escape(" ".join(parts))[:_SUMMARY]

    def signal(self, max_findings: int) -> dict[str, t.Any]:
        """The signal, as schemas/signal.schema.json has it."""
        status = self._status()
        at = datetime.datetime.fromtimestamp(int(self._seen.now), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        signal: dict[str, t.Any] = {
            "signal": self._name,
            "host": self.clean(self._seen.host or "unknown", 200),
            "collected_at": at,
            "status": status,
            "summary": self._summary(status),
            "findings": self._listed(max_findings),
            "metrics": dict(sorted(self.metrics.items())),
            "thresholds": {name: self._plain(value) for name, value in sorted(self.thresholds.items())},
            "truncated": self.truncated,
        }
        self._fit(signal)
        return signal

    @staticmethod
    def _fit(signal: dict[str, t.Any]) -> None:
        """Take out what is long, until a job can hold it: of the least important findings first."""
        findings, metrics = signal["findings"], signal["metrics"]
        too_much = len(json.dumps(signal)) - _BYTES
        signal["truncated"] = signal["truncated"] or too_much > 0
        for name in ("detail", "observed", "expected"):
            for found in reversed(findings):
                if too_much <= 0:
                    return
                too_much -= len(json.dumps(found.pop(name, "")))
        while too_much > 0 and (metrics or findings):
            too_much -= len(json.dumps(metrics.popitem() if metrics else findings.pop()))
