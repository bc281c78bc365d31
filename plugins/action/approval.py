# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of day2.codex.approval: the host says what is to be signed, and the key stays here."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._approving import plain, seconds_in
from ansible_collections.day2.codex.plugins.module_utils._canonical import canonical
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates.statement import read_statement
from ansible_collections.day2.codex.plugins.plugin_utils._agent_action import AgentActionBase
from ansible_collections.day2.codex.plugins.plugin_utils._signing import sign


def _refused(message: str, where: str) -> CodexOpsError:
    return CodexOpsError(message, code="option_invalid", outcome="rejected", where=where)


class ActionModule(AgentActionBase):
    """Asks the host for the statement, signs it here, and hands the signature in."""

    module = "approval"
    _supports_async = False

    def prepare(self, args: dict[str, t.Any]) -> dict[str, t.Any]:
        """Find mistakes before anything is sent to the host."""
        key = args.pop("signing_key", None)
        if args.get("expires_in") is not None:
            seconds_in(str(args["expires_in"]))
        if args.get("statement"):
            if isinstance(args["statement"], dict):
                # What a template made of a text that looks like JSON. There is only one text that it can have been.
                args["statement"] = canonical(args["statement"]).decode("ascii")
            read_statement(args["statement"])
            key = None
        elif args.get("decision") is not None and not args.get("approver"):
            raise _refused("whoever decides must say who they are, by the name in allowed_signers.", "approver")
        self._key = self._path(str(key)) if key else None
        return args

    def _path(self, key: str) -> str:
        """A relative path is one of the folder that Ansible was started in, or else of the playbook's."""
        path = os.path.abspath(os.path.expanduser(key))
        return path if os.path.exists(path) else str(self._loader.path_dwim(key))

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        """As every action, with the statement as the host gave it: masked, it could not be signed elsewhere."""
        self._statement: str | None = None
        self._key: str | None = None
        result = plain(super().run(tmp, task_vars))
        return {**result, "statement": self._statement}

    def _execute_module(self, *args: t.Any, **kwargs: t.Any) -> dict[str, t.Any]:
        """Run the module; where it answers with a statement, sign that and run it again."""
        answer: dict[str, t.Any] = super()._execute_module(*args, **kwargs)
        self._statement = answer.get("statement")
        if self._statement is not None:
            read_statement(self._statement)
        text, given = answer.get("statement"), kwargs.get("module_args") or {}
        if self._key is None or not text or answer.get("failed") or self._task.check_mode or kwargs.get("module_name") != "day2.codex.approval":
            return answer
        self._is_meant(text, given, answer)
        self._statement = None
        kwargs["module_args"] = {**given, "statement": text, "signature": sign(text, self._key), "plan_sha256": answer["plan"]["sha256"]}
        return t.cast("dict[str, t.Any]", super()._execute_module(*args, **kwargs))

    @staticmethod
    def _is_meant(text: str, given: dict[str, t.Any], answer: dict[str, t.Any]) -> None:
        """A host could hand out a statement about something else than it was asked for: nobody signs that.

        :raises CodexOpsError: ``statement_foreign``.
        """
        said = read_statement(text)
        plan = answer.get("plan") or {}
        wanted = {
            "plan": str(given.get("plan")),
            "decision": given.get("decision"),
            "approver": str(given.get("approver")),
            "comment": str(given.get("comment") or ""),
            "plan_sha256": given.get("plan_sha256") or plan.get("sha256"),
            **{name: plan.get(name) for name in ("patch_sha256", "base_sha256", "slice_sha256", "policy_sha256", "host_id")},
        }
        for name, value in wanted.items():
            if said[name] != value:
                raise CodexOpsError(
                    f"The host asks for a signature of something else: {name} is {said[name]!r}, not {value!r}. Nothing was signed.",
                    code="statement_foreign",
                    outcome="rejected",
                    hint="Do not trust this host until somebody has looked at it.",
                )
