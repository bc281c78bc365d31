# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.schedule_entries."""

from __future__ import annotations

import typing as t

from ansible_collections.day2.codex.plugins.plugin_utils._filter import for_people
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain
from ansible_collections.day2.codex.plugins.plugin_utils._schedule import entries

_DEPTH = 5


@for_people
def schedule_entries(
    given: t.Any,
    host: str = "",
    folder: str = "/opt/codex-ops/schedule",
    state: str = "/var/lib/codex-ops/schedule",
    interpreter: str = "/usr/bin/python3",
) -> list[dict[str, t.Any]]:
    """*given*, held against what cron and systemd can both do, and written for each of them.

    :raises AnsibleFilterError: naming the entry and what to do.
    """
    return entries(plain(given, _DEPTH), str(host), str(folder), str(state), str(interpreter))


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"schedule_entries": schedule_entries}
