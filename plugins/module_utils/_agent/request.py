# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of the agent is asked, and what comes back. Pure data. PRIVATE."""

from __future__ import annotations

import dataclasses
import typing as t

#: Longest operational contract (bytes) that Codex passes on in full.
MAX_CONTRACT = 32 * 1024


@dataclasses.dataclass(frozen=True)
class Provider:
    """The model's side of a live run.

    ``base_url`` is the root of the API (``https://api.openai.com/v1``); ``api_key`` is held by the relay alone;
    ``ca_path`` is a PEM bundle for the verification of TLS; ``proxy`` is ``http://host:port``.
    """

    base_url: str
    api_key: str | None = dataclasses.field(default=None, repr=False)
    ca_path: str | None = None
    proxy: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True)
class Helpers:
    """Root's programs that run and end the agent on a provisioned host. ``runs`` is the folder in which run folders lie."""

    runs: str
    agent_run: str
    agent_stop: str


@dataclasses.dataclass(frozen=True)
class AgentRequest:
    """One run of ``codex exec``.

    ``run_dir`` exists, has mode 0700 and is ours; ``workspace`` is the absolute path of the copy in which Codex works.
    ``writable`` false makes the workspace read-only for the agent's commands. ``contract`` becomes
    ``CODEX_HOME/AGENTS.md``. ``output_schema`` is already in the provider's strict form. ``timeout`` is in seconds for the
    whole run, ``tokens`` limits the total tokens and ``requests`` the model requests of the run. ``provider`` is ``None``
    only in replay, where ``cassette`` holds the parsed cassette. ``cassette_mode`` is ``off``, ``record`` or ``replay``.
    With ``helpers`` Codex is run by them, as another user; ``workspace`` is then ``run_dir/workspace``.
    """

    run_dir: str
    workspace: str
    writable: bool
    prompt: str
    contract: str | None
    output_schema: dict[str, t.Any] | None
    codex_path: str
    model: str | None
    reasoning_effort: str | None
    timeout: float
    tokens: int | None
    requests: int = 200
    provider: Provider | None = None
    cassette: dict[str, t.Any] | None = None
    cassette_mode: str = "off"
    helpers: Helpers | None = None


@dataclasses.dataclass
class AgentResult:
    """What a run came to.

    ``outcome`` is ``completed``, ``refused``, ``timeout``, ``budget_exhausted``, ``provider_error``,
    ``provider_unreachable``, ``sandbox_unavailable``, ``agent_error`` or ``killed``. ``msg`` is for a person, ``code`` for
    a program. ``message`` is the agent's final message; ``message_truncated`` says that it was longer than what is kept.
    ``commands`` holds every tool call in order, as ``command``, ``status`` (``completed``, ``failed``, ``denied``),
    ``exit_code`` and ``reason``; as root their paths are those that the agent saw (/mnt/codex-ops/workspace).
    ``argv`` is how Codex was started, in the paths that it sees. ``duration`` is in seconds. ``cassette`` is what was recorded, redacted.
    """

    outcome: str
    msg: str
    code: str
    message: str
    commands: list[dict[str, t.Any]]
    usage: dict[str, int]
    codex_version: str
    duration: float
    cassette: dict[str, t.Any] | None = None
    replayed: bool = False
    warnings: list[str] = dataclasses.field(default_factory=list)
    message_truncated: bool = False
    argv: list[str] = dataclasses.field(default_factory=list)
