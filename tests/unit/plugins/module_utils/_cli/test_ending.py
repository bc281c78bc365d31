# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The exit status says what a script has to know, for every outcome there is."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils import _outcomes
from ansible_collections.day2.codex.plugins.module_utils._cli import ending

WANTED = {
    0: {"completed", "unchanged", "planned", "applied", "restored"},
    1: {"forbidden", "stale_plan", "rolled_back", "newer_state", "refused", "killed"}
    | {"provider_error", "provider_unreachable", "sandbox_unavailable", "agent_error"},
    3: {"awaiting_approval"},
    4: {"rejected", "invalid_report"},
    5: {"kill_switch_engaged"},
    6: {"budget_exhausted", "timeout"},
    7: {"busy"},
}


def test_every_outcome_has_its_status() -> None:
    assert set().union(*WANTED.values()) == _outcomes.ALL


@pytest.mark.parametrize(("status", "outcome"), [(status, outcome) for status, outcomes in WANTED.items() for outcome in sorted(outcomes)])
def test_an_outcome_ends_with_its_status(status: int, outcome: str) -> None:
    assert ending.status({"outcome": outcome}) == status


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ({"outcome": "killed", "stopped": True}, 5),
        ({"outcome": "killed", "stopped": False}, 1),
        ({"outcome": "rejected", "code": "out_of_scope"}, 4),
        ({"outcome": "rejected", "code": "option_invalid"}, 2),
        ({"outcome": "rejected", "code": "plan_not_found"}, 2),
        ({"outcome": "rejected", "code": "disk_full"}, 1),
        ({"outcome": "rejected", "code": "prefix_unsafe"}, 1),
        ({"outcome": "rejected", "code": "budget_busy"}, 7),
        ({"outcome": "applied", "failed": True}, 1),
        ({"outcome": "completed", "exit": 5}, 5),
        ({"outcome": "something new"}, 1),
        ({}, 1),
    ],
)
def test_what_matters_besides_the_outcome(result: dict[str, t.Any], status: int) -> None:
    assert ending.status(result) == status
