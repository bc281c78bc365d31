# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The byte walk sees everything, follows nothing, and copies what it hashed."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.globs import Scope
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._workspace import handles, tree

SPECIAL = ["fifo", "socket"] + (["device"] if os.geteuid() == 0 else [])


def make_special(kind: str, path: Path) -> None:
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        here = os.open(path.parent, os.O_RDONLY)
        try:
            # By way of the handle: the name of a socket may only be short.
            socket.socket(socket.AF_UNIX).bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)
    else:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))


def test_only_what_is_in_scope_is_copied_with_the_bits_for_reading_writing_executing(make_world: t.Any) -> None:
    world = make_world({"a/x": "1", "a/.env": "secret", "b/y": "2", ".git/config": "g"}, Scope(["a/**"], ["**/.env"]))
    (world.live / "a/x").chmod(0o4750)
    base = world.take()
    assert list(base.files) == ["a/x"]
    assert base.files["a/x"].mode == 0o4750
    assert sorted(str(path.relative_to(world.copy)) for path in world.copy.rglob("*")) == ["a", "a/x"]
    assert (world.copy / "a/x").stat().st_mode & 0o7777 == 0o750
    assert world.copy.stat().st_mode & 0o7777 == 0o700


def test_a_folder_out_of_scope_is_not_even_entered(make_world: t.Any) -> None:
    world = make_world({"a/x": "1", "b/y": "2"}, Scope(["a/**"]))
    seen: list[str] = []
    list(handles_walk(str(world.live), world.scope, seen))
    assert seen == ["", "a/"]


def handles_walk(root: str, scope: Scope, seen: list[str]) -> t.Iterator[None]:
    from ansible_collections.day2.codex.plugins.module_utils._workspace.descent import walk

    for prefix, _folder, _entries in walk(handles.open_root(root), scope.may_cover_below):
        seen.append(prefix)
        yield


def test_the_digest_is_the_documented_one_and_sees_path_mode_and_content(world: t.Any) -> None:
    base = tree.snapshot(str(world.live), world.scope)
    lines = b"".join(
        b"%s\0%04o\0%s\n" % (os.fsencode(path), state.mode, hashlib.sha256((world.live / path).read_bytes()).hexdigest().encode())
        for path, state in sorted(base.files.items())
    )
    assert base.sha256 == hashlib.sha256(lines).hexdigest()
    assert tree.snapshot(str(world.live), world.scope).sha256 == base.sha256
    (world.live / "other/keep").chmod(0o600)
    assert tree.snapshot(str(world.live), world.scope).sha256 != base.sha256


def test_copy_and_snapshot_agree(world: t.Any) -> None:
    assert world.take() == tree.snapshot(str(world.live), world.scope)


