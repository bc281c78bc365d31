# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a signal to jobs by the host's rules, and back: a job whose findings are gone closes itself. PRIVATE."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ._canonical import digest
from ._errors import CodexOpsError
from ._options import Options
from ._places import Places

if t.TYPE_CHECKING:
    from ._inbox.job import Job
    from ._signals.rules import Rule, Table

#: Jobs of one slice that are looked at: the newest.
_LOOK = 200
#: Statuses of which a job is made where somebody named the slice. Of what could not be looked at, nobody knows whether there is anything to do.
BAD = ("warning", "critical")
_RANK = {"INFO": 0, "WARNING": 1, "CRITICAL": 2}
#: Seconds for which a job keeps others away that was closed before anybody worked on it: what comes and goes makes one an hour at most.
_FLAPPING = 3600.0
#: Somebody else was faster: a worker took the job, or it is over.
_OVERTAKEN = ("job_claimed", "job_state", "job_not_found")


@dataclasses.dataclass(frozen=True)
class Seen:
    """A signal, and of which look it came.

    ``look`` is a digest of the collector's options: only the same look can tell that something is gone. ``slice`` is who works on it, where
    somebody said so and the rules are not asked. ``now`` is in seconds since the epoch.
    """

    signal: dict[str, t.Any]
    look: str
    now: float
    slice: str | dict[str, t.Any] | None = None


def hand_over(options: Options, seen: Seen) -> dict[str, t.Any]:
    """Make jobs of what is wrong, and close those whose findings are gone.

    :returns: ``jobs``, each as the module *job* returns it, ``said`` (sentences for people), ``warnings``, and ``changed``, ``failed``,
        ``outcome``, ``audit``, ``run_id``, ``diff`` of the last thing that was recorded.
    :raises CodexOpsError: ``rules_missing``, ``rules_unsafe``, ``rules_invalid``, ``newer_state``, ``slice_not_found``, or one of the inbox's own.
    """
    # Read before rights are dropped: Ansible's folder is closed to codex-ops.
    from ._dropping import as_ops, wanted  # pylint: disable=import-outside-toplevel
    from ._signals import fitting, rules  # noqa: F401  # pylint: disable=import-outside-toplevel,unused-import

    if wanted(options.prefix):
        return as_ops(options.prefix, options.ansible, lambda: hand_over(options, seen))
    over = _HandOver(options, seen)
    if seen.slice is None:
        over.by_rules()
    else:
        over.by_name(seen.slice)
    return over.result


def standing(places: Places) -> Table | None:
    """The host's rules, with a slice that is there for each of them; ``None`` where there is no table.

    :raises CodexOpsError: as :func:`hand_over` does, for whichever rule.
    """
    from ._signals import rules  # pylint: disable=import-outside-toplevel

    if not os.path.lexists(places.rules):
        return None
    table = rules.load(places.rules, places.owners)
    for rule in table.rules:
        _check_slice(places, table, rule)
    return table


def _check_slice(places: Places, table: Table, rule: Rule) -> None:
    """:raises CodexOpsError: ``slice_not_found``: it is better known now than when something is wrong."""
    path = os.path.join(places.slices, rule.slice + ".json")
    if not os.path.lexists(path):
        raise CodexOpsError(
            f"The rule {rule.name!r} names the slice {rule.slice!r}, and {path} is not there.",
            code="slice_not_found",
            outcome="rejected",
            where=table.where(rule, "slice"),
            hint="Install it, for example with the role day2.codex.runbooks, or name another one.",
        )


