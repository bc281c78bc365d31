# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a program with a time limit, a bound on its output, and nothing left behind. PRIVATE."""

from __future__ import annotations

import dataclasses
import os
import selectors
import signal
import stat
import subprocess
import time
import typing as t

from . import _proc
from .family import Family

#: Seconds between TERM and KILL.
GRACE = 0.5
#: The same when a person stopped the work: the kill switch promises that nothing lives a second later.
GRACE_CANCELLED = 0.05
#: Seconds that what a program left behind has to end by itself.
GRACE_LEFT = 0.2
_POLL = 0.1
#: What :func:`watch` returns at the deadline; no reason of a person can equal it.
TIMEOUT = "\0timeout"


@dataclasses.dataclass(frozen=True)
class Finished:
    """How a program ended. ``exit_code`` is ``None`` when a signal ended it; ``cancelled`` is the reason, or ``None``."""

    exit_code: int | None
    signal: int | None
    timed_out: bool
    cancelled: str | None
    stdout: bytes
    stderr: bytes
    stdout_truncated: bool = False
    stderr_truncated: bool = False


def never() -> str | None:
    """The ``cancelled`` of whoever has nothing to cancel for."""
    return None


def watch(
    child: subprocess.Popen[bytes],
    sinks: t.Mapping[int, t.Callable[[bytes], None]],
    stop: t.Callable[[], str | None],
    deadline: float,
    wake: int = -1,
) -> str | None:
    """Read what *child* writes until it ends. Returns what ended the watch: ``None`` (it exited), TIMEOUT, or what *stop* said.

    :arg sinks: For each readable descriptor, who takes its bytes.
    :arg stop: Asked at least five times a second.
    :arg deadline: On the monotonic clock.
    :arg wake: A descriptor that becomes readable when *stop* has something to say.
    """
    with selectors.DefaultSelector() as selector:
        for fd in sinks:
            os.set_blocking(fd, False)
            selector.register(fd, selectors.EVENT_READ)
        pidfd = os.pidfd_open(child.pid) if hasattr(os, "pidfd_open") and child.returncode is None else -1
        try:
            for fd in (pidfd, wake):
                if fd >= 0:
                    selector.register(fd, selectors.EVENT_READ)
            while True:
                reason = stop()
                if reason is not None:
                    return reason
                left = deadline - time.monotonic()
                if left <= 0:
                    return TIMEOUT
                for key, _events in selector.select(min(_POLL, left)):
                    if key.fd in sinks and not drain(key.fd, sinks[key.fd], rounds=16):
                        selector.unregister(key.fd)
                if child.poll() is not None:
                    return None
        finally:
            if pidfd >= 0:
                os.close(pidfd)


def grace(ended: str | None, *own: str) -> float:
    """Seconds between TERM and KILL, by what ended the watch; *own* are reasons of the caller that no person gave."""
    if ended is None:
        return GRACE_LEFT
    return GRACE if ended in (TIMEOUT, *own) else GRACE_CANCELLED


def drain(fd: int, sink: t.Callable[[bytes], None], rounds: int = 1024) -> bool:
    """Pass on what can be read now from a non-blocking descriptor, at most *rounds* chunks. False at its end."""
    for _round in range(rounds):
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        sink(data)
    return True


class Head:
    """Keeps the first *limit* bytes of what it is fed."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.data = bytearray()
        self.truncated = False

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        room = self.limit - len(self.data)
        self.truncated = self.truncated or len(chunk) > room
        if room > 0:
            self.data += chunk[:room]


def input_file(data: bytes | None) -> int:
    """A descriptor to be used as standard input: *data* and then its end, or nothing at all. It never blocks, never waits."""
    if data is None:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    fd = os.memfd_create("input", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def run_limited(
    argv: t.Sequence[str],
    *,
    cwd: str,
    env: t.Mapping[str, str],
    timeout: float,
    stdin: bytes | None = None,
    max_output: int = 65536,
    cancelled: t.Callable[[], str | None] = never,
) -> Finished:
    """Run *argv*, and end everything it started before returning.

    :arg timeout: Seconds; then TERM, a short grace, KILL.
    :arg max_output: Bytes kept of each of standard output and error (the head).
    :arg cancelled: Polled at least five times a second; a reason ends the run.
    :raises OSError: When *argv* cannot be started.
    """
    out, err = Head(max_output), Head(max_output)
    deadline = time.monotonic() + timeout
    with Family() as family:
        source = input_file(stdin)
        try:
            child = family.spawn(argv, cwd=cwd, env=env, stdin=source)
        finally:
            os.close(source)
        if child.stdout is None or child.stderr is None:
            raise OSError("no pipes")
        sinks = {child.stdout.fileno(): out.feed, child.stderr.fileno(): err.feed}
        with child.stdout, child.stderr:
            ended = watch(child, sinks, cancelled, deadline)
            family.end(grace(ended))
            for fd, sink in sinks.items():
                drain(fd, sink, rounds=64)
        code = child.wait()
    reason = None if ended in (None, TIMEOUT) else ended
    return Finished(
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        timed_out=ended == TIMEOUT,
        cancelled=reason,
        stdout=bytes(out.data),
        stderr=bytes(err.data),
        stdout_truncated=out.truncated,
        stderr_truncated=err.truncated,
    )


def end_leftovers(run_dir: str) -> list[int]:
    """End what an earlier run, whose engine was killed, left alive. Returns the processes that were ended.

    They are known by the throw-away user to whom the run's ``agent`` folder belongs, or by the CODEX_HOME, HOME or TMPDIR of
    that folder in their environment; what they started goes with them. Not to be called while the run's engine lives.
    """
    folder = os.path.join(os.path.realpath(run_dir), "agent")
    prefixes = tuple(os.fsencode(f"{name}={folder}{os.sep}") for name in ("CODEX_HOME", "HOME", "TMPDIR"))
    owner = _throw_away_owner(folder)
    ended: list[int] = []
    for _round in range(100):
        found: set[int] = set()
        for pid in _proc.all_pids():
            if pid == os.getpid() or not _proc.alive(pid):
                continue
            if owner in _proc.users_of(pid) or _environment_has(pid, prefixes):
                found |= {pid} | _proc.descendants(pid, excluded={os.getpid()})
        found.discard(os.getpid())
        if not found:
            break
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
                ended.append(pid)
            except OSError:
                pass
        time.sleep(0.01)
    return sorted(set(ended))


def _throw_away_owner(folder: str) -> int | None:
    from .identity import is_throw_away

    try:
        found = os.lstat(folder)
    except OSError:
        return None
    return found.st_uid if stat.S_ISDIR(found.st_mode) and is_throw_away(found.st_uid) else None


def _environment_has(pid: int, prefixes: tuple[bytes, ...]) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as stream:
            return any(entry.startswith(prefixes) for entry in stream.read(1024 * 1024).split(b"\0"))
    except OSError:
        return False
