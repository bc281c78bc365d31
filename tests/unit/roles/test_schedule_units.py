# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which walls stand around a unit of the schedule."""

from __future__ import annotations

import pathlib
import typing as t

import jinja2

from ansible_collections.day2.codex.plugins.plugin_utils._schedule import entries

TEMPLATE = pathlib.Path(__file__).resolve().parents[3] / "roles/schedule/templates/service.j2"


def _unit(run: str) -> str:
    item: dict[str, t.Any] = entries(
        [{"name": "one", "when": "@daily", "run": run}], "web1", "/opt/codex-ops/schedule", "/var/lib/codex-ops/schedule", "/usr/bin/python3"
    )[0]
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(item=item, schedule_user="codex-ops", schedule_path="/usr/bin")


def test_only_a_look_can_read_the_journal_and_only_behind_its_walls() -> None:
    look = _unit("/opt/codex-ops/bin/codex-ops collect logs --enqueue")
    assert "\nSupplementaryGroups=systemd-journal\n" in look and "\nNoNewPrivileges=true\n" in look and "\nProtectSystem=strict\n" in look
    for other in ("/opt/codex-ops/bin/codex-ops run --next", "/opt/codex-ops/bin/codex-ops status", "/usr/bin/echo collect"):
        assert "SupplementaryGroups" not in _unit(other), other
