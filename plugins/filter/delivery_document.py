# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.delivery_document."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain
from ansible_collections.day2.codex.plugins.plugin_utils._runbooks import delivery_file


def delivery_document(delivery: t.Any) -> dict[str, t.Any]:
    """What the role runbooks installs as the delivery file of a host.

    :raises AnsibleFilterError: naming the place, and what to do.
    """
    try:
        return delivery_file(plain(delivery, 4))
    except CodexOpsError as error:
        raise AnsibleFilterError(f"day2.codex.delivery_document: {error}") from None


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"delivery_document": delivery_document}
