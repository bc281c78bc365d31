# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A provider of the Responses API on loopback that always says the same. Both sides of a comparison ask it."""

from __future__ import annotations

import http.server
import json
import threading
import typing as t

ANSWER = {"type": "message", "role": "assistant", "id": "m1", "content": [{"type": "output_text", "text": "done"}]}
USAGE = {
    "input_tokens": 900,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 40,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 940,
}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: t.Any) -> None:
        """Say nothing."""

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """The list of models."""
        self._send("application/json", b'{"models": []}')

    def do_POST(self) -> None:
        """A command, until the output of as many as the path asks for is there; then the answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.path.endswith("/responses"):
            self._send("application/json", b"{}")
            return
        done, wanted = body.count(b'"function_call_output"'), int(self.path.split("/")[1])
        command = {"type": "function_call", "call_id": f"c{done}", "name": "exec_command", "arguments": json.dumps({"cmd": "ls -l"})}
        item = ANSWER if done >= wanted else command
        events = (
            {"type": "response.created", "response": {"id": "r1"}},
            {"type": "response.output_item.done", "item": item},
            {"type": "response.completed", "response": {"id": "r1", "usage": USAGE}},
        )
        text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        self._send("text/event-stream", text.encode())


def start() -> int:
    """Serve until the process ends; the port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])
