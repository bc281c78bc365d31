# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan is whole, or it is nothing; and it is used once."""

from __future__ import annotations

import json
import os
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.model import Change, FileState
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._workspace import patch, plan


@pytest.fixture
def stored(world: t.Any) -> tuple[t.Any, dict[str, t.Any], str]:
    world.edit({"config/inbox.yml": "new\n", "caf\udce9\u202e\n": b"\xff\x00", "templates/mail/bye.txt": None})
    document = world.plan()
    folder = os.path.join(world.runs, "p1")
    os.makedirs(folder)
    plan.store(document, folder)
    return world, document, folder


def test_a_plan_comes_back_as_it_was_stored(stored: t.Any) -> None:
    world, document, folder = stored
    assert plan.load(world.runs, "p1") == document
    assert os.stat(os.path.join(folder, "plan.json")).st_mode & 0o777 == 0o600
    assert os.listdir(folder) == ["plan.json"]
    assert len(document["nonce"]) == 32


def test_the_summary_names_digests_files_and_lines(stored: t.Any) -> None:
    _world, document, _folder = stored
    summary = plan.summary(document)
    assert summary["sha256"] == document["sha256"] and summary["base_sha256"] == document["base_sha256"]
    assert [entry["operation"] for entry in summary["files"]] == ["create", "modify", "delete"]


def test_a_single_changed_byte_anywhere_is_refused(stored: t.Any) -> None:
    world, _document, folder = stored
    path = os.path.join(folder, "plan.json")
    with open(path, "rb") as file:
        whole = file.read()
    for place in range(len(whole)):
        changed = bytearray(whole)
        # A letter stays a letter and a digit a digit, so that most of these are still JSON.
        changed[place] ^= 1
        with open(path, "wb") as file:
            file.write(changed)
        with pytest.raises(CodexOpsError) as caught:
            plan.load(world.runs, "p1")
        assert caught.value.code in ("plan_damaged", "newer_state"), place


@pytest.mark.parametrize(
    "forge",
    [
        lambda entry: entry.update(path="../../etc/passwd"),
        lambda entry: entry.update(path="/etc/passwd"),
        lambda entry: entry.update(path="a/.GIT/hooks/x"),
        lambda entry: entry.update(path="a//b"),
        lambda entry: entry.update(path="a\0b"),
        lambda entry: entry.update(operation="delete"),
        lambda entry: entry.update(extra=1),
        lambda entry: entry["new"].update(mode=0o100644),
        lambda entry: entry["new"].update(mode=True),
        lambda entry: entry["new"].update(content="bm90IGl0"),
        lambda entry: entry["new"].update(content="%%%"),
        lambda entry: entry.update(old=None, new=None),
    ],
)
def test_a_forged_plan_with_a_fitting_digest_is_refused_all_the_same(stored: t.Any, forge: t.Callable[[dict[str, t.Any]], None]) -> None:
    _world, document, _folder = stored
    forged = json.loads(json.dumps(document))
    forge(next(entry for entry in forged["files"] if entry["operation"] == "modify"))
    forged["sha256"] = plan.digest(forged)
    with pytest.raises(CodexOpsError) as caught:
        plan.verify(forged)
    assert caught.value.outcome == "rejected"


def test_a_file_named_twice_is_refused(stored: t.Any) -> None:
    _world, document, _folder = stored
    document["files"].append(document["files"][0])
    document["sha256"] = plan.digest(document)
    with pytest.raises(CodexOpsError, match="twice"):
        plan.verify(document)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"version": 1}', b'{"version": true}'])
def test_what_is_no_plan_is_damaged(stored: t.Any, content: bytes) -> None:
    world, _document, folder = stored
    with open(os.path.join(folder, "plan.json"), "wb") as file:
        file.write(content)
    with pytest.raises(CodexOpsError) as caught:
        plan.load(world.runs, "p1")
    assert caught.value.code == "plan_damaged"


def test_a_newer_plan_is_left_to_a_newer_engine(stored: t.Any) -> None:
    world, document, folder = stored
    plan.store({**document, "version": 2, "something": "new"}, folder)
    with pytest.raises(CodexOpsError) as caught:
        plan.load(world.runs, "p1")
    assert caught.value.outcome == "newer_state"


@pytest.mark.parametrize("plan_id", ["p2", "../p1", "p1/../p1", "", ".", "..", "a" * 81, "p1\n", "p\0", "/etc"])
def test_a_plan_that_is_not_there_is_not_found(stored: t.Any, plan_id: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        plan.load(stored[0].runs, plan_id)
    assert caught.value.code == "plan_not_found"


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_a_plan_file_that_is_no_file_is_refused_without_waiting(stored: t.Any, kind: str) -> None:
    world, _document, folder = stored
    path = os.path.join(folder, "plan.json")
    os.rename(path, path + ".real")
    {"fifo": os.mkfifo, "folder": os.mkdir, "link": lambda name: os.symlink(name + ".real", name)}[kind](path)
    with pytest.raises(CodexOpsError) as caught:
        plan.load(world.runs, "p1")
    assert caught.value.code == "plan_damaged"


def test_a_plan_of_another_run_is_refused(stored: t.Any) -> None:
    world, _document, folder = stored
    os.rename(folder, os.path.join(world.runs, "p9"))
    with pytest.raises(CodexOpsError, match="another run"):
        plan.load(world.runs, "p9")


def test_of_eight_processes_at_once_exactly_one_spends_the_plan(stored: t.Any) -> None:
    _world, document, folder = stored
    gate, opener = os.pipe()
    children: list[int] = []
    for _child in range(8):
        child = os.fork()
        if child == 0:
            status = 2
            try:
                os.close(opener)
                os.read(gate, 1)
                plan.spend(document, folder)
                status = 0
            except CodexOpsError as exc:
                status = 1 if (exc.code, exc.outcome) == ("plan_spent", "stale_plan") else 3
            finally:
                os._exit(status)
        children.append(child)
    os.close(opener)
    os.close(gate)
    results = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert results == [0] + [1] * 7


def test_a_used_plan_is_not_said_to_have_been_applied(stored: t.Any) -> None:
    """Its apply may have failed."""
    _world, document, run_dir = stored
    plan.spend(document, run_dir)
    with pytest.raises(CodexOpsError, match="was used before") as caught:
        plan.spend(document, run_dir)
    assert caught.value.code == "plan_spent"


def test_what_no_plan_can_carry_is_refused(world: t.Any) -> None:
    base = world.take()
    for state, code in ((FileState("symlink", 0o777, 1, None), "special_file"), (FileState("file", 0o644, 1 << 30, "0" * 64), "file_too_large")):
        with pytest.raises(CodexOpsError) as caught:
            plan.build(
                plan_id="p",
                workspace="/w",
                host_id="h",
                base=base,
                changes=[Change("x", None, state)],
                patch=patch.Patch("", 0, 0, []),
                slice_document={},
                slice_sha256="",
                report=None,
                usage=None,
                validation=[],
                replayed=False,
                created="",
            )
        assert caught.value.code == code
