# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run of the real Codex CLI, and the model's side of it, for the tests of this folder."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent import _proc
from ansible_collections.day2.codex.plugins.module_utils._agent.process import never
from ansible_collections.day2.codex.plugins.module_utils._agent.request import AgentRequest
from ansible_collections.day2.codex.plugins.module_utils._agent.run import run_agent
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor

# The test files import more of the package than this file did, at a time when Ansible's import hook wants the collection's metadata.
if getattr(sys.modules["ansible_collections.day2.codex"], "_collection_meta", None) is None:
    sys.modules["ansible_collections.day2.codex"]._collection_meta = {}


def _binaries():
    first = os.environ.get("DAY2_CODEX_CLI")
    return [path for path in (first, os.environ.get("DAY2_CODEX_CLI_NEXT")) if path] or [None]


def _need(path):
    if not path or not os.access(path, os.X_OK):
        pytest.fail("Set DAY2_CODEX_CLI to the path of a real Codex CLI (PyPI openai-codex-cli-bin==0.163.0).")
    return path


@pytest.fixture(params=_binaries(), ids=lambda path: os.path.basename(str(path)))
def codex(request):
    """The real binary; both versions where two are known."""
    return _need(request.param)


@pytest.fixture
def one_codex():
    """The real binary, one version."""
    return _need(_binaries()[0])


def call(cmd, call_id="c1", **arguments):
    return {"type": "function_call", "call_id": call_id, "name": "exec_command", "arguments": json.dumps({"cmd": cmd, **arguments})}


def say(text):
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def items(*entries, usage=None):
    return {"response": {"items": list(entries), **({"usage": usage} if usage else {})}}


class Model:
    """Words for the model's side."""

    call = staticmethod(call)
    say = staticmethod(say)
    items = staticmethod(items)

    @staticmethod
    def cassette(*commands, final="done", **top):
        """One exchange for each command, then the final message."""
        exchanges = [items(call(command, f"c{number}")) for number, command in enumerate(commands)]
        return {"version": 1, "exchanges": [*exchanges, items(say(final))], **top}


@pytest.fixture
def model():
    return Model


@pytest.fixture
def make_request(tmp_path):
    """Makes a request in a fresh run folder below the test's own."""
    count = [0]

    def make(codex_path, cassette=None, **changes):
        count[0] += 1
        run_dir = tmp_path / f"run{count[0]}"
        run_dir.mkdir(mode=0o700)
        (run_dir / "work").mkdir()
        fields = {
            "run_dir": str(run_dir),
            "workspace": str(run_dir / "work"),
            "writable": True,
            "prompt": "Do the task.",
            "contract": "# The contract",
            "output_schema": None,
            "codex_path": codex_path,
            "model": None,
            "reasoning_effort": None,
            "timeout": 30.0,
            "tokens": None,
            "cassette": cassette,
            "cassette_mode": "replay" if cassette is not None else "off",
        }
        fields.update(changes)
        return AgentRequest(**fields)

    return make


@pytest.fixture
def run(make_request):
    """Runs a cassette and looks that nothing of the run is left alive."""

    def go(codex_path, cassette=None, redactor=None, cancelled=never, transcript=None, **changes):
        request = make_request(codex_path, cassette, **changes)
        result = run_agent(request, redactor or Redactor(), cancelled, transcript)
        assert alive_of(request.run_dir) == []
        return result

    return go


def alive_of(run_dir):
    """The processes whose environment or command line names the run folder, or whose user is the run's own."""
    found = []
    try:
        owner = os.lstat(os.path.join(run_dir, "agent")).st_uid
    except OSError:
        owner = os.geteuid()
    for pid in _proc.all_pids():
        if pid == os.getpid() or not _proc.alive(pid):
            continue
        try:
            with open(f"/proc/{pid}/environ", "rb") as stream:
                text = stream.read()
            with open(f"/proc/{pid}/cmdline", "rb") as stream:
                text += stream.read()
        except OSError:
            continue
        if str(run_dir).encode() in text or (owner != os.geteuid() and owner in _proc.users_of(pid)):
            found.append(pid)
    return found


@pytest.fixture
def living():
    return alive_of


@pytest.fixture
def wait_for():
    """Waits until a condition holds."""

    def wait(condition, seconds=15.0):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            value = condition()
            if value:
                return value
            time.sleep(0.01)
        raise AssertionError("the condition did not come to hold in time")

    return wait


@pytest.fixture
def stub(tmp_path):
    """A program in the place of Codex, for what the real one cannot be made to do."""

    def make(body):
        path = tmp_path / "stub-codex"
        path.write_text('#!/bin/sh\n[ "$1" != --version ] || { echo stub 1.2.3; exit; }\n' + body)
        path.chmod(0o755)
        return str(path)

    return make
