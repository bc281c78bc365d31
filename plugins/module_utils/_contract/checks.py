# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Holds a change against a slice. Every breach has a code and a place. Pure. PRIVATE."""

from __future__ import annotations

import collections
import typing as t
import unicodedata

from .._trail.redaction import find_markers, find_secrets
from .model import MAX_CONTENT, Change, Violation
from .runs import runs_by
from .slice import Slice
from .values import touched_value

#: A line longer than this (bytes) counts as several, so that one line cannot hold a whole program.
LINE_BYTES = 4096
#: Changes that are looked at one by one, and breaches that are named. More of either is a breach by itself.
MAX_INSPECTED = 1000

Find = t.Callable[[str], "list[tuple[str, int, str]]"]

_GIT_NAMES = frozenset({".git", ".gitattributes", ".gitmodules", ".gitconfig", "git~1"})
# Marks that change what a reader sees without being seen: bidirectional controls, zero-width and other invisible characters.
_HIDDEN = frozenset(
    [0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFEFF, 0xFFA0]
    + list(range(0x180B, 0x1810)) + list(range(0x200B, 0x2010)) + list(range(0x2028, 0x202F)) + list(range(0x2060, 0x2070))
    + list(range(0xFE00, 0xFE10)) + list(range(0xFFF0, 0xFFFC)) + list(range(0x1BCA0, 0x1BCA4)) + list(range(0x1D173, 0x1D17B))
    + list(range(0xE0000, 0xE1000))
)  # fmt: skip


def is_hidden(character: str) -> bool:
    """Whether *character* can hide something from a reader: a control (but tab, newline, return), bidi or zero-width mark."""
    code = ord(character)
    if code < 0x20:
        return character not in "\t\n\r"
    return 0x7F <= code < 0xA0 or code in _HIDDEN or 0xD800 <= code < 0xE000


def _git(path: str) -> bool:
    # Git itself treats names that fold to .git on other file systems as its own; so do we.
    for part in path.split("/"):
        folded = "".join(character for character in unicodedata.normalize("NFKC", part) if not is_hidden(character))
        if folded.casefold().rstrip(". ") in _GIT_NAMES:
            return True
    return False


def _kind(change: Change) -> t.Iterator[Violation]:
    new, old = change.new, change.old
    if new is None:
        return
    if new.kind == "symlink":
        yield Violation("symlink", change.path, None, "a patch holds regular files only")
    elif new.kind != "file":
        yield Violation("special_file", change.path, None, f"a {new.kind} where a regular file was expected")
    elif new.nlink != 1:
        yield Violation("hard_link", change.path, None, f"the file has {new.nlink} names; a patch holds files with one")
    if new.kind == "file":
        if old is not None and old.kind == "file" and new.mode != old.mode:
            yield Violation("mode_change", change.path, None, f"mode {old.mode:04o} became {new.mode:04o}")
        elif old is None and new.mode & 0o7113:
            yield Violation("mode_change", change.path, None, f"a new file of mode {new.mode:04o}: expected neither execute nor set-id bits, nor write for all")


def _place(slice_: Slice, change: Change) -> t.Iterator[Violation]:
    if _git(change.path):
        yield Violation("git_metadata", change.path, None, "git's own files are never part of a patch")
    if not slice_.scope.covers(change.path):
        yield Violation("out_of_scope", change.path, None, f"{change.operation} outside scope")
    if slice_.protected_paths.match_or_above(change.path):
        yield Violation("do_not_touch_path", change.path, None, f"{change.operation} of a path that do_not_touch lists")
    for number, character in enumerate(change.path):
        if is_hidden(character) or character in "\t\n\r":
            yield Violation("hidden_characters", change.path, None, f"character U+{ord(character):04X} at position {number + 1} of the name")
            break


def _hidden(path: str, old: str, new: str) -> t.Iterator[Violation]:
    known = {character for character in set(old) if is_hidden(character)}
    fresh = {character for character in set(new) if is_hidden(character)}
    for character in sorted(fresh):
        if character not in known or new.count(character) > old.count(character):
            line = new.count("\n", 0, new.find(character)) + 1
            yield Violation("hidden_characters", path, line, f"U+{ord(character):04X} was added")
    if "\r" in new and "\r" not in old:
        yield Violation("hidden_characters", path, new.count("\n", 0, new.find("\r")) + 1, "carriage returns were added")
    # Inside a line a return hides what stands before it, also in a file whose lines end in return and newline.
    elif new.count("\r") - new.count("\r\n") > old.count("\r") - old.count("\r\n"):
        yield Violation("hidden_characters", path, None, "a carriage return was added inside a line")


