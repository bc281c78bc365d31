# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Privileged actions: the agent proposes a name, the policy says what is run. No text from outside becomes a command. PRIVATE."""

from __future__ import annotations

import copy
import os
import typing as t

from ._contract.model import Violation
from ._contract.slice import Slice
from ._errors import CodexOpsError
from ._run import Run
from ._validation import ENVIRONMENT, OUTPUT_LIMIT

_FIELD = "proposed_actions"


def offered(run: Run, slice_: Slice) -> tuple[str, ...]:
    """The actions that the agent may propose: those that the slice lists and the policy knows."""
    return tuple(name for name in slice_.document.get("actions", ()) if run.rules.action(name) is not None)


def asking(schema: dict[str, t.Any], names: t.Sequence[str]) -> dict[str, t.Any]:
    """*schema* of a report, in which only *names* can be proposed."""
    if not names or "properties" not in schema:
        return schema
    schema = copy.deepcopy(schema)
    schema["properties"][_FIELD] = {
        "description": "Privileged actions that are needed after the change, by name. Leave the list empty when none is.",
        "type": "array",
        "maxItems": len(names),
        "items": {"enum": list(names)},
    }
    return schema


def proposed(report: t.Any) -> list[str]:
    """The names in *report*, each once, in its order."""
    found = report.get(_FIELD) if isinstance(report, dict) else None
    return list(dict.fromkeys(str(name) for name in found)) if isinstance(found, list) else []


def breaches(names: t.Sequence[str], allowed: t.Sequence[str]) -> list[Violation]:
    """What was proposed although it was not offered."""
    return [
        Violation("action_not_allowed", f"report.{_FIELD}", None, f"The action {name!r} is not both listed by the slice and known to the policy.")
        for name in names
        if name not in allowed
    ]


def chosen(run: Run, names: t.Sequence[str], cause: str) -> list[tuple[str, t.Any]]:
    """The actions *names* with what the policy says of each, every one counted against its rate.

    :arg cause: Why they are run, for the count's own record.
    :raises CodexOpsError: ``action_unknown`` (``forbidden``) or ``action_rate`` (``budget_exhausted``); nothing was done.
    """
    found = []
    for name in names:
        action = run.rules.action(name)
        if action is None:
            raise CodexOpsError(
                f"The policy knows no action {name!r}.",
                code="action_unknown",
                outcome="forbidden",
                where=run.places.policy,
                hint="Let it stand under 'actions' there, or plan again without it.",
            )
        found.append((name, action))
    if found:
        budget = run.budget()
        for name, action in found:
            budget.act(name, action.per_hour, cause, run.now())
    return found


def perform(run: Run, actions: t.Sequence[tuple[str, t.Any]], cancelled: t.Callable[[], str | None]) -> list[dict[str, t.Any]]:
    """Run *actions* one after the other until one fails; one dictionary each: name, argv, ok, exit_code, output, reason."""
    from ._agent.process import run_limited  # pylint: disable=import-outside-toplevel
    from ._workspace.escape import escape  # pylint: disable=import-outside-toplevel

    results: list[dict[str, t.Any]] = []
    for name, action in actions:
        done: dict[str, t.Any] = {"name": name, "argv": list(action.argv), "ok": False, "exit_code": None, "output": "", "reason": ""}
        results.append(done)
        environment = {**ENVIRONMENT, "HOME": os.path.expanduser("~")}
        try:
            ended = run_limited(list(action.argv), cwd="/", env=environment, timeout=action.timeout, max_output=65536, cancelled=cancelled)
        except OSError as error:
            done["reason"] = f"{action.argv[0]} cannot be run: {error.strerror}"
            break
        done["exit_code"] = ended.exit_code
        if ended.cancelled:
            done["reason"] = f"stopped: {ended.cancelled}"
        elif ended.timed_out:
            done["reason"] = f"no end within {action.timeout} s"
        elif ended.signal is not None:
            done["reason"] = f"ended by signal {ended.signal}"
        elif ended.exit_code != 0:
            done["reason"] = f"exit code {ended.exit_code}"
        done["ok"] = not done["reason"]
        if not done["ok"]:
            done["output"] = escape((ended.stdout + ended.stderr).decode("utf-8", "replace")[-OUTPUT_LIMIT:])
            break
    return results


def failed(results: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any] | None:
    """The one that was not ok."""
    return next((result for result in results if not result["ok"]), None)
