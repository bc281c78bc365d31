# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""codex-ops approve, reject and kill-switch: what people decide. PRIVATE."""

from __future__ import annotations

import typing as t

from .._errors import CodexOpsError
from .._options import Options
from .._places import Places
from . import ending, slices
from .asked import Asked


def work(given: Asked) -> dict[str, t.Any]:
    """The result of the part that was asked for.

    :raises CodexOpsError: when nothing could even be recorded.
    """
    return _kill_switch(given) if given.part == "kill-switch" else _decide(given)


def _decide(given: Asked) -> dict[str, t.Any]:
    from .._approving import Ballot, decide  # pylint: disable=import-outside-toplevel

    signed, statement = given.signature, given.statement
    if signed is not None and statement is None:
        if not signed.endswith(".sig"):
            message = "without --statement the signature's file is named like the statement's, with .sig behind it."
            raise CodexOpsError(message, code="option_invalid", outcome="rejected", where="--signature")
        statement = signed[: -len(".sig")]
    if statement is not None and signed is None:
        raise CodexOpsError("it is not signed.", code="option_invalid", outcome="rejected", where="--statement", hint="Give --signature too.")
    looking = signed is None and given.approver is None
    ballot = Ballot(
        plan=given.plan,
        decision=None if looking else given.part,
        approver=given.approver,
        expires_in=given.expires_in,
        comment=given.comment,
        statement=slices.read_text(statement, "statement") if statement is not None else None,
        signature=slices.read_text(signed, "signature") if signed is not None else None,
    )
    result = slices.presented(given, decide(Options(prefix=given.prefix), ballot))
    if result.get("statement"):
        text = str(result["statement"])
        # The statement alone, so that it can be sent to a file; everything else goes to standard error.
        result["shown"] = lambda: text
        result["aside"] = True
    elif signed is not None:
        result["shown"] = None
    if signed is None and result["outcome"] in ("awaiting_approval", "completed", "unchanged"):
        result["exit"] = ending.DONE
    return result


def _kill_switch(given: Asked) -> dict[str, t.Any]:
    places = Places(given.prefix)
    if given.action == "status":
        from .._gates import kill_switch  # pylint: disable=import-outside-toplevel

        found = kill_switch.state(places.kill_switches)
        result: dict[str, t.Any] = {"outcome": "completed", "changed": False, "msg": found.sentence()}
        result.update(engaged=found.engaged, path=found.path, reason=found.reason, by=found.by, since=found.since)
        # For scripts: whether work may begin.
        result["exit"] = ending.STOPPED if found.engaged else ending.DONE
        return result
    from .._switching import switch  # pylint: disable=import-outside-toplevel

    return switch(Options(prefix=given.prefix), state={"engage": "engaged", "release": "released"}[given.action], reason=given.reason)
