# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.hook_patterns."""

from __future__ import annotations

import typing as t

from ansible_collections.day2.codex.plugins.plugin_utils._filter import for_people
from ansible_collections.day2.codex.plugins.plugin_utils._guardrails import patterns
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain

_DEPTH = 3


@for_people
def hook_patterns(given: t.Any, kill_switch: str = "/etc/codex-ops/disabled") -> str:
    """The file from which the hook knows what to block.

    :raises AnsibleFilterError: naming the entry and what to do.
    """
    return patterns(plain(given, _DEPTH), str(kill_switch))


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"hook_patterns": hook_patterns}
