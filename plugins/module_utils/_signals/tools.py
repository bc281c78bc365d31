# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a tool of the host: no shell, a clean environment, a time limit, and its output read piece by piece. PRIVATE."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import signal
import subprocess
import time
import typing as t

from .report import Seen

_CHUNK = 256 * 1024
#: Characters of its last words that are kept.
_WORDS = 2000
#: Bytes of one line that are kept: what follows is left out.
MAX_LINE = 16 * 1024


class Missing(Exception):
    """The tool is not there, or cannot be run, or did not end. The message says which."""


@dataclasses.dataclass
class Ended:
    """How it ended. ``cut`` says that it wrote more than was wanted and was stopped."""

    code: int
    words: str
    cut: bool


def which(seen: Seen, name: str) -> str:
    """The path of a tool.

    :raises Missing: where there is none.
    """
    for folder in seen.folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise Missing(f"{name} is not installed.")


def run(
    seen: Seen,
    argv: t.Sequence[str],
    take: t.Callable[[bytes], object],
    *,
    timeout: float = 60,
    max_output: int = 64 << 20,
    stdin: int | None = None,
    folder: str = "/",
    memory: int | None = None,
    environment: t.Mapping[str, str] | None = None,
) -> Ended:
    """Run *argv*, its first word the name of a tool, and hand what it writes to *take* as it comes.

    :arg timeout: Seconds; never more than what the collector has left.
    :arg max_output: Bytes.
    :arg stdin: A descriptor that it reads. Without one, it reads nothing.
    :arg memory: Bytes of address space that it may use.
    :raises Missing: when it could not be run, or was still running at its time.
    """
    path = which(seen, argv[0])
    limit = seen.left(timeout)
    if limit <= 0:
        raise Missing("The time was over before it was looked at.")
    given = {"PATH": ":".join(seen.folders), "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent", **(environment or {})}

    def confine() -> None:
        import resource  # pylint: disable=import-outside-toplevel

        if memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    try:
        child = subprocess.Popen(
            [path, *argv[1:]], stdin=subprocess.DEVNULL if stdin is None else stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=given, cwd=folder, start_new_session=True, preexec_fn=confine,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"{argv[0]} cannot be run: {getattr(error, 'strerror', None) or error}.") from None
    try:
        words, cut, late = _listen(child, take, time.monotonic() + limit, max_output)
    finally:
        _end(child)
    if late:
        raise Missing(f"{argv[0]} did not end within {limit:.0f} s.")
    return Ended(child.returncode, words, cut)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End it with all that it started, whatever state it is in."""
    if child.poll() is None:
        # What ends by itself in a moment keeps its exit status.
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.05)
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        if child.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(1)
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def _listen(child: subprocess.Popen[bytes], take: t.Callable[[bytes], object], until: float, max_output: int) -> tuple[str, bool, bool]:
    """(last words, more than wanted, too late)"""
    words, size = b"", 0
    with selectors.DefaultSelector() as selector:
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = until - time.monotonic()
            if left <= 0:
                return "", False, True
            for key, _mask in selector.select(min(left, 1)):
                try:
                    chunk = os.read(key.fd, _CHUNK)
                except BlockingIOError:
                    continue
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is child.stderr:
                    words = (words + chunk)[-_WORDS:]
                else:
                    size += len(chunk)
                    if size > max_output:
                        take(chunk[: len(chunk) - (size - max_output)])
                        return _say(words), True, False
                    take(chunk)
            if child.poll() is not None and not selector.select(0):
                # Whatever it left behind may hold its pipes open for ever.
                break
        while child.poll() is None:
            if time.monotonic() >= until:
                return "", False, True
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(min(0.2, max(0.001, until - time.monotonic())))
    return _say(words), False, False


def _say(words: bytes) -> str:
    return words.decode("utf-8", "surrogateescape").strip()


class Lines:
    """Makes lines of pieces, and hands each to *take*, without its end and at most :data:`MAX_LINE` bytes of it."""

    def __init__(self, take: t.Callable[[bytes], object], end: bytes = b"\n") -> None:
        self._take = take
        self._end = end
        self._rest = b""

    def __call__(self, chunk: bytes) -> None:
        first, *others = chunk.split(self._end)
        if len(self._rest) < MAX_LINE:
            self._rest += first[:MAX_LINE]
        for line in others:
            self._take(self._rest[:MAX_LINE])
            self._rest = line[:MAX_LINE]

    def close(self) -> None:
        """Hand over what had no end."""
        if self._rest:
            self._take(self._rest[:MAX_LINE])
        self._rest = b""


def lines(seen: Seen, argv: t.Sequence[str], take: t.Callable[[str], object], *, end: bytes = b"\n", **more: t.Any) -> Ended:
    """Run *argv* like :func:`run`, and hand over its lines as text; bytes that are no UTF-8 are kept as surrogates."""
    split = Lines(lambda line: take(line.decode("utf-8", "surrogateescape")), end)
    ended = run(seen, argv, split, **more)
    split.close()
    return ended
