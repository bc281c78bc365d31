# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collectors that there are. PRIVATE.

A new one is one file, its name here, and its place in :func:`load`, so that only the one
that is used is read. Each has ``WHAT``, ``OPTIONS`` and ``collect(options, seen, report)``; ``REMEMBERS`` where it
keeps something until the next time.
"""

from __future__ import annotations

import time
import typing as t

from .._errors import CodexOpsError
from . import options as options_
from .report import Report, Seen

NAMES = ("health", "disk", "services", "logs", "certificates", "endpoints", "backups", "cleanup", "dependencies", "drift")


def load(name: str) -> t.Any:
    """The module of a collector.

    :raises CodexOpsError: ``collector_unknown``.
    """
    # pylint: disable=import-outside-toplevel,too-many-return-statements
    if name == "health":
        from . import health

        return health
    if name == "disk":
        from . import disk

        return disk
    if name == "services":
        from . import services

        return services
    if name == "logs":
        from . import logs

        return logs
    if name == "certificates":
        from . import certificates

        return certificates
    if name == "endpoints":
        from . import endpoints

        return endpoints
    if name == "backups":
        from . import backups

        return backups
    if name == "cleanup":
        from . import cleanup

        return cleanup
    if name == "dependencies":
        from . import dependencies

        return dependencies
    if name == "drift":
        from . import drift

        return drift
    raise CodexOpsError(
        f"there is no collector {name[:80]!r}.",
        code="collector_unknown",
        outcome="rejected",
        where="collector",
        hint=f"There are: {', '.join(NAMES)}.",
    )


def options_of(name: str) -> dict[str, options_.Option]:
    """All options of a collector, by name."""
    return {**load(name).OPTIONS, **options_.COMMON}


def collect(name: str, given: dict[str, t.Any], seen: Seen) -> tuple[dict[str, t.Any], Report]:
    """The signal of one collector, and what it was made from.

    :arg given: Its options, as somebody wrote them.
    :raises CodexOpsError: ``collector_unknown`` or ``option_invalid``. What cannot be looked at is no error: it is in the signal.
    """
    collector = load(name)
    wanted = options_.checked(options_of(name), given)
    report = Report(name, seen)
    collector.collect(wanted, seen, report)
    return report.signal(wanted["max_findings"]), report


def deadline(name: str, given: dict[str, t.Any]) -> float:
    """When the collector must have ended, as ``time.monotonic`` has it.

    :raises CodexOpsError: ``collector_unknown`` or ``option_invalid``.
    """
    return time.monotonic() + float(options_.checked(options_of(name), given)["timeout"])
