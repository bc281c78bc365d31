# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of a replayed run of the real Codex CLI."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent import folder, process, relay, sandbox
from ansible_collections.day2.codex.plugins.module_utils._agent.run import cleanup, run_agent
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor


def test_a_replayed_command_changes_the_workspace_and_the_final_message_comes_back(codex, make_request, model):
    cassette = model.cassette("echo changed > file", final='{"status":"changed"}')
    cassette["exchanges"][0]["response"]["usage"] = {"input_tokens": 900, "cached_input_tokens": 100, "output_tokens": 40}
    request = make_request(codex, cassette, prompt="-m --option-like prompt " + "x" * 200_000, reasoning_effort="high")
    result = run_agent(request, Redactor(), process.never)
    assert (result.outcome, result.code, result.message) == ("completed", "completed", '{"status":"changed"}')
    assert result.commands == [{"command": "echo changed > file", "status": "completed", "exit_code": 0, "reason": ""}]
    assert result.usage == {"requests": 2, "input_tokens": 900, "cached_input_tokens": 100, "output_tokens": 40, "total_tokens": 940}
    assert result.replayed and result.warnings == [] and result.cassette is None and 0 < result.duration < 30
    assert os.listdir(request.workspace) == ["file"]
    cleanup(request.run_dir)
    assert os.listdir(request.run_dir) == ["work"]


def test_what_the_prompt_schema_and_contract_say_reaches_the_model(codex, make_request, model, tmp_path):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}
    path = str(tmp_path / "transcript.jsonl")
    request = make_request(codex, model.cassette(), prompt="Say if it is well.", contract="Contract word.", output_schema=schema)
    run_agent(request, Redactor(), process.never, path)
    with open(path, encoding="utf-8") as stream:
        asked = json.loads(stream.readline())
    text = json.dumps(asked["input"])
    assert "Say if it is well." in text and "Contract word." in text
    assert "exec" not in asked["tools"] and "exec_command" in asked["tools"]
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_what_lies_in_the_workspace_is_no_instruction(codex, make_request, model, tmp_path):
    path = tmp_path / "transcript.jsonl"
    request = make_request(codex, model.cassette())
    bodies = []
    skill = os.path.join(request.workspace, ".agents", "skills", "evil")
    os.makedirs(skill)
    for name, text in ((f"{skill}/SKILL.md", "---\nname: evil\ndescription: EVIL-SKILL\n---\nx\n"), (f"{request.workspace}/AGENTS.md", "EVIL-AGENTS")):
        with open(name, "w", encoding="utf-8") as stream:
            stream.write(text)
    real = relay.ReplayBackend.respond
    relay.ReplayBackend.respond = lambda self, exchange, *rest: (bodies.append(json.dumps(exchange.body)), real(self, exchange, *rest))[1]
    try:
        result = run_agent(request, Redactor(), process.never, str(path))
    finally:
        relay.ReplayBackend.respond = real
    assert result.outcome == "completed" and len(bodies) == 1
    assert "The contract" in bodies[0] and "EVIL" not in bodies[0]


def test_each_refused_attempt_is_listed_with_its_reason(codex, make_request, model, tmp_path):
    neighbour = tmp_path / "neighbour"
    neighbour.write_text("neighbour-secret")
    token_hunt = "cat /proc/*/environ | tr '\\0' '\\n' | grep -q RELAY_TOKEN"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        commands = [
            "cat /etc/shadow",
            f"cat {neighbour}",
            token_hunt,
            f"exec 3<>/dev/tcp/127.0.0.1/{listener.getsockname()[1]}",
            "rm -rf /usr",
            f"apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: {tmp_path}/outside\n+x\n*** End Patch\nEOF\n",
            f"touch {tmp_path}/outside2 && echo x > {tmp_path}/neighbour",
            "cat /etc/passwd; true",
        ]
        cassette = model.cassette(*commands)
        cassette["exchanges"].insert(0, model.items(model.call("ls /", "esc", sandbox_permissions="require_escalated", justification="please")))
        request = make_request(codex, cassette)
        result = run_agent(request, Redactor(), process.never)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert result.outcome == "completed"
    assert [entry["command"] for entry in result.commands] == ["ls /", *commands]
    status = [entry["status"] for entry in result.commands]
    assert status[:7] == ["denied", "failed", "failed", "failed", "failed", "denied", "denied"]
    assert status[8] == "failed"
    assert all(entry["reason"] for entry in result.commands if entry["status"] != "completed")
    assert "neighbour-secret" not in json.dumps(result.commands)
    assert neighbour.read_text() == "neighbour-secret"
    assert not (tmp_path / "outside").exists() and not (tmp_path / "outside2").exists()


