# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has a scripted agent try single commands, by a real ``codex exec``, to see which are denied. PRIVATE."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t

from .._errors import CodexOpsError
from .._trail.redaction import Redactor
from .folder import remove
from .process import Finished, never, run_limited
from .request import AgentRequest, Helpers
from .run import run_agent

#: Seconds for all of it.
TIMEOUT = 30
_CONFIG = """\
model_provider = "nowhere"
[model_providers.nowhere]
name = "nowhere"
base_url = "http://127.0.0.1:9/v1"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
supports_websockets = false
"""


def tried(
    codex_path: str, scratch_dir: str, helpers: Helpers | None, commands: t.Sequence[str], cancelled: t.Callable[[], str | None] = never
) -> list[dict[str, t.Any]]:
    """How each of *commands* ended, as :class:`AgentResult` lists them.

    :arg scratch_dir: A folder of ours in which it may be set up (it is removed again).
    :arg helpers: Who runs the agent, where it is not the caller.
    :raises CodexOpsError: what came instead.
    """
    folder = tempfile.mkdtemp(prefix="probe-", dir=scratch_dir)
    try:
        workspace = os.path.join(folder, "workspace")
        os.mkdir(workspace, 0o700)
        request = AgentRequest(
            run_dir=folder,
            workspace=workspace,
            writable=True,
            prompt="Try what must be denied.",
            contract=None,
            output_schema=None,
            codex_path=codex_path,
            model=None,
            reasoning_effort=None,
            timeout=TIMEOUT,
            tokens=None,
            requests=len(commands) + 2,
            cassette=_cassette(commands),
            cassette_mode="replay",
            helpers=helpers,
        )
        result = run_agent(request, Redactor(), cancelled)
    finally:
        remove(folder)
    if result.outcome != "completed" or len(result.commands) != len(commands):
        raise CodexOpsError(f"The agent that was to try it did not: {result.msg}", code=result.code, outcome=result.outcome)
    return result.commands


def _cassette(commands: t.Sequence[str]) -> dict[str, t.Any]:
    exchanges = []
    for number, command in enumerate(commands):
        arguments = json.dumps({"cmd": command, "yield_time_ms": 10000})
        exchanges.append({"response": {"items": [{"type": "function_call", "call_id": f"try-{number}", "name": "exec_command", "arguments": arguments}]}})
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "tried"}]}
    return {"version": 1, "exchanges": [*exchanges, {"response": {"items": [answer]}}]}


def without_sandbox(codex_path: str, scratch_dir: str) -> Finished:
    """How ``codex exec`` ends that is asked to do without a sandbox. It reaches no model, whatever comes."""
    folder = tempfile.mkdtemp(prefix="probe-", dir=scratch_dir)
    try:
        for name in ("home", "tmp"):
            os.mkdir(os.path.join(folder, name), 0o700)
        with open(os.path.join(folder, "home", "config.toml"), "x", encoding="ascii") as stream:
            stream.write(_CONFIG)
        environment = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": os.path.join(folder, "home"),
            "CODEX_HOME": os.path.join(folder, "home"),
            "TMPDIR": os.path.join(folder, "tmp"),
        }
        argv = [codex_path, "exec", "--ephemeral", "--skip-git-repo-check", "-s", "danger-full-access", "-C", os.path.join(folder, "tmp"), "Do nothing."]
        return run_limited(argv, cwd=folder, env=environment, timeout=10)
    finally:
        remove(folder)
