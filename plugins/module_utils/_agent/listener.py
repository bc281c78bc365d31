# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loopback socket of one run, there before anything that serves it. PRIVATE."""

from __future__ import annotations

import socket


def listen() -> socket.socket:
    """A socket on 127.0.0.1 with a port of the kernel's choice; connections wait in its queue."""
    return socket.create_server(("127.0.0.1", 0), backlog=1024)
