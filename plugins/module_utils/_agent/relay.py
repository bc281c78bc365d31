# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loopback HTTP server between Codex and the model. PRIVATE.

One per run: a random port on 127.0.0.1 and a one-time token. Only the model API's own paths are served; the answers come
from a backend (a cassette, or the live provider).
"""

from __future__ import annotations

import hmac
import json
import os
import socket
import threading
import typing as t

from . import http1
from .faults import dropped, status_fault
from .ledger import Exchange, Ledger
from .listener import listen
from .peer import owner
from .sse import event, response_events

#: Seconds for the head of a request; most connections at once whose token was not seen yet, and most with it.
HEAD_SECONDS = 2.0
MAX_UNKNOWN = 64
MAX_KNOWN = 64

if t.TYPE_CHECKING:
    from .cassette import Replay
    from .transcript import Transcript


class Backend(t.Protocol):
    """Who answers the requests that the relay lets through."""

    def warm_up(self) -> None:
        """Called once, in a thread, while Codex starts: the time for slow imports."""

    def respond(self, exchange: Exchange, request: http1.Request, out: http1.Reply) -> None:
        """Answer a model request on *out* and fill *exchange*. Failures end the run through the ledger."""

    def models(self, request: http1.Request, out: http1.Reply) -> None:
        """Answer GET /models."""

    def close(self) -> None:
        """Let go of whatever *respond* waits for."""


class Relay:
    """Serves one run.

    :arg token: What Codex has to show as its bearer token.
    :arg on_exchange: Called with each exchange that ended, such as a recorder's ``add``.
    :arg listener: The loopback socket to serve, from :func:`listen`; this closes it.
    :arg uid: The user number of the agent, where it is not ours. Nobody else is listened to.
    :arg alone: The socket lies in a network namespace in which there is nobody but the agent.
    """

    def __init__(
        self,
        token: str,
        ledger: Ledger,
        transcript: Transcript,
        backend: Backend,
        on_exchange: t.Callable[[Exchange], None] | None = None,
        listener: socket.socket | None = None,
        uid: int | None = None,
        alone: bool = False,
    ) -> None:
        self._expected = b"Bearer " + token.encode("ascii")
        self._ledger = ledger
        self._transcript = transcript
        self._backend = backend
        self._on_exchange = on_exchange
        self._lock = threading.Lock()
        self._alone = alone
        self._users = {os.geteuid(), os.geteuid() if uid is None else uid}
        # Who showed the token, and who did not yet: the oldest first.
        self._known: set[socket.socket] = set()
        self._unknown: dict[socket.socket, None] = {}
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._listener = listener or listen()
        self.port: int = self._listener.getsockname()[1]

    def start(self) -> None:
        """Begin to serve. Connections made before are waiting in the queue."""
        self._threads.append(threading.Thread(target=self._accept, name="relay", daemon=True))
        self._threads[0].start()

    def close(self) -> None:
        """Stop serving and wait shortly for the threads."""
        with self._lock:
            self._closed = True
            open_now = [*self._known, *self._unknown]
        for sock in [self._listener, *open_now]:
            _end(sock)
        self._backend.close()
        for thread in list(self._threads):
            thread.join(timeout=2)
        self._listener.close()

    def _accept(self) -> None:
        self._backend.warm_up()
        while True:
            try:
                sock, _address = self._listener.accept()
            except OSError:
                return
            user = None if self._alone else owner(sock)
            if user is not None and user not in self._users:
                self._ledger.note(f"refused a connection of another user ({user})")
                sock.close()
                continue
            with self._lock:
                if self._closed:
                    sock.close()
                    return
                if len(self._unknown) >= MAX_UNKNOWN:
                    # Codex shows its token at once: who waits for long is not Codex. Its thread does the rest.
                    oldest = next(iter(self._unknown))
                    del self._unknown[oldest]
                    _end(oldest)
                self._unknown[sock] = None
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                thread = threading.Thread(target=self._serve, args=(sock,), name="relay-connection", daemon=True)
                self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        out = http1.Reply(sock)
        try:
            request = self._authenticated(sock, out)
            if request is not None:
                sock.settimeout(60)
                request.read_body(sock)
                self._route(request, out)
        except http1.BadRequest as error:
            self._ledger.end("agent_error", error.code, f"Codex sent a request that the relay refuses: {error}.")
            out.plain(error.status, str(error))
        except OSError:
            pass  # Codex is gone: the run is ending
        except Exception as error:  # a thread of ours must not die silently, or the run would wait for its timeout
            self._ledger.end("agent_error", "relay_failed", f"The relay failed: {type(error).__name__}: {error}. This is a defect in the collection.")
        finally:
            with self._lock:
                self._unknown.pop(sock, None)
                self._known.discard(sock)
                # Under the lock, so that no other thread ends a descriptor that is somebody else's by then.
                out.close()

    def _authenticated(self, sock: socket.socket, out: http1.Reply) -> http1.Request | None:
        """The head of a request that shows the token; ``None`` for any other, which is answered and means nothing for the run."""
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = http1.read_head(sock, HEAD_SECONDS)
        except http1.BadRequest as error:
            self._ledger.note("refused a malformed request without the run's token")
            out.plain(error.status, str(error))
            return None
        if not hmac.compare_digest(request.headers.get("authorization", "").encode("latin-1"), self._expected):
            self._ledger.note("refused a request without the run's token")
            out.plain(401, "the run's token is missing")
            return None
        with self._lock:
            if sock not in self._unknown or len(self._known) >= MAX_KNOWN:
                return None
            del self._unknown[sock]
            self._known.add(sock)
        return request

    def _route(self, request: http1.Request, out: http1.Reply) -> None:
        path = request.path.split("?", 1)[0]
        if request.method == "POST" and path in ("/v1/responses", "/v1/responses/compact"):
            self._model_request(request, out)
        elif request.method == "GET" and path == "/v1/models":
            self._backend.models(request, out)
        elif "/analytics/" in path:
            out.json(200, {})
        else:
            self._ledger.note(f"refused {request.method} {path[:200]}: not part of the model API")
            out.plain(404, "not part of the model API")

    def _model_request(self, request: http1.Request, out: http1.Reply) -> None:
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            raise http1.BadRequest(400, "request_not_json", "the body is not JSON") from None
        if not isinstance(body, dict):
            raise http1.BadRequest(400, "request_not_json", "the body is not a JSON object")
        request.body = b""
        exchange = Exchange(body)
        self._transcript.request(exchange)
        if not self._ledger.admit():
            out.plain(429, "the run has ended")
            return
        try:
            self._backend.respond(exchange, request, out)
        finally:
            if self._on_exchange is not None:
                self._on_exchange(exchange)


def _end(sock: socket.socket) -> None:
    """Wake whoever reads from *sock*: nothing more comes."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class ReplayBackend:
    """Answers from a cassette."""

    def __init__(self, replay: Replay, ledger: Ledger, transcript: Transcript) -> None:
        self._replay = replay
        self._ledger = ledger
        self._transcript = transcript
        self._ended = threading.Event()
        self._number = 0

    def warm_up(self) -> None:
        """There is nothing slow."""

    def respond(self, exchange: Exchange, request: http1.Request, out: http1.Reply) -> None:
        """The next exchange of the cassette."""
        response = self._replay.next(exchange)
        if response is None:
            out.plain(503, "the cassette has no answer")
            return
        if "status" in response:
            exchange.fault = {"status": response["status"], "body": response.get("body", "")}
            self._transcript.response(exchange)
            status_fault(self._ledger, response["status"], response.get("body", ""))
            out.plain(response["status"], response.get("body", ""))
        elif "hang" in response:
            exchange.fault = {"hang": True}
            self._transcript.response(exchange)
            self._ended.wait()
        elif "drop" in response:
            exchange.fault = {"drop": True}
            self._transcript.response(exchange)
            out.start(200, "text/event-stream")
            out.write(event("response.created", response={"id": "resp_dropped"}))
            dropped(self._ledger)
        else:
            exchange.completed = True
            self._number += 1
            # Counted before it is passed on: nothing of a response over the limit is acted upon.
            self._transcript.response(exchange)
            self._ledger.account(exchange)
            if self._ledger.verdict is not None:
                out.plain(429, "the run has ended")
                return
            out.start(200, "text/event-stream")
            out.write(b"".join(response_events(self._number, exchange.items, exchange.usage or {})))

    def models(self, request: http1.Request, out: http1.Reply) -> None:
        """No models besides the catalogue that Codex was given."""
        out.json(200, {"models": []})

    def close(self) -> None:
        """End every hang."""
        self._ended.set()
