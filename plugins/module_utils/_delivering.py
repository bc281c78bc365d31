# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Delivery: tickets, branches and alerts for what needs a person. It never fails what it tells of. PRIVATE.

The kill switch does not stop it: to tell a person is no work of an agent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import typing as t

from ._errors import CodexOpsError
from ._options import Options
from ._places import Places

if t.TYPE_CHECKING:
    from ._delivery.settings import Alert, Settings
    from ._run import Run

#: Seconds for which alerts are begun behind the work on a job, and by who came for nothing else.
BEHIND_WORK, BY_ITSELF = 30.0, 120.0
#: Seconds for which another process that writes tickets is waited for.
_PATIENCE = 10.0


def deliver(
    options: Options,
    named: t.Sequence[str] = (),
    *,
    sending: bool = True,
    seconds: float = BY_ITSELF,
    clock: t.Callable[[], float] = time.time,
) -> dict[str, t.Any]:
    """Bring the tickets of a host up to date, and send the alerts that wait.

    :arg named: Jobs that are to be looked at, whatever was looked at before.
    :arg seconds: After that, no further alert is begun.
    :arg clock: Seconds since the epoch.
    :returns: ``outcome``, ``msg``, ``changed``, ``failed``, ``tickets`` (those that changed), ``alerts`` (``sent``, ``held_back``, ``waiting``),
        ``warnings``, ``run_id``, ``audit``.
    :raises CodexOpsError: one of the inbox's own, ``newer_state``, or when nothing could be recorded.
    """
    from ._dropping import as_ops, wanted  # pylint: disable=import-outside-toplevel

    if wanted(options.prefix):
        return as_ops(options.prefix, options.ansible, lambda: deliver(options, named, sending=sending, seconds=seconds))
    return _Delivery(options, clock).all(named, sending, seconds)


def told(options: Options, result: dict[str, t.Any], job_id: str | None) -> dict[str, t.Any]:
    """*result* of the work on a job, with ``ticket``, ``branch`` and warnings. Whatever goes wrong here is one of them."""
    found: dict[str, t.Any] = {"ticket": None, "branch": None}
    warnings: list[str] = []
    try:
        done = deliver(options, [job_id] if job_id else (), seconds=BEHIND_WORK)
        warnings = done["warnings"]
        places = Places(options.prefix)
        from ._ticketing import of_job, path_of  # pylint: disable=import-outside-toplevel

        mine = of_job(places, job_id) if job_id else None
        if mine is not None:
            found = {"ticket": path_of(places, mine["id"]), "branch": mine["branch"]}
            result = {**result, "msg": f"{result.get('msg', '')} Its ticket is {found['ticket']}.".lstrip()}
    except Exception as error:  # pylint: disable=broad-except
        warnings = [_unable(error)]
    both = [*result.get("warnings", ()), *warnings]
    return {**result, **found, **({"warnings": both} if both else {})}


def followed(options: Options, result: dict[str, t.Any]) -> dict[str, t.Any]:
    """*result* of a change in the inbox, with a warning where its tickets could not follow. No alert is sent."""
    try:
        warnings = deliver(options, sending=False)["warnings"]
    except Exception as error:  # pylint: disable=broad-except
        warnings = [_unable(error)]
    return {**result, "warnings": [*result.get("warnings", ()), *warnings]} if warnings else result


def _unable(error: BaseException) -> str:
    return f"Not all could be delivered that a person should know of. The next delivery tries again. {_said(error)}"


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, CodexOpsError) else f"{getattr(error, 'filename', None) or type(error).__name__}: {error}"


