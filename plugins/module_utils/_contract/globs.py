# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which paths a pattern means. Pure, no I/O. PRIVATE.

A pattern is relative to the workspace, its parts separated by ``/``, and case-sensitive:

- ``**``, alone between slashes, stands for any number of folders, also none: ``**/x`` is ``x`` anywhere, ``a/**`` is
  everything below ``a`` (not ``a`` itself).
- ``*`` is any run of characters, ``?`` one, ``[abc]``, ``[a-z]`` and ``[!abc]`` one of (or none of) a set. None of them
  ever crosses a ``/``; all of them also take names that begin with a dot.
- A pattern that names a folder does not mean the folder's content: write ``dir/**``.
"""

from __future__ import annotations

import re
import typing as t

from .._errors import CodexOpsError

# What a set may not contain: "[[:alpha:]]" and its like mean something else in a shell and would be read wrongly here.
_CLASS_NAMES = ("[:", "[.", "[=")


class Globs:
    """Some patterns, compiled once.

    :arg patterns: The patterns, in any order.
    :raises CodexOpsError: ``slice_invalid`` for a pattern that could not mean anything inside a workspace.
    """

    def __init__(self, patterns: t.Sequence[str]) -> None:
        if isinstance(patterns, str) or not all(isinstance(pattern, str) for pattern in patterns):
            raise _invalid(str(patterns), "is not a list of texts", "Write a list of patterns.")
        self.patterns = tuple(patterns)
        self._parts = [_split(pattern) for pattern in self.patterns]
        groups = _Groups()
        expressions = [_expression(parts, groups) for parts in self._parts]
        joined = "|".join(f"(?:{expression})" for expression in expressions) or r"(?!)"
        self._whole = re.compile(f"(?:{joined})" + r"\Z", re.DOTALL)
        self._beginning = re.compile(f"(?:{joined})" + r"(?:/|\Z)", re.DOTALL)
        # One small expression per part, for asking about folders.
        self._steps = [
            [None if part == "**" else re.compile(_part(part, _Groups()) + r"\Z", re.DOTALL) for part in parts]
            for parts in self._parts
        ]

    def match(self, path: str) -> bool:
        """Whether a pattern means exactly *path*. The time is linear in the length of *path*."""
        return self._whole.match(path) is not None

    def match_or_above(self, path: str) -> bool:
        """Whether a pattern means *path* or a folder above it."""
        return self._beginning.match(path) is not None

    def may_match_below(self, directory: str) -> bool:
        """Whether some path below *directory* (``""`` is the workspace itself) could match."""
        names = directory.split("/") if directory else []
        return any(_reached(steps, names) for steps in self._steps)

    def matches_all_below(self, directory: str) -> bool:
        """Whether one pattern means every path below *directory*."""
        names = directory.split("/") if directory else []
        return any(len(steps) - 1 in _reached(steps, names) and steps[-1] is None for steps in self._steps)


class Scope:
    """What a slice may see and change: what *include* means, less what *exclude* means.

    Exclusion is the careful side: a folder that *exclude* names is closed with everything below it, so that
    ``exclude: [secrets]`` keeps ``secrets/key`` out. A ``.git`` part, in any case of its letters, is never in scope.
    """

    def __init__(self, include: t.Sequence[str], exclude: t.Sequence[str] = ()) -> None:
        self.include = Globs(include)
        self.exclude = Globs(exclude)

    def covers(self, path: str) -> bool:
        """Whether the file *path* is in scope."""
        return self.include.match(path) and not self.exclude.match_or_above(path) and not is_git_metadata(path)

    def may_cover_below(self, directory: str) -> bool:
        """Whether a file below *directory* could be in scope: a walk prunes where it is not."""
        if directory and (is_git_metadata(directory) or self.exclude.match_or_above(directory)):
            return False
        return self.include.may_match_below(directory) and not self.exclude.matches_all_below(directory)


def is_git_metadata(path: str) -> bool:
    """Whether a part of *path* is named ``.git``, in any case of its letters."""
    return ".git" in path.lower() and ".git" in path.lower().split("/")


class _Groups:
    """Hands out the names of groups, unique within one expression."""

    def __init__(self) -> None:
        self._count = 0

    def atomic(self, expression: str) -> str:
        # (?=(?P<g>...))(?P=g) takes the first match and never comes back to it, which keeps the search linear. Python
        # knows the shorter (?>...) only from 3.11 on.
        self._count += 1
        return f"(?=(?P<g{self._count}>{expression}))(?P=g{self._count})"


def _split(pattern: str) -> list[str]:
    if not pattern:
        raise _invalid(pattern, "is empty", "Write a path relative to the workspace, such as config/**.")
    if "\0" in pattern:
        raise _invalid(pattern, "holds a NUL character", "Remove it.")
    if "\\" in pattern:
        raise _invalid(pattern, "holds a backslash", "Separate folders with /, and write [*] for a literal *.")
    if pattern.startswith("/"):
        raise _invalid(pattern, "begins with /", "Patterns are relative to the workspace.")
    if pattern.endswith("/"):
        raise _invalid(pattern, "ends with /", f"Write {pattern}** for everything below that folder.")
    parts: list[str] = []
    for part in pattern.split("/"):
        if part in ("", ".", ".."):
            raise _invalid(pattern, f"has the part {part!r}", "Write the plain path from the workspace down.")
        if "**" in part and part != "**":
            raise _invalid(pattern, "has ** beside other characters", "** stands alone between slashes: **/*.yml, not **.yml.")
        _part(part, _Groups(), pattern)
        if part != "**" or not parts or parts[-1] != "**":
            parts.append(part)
    return parts


