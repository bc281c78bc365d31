# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A journal is acted upon only if it is ours and fits in every detail; one of another workspace stops nobody else."""

from __future__ import annotations

import copy
import json
import os
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._workspace import restore

EDITS: dict[str, t.Any] = {"config/inbox.yml": "sender: noreply@example.com\n", "templates/mail/bye.txt": None, "new/deep/file": "n\n"}
ODD = [None, True, -1, 1.5, "", "..", "\0", "/etc/passwd", [], [None], {}, {"a": None}, 10**30, "x" * 300]


@pytest.fixture
def interrupted(world: t.Any) -> t.Any:
    """A world after an apply that nobody committed."""
    world.edit(EDITS)
    world.apply(world.plan())
    return world


def path_of(world: t.Any) -> str:
    return os.path.join(world.backups, "r1/journal.json")


def read(world: t.Any) -> dict[str, t.Any]:
    with open(path_of(world), encoding="ascii") as file:
        return t.cast("dict[str, t.Any]", json.load(file))


def write(world: t.Any, journal: t.Any) -> None:
    with open(path_of(world), "w", encoding="ascii") as file:
        file.write(journal if isinstance(journal, str) else json.dumps(journal))


def refused(world: t.Any) -> CodexOpsError:
    """Nothing is done by the journal, and the person is told which folder to look at."""
    after = world.seen()
    for ask in (restore.pending, restore.recover):
        with pytest.raises(CodexOpsError) as caught:
            ask(world.backups, str(world.live))
        assert (caught.value.code, caught.value.outcome) == ("journal_damaged", "rejected"), caught.value
        assert caught.value.where == os.path.join(world.backups, "r1")
    assert world.seen() == after
    return caught.value


def modified(journal: dict[str, t.Any]) -> dict[str, t.Any]:
    return next(entry for entry in journal["files"] if entry["operation"] == "modify")


@pytest.mark.parametrize(
    "forge",
    [
        lambda journal: modified(journal).update(temporary="inbox.yml"),
        lambda journal: modified(journal).update(temporary="../../../etc/cron.d/x"),
        lambda journal: modified(journal).update(temporary=".codex-ops-../../x-0001"),
        lambda journal: modified(journal).update(backup="../../secrets/key"),
        lambda journal: modified(journal).update(backup="/etc/shadow"),
        lambda journal: modified(journal).update(backup="journal.json"),
        lambda journal: modified(journal).update(backup=None),
        lambda journal: modified(journal).update(path="../outside"),
        lambda journal: modified(journal).update(path=".git/hooks/pre-commit"),
        lambda journal: modified(journal).update(operation="delete"),
        lambda journal: modified(journal).update(old=None),
        lambda journal: modified(journal).update(more=1),
        lambda journal: modified(journal)["old"]["kept"].update(mode=0o4755),
        lambda journal: modified(journal)["old"]["kept"].update(mode=0o2755),
        lambda journal: modified(journal)["old"]["kept"].update(mode=0o100755),
        lambda journal: modified(journal)["old"]["kept"].update(uid=-1),
        lambda journal: modified(journal)["old"]["kept"]["xattrs"].update({"security.capability": "AQAAAgAgAAAAAAAAAAAAAAAAAAA="}),
        lambda journal: modified(journal)["old"]["kept"]["xattrs"].update({"user.x": "not base64!"}),
        lambda journal: modified(journal)["new"].update(mode=0o6755),
        lambda journal: journal["files"].append(copy.deepcopy(journal["files"][0])),
        lambda journal: journal["folders"].append("../x"),
        lambda journal: journal.update(version=True),
    ],
)
def test_a_forged_journal_is_not_acted_upon(interrupted: t.Any, forge: t.Callable[[dict[str, t.Any]], None]) -> None:
    journal = read(interrupted)
    forge(journal)
    write(interrupted, journal)
    refused(interrupted)


def test_no_shape_of_a_journal_is_more_than_damaged(interrupted: t.Any) -> None:
    whole = read(interrupted)

    def places(node: t.Any, above: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
        for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            yield (*above, key)
            yield from places(node[key], (*above, key))

    tried = 0
    for place in places(whole):
        for value in [*ODD, KeyError]:
            journal = copy.deepcopy(whole)
            node: t.Any = journal
            for key in place[:-1]:
                node = node[key]
            if value is KeyError:
                del node[place[-1]]
            else:
                node[place[-1]] = value
            write(interrupted, journal)
            tried += 1
            try:
                restore.pending(interrupted.backups, str(interrupted.live))
            except CodexOpsError as exc:
                assert exc.code in ("journal_damaged", "newer_state"), (place, value, exc)
    assert tried > 500
    write(interrupted, whole)
    assert [found.run_id for found in restore.recover(interrupted.backups, str(interrupted.live))] == ["r1"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"version": 1}'])
def test_what_is_no_journal_is_damaged(interrupted: t.Any, text: str) -> None:
    write(interrupted, text)
    refused(interrupted)


@pytest.mark.parametrize("target", ["", "journal.json"])
@pytest.mark.parametrize("bits", [0o020, 0o002])
def test_a_journal_that_others_can_write_is_not_acted_upon(interrupted: t.Any, target: str, bits: int) -> None:
    path = os.path.join(interrupted.backups, "r1", target)
    os.chmod(path, os.stat(path).st_mode | bits)
    assert "others" in refused(interrupted).message


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_a_journal_that_is_no_file_is_not_acted_upon(interrupted: t.Any, kind: str) -> None:
    path = path_of(interrupted)
    os.rename(path, path + ".kept")
    if kind == "link":
        os.symlink("journal.json.kept", path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.mkdir(path)
    refused(interrupted)


def test_a_link_in_the_place_of_a_run_folder_is_not_acted_upon(interrupted: t.Any) -> None:
    os.rename(os.path.join(interrupted.backups, "r1"), os.path.join(interrupted.backups, ".kept"))
    os.symlink(".kept", os.path.join(interrupted.backups, "r1"))
    refused(interrupted)


if os.geteuid() == 0:

    @pytest.mark.parametrize("target", ["", "journal.json"])
    def test_a_journal_of_somebody_else_is_not_acted_upon(interrupted: t.Any, target: str) -> None:
        os.chown(os.path.join(interrupted.backups, "r1", target), 1234, -1)
        assert "somebody else" in refused(interrupted).message


@pytest.mark.parametrize("change", [{"files": None}, {"state": "odd"}, {"version": 0}, {"version": 2}])
def test_what_is_wrong_with_another_workspace_stops_nobody_else(make_world: t.Any, change: dict[str, t.Any]) -> None:
    one, two = make_world(), make_world()
    two.backups = one.backups
    for world, run_id in ((one, "r1"), (two, "r2")):
        world.edit(EDITS)
        world.apply(world.plan(), run_id=run_id)
    write(one, {**read(one), **change})
    assert [found.run_id for found in restore.recover(two.backups, str(two.live))] == ["r2"]
    with pytest.raises(CodexOpsError):
        restore.pending(one.backups, str(one.live))


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("workspace", [None, 1, "relative", "/a\0b"])
def test_a_journal_of_nobody_knows_which_workspace_stops_every_one(make_world: t.Any, workspace: t.Any, version: int) -> None:
    one, two = make_world(), make_world()
    one.edit(EDITS)
    one.apply(one.plan())
    write(one, {**read(one), "workspace": workspace, "version": version})
    with pytest.raises(CodexOpsError) as caught:
        restore.pending(one.backups, str(two.live))
    assert caught.value.where == os.path.join(one.backups, "r1")
