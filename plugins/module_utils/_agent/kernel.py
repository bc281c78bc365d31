# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's calls for namespaces and mounts. PRIVATE."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x08000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 19
# These have the same values as what statvfs tells: a mount must keep them where a container has locked them.
_KEPT = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
_PR_SET_NO_NEW_PRIVS = 38
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1

# Looked up before any fork: nothing may be loaded between fork and exec.
_LIBC = ctypes.CDLL(None, use_errno=True)
_UNSHARE = _LIBC.unshare
_SETNS = _LIBC.setns
_PRCTL = _LIBC.prctl
_MOUNT = _LIBC.mount
_MOUNT.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unshare(flags: int) -> None:
    """Leave the namespaces *flags* for new ones. :raises OSError:"""
    _checked(_UNSHARE(flags))


def join(handle: int, flags: int) -> None:
    """Enter the namespace that *handle* holds. :raises OSError:"""
    _checked(_SETNS(handle, flags))


def mount(source: bytes, target: bytes, kind: bytes | None, flags: int, data: bytes | None = None) -> None:
    """mount(2). :raises OSError:"""
    _checked(_MOUNT(source, target, kind, flags, data))


def bind(source: int, target: bytes, read_only: bool) -> None:
    """Show what the handle *source* holds at *target*, without set-uid programs and devices. :raises OSError:"""
    mount(b"/proc/self/fd/%d" % source, target, None, MS_BIND)
    flags = os.statvfs(target).f_flag & _KEPT | MS_NOSUID | MS_NODEV | (MS_RDONLY if read_only else 0)
    mount(b"none", target, None, MS_BIND | MS_REMOUNT | flags)


def detach_mounts() -> None:
    """A mount namespace of our own, whose mounts nobody else sees. :raises OSError:"""
    unshare(CLONE_NEWNS)
    mount(b"none", b"/", None, MS_REC | MS_SLAVE)


def no_new_privileges() -> None:
    """No program that this process runs can gain anything: set-uid bits and file capabilities count no more. :raises OSError:"""
    _checked(_PRCTL(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)))


def loopback_up() -> None:
    """Bring the loopback interface of this network namespace up. :raises OSError:"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
