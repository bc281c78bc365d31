# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""job and job_info: put work into the inbox, take it out again, and look at it. PRIVATE."""

from __future__ import annotations

import dataclasses
import datetime
import os
import typing as t

from ._errors import CodexOpsError
from ._options import Options
from ._places import Places
from ._run import Run

if t.TYPE_CHECKING:
    from ._inbox.job import Job
    from ._inbox.store import Inbox
    from ._trail.redaction import Redactor

_KEPT = ("changed", "failed", "outcome", "code", "msg", "details", "warnings", "audit", "run_id")


@dataclasses.dataclass(frozen=True)
class Request:
    """What somebody wants of the inbox. ``slice`` is the name of an installed slice, or the document of one.

    ``state`` is ``present``, ``cancelled``, ``retried``, or ``resolved``: what it is about is gone. ``expires_in`` is in seconds; ``why`` is
    for people; ``now`` is in seconds since the epoch, the present time where it is not given.
    """

    state: str = "present"
    slice: str | dict[str, t.Any] | None = None
    signal: dict[str, t.Any] | None = None
    input: t.Any = None
    dedupe_key: str | None = None
    priority: int = 0
    expires_in: float | None = None
    id: str | None = None
    why: str = ""
    now: float | None = None


def inbox_of(places: Places) -> Inbox:
    """The inbox under a prefix."""
    from ._inbox.store import Inbox  # pylint: disable=import-outside-toplevel

    return Inbox(places.inbox)


def change(options: Options, request: Request) -> dict[str, t.Any]:
    """Add, cancel or retry one job. What changes is recorded; what is only counted once more is not.

    :returns: the result as the module job documents it.
    :raises CodexOpsError: when nothing was done.
    """
    from ._dropping import as_ops, wanted  # pylint: disable=import-outside-toplevel

    if wanted(options.prefix):
        return as_ops(options.prefix, options.ansible, lambda: change(options, request))
    run = Run(options, "job")
    run.facts["input"] = {"state": request.state, "job": request.id}
    try:
        result = {"present": _present, "cancelled": _cancelled, "retried": _retried, "resolved": _resolved}[request.state](run, request)
        # What no longer needs a person closes its ticket at once. Nobody is alerted of that.
        return _ticketed(options, result) if result["changed"] and request.state != "present" else result
    except RecursionError:
        raise _option("signal or input", "it is nested too deeply.") from None


def seconds(text: str | None) -> float | None:
    """A span such as ``24h`` in seconds; ``None`` for none.

    :raises CodexOpsError: ``option_invalid``.
    """
    from ._approving import seconds_in  # pylint: disable=import-outside-toplevel

    return None if text is None else float(seconds_in(text))


def failed(error: CodexOpsError) -> dict[str, t.Any]:
    """The result of a request that could not be met."""
    return {
        "changed": False,
        "failed": True,
        "outcome": error.outcome,
        "code": error.code,
        "msg": str(error),
        "details": error.details,
        "audit": None,
        "run_id": None,
    }


def _option(name: str, message: str, hint: str | None = None, code: str = "option_invalid") -> CodexOpsError:
    return CodexOpsError(message, code=code, outcome="rejected", where=name, hint=hint)


def _ticketed(options: Options, result: dict[str, t.Any]) -> dict[str, t.Any]:
    from ._delivering import followed  # pylint: disable=import-outside-toplevel

    return followed(options, result)


# --- present --------------------------------------------------------------------------------------------------------------


def _present(run: Run, request: Request) -> dict[str, t.Any]:
    from ._inbox import job as jobs  # pylint: disable=import-outside-toplevel
    from ._record import names  # pylint: disable=import-outside-toplevel

    if request.slice is None:
        raise _option("slice", "a new job needs a slice.")
    _known(run, request.slice)
    if request.signal is not None:
        _check_signal(request.signal)
    fresh = run.options.check and not os.path.isdir(run.places.state)
    if not fresh:
        run.places.prepare()
    # The inbox is read by agents and people: nothing secret gets into it.
    clean = _redactor(run, keyed=not fresh)
    slice_, signal, given = request.slice, clean.data(request.signal), clean.data(request.input)
    if clean.data(slice_) != slice_:
        raise _option("slice", "it holds what looks like a secret, and it would be kept.", "Take it out, or install the slice on the host and name it.")
    if request.dedupe_key is not None and clean.text(request.dedupe_key) != request.dedupe_key:
        raise _option("dedupe_key", "it holds what looks like a secret, and it would be kept.", "Use another key.")
    content, _written = jobs.content(slice_, signal, given)
    key = jobs.key(request.dedupe_key, jobs.slice_name(slice_), {**content, "slice": slice_})
    run.facts["input"].update(slice=jobs.slice_name(slice_), dedupe_key=key, signal=signal and signal.get("signal"))
    inbox = inbox_of(run.places)
    now = run.now() if request.now is None else request.now
    same = inbox.open_with(key)
    if same is not None and same.worker is None and same.expires is not None and same.expires <= now:
        same = None
    if run.options.check:
        msg = f"The job {same.id} is open already." if same else "A job would be added."
        return _result({"changed": same is None, "outcome": "unchanged" if same else "completed", "msg": msg}, None, same)

    def add() -> tuple[Job, bool]:
        wanted = {"priority": request.priority, "expires_in": request.expires_in, "requested_by": names(), "input_": given, "now": now}
        return inbox.enqueue(slice_, signal, key, **wanted)

    if same is None:
        return _recorded(run, None, add)
    job, created = add()
    # It was closed a moment ago: then this is another one, and recorded too.
    return _recorded(run, None, lambda: (job, True)) if created else _result(_again(job), job, job)


