# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow of one operation, from top to bottom. PRIVATE.

exec asks: copy, agent, report. slice changes: recover, goal, copy, agent, report, contract, validation, plan, apply, validation.
"""

from __future__ import annotations

import os
import typing as t

from ._agent.caller import CallerWatch
from ._contract.slice import Slice, build, parse
from ._errors import CodexOpsError
from ._gates.lock import workspace_lock
from ._options import Options, Order, Question
from ._run import Run


def ask(options: Options, question: Question) -> dict[str, t.Any]:
    """Ask the agent one thing. The live tree stays as it is.

    :returns: the result as the module exec documents it.
    :raises CodexOpsError: when nothing could even be recorded.
    """
    from ._question import answer  # pylint: disable=import-outside-toplevel

    run = Run(options, "exec")
    with CallerWatch(ansible=options.ansible) as caller:
        return run.recorded(lambda: answer(run, question, caller.lost))


def operate(options: Options, order: Order) -> dict[str, t.Any]:
    """Plan, apply or take back one slice.

    :returns: the result as the module slice documents it.
    :raises CodexOpsError: when nothing could even be recorded.
    """
    from ._applying import roll_back  # pylint: disable=import-outside-toplevel

    run = Run(options, "slice")
    work = roll_back if order.state == "rolled_back" else _change
    with CallerWatch(ansible=options.ansible) as caller:
        return run.recorded(lambda: {"violations": [], "validation": [], "rolled_back": False, **work(run, order, caller.lost)})


def _installed(run: Run, name: str) -> Slice:
    import json  # pylint: disable=import-outside-toplevel

    path = os.path.join(run.places.slices, name + ".json")
    try:
        if os.path.basename(path) != name + ".json" or "\0" in name:
            raise OSError(2, "not the name of a slice")
        with open(path, encoding="utf-8") as handle:
            document = json.load(handle)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"it is not JSON: {error}"
        raise CodexOpsError(
            f"The slice {name!r} cannot be read: {reason}.",
            code="slice_not_found",
            outcome="rejected",
            where=path,
            hint="Install it there as JSON, or give it with 'slice' or 'src'.",
        ) from None
    return parse(document, path)


def _change(run: Run, order: Order, cancelled: t.Callable[[], str | None]) -> dict[str, t.Any]:
    from . import _applying as applying  # pylint: disable=import-outside-toplevel
    from . import _planning as planning  # pylint: disable=import-outside-toplevel
    from ._workspace import plan as plans  # pylint: disable=import-outside-toplevel

    given: Slice | None = None
    if order.name is not None:
        given = _installed(run, order.name)
    elif order.document is not None:
        given = parse(order.document, order.source)
    stored = None
    if order.plan is not None:
        stored = plans.load(run.places.runs, order.plan)
        if given is not None and given.sha256 != stored["slice_sha256"]:
            raise CodexOpsError(
                f"The plan {order.plan} was made from another version of the slice {given.name}.",
                code="slice_changed",
                outcome="stale_plan",
                hint="Plan again.",
            )
        given = given or build(stored["slice"])
    if given is None:
        raise CodexOpsError(
            "There is no slice.", code="option_invalid", outcome="rejected", hint="Give one of slice, src, name, or a plan to apply."
        )
    run.facts["input"] = {"slice": given.name, "slice_sha256": given.sha256, "workspace": given.workspace, "plan": order.plan}
    run.places.check_workspace(given.workspace)
    with workspace_lock(run.places.locks, given.workspace, run.id):
        waiting = applying.recover(run, given.workspace)
        if waiting is not None:
            return waiting
        if stored is None:
            result, stored = planning.make_plan(run, given, order, cancelled)
        else:
            result = applying.fits(run, given, stored)
        if stored is None or order.state == "planned" or run.options.check:
            return result
        result.update(applying.apply_plan(run, given, stored, cancelled))
        if result["outcome"] == "applied":
            planning.remember_applied(run, given)
        return result
