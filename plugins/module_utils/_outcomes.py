# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The closed list of outcomes, and what Ansible makes of them. PRIVATE."""

from __future__ import annotations

#: Nothing went wrong, and nothing on the host changed.
QUIET = frozenset({"completed", "unchanged"})
#: Something waits; changed when a new plan was stored (in check mode: when the patch is not empty).
WAITING = frozenset({"planned", "awaiting_approval"})
#: The host changed.
DONE = frozenset({"applied", "restored"})
#: The engine, a gate or the host said no.
STOPPED = frozenset(
    {"rejected", "forbidden", "stale_plan", "rolled_back", "busy", "kill_switch_engaged", "killed", "newer_state"}
)
#: The agent or its provider did not get there.
BROKEN = frozenset(
    {
        "refused",
        "invalid_report",
        "timeout",
        "budget_exhausted",
        "provider_error",
        "provider_unreachable",
        "sandbox_unavailable",
        "agent_error",
    }
)
FAILED = STOPPED | BROKEN
ALL = QUIET | WAITING | DONE | FAILED

#: What a run that asked no model used.
NO_USAGE = {"requests": 0, "input_tokens": 0, "cached_input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
