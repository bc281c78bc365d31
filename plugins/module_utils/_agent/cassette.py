# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cassettes: the model's side of a run, recorded or written by hand, and played back. PRIVATE.

``schemas/cassette.schema.json`` is the published form of :func:`check`; a test holds the two together.
"""

from __future__ import annotations

import json
import re
import threading
import typing as t

from .._errors import CodexOpsError
from .._trail.redaction import Redactor
from .ledger import Exchange, Ledger, flat_usage

#: Stands for the workspace's path in a recorded cassette.
WORKSPACE = "@workspace@"
#: Stands for the run folder's path in a recorded cassette.
RUN = "@run@"

_TOP = {"version", "strict", "note", "codex_version", "model", "exchanges"}
_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "total_tokens")
_MARKER = re.compile(r"\[redacted:([a-z_]+):[0-9a-f]{4}\]")


def check(value: t.Any) -> dict[str, t.Any]:
    """*value*, when it is a valid cassette.

    :raises CodexOpsError: ``cassette_invalid``, with the place and what was expected there.
    """
    top = _object(value, "cassette", _TOP, required=("version", "exchanges"))
    if top["version"] != 1 or isinstance(top["version"], bool):
        raise _invalid("version", f"1, not {top['version']!r}")
    for key, kind, words in (("strict", bool, "true or false"), ("note", str, "a text"), ("codex_version", str, "a text"), ("model", str, "a text")):
        if key in top and not isinstance(top[key], kind):
            raise _invalid(key, words)
    if not isinstance(top["exchanges"], list) or not top["exchanges"]:
        raise _invalid("exchanges", "a list with at least one exchange")
    for number, exchange in enumerate(top["exchanges"]):
        where = f"exchanges[{number}]"
        _object(exchange, where, {"request", "response"}, required=("response",))
        if "request" in exchange:
            _check_request(exchange["request"], f"{where}.request")
        _check_response(exchange["response"], f"{where}.response")
    return top


def _check_request(value: t.Any, where: str) -> None:
    _object(value, where, {"input", "tools"}, required=())
    if "input" in value and not (isinstance(value["input"], list) and all(isinstance(item, dict) for item in value["input"])):
        raise _invalid(f"{where}.input", "a list of objects")
    if "tools" in value and not (isinstance(value["tools"], list) and all(isinstance(name, str) for name in value["tools"])):
        raise _invalid(f"{where}.tools", "a list of names")


def _check_response(value: t.Any, where: str) -> None:
    kinds = [key for key in ("items", "status", "hang", "drop") if isinstance(value, dict) and key in value]
    if len(kinds) != 1:
        raise _invalid(where, "an object with exactly one of items, status, hang and drop")
    if kinds[0] == "items":
        _object(value, where, {"items", "usage"}, required=())
        if not isinstance(value["items"], list) or not value["items"]:
            raise _invalid(f"{where}.items", "a list with at least one item")
        for number, item in enumerate(value["items"]):
            if not isinstance(item, dict) or not isinstance(item.get("type"), str) or not item["type"]:
                raise _invalid(f"{where}.items[{number}]", "an object with a type")
        if "usage" in value:
            usage = _object(value["usage"], f"{where}.usage", set(_COUNTS), required=())
            for key, count in usage.items():
                if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                    raise _invalid(f"{where}.usage.{key}", "a whole number, 0 or more")
    elif kinds[0] == "status":
        _object(value, where, {"status", "body"}, required=())
        if not isinstance(value["status"], int) or isinstance(value["status"], bool) or not 400 <= value["status"] <= 599:
            raise _invalid(f"{where}.status", "an HTTP error status, 400 to 599")
        if not isinstance(value.get("body", ""), str):
            raise _invalid(f"{where}.body", "a text")
    else:
        _object(value, where, {kinds[0]}, required=())
        if value[kinds[0]] is not True:
            raise _invalid(f"{where}.{kinds[0]}", "true")


def _object(value: t.Any, where: str, known: set[str], required: t.Sequence[str]) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise _invalid(where, "an object")
    for key in value:
        if key not in known:
            raise _invalid(f"{where}.{key}", "no such key; known are " + ", ".join(sorted(known)))
    for key in required:
        if key not in value:
            raise _invalid(f"{where}.{key}", "to be there")
    return value


def _invalid(where: str, expected: str) -> CodexOpsError:
    return CodexOpsError(
        f"The cassette is not valid at {where}: expected {expected}.",
        code="cassette_invalid",
        outcome="agent_error",
        hint="See schemas/cassette.schema.json.",
        where=where,
    )


class Places:
    """Turns the paths of one run into placeholders and back, so that a cassette can be replayed elsewhere."""

    def __init__(self, workspace: str, run_dir: str) -> None:
        self._pairs = ((workspace, WORKSPACE), (run_dir, RUN))

    def hide(self, value: t.Any) -> t.Any:
        """A copy of JSON-like *value* with placeholders for the paths."""
        return self._map(value, self._pairs)

    def show(self, value: t.Any) -> t.Any:
        """A copy of JSON-like *value* with the paths of this run for the placeholders."""
        return self._map(value, tuple((new, old) for old, new in self._pairs))

    def _map(self, value: t.Any, pairs: tuple[tuple[str, str], ...]) -> t.Any:
        if isinstance(value, str):
            for old, new in pairs:
                value = value.replace(old, new)
            return value
        if isinstance(value, dict):
            return {key: self._map(item, pairs) for key, item in value.items()}
        if isinstance(value, list):
            return [self._map(item, pairs) for item in value]
        return value


def asked(body: dict[str, t.Any], seen: int) -> dict[str, t.Any]:
    """What matters of a request: the names of the tools and the input items after the first *seen*.

    Codex's own framing (developer messages, the environment with its date and paths) is left out.
    """
    new: list[dict[str, t.Any]] = []
    for item in input_items(body)[seen:]:
        if item.get("type") == "message" and item.get("role") == "user":
            text = "\n".join(part for part in _texts(item.get("content")) if not part.startswith("<environment_context>"))
            if text:
                new.append({"type": "message", "role": "user", "text": text})
        elif str(item.get("type", "")).endswith("_output"):
            new.append({"type": item["type"], "call_id": str(item.get("call_id", "")), "output": output_text(item.get("output"))[:65536]})
    return {"tools": tool_names(body), "input": new}


def tool_names(body: dict[str, t.Any]) -> list[str]:
    """The names of the tools that a request offers, sorted."""
    tools = body.get("tools")
    return sorted(str(tool.get("name") or tool.get("type")) for tool in (tools if isinstance(tools, list) else []) if isinstance(tool, dict))


def input_items(body: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """The input items of a request."""
    value = body.get("input")
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def output_text(value: t.Any) -> str:
    """The text of a call's output, which is a text or a list of parts."""
    return value if isinstance(value, str) else "\n".join(_texts(value))


