# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of day2.codex.engine: packs the engine, and sends it to a host that lacks it."""

from __future__ import annotations

import os
import tempfile
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.plugin_utils._pack import packed
from ansible_collections.day2.codex.plugins.plugin_utils._quiet import quiet


class ActionModule(ActionBase):
    """Asks the host by the manifest alone, and sends the pack only where it is needed."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        """Run the module, and once more with the pack where the host lacks it."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        args = {name: value for name, value in self._task.args.items() if name not in ("manifest", "pack")}
        try:
            if str(args.get("state", "present")) == "present":
                args["manifest"] = packed().manifest.text()
            answer = self._module(args, task_vars)
            if answer.get("needs_pack"):
                args["pack"] = self._sent()
                answer = self._module(args, task_vars)
            result.update(answer)
        except CodexOpsError as error:
            result.update(failed=True, changed=False, msg=str(error), code=error.code, outcome=error.outcome)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _module(self, args: dict[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
        answer: dict[str, t.Any] = self._execute_module(module_name="day2.codex.engine", module_args=args, task_vars=quiet(task_vars))
        # It is long, and says nothing that the digest does not.
        answer.get("invocation", {}).get("module_args", {}).pop("manifest", None)
        return answer

    def _sent(self) -> str:
        """Send the pack to the host; its path there."""
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        target = self._connection._shell.join_path(self._connection._shell.tmpdir, "engine.tar")
        descriptor, path = tempfile.mkstemp(prefix="codex-ops-engine-", suffix=".tar")
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(packed().content)
            self._transfer_file(path, target)
        finally:
            os.unlink(path)
        # Whoever the module runs as may read it.
        self._fixup_perms2((self._connection._shell.tmpdir, target), execute=False)
        return str(target)
