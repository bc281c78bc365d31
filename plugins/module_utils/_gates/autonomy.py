# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one policy says of one change: at once, after approval, or not at all. PRIVATE.

First what nothing opens, then what the category says, then what makes that stricter: each step only narrows.
"""

from __future__ import annotations

import dataclasses
import typing as t

from . import cleanup, defaults
from .forbidden import built_in

if t.TYPE_CHECKING:
    from .._contract.slice import Slice
    from .policy import Policy

#: (path in the workspace, ``create``, ``modify`` or ``delete``, size in bytes) of each file of a plan.
Files = t.Sequence[tuple[str, str, int]]
_STRICTNESS = {"automatic": 0, "approval": 1, "forbidden": 2}


@dataclasses.dataclass(frozen=True)
class Decision:
    """``autonomy`` is ``automatic``, ``approval`` (of so many ``approvals``) or ``forbidden``.

    ``code`` is a stable word for why, ``reason`` a sentence, ``opens`` a sentence about what would open the gate.
    """

    autonomy: str
    approvals: int
    code: str
    reason: str
    opens: str = ""

    @property
    def strictness(self) -> tuple[int, int]:
        """What two decisions are compared by."""
        return _STRICTNESS[self.autonomy], self.approvals


def forbid(code: str, reason: str, opens: str) -> Decision:
    """A closed gate."""
    return Decision("forbidden", 0, code, reason, opens)


@dataclasses.dataclass(frozen=True)
class Change:
    """What is asked about: ``workspace`` is its real path; ``files`` is ``None`` before anybody knows them.

    ``actions`` are those that the agent proposed, or before it was asked those that the slice lists.
    """

    slice_: Slice
    workspace: str
    files: Files | None
    actions: tuple[str, ...]
    now: float


def decide(policy: Policy, change: Change) -> Decision:
    """What *policy* says of *change*."""
    refusal = _never(change.slice_.category) or _path(policy, change) or _unknown(policy, change)
    if refusal is not None:
        return refusal
    said = _category(policy, change)
    for narrower in (_ad_hoc, _inside_limits, _validated, _with_actions, _with_rollback):
        if said.autonomy == "forbidden":
            break
        other = narrower(policy, change)
        said = other if other is not None and other.strictness > said.strictness else said
    return said


def _never(category: str) -> Decision | None:
    meaning = defaults.NEVER.get(category)
    if meaning is None:
        return None
    return forbid("never_unattended", f"{meaning} ({category}) is never left to an agent, whatever a policy says.", "A person has to do this by hand.")


def _path(policy: Policy, change: Change) -> Decision | None:
    # Before the files are known, the tree itself: one that lies inside a forbidden folder need not be looked at.
    paths = [change.workspace] if change.files is None else [f"{change.workspace}/{path}" for path, _operation, _size in change.files]
    for path in paths:
        pattern = built_in().meant_by(path)
        if pattern is not None:
            why = "its path is no plain one" if pattern == ".." else f"{pattern!r} is among the paths that carry power over the host"
            return forbid("path_forbidden", f"No slice may touch {path!r}: {why}.", "No policy opens this; a person has to do it by hand.")
        pattern = policy.forbidden.meant_by(path)
        if pattern is not None:
            return forbid(
                "path_forbidden",
                f"No slice may touch {path!r}: the policy's forbidden_paths name {pattern!r}.",
                f"Leave the file out of the slice, or take the pattern out of {policy.path}.",
            )
    return None


def _unknown(policy: Policy, change: Change) -> Decision | None:
    """An action that the policy does not know cannot be run; before the plan, it is only not offered."""
    missing = [name for name in change.actions if name not in policy.actions]
    if change.files is None or not missing:
        return None
    return forbid(
        "action_unknown",
        f"The policy knows no action {missing[0]!r}.",
        f"Name it with its argv under 'actions' in {policy.path}, or plan again without it.",
    )


def _category(policy: Policy, change: Change) -> Decision:
    name = change.slice_.category
    autonomy, approvals = policy.categories.get(name, (None, 0))
    if autonomy is None:
        return forbid("category_unknown", f"The policy knows no category {name!r}.", f"Name it under 'categories' in {policy.path}.")
    if autonomy == "forbidden":
        return forbid("category_forbidden", f"The policy forbids the category {name!r}.", f"Change categories.{name} in {policy.path}.")
    if autonomy == "automatic":
        return Decision("automatic", 0, "automatic", f"The policy lets slices of the category {name!r} be applied without asking.")
    return _approvals(max(1, approvals), "category_approval", f"A change of the category {name!r} needs a person's approval.")


def _approvals(number: int, code: str, reason: str) -> Decision:
    opens = "One person has to approve the plan." if number == 1 else f"{number} people have to approve the plan."
    return Decision("approval", number, code, reason, opens)


def _ad_hoc(policy: Policy, change: Change) -> Decision | None:
    slice_ = change.slice_
    pin = policy.slices.get(slice_.name)
    if pin is None:
        why = f"The policy does not list the slice {slice_.name!r}"
    elif pin.sha256 != slice_.sha256:
        why = f"The slice {slice_.name!r} is not the one that the policy lists (its digest is {slice_.sha256})"
    elif pin.workspace != change.workspace:
        why = f"The policy lists the slice {slice_.name!r} for {pin.workspace}, and it works on {change.workspace}"
    else:
        return None
    if policy.ad_hoc == "forbidden":
        return forbid("ad_hoc_forbidden", f"{why}, and forbids all others.", f"List it under 'slices' in {policy.path} with its sha256 and workspace.")
    return _approvals(1, "slice_not_pinned", f"{why}.") if policy.ad_hoc == "approval" else None


def _inside_limits(policy: Policy, change: Change) -> Decision | None:
    if change.slice_.category != "cache_cleanup":
        return None
    if change.files is None:
        if cleanup.possible(policy.cleanup, change.workspace):
            return None
        why: str | None = f"nothing in {change.workspace} is in one of the folders listed under 'cleanup'"
    else:
        why = cleanup.outside(policy.cleanup, change.workspace, change.files, change.now)
    if why is None:
        return None
    return _approvals(1, "cleanup_outside", f"A cleanup is automatic only inside the limits of {policy.path}, and {why}.")


def _validated(_policy: Policy, change: Change) -> Decision | None:
    slice_ = change.slice_
    if slice_.category not in defaults.VALIDATED or any(check.kind == "must_hold" for check in slice_.checks):
        return None
    return _approvals(1, "validation_missing", f"The category {slice_.category!r} is automatic only for a slice with a must_hold validation.")


def _with_actions(policy: Policy, change: Change) -> Decision | None:
    # Before the plan nobody knows which of them will be proposed.
    if change.files is None or not change.actions:
        return None
    critical = [name for name in change.actions if policy.actions[name].critical]
    if critical:
        return _approvals(1, "action_critical", f"The policy does not say of the action {critical[0]!r} that it is not critical.")
    category = change.slice_.category
    if category in defaults.REPORTS:
        return _approvals(1, "action_in_report", f"The category {category!r} only looks and reports, and {change.actions[0]!r} is an action.")
    return None


def _with_rollback(_policy: Policy, change: Change) -> Decision | None:
    slice_ = change.slice_
    if slice_.category not in defaults.WITH_ROLLBACK or "rollback" in slice_.document:
        return None
    return forbid(
        "rollback_missing", f"The category {slice_.category!r} needs a snapshot and a way back.", "Let the slice say 'rollback: {strategy: snapshot}'."
    )