class _Delivery:
    """One delivery."""

    def __init__(self, options: Options, clock: t.Callable[[], float]) -> None:
        # A key of the provider that cannot be read is what people may have to be told of.
        self._options = dataclasses.replace(options, cassette=None, cassette_mode="replay", api_key=None, api_key_file=None)
        self._places = Places(options.prefix)
        self._clock = clock
        self._complete = True
        self._result: dict[str, t.Any] = {
            "outcome": "unchanged",
            "msg": "There is nothing to deliver.",
            "changed": False,
            "failed": False,
            "tickets": [],
            "alerts": {"sent": 0, "held_back": 0, "waiting": 0},
            "warnings": [],
            "run_id": None,
            "audit": None,
        }
        self._said: list[str] = []

    def all(self, named: t.Sequence[str], sending: bool, seconds: float) -> dict[str, t.Any]:
        """The result."""
        if self._options.check or not os.path.lexists(self._places.inbox):
            return self._result
        from ._delivery import files  # pylint: disable=import-outside-toplevel

        settings = self._settings()
        self._places.prepare()
        for folder in (self._places.tickets, self._places.outbox):
            files.make(folder)
        self._tickets(settings, named)
        if settings.alert is not None and sending:
            self._alerts(settings.alert, seconds)
        if self._said:
            self._result["msg"] = " ".join(self._said)
        return self._result

    def _settings(self) -> Settings:
        from ._delivery.settings import Settings, load  # pylint: disable=import-outside-toplevel

        try:
            return load(self._places.delivery, self._places.owners, self._places.alert_key)
        except CodexOpsError as error:
            self._complete = False
            self._result.update(code=error.code, details=error.details)
            self._result["warnings"].append(f"Nobody is alerted: {error}")
            return Settings()

    def _recorded(self, facts: dict[str, t.Any], work: t.Callable[[Run], dict[str, t.Any]]) -> None:
        """Do *work*, with its records in the trail."""
        from ._run import Run  # pylint: disable=import-outside-toplevel

        run = Run(self._options, "delivery")
        run.facts["input"] = facts
        if len(facts.get("jobs", ())) == 1:
            run.facts["job_id"] = facts["jobs"][0]

        def explained() -> dict[str, t.Any]:
            try:
                return work(run)
            except OSError as error:
                raise self._places.explain(error, str(error.filename or self._places.outbox)) from None

        done = run.recorded(explained)
        self._result["warnings"] += done.get("warnings", ())
        self._result.update({name: done[name] for name in ("run_id", "audit")})
        self._result["changed"] = self._result["changed"] or bool(done["changed"])
        if done["failed"]:
            self._result["warnings"].append(_unable(CodexOpsError(done["msg"], code="delivery_failed")))
        else:
            self._result["outcome"] = "completed" if self._result["changed"] else self._result["outcome"]
            self._said.append(done["msg"])

    # --- tickets ------------------------------------------------------------------------------------------------------

    def _tickets(self, settings: Settings, named: t.Sequence[str]) -> None:
        from ._delivery import files, outbox  # pylint: disable=import-outside-toplevel
        from ._jobs import inbox_of  # pylint: disable=import-outside-toplevel
        from ._ticketing import Pass, path_of, sweep  # pylint: disable=import-outside-toplevel

        with files.locked(outbox.lock(self._places.outbox), _PATIENCE) as mine, contextlib.closing(inbox_of(self._places)) as inbox:
            if not mine:
                self._result["warnings"].append("Another process writes tickets for a long time. The next delivery does what is left.")
                return
            this = Pass(self._places, inbox, settings, clock=self._clock, complete=self._complete)
            steps = this.due(named)
            self._result["warnings"] += this.warnings
            if not steps:
                this.over()
                return

            def work(run: Run) -> dict[str, t.Any]:
                sweep(self._places)
                clean = self._cleaner(settings.alert)
                for step in steps:
                    try:
                        written = this.do(step, clean, run.warnings.append)
                    except Exception as error:  # pylint: disable=broad-except
                        # One that cannot be written does not stand in the way of the others.
                        this.failed(step)
                        wrong = self._places.explain(error, str(error.filename or self._places.tickets)) if isinstance(error, OSError) else error
                        about = step.job.id if step.job is not None else step.key
                        run.warnings.append(f"The ticket of {about} could not be written. The next delivery tries again. {_said(wrong)}")
                        continue
                    if written is None:
                        continue
                    run.changed = True
                    shown = {**{name: written[name] for name in ("id", "job", "state", "status", "severity")}, "path": path_of(self._places, written["id"])}
                    run.facts["input"].setdefault("tickets", []).append(shown)
                    self._result["tickets"].append(shown)
                this.over()
                this.forget(run._retention())
                count = len(self._result["tickets"])
                return {"outcome": "completed", "changed": run.changed, "msg": f"{count} ticket{'s' if count != 1 else ''} written."}

            self._recorded({"jobs": [step.job.id for step in steps if step.job is not None][:100]}, work)

    def _cleaner(self, alert: Alert | None) -> t.Callable[[t.Any], t.Any]:
        from ._secrets import known_secrets, redaction_key  # pylint: disable=import-outside-toplevel
        from ._shown import readable  # pylint: disable=import-outside-toplevel
        from ._trail.redaction import Redactor  # pylint: disable=import-outside-toplevel

        known = known_secrets(self._places)
        if alert is not None:
            from ._delivery import signing  # pylint: disable=import-outside-toplevel

            # It may lie elsewhere. One that cannot be read is said when something is sent.
            with contextlib.suppress(CodexOpsError):
                known += signing.read(alert.key_file, self._places.owners).forms()
        redactor = Redactor(known, key=redaction_key(self._places))
        return lambda value: readable(redactor.data(value))

    # --- alerts -------------------------------------------------------------------------------------------------------

    def _alerts(self, alert: Alert, seconds: float) -> None:
        from ._delivery import sending  # pylint: disable=import-outside-toplevel

        folder, now = self._places.outbox, self._clock()
        seen = sending.view(folder, alert)
        if seen.due(now):

            def work(run: Run) -> dict[str, t.Any]:
                done = sending.send(folder, os.uname().nodename, alert, self._hook(alert), seconds=seconds, clock=self._clock)
                run.facts["input"].update(messages=list(done.messages), held_back=done.held)
                run.warnings += done.warnings
                if done.problem is not None:
                    run.warnings.append(_unable(self._places.explain(done.problem, str(done.problem.filename or folder))))
                self._result["alerts"].update(sent=len(done.messages), held_back=done.held)
                run.changed = bool(done.messages)
                count = len(done.messages)
                said = f"{count} alert{'s' if count != 1 else ''} sent by {alert.where}."
                said += f" {done.held} held back: a summary tells of them." if done.held else ""
                said += f" The hook failed: {done.failure}." if done.failure else ""
                return {"outcome": "completed", "changed": run.changed, "msg": said}

            self._recorded({"alerts_by": alert.where, "waiting": len(seen.messages)}, work)
            seen, now = sending.view(folder, alert), self._clock()
        self._result["alerts"]["waiting"] = len(seen.messages)
        failed = [name for name in seen.messages if name in seen.state.tries]
        if failed:
            why = max((seen.state.tries[name] for name in failed), key=lambda tries: float(tries["at"]))["why"]
            again = max(seen.state.not_before, min(map(seen.until, failed)), now)
            wait = f"{len(failed)} alert{'s' if len(failed) != 1 else ''}"
            from ._delivery.outbox import stamp  # pylint: disable=import-outside-toplevel

            self._result["warnings"].append(f"{wait} could not be sent: {why}. It is tried again after {stamp(again)[:19]} UTC.")

    def _hook(self, alert: Alert) -> t.Callable[[str, bytes], str | None]:
        """What sends one message."""
        from ._agent.process import run_limited  # pylint: disable=import-outside-toplevel
        from ._delivery import hook, signing  # pylint: disable=import-outside-toplevel

        def call(message: str, body: bytes) -> str | None:
            try:
                key = signing.read(alert.key_file, self._places.owners)
            except CodexOpsError as error:
                return hook.Unreached(str(error).rstrip("."))
            wrong = _foreign(self._places, alert)
            if wrong:
                return hook.Unreached(wrong)
            if alert.webhook is not None:
                return hook.by_webhook(alert, key, message, body, self._clock())
            return hook.by_command(alert, key, message, body, self._clock(), run_limited)

        return call


