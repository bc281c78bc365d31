# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the wall-clock seconds of each task to the file that BENCH_TIMES names."""

from __future__ import annotations

import json
import os
import time
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: timing
type: notification
short_description: Seconds of each task
description: Writes the name and the seconds of each task as JSON lines to the file that E(BENCH_TIMES) names.
"""


class CallbackModule(CallbackBase):
    """One line a task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "timing"

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        """Remember when it began."""
        self.began = time.perf_counter()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Write how long it took."""
        task = getattr(result, "task", None) or result._task
        with open(os.environ["BENCH_TIMES"], "a", encoding="utf-8") as handle:
            handle.write(json.dumps([task.get_name(), time.perf_counter() - self.began]) + "\n")