def _texts(content: t.Any) -> list[str]:
    parts = content if isinstance(content, list) else [{"text": content}]
    return [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]


class Replay:
    """Answers requests from a cassette, in order."""

    def __init__(self, cassette: dict[str, t.Any], places: Places, redactor: Redactor, ledger: Ledger) -> None:
        self._exchanges = cassette["exchanges"]
        self._strict = bool(cassette.get("strict"))
        self._places = places
        self._redactor = redactor
        self._ledger = ledger
        self._lock = threading.Lock()
        self._next = 0
        self._seen = 0

    def next(self, exchange: Exchange) -> dict[str, t.Any] | None:
        """The response to *exchange*; ``None`` when the run has to end instead (the verdict is in the ledger)."""
        with self._lock:
            number, seen = self._next, self._seen
            self._next += 1
            self._seen = len(input_items(exchange.body))
        if number >= len(self._exchanges):
            self._ledger.end(
                "provider_error",
                "cassette_exhausted",
                f"The cassette holds {len(self._exchanges)} exchanges and the agent asked for one more. Record it again, or add what is missing.",
            )
            return None
        recorded = self._exchanges[number]
        if self._strict and "request" in recorded:
            difference = self._differs(recorded["request"], exchange.body, seen)
            if difference:
                self._ledger.end(
                    "provider_error",
                    "cassette_mismatch",
                    f"The strict cassette does not match request {number + 1}: {difference}. Record it again, or drop strict.",
                )
                return None
        response: dict[str, t.Any] = self._places.show(recorded["response"])
        if "items" in response:
            exchange.items = response["items"]
            exchange.usage = flat_usage(response.get("usage", {}))
        return response

    def _differs(self, recorded: dict[str, t.Any], body: dict[str, t.Any], seen: int) -> str:
        now = self._places.hide(self._redactor.data(asked(body, seen)))
        if "tools" in recorded and sorted(recorded["tools"]) != now["tools"]:
            return f"it offers the tools {', '.join(now['tools'])}, the cassette has {', '.join(recorded['tools'])}"
        if "input" in recorded:
            old, new = _prompts(recorded["input"]), _prompts(now["input"])
            if old != new:
                place = next((index for index, pair in enumerate(zip(old, new)) if pair[0] != pair[1]), min(len(old), len(new)))
                return f"message {place + 1} of the prompt is not the one recorded"
        return ""


def _prompts(items: list[dict[str, t.Any]]) -> list[str]:
    """The messages among recorded input items. Redaction markers differ from process to process, so their digest does not count."""
    return [_MARKER.sub(r"[redacted:\1]", str(item.get("text", ""))) for item in items if item.get("type") == "message"]


class Recorder:
    """Collects exchanges into a cassette, redacted and without the paths of this run."""

    def __init__(self, places: Places, redactor: Redactor, codex_version: str, model: str) -> None:
        self._places = places
        self._redactor = redactor
        self._head = {"version": 1, "codex_version": codex_version, "model": model}
        self._exchanges: list[dict[str, t.Any]] = []
        self._seen = 0
        self._lock = threading.Lock()

    def add(self, exchange: Exchange) -> None:
        """Take an exchange that ended."""
        response: dict[str, t.Any] | None = exchange.fault
        if response is None and exchange.completed:
            response = {"items": [_without_ids(item) for item in exchange.items if item.get("type", "reasoning") != "reasoning"]}
            if exchange.usage is not None:
                response["usage"] = dict(exchange.usage)
        with self._lock:
            seen, self._seen = self._seen, len(input_items(exchange.body))
            if response is not None and response.get("items", True):
                entry = {"request": asked(exchange.body, seen), "response": response}
                self._exchanges.append(self._places.hide(self._redactor.data(entry)))

    def cassette(self) -> dict[str, t.Any] | None:
        """What was recorded, or ``None`` when nothing was."""
        return {**self._head, "exchanges": self._exchanges} if self._exchanges else None


def _without_ids(item: dict[str, t.Any]) -> dict[str, t.Any]:
    """A response item without what only the provider can read again."""
    return {key: value for key, value in item.items() if key not in ("id", "encrypted_content", "status")}


def load(text: str, where: str) -> dict[str, t.Any]:
    """The cassette in a JSON *text*; *where* names it in messages.

    :raises CodexOpsError: ``cassette_invalid``.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CodexOpsError(f"The cassette is not JSON: {error}.", code="cassette_invalid", where=where) from None
    return check(value)
