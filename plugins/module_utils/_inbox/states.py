# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of a job, the ways between them, and which outcomes may pass if one waits. Pure. PRIVATE."""

from __future__ import annotations

import re

#: Something is still to be done. At most one open job has a given dedupe key.
OPEN = ("pending", "planned", "awaiting_approval", "approved")
#: A worker can take it as it is.
CLAIMABLE = ("pending", "approved")
CLOSED = ("applied", "unchanged", "rejected", "failed", "rolled_back", "expired", "cancelled")
STATES = OPEN + CLOSED
#: From these a person can send a job back to the beginning. What was done is done: it needs a new job.
RETRIABLE = ("rejected", "failed", "rolled_back", "expired", "cancelled")

#: Every way from one state to another. There is no other.
TRANSITIONS: dict[str, frozenset[str]] = {
    # A run may go all the way at once where the policy lets it.
    "pending": frozenset(STATES) - {"pending", "approved"},
    "planned": frozenset(STATES) - {"planned"},
    # Nothing is applied while people are being asked.
    "awaiting_approval": frozenset({"pending", "approved", "unchanged", "rejected", "failed", "expired", "cancelled"}),
    # An approval may be revoked or run out, and a tree may change after it.
    "approved": frozenset(STATES) - {"approved", "planned"},
    "applied": frozenset({"rolled_back"}),
    "unchanged": frozenset(),
    **{state: frozenset({"pending"}) for state in RETRIABLE},
}

#: How a job ends, or where it waits, after a run with this outcome. The others are failures.
_LANDINGS = {
    "completed": "unchanged",
    "unchanged": "unchanged",
    "planned": "planned",
    "awaiting_approval": "awaiting_approval",
    "applied": "applied",
    "restored": "rolled_back",
    "rolled_back": "rolled_back",
    "rejected": "rejected",
    "forbidden": "rejected",
}
#: Runs that ended before anything was tried: waiting costs nothing, so only the job's expiry ends it.
_HELD = frozenset({"busy", "kill_switch_engaged", "killed"})
_HELD_CODES = frozenset({"tokens_per_day", "runs_per_hour", "action_rate"})
#: What was tried and may go better another time.
_PASSING = frozenset({"provider_unreachable", "timeout", "stale_plan"})
_PASSING_CODES = frozenset({"disk_full", "stream_dropped", "provider_response_failed"})
_PASSING_STATUS = re.compile(r"provider_status_(408|425|429|5\d\d)")

#: Attempts that may fail before a job is failed.
MAX_FAILURES = 6
#: Seconds before the second attempt, doubled each time, and the most that it comes to.
FIRST_DELAY = 30.0
LONGEST_DELAY = 3600.0


def landing(outcome: str, code: str | None = None) -> str:
    """The state of a job after a run with *outcome* and *code*, were it not tried again."""
    return "failed" if passing(outcome, code) else _LANDINGS.get(outcome, "failed")


def held(outcome: str, code: str | None = None) -> bool:
    """Whether a run ended before anything was tried, because something else is in the way for now."""
    return outcome in _HELD or (outcome == "budget_exhausted" and code in _HELD_CODES)


def passing(outcome: str, code: str | None = None) -> bool:
    """Whether the same run may go better later.

    A run that used up its own tokens, whose report was wrong or that the contract refused would only do so again.
    """
    return held(outcome, code) or outcome in _PASSING or code in _PASSING_CODES or bool(code and _PASSING_STATUS.fullmatch(code))


def delay(waits: int, jitter: float) -> float:
    """Seconds before the next attempt: doubled each time, and spread so that jobs that failed together do not come back together.

    :arg waits: How often the job waited before, from 0.
    :arg jitter: From 0 to 1; the delay is between a half and the whole.
    """
    whole = min(FIRST_DELAY * 2.0 ** min(waits, 30), LONGEST_DELAY)
    return whole * (0.5 + 0.5 * jitter)
