# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of results is laid by what was opened: whatever its user puts in its place, nothing behind a link is changed."""

from __future__ import annotations

import os
import pathlib
import pwd
import types
import typing as t

import pytest

FILE = pathlib.Path(__file__).resolve().parents[3] / "roles/schedule/files/results.py"
ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture(name="results")
def _results() -> types.ModuleType:
    module = types.ModuleType("results")
    exec(compile(FILE.read_text("utf-8"), "results", "exec"), module.__dict__)
    return module


def _seen(folder: pathlib.Path) -> t.Any:
    return [(path.name, path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in sorted([folder, *folder.iterdir()])]


def test_it_is_made_once_and_keeps_only_the_results_of_entries(results: types.ModuleType, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "schedule"
    assert results.main(str(folder), ME, True, set()) == {"changed": True, "removed": []} and not folder.exists()
    assert results.main(str(folder), ME, False, set())["changed"] and folder.stat().st_mode & 0o7777 == 0o750
    for name in ("kept.json", "gone.json", "gone.lock", ".gone.json"):
        (folder / name).write_text("{}", "utf-8")
    (folder / "folder.json").mkdir()
    assert results.main(str(folder), ME, True, {"kept"}) == {"changed": True, "removed": ["gone.json"]} and (folder / "gone.json").exists()
    assert results.main(str(folder), ME, False, {"kept"})["removed"] == ["gone.json"]
    assert sorted(os.listdir(folder)) == [".gone.json", "folder.json", "gone.lock", "kept.json"]
    assert not results.main(str(folder), ME, False, {"kept"})["changed"]


@pytest.mark.parametrize("check", [False, True])
def test_a_link_in_its_place_is_refused_and_nothing_behind_it_changes(results: types.ModuleType, tmp_path: pathlib.Path, check: bool) -> None:
    target = tmp_path / "etc"
    target.mkdir(mode=0o755)
    (target / "policy.json").write_text("{}", "utf-8")
    (tmp_path / "schedule").symlink_to(target)
    before = _seen(target)
    with pytest.raises(SystemExit, match=r"not a link .*\[results_unsafe\]"):
        results.main(str(tmp_path / "schedule"), ME, check, set())
    assert _seen(target) == before


def test_a_link_among_the_results_is_removed_and_not_followed(results: types.ModuleType, tmp_path: pathlib.Path) -> None:
    target = tmp_path / "policy.json"
    target.write_text("{}", "utf-8")
    folder = tmp_path / "schedule"
    folder.mkdir()
    (folder / "gone.json").symlink_to(target)
    assert results.main(str(folder), ME, False, set())["removed"] == ["gone.json"]
    assert target.exists() and not os.path.lexists(folder / "gone.json")


def test_a_folder_of_somebody_else_is_refused(results: types.ModuleType, tmp_path: pathlib.Path) -> None:
    # Root's can be given away, so it takes one that is neither root's nor the user's.
    folder = tmp_path / "schedule"
    folder.mkdir(mode=0o700)
    owner = os.geteuid() or 4242
    os.chown(folder, owner, -1)
    with pytest.raises(SystemExit, match=rf"belongs to user {owner}, expected"):
        results.opened(str(folder), owner + 1, owner + 1, 0o750, False)
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (owner, 0o700)


def test_below_the_engines_folder_the_way_is_what_was_opened(results: types.ModuleType, tmp_path: pathlib.Path) -> None:
    shared = tmp_path / "codex-ops"
    shared.mkdir()
    above = os.open(shared, os.O_RDONLY)
    try:
        shared.rename(tmp_path / "elsewhere")
        shared.symlink_to("/nonexistent")
        me = pwd.getpwnam(ME)
        handle, changed = results.opened(str(shared / "schedule"), me.pw_uid, me.pw_gid, 0o750, False, above)
        os.close(handle)
    finally:
        os.close(above)
    assert changed and (tmp_path / "elsewhere/schedule").is_dir()


def test_a_user_who_is_not_there_is_named(results: types.ModuleType, tmp_path: pathlib.Path) -> None:
    assert results.main(str(tmp_path / "x"), "no-such-user", True, set())["changed"]
    with pytest.raises(SystemExit, match="There is no user no-such-user"):
        results.main(str(tmp_path / "x"), "no-such-user", False, set())
