# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes what hosts answered for the report page apart: held against its form, bounded, without secrets, visible. PRIVATE.

Nothing that a host says is believed to have any form. What has another one is named by its place, and the rest is used.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor
from ansible_collections.day2.codex.plugins.module_utils._workspace.escape import escape
from ansible_collections.day2.codex.plugins.plugin_utils._report_html import moment

#: Characters of a text that are shown where nothing else is said, and the most that is read of one.
TEXT = 400
_READ = 20_000
#: No count on a page is larger.
MOST = 10**15
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_PLAIN = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,119}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
#: The digits of a mark come from a key of its maker's, so that the same secret has others each time.
_DIGITS = re.compile(r"(\[redacted:[a-z_]{1,40}):[0-9a-f]{0,4}(?=\]|\u2026|$)")
_Form = t.Callable[[t.Any, str, "Words"], t.Any]


class Wrong(Exception):
    """What a host answered has not the form that it should have: where, and what was expected."""


class Words:
    """Makes texts from outside fit for a page: without secrets, with everything in them visible, and not too long."""

    def __init__(self) -> None:
        self._redactor = Redactor()
        self._known: dict[tuple[str, int], str] = {}

    def text(self, value: str, limit: int = TEXT) -> str:
        """*value* for people. Of a long one there is the beginning, and how long it is."""
        # The same few words come again and again from a fleet.
        key = (value, limit)
        found = self._known.get(key) if len(value) <= TEXT else None
        if found is None:
            shown = escape(_DIGITS.sub(r"\1", self._redactor.text(value[:_READ])))
            found = shown if len(shown) <= limit and len(value) <= _READ else f"{shown[:limit]}… ({max(len(value), len(shown)):,} characters)"
            if len(value) <= TEXT:
                self._known[key] = found
        return found


def _expected(what: str, where: str, value: t.Any) -> Wrong:
    return Wrong(f"{where}: expected {what}, found {type(value).__name__.lstrip('_')}")


def text(limit: int = TEXT) -> _Form:
    """A text, or nothing, which is an empty one."""

    def form(value: t.Any, where: str, words: Words) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _expected("a text", where, value)
        return words.text(str(value), limit)

    return form


def digest(value: t.Any, where: str, words: Words) -> str:
    """A SHA-256 in hexadecimal digits, which is never a secret."""
    del words
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise _expected("a digest", where, value)
    return str(value)


def plain_name(value: t.Any, where: str, words: Words) -> str:
    """A name that people can paste into a command."""
    del words
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        raise _expected("a plain name", where, value)
    return str(value)


def time(value: t.Any, where: str, words: Words) -> str:
    """A time as records have it, in UTC, or nothing."""
    del words
    if value is None or value == "":
        return ""
    found = moment(str(value)) if isinstance(value, str) and _TIME.fullmatch(value) else None
    if found is None:
        raise _expected("a time", where, value)
    return found.isoformat()


def number(value: t.Any, where: str, words: Words) -> int:
    """A count, or nothing, which is none."""
    del words
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise _expected("a count", where, value)
    return int(value)


def maybe_true(value: t.Any, where: str, words: Words) -> bool | None:
    """Yes, no, or nothing."""
    del words
    if value is not None and not isinstance(value, bool):
        raise _expected("true or false", where, value)
    return value


