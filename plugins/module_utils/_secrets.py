# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets that the engine knows: the provider's key, the installation's secret files, and its own redaction key. PRIVATE."""

from __future__ import annotations

import os
import stat

from ._errors import CodexOpsError
from ._places import Places

_MAX_KEY = 8192
_MAX_SECRETS = 200


def read_key(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as handle:
            raw = handle.read(_MAX_KEY + 1)
        key = raw.decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII text"
        raise CodexOpsError(
            f"The provider's key cannot be read: {reason}.",
            code="key_unreadable",
            outcome="provider_error",
            where=path,
            hint="It must be a file that the engine can read, holding the key and nothing else.",
        ) from None
    if not key or len(raw) > _MAX_KEY or any(not character.isprintable() for character in key):
        raise CodexOpsError(
            "The provider's key must be one line of printable text.", code="key_invalid", outcome="provider_error", where=path
        )
    return key


def known_secrets(places: Places) -> list[str]:
    """The values in the installation's secret files: each file as a whole, and what stands behind a name in its lines.

    A file that cannot be read holds nothing that could get out through this process.
    """
    found: list[str] = []
    try:
        names = sorted(os.listdir(os.path.dirname(places.provider_key)))
    except OSError:
        return found
    for name in names[:_MAX_SECRETS]:
        try:
            descriptor = os.open(
                os.path.join(os.path.dirname(places.provider_key), name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
            )
            with os.fdopen(descriptor, "rb") as handle:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    continue
                text = handle.read(_MAX_KEY).decode("utf-8", "surrogateescape")
        except OSError:
            continue
        found.append(text.strip())
        for line in text.splitlines():
            name_of, sign, value = line.partition("=")
            found.append((value if sign and name_of.strip().isidentifier() else line).strip().strip("\"'"))
    return [value for value in found if value]


def redaction_key(places: Places) -> bytes | None:
    """The key of this installation's redaction marks, by which equal secrets look equal in all of its records.

    ``None`` where it can be neither read nor made; then the marks of each process stand for themselves.
    """
    return kept_key(os.path.join(places.state, "redaction-key"))


def kept_key(path: str) -> bytes | None:
    """The 32 random bytes in the file *path*, which the first caller makes; ``None`` where it can be neither read nor made."""
    for _attempt in range(2):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as handle:
                key = handle.read(64)
            return key if len(key) == 32 else None
        except FileNotFoundError:
            pass
        except OSError:
            return None
        beside = f"{path}.{os.urandom(4).hex()}"
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(os.urandom(32))
            # The first of several wins; a name appears with all of its bytes.
            os.link(beside, path)
        except OSError:
            pass
        finally:
            if os.path.lexists(beside):
                os.unlink(beside)
    return None
