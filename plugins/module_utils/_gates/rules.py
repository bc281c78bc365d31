# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What binds one run: all the policies that count for it, the strictest of them in each question. PRIVATE."""

from __future__ import annotations

import functools
import time
import typing as t

from .._canonical import digest
from .._errors import CodexOpsError
from . import defaults
from .policy import Action, Limits, Policy

if t.TYPE_CHECKING:
    from .._contract.slice import Slice
    from .autonomy import Decision, Files


class Rules:
    """*policies*, the run's own first.

    :arg closed: Why one that counts cannot be used: then every gate is closed, and reading goes on under built-in limits.
    """

    def __init__(self, policies: t.Sequence[Policy], closed: CodexOpsError | None) -> None:
        self.policies = tuple(policies)
        self.closed = closed

    @property
    def sha256(self) -> str | None:
        """What binds a plan to all of them; ``None`` while the gates are closed."""
        if self.closed is not None or not self.policies:
            return None
        return self.policies[0].sha256 if len(self.policies) == 1 else digest([policy.sha256 for policy in self.policies])

    @property
    def limits(self) -> Limits:
        """The smallest of each."""
        known = [policy.limits for policy in self.policies]
        known += [Limits()] if self.closed is not None or not known else []
        return Limits(min(one.tokens_per_day for one in known), min(one.runs_per_hour for one in known))

    @property
    def provider(self) -> dict[str, t.Any]:
        """``base_url``, where one says it (the host's before the run's own); ``api_key_file`` of the run's own; ``cassettes``."""
        found: dict[str, t.Any] = dict(self.policies[0].provider) if self.policies else {}
        for policy in self.policies[1:]:
            if "base_url" in policy.provider:
                found["base_url"] = policy.provider["base_url"]
        return {**found, "cassettes": self.cassettes}

    @property
    def cassettes(self) -> bool:
        """Whether what a cassette made may be applied on the host."""
        return self.closed is None and bool(self.policies) and all(policy.provider["cassettes"] is True for policy in self.policies)

    @property
    def people(self) -> dict[str, tuple[str, ...]]:
        """The names of each approver in any of them: the more are known, the fewer requests are somebody else's."""
        found: dict[str, tuple[str, ...]] = {}
        for policy in self.policies:
            for approver, names in policy.people.items():
                found[approver] = tuple(dict.fromkeys((*found.get(approver, ()), *names)))
        return found

    @property
    def max_age(self) -> int:
        """Seconds for which an approval counts at most."""
        return min((policy.max_age for policy in self.policies), default=defaults.MAX_AGE)

    @property
    def retention_days(self) -> int:
        """Days for which what was kept of a run stays at least."""
        return max((policy.retention_days for policy in self.policies), default=0)

    def action(self, name: str) -> Action | None:
        """The action *name*, if all know it as the same command; the strictest of what they say of it."""
        found = [policy.actions.get(name) for policy in self.policies]
        known = [action for action in found if action is not None]
        if self.closed is not None or not known or len(known) < len(found) or len({action.argv for action in known}) > 1:
            return None
        return Action(
            known[0].argv,
            min(action.per_hour for action in known),
            min(action.timeout for action in known),
            any(action.critical for action in known),
        )

    def decide(self, slice_: Slice, workspace: str, files: Files | None, actions: t.Sequence[str], now: float | None = None) -> Decision:
        """What all of them say together.

        :arg workspace: The real path of the live tree.
        :arg files: ``None`` before a model is asked.
        :arg actions: What the agent proposed, or before it was asked what the slice lists.
        :arg now: Seconds since the epoch; the present time where it is not given.
        """
        from .autonomy import Change, decide, forbid  # pylint: disable=import-outside-toplevel

        if self.closed is not None:
            return forbid(self.closed.code, f"{self.closed.where}: {self.closed.message}", self.closed.hint or "")
        change = Change(slice_, workspace, files, tuple(actions), time.time() if now is None else now)
        found = [decide(policy, change) for policy in self.policies]
        unusable = [name for name in actions if files is not None and self.action(name) is None]
        if unusable:
            found.append(forbid("action_unknown", f"The policies do not agree on the action {unusable[0]!r}.", "Let all of them name it with the same argv."))
        if not found:
            return forbid("policy_missing", "There is no policy.", "Write one; the guide on gates begins with an example.")
        return functools.reduce(lambda one, other: other if other.strictness > one.strictness else one, found)
