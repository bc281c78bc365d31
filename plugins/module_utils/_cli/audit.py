# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""codex-ops audit: is the log as it was written, what is in it, and when does its next file begin? PRIVATE."""

from __future__ import annotations

import typing as t

from .._errors import CodexOpsError
from .._places import Places
from .._trail.query import info
from . import ending, show
from .asked import Asked

_FILTERS = {"run": "run_id", "job": "job_id", "outcome": "outcome", "slice": "slice", "user": "user", "since": "since", "until": "until"}


def audit(given: Asked) -> dict[str, t.Any]:
    """The result of ``audit verify``, ``audit show`` or ``audit rotate``.

    :raises CodexOpsError: ``log_unreadable``, ``option_invalid``, ``log_not_rotated`` or what is wrong with the prefix.
    """
    if given.action == "rotate":
        return _rotate(given)
    verifying = given.action == "verify"
    wanted = {} if verifying else {key: getattr(given, name) for name, key in _FILTERS.items() if getattr(given, name) is not None}
    result = info(
        given.log or Places(given.prefix).log,
        wanted=wanted,
        limit=1 if verifying else given.limit,
        check=verifying,
        anchors=given.anchor if verifying else (),
    )
    result["outcome"] = "completed"
    result["changed"] = False
    if verifying:
        result.pop("records")
        if not result["verified"]:
            result.update(code="log_tampered", exit=ending.FAILED)
        return result
    rows = list(map(row, result["records"]))
    more = result["count"] - len(rows)
    result["msg"] = f"{more} older records are not shown; --limit shows more." if more > 0 else "" if rows else "There are no such records."
    result["shown"] = lambda: show.table(HEADS, rows, show.width()) if rows else ""
    return result


def _rotate(given: Asked) -> dict[str, t.Any]:
    from .._trail.log import rotate  # pylint: disable=import-outside-toplevel

    places = Places(given.prefix)
    path = given.log or places.log
    if given.log is None:
        # Also puts right what a rotation that was interrupted left.
        places.corrections(check=False)
    try:
        changed = rotate(path, given.larger_than)
    except OSError as error:
        hint = "On a provisioned host this is root's to do." if places.divided else "Run this as the owner of the log and of its folder."
        raise CodexOpsError(
            f"The log could not be rotated, and is as it was: {error.strerror}.", code="log_not_rotated", outcome="rejected", where=path, hint=hint
        ) from None
    said = f"A new file of the log was begun: {path}" if changed else "There was nothing to rotate."
    return {"outcome": "completed", "changed": changed, "msg": said}


HEADS = ("seq", "time (UTC)", "run", "phase", "what", "slice", "user", "outcome")


def row(record: dict[str, t.Any]) -> list[t.Any]:
    """One line of the table."""

    def at(*keys: str) -> t.Any:
        value: t.Any = record
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    seq = at("seq")
    phase, said = at("phase"), at("result", "outcome")
    operation = at("command", "operation")
    return [
        seq if isinstance(seq, int) else str(seq),
        show.moment(at("time")),
        at("run_id"),
        phase,
        f"{operation} (check)" if at("command", "check_mode") else operation,
        at("input", "slice"),
        at("user", "name"),
        said if phase == "outcome" else at("result", "msg"),
    ]
