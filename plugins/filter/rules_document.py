# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.rules_document."""

from __future__ import annotations

import typing as t

from ansible_collections.day2.codex.plugins.plugin_utils._filter import for_people
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain
from ansible_collections.day2.codex.plugins.plugin_utils._runbooks import rules_table


@for_people
def rules_document(rules: t.Any, time_zone: t.Any = None, slices: t.Any = None) -> dict[str, t.Any]:
    """What the role runbooks installs as the rules of a host.

    :raises AnsibleFilterError: naming the place in the rules, and what to do.
    """
    return rules_table(plain(rules, 8), None if time_zone is None else str(time_zone), None if slices is None else plain(slices, 1))


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"rules_document": rules_document}
