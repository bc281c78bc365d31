# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people look at: secrets out, invisible characters visible, and not one changed line hidden. PRIVATE."""

from __future__ import annotations

import re
import typing as t

from ._trail.redaction import Redactor, marker
from ._workspace.escape import escape

#: Violations that a result lists. Their number is always said.
MAX_VIOLATIONS = 100
#: Files of a change that a record names.
MAX_COUNTED = 200

_HEADER = "diff --git "
_BEGIN, _END = "-----BEGIN ", "-----END "


def _sections(patch: str) -> t.Iterator[list[str]]:
    """The lines of *patch*, file by file. A line of content begins with a sign, so only a header begins like one."""
    section: list[str] = []
    # Only a newline ends a line here; splitlines() would also break at form feeds and the like.
    for line in re.findall(r"[^\n]*\n|[^\n]+\Z", patch):
        if line.startswith(_HEADER) and section:
            yield section
            section = []
        section.append(line)
    if section:
        yield section


def _by_others(section: list[str], redactor: Redactor) -> dict[int, str]:
    """Lines of *section* that stay or go, by number, in which another line gives a secret away: ``password: |`` stands above its value."""
    first = next((number for number, line in enumerate(section) if line.startswith("@@")), len(section))
    # A hunk's header keeps its lines from those of the one before it.
    old = [number for number in range(first, len(section)) if section[number][:1] in " -@"]
    lines = [section[number].rstrip("\n")[section[number][:1] != "@" :] for number in old]
    return {number: shown for number, line, shown in zip(old, lines, redactor.lines("\n".join(lines))) if shown != line}


def planned_patch(patch: str, redactor: Redactor) -> str:
    """The patch of a plan that can be applied, line for line.

    A secret is masked within its line, so that nothing between two marks can hide a change. Of a private key, which spans lines,
    and of values below their name, those are masked that stay or go; a line that comes is always shown, since a plan with a new secret in it is rejected.
    """
    shown: list[str] = []
    for section in _sections(patch):
        in_hunk = in_key = False
        others = _by_others(section, redactor)
        for number, line in enumerate(section):
            if line.startswith("@@") or not in_hunk:
                in_hunk, in_key = in_hunk or line.startswith("@@"), False
                # A name may hold a secret as well as a line.
                shown.append(redactor.text(line.rstrip("\n")) + "\n")
                continue
            sign, text = line[:1], line[1:].rstrip("\n")
            begins = _BEGIN in text and "PRIVATE KEY" in text
            masked = marker("private_key", text) if in_key and sign != "+" and not begins else redactor.text(text)
            masked = others.get(number, text) if masked == text else masked
            if sign != "+" and (begins or in_key):
                in_key = _END not in text
            shown.append(f"{sign}{masked}\n")
    return escape("".join(shown))


def refused_patch(patch: str, redactor: Redactor) -> str:
    """The patch of a change that is not going to be applied: every secret is masked, file by file, whatever it hides."""
    return escape("".join(redactor.text("".join(section)) for section in _sections(patch)))


def readable(value: t.Any) -> t.Any:
    """*value* with control, bidirectional and zero-width characters made visible in every string."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    return [readable(item) for item in value] if isinstance(value, list) else value


def capped(violations: t.Sequence[t.Any]) -> list[dict[str, t.Any]]:
    """The first violations as dictionaries; the last says how many more there are."""
    listed = [violation.as_dict() for violation in violations[:MAX_VIOLATIONS]]
    if len(violations) > MAX_VIOLATIONS:
        listed.append({"code": "more", "path": "", "line": None, "detail": f"and {len(violations) - MAX_VIOLATIONS} more"})
    return t.cast("list[dict[str, t.Any]]", readable(listed))


def counted(changes: t.Sequence[t.Any], rendered: t.Any) -> dict[str, t.Any]:
    """What a record says of a change: its files, at most :data:`MAX_COUNTED` by name, and its lines."""
    files = [{"path": change.path, "operation": change.operation} for change in changes[:MAX_COUNTED]]
    return {"files": files, "added": rendered.added, "removed": rendered.removed}
