# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of modules that only have to know who runs them. PRIVATE."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor
from ansible_collections.day2.codex.plugins.plugin_utils._agent_action import AgentActionBase
from ansible_collections.day2.codex.plugins.plugin_utils._quiet import quiet


class PlainActionBase(AgentActionBase):
    """Tells the host who runs this, runs the module, and masks what comes back."""

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        """Run the module on the host."""
        # Not what exec and slice do: this needs no library, no file and no time.
        result: dict[str, t.Any] = ActionBase.run(self, tmp, task_vars)
        del tmp
        self._introduce(task_vars or {})
        try:
            name = f"day2.codex.{self.module}"
            answer = self._execute_module(module_name=name, module_args=dict(self._task.args), task_vars=quiet(task_vars), wrap_async=self._task.async_val)
            result.update(self._without_secrets(answer))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    @staticmethod
    def _without_secrets(answer: dict[str, t.Any]) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", Redactor().data(answer))


class JobActionBase(PlainActionBase):
    """The same for modules that return a job: the names by which it is found again stay as they are."""

    @staticmethod
    def _without_secrets(answer: dict[str, t.Any]) -> dict[str, t.Any]:
        shown = PlainActionBase._without_secrets(answer)
        for one, plain in [(shown.get("job"), answer.get("job")), *zip(shown.get("jobs") or (), answer.get("jobs") or ())]:
            if isinstance(one, dict) and isinstance(plain, dict):
                one.update({name: plain.get(name) for name in ("id", "slice_sha256", "dedupe_key")})
        if isinstance(answer.get("audit"), dict):
            shown["audit"] = answer["audit"]
        return shown
