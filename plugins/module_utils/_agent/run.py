# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of ``codex exec``, from its configuration to the judgement of how it went. PRIVATE."""

from __future__ import annotations

import os
import time
import typing as t

from .._errors import CodexOpsError
from .._trail.redaction import Redactor
from . import cassette, config, folder, process
from .binary import codex_version, package_dir
from .events import EventStream
from .family import Family
from .judge import Ending, judge
from .ledger import Exchange, Ledger
from .relay import Backend, Relay, ReplayBackend
from .request import AgentRequest, AgentResult
from .transcript import Transcript

cleanup = folder.cleanup


class _Masks(Redactor):
    """The caller's redactor, which besides knows the secrets of this run."""

    def __init__(self, inner: Redactor, known: t.Iterable[str]) -> None:
        super().__init__(known)
        self._inner = inner

    def text(self, text: str) -> str:
        return self._inner.text(super().text(text))


class Tail:
    """Keeps the last *limit* bytes of what it is fed."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.data = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.data += chunk
        if len(self.data) > 2 * self.limit:
            del self.data[: -self.limit]


def run_agent(
    request: AgentRequest,
    redactor: Redactor,
    cancelled: t.Callable[[], str | None],
    transcript_path: str | None = None,
    token: str | None = None,
) -> AgentResult:
    """Run Codex once, and judge how it went. Nothing of the agent is alive when this returns.

    :arg redactor: Masks the caller's secrets in all that leaves: to the provider, to the transcript, in the result.
    :arg cancelled: Polled at least five times a second; a reason ends the run as ``killed``.
    :arg transcript_path: File for the redacted conversation (JSON Lines, mode 0600).
    :arg token: The relay's token, where the caller has to know it (the preflight); random otherwise.
    :raises CodexOpsError: For misuse: a run folder that is not ours, an invalid cassette, a contract that is too long.
    """
    started = time.monotonic()
    if request.cassette_mode not in ("off", "record", "replay"):
        raise CodexOpsError(f"There is no cassette mode {request.cassette_mode!r}.", code="cassette_mode_invalid", hint="Use off, record or replay.")
    token = token or os.urandom(24).hex()
    key = request.provider.api_key if request.provider is not None else None
    masks = _Masks(redactor, [value for value in (token, key) if value])
    layout = folder.prepare(request)
    version = codex_version(request.codex_path)
    ledger = Ledger(request.tokens, request.requests)
    transcript = Transcript(masks, transcript_path)
    recorder: cassette.Recorder | None = None
    try:
        places = cassette.Places(request.workspace, os.path.realpath(request.run_dir))
        on_exchange: t.Callable[[Exchange], None] | None = None
        if request.cassette_mode == "record":
            recorder = cassette.Recorder(places, masks, version, request.model or config.DEFAULT_MODEL)
            on_exchange = recorder.add
        backend = _backend(request, masks, ledger, transcript, places, started + request.timeout)
        relay = Relay(token, ledger, transcript, backend, on_exchange)
        try:
            ending = _execute(request, layout, relay, ledger, cancelled, token, started + request.timeout)
        finally:
            relay.close()
        result = judge(request, ending, ledger, transcript, masks)
    finally:
        transcript.close()
        ledger.close()
    result.codex_version = version
    result.replayed = request.cassette_mode == "replay"
    result.cassette = recorder.cassette() if recorder is not None else None
    result.duration = round(time.monotonic() - started, 3)
    return result


def _backend(request: AgentRequest, masks: Redactor, ledger: Ledger, transcript: Transcript, places: cassette.Places, deadline: float) -> Backend:
    if request.cassette_mode == "replay":
        return ReplayBackend(cassette.Replay(cassette.check(request.cassette), places, masks, ledger), ledger, transcript)
    if request.provider is None:
        raise CodexOpsError("A live run needs a provider.", code="provider_missing", hint="Give base_url and a key, or a cassette.")
    from .upstream import Upstream

    return Upstream(request.provider, masks, ledger, transcript, deadline)


def _execute(
    request: AgentRequest,
    layout: config.Layout,
    relay: Relay,
    ledger: Ledger,
    cancelled: t.Callable[[], str | None],
    token: str,
    deadline: float,
) -> Ending:
    """Start Codex, watch it, end it with everything it started."""
    package = package_dir(request.codex_path)
    text = config.config_toml(
        layout,
        port=relay.port,
        writable=request.writable,
        install=[package or os.path.realpath(request.codex_path)],
        model=request.model,
        reasoning_effort=request.reasoning_effort,
        timeout=request.timeout,
    )
    folder.write(os.path.join(layout.codex_home, "config.toml"), text.encode())
    argv = config.command_line(request.codex_path, layout, request.workspace, schema=request.output_schema is not None)
    ending = Ending(events=EventStream())
    errors = Tail(65536)
    absent = folder.absent_mount_points(request.workspace)

    def stop() -> str | None:
        if ledger.verdict is not None:
            return _VERDICT
        return cancelled()

    with Family() as family:
        source = process.input_file(request.prompt.encode("utf-8", "replace"))
        try:
            child = family.spawn(argv, cwd=request.workspace, env=config.environment(layout, token), stdin=source)
        except OSError as error:
            ending.not_started = f"{error.strerror or error}"
            ending.missing = isinstance(error, FileNotFoundError) and not os.path.exists(request.codex_path)
            if not os.path.isdir(request.workspace):
                ending.not_started = f"its workspace {request.workspace} is not a folder"
            return ending
        finally:
            os.close(source)
        relay.start()
        if child.stdout is None or child.stderr is None:
            raise OSError("no pipes")
        sinks = {child.stdout.fileno(): ending.events.feed, child.stderr.fileno(): errors.feed}
        with child.stdout, child.stderr:
            ended = process.watch(child, sinks, stop, deadline, wake=ledger.wake_read)
            family.end(process.GRACE if ended is not None else 0.2)
            for fd, sink in sinks.items():
                process.drain(fd, sink)
        ending.exit_code = child.wait()
    folder.remove_mount_points(request.workspace, absent)
    ending.survivors = family.survivors
    ending.events.close()
    ending.timed_out = ended == process.TIMEOUT
    ending.cancelled = ended if ended not in (None, process.TIMEOUT, _VERDICT) else None
    ending.stderr = bytes(errors.data[-errors.limit :]).decode("utf-8", "replace")
    return ending


_VERDICT = "\0verdict"