def test_a_read_only_workspace_cannot_be_written(codex, make_request, model):
    request = make_request(codex, model.cassette("echo x > file", 'echo x > "$TMPDIR/file"'), writable=False)
    result = run_agent(request, Redactor(), process.never)
    assert [entry["status"] for entry in result.commands] == ["failed", "completed"]
    assert os.listdir(request.workspace) == []


def test_idle_connections_of_others_do_not_end_the_run(codex, make_request, model, monkeypatch):
    """Somebody finds the relay's port before Codex does, and holds on to it."""
    from ansible_collections.day2.codex.plugins.module_utils._agent import run as run_file

    idle = []

    def listen():
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        idle.extend(socket.create_connection(listener.getsockname()) for _number in range(200))
        return listener

    monkeypatch.setattr(run_file, "listen", listen)
    try:
        result = run_agent(make_request(codex, model.cassette("true")), Redactor(), process.never)
    finally:
        for sock in idle:
            sock.close()
    assert len(idle) == 200 and (result.outcome, result.code) == ("completed", "completed"), result
    assert result.duration < 30


def test_a_command_that_still_runs_at_the_end_is_told(one_codex, run, model):
    cassette = model.cassette()
    cassette["exchanges"].insert(0, model.items(model.call("sleep 305", yield_time_ms=250)))
    result = run(one_codex, cassette)
    assert result.outcome == "completed"
    assert result.commands[0]["status"] == "failed" and "still running" in result.commands[0]["reason"]


@pytest.mark.parametrize(
    ("response", "outcome", "code"),
    [
        ({"status": 401, "body": '{"error":{"message":"bad key"}}'}, "provider_error", "provider_status_401"),
        ({"status": 429, "body": "slow down"}, "provider_error", "provider_status_429"),
        ({"status": 500, "body": "oops"}, "provider_error", "provider_status_500"),
        ({"drop": True}, "provider_error", "stream_dropped"),
    ],
)
def test_each_fault_has_its_outcome_code_and_advice(codex, run, model, response, outcome, code):
    result = run(codex, {"version": 1, "exchanges": [{"response": response}]})
    assert (result.outcome, result.code) == (outcome, code)
    assert result.message == "" and len(result.msg.split(". ")) >= 2
    if code.endswith("401"):
        assert "bad key" in result.msg and "key" in result.msg.rsplit(". ", 1)[1]


def test_a_provider_that_hangs_ends_at_the_time_limit(codex, run):
    started = time.monotonic()
    result = run(codex, {"version": 1, "exchanges": [{"response": {"hang": True}}]}, timeout=1.5)
    assert result.outcome == "timeout" and "1.5 seconds" in result.msg
    assert time.monotonic() - started < 30


def test_asking_beyond_the_cassette_ends_the_run(one_codex, run, model):
    cassette = model.cassette("echo one")
    del cassette["exchanges"][-1]
    result = run(one_codex, cassette)
    assert (result.outcome, result.code) == ("provider_error", "cassette_exhausted")


@pytest.mark.parametrize(("length", "kept"), [((1 << 20) + 10, 1 << 20), ((1 << 20) - 10, (1 << 20) - 10)])
def test_a_final_message_that_is_too_long_is_said_to_be(codex, run, model, length, kept):
    first = {"response": {"items": [model.say("not the last"), model.call("true")]}}
    result = run(codex, {"version": 1, "exchanges": [first, {"response": {"items": [model.say("\n" * length)]}}]})
    assert result.outcome == "completed" and result.message == "\n" * kept
    assert result.message_truncated is (length > kept)
    assert run(codex, model.cassette()).message_truncated is False


