# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Confines a validation that looks at the live tree: it reads what the caller can read, and can do nothing at all. PRIVATE.

The engine cannot know everything that a program runs, so the agent may have slipped something in. Here it finds no network, no
sockets (a local daemon may do anything for root), no capability but to read, and nothing that can be written.
"""

from __future__ import annotations

import os
import platform
import struct
import typing as t

from .._errors import CodexOpsError
from .sandbox import find_bwrap

#: Where a validation may write: memory of its own.
SCRATCH = "/var/tmp"

# Audit architecture and number of socket(2), from the kernel's tables. io_uring_setup(2), which can make sockets too, is 425 on all.
_ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_IO_URING_SETUP = 425
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_KILL, _ALLOW, _EPERM = 0x80000000, 0x7FFF0000, 0x00050001


def no_sockets() -> bytes:
    """A seccomp filter (classic BPF, seccomp(2)) by which making a socket fails with EPERM.

    :raises CodexOpsError: ``architecture_unknown``, outcome ``sandbox_unavailable``.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise CodexOpsError(
            f"Validations cannot be confined in place on the architecture {machine!r}.",
            code="architecture_unknown",
            outcome="sandbox_unavailable",
            hint="Supported are " + " and ".join(sorted(_ARCHITECTURES)) + ".",
        )
    architecture, socket_number = _ARCHITECTURES[machine]
    program = (
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        # Numbers from here on are another calling convention (x32), with another socket(2).
        (_AT_LEAST, 3, 0, 0x40000000),
        (_EQUAL, 2, 0, socket_number),
        (_EQUAL, 1, 0, _IO_URING_SETUP),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _EPERM),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def confine_in_place(argv: t.Sequence[str], *, live: str, codex_path: str, filter_path: str) -> list[str]:
    """The command line that runs *argv* in the live tree, unable to change anything.

    :arg live: The live workspace, its working directory.
    :arg filter_path: A file that holds :func:`no_sockets`.
    :raises CodexOpsError: ``bwrap_missing``.
    """
    root = os.geteuid() == 0
    environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", f"HOME={SCRATCH}", f"TMPDIR={SCRATCH}"]
    return [
        "/bin/sh", "-c", 'exec "$@" 9<"$0"', filter_path,
        "/usr/bin/env", "-i", *environment,
        find_bwrap(codex_path), "--die-with-parent", "--new-session", "--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts",
        "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--remount-ro", "/proc", "--tmpfs", SCRATCH,
        "--cap-drop", "ALL",
        # Files of the live tree may belong to others: root may read them, as ever.
        *(["--cap-add", "CAP_DAC_READ_SEARCH"] if root else []),
        "--chdir", live, "--seccomp", "9", "--", *argv,
    ]  # fmt: skip
