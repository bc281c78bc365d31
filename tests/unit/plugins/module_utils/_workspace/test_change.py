# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes are what the bytes say, and nothing hides one."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.model import MAX_CONTENT
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError


def test_an_untouched_copy_has_no_change_set_uid_originals_included(world: t.Any) -> None:
    (world.live / "other/keep").chmod(0o6755)
    world.take()
    assert world.changes() == []


def test_the_empty_folders_that_the_sandbox_leaves_are_no_change(world: t.Any) -> None:
    world.take()
    for name in (".git", ".codex", ".agents", ".aws"):
        (world.copy / name).mkdir()
    assert world.changes() == []


def test_create_modify_delete_come_sorted_with_their_contents(world: t.Any) -> None:
    world.edit({"z/new": "n", "config/inbox.yml": "sender: noreply@example.com\n", "templates/mail/bye.txt": None})
    found = world.changes()
    assert [(change.path, change.operation) for change in found] == [
        ("config/inbox.yml", "modify"),
        ("templates/mail/bye.txt", "delete"),
        ("z/new", "create"),
    ]
    assert [(change.old_content, change.new_content) for change in found] == [
        (b"sender: norply@example.com\n", b"sender: noreply@example.com\n"),
        (b"Bye\n", None),
        (None, b"n"),
    ]


def test_ignore_files_attributes_and_nested_repositories_hide_nothing(world: t.Any) -> None:
    world.edit({".gitignore": "*\n", ".gitattributes": "* -diff filter=x\n", "config/inbox.yml": "x\n", "config/.git/hooks/post-merge": "evil"})
    assert [change.path for change in world.changes()] == [".gitattributes", ".gitignore", "config/.git/hooks/post-merge", "config/inbox.yml"]


@pytest.mark.parametrize("mode", [0o755, 0o600, 0o4644, 0o2644, 0o1644, 0o000])
def test_a_changed_mode_is_a_change(world: t.Any, mode: int) -> None:
    world.take()
    (world.copy / "other/keep").chmod(mode)
    (change,) = world.changes()
    assert (change.operation, change.old.mode, change.new.mode) == ("modify", 0o644, mode)
    assert change.new_content == b"untouched\n"


def test_times_are_no_disguise(world: t.Any) -> None:
    world.take()
    before = (world.copy / "other/keep").stat()
    (world.copy / "other/keep").write_text("UNTOUCHED\n")
    os.utime(world.copy / "other/keep", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [change.path for change in world.changes()] == ["other/keep"]


def test_a_file_that_became_something_else_is_a_change_of_that_kind(world: t.Any) -> None:
    world.take()
    (world.copy / "other/keep").unlink()
    (world.copy / "other/keep").symlink_to("/etc/shadow")
    os.link(world.copy / "config/api.yml", world.copy / "config/twin")
    (world.copy / "templates/mail/bye.txt").unlink()
    (world.copy / "templates/mail/bye.txt").mkdir()
    found = {change.path: change for change in world.changes()}
    assert found["other/keep"].new.kind == "symlink" and found["other/keep"].new_content is None
    assert found["config/twin"].new.nlink == 2 and found["config/api.yml"].new.nlink == 2
    assert found["templates/mail/bye.txt"].operation == "delete"


def test_a_large_content_is_named_and_not_loaded(world: t.Any) -> None:
    world.edit({"big": b"x" * (MAX_CONTENT + 1)})
    (change,) = world.changes()
    assert change.new.size == MAX_CONTENT + 1 and change.new_content is None


@pytest.mark.parametrize("how", ["content", "mode", "gone", "link", "folder"])
def test_an_original_that_changed_meanwhile_makes_the_plan_stale(world: t.Any, how: str) -> None:
    world.edit({"config/inbox.yml": "new\n"})
    live = world.live / "config/inbox.yml"
    if how == "content":
        live.write_text("sender: a person edited this!\n")
    elif how == "mode":
        live.chmod(0o600)
    else:
        content = live.read_text()
        live.unlink()
        if how == "link":
            (world.root / "elsewhere").write_text(content)
            live.symlink_to(world.root / "elsewhere")
        elif how == "folder":
            (world.live / "config").rename(world.root / "moved")
            (world.root / "moved/inbox.yml").write_text(content)
            (world.live / "config").symlink_to(world.root / "moved")
    with pytest.raises(CodexOpsError) as caught:
        world.changes()
    assert (caught.value.outcome, caught.value.where) == ("stale_plan", "config/inbox.yml")


def test_an_original_that_is_not_concerned_may_change(world: t.Any) -> None:
    world.edit({"config/inbox.yml": "new\n"})
    (world.live / "other/keep").write_text("a person's work\n")
    assert [change.path for change in world.changes()] == ["config/inbox.yml"]