def test_a_refusal_is_refused(codex, run):
    refusal = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]}
    result = run(codex, {"version": 1, "exchanges": [{"response": {"items": [refusal]}}]})
    assert result.outcome == "refused" and "I will not." in result.msg


def test_the_token_limit_ends_the_run_before_more_is_done(codex, make_request, model):
    cassette = model.cassette("echo one > one", "echo two > two")
    for exchange in cassette["exchanges"]:
        exchange["response"]["usage"] = {"input_tokens": 500, "output_tokens": 100}
    request = make_request(codex, cassette, tokens=1000)
    result = run_agent(request, Redactor(), process.never)
    assert (result.outcome, result.code) == ("budget_exhausted", "token_limit")
    assert os.listdir(request.workspace) == ["one"]
    assert result.usage["total_tokens"] == 1200


def test_the_request_limit_ends_the_run(one_codex, run, model):
    result = run(one_codex, model.cassette("echo 1", "echo 2", "echo 3"), requests=2)
    assert (result.outcome, result.code) == ("budget_exhausted", "request_limit")
    assert result.usage["requests"] == 2


def test_cancelling_ends_a_running_command_soon(codex, make_request, model, living):
    request = make_request(codex, model.cassette("touch started; (setsid sleep 300 &); sleep 300"))
    begun: list[float] = []

    def cancelled():
        if os.path.exists(os.path.join(request.workspace, "started")):
            begun.append(time.monotonic())
            return "the kill switch is engaged"
        return None

    result = run_agent(request, Redactor(), cancelled)
    assert result.outcome == "killed" and "kill switch" in result.msg
    assert time.monotonic() - begun[0] < 5
    assert living(request.run_dir) == []
    assert os.listdir(request.workspace) == ["started"]


def test_the_time_limit_ends_everything_the_agent_started(codex, make_request, model, living):
    request = make_request(codex, model.cassette("(setsid sh -c 'trap : TERM HUP; sleep 301; sleep 301' &); touch started; sleep 301"), timeout=5.0)
    result = run_agent(request, Redactor(), process.never)
    assert result.outcome == "timeout" and os.path.exists(os.path.join(request.workspace, "started"))
    assert living(request.run_dir) == []


def test_what_a_finished_agent_left_running_is_ended(stub, make_request, living):
    request = make_request(
        stub("cat >/dev/null\n(setsid sh -c 'trap : TERM; sleep 302; sleep 302' >/dev/null 2>&1 &)\necho '{\"type\":\"turn.completed\"}'\n"),
        {"version": 1, "exchanges": [{"response": {"hang": True}}]},
    )
    result = run_agent(request, Redactor(), process.never)
    assert (result.outcome, result.code) == ("agent_error", "no_final_message")
    assert living(request.run_dir) == []


@pytest.mark.parametrize("body", ["kill -9 $$", "exit 1", "exit 0", 'echo \'{"type":"item.completed","item":{"type":"agent_message","text":"hi"}}\'; exit 0'])
def test_an_exit_status_is_no_success(stub, run, body):
    result = run(stub(body), {"version": 1, "exchanges": [{"response": {"hang": True}}]})
    assert result.outcome == "agent_error"


@pytest.fixture
def without_namespaces(tmp_path):
    """Makes a program that runs Codex where no user namespace can be made, so that its sandbox cannot start."""

    def make(codex_path):
        # A package like Codex's own: what lies elsewhere need not be there for the agent.
        package = tmp_path / "without-namespaces"
        (package / "bin").mkdir(parents=True)
        (package / "codex-package.json").write_text('{"version": "1.2.3"}')
        shutil.copytree(os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(codex_path))), "codex-resources"), package / "codex-resources")
        try:
            os.link(os.path.realpath(codex_path), package / "bin" / "real")
        except OSError:
            shutil.copy(codex_path, package / "bin" / "real")
        path = package / "bin" / "codex"
        inner = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" "$@"'
        path.write_text(f'#!/bin/sh\nexec unshare -Ur sh -c \'{inner}\' "${{0%/*}}/real" "$@"\n')
        path.chmod(0o755)
        return str(path)

    return make


def test_a_sandbox_that_does_not_start_is_no_success(codex, run, model, without_namespaces):
    result = run(without_namespaces(codex), model.cassette("echo hi > file", final="all is well"))
    assert (result.outcome, result.code) == ("sandbox_unavailable", "sandbox_failed")
    assert "namespace" in result.msg and result.commands[0]["status"] == "failed"


