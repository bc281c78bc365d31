# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patterns mean what people think they mean, and no name makes them slow."""

from __future__ import annotations

import itertools
import time

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.globs import Globs, Scope
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError


@pytest.mark.parametrize(
    ("pattern", "matches", "differs"),
    [
        ("config/**", ["config/a", "config/a/b", "config/.env"], ["config", "configs/a", "x/config/a", "Config/a"]),
        ("**/.env", [".env", "a/.env", "a/b/.env"], ["a/.env/b", "a.env", ".envx"]),
        ("**", ["a", "a/b", ".a/b\n"], [""]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/xb", "x/a/b"]),
        ("**/a/*.yml", ["a/x.yml", "q/a/.yml", "a/a/x.yml"], ["a/b/x.yml", "x.yml"]),
        ("*", ["a", ".a", "a\nb", "\udcff"], ["a/b"]),
        ("a*b*c", ["abc", "aXbYc", "abcbc", "a\nb\nc"], ["ab", "a/b/c", "abcd"]),
        ("config/inbox*.yml", ["config/inbox.yml", "config/inbox-2.yml"], ["config/x/inbox.yml", "config/inboxyml"]),
        ("a?c", ["abc", "a\nc"], ["a/c", "ac"]),
        ("[!a]", ["b", "!"], ["a", "/", "bb"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "Ax", "-x"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[[]x[*]", ["[x*"], ["[xx"]),
        ("a[!b]c", ["axc"], ["a/c", "abc"]),
        ("a.b", ["a.b"], ["axb"]),
        ("dir", ["dir"], ["dir/a"]),
        ("**/x/**/y/**", ["x/y/z", "a/x/b/y/c/d"], ["x/y", "y/x/z"]),
        ("**/**/a", ["a", "b/a"], ["ab"]),
    ],
)
def test_a_pattern_means_exactly_these_paths(pattern: str, matches: list[str], differs: list[str]) -> None:
    globs = Globs([pattern])
    assert [path for path in matches if not globs.match(path)] == []
    assert [path for path in differs if globs.match(path)] == []


@pytest.mark.parametrize(
    "pattern",
    ["", "/etc/**", "../x", "a/../b", "a//b", "./a", "a/", "a\\b", "a\0b", "a/**b", "**.yml", "[a", "a[!", "[z-a]", "[[:alpha:]]"],
)
def test_a_pattern_that_cannot_mean_anything_is_refused_with_a_hint(pattern: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        Globs(["ok", pattern])
    assert caught.value.code == "slice_invalid"
    assert caught.value.hint


def test_one_text_instead_of_a_list_is_refused() -> None:
    with pytest.raises(CodexOpsError, match="list"):
        Globs("config")


def test_no_pattern_matches_nothing() -> None:
    assert not Globs([]).match("a")
    assert not Globs([]).may_match_below("")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*a*a*a*a*a*a*a*a*a*a*b", "a" * 20000),
        ("**/*a*/**/*a*/**/*a*/**/b", "a/" * 10000 + "a"),
        ("**/a/**/a/**/a/**/a/**/b", "a/" * 10000 + "c"),
        ("*[a-z]*[a-z]*[a-z]*[a-z]*[!a]", "a" * 20000),
        ("**/*?*?*?*?*?*?/x", "y" * 20000),
    ],
)
def test_a_hostile_name_takes_linear_time(pattern: str, name: str) -> None:
    globs = Globs([pattern])

    def seconds(length: int) -> float:
        best = 9.0
        for _again in range(3):
            start = time.perf_counter()
            globs.match(name[:length])
            best = min(best, time.perf_counter() - start)
        return best

    whole = seconds(len(name))
    # Quadratic would be 64 times as much; the floor keeps noise of very short times out.
    assert whole < 2
    assert whole < 30 * max(seconds(len(name) // 8), 0.0005)


def test_match_and_the_question_about_folders_agree_on_every_small_tree() -> None:
    names = ["a", "b", "ab"]
    paths = ["/".join(parts) for depth in (1, 2, 3) for parts in itertools.product(names, repeat=depth)]
    pieces = ["a", "b", "*", "**", "a*", "?b"]
    for depth in (1, 2, 3):
        for parts in itertools.product(pieces, repeat=depth):
            globs = Globs(["/".join(parts)])
            for path in paths:
                above = path.split("/")[:-1]
                if globs.match(path):
                    assert all(globs.may_match_below("/".join(above[:count])) for count in range(len(above) + 1))
                for count in range(len(above) + 1):
                    if globs.matches_all_below("/".join(above[:count])):
                        assert globs.match(path)


def test_a_walk_prunes_what_cannot_match() -> None:
    scope = Scope(["config/**", "templates/*.j2"], ["**/node_modules/**", "config/private"])
    assert scope.may_cover_below("")
    assert scope.may_cover_below("config")
    assert scope.may_cover_below("config/deep/er")
    assert scope.may_cover_below("templates")
    assert not scope.may_cover_below("templates/sub")
    assert not scope.may_cover_below("src")
    assert not scope.may_cover_below("config/node_modules")
    assert not scope.may_cover_below("config/private")
    assert not scope.may_cover_below("config/private/deeper")


def test_an_excluded_folder_closes_everything_below_it() -> None:
    scope = Scope(["**"], ["secrets", "**/.env"])
    assert scope.covers("a/b")
    assert not scope.covers("secrets")
    assert not scope.covers("secrets/key")
    assert not scope.covers("secrets/deep/key")
    assert scope.covers("secrets2/key")
    assert not scope.covers("a/.env")
    assert not scope.covers(".env/inside")


@pytest.mark.parametrize("path", [".git", ".git/config", "a/.GIT/hooks/x", "a/.Git"])
def test_git_metadata_is_never_in_scope(path: str) -> None:
    scope = Scope(["**", "**/.git/**", ".git"])
    assert not scope.covers(path)
    assert not scope.may_cover_below(path)
    assert scope.covers(".gitignore")
    assert scope.covers("a.git/x")
