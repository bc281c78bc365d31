# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of day2.codex.job_info: the query."""

from __future__ import annotations

from ansible_collections.day2.codex.plugins.plugin_utils._query import QueryActionBase


class ActionModule(QueryActionBase):
    """Finds a bad query before anything is sent to the host, and evaluates it over the jobs that came back."""

    module = "job_info"
    rows = "jobs"
    binding = ("id", "slice_sha256", "dedupe_key", "sha256")
    more = ("plans", "kill_switch")
