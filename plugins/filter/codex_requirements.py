# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.codex_requirements."""

from __future__ import annotations

import typing as t

from ansible_collections.day2.codex.plugins.plugin_utils._filter import for_people
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain
from ansible_collections.day2.codex.plugins.plugin_utils._requirements import compose, toml

_DEPTH = 10


@for_people
def codex_requirements(
    given: t.Any,
    forbidden_commands: t.Any = (),
    deny_read: t.Any = (),
    hook: str = "/etc/codex/hooks/pre-tool-use",
    hook_timeout: int = 10,
) -> str:
    """``/etc/codex/requirements.toml`` with what *given* adds to the role's own.

    :raises AnsibleFilterError: naming the key and what to do.
    """
    return toml(compose(plain(given, _DEPTH), plain(forbidden_commands, 2), plain(deny_read, 2), str(hook), int(hook_timeout)))


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"codex_requirements": codex_requirements}
