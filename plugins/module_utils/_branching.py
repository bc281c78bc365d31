# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a job as a branch of its workspace's git repository. PRIVATE."""

from __future__ import annotations

import contextlib
import datetime
import os
import tempfile
import typing as t

from ._delivery import files
from ._errors import CodexOpsError
from ._places import Places

if t.TYPE_CHECKING:
    from ._inbox.job import Job

_SCRATCH = "branch-"


def sweep(places: Places) -> None:
    """Remove what killed processes left behind."""
    from ._workspace.removal import remove_tree  # pylint: disable=import-outside-toplevel

    with contextlib.suppress(OSError):
        for path in files.left(places.outbox, _SCRATCH):
            remove_tree(path)


def plan_of(places: Places, job: Job) -> dict[str, t.Any] | None:
    """The plan of *job*, where there is one that can be read."""
    if not job.plan:
        return None
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    try:
        return plans.load(places.runs, job.plan)
    except CodexOpsError:
        return None


def branch_of(
    places: Places, bundle: str, job: Job, plan: dict[str, t.Any], title: str, clean: t.Callable[[t.Any], t.Any], warn: t.Callable[[str], None]
) -> dict[str, t.Any] | None:
    """The branch, as a ticket tells of it; ``None`` where the workspace lies in no repository.

    :arg bundle: Where the branch goes that the repository cannot take.
    :raises OSError: the bundle or a scratch file cannot be written.
    """
    from ._agent.process import run_limited  # pylint: disable=import-outside-toplevel
    from ._delivery import branch  # pylint: disable=import-outside-toplevel
    from ._workspace.removal import remove_tree  # pylint: disable=import-outside-toplevel

    scratch = tempfile.mkdtemp(prefix=_SCRATCH, dir=places.outbox)
    try:
        message = f"{' '.join(title.split())}\n\nJob: {job.id}\nPlan: {plan['sha256']}\n"
        wanted = branch.Proposal(
            workspace=plan["workspace"],
            files=[_file(entry) for entry in plan["files"]],
            branch=branch.branch_name(job.slice, plan["sha256"]),
            message=message,
            when=int(_moment(plan["created"], job.created)),
            host=os.uname().nodename,
            writable=places.own,
            scratch=scratch,
            bundle=bundle,
        )
        return branch.propose(wanted, run_limited)
    except branch.Unfit as error:
        why = clean(str(error))[:1000]
        warn(f"There is no branch for the job {job.id}: {why}.")
        return {"name": None, "commit": None, "repository": None, "bundle": None, "fetch": None, "why_not": why}
    finally:
        remove_tree(scratch)


def _file(entry: dict[str, t.Any]) -> t.Any:
    from ._delivery.branch import File  # pylint: disable=import-outside-toplevel
    from ._workspace.plan import content_of  # pylint: disable=import-outside-toplevel

    old, new = entry["old"], entry["new"]
    return File(
        path=entry["path"],
        old=None if old is None else old["sha256"],
        old_size=0 if old is None else old["size"],
        new=None if new is None else content_of(entry),
        executable=new is not None and bool(new["mode"] & 0o100),
        mode_changes=old is None or new is None or bool((old["mode"] ^ new["mode"]) & 0o100),
    )


def _moment(created: t.Any, otherwise: float) -> float:
    """When a plan was made, in seconds since the epoch."""
    if isinstance(created, (int, float)):
        return float(created)
    try:
        return datetime.datetime.fromisoformat(created).timestamp()
    except ValueError:
        return otherwise
