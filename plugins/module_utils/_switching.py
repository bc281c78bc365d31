# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kill_switch: stop all work, or let it go on. PRIVATE.

Engaging comes first and its record after it: nothing, a full disk or a broken log, keeps anybody from stopping the agents.
Releasing is recorded before it is done.
"""

from __future__ import annotations

import datetime
import os
import typing as t

from ._errors import CodexOpsError
from ._gates import kill_switch
from ._gates.kill_switch import Switch
from ._options import Options
from ._places import Places


class _Switching:
    """One change of the kill switch and its records."""

    def __init__(self, options: Options, state: str, reason: str, only_reason: str | None = None) -> None:
        from . import _record  # pylint: disable=import-outside-toplevel
        from ._secrets import known_secrets  # pylint: disable=import-outside-toplevel
        from ._trail.redaction import Redactor  # pylint: disable=import-outside-toplevel

        now = datetime.datetime.now(datetime.timezone.utc)
        self.options = options
        self.places = Places(options.prefix)
        self.state = state
        self.only_reason = only_reason
        self._known = known_secrets(self.places)
        self.reason = Redactor(self._known).text(reason)
        self.by = ", ".join(_record.names())
        self.since = now.isoformat(timespec="seconds")
        self.run_id = now.strftime("%Y%m%dT%H%M%SZ-") + os.urandom(4).hex()
        self.warnings: list[str] = []

    def record(self, phase: str, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """Append one record.

        :raises CodexOpsError: when the trail cannot be written.
        """
        from . import _record  # pylint: disable=import-outside-toplevel
        from ._secrets import redaction_key  # pylint: disable=import-outside-toplevel
        from ._trail import log  # pylint: disable=import-outside-toplevel
        from ._trail.redaction import Redactor  # pylint: disable=import-outside-toplevel
        from ._trail.sink import syslog  # pylint: disable=import-outside-toplevel

        self.places.prepare()
        facts = {"input": {"state": self.state, "reason": self.reason, "path": self.places.kill_switch}, "command": {}, "rollback": {"possible": False}}
        made = _record.make(phase, run_id=self.run_id, operation="kill_switch", check_mode=self.options.check, facts=facts, result=result, kept=[])
        redactor = Redactor(self._known, key=redaction_key(self.places))
        try:
            head = log.append(self.places.log, redactor.data(made), None if self.places.own else syslog)
            return {**head, "first": log.first(self.places.log)}
        except OSError as error:
            explained = self.places.explain(error, self.places.log)
            explained.code = "trail_unwritable"
            raise explained from None

    def change(self, before: Switch) -> bool:
        """Do what was asked for, or in check mode only say whether that would change anything."""
        path = self.places.kill_switch
        wanted = self.state == "engaged"
        changes = wanted != before.engaged or (wanted and kill_switch.gives_way(before, self.reason))
        if not wanted and self.only_reason is not None and before.reason != self.only_reason:
            return False
        if self.options.check or not changes:
            return changes
        if wanted:
            self._only_in_safe_places()
            # Under / the folder is everybody's to enter, since the switch binds all users of the host.
            return kill_switch.engage(path, self.reason, self.by, self.since, folder_mode=0o700 if self.places.own else 0o755)
        self.record("intent", {"msg": "kill_switch"})
        if self.only_reason is not None and kill_switch.state([path]).reason != self.only_reason:
            return False
        return kill_switch.release(path)

    def _only_in_safe_places(self) -> None:
        if not self.places.own:
            return
        try:
            self.places.prepare()
        except CodexOpsError as error:
            # In somebody else's folder nothing is made. Whatever else is wrong with it does not matter now.
            if error.code == "prefix_unsafe":
                raise

    def after(self, before: Switch, changed: bool) -> Switch:
        """The state now, or in check mode what it would be."""
        if not self.options.check or not changed:
            return kill_switch.state(self.places.kill_switches)
        if self.state == "engaged":
            return Switch(True, self.places.kill_switch, self.reason, self.by, self.since)
        return kill_switch.state([path for path in self.places.kill_switches if path != before.path])


def _message(one: _Switching, changed: bool, now: Switch) -> str:
    would = "would be" if one.options.check else "is"
    if one.state == "engaged":
        return f"The kill switch {would} engaged: all work stops." if changed else now.sentence()
    own = f"The kill switch {one.places.kill_switch}"
    if now.engaged and now.path != one.places.kill_switch:
        return f"{own} {would} released, but work stays stopped. {now.sentence()}"
    if now.engaged:
        # Released is only what has a certain reason.
        return now.sentence()
    return f"{own} {would} released: work may go on." if changed else "The kill switch is released."


def _line(found: Switch) -> str:
    return found.sentence() if found.engaged else "The kill switch is released."


def switch(options: Options, *, state: str, reason: str = "", only_reason: str | None = None) -> dict[str, t.Any]:
    """Engage or release the kill switch of the prefix.

    :arg state: ``engaged`` or ``released``.
    :arg reason: Why, for people. An engaged switch keeps its first reason, unless that is the failed self-test of the role guardrails.
    :arg only_reason: Release only a switch that has this reason.
    :returns: ``changed``, ``outcome`` (``completed``), ``engaged`` and ``path``, ``reason``, ``by``, ``since`` of what stops work now
        (a host's own switch stops work under every prefix), ``msg``, ``audit``, ``patch`` and, where there are any, ``warnings``.
    :raises CodexOpsError: it could not be switched, or its release could not be recorded; it is as it was.
    """
    from ._shown import readable  # pylint: disable=import-outside-toplevel

    one = _Switching(options, state, reason, only_reason)
    before = kill_switch.state([one.places.kill_switch])
    changed = one.change(before)
    now = one.after(before, changed)
    result: dict[str, t.Any] = {"outcome": "completed", "changed": changed, "msg": _message(one, changed, now)}
    try:
        audit = one.record("outcome", result)
    except CodexOpsError as error:
        audit = None
        one.warnings.append(f"This could not be recorded: {error}")
    mine = now if now.path == one.places.kill_switch else Switch(False)
    result.update(engaged=now.engaged, path=now.path, reason=now.reason, by=now.by, since=now.since)
    result["patch"] = f"-{_line(before)}\n+{_line(mine)}\n" if changed else ""
    shown: dict[str, t.Any] = readable(result)
    shown["audit"] = audit
    if one.warnings:
        shown["warnings"] = [str(readable(text)) for text in one.warnings]
    return shown
