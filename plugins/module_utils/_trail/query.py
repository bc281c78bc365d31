# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Picks records out of a log by what a person asks for, and says in words whether the log is right. PRIVATE."""

from __future__ import annotations

import collections
import datetime
import json
import os
import re
import typing as t

from .._errors import CodexOpsError
from .files import segments
from .log import first, head, parsed, raw_records
from .remembered import remembered
from .verify import verify

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?)?\s?([Zz]|[+-]\d\d:?\d\d)?")
_HASH = re.compile(r"[0-9a-f]{64}")
_Test = t.Callable[[dict[str, t.Any]], bool]


def moment(text: str, where: str) -> str:
    """*text*, a date or a time as RFC 3339 has it, in the form in which records carry theirs. Without a zone it is UTC.

    :raises CodexOpsError: ``option_invalid``.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match:
        day, minutes, seconds, fraction, zone = match.groups()
        zone = "+00:00" if zone in (None, "Z", "z") else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
        try:
            found = datetime.datetime.fromisoformat(f"{day}T{minutes or '00:00'}:{seconds or '00'}.{fraction or '0':0<6}{zone}")
            return found.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds")
        except (ValueError, OverflowError):
            pass
    raise CodexOpsError(
        f"expected a date or a time such as 2026-01-15 or 2026-01-15T03:15:00Z, found {text!r}.", code="option_invalid", outcome="rejected", where=where
    )


def _at(record: dict[str, t.Any], *keys: str) -> t.Any:
    value: t.Any = record
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _is_of(record: dict[str, t.Any], user: str) -> bool:
    via = _at(record, "user", "via")
    return user in (_at(record, "user", "name"), str(_at(record, "user", "uid"))) or (isinstance(via, dict) and user in map(str, via.values()))


_FIELDS: dict[str, tuple[str, ...]] = {
    "run_id": ("run_id",),
    "job_id": ("job_id",),
    "phase": ("phase",),
    "outcome": ("result", "outcome"),
    "slice": ("input", "slice"),
}


def _equals(keys: tuple[str, ...], wanted: str) -> _Test:
    def test(record: dict[str, t.Any]) -> bool:
        found = _at(record, *keys)
        return found is not None and str(found) == wanted

    return test


def _test(name: str, value: str) -> _Test:
    if name in ("since", "until"):
        limit = moment(value, f"filter.{name}")
        if name == "since":
            return lambda record: str(record.get("time")) >= limit
        return lambda record: str(record.get("time")) < limit
    if name == "user":
        return lambda record: _is_of(record, value)
    return _equals(_FIELDS[name], value)


def _lines(path: str, wanted: t.Mapping[str, str]) -> t.Iterator[bytes]:
    """The lines of the records that are as *wanted*."""
    tests = [_test(name, value) for name, value in wanted.items()]
    # What stands in the line of each record that is wanted: most of the others need not be parsed.
    needles = [json.dumps(value)[1:-1].encode("ascii") for name, value in wanted.items() if name not in ("since", "until")]
    for line in raw_records(path):
        if tests:
            if not all(needle in line for needle in needles):
                continue
            record = parsed(line)
            if record is None or not all(test(record) for test in tests):
                continue
        yield line


def select(path: str, wanted: t.Mapping[str, str], limit: int, *, parse: bool = False) -> tuple[list[dict[str, t.Any]], int]:
    """The newest *limit* records of the log at *path* that are as *wanted*, oldest first, and how many there are in all.

    :arg wanted: ``run_id``, ``job_id``, ``phase``, ``outcome``, ``slice``, ``user`` (name, number, or one it came through),
        ``since`` (that moment or later) and ``until`` (earlier).
    :arg parse: Count no line that is not JSON.
    :raises CodexOpsError: ``option_invalid``.
    :raises OSError: when the log cannot be read.
    """
    newest: collections.deque[bytes] = collections.deque(maxlen=limit)
    count = 0
    for line in _lines(path, wanted):
        if parse and parsed(line) is None:
            continue
        count += 1
        newest.append(line)
    return [record for record in map(parsed, newest) if record is not None], count


def _check_anchors(anchors: t.Sequence[t.Mapping[str, t.Any]]) -> None:
    for number, anchor in enumerate(anchors):
        if anchor["seq"] < 1 or not all(_HASH.fullmatch(found) for found in (anchor["hash"], anchor.get("first") or anchor["hash"])):
            raise CodexOpsError(
                "expected the number of a record, from 1, and its hash, 64 lower-case hexadecimal digits; "
                f"found seq {anchor['seq']} and hash {anchor['hash']!r}.",
                code="option_invalid",
                outcome="rejected",
                where=f"anchors[{number}]",
                hint="Give 'audit' of an earlier result, or 'head' of an earlier audit_info.",
            )


def info(
    path: str,
    *,
    wanted: t.Mapping[str, str],
    limit: int,
    check: bool,
    anchors: t.Sequence[t.Mapping[str, t.Any]] = (),
    memory: bool = False,
    summary: bool = False,
) -> dict[str, t.Any]:
    """Records of the log at *path*, and whether it is right: ``msg``, ``log``, ``exists``, ``first`` (the hash of record 1), ``records``,
    ``count``, ``verified``, ``head``, ``first_bad``, ``healed``.

    :arg check: Whether to verify. Otherwise ``verified`` and ``healed`` are ``None`` and ``head`` is that of the newest whole record.
    :arg memory: Whether ``remembered`` is wanted: what the records that are as *wanted* remember of other logs, however many there are.
    :arg summary: Whether ``summary`` is wanted: what :func:`summary.summed` makes of all records that are as *wanted*.
    :raises CodexOpsError: ``option_invalid``, or ``log_unreadable``. A bad log is not an error here.
    """
    if limit < 0:
        raise CodexOpsError(f"expected 0 or more, found {limit}.", code="option_invalid", outcome="rejected", where="limit")
    _check_anchors(anchors)
    for name in ("since", "until"):
        if name in wanted:
            moment(wanted[name], f"filter.{name}")
    try:
        verdict = verify(path, anchors, parse=True) if check else None
        found, count = select(path, wanted, limit, parse=verdict is None or not verdict.verified)
        known = remembered(_lines(path, wanted)) if memory else []
        total = _summed(path, wanted) if summary else {}
        last = verdict.head if verdict else head(path)
        exists, begin = os.path.lexists(path) or bool(segments(path)), first(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CodexOpsError(
            f"The log cannot be read: {reason}.",
            code="log_unreadable",
            outcome="rejected",
            where=error.filename or path,
            hint="Run this as its owner or a member of its group. The log and its rotated files must be ordinary files.",
        ) from None
    if verdict is not None and verdict.first_bad is not None:
        bad = verdict.first_bad
        message = f"The log is not as it was written, from record {bad['seq']} on: {bad['file']}, line {bad['line']}, byte {bad['offset']}: {bad['reason']}"
    elif last is None:
        message = f"There are no records in {path}." if exists else f"There is no log at {path}."
    elif verdict is None:
        message = f"The log ends with record {last['seq']}. It was not verified."
    else:
        bound = f"; what was remembered ({len(anchors)}) is in it" if anchors else ""
        message = f"The chain of {verdict.records} records holds{bound}."
    answer = {
        "msg": message,
        "log": path,
        "exists": exists,
        "first": begin,
        "records": found,
        "count": count,
        "verified": verdict.verified if verdict else None,
        "head": last,
        "first_bad": verdict.first_bad if verdict else None,
        "healed": verdict.healed if verdict else None,
    }
    if memory:
        answer["remembered"] = known
    if summary:
        answer["summary"] = total
    return answer


def _summed(path: str, wanted: t.Mapping[str, str]) -> dict[str, t.Any]:
    from .summary import summed  # pylint: disable=import-outside-toplevel

    return summed(record for record in map(parsed, _lines(path, wanted)) if record is not None)
