# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One line on a terminal that says that work goes on, and for how long. PRIVATE."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import typing as t

#: Seconds after which it first shows: what is done by then needs no line.
_PATIENCE = 0.5
_EVERY = 0.5


def _line(what: str, seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{what} {minutes}:{rest:02d}"


@contextlib.contextmanager
def shown(what: str, *, quiet: bool = False) -> t.Iterator[None]:
    """While the context is open, *what* and the time it takes stand on standard error, if that is a terminal.

    :arg quiet: Show nothing.
    """
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    over = threading.Event()
    began = time.monotonic()

    def tell() -> None:
        pause = _PATIENCE
        while not over.wait(pause):
            pause = _EVERY
            with contextlib.suppress(OSError, ValueError):
                os.write(2, ("\r" + _line(what, time.monotonic() - began) + "\x1b[K").encode("ascii", "replace"))

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
        with contextlib.suppress(OSError):
            os.write(2, b"\r\x1b[K")