def test_the_preflight_tells_a_sandbox_that_does_not_start(codex, without_namespaces, tmp_path):
    stamps = tmp_path / "stamps"
    stamps.mkdir()
    with pytest.raises(CodexOpsError) as caught:
        sandbox.preflight(without_namespaces(codex), str(tmp_path), str(stamps))
    assert caught.value.outcome == "sandbox_unavailable" and "max_user_namespaces" in str(caught.value)
    assert os.listdir(stamps) == []


_FLOOD = """
import sys, json
from ansible_collections.day2.codex.plugins.module_utils._agent.request import AgentRequest
from ansible_collections.day2.codex.plugins.module_utils._agent.run import run_agent
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor
result = run_agent(AgentRequest(**json.load(sys.stdin)), Redactor(), lambda: None)
sys.stdout.write(f"{int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])} {result.message} {len(result.warnings)}")
"""


def test_two_hundred_megabytes_of_events_leave_the_engine_small(stub, make_request):
    flood = (
        'cat >/dev/null; head -c 100000000 /dev/zero | tr \'\\0\' x; echo; yes \'{"type":"item.updated","item":{}}\' | head -c 100000040; '
        """echo; echo '{"type":"item.completed","item":{"type":"agent_message","text":"end"}}'; echo '{"type":"turn.completed"}'\n"""
    )
    request = make_request(stub(flood), {"version": 1, "exchanges": [{"response": {"hang": True}}]})
    done = subprocess.run(
        [sys.executable, "-c", _FLOOD],
        input=json.dumps(request.__dict__),
        env={**os.environ, "PYTHONPATH": _root()},
        capture_output=True,
        text=True,
        check=True,
    )
    peak, message, warnings = done.stdout.split()
    assert message == "end" and int(warnings) >= 1
    assert int(peak) < 60 * 1024, "kilobytes"


_ENGINE = """
import sys
from ansible_collections.day2.codex.plugins.module_utils._agent.request import AgentRequest
from ansible_collections.day2.codex.plugins.module_utils._agent.run import run_agent
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor
import json
run_agent(AgentRequest(**json.load(sys.stdin)), Redactor(), lambda: None)
"""


def test_killing_the_engine_leaves_nothing_alive(codex, make_request, model, living, wait_for):
    request = make_request(codex, model.cassette("touch started; (setsid sleep 303 &); sleep 303"))
    environment = {**os.environ, "PYTHONPATH": _root()}
    engine = subprocess.Popen([sys.executable, "-c", _ENGINE], stdin=subprocess.PIPE, env=environment)
    engine.stdin.write(json.dumps(request.__dict__).encode())
    engine.stdin.close()
    wait_for(lambda: os.path.exists(os.path.join(request.workspace, "started")))
    assert living(request.run_dir)
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    wait_for(lambda: not living(request.run_dir), seconds=3)


