# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.runbook_documents."""

from __future__ import annotations

import typing as t

from ansible_collections.day2.codex.plugins.plugin_utils._filter import for_people
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain
from ansible_collections.day2.codex.plugins.plugin_utils._runbooks import runbooks


@for_people
def runbook_documents(names: t.Any, folder: str, settings: t.Any = None) -> list[dict[str, t.Any]]:
    """What the role runbooks installs for the runbooks *names* in *folder*.

    :raises AnsibleFilterError: naming the file, the place in it, and what to do.
    """
    return runbooks(plain(names, 1), str(folder), plain(settings, 8))


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"runbook_documents": runbook_documents}