def _again(job: Job) -> dict[str, t.Any]:
    return {"changed": False, "outcome": "unchanged", "msg": f"The job {job.id} is {job.state} already; it was asked for {job.count} times."}


def _known(run: Run, slice_: str | dict[str, t.Any]) -> None:
    """:raises CodexOpsError: ``slice_invalid`` or ``slice_not_found``: a job that nobody could work on is none."""
    if isinstance(slice_, dict):
        from ._contract.slice import parse  # pylint: disable=import-outside-toplevel

        parse(slice_)
        return
    from ._inbox.job import slice_name  # pylint: disable=import-outside-toplevel

    path = os.path.join(run.places.slices, slice_name(slice_) + ".json")
    if not os.path.lexists(path):
        hint = "Install it there as JSON, or give the slice itself."
        raise _option(path, f"The slice {slice_!r} is not installed on this host.", hint, "slice_not_found")


def _check_signal(signal: dict[str, t.Any]) -> None:
    from ._contract.document import describe, load_schema, problems  # pylint: disable=import-outside-toplevel

    wrong = problems(signal, load_schema("signal"))
    if wrong:
        raise CodexOpsError(
            f"The signal is not valid {describe(wrong[0])}.",
            code="signal_invalid",
            outcome="rejected",
            where="signal",
            hint="Its form is described in schemas/signal.schema.json.",
            details=t.cast("list[dict[str, t.Any]]", wrong),
        )


def _redactor(run: Run, *, keyed: bool) -> Redactor:
    from ._secrets import known_secrets, redaction_key  # pylint: disable=import-outside-toplevel
    from ._trail.redaction import Redactor  # pylint: disable=import-outside-toplevel

    known = [*([run.key] if run.key else []), *known_secrets(run.places)]
    return Redactor(known, key=redaction_key(run.places) if keyed else None)


# --- cancelled, retried ---------------------------------------------------------------------------------------------------


def _cancelled(run: Run, request: Request) -> dict[str, t.Any]:
    inbox = inbox_of(run.places)
    if request.id is not None:
        job = inbox.get(request.id)
    else:
        if request.dedupe_key is None:
            raise _option("id", "which job is to be cancelled?", "Give its id, or the dedupe_key of an open one.")
        from ._inbox.job import key as made  # pylint: disable=import-outside-toplevel

        found = inbox.open_with(made(request.dedupe_key, "", {}))
        if found is None:
            return _result({"changed": False, "outcome": "unchanged", "msg": "There is no open job with that key."}, None, None)
        job = found
    return _moved(run, inbox, job, "cancelled", request)


def _retried(run: Run, request: Request) -> dict[str, t.Any]:
    from ._inbox.states import OPEN  # pylint: disable=import-outside-toplevel

    if request.id is None:
        raise _option("id", "which job is to be tried again?", "Give its id.")
    inbox = inbox_of(run.places)
    job = inbox.get(request.id)
    if job.state in OPEN:
        return _result({"changed": False, "outcome": "unchanged", "msg": f"The job {job.id} is {job.state}: it is open."}, job, job)
    return _moved(run, inbox, job, "pending", request)


def _resolved(run: Run, request: Request) -> dict[str, t.Any]:
    if request.id is None:
        raise _option("id", "which job is resolved?", "Give its id.")
    inbox = inbox_of(run.places)
    return _moved(run, inbox, inbox.get(request.id), "unchanged", request, outcome="unchanged", code="resolved", msg=run.redactor.text(request.why))


def _moved(run: Run, inbox: Inbox, job: Job, to: str, request: Request, **facts: t.Any) -> dict[str, t.Any]:
    from ._inbox.states import TRANSITIONS  # pylint: disable=import-outside-toplevel
    from ._record import names  # pylint: disable=import-outside-toplevel

    if job.state == to:
        return _result({"changed": False, "outcome": "unchanged", "msg": f"The job {job.id} is {to} already."}, job, job)
    run.facts["input"].update(job=job.id, slice=job.slice, dedupe_key=job.dedupe_key, reason=request.why)
    run.facts["job_id"] = job.id
    if run.options.check and to in TRANSITIONS[job.state]:
        return _result({"changed": True, "outcome": "completed", "msg": f"The job {job.id} would be {to}."}, job, dataclasses.replace(job, state=to))
    now = run.now() if request.now is None else request.now
    return _recorded(run, job, lambda: (inbox.move(job.id, to, ", ".join(names()), run.redactor.text(request.why), now, **facts), True))


