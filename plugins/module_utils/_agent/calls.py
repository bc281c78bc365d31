# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one tool call was, and what became of it, read from Codex's own words. PRIVATE.

Only the header that Codex writes is trusted. What follows it is the command's own output, which a hostile command chooses:
it may make a call look worse (a refused access), never better.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

#: Longest command and reason (characters) in a result.
MAX_COMMAND = 4000
MAX_REASON = 500

_EXITED = re.compile(r"^Process exited with code (-?\d+)$")
_RUNNING = re.compile(r"^Process running with session ID (\d+)$")
_PATCH_EXIT = re.compile(r"\AExit code: (-?\d+)\n")
_DENIED = re.compile(r"reject|denied|blocked|forbid|not permitted|not allowed|approval|disallow", re.IGNORECASE)
_FAILED = re.compile(r"unsupported call|failed|error|unknown|invalid|aborted|unable|could not|cannot", re.IGNORECASE)
_REFUSED_LINE = re.compile(
    r"^[^\n:]{1,200}: [^\n]{0,400}(?:Permission denied|Operation not permitted|Read-only file system)\.?$|^[^\n]{0,200}PermissionError: [^\n]{1,300}$",
    re.MULTILINE,
)
# How the sandbox's own failures begin: nothing of the command has run then, so they are the whole of the output.
_SANDBOX_FAILED = re.compile(
    r"\A\s*(?:bwrap: |error building bubblewrap command: |bundled bubblewrap |bubblewrap |codex-linux-sandbox: |"
    r"thread '[^'\n]*'[^\n]* panicked at [^\n]*linux-sandbox)"
)
_SANDBOX_LINES = 8
#: The tool that waits for a running command, or types into it. A call of this text types nothing.
WAITING = "write_stdin"
_COMMAND_TOOLS = ("exec_command", "shell", "shell_command", "local_shell", "container.exec")


@dataclasses.dataclass
class Call:
    """One tool call. ``status`` is empty until its outcome is known."""

    call_id: str
    name: str
    command: str
    status: str = ""
    exit_code: int | None = None
    reason: str = ""
    session: str = ""
    sandbox_failed: bool = False

    def as_dict(self) -> dict[str, t.Any]:
        """The form in which results carry it."""
        if self.status:
            return {"command": self.command, "status": self.status, "exit_code": self.exit_code, "reason": self.reason}
        reason = "it was still running when the run ended" if self.session else "the run ended before its outcome was known"
        return {"command": self.command, "status": "failed", "exit_code": None, "reason": reason}


def parse_call(item: dict[str, t.Any]) -> Call | None:
    """The tool call in a response item, or ``None`` for other items."""
    kind = item.get("type")
    call_id = str(item.get("call_id") or item.get("id") or "")[:200]
    name = str(item.get("name", ""))[:200]
    if kind == "function_call":
        arguments = str(item.get("arguments", ""))
        try:
            fields = json.loads(arguments)
        except (ValueError, RecursionError):
            fields = None
        fields = fields if isinstance(fields, dict) else {}
        if name == WAITING:
            # Codex asks neither its rules nor a hook about what is typed into a command that runs.
            typed = str(fields.get("chars") or "")
            return Call(call_id, name, _cap(f"{WAITING} {typed}", MAX_COMMAND) if typed else WAITING, session=str(fields.get("session_id", ""))[:50])
        if name in _COMMAND_TOOLS:
            command = fields.get("cmd", fields.get("command", arguments))
            return Call(call_id, name, _command_text(command))
        return Call(call_id, name, _cap(f"{name} {arguments}", MAX_COMMAND))
    if kind == "custom_tool_call":
        return Call(call_id, name, _cap(f"{name}\n{item.get('input', '')}", MAX_COMMAND))
    if kind == "local_shell_call":
        action = item.get("action")
        return Call(call_id, "local_shell", _command_text(action.get("command", "") if isinstance(action, dict) else ""))
    return None


def _command_text(command: t.Any) -> str:
    if isinstance(command, list):
        import shlex

        command = " ".join(shlex.quote(str(word)) for word in command)
    return _cap(str(command), MAX_COMMAND)


def _cap(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 15] + "... (shortened)"


def judge(call: Call, output: str) -> str:
    """Set the outcome of *call* from the *output* that Codex sent to the model. Returns the session, when it still runs."""
    header, body = _split(output)
    if header is None:
        _judge_plain(call, output)
        return ""
    for line in header:
        running = _RUNNING.match(line)
        if running:
            call.session = running.group(1)
            return call.session
        exited = _EXITED.match(line)
        if exited:
            _judge_exit(call, int(exited.group(1)), body)
            return ""
    # Without a "Process" line no command ran: Codex itself applied a patch.
    patched = _PATCH_EXIT.match(body)
    if patched:
        _judge_exit(call, int(patched.group(1)), body)
    else:
        call.status = "completed"
    return ""


def _split(output: str) -> tuple[list[str] | None, str]:
    """Header lines and body; no header when Codex wrote none."""
    if output.startswith("Exit code: "):
        return ["Output:"], output
    if not output.startswith(("Chunk ID: ", "Wall time: ")):
        return None, output
    head, found, body = output.partition("\nOutput:\n")
    if not found:
        head = output[:-8] if output.endswith("\nOutput:") else output
    return head[:4000].split("\n"), body


def _judge_exit(call: Call, code: int, body: str) -> None:
    call.exit_code = code
    call.sandbox_failed = code != 0 and bool(_SANDBOX_FAILED.match(body)) and body.count("\n") <= _SANDBOX_LINES
    if call.sandbox_failed:
        call.status, call.reason = "failed", _cap(" ".join(body.split()), MAX_REASON)
        return
    refused = _REFUSED_LINE.search(body)
    call.status = "completed" if code == 0 and refused is None else "failed"
    if refused is not None:
        call.reason = _cap(refused.group().strip(), MAX_REASON)
    elif code != 0:
        lines = [line.strip() for line in body[-20000:].splitlines() if line.strip()]
        call.reason = _cap(lines[-1], MAX_REASON) if lines else f"exit status {code}"


def _judge_plain(call: Call, output: str) -> None:
    """A call that never ran as a process, or a tool other than a command."""
    text = output.strip()
    if call.name == "exec" and text.startswith("Script "):
        call.status = "completed" if text.startswith("Script completed") else "failed"
        call.reason = "" if call.status == "completed" else _cap(text, MAX_REASON)
        return
    short = text[:4000]
    if call.name in (*_COMMAND_TOOLS, "apply_patch", WAITING):
        call.status = "denied" if _DENIED.search(short) else "failed"
    elif _DENIED.search(short) and len(text) < 2000:
        call.status = "denied"
    else:
        call.status = "failed" if _FAILED.search(short[:200]) else "completed"
    if call.status != "completed":
        call.reason = _cap(_inner(text), MAX_REASON) or "no reason was given"
        call.sandbox_failed = bool(_SANDBOX_FAILED.match(text))


def _inner(text: str) -> str:
    """The reason inside Codex's nested quoting: ``CreateProcess { message: "Rejected(\\"...\\")" }``."""
    match = re.search(r'Rejected\(\\"(.*)\\"\)', text, re.DOTALL)
    return match.group(1) if match else text
