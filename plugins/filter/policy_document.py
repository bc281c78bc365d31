# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.policy_document."""

from __future__ import annotations

import typing as t

from ansible_collections.day2.codex.plugins.plugin_utils._filter import for_people
from ansible_collections.day2.codex.plugins.plugin_utils._guardrails import policy_text
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain

_DEPTH = 12


@for_people
def policy_document(given: t.Any) -> str:
    """The text of ``policy.json``, held against the contract of a policy.

    :raises AnsibleFilterError: naming the entry and what to do.
    """
    return policy_text(plain(given, _DEPTH))


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"policy_document": policy_document}
