# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets that the engine knows: the provider's key, the installation's secret files, and its own redaction key. PRIVATE."""

from __future__ import annotations

import os
import stat
import typing as t

from ._errors import CodexOpsError
from ._places import Places

_MAX_KEY = 8192
_MAX_SECRETS = 200
#: Bytes of a secret file that are read.
MAX_SECRET_FILE = 64 * 1024


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
        raise CodexOpsError("The provider's key must be one line of printable text.", code="key_invalid", outcome="provider_error", where=path)
    return key


def known_secrets(places: Places) -> list[str]:
    """The values in the installation's secret files, as :func:`secrets_and_warnings` finds them."""
    return secrets_and_warnings(places)[0]


def secrets_and_warnings(places: Places) -> tuple[list[str], list[str]]:
    """The values in the installation's secret files, and one warning for each file of which not all can be masked.

    The files stand in the folder of the provider's key and in the folders in it. A file that cannot be read holds nothing that
    could get out through this process.
    """
    from ._secret_files import values  # pylint: disable=import-outside-toplevel

    found: list[str] = []
    warnings: list[str] = []
    paths = sorted(_files(os.path.dirname(places.provider_key), 1))
    if len(paths) > _MAX_SECRETS:
        warnings.append(f"{os.path.dirname(places.provider_key)} holds {len(paths)} files; only the first {_MAX_SECRETS} are masked by value.")
    for path in paths[:_MAX_SECRETS]:
        try:
            # A link leads to a secret that is kept in memory; whoever made it may write this folder.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as handle:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    continue
                raw = handle.read(MAX_SECRET_FILE + 1)
        except OSError:
            continue
        learned, reason = values(raw[:MAX_SECRET_FILE])
        if len(raw) > MAX_SECRET_FILE:
            reason = f"it is larger than {MAX_SECRET_FILE // 1024} KiB"
        if reason:
            warnings.append(f"Not all of the secret file {path} can be masked by value: {reason}.")
        found.extend(learned)
    return list(dict.fromkeys(found)), warnings


def _files(folder: str, depth: int) -> t.Iterator[str]:
    """What is in *folder* and, *depth* levels deep, in the folders in it."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    yield entry.path
                elif depth:
                    yield from _files(entry.path, depth - 1)
    except OSError:
        return


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
