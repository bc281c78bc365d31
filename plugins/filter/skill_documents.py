# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.skill_documents."""

from __future__ import annotations

import typing as t

from ansible_collections.day2.codex.plugins.plugin_utils._filter import for_people
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain
from ansible_collections.day2.codex.plugins.plugin_utils._runbooks import found, skills


@for_people
def skill_documents(paths: t.Any, search: t.Any = None) -> list[dict[str, t.Any]]:
    """What the role runbooks installs for *paths*.

    :raises AnsibleFilterError: naming the file, the place in it, and what to do.
    """
    return skills(found(plain(paths, 1), plain(search or [], 1)))


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"skill_documents": skill_documents}