class _HandOver:
    """One signal on its way."""

    def __init__(self, options: Options, seen: Seen) -> None:
        from ._jobs import inbox_of  # pylint: disable=import-outside-toplevel

        self._options = options
        self._seen = seen
        self._places = Places(options.prefix)
        self._inbox = inbox_of(self._places)
        self.result: dict[str, t.Any] = {"jobs": [], "said": [], "warnings": [], "changed": False, "failed": False, "outcome": "unchanged"}

    # --- who asks -----------------------------------------------------------------------------------------------------

    def by_name(self, slice_: str | dict[str, t.Any]) -> None:
        """Somebody named the slice: all that is wrong is one job for it."""
        from ._inbox.job import slice_name  # pylint: disable=import-outside-toplevel

        signal = self._seen.signal
        name = slice_name(slice_)
        begin = f"{name}:{signal['signal']}:{self._seen.look}:"
        # What is only mentioned comes and goes: the same trouble is the same without it.
        bad = {found["id"] for found in signal["findings"] if found["severity"] != "INFO"}
        opened = self._open(name, begin)
        if signal["status"] in BAD:
            self._change(slice=slice_, signal=signal, dedupe_key=begin + _short(sorted(bad)))
        self._close(opened, lambda found: found["severity"] != "INFO", bad)

    def by_rules(self) -> None:
        """The host's own rules say who works on what."""
        from ._signals import rules  # pylint: disable=import-outside-toplevel

        table = rules.load(self._places.rules, self._places.owners)
        mine = table.of(self._seen.signal["signal"])
        if not mine:
            self.result["warnings"].append(f"{table.path} has no rule for {self._seen.signal['signal']}: no finding of it becomes a job.")
        for rule in mine:
            _check_slice(self._places, table, rule)
        found = rules.divided(mine, self._seen.signal)
        for rule in mine:
            self._by_rule(table, rule, found.get(rule.name, []))

    # --- one rule -----------------------------------------------------------------------------------------------------

    def _by_rule(self, table: Table, rule: Rule, findings: list[dict[str, t.Any]]) -> None:
        begin = f"rule:{rule.name}:{self._seen.signal['signal']}:{self._seen.look}:"
        opened = self._open(rule.slice, begin)
        renewed = self._add(table, rule, findings, begin, opened) if findings else None
        # One that has just taken in what is new is about that now, and not about what it began with.
        self._close([job for job in opened if job is not renewed], lambda found: not found["id"].startswith("more:"), {found["id"] for found in findings})

    def _add(self, table: Table, rule: Rule, findings: list[dict[str, t.Any]], begin: str, opened: list[Job]) -> Job | None:
        """The job that took in what is new, where one that waits did."""
        covered = {found["id"] for job in opened for found in _findings(job)}
        known = self._recent(rule, begin)
        fresh = [found for found in findings if found["id"] not in covered and known.get(found["id"], -1) < _RANK[found["severity"]]]
        # One that nobody works on yet takes in what is new, so that whoever takes it sees all of it.
        waiting = next((job for job in opened if job.state == "pending" and job.worker is None), None)
        if waiting is not None and (fresh or _ids(waiting) & _names(findings)):
            others = {found["id"] for job in opened if job is not waiting for found in _findings(job)}
            # What could not be looked at this time is there still, as far as anybody knows.
            before = [found for found in _findings(waiting) if found["id"] not in _names(findings)] if self._blind() else []
            both = [found for found in findings if found["id"] not in others] + before
            self._enqueue(rule, sorted(both, key=lambda found: -_RANK[found["severity"]]), waiting.dedupe_key)
            return waiting
        if not fresh:
            again = next((job for job in opened if _ids(job) & _names(findings)), None)
            if again is not None:
                self._enqueue(rule, findings, again.dedupe_key)
            else:
                self.result["said"].append(f"The rule {rule.name} made a job of the same less than {_span(rule.dedupe_window)} ago.")
        elif table.quiet(rule, self._seen.now):
            self.result["said"].append(f"The rule {rule.name} is quiet now.")
        else:
            self._enqueue(rule, fresh, begin + _short(sorted(_names(fresh)), f"{self._seen.now:.3f}"))
        return None

    def _enqueue(self, rule: Rule, findings: list[dict[str, t.Any]], key: str) -> None:
        from ._signals.fitting import fitted  # pylint: disable=import-outside-toplevel

        signal = fitted(self._seen.signal, findings, rule.max_bytes)
        self._change(slice=rule.slice, signal=signal, input={"rule": rule.name}, dedupe_key=key, priority=rule.priority, expires_in=rule.expires_in)

    def _recent(self, rule: Rule, begin: str) -> dict[str, int]:
        """The findings that became a job within the rule's window, and how bad they were."""
        if rule.dedupe_window <= 0:
            return {}
        found: dict[str, int] = {}
        for job in self._inbox.jobs({"slice": rule.slice, "since": self._seen.now - rule.dedupe_window}, _LOOK):
            unseen = job.state == "expired" or (job.code == "resolved" and not job.run_ids and job.created < self._seen.now - _FLAPPING)
            if job.dedupe_key.startswith(begin.rpartition(self._seen.look)[0]) and not unseen:
                for one in _findings(job):
                    found[one["id"]] = max(found.get(one["id"], -1), _RANK[one["severity"]])
        return found

    # --- the inbox ----------------------------------------------------------------------------------------------------

    def _open(self, name: str, begin: str) -> list[Job]:
        """The open jobs that came of the same look, newest first."""
        from ._inbox.states import OPEN  # pylint: disable=import-outside-toplevel

        def over(job: Job) -> bool:
            return job.worker is None and job.expires is not None and job.expires <= self._seen.now

        return [job for job in self._inbox.jobs({"slice": name, "state": list(OPEN)}, _LOOK) if job.dedupe_key.startswith(begin) and not over(job)]

    def _close(self, opened: list[Job], counts: t.Callable[[dict[str, t.Any]], bool], present: t.Collection[str]) -> None:
        """Close those of *opened* of whose findings none is left. Where not all was looked at, nobody knows what is left."""
        bad = {found["id"] for found in self._seen.signal["findings"] if found["severity"] != "INFO"}
        for job in () if self._blind() else opened:
            ids = {found["id"] for found in _findings(job) if counts(found)}
            # What a worker holds is the worker's: it finds out for itself.
            if job.worker is None and ids and not ids & bad and not ids & set(present):
                self._change(state="resolved", id=job.id, why=f"What it is about was not found any more: {', '.join(sorted(ids)[:3])}.")

    def _blind(self) -> bool:
        """Whether something could not be looked at, or was left out."""
        signal = self._seen.signal
        unseen = any(found["id"].startswith("unknown:") for found in signal["findings"])
        return unseen or signal["status"] == "unknown" or bool(signal.get("truncated"))

    def _change(self, **wanted: t.Any) -> None:
        from ._jobs import Request, change  # pylint: disable=import-outside-toplevel

        try:
            done = change(self._options, Request(now=self._seen.now, **wanted))
        except CodexOpsError as error:
            if "id" in wanted and error.code in _OVERTAKEN:
                return
            raise
        if "id" in wanted and done.get("code") in _OVERTAKEN:
            return
        self.result["said"].append(done["msg"])
        self.result["warnings"] += done.get("warnings", ())
        if done["job"] is not None:
            self.result["jobs"].append(done["job"])
        if done["changed"] or done["failed"] or "audit" not in self.result:
            kept: tuple[str, ...] = ("code", "audit", "run_id", "diff")
            self.result.update({name: done[name] for name in kept if name in done}, outcome=done["outcome"], failed=self.result["failed"] or done["failed"])
        self.result["changed"] = self.result["changed"] or done["changed"]


def _findings(job: Job) -> list[dict[str, t.Any]]:
    found = (job.signal or {}).get("findings")
    return [one for one in found if isinstance(one, dict) and not str(one.get("id")).startswith("more:")] if isinstance(found, list) else []


def _names(findings: t.Iterable[dict[str, t.Any]]) -> set[str]:
    return {str(found["id"]) for found in findings}


def _ids(job: Job) -> set[str]:
    return _names(_findings(job))


def _short(*parts: t.Any) -> str:
    return digest(list(parts))[:32]


def _span(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds)}s"