def _foreign(places: Places, alert: Alert) -> str | None:
    """Why the hook is not called: on a host, its program, the files that it is given and its authorities are root's alone, with every folder above."""
    if places.own:
        return None
    from ._identities import foreign_part  # pylint: disable=import-outside-toplevel

    paths = [*alert.command[:1], *(word for word in alert.command[1:] if word.startswith("/") and os.path.isfile(word))]
    for path in [*paths, *([alert.ca_file] if alert.ca_file else [])]:
        try:
            part = foreign_part(path)
        except OSError as error:
            return f"{path} cannot be {'run' if path in paths[:1] else 'read'}: {error.strerror}"
        if part is not None:
            return f"somebody besides root could change {part}, so {path} is not {'run' if path in paths[:1] else 'used'}"
    return None


def hook_problem(places: Places, alert: Alert) -> str | None:
    """What keeps the hook from being called, as far as that can be seen without a call.

    :raises CodexOpsError: ``alert_key_invalid``.
    """
    from ._delivery import signing  # pylint: disable=import-outside-toplevel

    signing.read(alert.key_file, places.owners)
    wrong = _foreign(places, alert)
    if wrong is None and alert.webhook is None and not os.access(alert.command[0], os.X_OK):
        return f"{alert.command[0]} cannot be run"
    if wrong is None and alert.ca_file and not os.access(alert.ca_file, os.R_OK):
        return f"the file of authorities {alert.ca_file} cannot be read"
    return wrong


