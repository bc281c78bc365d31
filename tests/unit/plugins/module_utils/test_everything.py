# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An engine that drops its rights reads all of itself before."""

from __future__ import annotations

import ast
import pathlib

ENGINE = pathlib.Path(__file__).resolve().parents[4] / "plugins/module_utils"
#: What codex-ops does not need of a module that Ansible ships: the host's own command, its installation, and root's helpers.
NOT_NEEDED = {"_cli", "_engine", "_helpers", "_signals", "_dropping", "_everything", "_installing", "_collecting", "_switching"}


def test_everything_that_an_operation_may_read_later_is_read_before_rights_are_dropped() -> None:
    """A new file of the engine has to stand in _everything.py: Ansible's folder is closed to codex-ops."""
    named = set()
    for node in ast.walk(ast.parse((ENGINE / "_everything.py").read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            named |= {f"{node.module}.{alias.name}" if node.module else alias.name for alias in node.names}
    there = set()
    for path in ENGINE.rglob("*.py"):
        parts = path.relative_to(ENGINE).with_suffix("").parts
        if parts[0] not in NOT_NEEDED and parts[-1] != "__init__":
            there.add(".".join(parts))
    assert there - named == set()
    assert named - there - NOT_NEEDED == set()
