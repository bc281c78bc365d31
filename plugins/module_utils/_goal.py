# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the goal of a slice holds already. Most runs end here, so this imports as little as it can. PRIVATE."""

from __future__ import annotations

import os
import typing as t

from ._contract.slice import Slice
from ._run import Run

if t.TYPE_CHECKING:
    from ._contract.model import Violation


def left(run: Run, slice_: Slice, root: str, paths: t.Iterable[str]) -> list[Violation]:
    """The incorrect values that are left in *paths* of *root*."""
    if not slice_.incorrect:
        return []
    from ._contract.values import check_incorrect  # pylint: disable=import-outside-toplevel
    from ._workspace.contents import contents  # pylint: disable=import-outside-toplevel

    found: list[Violation] = []
    for path, content in contents(root, paths):
        found.extend(check_incorrect(slice_, path, content))
    return found


def confined(slice_: Slice, copy: str, codex_path: str) -> t.Callable[[t.Sequence[str]], list[str]]:
    """Makes the command line that runs a validation with *copy* at the workspace's place."""
    from ._agent.sandbox import confine  # pylint: disable=import-outside-toplevel

    return lambda argv: confine(argv, copy=copy, live=slice_.workspace, codex_path=codex_path)


def goal_holds(run: Run, slice_: Slice, base: t.Any) -> list[dict[str, t.Any]] | None:
    """The validations that passed when the goal holds already, else ``None``."""
    if base.refused or not slice_.has_goal or (slice_.incorrect and not base.files):
        return None
    if slice_.incorrect and base.skipped:
        names = ", ".join(sorted(base.skipped)[:5])
        run.warnings.append(f"{len(base.skipped)} symbolic links in scope are neither followed nor looked into: {names}.")
    for item in slice_.incorrect:
        if item.where is not None and not any(item.where.match(path) for path in base.files):
            run.warnings.append(f"The incorrect value {item.value!r} is looked for in no file: nothing in scope matches its 'in'.")
    if left(run, slice_, slice_.workspace, base.files):
        return None
    if not slice_.checks:
        return []
    from . import _agent_step, _validation  # pylint: disable=import-outside-toplevel

    codex_path, _version = _agent_step.find(run)
    from ._workspace import tree  # pylint: disable=import-outside-toplevel

    copy = os.path.join(run.folder, "goal")
    tree.copy(slice_.workspace, slice_.scope, copy)
    try:
        results = _validation.run_checks(
            slice_.checks,
            stage="goal",
            folder=copy,
            confine=confined(slice_, copy, codex_path),
            cancelled=run.cancelled,
            stop_early=True,
        )
    finally:
        tree.remove_tree(copy)
    # What was cut short says nothing of the goal.
    run.go_on()
    return None if _validation.failures(results) else results
