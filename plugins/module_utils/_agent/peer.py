# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose the other end of a loopback connection is, as the kernel tells it. PRIVATE."""

from __future__ import annotations

import socket
import struct

_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 1
_NO_COOKIE = 0xFFFFFFFF
#: Of the answer: netlink header, four bytes, socket's identity, three numbers; then the user number.
_UID_AT = 16 + 4 + 48 + 12


def owner(sock: socket.socket) -> int | None:
    """The user number of whoever opened the other end of *sock* (TCP on IPv4); ``None`` where the kernel does not tell.

    One question about this one connection, whatever the number of others: /proc/net/tcp would have to be read in full.
    """
    try:
        here, there = sock.getsockname(), sock.getpeername()
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
            kernel.settimeout(0.2)
            # A client may speak IPv4 through a socket for IPv6.
            for family, prefix in ((socket.AF_INET, b""), (socket.AF_INET6, bytes(10) + b"\xff\xff")):
                ends = [(prefix + socket.inet_aton(address)).ljust(16, b"\0") for address in (there[0], here[0])]
                wanted = struct.pack("!HH", there[1], here[1]) + ends[0] + ends[1] + struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
                body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _NO_COOKIE) + wanted
                kernel.send(struct.pack("=IHHII", 16 + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0) + body)
                answer = kernel.recv(8192)
                if len(answer) >= _UID_AT + 8 and struct.unpack_from("=H", answer, 4)[0] == _SOCK_DIAG_BY_FAMILY:
                    uid, inode = struct.unpack_from("=II", answer, _UID_AT)
                    # A connection that its owner has closed already belongs to nobody.
                    return int(uid) if inode else None
    except OSError:
        pass
    return None
