# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Knows and ends everything that a child process of ours started. PRIVATE.

A child may double-fork, call setsid and change its process group. As a child subreaper the engine becomes the parent of
whatever loses its own, so all of it stays below the engine in the process tree; a cgroup, where one may be had, knows it too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import typing as t

from . import _proc

if t.TYPE_CHECKING:
    from .ending import Ending

_CGROUP_ROOTS = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")


class Family:
    """One child process with all of its descendants. Use as a context manager: at its end nothing of it is alive.

    Meant for one thread at a time: children of this process that were there before are left alone, later ones are not.
    """

    def __init__(self) -> None:
        self._me = os.getpid()
        self._before = _proc.children(self._me)
        self._was_subreaper = _proc.set_subreaper(True)
        self._cgroup = _make_cgroup()
        self._uid: int | None = None
        self.child: subprocess.Popen[bytes] | None = None
        #: Processes that could not be ended (in uninterruptible sleep), after everything was tried.
        self.survivors: list[int] = []

    def __enter__(self) -> Family:
        return self

    def __exit__(self, *args: object) -> None:
        self.end(grace=0.0)
        if self._cgroup is not None:
            _remove_cgroup(self._cgroup)
            self._cgroup = None
        if not self._was_subreaper:
            _proc.set_subreaper(False)

    def spawn(
        self,
        argv: t.Sequence[str],
        *,
        cwd: str,
        env: t.Mapping[str, str],
        stdin: int,
        enter: t.Callable[[], None] | None = None,
        uid: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start *argv* in a session of its own, with pipes on standard output and error. It dies with this thread.

        :arg enter: Called in the child before it runs *argv*, to become somebody else.
        :arg uid: A user number that only this family has.
        :raises subprocess.SubprocessError: When *enter* failed.
        """
        self._uid = uid
        parent, cgroup_fd = self._me, -1
        if self._cgroup is not None:
            try:
                cgroup_fd = os.open(os.path.join(self._cgroup, "cgroup.procs"), os.O_WRONLY | os.O_CLOEXEC)
            except OSError:
                cgroup_fd = -1

        def before_exec() -> None:
            if cgroup_fd >= 0:
                try:
                    os.write(cgroup_fd, b"0")
                except OSError:
                    pass
            if enter is not None:
                enter()
            # After becoming another user, which takes it away.
            _proc.die_with_parent()
            if os.getppid() != parent:
                os._exit(127)

        try:
            self.child = subprocess.Popen(
                list(argv), cwd=cwd, env=dict(env), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                bufsize=0, close_fds=True, start_new_session=True, preexec_fn=before_exec,
            )  # fmt: skip
        finally:
            if cgroup_fd >= 0:
                os.close(cgroup_fd)
        return self.child

    def status(self, ending: Ending) -> None:
        """Tell in *ending* how the child ended."""
        if self.child is not None:
            ending.exit_code = self.child.wait()

    def members(self) -> set[int]:
        """The living processes of the family."""
        found = _proc.descendants(self._me, excluded=self._before)
        if self._cgroup is not None:
            try:
                with open(os.path.join(self._cgroup, "cgroup.procs"), encoding="ascii") as stream:
                    found.update(int(line) for line in stream if _proc.alive(int(line)))
            except (OSError, ValueError):
                pass
        if self._uid is not None:
            found |= _proc.of_user(self._uid)
        found.discard(self._me)
        return found

    def end(self, grace: float) -> None:
        """TERM to all, up to *grace* seconds, then KILL to all until nothing is left."""
        if grace > 0:
            _send(self.members(), signal.SIGTERM)
            until = time.monotonic() + grace
            while self._left() and time.monotonic() < until:
                time.sleep(0.01)
        give_up = time.monotonic() + 10
        while True:
            left = self._left()
            if not left:
                return
            if time.monotonic() > give_up:
                self.survivors = sorted(left)
                return
            if self._cgroup is not None:
                try:
                    with open(os.path.join(self._cgroup, "cgroup.kill"), "w", encoding="ascii") as stream:
                        stream.write("1")
                except OSError:
                    pass
            _send(left, signal.SIGKILL)
            time.sleep(0.002)

    def _left(self) -> set[int]:
        self._reap()
        return self.members()

    def _reap(self) -> None:
        """Collect the dead that became ours, so that they are not counted, nor kept as zombies."""
        child = self.child.pid if self.child is not None else -1
        if self.child is not None:
            self.child.poll()
        for pid in _proc.children(self._me) - self._before - {child}:
            try:
                os.waitpid(pid, os.WNOHANG)
            except OSError:
                pass


def _send(pids: t.Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass


def _make_cgroup() -> str | None:
    """A cgroup (version 2) of our own below the one we are in, or ``None``: a help, never a condition."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="surrogateescape") as stream:
            mine = next((line.rstrip("\n")[3:] for line in stream if line.startswith("0::")), None)
    except OSError:
        return None
    if mine is None or ".." in mine:
        return None
    for root in _CGROUP_ROOTS:
        parent = root + mine.rstrip("/")
        if os.access(os.path.join(parent, "cgroup.procs"), os.W_OK):
            _sweep_cgroups(parent)
            path = os.path.join(parent, f"day2-codex-{os.getpid()}-{_pid_namespace()}-{os.urandom(4).hex()}")
            try:
                os.mkdir(path, 0o755)
            except OSError:
                return None
            return path
    return None


def _pid_namespace() -> str:
    """Which namespace the numbers of processes are from."""
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return "0"


def _sweep_cgroups(parent: str) -> None:
    """End what engines that were killed left in their cgroups, and remove those.

    Not all of it dies with its parent: bubblewrap's child waits for ever where its other half is killed before it could ask for that.
    """
    here = _pid_namespace()
    for name in os.listdir(parent):
        words = name.split("-")
        # The number of an engine in another namespace says nothing here.
        if name.startswith("day2-codex-") and len(words) == 5 and words[2].isdigit() and words[3] == here and not _proc.alive(int(words[2])):
            path = os.path.join(parent, name)
            try:
                with open(os.path.join(path, "cgroup.kill"), "r+", encoding="ascii") as stream:
                    stream.write("1")
            except OSError:
                pass
            _remove_cgroup(path)


def _remove_cgroup(path: str) -> None:
    for _attempt in range(50):
        try:
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)
