# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's folders belong to their owner, and no workspace reaches them."""

from __future__ import annotations

import errno
import grp
import os
import pathlib
import pwd
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


def test_a_group_may_write_above_the_prefix_only_if_it_is_the_owners_own(tmp_path: pathlib.Path) -> None:
    places = Places(str(tmp_path / "above/prefix"))
    places.prepare()
    os.chmod(tmp_path / "above", 0o775)
    own = grp.getgrgid(os.getegid())
    if own.gr_name == pwd.getpwuid(os.geteuid()).pw_name and not own.gr_mem:
        # What a system with umask 002 makes.
        places.prepare()
    others = [65534] if os.geteuid() == 0 else [group for group in os.getgroups() if group != os.getegid()]
    for group in others[:1]:
        os.chown(tmp_path / "above", -1, group)
        with pytest.raises(CodexOpsError) as caught:
            places.prepare()
        assert caught.value.code == "prefix_unsafe"


@pytest.mark.parametrize("mode", [0o777, 0o757])
@pytest.mark.parametrize("depth", ["above", "above/between"])
def test_nobody_else_can_swap_a_folder_above_the_prefix(tmp_path: pathlib.Path, depth: str, mode: int) -> None:
    places = Places(str(tmp_path / "above/between/prefix"))
    places.prepare()
    os.chmod(tmp_path / depth, mode)
    with pytest.raises(CodexOpsError) as caught:
        places.prepare()
    assert (caught.value.code, caught.value.where) == ("prefix_unsafe", str(tmp_path / depth))
    assert "of the caller's own" in str(caught.value.hint)
    os.chmod(tmp_path / depth, mode | stat.S_ISVTX)
    places.prepare()


def test_a_new_prefix_in_a_folder_that_others_can_write_is_not_even_made(tmp_path: pathlib.Path) -> None:
    (tmp_path / "open").mkdir()
    os.chmod(tmp_path / "open", 0o777)
    with pytest.raises(CodexOpsError, match="open"):
        Places(str(tmp_path / "open/prefix")).prepare()
    assert list((tmp_path / "open").iterdir()) == []


@pytest.mark.parametrize("mask", [0, 0o002, 0o277, 0o777])
def test_no_umask_makes_what_we_make_unsafe(tmp_path: pathlib.Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        places = Places(str(tmp_path / "a/b/prefix"))
        places.prepare()
        places.prepare()
    finally:
        os.umask(before)
    for above, folders, _files in os.walk(tmp_path / "a"):
        for folder in [above, *(os.path.join(above, name) for name in folders)]:
            assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_a_link_of_ones_own_may_lead_to_the_prefix(tmp_path: pathlib.Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    places = Places(str(tmp_path / "link/../link/prefix"))
    places.prepare()
    assert places.runs.startswith(str(tmp_path / "real/prefix/"))


def test_a_prefix_that_leads_elsewhere_by_now_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "one")
    places = Places(str(tmp_path / "link/prefix"))
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    with pytest.raises(CodexOpsError) as caught:
        places.prepare()
    assert caught.value.code == "prefix_unsafe"


if os.geteuid() == 0:

    @pytest.mark.parametrize("kind", ["folder", "link"])
    def test_root_uses_no_prefix_below_a_folder_or_behind_a_link_of_somebody_else(tmp_path: pathlib.Path, kind: str) -> None:
        home = tmp_path / "home"
        (home / "ours").mkdir(parents=True)
        if kind == "link":
            (tmp_path / "link").symlink_to(home)
            os.chown(tmp_path / "link", 1234, 1234, follow_symlinks=False)
            prefix = tmp_path / "link/ours"
        else:
            os.chown(home, 1234, 1234)
            prefix = home / "ours"
        with pytest.raises(CodexOpsError) as caught:
            Places(str(prefix)).prepare()
        assert (caught.value.code, caught.value.where) == ("prefix_unsafe", str(home if kind == "folder" else tmp_path / "link"))
        assert list((home / "ours").iterdir()) == []


def test_an_ordinary_user_on_the_hosts_prefix_is_told_to_use_one_of_their_own() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            Places("/").prepare()
        except CodexOpsError as error:
            os.write(writing, f"{error.code}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as said:
        text = said.read()
    os.waitpid(child, 0)
    assert text.startswith("prefix_not_writable: /var/lib/codex-ops")
    assert "set 'prefix' to a folder of your own, for example /" in text


@pytest.mark.parametrize("prefix", ["/", "/srv/ops"])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC])
def test_a_place_that_cannot_be_used_is_explained(prefix: str, number: int) -> None:
    found = Places(prefix).explain(OSError(number, os.strerror(number)), "/var/log/codex-ops/audit.jsonl")
    assert (found.where, found.outcome) == ("/var/log/codex-ops/audit.jsonl", "rejected")
    assert found.code == ("disk_full" if number == errno.ENOSPC else "prefix_not_writable")
    assert os.strerror(number) in found.message
    assert ("Make room" if number == errno.ENOSPC else "set 'prefix' to a folder of your own") in str(found.hint)


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


@pytest.mark.parametrize("path", ["etc", "var", "var/lib", "var/log", "run", "run/lock", "opt", "opt/codex-ops/bin", "run/lock/codex-ops", "."])
def test_a_folder_that_will_hold_something_of_the_engines_is_no_workspace(tmp_path: pathlib.Path, path: str) -> None:
    places = Places(str(tmp_path))
    (tmp_path / path).mkdir(parents=True, exist_ok=True)
    with pytest.raises(CodexOpsError) as caught:
        places.check_workspace(str(tmp_path / path))
    assert caught.value.code == "workspace_invalid"
    (tmp_path / "etc/app").mkdir(parents=True)
    places.check_workspace(str(tmp_path / "etc/app"))


def test_the_root_is_never_a_workspace(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CodexOpsError):
        Places(str(tmp_path)).check_workspace("/")


def test_a_host_has_one_name_that_tells_nothing() -> None:
    assert host_id() == host_id()
    assert len(host_id()) == 32
    assert os.uname().nodename not in host_id()


def test_a_folder_of_the_policy_that_others_can_write_is_refused(tmp_path: pathlib.Path) -> None:
    places = Places(str(tmp_path / "prefix"))
    os.makedirs(places.etc, 0o755)
    places.prepare()
    os.chmod(places.etc, 0o777)
    with pytest.raises(CodexOpsError) as caught:
        places.prepare()
    assert (caught.value.code, caught.value.where) == ("prefix_unsafe", places.etc)
