# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A ticket is never mere information: a person is needed."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._delivery.ticket import Source, make

JOB: dict[str, t.Any] = {"id": "job-1", "slice": "a", "dedupe_key": "k", "state": "unchanged", "first_seen": "2026-01-15T03:15:00+00:00"}


@pytest.mark.parametrize("status", ["needs_human", "awaiting_approval", "failed"])
@pytest.mark.parametrize(("found", "severity"), [((), "WARNING"), (("INFO",), "WARNING"), (("INFO", "CRITICAL"), "CRITICAL")])
def test_every_ticket_is_a_warning_at_least(status: str, found: tuple[str, ...], severity: str) -> None:
    signal = {"findings": [{"id": "a", "severity": one, "observed": "x"} for one in found]}
    made = make(Source({**JOB, "signal": signal}), status, "host", lambda value: value)
    assert (made["status"], made["severity"]) == (status, severity)
