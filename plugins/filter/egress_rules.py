# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.egress_rules."""

from __future__ import annotations

import typing as t

from ansible_collections.day2.codex.plugins.plugin_utils._filter import for_people
from ansible_collections.day2.codex.plugins.plugin_utils._guardrails import egress
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain

_DEPTH = 4


@for_people
def egress_rules(given: t.Any, resolvers: t.Any = ()) -> list[str]:
    """The rules of nftables for *given*, each in one line.

    :raises AnsibleFilterError: naming the entry and what to do.
    """
    return egress(plain(given, _DEPTH), plain(resolvers, 1))


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"egress_rules": egress_rules}
