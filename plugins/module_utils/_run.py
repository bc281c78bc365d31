# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of the engine: its ID, its folder, what it may say, and its two records in the trail. PRIVATE."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import time
import traceback
import typing as t

from ._errors import CodexOpsError
from ._options import Options
from ._outcomes import FAILED, NO_USAGE
from ._own_words import RECORD, RESULT, restored
from ._places import Places
from ._retention import prune
from ._runs import RunFolder, sweep, write_private
from ._secrets import read_key, redaction_key, secrets_and_warnings
from ._shown import planned_patch, readable
from ._trail.redaction import Redactor

#: What is kept in a run's folder.
_KEPT = ("patch.diff", "report.json", "transcript.jsonl")
#: Where a model is asked when neither the task nor the policy names a provider.
DEFAULT_BASE_URL = "https://api.openai.com/v1"


def _new_id() -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.strftime("%Y%m%dT%H%M%SZ-") + os.urandom(4).hex()


class Run:
    """The context of one operation. Stages know nothing of it; :mod:`_operation` hands them what they need."""

    def __init__(self, options: Options, kind: str) -> None:
        self.options = options
        self.kind = kind
        self.id = _new_id()
        self.places = Places(options.prefix)
        self.started = time.monotonic()
        self._rules: t.Any = None
        self.key = options.api_key
        self.hosts_key = False
        if self.key is None and options.cassette_mode != "replay":
            key_file = options.api_key_file or self.rules.provider.get("api_key_file")
            if key_file is None and os.path.exists(self.places.provider_key):
                key_file = self.places.provider_key
            self.key = read_key(key_file) if key_file else None
            #: The key is the host's own, which goes nowhere but where the host's policy says.
            if key_file is not None and not self.places.own:
                self.hosts_key = key_file != options.api_key_file or os.path.realpath(key_file).startswith(self.places.etc + os.sep)
        #: As whom the agent runs, beside the engine.
        self.isolation = "codex_agent" if self.places.ops is not None else "throw_away_user" if os.geteuid() == 0 else "same_user"
        secrets, unmasked = secrets_and_warnings(self.places)
        self._known = [*([self.key] if self.key else []), *secrets]
        self.redactor = Redactor(self._known)
        self.facts: dict[str, t.Any] = {"input": {}, "command": {}, "rollback": {"possible": False}, "approval": None}
        self.warnings: list[str] = unmasked
        #: What is known of the result so far: an error later on does not lose the agent's part of it.
        self.partial: dict[str, t.Any] = {}
        #: Text from outside that goes with the task, such as a job's signal.
        self.inputs: t.Any = None
        #: Whether the host changed by now, whatever happens later.
        self.changed = False
        self._folder = RunFolder(self.places, self.id)
        self._watched = contextlib.ExitStack()
        self._lost: t.Callable[[], str | None] | None = None

    @property
    def folder(self) -> str:
        """The run's own folder, made at the first use."""
        return self._folder.open()

    @property
    def rules(self) -> t.Any:
        """What the policies say that bind this run, read once, and again before anything is applied."""
        if self._rules is None:
            from ._gates.policy import standing  # pylint: disable=import-outside-toplevel

            self._rules = standing(self.places.policies)
        return self._rules

    def read_rules(self) -> t.Any:
        """What the policies say now."""
        self._rules = None
        return self.rules

    @property
    def base_url(self) -> str:
        """Where the model's provider is."""
        return self.options.base_url or self.rules.provider.get("base_url") or DEFAULT_BASE_URL

    def helpers(self) -> t.Any:
        """Who runs the agent on a provisioned host; ``None`` elsewhere.

        :raises CodexOpsError: ``agent_missing``, outcome ``sandbox_unavailable``.
        """
        if self.places.ops is None:
            return None
        from ._agent.request import Helpers  # pylint: disable=import-outside-toplevel
        from ._identities import AGENT, account  # pylint: disable=import-outside-toplevel

        run, stop = (os.path.join(self.places.helpers, name) for name in ("agent-run", "agent-stop"))
        missing = f"the user {AGENT}" if account(AGENT) is None else next((f"the helper {path}" for path in (run, stop) if not os.path.exists(path)), None)
        if missing is None and self.places.divided:
            return Helpers(self.places.runs, run, stop)
        raise CodexOpsError(
            f"On this host, which has the user {self.places.ops.name}, the agent runs as {AGENT} only: {missing or 'this engine is somebody else'}"
            f"{' is missing' if missing else ''}.",
            code="agent_missing",
            outcome="sandbox_unavailable",
            hint="Provision the host completely (users, helpers, sudoers), or rehearse under a prefix of your own.",
        )

    def budget(self) -> t.Any:
        """What is left of the host's tokens, runs and actions."""
        from ._gates.budget import Budget  # pylint: disable=import-outside-toplevel

        return Budget(self.places.budget)

    @staticmethod
    def now() -> float:
        """Seconds since the epoch."""
        return time.time()

    def stopped(self) -> str | None:
        """That the kill switch is engaged, in words, or ``None``."""
        from ._gates.kill_switch import engaged_reason  # pylint: disable=import-outside-toplevel

        return engaged_reason(self.places.kill_switches)

    def cancelled(self) -> str | None:
        """Why this run must stop, or ``None``. The first call begins to watch the caller and to catch signals."""
        if self._lost is None:
            from ._agent.caller import CallerWatch  # pylint: disable=import-outside-toplevel

            self._lost = self._watched.enter_context(CallerWatch(ansible=self.options.ansible)).lost
        return self.stopped() or self._lost()

    def go_on(self, nothing_done: str = "The live tree is as it was.") -> None:
        """Go on only while nobody wants this run to stop.

        :raises CodexOpsError: outcome ``killed``.
        """
        reason = self.cancelled()
        if reason:
            raise CodexOpsError(f"The run was ended: {reason.rstrip('.')}. {nothing_done}", code="cancelled", outcome="killed")

    def keep(self, name: str, text: str) -> None:
        """Keep *text*, which holds no secret any more, in the run's folder. What cannot be kept is a warning."""
        try:
            write_private(os.path.join(self.folder, name), text)
        except OSError as error:
            self.warnings.append(f"{name} could not be kept in {self.places.run_dir(self.id)}: {error.strerror}.")

    def remember(self, fingerprint: str, result: dict[str, t.Any]) -> None:
        """Remember *result* for an identical task. What cannot be remembered is a warning: it only costs another run."""
        from ._trail import memory  # pylint: disable=import-outside-toplevel

        try:
            memory.remember(self.places.remembered, fingerprint, self.redactor.data(result))
        except (OSError, CodexOpsError) as error:
            self.warnings.append(f"The result could not be remembered: {error}.")

    def intend(self, what: str, **facts: t.Any) -> None:
        """Record that *what* is about to be done.

        :raises CodexOpsError: ``trail_unwritable``: what cannot be recorded is not done.
        """
        self.facts["input"].update(facts)
        try:
            self._record("intent", {"msg": what})
        except OSError as error:
            explained = self.places.explain(error, self.places.log)
            raise CodexOpsError(
                f"The trail cannot be written: {error.strerror}. Nothing was done.",
                code="trail_unwritable",
                outcome="rejected",
                where=self.places.log,
                hint=explained.hint,
            ) from None

    def _record(self, phase: str, result: dict[str, t.Any]) -> dict[str, t.Any]:
        from . import _record  # pylint: disable=import-outside-toplevel
        from ._trail import log  # pylint: disable=import-outside-toplevel

        record = _record.make(
            phase,
            run_id=self.id,
            operation=self.kind,
            check_mode=self.options.check,
            facts=self.facts,
            result=result,
            kept=self._kept() if phase == "outcome" else [],
        )
        copy = None
        if not self.places.own:
            from ._trail.sink import syslog  # pylint: disable=import-outside-toplevel

            copy = syslog
        head = log.append(self.places.log, restored(self.redactor.data(record), record, RECORD), copy)
        return {**head, "first": log.first(self.places.log)}

    def _kept(self) -> list[dict[str, t.Any]]:
        """The files that were kept of this run, each by its digest: whoever changes one later is found out."""
        from ._canonical import file_digest  # pylint: disable=import-outside-toplevel

        found = []
        for name in _KEPT:
            path = os.path.join(self.places.run_dir(self.id), name)
            with contextlib.suppress(OSError):
                found.append({"path": path, "sha256": file_digest(path)})
        return found

    def _retention(self) -> int:
        """Days for which runs are kept: as long as the task says, and no shorter than the policy does. 0 is for ever."""
        days = self.options.retention
        return 0 if days <= 0 else max(days, self.rules.retention_days)

    def _failure(self, error: BaseException) -> dict[str, t.Any]:
        result = {**self.partial, "changed": self.changed}
        if isinstance(error, CodexOpsError):
            result.update(outcome=error.outcome, code=error.code, msg=str(error))
            # Then files could not be put back, and the message says which.
            result["changed"] = self.changed or error.code in ("undo_failed", "restore_failed")
            if self.places.ops is not None and self.places.divided and error.code in ("workspace_unreadable", "workspace_invalid"):
                name = self.places.ops.name
                result["msg"] += f" On this host the engine reads it as {name}: let that user read it, for example with setfacl -R -m u:{name}:rX."
            if error.details:
                result["details"] = error.details
            return result
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.keep("error.txt", self.redactor.text(trace))
        result.update(
            outcome="agent_error",
            code="internal_error",
            msg=f"The engine met something it did not expect: {type(error).__name__}: {error}. "
            f"The details are in {os.path.join(self.places.run_dir(self.id), 'error.txt')}; please report them.",
        )
        return result

    def recorded(self, work: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
        """The result of *work*, with an intent in the trail before it and an outcome after it, whatever happens.

        :raises CodexOpsError: ``trail_unwritable`` when the intent cannot be recorded; then nothing was done.
        """
        self.places.prepare()
        self.redactor = Redactor(self._known, key=redaction_key(self.places))
        with self._watched:
            try:
                return self._recorded(work)
            finally:
                self._folder.close()

    def _recorded(self, work: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
        self.intend(self.kind)
        prune(self.places, self._retention)
        swept = sweep(self.places)
        if swept:
            self.warnings.append(f"What a run that died had left was removed ({', '.join(swept[:5])}).")
        try:
            result = work()
        except Exception as error:  # pylint: disable=broad-except
            result = self._failure(error)
        result = self._complete(result)
        try:
            result["audit"] = self._record("outcome", result)
        except OSError as error:
            result["failed"] = True
            result["audit"] = None
            result["msg"] += f" Its outcome could not be recorded in {self.places.log}: {error.strerror}."
        return result

    def _complete(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        defaults: dict[str, t.Any] = {
            "changed": self.changed,
            "commands": [],
            "usage": dict(NO_USAGE),
            "cached": False,
            "run_id": self.id,
            "isolation": self.isolation,
        }
        # Line by line: masking it as one text could hide lines of it.
        patch = planned_patch(str(result.pop("patch", "")), self.redactor)
        plain = {**defaults, **result}
        raw = restored(self.redactor.data(plain), plain, RESULT)
        result = {key: value if key in ("report", "_recorded") else readable(value) for key, value in raw.items()}
        result["patch"] = patch
        result["failed"] = result["outcome"] in FAILED
        result["duration"] = round(time.monotonic() - self.started, 3)
        if result["patch"]:
            self.keep("patch.diff", result["patch"])
        if result.get("report") is not None:
            self.keep("report.json", json.dumps(result["report"], indent=1, sort_keys=True, ensure_ascii=True))
        if self.warnings:
            result["warnings"] = [readable(self.redactor.text(text)) for text in self.warnings]
        return result