def test_links_are_left_alone_and_named(world: t.Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    (world.live / "config/link").symlink_to(outside / "secret")
    (world.live / "config/folder").symlink_to(outside)
    base = world.take()
    assert base.skipped == {"config/link": "symlink", "config/folder": "symlink"}
    assert not (world.copy / "config/link").is_symlink()
    assert not any("secret" in path for path in base.files)


def test_hard_links_in_scope_are_refused(world: t.Any) -> None:
    os.link(world.live / "other/keep", world.live / "other/twin")
    base = world.take()
    assert sorted((breach.code, breach.path) for breach in base.refused) == [("hard_link", "other/keep"), ("hard_link", "other/twin")]
    assert not (world.copy / "other/keep").exists()


@pytest.mark.parametrize("kind", SPECIAL)
def test_special_files_are_refused_and_never_opened(world: t.Any, kind: str) -> None:
    make_special(kind, world.live / "config/special")
    base = world.take()
    assert [(breach.code, breach.path) for breach in base.refused] == [("special_file", "config/special")]
    world.copy.joinpath("other").mkdir(exist_ok=True)
    make_special(kind, world.copy / "other/special")
    assert tree.walk_all(str(world.copy))["other/special"].kind == kind


@pytest.mark.parametrize("bad", ["relative", "/nonexistent-folder", "/etc/passwd", "/tmp/../etc", "/a\0b"])
def test_a_root_that_is_no_real_directory_is_refused(bad: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        tree.snapshot(bad, Scope(["**"]))
    assert (caught.value.code, caught.value.outcome) == ("workspace_invalid", "rejected")


def test_a_root_that_is_a_link_is_refused_but_our_own_link_above_is_followed(world: t.Any, tmp_path: Path) -> None:
    (tmp_path / "to-live").symlink_to(world.live)
    with pytest.raises(CodexOpsError, match="symbolic link"):
        tree.snapshot(str(tmp_path / "to-live"), world.scope)
    (tmp_path / "above").symlink_to(tmp_path)
    (tmp_path / "relative").symlink_to("above/live/..")
    assert tree.snapshot(str(tmp_path / "relative" / "live"), world.scope) == tree.snapshot(str(world.live), world.scope)


if os.geteuid() == 0:  # only root can give a link to somebody else

    def test_a_link_of_somebody_else_above_the_root_is_refused(world: t.Any, tmp_path: Path) -> None:
        link = tmp_path / "above"
        link.symlink_to(tmp_path)
        os.chown(link, 4242, 4242, follow_symlinks=False)
        with pytest.raises(CodexOpsError, match="another user"):
            tree.snapshot(str(link / "live"), world.scope)


@pytest.mark.parametrize("how", [os.O_APPEND, 0])
def test_a_file_that_changes_all_the_time_is_busy_and_the_copy_goes_away(world: t.Any, how: int) -> None:
    target = world.live / "config/inbox.yml"
    target.write_bytes(b"x" * 30_000_000)
    stop = threading.Event()

    def write() -> None:
        handle = os.open(target, os.O_WRONLY | how)
        while not stop.is_set():
            os.write(handle, b"y")
            if not how:
                os.lseek(handle, 0, os.SEEK_SET)
        os.close(handle)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(CodexOpsError) as caught:
            world.take()
    finally:
        stop.set()
        writer.join()
    assert (caught.value.code, caught.value.outcome, caught.value.where) == ("workspace_busy", "rejected", "config/inbox.yml")
    assert not world.copy.exists()


def test_too_many_files_or_bytes_are_refused(world: t.Any) -> None:
    for bounds in ({"max_files": 4}, {"max_bytes": 20}):
        for take in (tree.snapshot, lambda root, scope, **kw: tree.walk_all(root, **kw)):
            with pytest.raises(CodexOpsError) as caught:
                take(str(world.live), world.scope, **bounds)
            assert caught.value.code == "workspace_too_large"


def test_a_copy_into_the_workspace_itself_is_refused(world: t.Any) -> None:
    with pytest.raises(CodexOpsError, match="inside the scope"):
        tree.copy(str(world.live), world.scope, str(world.live / "zz"))
    assert not (world.live / "zz").exists()


def test_a_copy_over_something_is_refused(world: t.Any) -> None:
    world.copy.mkdir()
    with pytest.raises(CodexOpsError) as caught:
        world.take()
    assert caught.value.code == "run_folder_exists"


@pytest.mark.parametrize("name", [b"caf\xe9", b"new\nline", "bidi\u202etxt".encode(), b"-rf", b"a b\t", b"x" * 255])
def test_any_name_that_linux_allows_is_copied(world: t.Any, name: bytes) -> None:
    with open(os.path.join(os.fsencode(world.live), b"config", name), "wb") as file:
        file.write(b"odd")
    base = world.take()
    assert base.files["config/" + os.fsdecode(name)].size == 3
    assert "config/" + os.fsdecode(name) in tree.walk_all(str(world.copy))


def test_the_walk_names_links_bits_and_hard_links_but_no_plain_folders(tmp_path: Path) -> None:
    root = tmp_path / "copy"
    for folder in (".git", ".codex", ".agents", ".aws", "plain/deep", "sticky"):
        (root / folder).mkdir(parents=True)
    (root / "sticky").chmod(0o1777)
    (root / "suid").write_text("x")
    (root / "suid").chmod(0o4755)
    (root / "link").symlink_to("/etc/shadow")
    (root / "one").write_text("1")
    os.link(root / "one", root / "two")
    (root / ".gitignore").write_text("*\n")
    (root / ".git/hook").write_text("#!/bin/sh\n")
    found = tree.walk_all(str(root))
    assert sorted(found) == [".git/hook", ".gitignore", "link", "one", "sticky", "suid", "two"]
    assert found["link"].kind == "symlink" and found["link"].sha256 is None
    assert found["sticky"].kind == "directory" and found["suid"].mode == 0o4755
    assert found["one"].nlink == found["two"].nlink == 2


def closed_tree(root: Path) -> None:
    (root / "shut/inner").mkdir(parents=True)
    (root / "shut/inner/file").write_text("hidden")
    (root / "shut/inner/file").chmod(0)
    (root / "shut/inner").chmod(0)
    (root / "shut").chmod(0o300)
    root.chmod(0)


def as_nobody(work: t.Callable[[], None]) -> int:
    """Run *work* in a child without root's rights; its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_what_an_agent_closed_is_opened_read_and_found_the_same_again(open_tmp: Path) -> None:
    def work() -> None:
        root = open_tmp / "copy"
        closed_tree(root)
        first = tree.walk_all(str(root))
        assert first["shut/inner/file"].mode == 0
        assert first["shut/inner/file"].sha256 == hashlib.sha256(b"hidden").hexdigest()
        assert tree.walk_all(str(root)) == first

    assert as_nobody(work) == 0


def test_a_closed_tree_is_removed(open_tmp: Path) -> None:
    def work() -> None:
        root = open_tmp / "copy"
        closed_tree(root)
        tree.remove_tree(str(root))

    assert as_nobody(work) == 0
    assert not (open_tmp / "copy").exists()


@pytest.fixture
def open_tmp() -> t.Iterator[Path]:
    """A folder that users other than the one who runs the tests can reach and write."""
    import tempfile

    folder = tempfile.mkdtemp(prefix="day2-", dir="/tmp")
    os.chmod(folder, 0o777)
    yield Path(folder)
    tree.remove_tree(folder)


def test_thousands_of_levels_are_walked_and_removed(tmp_path: Path) -> None:
    root = tmp_path / "copy"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _level in range(5000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("end", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    assert list(tree.walk_all(str(root))) == ["d/" * 5000 + "end"]
    tree.remove_tree(str(root))
    assert not root.exists()


def test_removing_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("k")
    root = tmp_path / "copy"
    (root / "sub").mkdir(parents=True)
    (root / "sub/out").symlink_to(outside)
    tree.remove_tree(str(root))
    assert (outside / "keep").read_text() == "k"
    root.symlink_to(outside)
    tree.remove_tree(str(root))
    assert (outside / "keep").exists() and not root.is_symlink()
    tree.remove_tree(str(root))


def test_ten_thousand_files_are_copied_and_compared(make_world: t.Any) -> None:
    world = make_world({f"d{number % 50}/f{number}": f"{number}\n" for number in range(10_000)})
    base = world.take()
    assert len(base.files) == 10_000
    assert world.changes() == []
    world.edit({"d7/f7": "changed\n"})
    assert [change.path for change in world.changes()] == ["d7/f7"]
