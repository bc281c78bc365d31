# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.report_page: what the playbook day2.codex.report writes."""

from __future__ import annotations

import collections.abc
import datetime
import json
import os
import stat
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.module_utils._version import VERSION
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain
from ansible_collections.day2.codex.plugins.plugin_utils._report_answers import Wrong
from ansible_collections.day2.codex.plugins.plugin_utils._report_html import count
from ansible_collections.day2.codex.plugins.plugin_utils._report_model import fleet, number_of_days, since
from ansible_collections.day2.codex.plugins.plugin_utils._report_page import page

#: How deep an answer is read, and the bytes of an earlier report that are.
_DEPTH = 12
_MAX_BEFORE = 64 * 1024 * 1024
_ANSWERS = ("__report_jobs", "__report_audit", "report_prefix")
_Answers = tuple[t.Any, t.Any, t.Any]


def _fail(option: str, reason: str) -> t.NoReturn:
    raise AnsibleFilterError(f"day2.codex.report_page: {option}: {reason}")


def _checked(days: t.Any) -> int:
    try:
        return number_of_days(days)
    except ValueError as error:
        _fail("days", str(error))


def _answers(hosts: t.Any, hostvars: t.Any) -> dict[str, _Answers]:
    if not isinstance(hosts, collections.abc.Iterable) or isinstance(hosts, (str, bytes)):
        _fail("_input", "expected a list of hosts.")
    if not isinstance(hostvars, collections.abc.Mapping):
        _fail("hostvars", "expected a dictionary.")
    found = {}
    for host in hosts:
        answers = []
        for name in _ANSWERS:
            try:
                answers.append(plain((hostvars.get(host) or {}).get(name), _DEPTH))
            except Exception as error:  # pylint: disable=broad-exception-caught
                answers.append(_unusable(error))
        jobs, audit, prefix = answers
        # A question that was skipped after the host could not be reached was not asked.
        found[str(host)] = (jobs, None if isinstance(audit, dict) and audit.get("skipped") else audit, prefix)
    return found


def _unusable(error: Exception) -> Wrong:
    return Wrong(f"it could not be used ({type(error).__name__})")


def _made(answers: dict[str, _Answers], **facts: t.Any) -> tuple[dict[str, t.Any], str]:
    """The report and its page.

    No host ends them for the others: where they cannot be made of all answers, those of which no page can be made are left out and named.
    """
    try:
        report = fleet(answers, **facts)
        return report, page(report)
    except Exception:  # pylint: disable=broad-exception-caught
        report = fleet({host: _usable(host, said, facts) for host, said in answers.items()}, **facts)
        return report, page(report)


def _usable(host: str, said: _Answers, facts: dict[str, t.Any]) -> _Answers:
    jobs, audit, prefix = said
    error: Exception = ValueError()
    for ask in ((jobs, audit), (jobs, None), (None, audit)):
        try:
            page(fleet({host: (*ask, prefix)}, **facts))
        except Exception as found:  # pylint: disable=broad-exception-caught
            error = found
            continue
        # What was left out is what cannot be used.
        return (*(one if one is kept else _unusable(error) for one, kept in zip((jobs, audit), ask)), prefix)  # type: ignore[return-value]
    return _unusable(error), _unusable(error), None


def _before(path: str) -> t.Any:
    """The digest of the data of the report at *path*, or ``None``."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            raw = stream.read(_MAX_BEFORE) if stat.S_ISREG(os.fstat(stream.fileno()).st_mode) else b""
        return json.loads(raw).get("data_sha256")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None


def report_page(hosts: t.Any, hostvars: t.Any, path: str = "", days: t.Any = 30, now: str | None = None) -> list[dict[str, t.Any]]:
    """The files of a report on *hosts*: JSON first, then the page, each with ``path``, ``content``, ``changed``, ``made`` and ``says``.

    :raises AnsibleFilterError: for options of another form than documented.
    """
    days = _checked(days)
    if not str(path).endswith(".html"):
        _fail("path", f"expected a path that ends in .html, found {str(path)[:200]!r}.")
    # From where the command was called, whatever the environment says of it.
    path = os.path.abspath(os.path.expanduser(str(path)))
    data_path = path[: -len(".html")] + ".json"
    time = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) if now is None else datetime.datetime.fromisoformat(now)
    made = time.isoformat()
    report, shown = _made(_answers(hosts, hostvars), made=made, since=since(days, time).isoformat(), days=days, version=VERSION)
    changed = _before(data_path) != report["data_sha256"] or not os.path.exists(path)
    totals = report["totals"]
    cells = ", ".join(f"{number} {status}" for status, number in totals["cells"].items() if number) or "nothing has run"
    says = f"{count(totals['hosts'], 'host')} ({totals['hosts_not_asked']} not asked): {cells}; {count(totals['approvals'], 'plan')} to be approved"
    says += f"; {count(totals['logs_not_verified'], 'audit log')} not as written." if totals["logs_not_verified"] else "."
    # Before ansible-core 2.19, a template whose result begins with a brace is no text any more.
    data = "\n" + json.dumps(report, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
    files = ((data_path, data), (path, shown))
    return [{"path": name, "content": content, "changed": changed, "made": made, "says": says} for name, content in files]


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"report_page": report_page}
