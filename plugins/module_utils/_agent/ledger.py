# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts what a run uses, and holds the verdict that ends it. PRIVATE."""

from __future__ import annotations

import dataclasses
import os
import threading
import typing as t

#: Longest final message (characters) that is kept.
MAX_MESSAGE = 1 << 20


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Why the relay ends the run."""

    outcome: str
    code: str
    msg: str


@dataclasses.dataclass
class Exchange:
    """One request to the model and what came of it."""

    body: dict[str, t.Any]
    items: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    usage: dict[str, int] | None = None
    completed: bool = False
    #: What the cassette would hold instead of items (``status`` and ``body``), when the exchange failed.
    fault: dict[str, t.Any] | None = None


def flat_usage(usage: t.Any) -> dict[str, int] | None:
    """A provider's or cassette's ``usage`` as flat counts; ``None`` when there is none that can be read."""
    if not isinstance(usage, dict):
        return None

    def count(value: t.Any) -> int:
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0

    details = usage.get("input_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else usage.get("cached_input_tokens")
    given, made = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
    return {
        "input_tokens": given,
        "cached_input_tokens": count(cached),
        "output_tokens": made,
        "total_tokens": max(count(usage.get("total_tokens")), given + made),
    }


class Ledger:
    """Shared by the relay's threads and the run.

    :arg tokens: Limit on the total tokens of the run, or ``None``.
    :arg requests: Limit on the model requests of the run.
    """

    def __init__(self, tokens: int | None, requests: int) -> None:
        self.tokens = tokens
        self.requests = requests
        self.verdict: Verdict | None = None
        self.usage = {"requests": 0, "input_tokens": 0, "cached_input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        self.message = ""
        self.message_truncated = False
        self.refusal = ""
        self.notes: list[str] = []
        self._lock = threading.Lock()
        self.wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def close(self) -> None:
        """Release the descriptors. The threads must have ended."""
        with self._lock:
            os.close(self.wake_read)
            os.close(self._wake_write)
            self._wake_write = -1

    def end(self, outcome: str, code: str, msg: str) -> None:
        """Let the run end; the first verdict counts."""
        with self._lock:
            if self.verdict is None:
                self.verdict = Verdict(outcome, code, msg)
                if self._wake_write >= 0:
                    os.write(self._wake_write, b"x")

    def note(self, text: str) -> None:
        """Remember something odd for the result's warnings (at most 20)."""
        with self._lock:
            if len(self.notes) < 20 and text not in self.notes:
                self.notes.append(text)

    def admit(self) -> bool:
        """Whether one more request may be made; counts it. Ends the run otherwise."""
        with self._lock:
            used = self.usage
            if self.verdict is not None:
                return False
            if used["requests"] >= self.requests:
                over = ("request_limit", f"The run used up its limit of {self.requests} model requests.")
            elif self.tokens is not None and used["total_tokens"] >= self.tokens:
                over = ("token_limit", self._token_text())
            else:
                used["requests"] += 1
                return True
        self.end("budget_exhausted", over[0], over[1] + " Narrow the task, or raise the limit.")
        return False

    def account(self, exchange: Exchange) -> None:
        """Add what an exchange used, and look at its final message."""
        with self._lock:
            for key, value in (exchange.usage or {}).items():
                self.usage[key] += value
            for item in exchange.items:
                if item.get("type") == "message" and item.get("role", "assistant") == "assistant":
                    self.message, self.refusal, self.message_truncated = _message_text(item)
            over = self.tokens is not None and self.usage["total_tokens"] > self.tokens
        if over:
            self.end("budget_exhausted", "token_limit", self._token_text() + " Narrow the task, or raise the limit.")

    def _token_text(self) -> str:
        return f"The run used {self.usage['total_tokens']} tokens; its limit is {self.tokens}."


def _message_text(item: dict[str, t.Any]) -> tuple[str, str, bool]:
    """Text and refusal of a message item, cut to MAX_MESSAGE and 4000 characters, and whether the text was cut."""
    text, refusal = [], []
    content = item.get("content")
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and part.get("type") == "output_text":
            text.append(str(part.get("text", "")))
        elif isinstance(part, dict) and part.get("type") == "refusal":
            refusal.append(str(part.get("refusal", "")) or "no reason given")
    whole = "".join(text)
    return whole[:MAX_MESSAGE], " ".join(refusal)[:4000], len(whole) > MAX_MESSAGE
