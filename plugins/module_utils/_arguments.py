# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that the modules share, as argument specs. PRIVATE."""

from __future__ import annotations

import typing as t


def shared() -> dict[str, t.Any]:
    """The options of every module that runs the agent."""
    return {
        "prefix": {"type": "path", "default": "/"},
        "retention": {"type": "int", "default": 90},
        "codex_path": {"type": "path"},
        "model": {"type": "str"},
        "reasoning_effort": {"type": "str", "choices": ["minimal", "low", "medium", "high", "xhigh"]},
        "limits": {
            "type": "dict",
            "options": {"timeout": {"type": "int"}, "tokens": {"type": "int", "no_log": False}},
        },
        "rerun": {"type": "str", "default": "on_change", "choices": ["on_change", "always"]},
        # The action plugin puts the text of the file in the place of its name: one opaque string, which is not worth logging.
        "cassette": {"type": "str", "no_log": True},
        "cassette_mode": {"type": "str", "choices": ["off", "record", "replay"]},
        "base_url": {"type": "str"},
        "ca_path": {"type": "path"},
        "proxy": {"type": "str"},
        "api_key": {"type": "str", "no_log": True},
        "api_key_file": {"type": "path", "no_log": False},
    }
