# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns what the engine returns into what an Ansible module returns. PRIVATE."""

from __future__ import annotations

import typing as t

from ._errors import CodexOpsError
from ._outcomes import NO_USAGE


def finished(result: dict[str, t.Any], *, diff: bool = False) -> dict[str, t.Any]:
    """*result*, with ``diff.prepared`` where *diff* is asked for and there is a patch."""
    if diff and result.get("patch"):
        result = {**result, "diff": {"prepared": result["patch"]}}
    return result


def failure(error: CodexOpsError, kind: str) -> dict[str, t.Any]:
    """The result of an operation of *kind* (``exec`` or ``slice``) that could not even be recorded."""
    result: dict[str, t.Any] = {
        "failed": True,
        "changed": False,
        "outcome": error.outcome,
        "code": error.code,
        "msg": str(error),
        "details": error.details,
        "audit": None,
        "patch": "",
        "commands": [],
        "usage": dict(NO_USAGE),
        "cached": False,
        "run_id": None,
        "isolation": "same_user",
        "duration": 0.0,
    }
    if kind == "slice":
        result.update(violations=[], validation=[], rolled_back=False)
    return result