def _invalid(pattern: str, wrong: str, hint: str) -> CodexOpsError:
    return CodexOpsError(f"The pattern {pattern!r} {wrong}.", code="slice_invalid", outcome="rejected", hint=hint)


def _part(part: str, groups: _Groups, pattern: str = "") -> str:
    """The expression of one part: the first place where each run between two stars fits is the right one."""
    runs: list[str] = [""]
    place = 0
    while place < len(part):
        character = part[place]
        place += 1
        if character == "*":
            runs.append("")
        elif character == "?":
            runs[-1] += "[^/]"
        elif character == "[":
            end = part.find("]", place + (2 if part[place : place + 1] in ("!", "^") else 1))
            if end < 0:
                raise _invalid(pattern, "opens a set with [ and does not close it", "Write [[] for a literal [.")
            runs[-1] += _set(part[place:end], pattern)
            place = end + 1
        else:
            runs[-1] += re.escape(character)
    if len(runs) == 1:
        return runs[0]
    middle = "".join(groups.atomic(f"[^/]*?{run}") for run in runs[1:-1] if run)
    return f"{runs[0]}{middle}[^/]*{runs[-1]}"


def _set(content: str, pattern: str) -> str:
    negated = content[:1] in ("!", "^")
    members = content[1:] if negated else content
    if any(name in members for name in _CLASS_NAMES):
        raise _invalid(pattern, "uses a named class", "Write the characters out: [a-z].")
    ranges: list[str] = []
    place = 0
    while place < len(members):
        low = members[place]
        if members[place + 1 : place + 2] == "-" and place + 2 < len(members):
            high = members[place + 2]
            if high < low:
                raise _invalid(pattern, f"has the range {low}-{high}, which is empty", "Write the smaller character first.")
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
            place += 3
        else:
            ranges.append(re.escape(low))
            place += 1
    # A set never takes the slash, whatever it says.
    return f"(?!/)[{'^' if negated else ''}{''.join(ranges)}]"


def _expression(parts: list[str], groups: _Groups) -> str:
    """The expression of a pattern. Like the stars within a part, every ``**`` but the last takes the first place that fits."""
    runs: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            runs.append([])
        else:
            runs[-1].append(_part(part, groups))
    if len(runs) == 1:
        return "/".join(runs[0])
    beginning = "".join(f"{part}/" for part in runs[0])
    middle = "".join(groups.atomic("(?:[^/]+/)*?" + "".join(f"{part}/" for part in run)) for run in runs[1:-1])
    end = "(?:[^/]+/)*?" + "/".join(runs[-1]) if runs[-1] else "[^/]+(?:/[^/]+)*"
    return beginning + middle + end


def _reached(steps: list[re.Pattern[str] | None], names: list[str]) -> set[int]:
    """The parts of a pattern that a name below the folder *names* could meet next."""

    def open_up(places: t.Iterable[int]) -> set[int]:
        found: set[int] = set()
        for place in places:
            while place < len(steps):
                found.add(place)
                if steps[place] is not None:
                    break
                place += 1
        return found

    places = open_up([0])
    for name in names:
        following: set[int] = set()
        for place in places:
            step = steps[place]
            if step is None:
                following.add(place)
            elif step.match(name):
                following.add(place + 1)
        places = open_up(following)
        if not places:
            break
    return places
