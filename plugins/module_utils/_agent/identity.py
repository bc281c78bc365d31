# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who Codex runs as. PRIVATE.

As an ordinary user Codex runs as that user. As root it must not: the kernel asks only for user number 0 before it lets a
process write /proc/sys, whatever namespaces and capabilities it has, and a sandbox started by root still is user 0 to the
kernel. So for an engine that runs as root, each run gets a throw-away user and group number that nobody has.

That user may not enter the folders above the run's own (/root, a prefix with mode 0700). So Codex also gets a mount
namespace of its own, in which a neutral folder shows the copy, the agent's folder and the Codex installation, nothing else
of it: /mnt/codex-ops/workspace, /mnt/codex-ops/agent, /mnt/codex-ops/codex. The engine writes at the outer paths. Codex makes
a /tmp/codex-daemon-UID besides, so /tmp is an empty one of its own too: nothing is left behind for each run.

On a provisioned host Codex runs as codex-agent instead, by a helper of root's: see :mod:`helped`.
"""

from __future__ import annotations

import dataclasses
import os
import pwd
import stat

from .._errors import CodexOpsError
from . import _proc, kernel, walk
from .binary import package_dir
from .config import Layout

_RANGE = (1_900_000_000, 2_100_000_000)
_NEUTRAL = ("/mnt", "/media", "/srv")


@dataclasses.dataclass(frozen=True)
class Identity:
    """How one run of Codex sees the world.

    ``uid`` is the throw-away user and group number, or ``None``: then everything below is as it is outside.
    ``layout``, ``workspace``, ``codex_path`` and ``install`` are paths as Codex and its commands see them, ``run_dir`` is what
    the ``@run@`` of a cassette stands for. ``mounts`` are (source outside, target inside, read-only).
    """

    uid: int | None
    layout: Layout
    workspace: str
    run_dir: str
    codex_path: str
    install: str
    base: str = ""
    mounts: tuple[tuple[str, str, bool], ...] = ()
    #: It is codex-agent, run by a helper of root's, in a network namespace of its own.
    alone: bool = False

    def give(self, outer: Layout, workspace: str) -> None:
        """Make the agent's folder and the copy belong to the throw-away user."""
        if self.uid is not None:
            for path in (outer.root, workspace):
                own(path, self.uid, self.uid)

    def take_back(self, workspace: str) -> None:
        """Make the copy ours again. Nothing of the agent may be alive. Modes and contents stay."""
        if self.uid is not None and os.path.isdir(workspace):
            own(workspace, os.geteuid(), os.getegid())

    def entry(self) -> Entry | None:
        """What the child has to do between fork and exec; ``None`` when there is nothing to do."""
        return None if self.uid is None else Entry(self, self.uid)


def choose(codex_path: str, outer: Layout, run_dir: str, workspace: str) -> Identity:
    """The identity for one run.

    :raises CodexOpsError: ``no_user_number`` or ``no_neutral_folder`` (``sandbox_unavailable``).
    """
    real = os.path.realpath(codex_path)
    install = package_dir(codex_path) or real
    uid = _free_number() if os.geteuid() == 0 else None
    if uid is None:
        return Identity(None, outer, workspace, os.path.realpath(run_dir), codex_path, install)
    base = next((path for path in _NEUTRAL if os.path.isdir(path) and not os.path.islink(path)), None)
    if base is None:
        raise _unavailable("no_neutral_folder", f"There is none of the folders {', '.join(_NEUTRAL)}.", "Create /mnt, owned by root and empty.")
    inside = os.path.join(base, "codex-ops")
    places = {name: os.path.join(inside, name) for name in ("workspace", "agent", "codex")}
    mounts = ((os.path.realpath(workspace), places["workspace"], False), (outer.root, places["agent"], False), (install, places["codex"], True))
    program = places["codex"] if install == real else os.path.join(places["codex"], os.path.relpath(real, install))
    return Identity(uid, Layout(places["agent"]), places["workspace"], inside, program, places["codex"], base, mounts)