# --- looking, and closing -------------------------------------------------------------------------------------------------


def tickets(prefix: str, *, resolved: bool = False, name: str | None = None) -> dict[str, t.Any]:
    """The tickets of a host, newest first: ``tickets``, and ``counts`` of those that are open and resolved.

    :arg resolved: Those that are resolved, too.
    :arg name: Only this one, by its own ID or its job's.
    """
    from ._dropping import as_ops, wanted  # pylint: disable=import-outside-toplevel

    if wanted(prefix):
        return as_ops(prefix, False, lambda: tickets(prefix, resolved=resolved, name=name))
    from ._ticketing import listed  # pylint: disable=import-outside-toplevel

    places = Places(prefix)
    try:
        known = listed(places)
    except OSError as error:
        raise places.explain(error, places.tickets) from None
    counts = {state: sum(1 for one in known if one.get("state") == state) for state in ("open", "resolved")}
    if name is not None:
        return {"tickets": [one for one in known if name in (one["id"], one.get("job"))][:1], "counts": counts}
    return {"tickets": [one for one in known if resolved or one.get("state") == "open"], "counts": counts}


def close(options: Options, name: str, why: str) -> dict[str, t.Any]:
    """Resolve a ticket, since a person says so.

    :raises CodexOpsError: ``ticket_not_found``, one of the inbox's own, or when nothing could be recorded.
    """
    from ._dropping import as_ops, wanted  # pylint: disable=import-outside-toplevel

    if wanted(options.prefix):
        return as_ops(options.prefix, options.ansible, lambda: close(options, name, why))
    from ._delivery import files, outbox  # pylint: disable=import-outside-toplevel
    from ._delivery.settings import Settings  # pylint: disable=import-outside-toplevel
    from ._jobs import inbox_of  # pylint: disable=import-outside-toplevel
    from ._record import names  # pylint: disable=import-outside-toplevel
    from ._run import Run  # pylint: disable=import-outside-toplevel
    from ._ticketing import Pass  # pylint: disable=import-outside-toplevel

    run = Run(dataclasses.replace(options, cassette_mode="replay"), "delivery")
    run.facts["input"] = {"ticket": name, "state": "resolved", "reason": why}

    def work() -> dict[str, t.Any]:
        for folder in (run.places.tickets, run.places.outbox):
            files.make(folder)
        with files.locked(outbox.lock(run.places.outbox), _PATIENCE) as mine, contextlib.closing(inbox_of(run.places)) as inbox:
            if not mine:
                raise CodexOpsError("Another process writes tickets.", code="inbox_busy", outcome="busy", hint="Try again.")
            from ._shown import readable  # pylint: disable=import-outside-toplevel

            said = readable(run.redactor.text(why)) or "A person said so."
            written = Pass(run.places, inbox, Settings(), clock=run.now).close(name, ", ".join(names()), said)
        run.changed = written is not None
        word = "is resolved" if written is not None else "was resolved already"
        return {"outcome": "completed" if written else "unchanged", "changed": run.changed, "msg": f"The ticket {name} {word}."}

    return run.recorded(work)
