# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One way to write JSON as bytes, so that a digest of it means something. PRIVATE."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t


def canonical(value: t.Any) -> bytes:
    """*value* as JSON with sorted keys, no spaces and only ASCII: the same value always gives the same bytes.

    Lone surrogates, which stand for bytes of a file name that are not UTF-8, are written as ``\\udcXX``.

    :raises ValueError: for NaN and infinities, which JSON does not have.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def digest(value: t.Any) -> str:
    """The SHA-256 of :func:`canonical`, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def file_digest(path: str) -> str:
    """The SHA-256 of the content of the file *path*, which is no link.

    :raises OSError: when it cannot be read.
    """
    found = hashlib.sha256()
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as handle:
        while True:
            block = handle.read(1 << 20)
            if not block:
                return found.hexdigest()
            found.update(block)
