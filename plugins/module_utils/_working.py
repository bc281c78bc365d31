# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes a job of the inbox through the flow: claim, plan or apply, and what that makes of the job. PRIVATE."""

from __future__ import annotations

import os
import typing as t

from ._errors import CodexOpsError
from ._options import Options, Order
from ._places import Places

if t.TYPE_CHECKING:
    from ._inbox.job import Job
    from ._inbox.store import Inbox

#: Seconds for which a job is held where nobody can see whether this process lives: longer than any run.
LEASE = 4 * 3600.0
#: Jobs that wait for approval, and applied ones, that are looked at.
_LOOK = 500


def _inbox(places: Places) -> Inbox:
    from ._inbox.store import Inbox  # pylint: disable=import-outside-toplevel

    return Inbox(places.inbox)


def _stopped(places: Places) -> dict[str, t.Any] | None:
    """The result while the kill switch is engaged. No job is touched then."""
    from ._gates.kill_switch import engaged_reason  # pylint: disable=import-outside-toplevel

    reason = engaged_reason(places.kill_switches)
    if reason is None:
        return None
    return {"outcome": "kill_switch_engaged", "code": "kill_switch_engaged", "changed": False, "failed": True, "msg": f"No job was taken: {reason}"}


def work(options: Options, job_id: str | None) -> dict[str, t.Any]:
    """Take the job *job_id*, or the one that is due, as far as policy and people let it.

    :arg options: With ``check`` the job is not taken and stays as it is: its slice is only planned, and the plan thrown away.
    :returns: the result of the slice, with ``job`` as it is afterwards, and the path of its open ``ticket`` and its ``branch``, where it has
        them. Outcome ``unchanged`` and code ``no_job`` where nothing is due.
    :raises CodexOpsError: ``job_not_found``, ``job_state``, outcome ``busy``, one of the inbox's own, or when nothing could be recorded.
    """
    from ._dropping import as_ops, wanted  # pylint: disable=import-outside-toplevel

    if wanted(options.prefix):
        # The inbox belongs to codex-ops, and so does whoever holds a job of it.
        return as_ops(options.prefix, options.ansible, lambda: work(options, job_id))
    places = Places(options.prefix)
    stopped = _stopped(places)
    if stopped is not None:
        # People are told of what waits all the same.
        return stopped if options.check else _told(options, stopped, None)
    if options.check:
        inbox = _inbox(places)
        try:
            return _rehearsed(options, inbox, job_id)
        finally:
            inbox.close()
    taken: list[str] = []
    try:
        result = _taken(options, places, job_id, taken)
    except CodexOpsError:
        _told(options, {}, taken[0] if taken else None)
        raise
    return _told(options, result, taken[0] if taken else None)


def _told(options: Options, result: dict[str, t.Any], job_id: str | None) -> dict[str, t.Any]:
    from ._delivering import told  # pylint: disable=import-outside-toplevel

    return told(options, result, job_id)


def _taken(options: Options, places: Places, job_id: str | None, taken: list[str]) -> dict[str, t.Any]:
    """Take a job, which is put into *taken*, and work on it."""
    inbox = _inbox(places)
    try:
        worker = f"codex-ops {os.uname().nodename} {os.getpid()}"
        if job_id is None:
            _promote(options, inbox)
            job = inbox.claim(worker, lease=LEASE)
        else:
            known = inbox.get(job_id)
            taken.append(known.id)
            waiting = _promoted(options, inbox, known)
            if waiting is not None:
                return waiting
            job = inbox.claim_id(job_id, worker, lease=LEASE)
        if job is None:
            return {"outcome": "unchanged", "code": "no_job", "changed": False, "failed": False, "msg": "No job is due.", "job": None}
        taken[:] = [job.id]
        return _worked(options, inbox, job, worker)
    finally:
        inbox.close()


def _rehearsed(options: Options, inbox: Inbox, job_id: str | None) -> dict[str, t.Any]:
    from ._operation import operate  # pylint: disable=import-outside-toplevel

    if job_id is None:
        raise CodexOpsError("which job? In check mode none is taken.", code="option_invalid", outcome="rejected", where="job", hint="Give the ID of one.")
    job = inbox.get(job_id)
    return {**operate(options, order(job)), "job": job.as_dict()}


def order(job: Job) -> Order:
    """What a job asks for: its plan, where it has one, else its slice."""
    inputs = {name: value for name, value in (("signal", job.signal), ("input", job.input)) if value is not None}
    return Order(
        document=job.slice_document,
        name=None if job.slice_document is not None else job.slice,
        source=f"the job {job.id}",
        plan=job.plan,
        inputs=inputs or None,
        requested_by=job.requested_by,
        job_id=job.id,
    )


