# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was applied can be taken back, by a person and after a crash, and nobody's later work is lost."""

from __future__ import annotations

import json
import os
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._workspace import apply as applying
from ansible_collections.day2.codex.plugins.module_utils._workspace import restore

EDITS: dict[str, t.Any] = {"config/inbox.yml": "sender: noreply@example.com\n", "templates/mail/bye.txt": None, "new/deep/file": "n\n"}


@pytest.fixture
def applied(world: t.Any) -> tuple[t.Any, dict[str, t.Any]]:
    """A world after apply and commit, and what it was before."""
    world.edit(EDITS)
    before = world.seen()
    world.apply(world.plan())
    applying.commit(world.backups, "r1")
    return world, before


def test_a_rollback_puts_everything_back_once(applied: t.Any) -> None:
    world, before = applied
    after = world.seen()
    would = restore.restore(world.backups, "r1", check=True)
    assert (would.changed, would.files) == (True, sorted(EDITS))
    assert world.seen() == after
    done = restore.restore(world.backups, "r1", check=False)
    assert (done.changed, done.files, done.conflicts) == (True, sorted(EDITS), [])
    assert world.seen() == before
    for check in (True, False):
        assert restore.restore(world.backups, "r1", check=check) == restore.Restored(False, [])


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("path", "edit"),
    [
        ("config/inbox.yml", lambda path: path.write_text("later\n")),
        ("config/inbox.yml", lambda path: path.chmod(0o600)),
        ("config/inbox.yml", lambda path: path.unlink()),
        ("config/inbox.yml", lambda path: (path.unlink(), path.symlink_to("api.yml"))),
        ("new/deep/file", lambda path: path.write_text("later\n")),
        ("new/deep/file", lambda path: path.rename(path.parent / "moved")),
        ("templates/mail/bye.txt", lambda path: path.write_text("back again\n")),
        ("templates/mail/bye.txt", lambda path: path.symlink_to("hello.txt")),
    ],
)
def test_a_rollback_over_later_work_is_refused_and_names_it(applied: t.Any, path: str, edit: t.Callable[[t.Any], None], check: bool) -> None:
    world, _before = applied
    edit(world.live / path)
    after = world.seen()
    with pytest.raises(CodexOpsError) as caught:
        restore.restore(world.backups, "r1", check=check)
    assert (caught.value.code, caught.value.outcome) == ("changed_since", "stale_plan")
    assert [breach["path"] for breach in caught.value.details] == [path]
    assert path in caught.value.message
    assert world.seen() == after


def test_work_beside_the_plan_survives_a_rollback(applied: t.Any) -> None:
    world, before = applied
    (world.live / "new/mine").write_text("kept")
    restore.restore(world.backups, "r1", check=False)
    assert {path for path in world.seen() if path not in before} == {"new", "new/mine"}


def test_a_rollback_of_an_unknown_run_is_refused(applied: t.Any) -> None:
    for run_id in ("r2", "../r1", "", "."):
        with pytest.raises(CodexOpsError) as caught:
            restore.restore(applied[0].backups, run_id, check=False)
        assert caught.value.code == "backup_not_found"


def mixed(caught: pytest.ExceptionInfo[CodexOpsError], world: t.Any, code: str, paths: list[str]) -> None:
    """The error says that the tree is mixed, what is not back, why, and where the old bytes are; never that all is back."""
    error = caught.value
    assert error.code == code
    assert error.outcome not in ("rolled_back", "rejected")
    assert [(item["code"], item["path"]) for item in error.details] == [("not_restored", path) for path in paths]
    assert all(item["detail"] for item in error.details)
    assert "partly changed" in error.message and "r1" in error.message
    assert "next run" in str(error.hint) and os.path.join(world.backups, "r1") in str(error.hint)
    assert not [path for path in world.seen() if ".codex-ops-" in path]


def test_a_damaged_backup_is_not_put_back_and_everything_else_is(applied: t.Any) -> None:
    world, before = applied
    kept = {}
    for name in ("0001", "0002"):
        path = os.path.join(world.backups, "r1", name)
        with open(path, "rb") as file:
            kept[path] = file.read()
        with open(path, "ab") as file:
            file.write(b"rot")
    with pytest.raises(CodexOpsError) as caught:
        restore.restore(world.backups, "r1", check=False)
    mixed(caught, world, "restore_failed", ["config/inbox.yml", "templates/mail/bye.txt"])
    assert all("damaged" in item["detail"] for item in caught.value.details)
    assert world.seen()["config/inbox.yml"][2] == b"sender: noreply@example.com\n"
    assert "new" not in world.seen()
    with pytest.raises(CodexOpsError) as caught:
        restore.recover(world.backups, str(world.live))
    mixed(caught, world, "restore_failed", ["config/inbox.yml", "templates/mail/bye.txt"])
    for path, content in kept.items():
        with open(path, "wb") as file:
            file.write(content)
    (recovered,) = restore.recover(world.backups, str(world.live))
    assert recovered.files == ["config/inbox.yml", "templates/mail/bye.txt"]
    assert world.seen() == before


