# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One job: what it is about, where it stands, and who works on it. PRIVATE."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import typing as t

from .._canonical import canonical, digest
from .._errors import CodexOpsError
from .worker import Process

#: Priorities that there are; a higher one goes first.
PRIORITIES = range(-1000, 1001)
#: Bytes of signal, input and slice of one job together, as JSON.
MAX_CONTENT = 1024 * 1024
#: Characters of a text that is kept about a job.
MAX_TEXT = 2000
#: Runs, and names of those who asked, that are kept of a job: the newest.
MAX_LISTED = 100
#: The seconds in which times are taken: the years 1970 to 9999.
LAST_SECOND = 253402300799.0
_SLICE = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_KEY = re.compile(r"[!-~](?:[ -~]{0,198}[!-~])?")


@dataclasses.dataclass(frozen=True)
class Job:
    """A job as it was when it was read. Times are in seconds since the epoch; ``expires`` may be ``None`` and ``not_before`` 0.

    ``slice_document`` is the slice itself where it is not one that is installed under its name. ``signal`` and ``input`` are text from
    outside. ``worker`` is the one that holds the job now, with ``process``, ``since`` and ``until``.
    """

    id: str
    state: str
    slice: str
    slice_sha256: str | None
    slice_document: dict[str, t.Any] | None
    signal: dict[str, t.Any] | None
    input: t.Any
    dedupe_key: str
    priority: int
    count: int
    created: float
    updated: float
    last_seen: float
    expires: float | None
    not_before: float
    attempts: int
    failures: int
    worker: str | None
    process: Process | None
    since: float | None
    until: float | None
    plan: str | None
    run_ids: tuple[str, ...]
    outcome: str | None
    code: str | None
    msg: str | None
    approvals_needed: int
    requested_by: tuple[str, ...]

    @property
    def first_seen(self) -> float:
        """When it was seen first."""
        return self.created

    def as_dict(self, history: t.Sequence[dict[str, t.Any]] = ()) -> dict[str, t.Any]:
        """As the published contract *job* has it.

        :arg history: What :meth:`Inbox.history` says of it.
        """
        held = None
        if self.worker is not None and self.process is not None:
            held = {"worker": self.worker, "pid": self.process.pid, "since": moment(self.since), "until": moment(self.until)}
        return {
            "version": 1,
            "id": self.id,
            "state": self.state,
            "slice": self.slice,
            "slice_sha256": self.slice_sha256,
            "dedupe_key": self.dedupe_key,
            "priority": self.priority,
            "count": self.count,
            "first_seen": moment(self.first_seen),
            "last_seen": moment(self.last_seen),
            "updated": moment(self.updated),
            "expires": moment(self.expires),
            "not_before": moment(self.not_before or None),
            "attempts": self.attempts,
            "claimed_by": held,
            "signal": self.signal,
            "input": self.input,
            "plan": self.plan,
            "run_ids": list(self.run_ids),
            "outcome": self.outcome,
            "code": self.code,
            "msg": self.msg,
            "approvals_needed": self.approvals_needed,
            "requested_by": list(self.requested_by),
            "history": [{**entry, "at": moment(entry["at"])} for entry in history],
        }


def moment(seconds: float | None) -> str | None:
    """*seconds* since the epoch as RFC 3339 has it, in UTC."""
    if seconds is None:
        return None
    kept = min(max(seconds, 0.0), LAST_SECOND)
    return datetime.datetime.fromtimestamp(kept, datetime.timezone.utc).isoformat(timespec="milliseconds")


def invalid(message: str, where: str, hint: str | None = None, code: str = "job_invalid") -> CodexOpsError:
    """What is wrong with what a job was to be made of."""
    return CodexOpsError(message, code=code, outcome="rejected", where=where, hint=hint)


def text(value: t.Any, limit: int = MAX_TEXT) -> str:
    """*value* as text that any database holds: at most *limit* characters, halves of surrogate pairs written out."""
    return str(value)[:limit].encode("utf-8", "backslashreplace").decode("utf-8")


