# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of day2.codex.exec."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._contract.report import check_schema
from ansible_collections.day2.codex.plugins.plugin_utils._agent_action import AgentActionBase


class ActionModule(AgentActionBase):
    """Finds a bad schema before anything is sent to the host."""

    module = "exec"

    def prepare(self, args: dict[str, t.Any]) -> dict[str, t.Any]:
        """Hold output_schema against the supported subset."""
        schema = args.get("output_schema")
        if isinstance(schema, str):
            try:
                schema = json.loads(schema)
            except ValueError:
                pass
        if schema is not None:
            args["output_schema"] = check_schema(schema)
        return args
