# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run went, judged by us: the exit status of Codex tells of its protocol, not of the work. PRIVATE."""

from __future__ import annotations

import typing as t

from .._trail.redaction import Redactor
from . import disk
from .ending import NAMESPACE_ADVICE, SANDBOX_ADVICE, Ending
from .ledger import Ledger
from .request import AgentRequest, AgentResult
from .transcript import Transcript


def judge(request: AgentRequest, ending: Ending, ledger: Ledger, transcript: Transcript, masks: Redactor) -> AgentResult:
    """The result of a run that ended."""
    # Codex's own word counts, except for a message that was too long for its line.
    own = None if ledger.message_truncated else ending.events.message
    message = masks.text(ledger.message if own is None else own)
    outcome, code, msg = _verdict(request, ending, ledger, transcript, message)
    return AgentResult(
        outcome=outcome,
        msg=masks.text(msg),
        code=code,
        message=message,
        message_truncated=own is None and ledger.message_truncated,
        commands=transcript.commands(),
        usage=dict(ledger.usage),
        codex_version="",
        duration=0.0,
        warnings=[masks.text(text) for text in _warnings(ending, ledger, transcript)],
    )


def _verdict(request: AgentRequest, ending: Ending, ledger: Ledger, transcript: Transcript, message: str) -> tuple[str, str, str]:
    events = ending.events
    if disk.says_full(ending.not_entered) or disk.says_full(ending.not_started):
        return disk.OUTCOME, disk.CODE, disk.message(request.run_dir)
    if ending.not_entered:
        return "sandbox_unavailable", "identity_failed", f"The agent could not be given {ending.not_entered}. {NAMESPACE_ADVICE}"
    if ending.not_started:
        advice = "Install it, or give its path as codex_path." if ending.missing else "Look at its file and modes."
        code = "binary_missing" if ending.missing else "not_started"
        return "agent_error", code, f"The Codex CLI {request.codex_path} could not be started: {ending.not_started}. {advice}"
    if ending.cancelled is not None:
        return "killed", "cancelled", f"The run was ended: {ending.cancelled}."
    if ending.timed_out:
        return "timeout", "timeout", f"The run reached its time limit of {request.timeout:g} seconds. Narrow the task, or raise limits.timeout."
    if ledger.verdict is not None:
        return ledger.verdict.outcome, ledger.verdict.code, ledger.verdict.msg
    sandbox = transcript.sandbox_failed()
    completed = events.turn_completed and ending.exit_code == 0
    if disk.says_full(sandbox) or (not completed and any(disk.says_full(said) for said in (ending.stderr, events.turn_failed, *events.errors))):
        return disk.OUTCOME, disk.CODE, disk.message(request.run_dir)
    if sandbox:
        return "sandbox_unavailable", "sandbox_failed", f"The sandbox did not start: {sandbox}. {SANDBOX_ADVICE}"
    if completed:
        if ledger.refusal:
            return "refused", "model_refused", f"The model refused the task: {ledger.refusal}"
        if message:
            return "completed", "completed", "The agent completed its turn."
        return "agent_error", "no_final_message", "The agent ended its turn without a final message."
    said = events.turn_failed or (events.errors[-1] if events.errors else "") or _last_lines(ending.stderr)
    if ending.exit_code is not None and ending.exit_code < 0:
        return "agent_error", "codex_died", f"The Codex CLI was ended by signal {-ending.exit_code}. {said}".strip()
    if ledger.usage["requests"] == 0 and ending.exit_code:
        return "agent_error", "codex_start_failed", f"The Codex CLI ended with status {ending.exit_code} before it asked the model: {said}"
    return "agent_error", "turn_not_completed", f"The Codex CLI ended with status {ending.exit_code} without a completed turn: {said}"


def _warnings(ending: Ending, ledger: Ledger, transcript: Transcript) -> t.Iterator[str]:
    yield from ledger.notes
    yield from ending.events.warnings
    events = ending.events
    for count, what in ((events.too_long, "too long"), (events.broken, "broken"), (events.unknown, "of an unknown kind")):
        if count:
            yield f"{count} lines of Codex's event stream were {what}"
    if transcript.unlisted:
        yield f"{transcript.unlisted} more tool calls are not listed; the transcript has them"
    if transcript.code_mode:
        yield "the model used code mode: commands inside its scripts are not listed one by one"
    if ending.survivors:
        yield "processes that could not be ended: " + ", ".join(str(pid) for pid in ending.survivors)


def _last_lines(text: str) -> str:
    """The end of standard error, at most 500 characters."""
    return " ".join(text.split())[-500:] or "it said nothing"
