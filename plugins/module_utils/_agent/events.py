# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the JSON Lines that ``codex exec --json`` writes, with bounded memory. PRIVATE.

The stream only tells of the protocol: the final message, errors and whether the turn ended. It leaves out what was
denied, and some commands that failed, so the list of commands comes from the model traffic instead (``transcript``).
"""

from __future__ import annotations

import json
import typing as t

#: Longest line (bytes) that is looked at; longer ones are skipped to their newline and counted.
MAX_LINE = 1024 * 1024
#: Most errors that are kept.
MAX_ERRORS = 20

_KNOWN = frozenset(("thread.started", "turn.started", "turn.completed", "turn.failed", "item.started", "item.updated", "item.completed", "error"))


class EventStream:
    """Fed with chunks of bytes as they arrive; keeps only what the judgement of the run needs."""

    def __init__(self) -> None:
        self.thread_id = ""
        self.message: str | None = None
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self.turn_completed = False
        self.turn_failed = ""
        self.usage: dict[str, int] = {}
        self.lines = 0
        self.too_long = 0
        self.broken = 0
        self.unknown = 0
        self._line = bytearray()
        self._skipping = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        start = 0
        while True:
            end = chunk.find(b"\n", start)
            piece_end = len(chunk) if end < 0 else end
            if not self._skipping:
                if len(self._line) + piece_end - start > MAX_LINE:
                    self._skipping = True
                    self.too_long += 1
                    # It may have been the newer message; the model traffic has it.
                    self.message = None
                    self._line.clear()
                else:
                    self._line += chunk[start:piece_end]
            if end < 0:
                return
            self._end_line()
            start = end + 1

    def close(self) -> None:
        """The stream ended: what stands without a newline is a line too."""
        self._end_line()

    def _end_line(self) -> None:
        line, self._line = self._line, bytearray()
        skipped, self._skipping = self._skipping, False
        if skipped or not line.strip():
            return
        self.lines += 1
        try:
            event = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            self.broken += 1
            return
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            self.broken += 1
            return
        self._take(event)

    def _take(self, event: dict[str, t.Any]) -> None:
        kind = event["type"]
        if kind not in _KNOWN:
            self.unknown += 1
        elif kind == "thread.started":
            self.thread_id = str(event.get("thread_id", ""))[:200]
        elif kind == "turn.completed":
            self.turn_completed = True
            usage = event.get("usage")
            if isinstance(usage, dict):
                self.usage = {key: value for key, value in usage.items() if isinstance(value, int)}
        elif kind == "turn.failed":
            self.turn_failed = _error_text(event.get("error")) or "the turn failed"
        elif kind == "error":
            self._keep(self.errors, _error_text(event))
        elif kind == "item.completed":
            item = event.get("item")
            if not isinstance(item, dict):
                self.broken += 1
            elif item.get("type") == "agent_message":
                self.message = str(item.get("text", ""))
            elif item.get("type") == "error":
                self._keep(self.warnings, _error_text(item))

    @staticmethod
    def _keep(where: list[str], text: str) -> None:
        if text and len(where) < MAX_ERRORS:
            where.append(text)


def _error_text(value: t.Any) -> str:
    """The words of an error event, at most 2000 characters."""
    if isinstance(value, dict):
        value = value.get("message", "")
    return value[:2000] if isinstance(value, str) else ""