# --- results --------------------------------------------------------------------------------------------------------------


def _recorded(run: Run, before: Job | None, work: t.Callable[[], tuple[Job, bool]]) -> dict[str, t.Any]:
    """The result of *work*, with its records in the trail."""
    made: list[Job] = []

    def done() -> dict[str, t.Any]:
        job, created = work()
        made.append(job)
        run.facts["input"]["job"] = run.facts["job_id"] = job.id
        if not created:
            return _again(job)
        run.changed = True
        return {"outcome": "completed", "changed": True, "msg": f"The job {job.id} is {job.state}."}

    result = run.recorded(done)
    return _result(result, before, made[0] if made else before)


def _result(result: dict[str, t.Any], before: Job | None, after: Job | None) -> dict[str, t.Any]:
    from ._shown import readable  # pylint: disable=import-outside-toplevel

    kept = {"failed": False, "audit": None, "run_id": None, **{name: result[name] for name in _KEPT if name in result}}
    kept["job"] = None if after is None else readable(after.as_dict())
    if kept["changed"] and after is not None:
        kept["diff"] = {"before": {} if before is None else {"state": before.state}, "after": {"state": after.state}}
    elif kept["changed"]:
        kept["diff"] = {"before": {}, "after": {"state": "pending"}}
    return kept


# --- looking --------------------------------------------------------------------------------------------------------------


def info(
    prefix: str, wanted: t.Mapping[str, t.Any], *, limit: int, history: bool, content: bool = True, plans: bool = False
) -> dict[str, t.Any]:
    """The newest jobs that are as *wanted*: ``msg``, ``jobs``, ``count``, ``states``.

    :arg wanted: ``id``, ``states``, ``slice``, ``dedupe_key``, ``plan``, ``since``, ``until``.
    :arg content: Whether the jobs come with ``signal`` and ``input``, which may be large; else both are ``None``.
    :arg plans: Whether ``plans`` is wanted: those that wait for approval, of jobs or not. See :func:`_waiting.plans`.
    :raises CodexOpsError: ``option_invalid``, or one of the inbox's own.
    """
    from ._dropping import as_ops  # pylint: disable=import-outside-toplevel
    from ._dropping import wanted as divided  # pylint: disable=import-outside-toplevel

    if divided(prefix):
        return as_ops(prefix, False, lambda: info(prefix, wanted, limit=limit, history=history, content=content, plans=plans))
    from ._inbox.job import key  # pylint: disable=import-outside-toplevel
    from ._shown import readable  # pylint: disable=import-outside-toplevel
    from ._trail.query import moment  # pylint: disable=import-outside-toplevel

    if limit < 1:
        raise _option("limit", f"expected 1 or more, found {limit}.")
    asked = {"state" if name == "states" else name: value for name, value in wanted.items()}
    for name in ("since", "until"):
        if name in asked:
            asked[name] = datetime.datetime.fromisoformat(moment(asked[name], f"filter.{name}")).timestamp()
    if "dedupe_key" in asked:
        asked["dedupe_key"] = key(asked["dedupe_key"], "", {})
    inbox = inbox_of(Places(prefix))
    found = inbox.jobs(asked, limit)
    count = inbox.count(asked)
    shown = [readable(_light(job, content).as_dict(inbox.history(job.id) if history else ())) for job in found]
    waiting = {"plans": readable(_plans(prefix, inbox))} if plans else {}
    return {
        **waiting,
        "msg": f"{count} {'job is' if count == 1 else 'jobs are'} as wanted." if asked else f"There {'is 1 job' if count == 1 else f'are {count} jobs'}.",
        "jobs": shown,
        "count": count,
        "states": inbox.counts(),
    }


def _light(job: Job, content: bool) -> Job:
    return job if content else dataclasses.replace(job, signal=None, input=None)


def _plans(prefix: str, inbox: Inbox) -> dict[str, t.Any]:
    from ._waiting import PLANS, plans  # pylint: disable=import-outside-toplevel

    named = {job.plan: job.id for job in inbox.jobs({"state": "awaiting_approval"}, PLANS) if job.plan is not None}
    found = plans(prefix, named)
    found["waiting"] = [{**plan, "job": named.get(plan["id"])} for plan in found["waiting"]]
    return found


def kill_switch(prefix: str) -> dict[str, t.Any]:
    """The state of the kill switches that stop work under *prefix*: ``engaged``, ``path``, ``reason``, ``by``, ``since``.

    :raises CodexOpsError: ``prefix_invalid``.
    """
    from ._gates.kill_switch import state  # pylint: disable=import-outside-toplevel
    from ._shown import readable  # pylint: disable=import-outside-toplevel

    return t.cast("dict[str, t.Any]", readable(state(Places(prefix).kill_switches)._asdict()))
