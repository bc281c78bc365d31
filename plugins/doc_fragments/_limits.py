# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  limits:
    description:
      - Where the run ends, whatever the agent is doing. A slice's own limits can only be narrowed here.
    type: dict
    suboptions:
      timeout:
        description: Seconds for the agent's whole run. Without it, 600 or what the slice says.
        type: int
      tokens:
        description: Tokens, input and output together, for the whole run. Without it, 200000 or what the slice says.
        type: int
  rerun:
    description:
      - What happens to a task that was done before with the same inputs, files, schema, model and version of Codex.
      - V(on_change) returns the remembered result without asking the model. V(always) asks again.
      - A slice whose goal can be tested is always tested first, and asks no model when the goal holds.
    type: str
    default: on_change
    choices:
      - on_change
      - always
"""
