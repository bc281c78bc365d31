# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""exec: ask the agent one thing in a copy, and take the answer as data. PRIVATE."""

from __future__ import annotations

import os
import typing as t

from . import _agent_step
from ._contract import prompt as prompts
from ._options import Question
from ._run import Run

#: What exec never copies, whatever the workspace: files that usually hold secrets.
EXCLUDED = (
    "**/.env", "**/.env.*", "**/*.pem", "**/*.key", "**/*.p12", "**/*.pfx", "**/*.jks", "**/*.kdbx", "**/id_rsa*", "**/id_ecdsa*", "**/id_ed25519*",
    "**/.netrc", "**/.pgpass", "**/.my.cnf", "**/.npmrc", "**/.pypirc", "**/.htpasswd",
    "**/.ssh/**", "**/.aws/**", "**/.gnupg/**", "**/.kube/**", "**/.docker/**", "**/.vault-token", "**/vault-password*", "**/.git-credentials", "**/*.ppk",
    "**/*.tfstate", "**/*.tfstate.backup", "**/.config/gcloud/**", "**/.azure/**", "**/secrets/**",
)  # fmt: skip


def answer(run: Run, question: Question) -> dict[str, t.Any]:
    """The result of one exec task."""
    schema = None
    if question.output_schema is not None:
        from ._contract.report import check_schema  # pylint: disable=import-outside-toplevel

        schema = check_schema(question.output_schema)
    codex_path, version = _agent_step.find(run)
    if question.writable:
        from ._workspace.patch import check_git  # pylint: disable=import-outside-toplevel

        check_git()
    copy = os.path.join(run.folder, "workspace")
    try:
        base = _copy(run, question.workspace, copy)
        known = _agent_step.fingerprint(
            run,
            version,
            prompt=question.prompt,
            inputs=question.inputs,
            base=base.sha256 if base else None,
            workspace=question.workspace,
            schema=schema,
            writable=question.writable,
        )
        run.facts["input"].update(base_sha256=base.sha256 if base else None, fingerprint=known)
        if run.options.rerun == "on_change" and run.options.cassette_mode != "record":
            from ._trail import memory  # pylint: disable=import-outside-toplevel

            remembered = memory.recall(run.places.remembered, known)
            if remembered is not None:
                return {**remembered, "cached": True, "msg": "An identical task was answered before; no model was asked."}
        return _asked(run, question, codex_path, copy, base, schema, known)
    finally:
        from ._workspace.removal import remove_tree  # pylint: disable=import-outside-toplevel

        remove_tree(copy)


def _copy(run: Run, workspace: str | None, copy: str) -> t.Any:
    """Copy *workspace* to *copy*; its snapshot. Without a workspace, an empty folder and no snapshot."""
    if workspace is None:
        os.mkdir(copy, 0o700)
        return None
    from ._contract.globs import Scope  # pylint: disable=import-outside-toplevel
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    run.places.check_workspace(workspace)
    base = tree.copy(workspace, Scope(["**"], EXCLUDED), copy)
    for refused in base.refused[:5]:
        run.warnings.append(f"{refused.path} was not copied: {refused.detail}")
    if len(base.refused) > 5:
        run.warnings.append(f"{len(base.refused) - 5} more files were not copied for such reasons.")
    return base


def _asked(run: Run, question: Question, codex_path: str, copy: str, base: t.Any, schema: dict[str, t.Any] | None, known: str) -> dict[str, t.Any]:
    options = run.options
    answered = _agent_step.ask_agent(
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
    result = run.partial = {**_agent_step.described(answered), "fingerprint": known, "report": None}
    if answered.outcome != "completed":
        return result
    if question.writable:
        result["patch"] = _patch(run, question, base, copy)
    if schema is not None:
        from ._contract.report import read_report  # pylint: disable=import-outside-toplevel

        result["report"] = read_report(answered.message, schema, truncated=answered.message_truncated)
    if not options.check:
        kept = {key: result.get(key) for key in ("outcome", "message", "report", "codex_version", "fingerprint", "replayed")}
        run.remember(known, {**kept, "patch": result.get("patch", "")})
    return result


def _patch(run: Run, question: Question, base: t.Any, copy: str) -> str:
    from ._shown import counted, refused_patch  # pylint: disable=import-outside-toplevel
    from ._workspace import change, patch, tree  # pylint: disable=import-outside-toplevel

    empty = base if base is not None else tree.Snapshot({}, {}, [])
    changes = change.changes(empty, question.workspace or copy, copy)
    rendered = patch.render(changes, scratch=run.folder)
    run.facts["diff"] = counted(changes, rendered)
    return refused_patch(rendered.text, run.redactor)
