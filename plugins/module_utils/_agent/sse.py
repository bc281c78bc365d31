# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Server-sent events of the Responses API: written for replay, read while they pass through. PRIVATE."""

from __future__ import annotations

import json
import typing as t

from .ledger import Exchange, flat_usage

#: Longest single event (bytes) that is looked at; a longer one still passes through.
MAX_EVENT = 32 * 1024 * 1024


def event(kind: str, **fields: t.Any) -> bytes:
    """One event as it goes over the wire."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def response_events(number: int, items: t.Iterable[dict[str, t.Any]], usage: dict[str, int]) -> t.Iterator[bytes]:
    """A whole response, event by event."""
    name = f"resp_{number}"
    yield event("response.created", response={"id": name})
    for item in items:
        yield event("response.output_item.done", item=item)
    wire = {
        "input_tokens": usage["input_tokens"],
        "input_tokens_details": {"cached_tokens": usage["cached_input_tokens"]},
        "output_tokens": usage["output_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }
    yield event("response.completed", response={"id": name, "usage": wire})


class Reader:
    """Fed with the bytes of a stream; fills an :class:`Exchange` and notes failures.

    ``failure`` is the provider's own words when the response failed or is incomplete.
    """

    _WANTED = ("response.output_item.done", "response.completed", "response.failed", "response.incomplete", "error")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.failure = ""
        self.skipped = 0
        self._line = bytearray()
        self._kind = ""
        self._data = bytearray()
        self._too_long = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        start = 0
        while True:
            end = chunk.find(b"\n", start)
            piece = chunk[start:] if end < 0 else chunk[start:end]
            if len(self._line) + len(piece) > MAX_EVENT:
                self._too_long = True
                self._line.clear()
            elif not self._too_long:
                self._line += piece
            if end < 0:
                return
            self._take_line(bytes(self._line.rstrip(b"\r")))
            self._line.clear()
            start = end + 1

    def _take_line(self, line: bytes) -> None:
        if not line:
            self._dispatch()
        elif line.startswith(b"event:"):
            self._kind = line[6:].strip().decode("utf-8", "replace")
        elif line.startswith(b"data:"):
            if len(self._data) + len(line) > MAX_EVENT:
                self._too_long = True
            else:
                self._data += line[5:].lstrip(b" ") + b"\n"

    def _dispatch(self) -> None:
        kind, self._kind = self._kind, ""
        data, self._data = self._data, bytearray()
        too_long, self._too_long = self._too_long, False
        if too_long:
            self.skipped += 1
            return
        # Deltas are most of the stream and tell nothing new: they are not even parsed.
        if not data or (kind and kind not in self._WANTED):
            return
        try:
            value = json.loads(data.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return
        if isinstance(value, dict):
            self._event(str(value.get("type", kind)), value)

    def _event(self, kind: str, value: dict[str, t.Any]) -> None:
        if kind == "response.output_item.done":
            if isinstance(value.get("item"), dict):
                self.exchange.items.append(value["item"])
        elif kind == "response.completed":
            response = value.get("response")
            response = response if isinstance(response, dict) else {}
            self.exchange.usage = flat_usage(response.get("usage"))
            if not self.exchange.items and isinstance(response.get("output"), list):
                self.exchange.items.extend(item for item in response["output"] if isinstance(item, dict))
            self.exchange.completed = True
        elif kind in ("response.failed", "response.incomplete", "error"):
            self.failure = _failure_text(kind, value)


def _failure_text(kind: str, value: dict[str, t.Any]) -> str:
    response = value.get("response")
    holder = response if isinstance(response, dict) else value
    error = holder.get("error") or holder.get("incomplete_details") or value
    if isinstance(error, dict):
        words = [str(error[key]) for key in ("code", "reason", "message") if error.get(key)]
        return ": ".join(words)[:2000] or kind
    return str(error)[:2000]