def _added(old: t.Iterable[str], new: t.Sequence[tuple[str, int]]) -> t.Iterator[tuple[str, int]]:
    """Those of *new*, as (text, offset), of which there are more than in *old*."""
    left = collections.Counter(old)
    for text, offset in new:
        left[text] -= 1
        if left[text] < 0:
            yield text, offset


def _secrets(path: str, old: str, new: str, find: Find) -> t.Iterator[Violation]:
    found = find(new)
    kinds = {secret: kind for kind, _offset, secret in found}
    for secret, offset in _added([secret for _kind, _offset, secret in find(old)], [(secret, at) for _kind, at, secret in found]):
        line = new.count("\n", 0, offset) + 1
        kind = kinds[secret]
        what = "a secret that this host keeps" if kind == "known_value" else f"something that looks like a secret of the kind {kind}"
        yield Violation("secret_in_patch", path, line, f"{what} was added")
    for _marker, offset in _added([marker for marker, _offset in find_markers(old)], find_markers(new)):
        yield Violation("redaction_marker_in_patch", path, new.count("\n", 0, offset) + 1, "the text that stands for a secret was written")


def _content(slice_: Slice, change: Change, find: Find) -> t.Iterator[Violation]:
    states = (change.old, change.new)
    if any(state is not None and state.kind == "file" and state.size > MAX_CONTENT for state in states):
        yield Violation("too_many_lines", change.path, None, f"a file larger than {MAX_CONTENT} bytes cannot be part of a patch")
        return
    old, new = change.old_content or b"", change.new_content or b""
    if change.old_content is None and change.new_content is None:
        return
    try:
        old_text, new_text = old.decode("utf-8"), new.decode("utf-8")
    except UnicodeDecodeError:
        yield Violation("binary_file", change.path, None, "the content is not UTF-8 text")
        return
    if b"\0" in old or b"\0" in new:
        yield Violation("binary_file", change.path, None, "the content holds NUL bytes")
        return
    for value in slice_.protected_values:
        line = touched_value(old, new, value)
        if line is not None:
            yield Violation("do_not_touch_value", change.path, line, f"an occurrence of {value!r} changed")
    yield from _hidden(change.path, old_text, new_text)
    yield from _secrets(change.path, old_text, new_text, find)


def _size(slice_: Slice, changes: t.Sequence[Change], lines: int) -> t.Iterator[Violation]:
    files, allowed = len(changes), slice_.limits["files"]
    if files > allowed:
        yield Violation("too_many_files", changes[allowed].path, None, f"{files} files changed, {allowed} are allowed")
    grown = sum(max(0, len(change.new_content or b"") - len(change.old_content or b"")) for change in changes)
    counted = max(lines, grown // LINE_BYTES)
    if counted > slice_.limits["changed_lines"]:
        yield Violation("too_many_lines", changes[0].path, None, f"{counted} lines changed, {slice_.limits['changed_lines']} are allowed")


def _twins(changes: t.Sequence[Change], known: t.Iterable[str]) -> t.Iterator[Violation]:
    def folded(path: str) -> str:
        return unicodedata.normalize("NFKC", path).casefold()

    created = [change.path for change in changes if change.old is None and change.new is not None]
    if not created:
        return
    others = {folded(path): path for path in known}
    for path in created:
        twin = others.get(folded(path))
        if twin is not None and twin != path:
            yield Violation("out_of_scope", path, None, f"the name differs from {twin!r} only in case or form")
        others[folded(path)] = path


def check_change(slice_: Slice, changes: t.Sequence[Change], known: t.Iterable[str], lines: int, find: Find = find_secrets) -> list[Violation]:
    """Every breach of *slice_* by *changes*.

    :arg known: The paths of the base, to find names that differ only in case.
    :arg lines: Lines added and removed, as the patch counts them.
    :arg find: What finds secrets in a text, as (kind, offset, secret). One that knows this host's own finds these, too.
    """
    found: list[Violation] = []
    if changes:
        found.extend(_size(slice_, changes, lines))
    # A flood of files is refused for its number; looking at each of them would only cost time.
    for change in changes[: max(MAX_INSPECTED, slice_.limits["files"])]:
        found.extend(_kind(change))
        found.extend(_place(slice_, change))
        found.extend(_content(slice_, change, find))
        found.extend(
            Violation("touches_validation", change.path, None, f"the validation {check.name!r} runs it")
            for check in slice_.checks
            if runs_by(check.argv, slice_.workspace, change)
        )
        if len(found) >= MAX_INSPECTED:
            break
    found.extend(_twins(changes, known))
    return found[:MAX_INSPECTED]
