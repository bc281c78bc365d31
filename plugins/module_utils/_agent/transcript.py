# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole conversation with the model, redacted, and the list of commands made from it. PRIVATE.

``codex exec --json`` leaves out what a sandbox, a rule, a hook or the approval policy denied; the traffic has it all.
"""

from __future__ import annotations

import json
import os
import threading
import time
import typing as t

from .._trail.redaction import Redactor
from .calls import WAITING, Call, judge, parse_call
from .cassette import asked, input_items, output_text
from .ledger import Exchange

#: Most tool calls that are listed; more are counted.
MAX_CALLS = 2000
#: Longest transcript (bytes) on disk.
MAX_FILE = 64 * 1024 * 1024


class Transcript:
    """Fed by the relay's threads, request by request and response by response.

    :arg path: File to write as JSON Lines (mode 0600), or ``None``.
    """

    def __init__(self, redactor: Redactor, path: str | None = None) -> None:
        self._redactor = redactor
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._by_id: dict[str, list[Call]] = {}
        self._sessions: dict[str, Call] = {}
        self._seen = 0
        self._room = MAX_FILE
        self._fd = -1
        #: Calls beyond MAX_CALLS, which are not listed.
        self.unlisted = 0
        #: Whether Codex ran in "code mode", whose inner commands the traffic does not show.
        self.code_mode = False
        if path is not None:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            os.fchmod(self._fd, 0o600)

    def request(self, exchange: Exchange) -> None:
        """Take a request: it carries the outcomes of the calls before it."""
        with self._lock:
            self._resolve(exchange.body)
            self._write("request", asked(exchange.body, self._seen))
            self._seen = len(input_items(exchange.body))

    def response(self, exchange: Exchange) -> None:
        """Take a response that ended: its tool calls, or its fault."""
        with self._lock:
            for item in exchange.items:
                call = parse_call(item)
                if call is None:
                    continue
                if call.name == "exec" and item.get("type") == "custom_tool_call":
                    self.code_mode = True
                self._by_id.setdefault(call.call_id, []).append(call)
                if call.command == WAITING and call.session in self._sessions:
                    continue
                if len(self._calls) < MAX_CALLS:
                    self._calls.append(call)
                else:
                    self.unlisted += 1
            fields: dict[str, t.Any] = {"items": exchange.items, "usage": exchange.usage}
            self._write("response", {**fields, **({"fault": exchange.fault} if exchange.fault else {})})

    def _resolve(self, body: dict[str, t.Any]) -> None:
        """Give each call its outcome. Outputs are matched in order, because a call_id may be used twice."""
        used: dict[str, int] = {}
        for item in input_items(body):
            if not str(item.get("type", "")).endswith("_output"):
                continue
            call_id = str(item.get("call_id", ""))[:200]
            number = used.get(call_id, 0)
            used[call_id] = number + 1
            calls = self._by_id.get(call_id, [])
            if number >= len(calls) or calls[number].status:
                continue
            call = calls[number]
            output = output_text(item.get("output"))
            if call.name == WAITING:
                self._poll(call, output)
            elif not call.session:
                session = judge(call, output)
                if session:
                    self._sessions[session] = call

    def _poll(self, poll: Call, output: str) -> None:
        """The outcome of writing to, or waiting for, a running command belongs to that command."""
        target = self._sessions.get(poll.session)
        # A session in the answer means that the command is still running.
        if judge(poll, output) or target is None:
            poll.status = poll.status or "completed"
            return
        if not target.status:
            target.status, target.exit_code, target.reason = poll.status, poll.exit_code, poll.reason

    def commands(self) -> list[dict[str, t.Any]]:
        """Every tool call in order, redacted."""
        with self._lock:
            return [t.cast("dict[str, t.Any]", self._redactor.data(call.as_dict())) for call in self._calls]

    def sandbox_failed(self) -> str:
        """The first error of the sandbox, when no command ever got past it; else nothing."""
        with self._lock:
            ran = [call for call in self._calls if call.status in ("completed", "failed") and (call.exit_code is not None or call.sandbox_failed)]
            if ran and all(call.sandbox_failed for call in ran):
                return self._redactor.text(ran[0].reason)
            return ""

    def _write(self, event: str, fields: dict[str, t.Any]) -> None:
        if self._fd < 0 or self._room <= 0:
            return
        line = json.dumps({"time": round(time.time(), 3), "event": event, **self._redactor.data(fields)}, ensure_ascii=True).encode() + b"\n"
        self._room -= len(line)
        try:
            view = memoryview(line if self._room > 0 else b'{"event": "cut"}\n')
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            self._room = 0

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
