# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of the list of commands, made from the traffic with the model."""

from __future__ import annotations

import json

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent.ledger import Exchange
from ansible_collections.day2.codex.plugins.module_utils._agent.transcript import MAX_CALLS, Transcript
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor

HEADER = "Chunk ID: abc123\nWall time: 0.1 seconds\n{}\nOriginal token count: 1\nOutput:\n{}"


def exited(code, body=""):
    return HEADER.format(f"Process exited with code {code}", body)


def running(session, body=""):
    return HEADER.format(f"Process running with session ID {session}", body)


def commands(*pairs, redactor=None):
    """The commands after calls and their outputs, given in order."""
    transcript = Transcript(redactor or Redactor())
    history = []
    for call, output in pairs:
        transcript.response(Exchange({}, items=[call]))
        history.append(call)
        if output is not None:
            history.append({"type": f"{call['type']}_output", "call_id": call["call_id"], "output": output})
        transcript.request(Exchange({"input": list(history)}))
    return transcript.commands(), transcript


def one(output, cmd="do it", name="exec_command"):
    listed, transcript = commands(({"type": "function_call", "call_id": "c1", "name": name, "arguments": json.dumps({"cmd": cmd})}, output))
    return listed[0], transcript


def poll(session, call_id, chars=""):
    return {"type": "function_call", "call_id": call_id, "name": "write_stdin", "arguments": json.dumps({"session_id": session, "chars": chars})}


def start(cmd, call_id):
    return {"type": "function_call", "call_id": call_id, "name": "exec_command", "arguments": json.dumps({"cmd": cmd})}


@pytest.mark.parametrize(
    ("output", "status", "code", "reason"),
    [
        (exited(0, "fine\n"), "completed", 0, ""),
        (exited(3, "first\nlast word\n"), "failed", 3, "last word"),
        (exited(3), "failed", 3, "exit status 3"),
        (exited(-1, "x"), "failed", -1, "x"),
        (exited(0, "cat: /etc/shadow: Permission denied\nmore\n"), "failed", 0, "cat: /etc/shadow: Permission denied"),
        (exited(1, "sh: 1: cannot create /x: Read-only file system\nbye"), "failed", 1, "sh: 1: cannot create /x: Read-only file system"),
        (exited(1, "Process exited with code 0\nOutput:\nfake"), "failed", 1, "fake"),
        ("Process exited with code 0\nOutput:\nno header of Codex", "failed", None, "Process exited with code 0\nOutput:\nno header of Codex"),
        ("Wall time: 0.1 seconds\nOutput:\nExit code: 0\nWall time: 0.1 seconds\nOutput:\nSuccess.", "completed", 0, ""),
        ("Wall time: 0.1 seconds\nOutput:\nExit code: 1\nWall time: 0.1 seconds\nOutput:\nno match", "failed", 1, "no match"),
        (
            'exec_command failed: CreateProcess { message: "Rejected(\\"`rm -rf /` rejected: not permitted\\")" }',
            "denied",
            None,
            "`rm -rf /` rejected: not permitted",
        ),
        (
            "patch rejected: writing outside of the project; rejected by user approval settings",
            "denied",
            None,
            "patch rejected: writing outside of the project; rejected by user approval settings",
        ),
        ("approval policy is Never; reject command", "denied", None, "approval policy is Never; reject command"),
        ("Command blocked by PreToolUse hook: no curl", "denied", None, "Command blocked by PreToolUse hook: no curl"),
        ("failed to parse function arguments", "failed", None, "failed to parse function arguments"),
        ("", "failed", None, "no reason was given"),
    ],
)
def test_the_header_of_codex_decides(output, status, code, reason):
    listed, _transcript = one(output)
    assert listed == {"command": "do it", "status": status, "exit_code": code, "reason": reason}


def test_a_call_without_outcome_failed():
    assert one(None)[0]["status"] == "failed" and "before its outcome" in one(None)[0]["reason"]
    assert "still running" in one(running(7))[0]["reason"]


def test_polling_belongs_to_the_command_that_runs():
    listed, _transcript = commands(
        (start("slow", "a"), running(41)),
        (start("other", "b"), running(42)),
        (poll(41, "c"), running(41)),
        (poll(42, "d"), exited(0)),
        (poll(41, "e"), exited(5, "end")),
        (poll(99, "f"), "write_stdin failed: Unknown process id 99"),
    )
    assert [(entry["command"], entry["status"], entry["exit_code"]) for entry in listed] == [
        ("slow", "failed", 5),
        ("other", "completed", 0),
        ("write_stdin", "failed", None),
    ]


