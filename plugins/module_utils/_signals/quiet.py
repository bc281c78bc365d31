# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hours of the day in which nobody is to be bothered, by the clock on the wall. PRIVATE.

Where the clock is put forward, an hour that is left out is not quiet, since it never comes; where it is put back, one that comes
twice is quiet twice.
"""

from __future__ import annotations

import datetime
import typing as t

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Where a host says which time zone is its own.
LOCAL = "/etc/localtime"


class Quiet(t.NamedTuple):
    """From ``begin`` until before ``end``, in minutes since midnight; past midnight where the end is not later. ``days`` are those
    on which it begins, 0 is Monday."""

    begin: int
    end: int
    days: frozenset[int]


def span(begin: str, end: str, days: t.Iterable[str] = DAYS) -> Quiet:
    """The hours between two times such as ``22:00`` and ``06:00``.

    :raises ValueError: in words, where they are none.
    """
    first, last = _minutes(begin), _minutes(end)
    if first == last:
        raise ValueError(f"from {begin} to {end} is no time at all; a whole day is from 00:00 to 24:00")
    if first == 24 * 60:
        raise ValueError("24:00 can only be the end; a day begins at 00:00")
    return Quiet(first, last, frozenset(DAYS.index(day) for day in days))


def _minutes(clock: str) -> int:
    hours, _colon, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)


def is_quiet(hours: t.Iterable[Quiet], local: datetime.datetime) -> bool:
    """Whether *local*, a time by the clock on the wall, lies in one of *hours*."""
    minute, today = local.hour * 60 + local.minute, local.weekday()
    for one in hours:
        if one.begin < one.end:
            if one.begin <= minute < one.end and today in one.days:
                return True
        elif (minute >= one.begin and today in one.days) or (minute < one.end and (today - 1) % 7 in one.days):
            return True
    return False


def zone(name: str | None, local: str = LOCAL) -> datetime.tzinfo:
    """The time zone *name*, or without one that of the host; UTC on a host that has none.

    :raises ValueError: in words, where there is no such zone.
    """
    import zoneinfo  # pylint: disable=import-outside-toplevel

    if name is not None:
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"this host knows no time zone {name!r}") from None
    try:
        with open(local, "rb") as handle:
            return zoneinfo.ZoneInfo.from_file(handle)
    except (OSError, ValueError):
        return datetime.timezone.utc


def wall(now: float, where: datetime.tzinfo) -> datetime.datetime:
    """What the clock on the wall says at *now*, in seconds since the epoch."""
    return datetime.datetime.fromtimestamp(now, where)
