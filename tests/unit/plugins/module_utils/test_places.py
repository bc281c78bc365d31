# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's folders belong to their owner, and no workspace reaches them."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._places import Places, host_id


@pytest.mark.parametrize("prefix", ["", "relative", "~/x", "/a\0b"])
def test_a_prefix_is_an_absolute_path(prefix: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        Places(prefix)
    assert caught.value.code == "prefix_invalid"


def test_the_folders_are_made_for_their_owner_alone(tmp_path: pathlib.Path) -> None:
    places = Places(str(tmp_path / "prefix"))
    places.prepare()
    places.prepare()
    for folder in (places.runs, places.backups, places.remembered, places.locks, os.path.dirname(places.log)):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


@pytest.mark.parametrize(("folder", "mode"), [("", 0o777), ("var", 0o777), ("var/lib/codex-ops", 0o777), ("var/lib/codex-ops/runs", 0o770), ("run", 0o757)])
def test_a_folder_that_others_can_write_or_swap_is_refused(tmp_path: pathlib.Path, folder: str, mode: int) -> None:
    places = Places(str(tmp_path / "prefix"))
    places.prepare()
    os.chmod(os.path.join(places.prefix, folder), mode)
    with pytest.raises(CodexOpsError) as caught:
        places.prepare()
    assert caught.value.code == "prefix_unsafe"
    assert caught.value.where == os.path.join(places.prefix, folder).rstrip("/")


def test_a_link_in_the_place_of_a_folder_is_refused(tmp_path: pathlib.Path) -> None:
    places = Places(str(tmp_path / "prefix"))
    places.prepare()
    os.rename(places.runs, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", places.runs)
    with pytest.raises(CodexOpsError):
        places.prepare()


def test_a_prefix_that_cannot_be_made_is_said_so(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CodexOpsError) as caught:
        Places(str(tmp_path / "file" / "prefix")).prepare()
    assert caught.value.code == "prefix_not_writable"


@pytest.mark.parametrize(
    "path", ["missing", "file", "link", "prefix", "prefix/var", "prefix/var/lib/codex-ops/runs", "prefix/var/log/codex-ops", "prefix/etc/codex-ops", "."]
)
def test_a_workspace_is_a_folder_that_holds_nothing_of_the_engines(tmp_path: pathlib.Path, path: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "app").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "app")
    places = Places(str(tmp_path / "prefix"))
    places.prepare()
    os.makedirs(places.etc)
    places.check_workspace(str(tmp_path / "app"))
    with pytest.raises(CodexOpsError) as caught:
        places.check_workspace(str(tmp_path / path))
    assert caught.value.code == "workspace_invalid"


def test_the_root_is_never_a_workspace(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CodexOpsError):
        Places(str(tmp_path)).check_workspace("/")


def test_a_host_has_one_name_that_tells_nothing() -> None:
    assert host_id() == host_id()
    assert len(host_id()) == 32
    assert os.uname().nodename not in host_id()
