# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of day2.codex.slice."""

from __future__ import annotations

import typing as t

from ansible_collections.day2.codex.plugins.module_utils._contract.slice import parse
from ansible_collections.day2.codex.plugins.plugin_utils._agent_action import AgentActionBase, load_document


class ActionModule(AgentActionBase):
    """Reads the slice on the controller and holds it against its contract before anything is sent to the host."""

    module = "slice"

    def prepare(self, args: dict[str, t.Any]) -> dict[str, t.Any]:
        """Load and validate the slice. The host validates it again."""
        if args.get("src") and not args.get("slice"):
            path = self._file(str(args.pop("src")), "slice")
            args["slice"] = load_document(path)
            parse(args["slice"], path)
        elif isinstance(args.get("slice"), dict):
            parse(args["slice"])
        return args
