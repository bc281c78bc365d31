# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox: a bwrap command line for validations, and the proof that Codex's own sandbox holds. PRIVATE."""

from __future__ import annotations

import os
import shutil
import typing as t

from .._errors import CodexOpsError
from .binary import package_dir
from .ending import SANDBOX_ADVICE

if t.TYPE_CHECKING:
    from .request import Helpers

#: What programs need of /etc to start at all.
_ETC = (
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki",
    "/etc/nsswitch.conf", "/etc/localtime", "/etc/timezone", "/etc/mime.types",
)  # fmt: skip
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_bwrap(codex_path: str) -> str:
    """The bwrap that came with Codex, else the one on PATH.

    :raises CodexOpsError: ``bwrap_missing``.
    """
    package = package_dir(codex_path)
    bundled = os.path.join(package, "codex-resources", "bwrap") if package else ""
    if bundled and os.access(bundled, os.X_OK):
        return bundled
    found = shutil.which("bwrap", path=os.environ.get("PATH", "/usr/bin:/bin"))
    if found is None:
        raise CodexOpsError(
            "There is no bwrap: neither in Codex's package nor on PATH.",
            code="bwrap_missing",
            outcome="sandbox_unavailable",
            hint="Install bubblewrap, or a complete package of the Codex CLI.",
        )
    return found


def confine(argv: t.Sequence[str], *, copy: str, live: str, codex_path: str, writable: bool = False, everything: bool = False) -> list[str]:
    """The command line that runs *argv* confined like the agent: no network, no files but its own, no privileges.

    Only /tmp (HOME and TMPDIR, empty at first) and /dev/shm can be written, and neither is the host's.

    :arg copy: The folder with the patched copy; mounted at the path of
    :arg live: the live workspace, so that absolute paths mean the copy. It is the working directory.
    :arg writable: Whether the copy may be written too.
    :arg everything: Whether, for root, files of other owners may be read: for the live tree itself (*copy* is *live*).
    :raises CodexOpsError: ``bwrap_missing``, or ``workspace_not_mountable`` for a workspace that would hide the system.
    """
    live = os.path.normpath(live)
    system = _system_mounts()
    covered = [path for path in ("/", "/proc", "/dev", "/usr", "/etc", "/tmp", *(path for _kind, path, _target in system)) if _is_below(path, live)]
    if covered or not os.path.isabs(live):
        raise CodexOpsError(
            f"A validation cannot run with the workspace at {live}: the copy would lie over {covered[0] if covered else 'no absolute path'}.",
            code="workspace_not_mountable",
            outcome="sandbox_unavailable",
            hint="Use a folder of its own as workspace.",
        )
    # bwrap is process 1 inside, and shows what it was started with in /proc/1/environ: --clearenv alone is not enough.
    line = ["/usr/bin/env", "-i"]
    bwrap = [find_bwrap(codex_path), "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL", "--hostname", "validation"]
    if everything and os.geteuid() == 0:
        from .seccomp import shell

        # In a user namespace no capability counts for the files of users who have no number there.
        line += ["/bin/sh", "-c", shell(), "sh", *bwrap, "--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        line += ["--cap-add", "CAP_DAC_READ_SEARCH", "--seccomp", "3"]
    else:
        line += [*bwrap, "--unshare-all"]
    for name, value in (("PATH", _PATH), ("HOME", "/tmp"), ("TMPDIR", "/tmp"), ("LANG", "C.UTF-8")):
        line += ["--setenv", name, value]
    for kind, path, target in system:
        line += ["--symlink", target, path] if kind == "symlink" else ["--ro-bind", path, path]
    for path in _ETC:
        if os.path.exists(path):
            line += ["--ro-bind", path, path]
    # For root the kernel lets user 0 write its settings whatever the namespace; bwrap itself leaves them open.
    line += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--remount-ro", "/proc"]
    line += ["--dev", "/dev", "--tmpfs", "/tmp", "--bind" if writable else "--ro-bind", copy, live]
    # The root is bwrap's own empty tmpfs: what was not mounted does not exist, and nothing can be added to it.
    return [*line, "--remount-ro", "/", "--chdir", live, "--", *argv]


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _system_mounts() -> list[tuple[str, str, str]]:
    """/usr and what belongs to it at the root, as (``bind`` or ``symlink``, path, target)."""
    found = [("bind", "/usr", "")]
    for name in sorted(os.listdir("/")):
        path = "/" + name
        if name in ("bin", "sbin") or name.startswith("lib"):
            if os.path.islink(path):
                found.append(("symlink", path, os.readlink(path)))
            elif os.path.isdir(path) and name != "lost+found":
                found.append(("bind", path, ""))
    return found


def preflight(codex_path: str, scratch_dir: str, stamp_dir: str, helpers: Helpers | None = None, cancelled: t.Callable[[], str | None] = lambda: None) -> None:
    """Prove that Codex's sandbox really holds here; at once when that was proved within a day.

    :arg scratch_dir: A folder of ours in which a probe may be set up (it is removed again).
    :arg stamp_dir: A folder of ours that remembers the proof.
    :arg helpers: Who runs the probe, where it is not the caller.
    :arg cancelled: Polled at least five times a second; a reason ends the probe.
    :raises CodexOpsError: ``sandbox_unavailable``, naming what did not hold and what to do; ``disk_full``; outcome ``killed``.
    """
    from . import stamp

    key = stamp.key_of(codex_path)
    if stamp.is_fresh(stamp_dir, key):
        return
    from . import disk
    from .probe import probe

    with disk.watched(scratch_dir):
        broken = probe(codex_path, scratch_dir, helpers, cancelled)
    reason = cancelled() if broken else None
    if reason is not None:
        raise CodexOpsError(f"The run was ended: {reason.rstrip('.')}. The live tree is as it was.", code="cancelled", outcome="killed")
    if broken:
        raise CodexOpsError(
            "The sandbox does not hold: " + "; ".join(broken) + ".", code="sandbox_unavailable", outcome="sandbox_unavailable", hint=SANDBOX_ADVICE
        )
    stamp.remember(stamp_dir, key)
