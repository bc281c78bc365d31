# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""codex-ops collect: look at the host. PRIVATE."""

from __future__ import annotations

import json
import os
import typing as t

from .._errors import CodexOpsError
from .._options import Options
from .asked import Asked

_MAX = 1 << 20


def work(given: Asked) -> dict[str, t.Any]:
    """The result of a look.

    :raises CodexOpsError: for a collector or options that are none, or a job that could not be added.
    """
    from .._collecting import Look, collect  # pylint: disable=import-outside-toplevel

    look = Look(given.collector, _options(given.options), given.enqueue or given.slice is not None, given.slice)
    result = collect(Options(prefix=given.prefix, check=given.check), look)
    return {**result, "shown": lambda: _findings(result["signal"])}


def _options(text: str | None) -> dict[str, t.Any]:
    """The options in *text*: JSON, or a file with it."""
    where = "--options"
    if text is None:
        return {}
    if not text.lstrip().startswith("{"):
        where = text
        try:
            descriptor = os.open(text, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as handle:
                text = handle.read(_MAX).decode("utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise CodexOpsError(f"cannot be read: {reason}.", code="file_unreadable", outcome="rejected", where=where) from None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        hint = """Write it as '{"paths": ["/srv"]}', or name a file with it."""
        raise CodexOpsError("expected a JSON object.", code="option_invalid", outcome="rejected", where=where, hint=hint)
    return found


def _findings(signal: t.Mapping[str, t.Any]) -> str:
    lines = []
    for found in signal["findings"]:
        said = [f"{name} {found[name]}" for name in ("observed", "expected") if name in found]
        lines.append(f"{found['severity']:<9} {found['id']}" + (f": {', '.join(said)}" if said else ""))
    return "\n".join(lines)
