# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths that no slice may touch: a category is only a word, a path is what it is. Pure. PRIVATE."""

from __future__ import annotations

import functools
import typing as t
import unicodedata

from .._contract.globs import Globs
from .._errors import CodexOpsError
from .defaults import FORBIDDEN


def _folded(text: str) -> str:
    """*text* as the least exact file system might read it: without case, and without different ways to write a character."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _globs(pattern: str) -> Globs:
    return Globs([_folded(pattern[1:] if pattern.startswith("/") else f"**/{pattern}")])


class Forbidden:
    """Patterns of paths. A pattern means a file or folder with everything below; it begins with ``/``, or counts in every folder.

    :raises CodexOpsError: for a pattern that could not mean anything.
    """

    def __init__(self, patterns: t.Sequence[str]) -> None:
        # Most are plain names: those are looked up, which costs nothing to prepare.
        self._from_root: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._anywhere: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        wild = []
        for pattern in patterns:
            names = tuple(_folded(pattern).lstrip("/").split("/"))
            if any(character in pattern for character in "*?["):
                wild.append(pattern)
            else:
                index = self._from_root if pattern.startswith("/") else self._anywhere
                index.setdefault(names[0], []).append((names, pattern))
        self._wild = tuple(wild)
        self._globs = Globs([glob for pattern in wild for glob in _globs(pattern).patterns])

    def meant_by(self, path: str) -> str | None:
        """The pattern that means the absolute *path*, or ``None``. A path that is no plain one is meant in any case: ``..``.

        Parts like ``.`` and doubled slashes are left out first.
        """
        # A part that only looks like two dots, or holds something that looks like a slash, is one after folding.
        parts = [part for part in _folded(path).split("/") if part not in ("", ".")]
        if not path.startswith("/") or "\0" in path or ".." in parts:
            return ".."
        for number, part in enumerate(parts):
            for index in (self._anywhere,) if number else (self._anywhere, self._from_root):
                for names, pattern in index.get(part, ()):
                    if tuple(parts[number : number + len(names)]) == names:
                        return pattern
        plain = "/".join(parts)
        if not self._globs.match_or_above(plain):
            return None
        return next((pattern for pattern in self._wild if _globs(pattern).match_or_above(plain)), "..")


@functools.lru_cache(maxsize=1)
def built_in() -> Forbidden:
    """The paths that no policy can open."""
    return Forbidden(FORBIDDEN)


def parse(patterns: t.Sequence[str]) -> Forbidden:
    """Like :class:`Forbidden`, for what a person wrote.

    :raises CodexOpsError: ``policy_invalid``, naming the pattern.
    """
    for number, pattern in enumerate(patterns):
        try:
            _globs(pattern)
        except CodexOpsError as error:
            raise CodexOpsError(
                error.message.replace("**/" + pattern, pattern),
                code="policy_invalid",
                outcome="forbidden",
                where=f"forbidden_paths[{number}]",
                hint="Write a path like /srv/app/secrets, or a pattern like *.pem that counts in every folder.",
            ) from None
    return Forbidden(patterns)