class Entry:
    """Prepared before the fork; calling it in the child makes the mounts and becomes the throw-away user."""

    def __init__(self, identity: Identity, uid: int) -> None:
        self._identity = identity
        self._uid = uid
        self._mounts = [(source, target.encode(), read_only, not os.path.isdir(source)) for source, target, read_only in identity.mounts]
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def __enter__(self) -> Entry:
        return self

    def __exit__(self, *args: object) -> None:
        os.close(self._read)
        os.close(self._write)

    def __call__(self) -> None:
        step = "a mount namespace"
        try:
            kernel.detach_mounts()
            # Opened first: the sources may lie below the neutral folder.
            sources = [os.open(source, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW) for source, *_rest in self._mounts]
            step = f"a mount at {self._identity.base}"
            kernel.mount(b"tmpfs", self._identity.base.encode(), b"tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, b"mode=0755,size=64k")
            step = "a /tmp of its own"
            kernel.mount(b"tmpfs", b"/tmp", b"tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, b"mode=1777,size=16m")
            mask = os.umask(0o022)
            os.mkdir(self._identity.run_dir)
            for source, (_outside, target, read_only, lone) in zip(sources, self._mounts):
                step = f"a mount at {target.decode()}"
                if lone:
                    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
                else:
                    os.mkdir(target)
                kernel.bind(source, target, read_only)
                os.close(source)
            os.umask(mask)
            step = f"its workspace {self._identity.workspace}"
            os.chdir(self._identity.workspace)
            step = f"the user number {self._uid}"
            os.setgroups([])
            os.setresgid(self._uid, self._uid, self._uid)
            os.setresuid(self._uid, self._uid, self._uid)
        except OSError as error:
            os.write(self._write, f"{step}: {error.strerror}".encode("utf-8", "replace")[:2000])
            raise

    def failure(self) -> str:
        """What could not be had in the child, in words; empty when all went well."""
        try:
            return os.read(self._read, 4096).decode("utf-8", "replace")
        except BlockingIOError:
            return ""


def own(path: str, uid: int, gid: int) -> None:
    """Give everything below and with *path* to *uid*, never through a link. Modes stay."""

    def change(parent: int, name: str, status: os.stat_result) -> None:
        if (status.st_uid, status.st_gid) == (uid, gid):
            return
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1 and uid != os.geteuid():
            raise CodexOpsError(f"The file {name} in the copy has more than one link.", code="hard_link", where=path)
        os.chown(name, uid, gid, dir_fd=parent, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) and status.st_mode & 0o6000:
            # chown takes these bits away, and the caller looks for changed modes.
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
            try:
                os.fchmod(fd, stat.S_IMODE(status.st_mode))
            finally:
                os.close(fd)

    walk.contents_first(path, change)


def is_throw_away(uid: int) -> bool:
    """Whether nobody has this number, so that it can only be one of ours."""
    if uid in (0, os.geteuid()):
        return False
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return True
    return False


def _free_number() -> int | None:
    """A number of no user, no group and no process; ``None`` where root is an ordinary user in a namespace of its own.

    :raises CodexOpsError: ``no_user_number``.
    """
    ranges = _usable("uid_map")
    if ranges is None:
        return None
    groups = _usable("gid_map") or []
    common = [(max(a, c), min(b, d)) for a, b in ranges for c, d in groups if max(a, c) < min(b, d)]
    for low, high in common:
        taken = _proc.user_numbers()
        for _attempt in range(100):
            number = low + int.from_bytes(os.urandom(8), "big") % (high - low)
            if number not in taken and is_throw_away(number):
                return number
    raise _unavailable("no_user_number", "No user number is free for the agent.", "Map more user and group numbers into this container.")


def _usable(name: str) -> list[tuple[int, int]] | None:
    """Ranges of numbers to choose from, the best first: the high range, else the upper half of what a container has."""
    found: list[tuple[int, int]] = []
    with open(f"/proc/self/{name}", encoding="ascii") as stream:
        lines = [[int(word) for word in line.split()] for line in stream]
    if len(lines) == 1 and lines[0][2] == 1 and lines[0][1] != 0:
        return None
    for first, _outside, count in lines:
        low, high = max(first, _RANGE[0]), min(first + count, _RANGE[1])
        if high - low > 1000:
            found.insert(0, (low, high))
        elif count > 10000:
            found.append((first + count // 2, min(first + count, 1 << 31)))
    return found


def _unavailable(code: str, message: str, hint: str) -> CodexOpsError:
    return CodexOpsError(message, code=code, outcome="sandbox_unavailable", hint=hint)