@pytest.mark.parametrize("ask", ["undo", "recover"])
def test_an_undo_that_fails_says_what_is_not_back_and_is_finished_later(world: t.Any, ask: str) -> None:
    world.edit(EDITS)
    before = world.seen()
    world.apply(world.plan())
    with open(os.path.join(world.backups, "r1/journal.json"), encoding="ascii") as file:
        entries = json.load(file)["files"]
    (gone,) = [os.path.join(world.backups, "r1", entry["backup"]) for entry in entries if entry["path"] == "config/inbox.yml"]
    os.rename(gone, world.root / "elsewhere")
    with pytest.raises(CodexOpsError) as caught:
        restore.undo(world.backups, "r1") if ask == "undo" else restore.recover(world.backups, str(world.live))
    mixed(caught, world, "undo_failed", ["config/inbox.yml"])
    assert {path for path, state in world.seen().items() if before.get(path) != state} == {"config/inbox.yml"}
    assert restore.pending(world.backups, str(world.live)) == ["r1"]
    os.rename(world.root / "elsewhere", gone)
    restore.recover(world.backups, str(world.live))
    assert world.seen() == before
    assert restore.pending(world.backups, str(world.live)) == []


def test_an_undo_without_its_workspace_or_its_journal_is_no_success(world: t.Any) -> None:
    world.edit(EDITS)
    world.apply(world.plan())
    os.rename(world.live, world.root / "away")
    with pytest.raises(CodexOpsError) as caught:
        restore.undo(world.backups, "r1")
    assert caught.value.code == "undo_failed"
    assert sorted(item["path"] for item in caught.value.details) == sorted(EDITS)
    os.rename(world.root / "away", world.live)
    with open(os.path.join(world.backups, "r1/journal.json"), "w", encoding="ascii") as file:
        file.write("{")
    with pytest.raises(CodexOpsError) as caught:
        restore.undo(world.backups, "r1")
    assert caught.value.code == "undo_failed" and caught.value.outcome not in ("rolled_back", "rejected")
    assert "r1" in caught.value.message and "partly changed" in caught.value.message


def test_a_rollback_that_was_not_begun_does_not_say_that_the_tree_changed(applied: t.Any) -> None:
    world, _before = applied
    after = world.seen()
    with open(os.path.join(world.backups, "r1/journal.json"), "w", encoding="ascii") as file:
        file.write("{")
    with pytest.raises(CodexOpsError) as caught:
        restore.restore(world.backups, "r1", check=False)
    assert (caught.value.code, caught.value.outcome) == ("journal_damaged", "rejected")
    assert world.seen() == after


def test_recovery_leaves_a_third_state_alone_and_names_it(world: t.Any) -> None:
    world.edit(EDITS)
    before = world.seen()
    world.apply(world.plan())
    (world.live / "config/inbox.yml").write_text("a person's own\n")
    assert restore.pending(world.backups, str(world.live)) == ["r1"]
    (recovered,) = restore.recover(world.backups, str(world.live))
    assert recovered.conflicts == ["config/inbox.yml"]
    assert recovered.files == ["new/deep/file", "templates/mail/bye.txt"]
    after = world.seen()
    assert after.pop("config/inbox.yml")[2] == b"a person's own\n"
    before.pop("config/inbox.yml")
    assert after == before
    assert restore.recover(world.backups, str(world.live)) == []


def test_recovery_touches_no_other_workspace(make_world: t.Any) -> None:
    one, two = make_world(), make_world()
    two.backups = one.backups
    for world, run_id in ((one, "r1"), (two, "r2")):
        world.edit(EDITS)
        world.apply(world.plan(), run_id=run_id)
    after = two.seen()
    assert [found.run_id for found in restore.recover(one.backups, str(one.live))] == ["r1"]
    assert two.seen() == after
    assert restore.pending(two.backups, str(two.live)) == ["r2"]


def test_without_backups_nothing_is_pending(world: t.Any) -> None:
    assert restore.pending(world.backups, str(world.live)) == []
    assert restore.recover(world.backups, str(world.live)) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [({"version": 2}, "newer_state"), ({"version": 0}, "journal_damaged"), ({"state": "odd"}, "journal_damaged"), (None, "journal_damaged")],
)
def test_a_journal_that_we_cannot_read_stops_the_run(world: t.Any, change: dict[str, t.Any] | None, code: str) -> None:
    world.edit(EDITS)
    world.apply(world.plan())
    path = os.path.join(world.backups, "r1/journal.json")
    with open(path, encoding="ascii") as file:
        journal = json.load(file)
    with open(path, "w", encoding="ascii") as file:
        file.write("{" if change is None else json.dumps({**journal, **change}))
    after = world.seen()
    for ask in (restore.pending, restore.recover):
        with pytest.raises(CodexOpsError) as caught:
            ask(world.backups, str(world.live))
        assert caught.value.code == code
        assert (caught.value.outcome == "newer_state") == (code == "newer_state")
    assert world.seen() == after


def test_a_parent_that_became_a_link_is_a_conflict_and_nothing_outside_is_written(world: t.Any, look: t.Any) -> None:
    world.edit(EDITS)
    world.apply(world.plan())
    (world.live / "config").rename(world.root / "outside")
    (world.live / "config").symlink_to(world.root / "outside")
    outside = look(world.root / "outside")
    (recovered,) = restore.recover(world.backups, str(world.live))
    assert recovered.conflicts == ["config/inbox.yml"]
    assert look(world.root / "outside") == outside
