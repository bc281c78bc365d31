# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An apply writes exactly its plan, keeps what belonged to the files, and leaves the workspace alone otherwise."""

from __future__ import annotations

import errno
import os
import random
import resource
import stat
import struct
import subprocess
import tempfile
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._workspace import apply as applying
from ansible_collections.day2.codex.plugins.module_utils._workspace import plan as plans
from ansible_collections.day2.codex.plugins.module_utils._workspace import restore, tree

EDITS: dict[str, t.Any] = {"config/inbox.yml": "sender: noreply@example.com\n", "templates/mail/bye.txt": None, "new/deep/file": "n\n"}
ROOT = os.geteuid() == 0


def refused(world: t.Any, written: dict[str, t.Any], outcome: str, code: str | None = None) -> CodexOpsError:
    """The apply is refused and the tree is as before."""
    before = world.seen()
    with pytest.raises(CodexOpsError) as caught:
        world.apply(written)
    assert caught.value.outcome == outcome, caught.value
    assert code is None or caught.value.code == code, caught.value
    assert world.seen() == before
    assert restore.pending(world.backups, str(world.live)) == []
    return caught.value


def forged(document: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
    """The plan with its first entry changed, and a digest that fits."""
    document["files"][0].update(changes)
    document["sha256"] = plans.digest(document)
    return document


def acl(*entries: tuple[int, int, int]) -> bytes:
    """An access list as the kernel keeps it: (tag, rights, ID) each."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_the_plan_is_written_and_nothing_else(world: t.Any, look: t.Any) -> None:
    world.edit(EDITS)
    applied = world.apply(world.plan())
    assert applied.files == sorted(EDITS)
    assert applied.folders == ["new", "new/deep"]
    seen = world.seen()
    assert seen["config/inbox.yml"][2] == b"sender: noreply@example.com\n"
    assert seen["new/deep/file"][1:3] == (0o644, b"n\n")
    assert seen["new"][1] == seen["new/deep"][1] == 0o755
    assert {path: state for path, state in seen.items() if state[0] == "file"} == {
        path: state for path, state in look(world.copy).items() if state[0] == "file"
    }
    assert os.stat(world.backups).st_mode & 0o777 == os.stat(world.backups + "/r1").st_mode & 0o777 == 0o700
    assert sorted(os.listdir(world.backups + "/r1")) == ["0001", "0002", "journal.json", "open"]


def test_the_callers_umask_has_no_say(world: t.Any) -> None:
    world.edit(EDITS)
    written = world.plan()
    before = os.umask(0o077)
    try:
        world.apply(written)
    finally:
        os.umask(before)
    assert world.seen()["new/deep/file"][1] == 0o644 and world.seen()["new"][1] == 0o755


@pytest.mark.parametrize(("asked", "given"), [(0o755, 0o644), (0o4755, 0o644), (0o666, 0o664), (0o600, 0o600), (0o111, 0o644)])
def test_a_new_file_is_never_executable_or_open_to_everybody(world: t.Any, asked: int, given: int) -> None:
    world.edit({"new": "n"})
    (world.copy / "new").chmod(asked)
    world.apply(world.plan())
    assert world.seen()["new"][1] == given


def test_mode_times_and_attributes_are_kept_and_come_back(world: t.Any) -> None:
    target, gone = world.live / "config/inbox.yml", world.live / "templates/mail/bye.txt"
    rights = acl((1, 6, 0xFFFFFFFF), (2, 4, 12345), (4, 0, 0xFFFFFFFF), (0x10, 4, 0xFFFFFFFF), (0x20, 0, 0xFFFFFFFF))
    for path in (target, gone):
        os.setxattr(path, "user.note", b"kept\0bytes")
        os.setxattr(path, "system.posix_acl_access", rights)
        os.utime(path, ns=(1_000_000_000_000_000_001, 1_100_000_000_000_000_001))
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    world.edit(EDITS)
    before = world.seen()
    world.apply(world.plan())
    assert target.read_text() == EDITS["config/inbox.yml"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert os.getxattr(target, "user.note") == b"kept\0bytes"
    assert os.getxattr(target, "system.posix_acl_access") == rights
    assert target.stat().st_mtime_ns > 1_100_000_000_000_000_001
    restore.undo(world.backups, "r1")
    assert world.seen() == before
    for path in (target, gone):
        assert os.getxattr(path, "user.note") == b"kept\0bytes"
        assert os.getxattr(path, "system.posix_acl_access") == rights
        assert path.stat().st_mtime_ns == 1_100_000_000_000_000_001


def test_rights_that_a_folder_hands_down_do_not_reach_a_replaced_file(world: t.Any) -> None:
    rights = acl((1, 7, 0xFFFFFFFF), (2, 7, 12345), (4, 7, 0xFFFFFFFF), (0x10, 7, 0xFFFFFFFF), (0x20, 0, 0xFFFFFFFF))
    os.setxattr(world.live / "config", "system.posix_acl_default", rights)
    world.edit(EDITS)
    world.apply(world.plan())
    assert os.listxattr(world.live / "config/inbox.yml") == []
    assert world.seen()["config/inbox.yml"][1] == 0o644


def test_a_changed_mode_is_applied(world: t.Any) -> None:
    world.take()
    (world.copy / "other/keep").chmod(0o600)
    world.apply(world.plan())
    assert world.seen()["other/keep"][1:3] == (0o600, b"untouched\n")
    restore.undo(world.backups, "r1")
    assert world.seen()["other/keep"][1] == 0o644


if ROOT:

    def test_owners_are_kept_and_new_files_belong_to_their_folders_owner(world: t.Any) -> None:
        for path in ("config", "config/inbox.yml", "templates/mail/bye.txt"):
            os.chown(world.live / path, 1234, 2345)
        world.edit({**EDITS, "config/sub/new": "n"})
        before = world.seen()
        world.apply(world.plan())
        for path in ("config/inbox.yml", "config/sub", "config/sub/new"):
            found = (world.live / path).stat()
            assert (found.st_uid, found.st_gid) == (1234, 2345)
        assert (world.live / "new").stat().st_uid == world.live.stat().st_uid
        restore.undo(world.backups, "r1")
        assert world.seen() == before

    @pytest.mark.parametrize("edits", [{"a/file": "new"}, {"a/file": None}])
    def test_a_caller_who_could_not_give_a_file_back_does_not_take_it(edits: dict[str, t.Any], make_world: t.Any) -> None:
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            os.chmod(folder, 0o777)
            world = type(make_world())(Path(folder) / "w", {"a/file": "old", "a/other": "x"})
            world.edit(edits)
            written = world.plan()
            for path in (world.root, world.live, world.live / "a"):
                os.chmod(path, 0o777)
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    os.setgroups([])
                    os.setgid(65534)
                    os.setuid(65534)
                    refused(world, written, "rejected", "ownership")
                    status = 0
                finally:
                    os._exit(status)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_a_tiny_disk_is_full_at_every_point(tmp_path: Path, make_world: t.Any) -> None:
        seen: set[str] = set()
        for place in ("live", "backups"):
            for free in range(0, 60, 3):
                disk = tmp_path / f"disk-{place}-{free}"
                disk.mkdir()
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(disk)], check=True)
                try:
                    root = disk if place == "live" else tmp_path / f"root-{free}"
                    world = type(make_world())(root / "w", {f"f{number}": "old" * 3000 for number in range(6)})
                    world.copy = tmp_path / f"copy-{place}-{free}"
                    world.backups = str((tmp_path if place == "live" else disk) / f"backups-{free}")
                    world.edit({"f0": "new" * 4000, "f1": "n" * 2000, "f2": None, "x/y": "z" * 9000, "f4": "n" * 9000})
                    written = world.plan()
                    before = world.seen()
                    with open(disk / "ballast", "wb", buffering=0) as ballast:
                        try:
                            while True:
                                ballast.write(b"\1" * 4096)
                        except OSError as exc:
                            assert exc.errno == errno.ENOSPC
                        ballast.truncate(max(0, os.fstat(ballast.fileno()).st_size // 4096 - free) * 4096)
                    try:
                        world.apply(written)
                        seen.add("applied")
                        assert world.seen() != before
                        restore.undo(world.backups, "r1")
                    except CodexOpsError as exc:
                        assert (exc.code, exc.outcome) == ("disk_full", "rejected")
                        seen.add(place)
                    assert world.seen() == before
                finally:
                    subprocess.run(["umount", str(disk)], check=True)
        assert seen == {"applied", "live", "backups"}


def test_a_limit_on_file_size_is_a_full_disk(world: t.Any) -> None:
    world.edit({**EDITS, "config/api.yml": "x" * 100_000})
    written = world.plan()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
            refused(world, written, "rejected", "disk_full")
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("when", [1, 2, 3])
def test_a_stop_before_any_file_undoes_everything_and_passes_the_reason_on(world: t.Any, when: int) -> None:
    world.edit(EDITS)
    written, before, calls = world.plan(), world.seen(), iter(range(1, 10))

    def stop() -> None:
        if next(calls) == when:
            raise CodexOpsError("The kill switch is engaged.", code="kill_switch", outcome="kill_switch_engaged")

    with pytest.raises(CodexOpsError) as caught:
        world.apply(written, before_each=stop)
    assert caught.value.outcome == "kill_switch_engaged"
    assert world.seen() == before
    assert restore.pending(world.backups, str(world.live)) == []


def test_before_each_is_asked_once_per_file(world: t.Any) -> None:
    world.edit(EDITS)
    calls: list[int] = []
    world.apply(world.plan(), before_each=lambda: calls.append(1))
    assert len(calls) == 3


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "a//b", "a/./b", "a\0b", "", "a/.git/x", ".GIT", 7])
def test_a_path_that_leaves_the_workspace_is_refused(world: t.Any, path: t.Any) -> None:
    world.edit({"new": "n"})
    refused(world, forged(world.plan(), path=path), "rejected")


@pytest.mark.parametrize("operation", ["modify", "create", "delete"])
def test_a_parent_that_became_a_link_is_refused(world: t.Any, operation: str, tmp_path: Path, look: t.Any) -> None:
    world.edit({"modify": {"config/inbox.yml": "n"}, "create": {"config/new": "n"}, "delete": {"config/inbox.yml": None}}[operation])
    written = world.plan()
    (world.live / "config").rename(tmp_path / "outside")
    (world.live / "config").symlink_to(tmp_path / "outside")
    before = look(tmp_path / "outside")
    refused(world, written, "rejected", "symlink")
    assert look(tmp_path / "outside") == before


@pytest.mark.parametrize("kind", ["content", "mode", "link", "dangling", "hard_link", "fifo", "folder", "gone", "no_parent"])
def test_a_target_that_is_not_the_old_file_any_more_is_stale(world: t.Any, kind: str) -> None:
    world.edit({"config/inbox.yml": "n", "config/api.yml": None})
    written = world.plan()
    target = world.live / "config/inbox.yml"
    if kind == "content":
        target.write_text("sender: edited@example.co\n")
    elif kind == "mode":
        target.chmod(0o600)
    elif kind == "hard_link":
        os.link(target, world.live / "other/twin")
    else:
        target.rename(world.root / "moved")
        if kind in ("link", "dangling"):
            target.symlink_to(world.root / "moved" if kind == "link" else "/nonexistent")
        elif kind == "fifo":
            os.mkfifo(target)
        elif kind == "folder":
            target.mkdir()
        elif kind == "no_parent":
            (world.live / "config").rename(world.root / "parent")
    refused(world, written, "stale_plan")


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "folder", "twin", "unicode_twin", "parent_twin", "parent_file"])
def test_something_where_a_new_file_belongs_is_stale(world: t.Any, kind: str) -> None:
    name = "caf\u00e9" if kind == "unicode_twin" else "new"
    world.edit({f"config/sub/{name}" if kind.startswith("parent") else f"config/{name}": "n"})
    written = world.plan()
    folder = world.live / "config"
    {
        "file": lambda: (folder / "new").write_text("mine"),
        "link": lambda: (folder / "new").symlink_to("api.yml"),
        "dangling": lambda: (folder / "new").symlink_to("/nonexistent"),
        "folder": (folder / "new").mkdir,
        "twin": lambda: (folder / "NEW").write_text("mine"),
        "unicode_twin": lambda: (folder / "CAFE\u0301").write_text("mine"),
        "parent_twin": (folder / "Sub").mkdir,
        "parent_file": lambda: (folder / "sub").write_text("mine"),
    }[kind]()
    refused(world, written, "stale_plan")


def test_new_files_that_differ_in_case_only_are_refused(world: t.Any) -> None:
    world.edit({"config/a": "1", "config/A": "2"})
    refused(world, world.plan(), "rejected", "case_twin")


def test_a_folder_may_take_the_place_of_a_deleted_file_and_go_back(world: t.Any) -> None:
    world.take()
    (world.copy / "other/keep").unlink()
    world.edit({"other/keep/deep/one": "1", "other/keep/two": "2"})
    before = world.seen()
    world.apply(world.plan())
    assert world.seen()["other/keep/deep/one"][2] == b"1"
    restore.undo(world.backups, "r1")
    assert world.seen() == before


def test_a_file_in_the_place_of_a_folder_is_refused(world: t.Any) -> None:
    world.take()
    tree.remove_tree(str(world.copy / "templates"))
    world.edit({"templates": "now a file"})
    refused(world, world.plan(), "stale_plan")


@pytest.mark.parametrize("mode", [0o4755, 0o2755])
def test_a_file_that_runs_with_other_rights_is_not_changed(world: t.Any, mode: int) -> None:
    (world.live / "other/keep").chmod(mode)
    world.edit({"other/keep": "#!/bin/sh\nevil\n"})
    (world.copy / "other/keep").chmod(mode & 0o777)
    refused(world, world.plan(), "rejected", "privileged_file")


@pytest.mark.parametrize("mode", [0o4755, 0o2755])
def test_a_file_that_runs_with_other_rights_is_not_deleted(world: t.Any, mode: int) -> None:
    (world.live / "other/keep").chmod(mode)
    world.edit({"other/keep": None})
    refused(world, world.plan(), "rejected", "privileged_file")


def test_links_beside_the_files_stay_what_they_are(world: t.Any) -> None:
    (world.live / "config/link").symlink_to("inbox.yml")
    (world.live / "config/out").symlink_to("/etc/passwd")
    world.edit(EDITS)
    world.apply(world.plan())
    assert os.readlink(world.live / "config/link") == "inbox.yml"
    assert os.readlink(world.live / "config/out") == "/etc/passwd"


@pytest.mark.parametrize("name", ["caf\udce9", "a\nb", "bidi\u202etxt", "-rf", " ", "x" * 255])
def test_any_name_that_linux_allows_is_applied_and_undone(world: t.Any, name: str) -> None:
    World = type(world)
    World.write(world.live, f"config/{name}", "old")
    world.edit({f"config/{name}": "new", f"made/{name}/{name}": "n"})
    before = world.seen()
    world.apply(world.plan())
    assert world.seen()[f"config/{name}"][2] == b"new"
    restore.undo(world.backups, "r1")
    assert world.seen() == before


def test_one_run_applies_once(world: t.Any) -> None:
    world.edit(EDITS)
    written = world.plan()
    world.apply(written)
    restore.undo(world.backups, "r1")
    with pytest.raises(CodexOpsError) as caught:
        world.apply(written)
    assert caught.value.code == "backup_exists"


@pytest.mark.parametrize("at", ["modify", "create", "delete"])
def test_an_edit_at_the_last_moment_is_kept_and_everything_else_undone(world: t.Any, at: str) -> None:
    world.edit(EDITS)
    written, before = world.plan(), world.seen()
    order = {"delete": ("templates/mail/bye.txt", 1), "modify": ("config/inbox.yml", 2), "create": ("new/deep/file", 3)}
    path, turn = order[at]
    calls = iter(range(1, 10))

    def edit() -> None:
        if next(calls) == turn:
            (world.live / path).write_text("a person's last word\n")

    with pytest.raises(CodexOpsError) as caught:
        world.apply(written, before_each=edit)
    assert caught.value.outcome == "stale_plan"
    after = world.seen()
    assert after[path][2] == b"a person's last word\n"
    changed = {name for name in set(before) | set(after) if before.get(name) != after.get(name)}
    assert changed == ({"new", "new/deep", path} if at == "create" else {path})


def test_a_folder_swapped_for_a_link_in_a_loop_never_lets_a_byte_out(make_world: t.Any, tmp_path: Path, look: t.Any) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("inbox.yml", "api.yml"):
        (outside / name).write_text("precious\n")
    precious = look(outside)
    outcomes: set[str] = set()
    chance = random.Random(7)
    for turn in range(60):
        world = make_world()
        (world.live / "link").symlink_to(outside)
        world.edit({"config/inbox.yml": "n1\n", "config/api.yml": None, "config/new": "n2\n", "config/sub/new": "n3\n"})
        written = world.plan()
        stop = threading.Event()

        def swap(live: Path = world.live, stop: threading.Event = stop, turns: int = chance.randrange(1, 400)) -> None:
            while not stop.is_set():
                os.rename(live / "config", live / "real")
                os.rename(live / "link", live / "config")
                os.rename(live / "config", live / "link")
                os.rename(live / "real", live / "config")
                for _pause in range(turns * 50):
                    pass

        hostile = threading.Thread(target=swap)
        hostile.start()
        try:
            world.apply(written, run_id=f"r{turn}")
            outcomes.add("applied")
        except CodexOpsError as exc:
            outcomes.add(exc.outcome)
        finally:
            stop.set()
            hostile.join()
        assert look(outside) == precious
        assert not [path for path in world.seen() if ".codex-ops-" in path]
    assert outcomes & {"stale_plan", "rejected"}


def test_commit_is_final_and_can_be_repeated(world: t.Any) -> None:
    world.edit(EDITS)
    world.apply(world.plan())
    assert restore.pending(world.backups, str(world.live)) == ["r1"]
    applying.commit(world.backups, "r1")
    applying.commit(world.backups, "r1")
    assert restore.pending(world.backups, str(world.live)) == []
    with pytest.raises(CodexOpsError) as caught:
        restore.undo(world.backups, "r1")
    assert caught.value.code == "already_committed"
    with pytest.raises(CodexOpsError) as missing:
        applying.commit(world.backups, "r2")
    assert missing.value.code == "backup_not_found"
