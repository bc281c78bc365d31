# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""codex-ops plan, apply, rollback, and run --slice: one slice, by the flow that the modules use too. PRIVATE."""

from __future__ import annotations

import json
import os
import typing as t

from .._errors import CodexOpsError
from .._options import Options, Order
from . import progress, show
from .asked import Asked

_MAX_FILE = 32 * 1024 * 1024


def work(given: Asked) -> dict[str, t.Any]:
    """The result of the part that was asked for.

    :raises CodexOpsError: when nothing could even be recorded.
    """
    if given.part == "plan":
        return carry_out(given, order(given.slice, "planned"), f"Planning {given.slice}")
    if given.part == "apply":
        return carry_out(given, Order(plan=given.plan), f"Applying {given.plan}")
    return carry_out(given, Order(state="rolled_back", run_id=given.run), f"Taking back {given.run}")


def order(name: str, state: str) -> Order:
    """The order for an installed slice, or for one in a file.

    :raises CodexOpsError: ``file_unreadable`` or ``slice_invalid``.
    """
    if "/" in name or name.endswith((".json", ".yml", ".yaml")):
        path = os.path.abspath(name)
        return Order(document=read_json(path, "slice", "slice_invalid"), source=path, state=state)
    return Order(name=name, state=state)


def _once(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {}
    for key, item in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice")
        found[key] = item
    return found


def read_text(path: str, what: str) -> str:
    """The text of a file that a person named.

    :raises CodexOpsError: ``file_unreadable``.
    """
    reason = f"it is larger than {_MAX_FILE} bytes"
    try:
        with open(path, "rb") as handle:
            raw = handle.read(_MAX_FILE + 1)
        if len(raw) <= _MAX_FILE:
            return raw.decode("utf-8")
    except OSError as error:
        reason = str(error.strerror)
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8 text (byte {error.start})"
    raise CodexOpsError(f"The {what} cannot be read: {reason}.", code="file_unreadable", outcome="rejected", where=path)


def read_json(path: str, what: str, code: str) -> t.Any:
    """What a JSON file that a person named holds.

    :arg code: The code of the error for a file that is not JSON.
    :raises CodexOpsError: ``file_unreadable`` or *code*.
    """
    text = read_text(path, what)
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        hint = "On a host, slices are JSON. day2.codex.slice takes YAML, and converts it." if path.endswith((".yml", ".yaml")) else None
        raise CodexOpsError(f"The {what} is not JSON: {reason}.", code=code, outcome="rejected", where=path, hint=hint) from None


def options(given: Asked) -> Options:
    """The engine's options for the command line.

    :raises CodexOpsError: for a cassette that cannot be read.
    """
    cassette = None
    tape = getattr(given, "cassette", None)
    if tape:
        from .._agent.cassette import load  # pylint: disable=import-outside-toplevel

        cassette = load(read_text(tape, "cassette"), tape)
    return Options(
        prefix=given.prefix,
        check=getattr(given, "check", False),
        codex_path=getattr(given, "codex_path", None),
        model=getattr(given, "model", None),
        reasoning_effort=getattr(given, "reasoning_effort", None),
        timeout=getattr(given, "timeout", None),
        tokens=getattr(given, "tokens", None),
        rerun="always" if getattr(given, "rerun", False) else "on_change",
        cassette=cassette,
        cassette_mode="replay" if cassette is not None else "off",
        api_key_file=getattr(given, "api_key_file", None),
    )


def carry_out(given: Asked, wanted: Order, what: str) -> dict[str, t.Any]:
    """Do *wanted*, with a line on the terminal while it lasts."""
    from .._operation import operate  # pylint: disable=import-outside-toplevel

    chosen = options(given)
    with progress.shown(what, quiet=given.json):
        result = operate(chosen, wanted)
    return presented(given, result)


def presented(given: Asked, result: dict[str, t.Any]) -> dict[str, t.Any]:
    """*result* with what a person is shown of it."""
    if result.get("outcome") == "killed":
        from .._gates.kill_switch import engaged_reason  # pylint: disable=import-outside-toplevel
        from .._places import Places  # pylint: disable=import-outside-toplevel

        result["stopped"] = engaged_reason(Places(given.prefix).kill_switches) is not None
    result.pop("_recorded", None)
    result["shown"] = lambda: text(result)
    return result


def text(result: dict[str, t.Any]) -> str:
    """The patch, what broke the contract, what was checked, and where to find the rest."""
    parts = [result["patch"].rstrip("\n")] if result.get("patch") else []
    if result.get("violations"):
        rows = [(item["code"], item["path"], item["line"], item["detail"]) for item in result["violations"]]
        parts.append(show.table(("breach", "file", "line", "what"), rows, show.width()))
    if result.get("validation"):
        checked = [(item.get("name"), item.get("stage"), "ok" if item.get("ok") else "FAILED", item.get("reason")) for item in result["validation"]]
        parts.append(show.table(("check", "where", "result", "why"), checked, show.width()))
    usage = result.get("usage") or {}
    plan, run, job = (result.get("plan") or {}).get("id"), result.get("run_id"), result.get("job") or {}
    pairs: list[tuple[str, t.Any]] = [("outcome", result.get("outcome"))]
    pairs += [(name, value) for name, value in (("plan", plan), ("run", run), ("job", job.get("id"))) if value]
    if usage.get("requests"):
        pairs.append(("tokens", usage["total_tokens"]))
    commands = {
        "planned": f"codex-ops apply {plan}",
        "awaiting_approval": f"codex-ops approve {plan} --approver NAME > statement",
        "applied": f"codex-ops rollback {run}, to take it back",
    }
    if plan and run and result.get("outcome") in commands:
        pairs.append(("next", commands[result["outcome"]]))
    return "\n\n".join([*parts, show.facts(pairs)])
