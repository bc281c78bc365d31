# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.sudo_commands."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain
from ansible_collections.day2.codex.plugins.plugin_utils._sudo import commands, sudoers

_DEPTH = 4


def sudo_commands(given: t.Any, as_file: bool = False, real: t.Any = None) -> list[dict[str, t.Any]] | str:
    """*given*, held against what sudoers may grant.

    :arg as_file: Return the text of a file for /etc/sudoers.d instead.
    :arg real: Where the programs' links lead on the host, by the path of each.
    :raises AnsibleFilterError: naming the command, the reason with its code, and what to do.
    """
    try:
        wanted = plain(given, _DEPTH)
        links = {str(path): str(leads) for path, leads in dict(plain(real or {}, _DEPTH)).items()}
        return sudoers(wanted, links) if as_file else commands(wanted, links)
    except CodexOpsError as error:
        raise AnsibleFilterError(f"day2.codex.sudo_commands: {error} [{error.code}]") from None


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"sudo_commands": sudo_commands}
