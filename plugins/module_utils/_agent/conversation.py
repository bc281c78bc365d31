# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model's side of one run: relay, ledger, transcript, recorder, and the judgement of it all. PRIVATE.

Loaded while Codex starts, which takes longer than loading this.
"""

from __future__ import annotations

import socket
import typing as t

from .._errors import CodexOpsError
from .._trail.redaction import Redactor
from . import cassette, config
from .ending import Ending
from .identity import Identity
from .judge import judge
from .ledger import Exchange, Ledger
from .relay import Backend, Relay, ReplayBackend
from .request import AgentRequest, AgentResult
from .transcript import Transcript


class Conversation:
    """Answers one run of Codex. Use as a context manager.

    :arg listener: The loopback socket that Codex was told of; connections wait in its queue until this serves.
    :arg who: As whom Codex runs, and which paths it sees.
    :arg deadline: On the monotonic clock.
    """

    def __init__(
        self,
        request: AgentRequest,
        masks: Redactor,
        listener: socket.socket,
        who: Identity,
        *,
        token: str,
        version: str,
        deadline: float,
        transcript_path: str | None,
    ) -> None:
        self._request = request
        self._masks = masks
        self.ledger = Ledger(request.tokens, request.requests)
        self._transcript = Transcript(masks, transcript_path)
        self._recorder: cassette.Recorder | None = None
        places = cassette.Places(who.workspace, who.run_dir)
        on_exchange: t.Callable[[Exchange], None] | None = None
        if request.cassette_mode == "record":
            self._recorder = cassette.Recorder(places, masks, version, request.model or config.DEFAULT_MODEL)
            on_exchange = self._recorder.add
        self._relay = Relay(token, self.ledger, self._transcript, self._backend(places, deadline), on_exchange, listener, who.uid, who.alone)

    def _backend(self, places: cassette.Places, deadline: float) -> Backend:
        request = self._request
        if request.cassette_mode == "replay":
            tape = cassette.check(request.cassette)
            return ReplayBackend(cassette.Replay(tape, places, self._masks, self.ledger), self.ledger, self._transcript)
        if request.provider is None:
            raise CodexOpsError("A live run needs a provider.", code="provider_missing", hint="Give base_url and a key, or a cassette.")
        from .upstream import Upstream

        return Upstream(request.provider, self._masks, self.ledger, self._transcript, deadline)

    def __enter__(self) -> Conversation:
        self._relay.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._relay.close()

    def result(self, ending: Ending) -> AgentResult:
        """The judgement of how it went. Call it when the relay is closed."""
        result = judge(self._request, ending, self.ledger, self._transcript, self._masks)
        result.replayed = self._request.cassette_mode == "replay"
        result.cassette = self._recorder.cassette() if self._recorder is not None else None
        return result

    def close(self) -> None:
        """Close the files. Safe to call more than once."""
        self._transcript.close()
        self.ledger.close()
