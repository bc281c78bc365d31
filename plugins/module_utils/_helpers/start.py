# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a helper begins: nothing of the caller's counts but one line on standard input. PRIVATE."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import struct
import typing as t

from .._identities import AGENT, OPS, Account, account

#: A run, or the sandbox's probe below a run.
RUN = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}(/probe-[a-z0-9_]{8})?")
#: A plan has the ID of the run that made it.
PLAN = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
#: Seconds within which the line must have come, and its longest form.
PATIENCE = 10.0
_LONGEST = 64
#: Root's folder of what runs.
RUNNING = "/run/codex-ops-agents"
#: What is wrong with the call, and what went wrong in the work.
MISUSED = 2
FAILED = 1
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}


class Refused(Exception):
    """The helper does not do what it is asked; the text says why, without a word of the caller's in it."""

    def __init__(self, message: str, status: int = MISUSED) -> None:
        super().__init__(message)
        self.status = status


def clean(argv: t.Sequence[str]) -> None:
    """Forget the caller's environment, folder, mask, limits, signals and open files.

    :raises Refused: when there are arguments, or this is not root.
    """
    via = os.environ.get("SUDO_USER", "")
    os.environ.clear()
    os.environ.update(_ENVIRONMENT)
    if re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", via):
        os.environ["SUDO_USER"] = via
    os.umask(0o077)
    os.chdir("/")
    os.closerange(3, 65536)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL if number != signal.SIGPIPE else signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.setitimer(signal.ITIMER_REAL, 0)
    # An engine that is unlucky must not leave root's memory behind.
    import resource  # pylint: disable=import-outside-toplevel

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_DATA):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if len(argv) > 0:
        raise Refused("No arguments are taken: an ID comes on standard input.")
    if os.geteuid() != 0 or os.getuid() != 0:
        raise Refused("This is a helper of root's: it is called through sudo.")


def identifier(expression: re.Pattern[str]) -> str:
    """The one line on standard input, which must be an ID.

    :raises Refused: for anything else.
    """
    import select  # pylint: disable=import-outside-toplevel
    import time  # pylint: disable=import-outside-toplevel

    until, data = time.monotonic() + PATIENCE, b""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    while b"\n" not in data and len(data) <= _LONGEST:
        left = until - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise Refused("No ID came on standard input.")
        try:
            # Byte by byte: what follows the line is not ours to take.
            piece = os.read(0, 1)
        except OSError:
            piece = b""
        if not piece:
            break
        data += piece
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not text.endswith("\n") or not expression.fullmatch(text[:-1]):
        raise Refused("What came on standard input is not an ID.")
    return text[:-1]


def accounts() -> tuple[Account, Account]:
    """The users codex-ops and codex-agent.

    :raises Refused: when one is missing, or both are one.
    """
    ops, agent = account(OPS), account(AGENT)
    if ops is None or agent is None or ops.uid == agent.uid or ops.gid == agent.gid:
        raise Refused(f"This host is not provisioned: it needs the users {OPS} and {AGENT}, each with a group of its own.", FAILED)
    return ops, agent


def control(ops: Account) -> socket.socket:
    """Standard input as the socket to the engine, which must be one that *ops* (or root) made.

    :raises Refused: for anything else.
    """
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        raise Refused("Standard input must be one end of a pair of sockets.")
    with contextlib.suppress(OSError):
        found = socket.socket(fileno=os.dup(0))
        if found.family == socket.AF_UNIX and found.type == socket.SOCK_STREAM:
            _pid, uid, _gid = struct.unpack("3i", found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if uid in (0, ops.uid):
                return found
    raise Refused("Standard input must be one end of a pair of sockets.")


@contextlib.contextmanager
def only_one(run_id: str) -> t.Iterator[None]:
    """While it is open, no other agent-run serves *run_id*, and agent-stop finds this process.

    :raises Refused: when another one does.
    """
    import fcntl  # pylint: disable=import-outside-toplevel

    os.makedirs(RUNNING, 0o700, exist_ok=True)
    found = os.lstat(RUNNING)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o077:
        raise Refused(f"{RUNNING} is not root's own.", FAILED)
    path = running(run_id)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused("An agent of this run is running already.", FAILED) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, b"%d\n" % os.getpid(), 0)
        yield
        os.unlink(path)
    finally:
        os.close(handle)


def running(run_id: str) -> str:
    """Where the agent-run that serves *run_id* leaves its number."""
    return os.path.join(RUNNING, run_id.replace("/", "."))


def main(work: t.Callable[[], int], argv: t.Sequence[str]) -> int:
    """Run *work* after :func:`clean`; its status, or that of what was refused. Never a traceback: it could hold the caller's data."""
    try:
        clean(argv)
        return work()
    except Refused as refused:
        _say(str(refused))
        return refused.status
    except Exception as error:  # pylint: disable=broad-except
        _say(f"It failed: {type(error).__name__}" + (f": {error.strerror}" if isinstance(error, OSError) else ""))
        return FAILED


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"codex-ops helper: {text}\n".encode("utf-8", "backslashreplace"))
