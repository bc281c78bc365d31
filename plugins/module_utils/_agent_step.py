# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts a run, its options and the agent stage together. PRIVATE."""

from __future__ import annotations

import os
import typing as t

from ._canonical import digest
from ._errors import CodexOpsError
from ._run import DEFAULT_BASE_URL, Run

#: Seconds and tokens of a run that names no limits.
DEFAULT_TIMEOUT = 600
DEFAULT_TOKENS = 200000


def find(run: Run) -> tuple[str, str]:
    """(path, version) of the Codex CLI that this run uses.

    :raises CodexOpsError: ``binary_missing``.
    """
    from ._agent.binary import codex_version, find_codex  # pylint: disable=import-outside-toplevel

    given = run.options.codex_path
    if run.places.ops is not None:
        # Root's helpers run only what is root's.
        ours = run.places.codex[0]
        if given is not None and os.path.realpath(given) != os.path.realpath(ours):
            raise CodexOpsError(
                f"On this host Codex is {ours}.", code="codex_path_forbidden", outcome="rejected", where="codex_path", hint="Leave the option out."
            )
        given = ours
    path = find_codex(given, run.places.codex)
    version = codex_version(path)
    run.facts["command"].update({"codex_path": path, "codex_version": version, "model": run.options.model})
    return path, version


def fingerprint(run: Run, version: str, **parts: t.Any) -> str:
    """What makes two tasks the same: *parts*, and the model's side that would answer them."""
    options = run.options
    provider = "cassette:" + digest(options.cassette) if options.cassette_mode == "replay" else run.base_url
    common = {"provider": provider, "model": options.model, "effort": options.reasoning_effort, "codex_version": version, "kind": run.kind}
    try:
        return digest({**common, **parts})
    except (TypeError, ValueError, RecursionError) as error:
        raise CodexOpsError(
            f"The task holds what JSON cannot: {error}.",
            code="option_invalid",
            outcome="rejected",
            where="inputs",
            hint="Give numbers, text, true, false, null, lists and dictionaries with text as keys; NaN and infinity are none of them.",
        ) from None


def _provider(run: Run) -> t.Any:
    from ._agent.request import Provider  # pylint: disable=import-outside-toplevel

    options = run.options
    if options.cassette_mode == "replay":
        return None
    said, base_url = run.rules.provider, run.base_url
    given = said.get("base_url")
    if given is not None and options.base_url not in (None, given):
        raise CodexOpsError(
            f"The policy lets the model be asked at {given} only, not at {options.base_url}.",
            code="provider_forbidden",
            outcome="forbidden",
            where="base_url",
            hint="Leave the option out, or change provider.base_url in the policy.",
        )
    ways = {"base_url": said.get("base_url", DEFAULT_BASE_URL), "proxy": said.get("proxy"), "ca_path": said.get("ca_path")}
    for name, allowed in ways.items():
        wanted = getattr(options, name)
        if run.hosts_key and wanted not in (None, allowed):
            raise CodexOpsError(
                f"The host's own key goes by {name} {allowed or '(none)'} only, not by {wanted}.",
                code="provider_forbidden",
                outcome="forbidden",
                where=name,
                hint=f"Leave the option out, let the policy say provider.{name}, or give a key with the task.",
            )
    if run.key is None and base_url.startswith("https://api.openai.com/"):
        raise CodexOpsError(
            "There is no key for the model's provider.",
            code="key_missing",
            outcome="provider_error",
            hint=f"Set api_key or api_key_file, or put the key into {run.places.provider_key}, or rehearse with a cassette.",
        )
    return Provider(base_url=base_url, api_key=run.key, ca_path=options.ca_path or ways["ca_path"], proxy=options.proxy or ways["proxy"])


def ask_agent(
    run: Run,
    *,
    codex_path: str,
    workspace: str,
    writable: bool,
    prompt: str,
    contract: str,
    schema: dict[str, t.Any] | None,
    timeout: int,
    tokens: int,
) -> t.Any:
    """Run the agent once in *workspace* (a copy) and return its :class:`AgentResult`.

    :raises CodexOpsError: before the agent starts: no key, no sandbox, a contract that is too long.
    """
    from ._agent.folder import cleanup  # pylint: disable=import-outside-toplevel
    from ._agent.request import AgentRequest  # pylint: disable=import-outside-toplevel
    from ._agent.run import run_agent  # pylint: disable=import-outside-toplevel
    from ._agent.sandbox import preflight  # pylint: disable=import-outside-toplevel

    options = run.options
    if schema is not None:
        from ._contract.report import strict_form  # pylint: disable=import-outside-toplevel

        schema = strict_form(schema)
    provider = _provider(run)
    run.go_on()
    helpers = run.helpers()
    preflight(codex_path, run.folder, run.places.stamps, helpers, run.cancelled)
    run.go_on()
    budget, rules = run.budget(), run.rules
    tokens = budget.reserve(run.id, tokens, rules.limits.tokens_per_day, rules.limits.runs_per_hour, run.now())
    try:
        # It may have waited for others.
        run.go_on()
    except CodexOpsError:
        budget.settle(run.id, 0)
        raise
    run.facts["command"].update({"timeout": timeout, "tokens": tokens, "cassette_mode": options.cassette_mode, "sandbox": "write" if writable else "read"})
    request = AgentRequest(
        run_dir=run.folder,
        workspace=workspace,
        writable=writable,
        prompt=prompt,
        contract=contract,
        output_schema=schema,
        codex_path=codex_path,
        model=options.model,
        reasoning_effort=options.reasoning_effort,
        timeout=timeout,
        tokens=tokens,
        provider=provider,
        cassette=options.cassette,
        cassette_mode=options.cassette_mode,
        helpers=helpers,
    )
    try:
        answer = run_agent(request, run.redactor, run.cancelled, os.path.join(run.folder, "transcript.jsonl"))
        # What an engine that died had reserved stays counted in full: nobody knows what it used.
        run.facts["command"]["argv"] = answer.argv
        budget.settle(run.id, answer.usage["total_tokens"])
    finally:
        cleanup(run.folder)
    run.warnings.extend(answer.warnings)
    return answer


def described(answer: t.Any) -> dict[str, t.Any]:
    """What every result says of the agent's part."""
    result = {
        "outcome": answer.outcome,
        "msg": answer.msg,
        "message": answer.message,
        "commands": answer.commands,
        "usage": answer.usage,
        "codex_version": answer.codex_version,
        "replayed": answer.replayed,
    }
    if answer.outcome != "completed":
        result["code"] = answer.code
    if answer.cassette is not None:
        result["_recorded"] = answer.cassette
    return result