def listed(of: _Form, most: int) -> _Form:
    """A list, of which the first *most* are read."""

    def form(value: t.Any, where: str, words: Words) -> list[t.Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise _expected("a list", where, value)
        return [of(item, f"{where}[{at}]", words) for at, item in enumerate(value[:most])]

    return form


def of(**keys: _Form) -> _Form:
    """A dictionary, of which *keys* are read; one that is missing is nothing."""

    def form(value: t.Any, where: str, words: Words) -> dict[str, t.Any]:
        if not isinstance(value, dict):
            raise _expected("a dictionary", where, value)
        return {key: one(value.get(key), f"{where}.{key}", words) for key, one in keys.items()}

    return form


def maybe(one: _Form) -> _Form:
    """The same, or nothing."""
    return lambda value, where, words: None if value is None else one(value, where, words)


def counts(value: t.Any, where: str, words: Words) -> dict[str, int]:
    """A dictionary of counts, of which the first 50 are read."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _expected("a dictionary", where, value)
    return {words.text(str(key), 80): number(item, f"{where}.{str(key)[:40]}", words) for key, item in list(value.items())[:50]}


_SWITCH = of(engaged=maybe_true, path=text(200), reason=text(), by=text(200), since=text(60))
_JOB = of(id=text(80), state=text(40), slice=text(80), updated=time, outcome=text(40), code=text(80), msg=text(), run_ids=listed(text(120), 1))
_PLAN = of(
    id=plain_name, sha256=digest, slice=text(80), workspace=text(300), created=time, requested_by=listed(text(120), 10), files=number, added=number,
    removed=number, approvals_needed=number, approved_by=listed(text(120), 10), reason=text(), replayed=maybe_true, job=text(80),
)  # fmt: skip
_RUN = of(run_id=text(120), job_id=text(80), time=time, outcome=text(40), code=text(80), msg=text(), tokens=number)
_FINDING = of(severity=text(20), id=text(200), summary=text(300))
_REPORT = of(
    run_id=text(120), time=time, status=text(40), summary=text(600), findings=counts, worst=listed(_FINDING, 5), needs_human=maybe_true
)  # fmt: skip
_DAY = of(day=time, runs=number, bad=number, tokens=number)
_SLICE = of(
    slice=text(80), runs=number, requests=number, tokens=number, outcomes=counts, last=maybe(_RUN), report=maybe(_REPORT), days=listed(_DAY, 92)
)  # fmt: skip
_ATTEMPT = of(time=time, run_id=text(120), slice=text(80), command=text(300), reason=text(300))
_SUMMARY = of(records=number, slices=listed(_SLICE, 64), slices_left_off=number, denied=of(count=number, newest=listed(_ATTEMPT, 25)))
_PLANS = of(waiting=listed(_PLAN, 50), left_off=number, unreadable=number)
#: What is read of the answer of job_info, part by part.
JOBS: dict[str, _Form] = {"kill_switch": _SWITCH, "states": counts, "jobs": listed(_JOB, 500), "plans": _PLANS}
#: The same of audit_info.
AUDIT: dict[str, _Form] = {
    "summary": _SUMMARY, "verified": maybe_true, "exists": maybe_true, "msg": text(), "head": maybe(of(seq=number, hash=digest)),
}  # fmt: skip


def taken(answer: t.Any, forms: t.Mapping[str, _Form], what: str, words: Words) -> tuple[dict[str, t.Any], str]:
    """The parts of *answer* that have the right form, and in a sentence what is wrong with the rest; nothing where all is right.

    :arg what: The question, such as ``job_info``.
    """
    if isinstance(answer, Wrong):
        return {}, f"{what} answered something unexpected: {words.text(str(answer))}"
    if not isinstance(answer, dict):
        return {}, "" if answer is None else f"{what} answered something unexpected: {_expected('a dictionary', what, answer)}"
    failed = bool(answer.get("failed")) or bool(answer.get("unreachable"))
    parts: dict[str, t.Any] = {}
    wrong = ""
    for key, form in forms.items():
        if failed and key not in answer:
            continue
        try:
            parts[key] = form(answer.get(key), f"{what}.{key}", words)
        except (Wrong, RecursionError) as error:
            wrong = wrong or f"{what} answered something unexpected: {words.text(str(error) or 'it is nested too deeply')}"
    if failed:
        said = answer.get("msg")
        said = words.text(str(said)) if isinstance(said, str) and said else "it gave no reason"
        return parts, f"{'could not be reached' if answer.get('unreachable') else what + ' failed'}: {said}"
    return parts, wrong
