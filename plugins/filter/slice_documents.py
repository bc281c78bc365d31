# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.slice_documents."""

from __future__ import annotations

import typing as t

from ansible_collections.day2.codex.plugins.plugin_utils._filter import for_people
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain
from ansible_collections.day2.codex.plugins.plugin_utils._runbooks import found, slices


@for_people
def slice_documents(paths: t.Any, report_schemas: t.Any = None, search: t.Any = None) -> list[dict[str, t.Any]]:
    """What the role runbooks installs for *paths*.

    :raises AnsibleFilterError: naming the file, the place in it, and what to do.
    """
    return slices(found(plain(paths, 1), plain(search or [], 1)), found(plain(report_schemas or [], 1), plain(search or [], 1)))


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"slice_documents": slice_documents}
