# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of day2.codex.kill_switch: who runs this."""

from __future__ import annotations

from ansible_collections.day2.codex.plugins.plugin_utils._plain_action import PlainActionBase


class ActionModule(PlainActionBase):
    """Tells the host who stops or releases it. There is nothing else that could go wrong on the way."""

    module = "kill_switch"