def test_what_is_typed_into_a_running_command_is_listed():
    listed, _transcript = commands(
        (start("cat | sh", "a"), running(41)), (poll(41, "b", "curl x\n"), running(41)), (poll(41, "c", "exit 3\n"), exited(3, "end"))
    )
    assert [(entry["command"], entry["status"], entry["exit_code"]) for entry in listed] == [
        ("cat | sh", "failed", 3),
        ("write_stdin curl x\n", "completed", None),
        ("write_stdin exit 3\n", "failed", 3),
    ]


def test_a_call_id_used_twice_is_two_calls():
    listed, _transcript = commands((start("one", "c1"), exited(0)), (start("two", "c1"), exited(4)))
    assert [(entry["command"], entry["exit_code"]) for entry in listed] == [("one", 0), ("two", 4)]


def test_every_kind_of_call_is_listed():
    pairs = [
        ({"type": "custom_tool_call", "call_id": "1", "name": "apply_patch", "input": "*** Begin"}, "Exit code: 1\nWall time: 0 seconds\nOutput:\nbad"),
        ({"type": "local_shell_call", "call_id": "2", "action": {"command": ["ls", "a b"]}}, exited(0)),
        ({"type": "function_call", "call_id": "3", "name": "update_plan", "arguments": "{}"}, "Plan updated"),
        ({"type": "function_call", "call_id": "4", "name": "no_such", "arguments": "{}"}, "unsupported call: no_such"),
        ({"type": "function_call", "call_id": "5", "name": "exec_command", "arguments": "not json"}, exited(0)),
        (
            {"type": "custom_tool_call", "call_id": "6", "name": "exec", "input": "text(1)"},
            [{"type": "input_text", "text": "Script completed\nWall time 0.1 seconds\nOutput:\n"}],
        ),
    ]
    listed, transcript = commands(*pairs)
    assert [(entry["command"], entry["status"]) for entry in listed] == [
        ("apply_patch\n*** Begin", "failed"),
        ("ls 'a b'", "completed"),
        ("update_plan {}", "completed"),
        ("no_such {}", "failed"),
        ("not json", "completed"),
        ("exec\ntext(1)", "completed"),
    ]
    assert transcript.code_mode


def test_what_a_sandbox_says_that_did_not_start():
    for words in (
        "bwrap: No permissions to create a new namespace\n",
        "error building bubblewrap command: app-server socket directory must be a user-owned directory with mode 0700\n",
        "thread 'main' (1) panicked at linux-sandbox/src/launcher.rs:60:13:\nbubblewrap is unavailable\n",
    ):
        assert one(exited(1, words))[1].sandbox_failed()
    assert one(exited(1, "fine\nbwrap: no\n"))[1].sandbox_failed() == ""
    _listed, mixed = commands((start("a", "a"), exited(1, "bwrap: no\n")), (start("b", "b"), exited(0, "ok")))
    assert mixed.sandbox_failed() == ""
    assert one("approval policy is Never; reject command")[1].sandbox_failed() == ""


def test_lengths_and_numbers_are_bounded_and_secrets_masked():
    listed, _transcript = commands((start("x" * 100000, "a"), exited(1, "hunter2-secret " + "y" * 100000)), redactor=Redactor(["hunter2-secret"]))
    assert len(listed[0]["command"]) <= 4000 and len(listed[0]["reason"]) <= 600 and "hunter2" not in listed[0]["reason"]
    transcript = Transcript(Redactor())
    for number in range(MAX_CALLS + 5):
        transcript.response(Exchange({}, items=[start("x", str(number))]))
    assert len(transcript.commands()) == MAX_CALLS and transcript.unlisted == 5


def test_the_file_is_ours_alone_and_no_link_is_followed(tmp_path):
    path = tmp_path / "t.jsonl"
    transcript = Transcript(Redactor(["hunter2-secret"]), str(path))
    transcript.response(Exchange({}, items=[start("echo hunter2-secret", "a")]))
    transcript.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in path.read_text() and json.loads(path.read_text())["event"] == "response"
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError):
        Transcript(Redactor(), str(tmp_path / "link"))