def _worked(options: Options, inbox: Inbox, job: Job, worker: str) -> dict[str, t.Any]:
    """Do what a job that this process holds asks for, and say in the inbox how that ended."""
    from ._operation import operate  # pylint: disable=import-outside-toplevel

    try:
        result = operate(options, order(job))
    except CodexOpsError as error:
        inbox.finish(job.id, worker, None, error.outcome, code=error.code, msg=str(error))
        raise
    plan, gate = result.get("plan") or {}, result.get("gate") or {}
    after = inbox.finish(
        job.id,
        worker,
        None,
        result["outcome"],
        code=result.get("code"),
        msg=result.get("msg"),
        plan=plan.get("id"),
        run_id=result.get("run_id"),
        approvals_needed=gate.get("approvals"),
        slice_sha256=plan.get("slice_sha256"),
    )
    if after.state in ("pending", "approved"):
        from ._inbox.job import moment  # pylint: disable=import-outside-toplevel

        result["msg"] = f"{result['msg']} The job {job.id} stays {after.state}, and is tried again from {moment(after.not_before)} on."
    return {**result, "job": after.as_dict()}


# --- jobs that wait for people --------------------------------------------------------------------------------------------


def _standing(options: Options, job: Job) -> dict[str, t.Any] | None:
    """What still keeps the plan of *job* from being applied, as a result; ``None`` where nothing does.

    :raises CodexOpsError: outcome ``stale_plan``, or the plan cannot be read.
    """
    from . import _gating as gating  # pylint: disable=import-outside-toplevel
    from ._contract.slice import build  # pylint: disable=import-outside-toplevel
    from ._run import Run  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    run = Run(options, "slice")
    stored = plans.load(run.places.runs, str(job.plan))
    return gating.closed(run, build(stored["slice"]), stored)


def _promoted(options: Options, inbox: Inbox, job: Job) -> dict[str, t.Any] | None:
    """Move a job that waits for approval on, if people decided. The result where it still has to wait, or is over."""
    if job.state != "awaiting_approval":
        return None
    by = "codex-ops"
    try:
        closed = _standing(options, job)
    except CodexOpsError as error:
        inbox.move(job.id, "pending", by, str(error), code=error.code, msg=str(error))
        return None
    if closed is None:
        inbox.move(job.id, "approved", by, "Its plan has the approvals that it needs.")
        return None
    if closed["outcome"] == "awaiting_approval":
        return {**closed, "failed": False, "job": job.as_dict()}
    after = inbox.move(job.id, "rejected", by, closed["msg"], outcome=closed["outcome"], code=closed["code"], msg=closed["msg"])
    return {**closed, "failed": True, "job": after.as_dict()}


def _promote(options: Options, inbox: Inbox) -> None:
    """Look at the jobs that wait for approval, and about whose plan somebody decided."""
    places = Places(options.prefix)
    for job in inbox.jobs({"state": "awaiting_approval"}, _LOOK):
        try:
            decided = bool(os.listdir(os.path.join(places.run_dir(str(job.plan)), "approvals")))
        except OSError:
            decided = False
        if decided:
            _promoted(options, inbox, job)


def decided(options: Options, plan_id: str) -> list[str]:
    """Move the jobs on whose plan people have just decided. The IDs of those that moved."""
    return _as_owner(options, lambda: _decided(options, plan_id))


def followed(result: dict[str, t.Any], look: t.Callable[[], list[str]]) -> dict[str, t.Any]:
    """*result*, with ``jobs``: those that *look* moved. What was decided or taken back stands, whatever comes of this."""
    try:
        result["jobs"] = look()
    except (CodexOpsError, OSError) as error:
        result["jobs"] = []
        result["warnings"] = [*result.get("warnings", []), f"The inbox does not know of it yet: {error}"]
    return result


def _as_owner(options: Options, look: t.Callable[[], list[str]]) -> list[str]:
    """The jobs that *look* moves, as the user to whom the inbox belongs."""
    from ._dropping import as_ops, wanted  # pylint: disable=import-outside-toplevel

    if not os.path.exists(Places(options.prefix).inbox):
        return []
    if wanted(options.prefix):
        return list(as_ops(options.prefix, options.ansible, lambda: {"jobs": look()})["jobs"])
    return look()


def _decided(options: Options, plan_id: str) -> list[str]:
    inbox, moved = _inbox(Places(options.prefix)), []
    try:
        for job in inbox.jobs({"state": "awaiting_approval", "plan": plan_id}, _LOOK):
            _promoted(options, inbox, job)
            if inbox.get(job.id).state != job.state:
                moved.append(job.id)
    finally:
        inbox.close()
    return _followed(options, moved)


def _followed(options: Options, moved: list[str]) -> list[str]:
    """The jobs *moved*, once their tickets have followed them. The next delivery says what went wrong here, if something does."""
    if moved:
        from ._delivering import followed  # pylint: disable=import-outside-toplevel

        followed(options, {})
    return moved


def taken_back(options: Options, run_id: str) -> list[str]:
    """Say in the inbox that the run *run_id* was rolled back. The IDs of its jobs."""
    return _as_owner(options, lambda: _taken_back(options, run_id))


def _taken_back(options: Options, run_id: str) -> list[str]:
    inbox, moved = _inbox(Places(options.prefix)), []
    try:
        for job in inbox.jobs({"state": "applied"}, _LOOK):
            if run_id in job.run_ids:
                inbox.move(job.id, "rolled_back", "codex-ops", f"The run {run_id} was rolled back.", outcome="restored")
                moved.append(job.id)
    finally:
        inbox.close()
    return _followed(options, moved)
