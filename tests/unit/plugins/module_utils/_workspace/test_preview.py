# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person is shown of a plan is what would be written, and not what the plan says of itself."""

from __future__ import annotations

import base64
import hashlib
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._workspace import plan as plans
from ansible_collections.day2.codex.plugins.module_utils._workspace.change import MAX_CONTENT
from ansible_collections.day2.codex.plugins.module_utils._workspace.preview import recomputed


def _refused(plan: dict[str, t.Any], code: str) -> CodexOpsError:
    with pytest.raises(CodexOpsError) as caught:
        recomputed(plan)
    assert (caught.value.code, caught.value.outcome) == (code, "stale_plan"), caught.value
    return caught.value


def _edited(world: t.Any) -> dict[str, t.Any]:
    world.edit(
        {
            "config/inbox.yml": "sender: noreply@example.com\n",
            "config/new file.yml": "a: \u202eb\n",
            "deep/er/new.bin": b"\0\1\2",
            "templates/mail/bye.txt": None,
            "other/keep": b"\xff\xfe not utf-8\n",
        }
    )
    (world.copy / "config/api.yml").chmod(0o755)
    return world.plan()


def test_a_plan_shows_the_same_patch_when_it_is_made_anew(world: t.Any) -> None:
    plan = _edited(world)
    before = world.seen()
    assert recomputed(plan).text == plan["patch"] != ""
    assert world.seen() == before


def test_a_large_file_is_compared_by_its_digest(make_world: t.Callable[..., t.Any]) -> None:
    world = make_world({"large.txt": "x" * (MAX_CONTENT + 1), "a": "a\n"})
    world.edit({"large.txt": None, "a": "b\n"})
    plan = world.plan()
    assert recomputed(plan).text == plan["patch"]
    (world.live / "large.txt").write_text("x" * MAX_CONTENT + "y")
    assert "large.txt" in str(_refused(plan, "base_changed"))


def test_a_plan_whose_patch_tells_another_story_is_refused(world: t.Any) -> None:
    """With right digests all over: whoever can write a plan can compute them."""
    plan = _edited(world)
    for lie in (plan["patch"].replace("noreply", "noreply2"), "", plan["patch"] + "\n"):
        told = {**plan, "patch": lie, "patch_sha256": hashlib.sha256(lie.encode()).hexdigest()}
        told["sha256"] = plans.digest(told)
        plans.verify(told)
        _refused(told, "patch_mismatch")
    entry = next(entry for entry in plan["files"] if entry["path"] == "config/inbox.yml")
    content = b"sender: evil@example.com\n"
    new = {**entry["new"], "content": base64.b64encode(content).decode(), "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    told = {**plan, "files": [{**entry, "new": new} if one is entry else one for one in plan["files"]]}
    told["sha256"] = plans.digest(told)
    plans.verify(told)
    _refused(told, "patch_mismatch")


@pytest.mark.parametrize("what", ["content", "mode", "gone", "link", "folder", "appeared", "linked folder"])
def test_a_file_that_is_not_what_it_was_is_named(world: t.Any, what: str) -> None:
    plan = _edited(world)
    target, named = world.live / "config/inbox.yml", "config/inbox.yml"
    if what == "content":
        target.write_text("sender: norply@example.org\n")
    elif what == "mode":
        target.chmod(0o600 if target.stat().st_mode & 0o777 != 0o600 else 0o640)
    elif what == "appeared":
        named = "config/new file.yml"
        (world.live / named).write_text("")
    elif what == "linked folder":
        (world.live / "config").rename(world.root / "config")
        (world.live / "config").symlink_to(world.root / "config")
        with pytest.raises(CodexOpsError) as caught:
            recomputed(plan)
        assert caught.value.code == "symlink"
        return
    else:
        target.rename(world.root / "moved")
        if what == "link":
            target.symlink_to(world.root / "moved")
        elif what == "folder":
            target.mkdir()
    assert named in str(_refused(plan, "base_changed"))
