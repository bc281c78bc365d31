# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results that were reached once, by fingerprint, so that an identical task asks no model. PRIVATE."""

from __future__ import annotations

import json
import os
import re
import typing as t

from .._errors import CodexOpsError

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
VERSION = 1


def _path(folder: str, fingerprint: str) -> str:
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError("a fingerprint is 64 hexadecimal digits")
    return os.path.join(folder, fingerprint + ".json")


def recall(folder: str, fingerprint: str) -> dict[str, t.Any] | None:
    """The result that was remembered, or ``None``. A file that cannot be read or is damaged counts as nothing.

    :raises CodexOpsError: ``newer_state`` when a newer engine wrote it.
    """
    try:
        with open(_path(folder, fingerprint), encoding="utf-8") as handle:
            known = json.load(handle)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(known, dict) or "version" not in known:
        return None
    if known.get("version") != VERSION:
        raise CodexOpsError(
            f"The remembered result has version {known.get('version')!r}; this engine knows {VERSION}.",
            code="newer_state",
            outcome="newer_state",
            where=_path(folder, fingerprint),
            hint="Use the engine that wrote it, or a newer one.",
        )
    result = known.get("result")
    return result if isinstance(result, dict) else None


def remember(folder: str, fingerprint: str, result: dict[str, t.Any]) -> None:
    """Keep *result* (JSON) under *fingerprint*, atomically."""
    path = _path(folder, fingerprint)
    beside = f"{path}.{os.getpid()}"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as handle:
            json.dump({"version": VERSION, "result": result}, handle, ensure_ascii=True)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
