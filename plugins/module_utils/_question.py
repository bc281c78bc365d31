# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""exec: ask the agent one thing in a copy, and take the answer as data. PRIVATE."""

from __future__ import annotations

import os
import typing as t

from . import _agent_step
from ._contract import prompt as prompts
from ._contract.globs import Scope
from ._options import Question
from ._run import Run
from ._trail import memory

#: What exec never copies, whatever the workspace: files that usually hold secrets.
EXEC_EXCLUDE = (
    "**/.env", "**/.env.*", "**/*.pem", "**/*.key", "**/*.p12", "**/*.pfx", "**/*.jks", "**/*.kdbx", "**/id_rsa*", "**/id_ecdsa*", "**/id_ed25519*",
    "**/.netrc", "**/.pgpass", "**/.my.cnf", "**/.npmrc", "**/.pypirc", "**/.htpasswd",
    "**/.ssh/**", "**/.aws/**", "**/.gnupg/**", "**/.kube/**", "**/.docker/**", "**/.vault-token", "**/vault-password*",
)  # fmt: skip


def answer(run: Run, question: Question) -> dict[str, t.Any]:
    from ._contract.report import check_schema, read_report  # pylint: disable=import-outside-toplevel
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    options = run.options
    schema = check_schema(question.output_schema) if question.output_schema is not None else None
    codex_path, version = _agent_step.find(run)
    scope = Scope(["**"], EXEC_EXCLUDE)
    base = None
    copy = os.path.join(run.folder, "workspace")
    if question.workspace is not None:
        run.places.check_workspace(question.workspace)
        base = tree.copy(question.workspace, scope, copy)
        for refused in base.refused[:5]:
            run.warnings.append(f"{refused.path} was not copied: {refused.detail}")
    else:
        os.mkdir(copy, 0o700)
    base_sha256 = base.sha256 if base else None
    known = _agent_step.fingerprint(
        run,
        version,
        prompt=question.prompt,
        inputs=question.inputs,
        base=base_sha256,
        workspace=question.workspace,
        schema=schema,
        writable=question.writable,
    )
    run.facts["input"] = {"workspace": question.workspace, "base_sha256": base_sha256, "fingerprint": known}
    try:
        if options.rerun == "on_change":
            remembered = memory.recall(run.places.remembered, known)
            if remembered is not None:
                return {**remembered, "cached": True, "msg": "An identical task was answered before; no model was asked."}
        answer = _agent_step.ask_agent(
            run,
            codex_path=codex_path,
            workspace=copy,
            writable=question.writable,
            prompt=prompts.exec_prompt(question.prompt, question.inputs),
            contract=prompts.EXEC_CONTRACT,
            schema=schema,
            timeout=options.timeout or _agent_step.DEFAULT_TIMEOUT,
            tokens=options.tokens or _agent_step.DEFAULT_TOKENS,
        )
        result = run.partial = {**_agent_step.described(answer), "fingerprint": known, "report": None}
        if answer.outcome != "completed":
            return result
        if question.writable:
            result["patch"] = _exec_patch(question, base, copy)
        if schema is not None:
            result["report"] = read_report(answer.message, schema)
        if not options.check:
            kept = {key: result.get(key) for key in ("outcome", "message", "report", "patch", "codex_version", "fingerprint", "replayed")}
            memory.remember(run.places.remembered, known, run.redactor.data({**kept, "patch": kept["patch"] or ""}))
        return result
    finally:
        tree.remove_tree(copy)


def _exec_patch(question: Question, base: t.Any, copy: str) -> str:
    from ._workspace import change, patch, tree  # pylint: disable=import-outside-toplevel

    empty = base if base is not None else tree.Snapshot({}, {}, [])
    changes = change.changes(empty, question.workspace or copy, copy)
    return patch.escape(patch.render(changes).text)
