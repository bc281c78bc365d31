# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies records to the host's syslog, which journald is where there is one. PRIVATE."""

from __future__ import annotations

import errno
import os
import socket
import time

ADDRESS = "/dev/log"
#: What every common syslog takes in one message.
MAX_MESSAGE = 8000
_SMALL = 1000
_TAG = "codex-ops"
_AUTHPRIV_INFO = 10 * 8 + 6
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NO_CONTROLS = bytes(byte if 32 <= byte < 127 else 32 for byte in range(256))


def _message(line: str, limit: int) -> bytes:
    now = time.localtime()
    when = f"{_MONTHS[now.tm_mon - 1]} {now.tm_mday:2d} {now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d}"
    begin = f"<{_AUTHPRIV_INFO}>{when} {_TAG}[{os.getpid()}]: ".encode("ascii")
    text = line.encode("ascii", "backslashreplace").translate(_NO_CONTROLS)
    if len(begin) + len(text) > limit:
        # A record begins with its hash and number, so what was cut off can be found in the log.
        cut = f" [cut: {len(text)} bytes]".encode("ascii")
        text = text[: limit - len(begin) - len(cut)] + cut
    return begin + text


def syslog(line: str, address: str = ADDRESS) -> bool:
    """Send *line*, the line of a record without its newline, to the syslog. A long one is cut; its hash and number stand first.

    It never waits and never fails: the log is what counts, and this is its copy.

    :returns: Whether it was handed over.
    """
    for limit in (MAX_MESSAGE, _SMALL):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as channel:
                channel.connect(address)
                channel.send(_message(line, limit))
                return True
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                return False
    return False
