# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations


class ModuleDocFragment:
    # The attributes that every module describes.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what a real run would do, without doing it.
  diff_mode:
    description: Returns a C(diff) of what changes, or would change, when in diff mode.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run says that nothing changed.
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
  async:
    description: Can be run with C(async).
    support: full
"""

    # The action group of all modules.
    ACTIONGROUP_CODEX = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/day2.codex.codex) or C(group/day2.codex.agent) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - day2.codex.codex
      - day2.codex.agent
"""