def texts(values: t.Iterable[t.Any]) -> list[str]:
    """Each of *values* once, in its order: the last ones, where there are too many."""
    return list(dict.fromkeys(text(value, 200) for value in values))[-MAX_LISTED:]


def slice_name(given: str | dict[str, t.Any]) -> str:
    """The name of a slice, or of the document of one.

    :raises CodexOpsError: ``job_invalid``.
    """
    name = given.get("name") if isinstance(given, dict) else given
    if not isinstance(name, str) or not _SLICE.fullmatch(name):
        raise invalid(f"expected the name of a slice, found {str(name)[:100]!r}.", "slice", "Lower-case letters, digits, '.', '_' and '-', at most 80.")
    return name


def key(given: str | None, name: str, content: dict[str, t.Any]) -> str:
    """The key by which the same thing is known again.

    Without one, jobs of one slice are the same that have the same signal with the same findings, whatever was measured; and without
    a signal, those that have the same input. A key that is long or not plain is kept as its digest.

    :raises CodexOpsError: ``job_invalid``.
    """
    if given is not None:
        if given == "":
            raise invalid("expected some text, found none.", "dedupe_key", "Leave it out to have one made.")
        return given if _KEY.fullmatch(given) else f"sha256:{digest(given)}"
    signal = content["signal"]
    if isinstance(signal, dict):
        findings = signal.get("findings")
        ids = {str(found.get("id")) for found in findings if isinstance(found, dict)} if isinstance(findings, list) else set()
        same: t.Any = [str(signal.get("signal")), sorted(ids)]
    else:
        same = content["input"]
    return f"{name}:{digest([content['slice'], same])}"


def content(slice_: str | dict[str, t.Any], signal: dict[str, t.Any] | None, given: t.Any) -> tuple[dict[str, t.Any], str]:
    """What a job is made of, and the same as JSON.

    :raises CodexOpsError: ``job_invalid`` or ``job_too_large``.
    """
    if signal is not None and not isinstance(signal, dict):
        raise invalid(f"expected a dictionary, found {type(signal).__name__}.", "signal")
    found = {"slice": slice_ if isinstance(slice_, dict) else None, "signal": signal, "input": given}
    try:
        written = canonical(found).decode("ascii")
    except RecursionError:
        raise invalid("it is nested too deeply.", "signal or input") from None
    except (ValueError, TypeError) as error:
        raise invalid(f"it cannot be written as JSON: {text(error, 200)}.", "signal or input", "Leave out NaN and infinity, and use text as keys.") from None
    if len(written) > MAX_CONTENT:
        hint = "Keep what the agent needs: the findings and a few lines around them."
        raise invalid(f"expected at most {MAX_CONTENT} bytes of JSON, found {len(written)}.", "signal and input", hint, "job_too_large")
    return found, written


#: What :func:`read` wants, in its order.
COLUMNS = (
    "id, state, slice, dedupe_key, priority, count, created, updated, last_seen, expires, not_before, attempts, failures,"
    " worker, lease, lease_until, plan, facts"
)


def process_of(lease: str) -> tuple[Process, float]:
    """Who holds a job, and since when, from what is kept of it."""
    kept = json.loads(lease)
    return Process(**kept["process"]), float(kept["since"])


def read(row: t.Sequence[t.Any], payload: str | None) -> Job:
    """The job that the columns :data:`COLUMNS` and its payload tell of."""
    values = dict(zip(COLUMNS.replace(" ", "").split(","), row))
    lease, until = values.pop("lease"), values.pop("lease_until")
    process, since = process_of(lease) if lease is not None else (None, None)
    facts, held = json.loads(values.pop("facts")), json.loads(payload) if payload is not None else {}
    return Job(
        **values,
        process=process,
        since=since,
        until=until,
        slice_document=held.get("slice"),
        signal=held.get("signal"),
        input=held.get("input"),
        slice_sha256=facts.get("slice_sha256"),
        run_ids=tuple(facts.get("run_ids", ())),
        outcome=facts.get("outcome"),
        code=facts.get("code"),
        msg=facts.get("msg"),
        approvals_needed=facts.get("approvals_needed", 0),
        requested_by=tuple(facts.get("requested_by", ())),
    )
