# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the exit status of codex-ops says. PRIVATE."""

from __future__ import annotations

import typing as t

DONE = 0
FAILED = 1
USAGE = 2
WAITING = 3
BROKEN = 4
STOPPED = 5
LIMIT = 6
BUSY = 7

_BY_OUTCOME = {
    "completed": DONE,
    "unchanged": DONE,
    "planned": DONE,
    "applied": DONE,
    "restored": DONE,
    "awaiting_approval": WAITING,
    "rejected": BROKEN,
    "invalid_report": BROKEN,
    "kill_switch_engaged": STOPPED,
    "budget_exhausted": LIMIT,
    "timeout": LIMIT,
    "busy": BUSY,
}
#: Rejected before any contract was looked at: what was asked for makes no sense.
_USAGE = frozenset(
    {
        "backup_not_found",
        "cassette_invalid",
        "collector_unknown",
        "file_unreadable",
        "job_not_found",
        "job_state",
        "option_invalid",
        "plan_not_found",
        "prefix_invalid",
        "slice_not_found",
        "ticket_not_found",
        "usage",
    }
)
#: Rejected because of the host, not because of a contract.
_HOST = frozenset(
    {
        "budget_unusable",
        "delivery_invalid",
        "delivery_unsafe",
        "disk_full",
        "helper_failed",
        "kill_switch_unwritable",
        "log_not_rotated",
        "log_unreadable",
        "prefix_not_writable",
        "prefix_unsafe",
        "rules_invalid",
        "rules_missing",
        "rules_unsafe",
        "state_unwritable",
        "trail_unwritable",
        "inbox_damaged",
        "inbox_unsafe",
        "inbox_unusable",
    }
)


def status(result: t.Mapping[str, t.Any]) -> int:
    """The exit status for *result*: by its ``exit`` where it has one, else by its outcome and code.

    ``stopped`` in it says that the kill switch was engaged when it ended.
    """
    if "exit" in result:
        return int(result["exit"])
    outcome, code = result.get("outcome"), result.get("code")
    if outcome == "killed":
        return STOPPED if result.get("stopped") else FAILED
    if code in ("budget_busy", "inbox_busy", "job_claimed"):
        return BUSY
    if outcome in ("rejected", "agent_error") and code in _USAGE:
        return USAGE
    if outcome == "rejected" and code in _HOST:
        return FAILED
    found = _BY_OUTCOME.get(str(outcome), FAILED)
    # An operation that went well and could not be recorded is a failure.
    return FAILED if found in (DONE, WAITING) and result.get("failed") else found
