# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The place in which Codex runs: as codex-agent, alone in namespaces of its own, in memory of limited size. PRIVATE.

Mounts: only it sees them. Network: nothing but its own loopback interface, on which one socket listens, and that is the
relay's. Processes: it sees only its own; when the first of them ends, the kernel ends all others at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import socket
import time
import typing as t

from .._agent import _proc, kernel
from .._identities import Account, become
from . import carry

#: Bytes and inodes of everything that the agent may write.
SIZE, INODES = carry.MAX_BYTES, 400_000
#: Processes and threads of all runs together.
MAX_PROCESSES = 2048
_NEUTRAL = ("/mnt", "/media", "/srv")
#: What the agent sees of the host: programs, configuration that everybody may read, devices. Everything else, with other users' files, databases' sockets
#: and logs, is covered by empty folders.
_SEEN = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "dev", "proc", "sys")
#: Folders that everybody may write: the agent gets empty ones of its own.
_SHARED = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")
_POLL = 0.02


def base(avoid: str) -> str | None:
    """The folder that the agent's own file system is mounted at: not above *avoid*."""
    for path in _NEUTRAL:
        if os.path.isdir(path) and not os.path.islink(path) and not (os.path.realpath(avoid) + "/").startswith(path + "/"):
            return path
    return None


def enter(where: str, install: str, agent: Account) -> None:
    """Leave this process' namespaces and lay the agent's file system: ``codex-ops`` in *where*, the agent's own but for ``codex``.

    :arg install: What is shown as ``codex``: a folder or one program.
    :raises OSError: what cannot be had, in its file name.
    """
    kernel.detach_mounts()
    kernel.unshare(kernel.CLONE_NEWIPC | kernel.CLONE_NEWNET)
    kernel.loopback_up()
    source = os.open(install, os.O_PATH | os.O_CLOEXEC)
    try:
        options = f"mode=0755,size={SIZE},nr_inodes={INODES}"
        kernel.mount(b"tmpfs", where.encode(), b"tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options.encode())
        home = os.path.join(where, "codex-ops")
        os.mkdir(home, 0o700)
        target = os.path.join(home, "codex")
        if os.path.isdir(install):
            os.mkdir(target, 0o755)
        else:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        kernel.bind(source, target.encode(), read_only=True)
        os.chown(home, agent.uid, agent.gid)
    finally:
        os.close(source)


def fork(who: Account | None, work: t.Callable[[], None], complaint: int = -1) -> int:
    """The number of a new process that is *who* (root, where it is ``None``), does *work* and ends. It dies with this one.

    :arg complaint: A pipe for why it failed.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        if who is not None:
            become(who)
        _proc.die_with_parent()
        # The first process of a namespace sees no parent.
        if os.getppid() in (parent, 0):
            work()
            status = 0
    except BaseException as error:  # pylint: disable=broad-except
        with contextlib.suppress(OSError):
            os.write(complaint, carry.reason(error).encode("utf-8", "replace")[:500])
    finally:
        os._exit(status)


def fork_first(work: t.Callable[[], None], complaint: int) -> int:
    """As :func:`fork`, but the first process of a new process namespace. Later children are not in it."""
    outside = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        kernel.unshare(kernel.CLONE_NEWPID)
        pid = fork(None, work, complaint)
        kernel.join(outside, kernel.CLONE_NEWPID)
        return pid
    finally:
        os.close(outside)


class Stopped(Exception):
    """The engine, the kill switch or the clock ended the run."""


class Watch:
    """Waits for processes of ours, and ends the wait when the run must end.

    :arg sock: To the engine: whatever comes from there, its end too, ends the run.
    :arg stopped: Says why the kill switch ends it.
    :arg deadline: On the monotonic clock.
    """

    def __init__(self, sock: socket.socket, stopped: t.Callable[[], str | None], deadline: float) -> None:
        self._sock = sock
        self._stopped = stopped
        self._deadline = deadline

    def check(self, seconds: float = 0) -> None:
        """Look for *seconds* whether the run must end. :raises Stopped:"""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN | select.POLLRDHUP)
        if poll.poll(seconds * 1000):
            raise Stopped("the engine ended the run")
        if time.monotonic() > self._deadline:
            raise Stopped("it is over its time")
        reason = self._stopped()
        if reason is not None:
            raise Stopped(reason)

    def wait(self, *children: int) -> list[int]:
        """The wait statuses of *children*. When the run must end before, all of them are killed.

        :raises Stopped:
        """
        statuses: dict[int, int] = {}
        try:
            while True:
                for child in set(children) - set(statuses):
                    pid, status = os.waitpid(child, os.WNOHANG)
                    if pid:
                        statuses[pid] = status
                if len(statuses) == len(children):
                    return [statuses[child] for child in children]
                self.check(_POLL)
        finally:
            end(*(set(children) - set(statuses)))


def end(*children: int) -> None:
    """Kill *children* and wait for them. The first process of a namespace is gone only when all others in it are."""
    for child in children:
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)
    for child in children:
        with contextlib.suppress(OSError):
            os.waitpid(child, 0)


def _cover(keep: str) -> None:
    """Lay empty folders over all of the host that the agent has no use for, and over those that everybody may write.

    :arg keep: The folder in which its own lies.
    """
    for name in os.listdir("/"):
        if name not in _SEEN and "/" + name != keep:
            _empty("/" + name, b"mode=0755,size=64k")
    os.makedirs("/var/tmp", exist_ok=True)
    for path in _SHARED:
        _empty(path, b"mode=1777,size=16m")


def _empty(path: str, how: bytes) -> None:
    """Lay an empty folder over *path*, where that is a folder."""
    if os.path.isdir(path) and not os.path.islink(path):
        kernel.mount(b"tmpfs", os.fsencode(path), b"tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, how)


def first(argv: list[str], environment: dict[str, str], folder: str, prompt: int, agent: Account, told: int) -> None:
    """The work of the first process of the namespace: start Codex, collect the dead, and tell how Codex ended.

    :arg prompt: A handle of what Codex reads as standard input.
    :arg told: A pipe that gets a wait status as JSON, or a sentence why Codex could not be started.
    """
    kernel.detach_mounts()
    kernel.mount(b"proc", b"/proc", b"proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    _cover("/" + folder.split("/")[1])
    broken, says = os.pipe2(os.O_CLOEXEC)
    codex = os.fork()
    if codex == 0:
        try:
            _become_codex(argv, environment, folder, prompt, agent)
        except BaseException as error:  # pylint: disable=broad-except
            os.write(says, carry.reason(error).encode("utf-8", "replace")[:500])
        finally:
            os._exit(127)
    os.close(says)
    # Its outputs must end with Codex, not with what Codex leaves behind.
    for number in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC), number)
    why = os.read(broken, 1000).decode("utf-8", "replace")
    while True:
        pid, status = os.wait()
        if pid == codex:
            os.write(told, json.dumps({"status": status, "why": why}).encode())
            return


def _become_codex(argv: list[str], environment: dict[str, str], folder: str, prompt: int, agent: Account) -> None:
    os.setsid()
    os.dup2(prompt, 0)
    for kind, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NPROC, MAX_PROCESSES), (resource.RLIMIT_NOFILE, 8192), (resource.RLIMIT_FSIZE, SIZE)):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    become(agent)
    kernel.no_new_privileges()
    _proc.die_with_parent()
    os.chdir(folder)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execve(argv[0], argv, environment)
