# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.report_since: from when on the playbook day2.codex.report counts."""

from __future__ import annotations

import datetime
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.plugin_utils._report_model import number_of_days, since


def report_since(days: t.Any) -> str:
    """The time since which a report of *days* days counts, as RFC 3339 has it.

    :raises AnsibleFilterError: for another number than one from 1 to 92.
    """
    try:
        return since(number_of_days(days), datetime.datetime.now(datetime.timezone.utc)).isoformat()
    except ValueError as error:
        raise AnsibleFilterError(f"day2.codex.report_since: {error}") from None


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"report_since": report_since}
