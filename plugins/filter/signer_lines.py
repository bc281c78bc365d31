# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.signer_lines."""

from __future__ import annotations

import typing as t

from ansible_collections.day2.codex.plugins.plugin_utils._filter import for_people
from ansible_collections.day2.codex.plugins.plugin_utils._guardrails import signer_lines as signer_lines_of
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain

_DEPTH = 3


@for_people
def signer_lines(given: t.Any) -> str:
    """The text of ``allowed_signers`` with the people in *given*.

    :raises AnsibleFilterError: naming the entry and what to do.
    """
    return signer_lines_of(plain(given, _DEPTH))


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"signer_lines": signer_lines}
