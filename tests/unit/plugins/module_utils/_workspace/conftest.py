# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A live workspace, an agent's copy of it, and a person's eye on both."""

from __future__ import annotations

import os
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.globs import Scope
from ansible_collections.day2.codex.plugins.module_utils._workspace import apply as applying
from ansible_collections.day2.codex.plugins.module_utils._workspace import change, patch, plan, tree

BASE = {
    "config/inbox.yml": "sender: norply@example.com\n",
    "config/api.yml": "url: api.example.com\n",
    "templates/mail/hello.txt": "Hello\n",
    "templates/mail/bye.txt": "Bye\n",
    "other/keep": "untouched\n",
}


def everything(root: str | Path) -> dict[str, tuple[t.Any, ...]]:
    """Each path below *root* with kind, mode and content, seen by plain system calls and not by the code under test."""
    found: dict[str, tuple[t.Any, ...]] = {}
    for above, folders, files in os.walk(os.fsencode(root)):
        for name in folders + files:
            path = os.path.join(above, name)
            state = os.lstat(path)
            key = os.fsdecode(os.path.relpath(path, os.fsencode(root)))
            if stat.S_ISLNK(state.st_mode):
                found[key] = ("link", os.readlink(path))
            elif stat.S_ISREG(state.st_mode):
                with open(path, "rb") as file:
                    found[key] = ("file", stat.S_IMODE(state.st_mode), file.read(), state.st_uid, state.st_gid)
            else:
                found[key] = (stat.S_IFMT(state.st_mode), stat.S_IMODE(state.st_mode))
    return found


class World:
    """One run: ``live`` is the workspace, ``copy`` what the agent works in."""

    def __init__(self, root: Path, files: t.Mapping[str, str] | None = None, scope: Scope | None = None) -> None:
        self.root = root
        self.live = root / "live"
        self.copy = root / "copy"
        self.backups = str(root / "backups")
        self.runs = str(root / "runs")
        self.scope = scope or Scope(["**"], ["**/.env"])
        self.live.mkdir(parents=True)
        for path, content in (BASE if files is None else files).items():
            self.write(self.live, path, content)
        self.base: tree.Snapshot | None = None

    @staticmethod
    def write(root: Path, path: str, content: str | bytes) -> Path:
        """A file with its folders."""
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    def take(self) -> tree.Snapshot:
        """Make the copy."""
        self.base = tree.copy(str(self.live), self.scope, str(self.copy))
        return self.base

    def edit(self, edits: t.Mapping[str, str | bytes | None]) -> None:
        """What the agent does."""
        if self.base is None:
            self.take()
        for path, content in edits.items():
            if content is None:
                (self.copy / path).unlink()
            else:
                self.write(self.copy, path, content)

    def changes(self) -> list[t.Any]:
        """What the byte walk finds."""
        assert self.base is not None
        return change.changes(self.base, str(self.live), str(self.copy))

    def plan(self, plan_id: str = "p1") -> dict[str, t.Any]:
        """The plan for what the agent did."""
        found = self.changes()
        assert self.base is not None
        return plan.build(
            plan_id=plan_id,
            workspace=str(self.live),
            host_id="host",
            base=self.base,
            changes=found,
            patch=patch.render(found),
            slice_document={"name": "s"},
            slice_sha256="0" * 64,
            report={"status": "changed"},
            usage={"requests": 1},
            validation=[],
            replayed=True,
            created="2026-01-01T00:00:00Z",
        )

    def apply(self, written: dict[str, t.Any], run_id: str = "r1", before_each: t.Callable[[], None] = lambda: None) -> applying.Applied:
        """Apply without committing."""
        return applying.apply(written, backup_dir=self.backups, run_id=run_id, before_each=before_each)

    def seen(self) -> dict[str, tuple[t.Any, ...]]:
        """Everything in the live workspace."""
        return everything(self.live)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A small realistic workspace."""
    return World(tmp_path)


@pytest.fixture
def make_world(tmp_path: Path) -> t.Callable[..., World]:
    """For tests that need their own tree, or many."""
    count = iter(range(100000))
    return lambda *args, **kwargs: World(tmp_path / f"w{next(count)}", *args, **kwargs)


@pytest.fixture
def look() -> t.Callable[[str | Path], dict[str, tuple[t.Any, ...]]]:
    """:func:`everything`, for trees that are no world."""
    return everything
