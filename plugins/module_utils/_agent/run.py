# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of ``codex exec``, from its configuration to the judgement of how it went. PRIVATE."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import time
import typing as t

from .._errors import CodexOpsError
from .._trail.redaction import Redactor
from . import config, disk, folder, identity, process
from .binary import codex_version
from .ending import Ending
from .events import EventStream
from .family import Family
from .listener import listen
from .request import AgentRequest, AgentResult

if t.TYPE_CHECKING:
    from .helped import Helped

cleanup = folder.cleanup
_VERDICT = "\0verdict"


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
    _check(request)
    token = token or os.urandom(24).hex()
    key = request.provider.api_key if request.provider is not None else None
    masks = _Masks(redactor, [value for value in (token, key) if value])
    version = codex_version(request.codex_path)
    deadline = started + request.timeout
    ending = Ending(events=EventStream())
    absent = folder.absent_mount_points(request.workspace)
    conversation = None
    with contextlib.ExitStack() as held:
        child, family, who, listener = _begun(request, token, ending, cancelled, deadline, held)
        try:
            from .conversation import Conversation

            with disk.watched(request.run_dir):
                conversation = Conversation(request, masks, listener, who, token=token, version=version, deadline=deadline, transcript_path=transcript_path)
            if child is not None:
                with conversation:
                    _watch(child, family, conversation, ending, cancelled, deadline)
            folder.remove_mount_points(request.workspace, absent)
            ending.survivors = family.survivors
            result = conversation.result(ending)
        finally:
            family.end(0.0)
            who.take_back(request.workspace)
            if conversation is not None:
                conversation.close()
    result.codex_version = version
    result.argv = config.command_line(who.codex_path, who.layout, who.workspace, schema=request.output_schema is not None)
    result.duration = round(time.monotonic() - started, 3)
    return result


def _begun(
    request: AgentRequest, token: str, ending: Ending, cancelled: t.Callable[[], str | None], deadline: float, held: contextlib.ExitStack
) -> tuple[subprocess.Popen[bytes] | None, Family | Helped, identity.Identity, socket.socket]:
    """Start Codex, by a helper or by ourselves: its process (or ``None``, and a reason in *ending*), and what belongs to it."""
    if request.helpers is not None:
        from .helped import begun

        started = held.enter_context(begun(request, token, cancelled, deadline))
        if started is not None:
            return started[0].child, *started
        ending.cancelled = cancelled()
        ending.timed_out = ending.cancelled is None
        nowhere = identity.Identity(None, folder.layout_of(request.run_dir), request.workspace, request.run_dir, request.codex_path, "")
        return None, held.enter_context(Family()), nowhere, held.enter_context(listen())
    with disk.watched(request.run_dir):
        outer = folder.prepare(request)
    who = identity.choose(request.codex_path, outer, request.run_dir, request.workspace)
    listener, family = held.enter_context(listen()), held.enter_context(Family())
    try:
        return _start(request, outer, who, listener.getsockname()[1], token, family, ending), family, who, listener
    except BaseException:
        family.end(0.0)
        who.take_back(request.workspace)
        raise


def _check(request: AgentRequest) -> None:
    if request.cassette_mode not in ("off", "record", "replay"):
        raise CodexOpsError(f"There is no cassette mode {request.cassette_mode!r}.", code="cassette_mode_invalid", hint="Use off, record or replay.")
    if request.cassette_mode == "replay":
        from .cassette import check

        check(request.cassette)


def _start(
    request: AgentRequest, outer: config.Layout, who: identity.Identity, port: int, token: str, family: Family, ending: Ending
) -> subprocess.Popen[bytes] | None:
    """Start Codex; ``None`` and a reason in *ending* where that cannot be. *outer* is where the engine writes."""
    text = config.config_toml(
        who.layout,
        port=port,
        writable=request.writable,
        install=[who.install],
        model=request.model,
        reasoning_effort=request.reasoning_effort,
        timeout=request.timeout,
    )
    with disk.watched(request.run_dir):
        folder.write(os.path.join(outer.codex_home, "config.toml"), text.encode())
    if not os.path.isdir(request.workspace):
        ending.not_started = f"its workspace {request.workspace} is not a folder"
        return None
    if not os.path.exists(request.codex_path):
        ending.not_started, ending.missing = os.strerror(errno.ENOENT), True
        return None
    try:
        who.give(outer, request.workspace)
    except OSError as error:
        ending.not_entered = f"its files: {error.strerror or error}"
        return None
    argv = config.command_line(who.codex_path, who.layout, who.workspace, schema=request.output_schema is not None)
    environment = config.environment(who.layout, token)
    source = process.input_file(request.prompt.encode("utf-8", "replace"))
    try:
        enter = who.entry()
        if enter is None:
            return family.spawn(argv, cwd=request.workspace, env=environment, stdin=source)
        with enter:
            try:
                return family.spawn(argv, cwd="/", env=environment, stdin=source, enter=enter, uid=who.uid)
            except subprocess.SubprocessError:
                ending.not_entered = enter.failure() or "an unknown step"
                return None
    except OSError as error:
        ending.not_started = f"{error.strerror or error}"
        if isinstance(error, PermissionError) and who.uid is not None:
            ending.not_started += " (as root the agent runs as a user of its own, so everybody must be able to read and run the Codex CLI)"
        return None
    finally:
        os.close(source)


def _watch(
    child: subprocess.Popen[bytes], family: Family | Helped, conversation: t.Any, ending: Ending, cancelled: t.Callable[[], str | None], deadline: float
) -> None:
    """Read what Codex says until it ends or has to; then end it with everything it started."""
    ledger = conversation.ledger
    errors = Tail(65536)

    def stop() -> str | None:
        return _VERDICT if ledger.verdict is not None else cancelled()

    if child.stdout is None or child.stderr is None:
        raise OSError("no pipes")
    sinks = {child.stdout.fileno(): ending.events.feed, child.stderr.fileno(): errors.feed}
    with child.stdout, child.stderr:
        # Whoever else watches the kill switch may have ended the agent before this look.
        ended = process.watch(child, sinks, stop, deadline, wake=ledger.wake_read) or stop()
        family.end(process.grace(ended, _VERDICT))
        for fd, sink in sinks.items():
            process.drain(fd, sink)
    ending.events.close()
    ending.timed_out = ended == process.TIMEOUT
    ending.verdict = ended == _VERDICT or ledger.verdict is not None
    ending.cancelled = ended if ended not in (None, process.TIMEOUT, _VERDICT) else None
    family.status(ending)
    ending.stderr = bytes(errors.data[-errors.limit :]).decode("utf-8", "replace")