def test_a_codex_that_notices_nothing_dies_with_the_engine(stub, make_request, living, wait_for):
    request = make_request(stub("exec sleep 306\n"), {"version": 1, "exchanges": [{"response": {"hang": True}}]})
    engine = subprocess.Popen([sys.executable, "-c", _ENGINE], stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": _root()})
    engine.stdin.write(json.dumps(request.__dict__).encode())
    engine.stdin.close()
    wait_for(lambda: living(request.run_dir))
    engine.kill()
    engine.wait()
    wait_for(lambda: not living(request.run_dir), seconds=3)


def test_leftovers_of_a_killed_engine_are_found_by_their_run_folder(stub, make_request, living, wait_for):
    request = make_request(
        stub("cat >/dev/null\n(setsid sleep 304 >/dev/null 2>&1 &)\nsleep 304\n"), {"version": 1, "exchanges": [{"response": {"hang": True}}]}
    )
    engine = subprocess.Popen([sys.executable, "-c", _ENGINE], stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": _root()})
    engine.stdin.write(json.dumps(request.__dict__).encode())
    engine.stdin.close()
    wait_for(lambda: len(living(request.run_dir)) >= 3)
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    assert process.end_leftovers(request.run_dir)
    assert living(request.run_dir) == []


def test_the_run_folder_of_a_dead_engine_is_swept_and_nobody_else_is_touched(stub, make_request, living, wait_for, tmp_path):
    body = "cat >/dev/null\nmkdir -p deep/er; touch deep/er/file; chmod 0 deep/er deep; ln -s / deep-link; (setsid sleep 307 >/dev/null 2>&1 &)\nsleep 307\n"
    engines, requests = [], []
    for _number in range(2):
        request = make_request(stub(body), {"version": 1, "exchanges": [{"response": {"hang": True}}]})
        os.rename(request.workspace, os.path.join(request.run_dir, "workspace"))
        request = dataclasses.replace(request, workspace=os.path.join(request.run_dir, "workspace"))
        engine = subprocess.Popen([sys.executable, "-c", _ENGINE], stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": _root()})
        engine.stdin.write(json.dumps(request.__dict__).encode())
        engine.stdin.close()
        engines.append(engine)
        requests.append(request)
    dead, other = (request.run_dir for request in requests)
    try:
        wait_for(lambda: len(living(dead)) >= 3 and len(living(other)) >= 3)
        engines[0].kill()
        engines[0].wait()
        with open(os.path.join(dead, "transcript.jsonl"), "w", encoding="ascii") as stream:
            stream.write("kept")
        others = living(other)
        assert folder.sweep(dead)
        assert living(dead) == [] and os.listdir(dead) == ["transcript.jsonl"]
        assert living(other) == others and os.path.isdir(os.path.join(other, "agent"))
        assert folder.sweep(dead) == [] and folder.sweep(os.path.join(dead, "gone")) == []
    finally:
        for engine in engines:
            engine.kill()
            engine.wait()
        folder.sweep(other)


def _root():
    module = sys.modules["ansible_collections.day2.codex.plugins.module_utils._agent.run"]
    return module.__file__.split("/ansible_collections/")[0]


def test_a_missing_binary_says_so(run, model, tmp_path):
    result = run(str(tmp_path / "nothing"), model.cassette())
    assert (result.outcome, result.code) == ("agent_error", "binary_missing") and "nothing" in result.msg


def test_secrets_of_the_run_are_masked_everywhere(one_codex, make_request, model, tmp_path):
    path = str(tmp_path / "transcript.jsonl")
    secret = "hunter2-hunter2"
    request = make_request(one_codex, model.cassette(f"echo {secret}", final=f"it is {secret}"), prompt=f"Use {secret}.")
    result = run_agent(request, Redactor([secret]), process.never, path)
    with open(path, encoding="utf-8") as stream:
        text = stream.read() + json.dumps(result.__dict__)
    assert result.outcome == "completed" and secret not in text and "[redacted:known_value:" in result.message


def test_a_workspace_that_is_not_there_says_so(one_codex, run, model, tmp_path):
    result = run(one_codex, model.cassette(), workspace=str(tmp_path / "gone"))
    assert (result.outcome, result.code) == ("agent_error", "not_started") and "gone" in result.msg


def test_misuse_is_told_before_anything_runs(one_codex, make_request, model):
    with pytest.raises(CodexOpsError, match="at most 32768"):
        run_agent(make_request(one_codex, model.cassette(), contract="x" * 40000), Redactor(), process.never)
    with pytest.raises(CodexOpsError, match="exchanges"):
        run_agent(make_request(one_codex, {"version": 1, "exchanges": []}), Redactor(), process.never)
    request = make_request(one_codex, model.cassette())
    os.chmod(request.run_dir, 0o755)
    with pytest.raises(CodexOpsError, match="0700"):
        run_agent(request, Redactor(), process.never)


def test_cleaning_up_survives_what_an_agent_leaves(tmp_path):
    root = tmp_path / "agent"
    deep = root / "scratch"
    deep.mkdir(parents=True)
    keep = tmp_path / "keep"
    keep.write_text("kept")
    (deep / "link").symlink_to(tmp_path)
    os.mkfifo(deep / "fifo")
    (deep / "closed").mkdir()
    (deep / "closed" / "file").write_text("x")
    (deep / "closed").chmod(0)
    cleanup(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["keep"]
