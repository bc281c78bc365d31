# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller's log says of a task: records made of Ansible's words, with secrets out. PRIVATE.

Nothing here imports Ansible: the callback hands over plain things, or Ansible's subclasses of them.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import os
import re
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._canonical import digest
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import MIN_KNOWN, Redactor, marker
from ansible_collections.day2.codex.plugins.module_utils._trail.who import who

COLLECTION = "day2.codex."
ASYNC_STATUS = "ansible.builtin.async_status"
#: Where a host keeps its log, below the prefix.
HOST_LOG = "var/log/codex-ops/audit.jsonl"
#: Characters of one text, and of all that one task or result brings, that a record takes.
MAX_TEXT = 8192
MAX_ALL = 131072
#: A text is looked through for secrets this far. A secret that begins within MAX_TEXT ends within this.
_LOOKED_THROUGH = 65536
MAX_DEPTH = 40
# Texts up to this length, and so many of them, are remembered as they are shown.
_SHORT = 200
_REMEMBERED = 4096

# What Ansible puts in the place of an option that its module marks as no_log.
_HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
# Marked no_log because it is opaque and long; the task gives only its path.
_NOT_SECRET = frozenset({"cassette"})
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:pass|passwd|password|passphrase|pwd|secrets?|token|credentials?|authorization|(?:api|access|private|secret|signing|encryption)_?key)"
    r"(?:$|_(?!file$|path$|name$|id$))"
)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[-. ]")
_HASH = re.compile(r"[0-9a-f]{64}")
# Fixed names only: others of AWX's variables hold passwords and tokens.
_JOB_VARIABLES = ("awx_job_id", "tower_job_id")
_JOB_ENVIRONMENT = ("AWX_JOB_ID", "TOWER_JOB_ID", "JOB_ID")
_CLAIMS = (
    ("awx_user", ("awx_user_name", "tower_user_name"), ()),
    ("awx_job_template", ("awx_job_template_name", "tower_job_template_name"), ()),
    ("awx_workflow_job", ("awx_workflow_job_id", "tower_workflow_job_id"), ()),
    ("awx_schedule", ("awx_schedule_name", "tower_schedule_name"), ()),
    ("awx_host", (), ("AWX_HOST", "TOWER_HOST")),
    ("awx_inventory", ("awx_inventory_id", "tower_inventory_id"), ("INVENTORY_ID",)),
)


@functools.lru_cache(maxsize=4096)
def secret_name(name: str) -> bool:
    """Whether *name* is that of a secret, such as ``smtp_password`` or ``clientSecret``."""
    return len(name) <= 200 and _SECRET_NAME.search(_WORDS.sub("_", name).lower()) is not None


class Plain:
    """Copies values into what JSON can carry, redacted, within a bound on depth and characters.

    Ansible's own types are subclasses of plain ones. Anything else is named by its type and never turned into text: to do so
    may decrypt a vaulted value.
    """

    def __init__(self, redactor: Redactor, seen: dict[str, str] | None = None) -> None:
        self._redactor = redactor
        self._seen = {} if seen is None else seen
        self._room = MAX_ALL

    @property
    def full(self) -> bool:
        """Whether something was left out."""
        return self._room < 0

    def text(self, value: str) -> str:
        """*value*, redacted and cut."""
        # str() of a subclass gives a plain copy; slicing does not in every version.
        whole = str.__str__(value)
        shown = self._seen.get(whole)
        if shown is None:
            shown = self._shown(whole)
        self._room -= len(shown)
        return shown if self._room >= 0 else "(left out: the record would be too large)"

    def _shown(self, whole: str) -> str:
        shown = self._redactor.text(whole[:_LOOKED_THROUGH])
        if len(shown) > MAX_TEXT or len(whole) > _LOOKED_THROUGH:
            shown = f"{shown[:MAX_TEXT]} (cut; {len(whole)} characters)"
        if len(whole) <= _SHORT:
            # Names of plays, tasks and hosts come again and again.
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[whole] = shown
        return shown

    def data(self, value: t.Any, depth: int = 0) -> t.Any:
        """A copy of *value*."""
        if value is None or value is True or value is False:
            return value
        self._room -= 8
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int):
            return int(value) if -(2**53) < value < 2**53 else str(int(value))
        if isinstance(value, float):
            return float(value) if abs(value) < float("inf") else repr(float(value))
        if isinstance(value, (bytes, bytearray)):
            return self.text(bytes(value).decode("utf-8", "backslashreplace"))
        if depth >= MAX_DEPTH:
            return "(nested too deeply)"
        if isinstance(value, dict):
            return self._mapping(value, depth)
        if isinstance(value, (list, tuple)):
            found: list[t.Any] = []
            for item in value:
                if self._room < 0:
                    found.append("(left out: the record would be too large)")
                    break
                found.append(self.data(item, depth + 1))
            # What stands behind a telling word of a command line is hidden, too.
            return self._redactor.data(found) if len(found) > 1 and all(isinstance(item, str) for item in found) else found
        if isinstance(value, (datetime.date, datetime.time)):
            return value.isoformat()
        return f"({type(value).__name__})"

    def _mapping(self, value: dict[t.Any, t.Any], depth: int) -> dict[str, t.Any]:
        found: dict[str, t.Any] = {}
        # A pair such as {name: smtp_password, value: ...} hides its value, too.
        named = isinstance(value.get("name"), str) and secret_name(str.__str__(value["name"]))
        for key, item in value.items():
            if self._room < 0:
                found["(left out)"] = "the record would be too large"
                break
            name = self.text(key if isinstance(key, str) else repr(key) if isinstance(key, (int, float)) else f"({type(key).__name__})")
            if isinstance(item, (str, bytes)) and item and (secret_name(name) or (named and name == "value")):
                found[name] = marker("option", self._plainest(item))
            elif isinstance(item, str):
                found[name] = self._behind(name, item)
            else:
                found[name] = self.data(item, depth + 1)
        return found

    def _behind(self, name: str, item: str) -> str:
        """*item*, which stands under *name*: the room of redaction knows more telling names, and looks at the value too."""
        whole, shown = str.__str__(item), self.text(item)
        if shown != whole or len(whole) < MIN_KNOWN:
            return shown
        key = f"{name}\0{whole}"
        known = self._seen.get(key)
        if known is None:
            known = str(self._redactor.data({name: whole})[name])
            if len(key) <= _SHORT:
                self._seen[key] = known
        return known

    @staticmethod
    def _plainest(item: str | bytes) -> str:
        return str.__str__(item) if isinstance(item, str) else bytes(item).decode("utf-8", "backslashreplace")


@dataclasses.dataclass
class Outcome:
    """One result of one task on one host, as the callback found it.

    ``status`` is ``ok``, ``failed``, ``unreachable`` or ``skipped``; ``args`` are the task's arguments after templating; ``own``
    says that the task is one of this collection; ``no_log`` that neither arguments nor result may be seen.
    """

    status: str
    module: str
    task_host: str
    result: dict[str, t.Any]
    args: dict[str, t.Any]
    own: bool
    no_log: bool
    check_mode: bool
    task: str
    task_path: str | None
    play: str | None
    delegated_to: str | None = None
    item: t.Any = None


def new_run() -> str:
    """An ID for one run of ansible-playbook."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.strftime("%Y%m%dT%H%M%SZ-") + os.urandom(4).hex()


def log_id(path: str) -> str:
    """16 hexadecimal digits that name a controller's log: of ``NODENAME:PATH``."""
    name = f"{os.uname().nodename}:{os.path.abspath(path)}"
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _simple(value: t.Any) -> str | None:
    if isinstance(value, str):
        return str.__str__(value)[:200] or None
    return str(int(value)) if isinstance(value, int) and not isinstance(value, bool) else None


def _first(sources: t.Iterable[t.Any]) -> str | None:
    return next((found for found in map(_simple, sources) if found), None)


def caller(extra_vars: t.Mapping[str, t.Any]) -> tuple[str | None, dict[str, t.Any]]:
    """AWX's job ID, if any, and who runs this. What AWX says of itself comes as extra variables; it is a claim."""
    job = _first([extra_vars.get(name) for name in _JOB_VARIABLES] + [os.environ.get(name) for name in _JOB_ENVIRONMENT])
    user = who()
    via = dict(user.get("via") or {})
    for key, variables, environment in _CLAIMS:
        found = _first([extra_vars.get(name) for name in variables] + [os.environ.get(name) for name in environment])
        if found:
            via[key] = found
    return job, {**user, "via": via}


class Recorder:
    """Makes records. It learns secrets as it goes: what one task was given in secret stays secret in the records of the next."""

    def __init__(self, run_id: str, job_id: str | None, user: dict[str, t.Any], versions: dict[str, str]) -> None:
        self.run_id = run_id
        self._job_id = job_id
        self._known: set[str] = set()
        self._redactor = Redactor()
        self._seen: dict[str, str] = {}
        self._user = self._plain().data(user)
        self._versions = versions
        self.playbook: str | None = None

    def _plain(self) -> Plain:
        return Plain(self._redactor, self._seen)

    def _frame(self, phase: str, operation: str) -> dict[str, t.Any]:
        return {
            "phase": phase,
            "job_id": self._job_id,
            "run_id": None,
            "host": os.uname().nodename,
            "user": self._user,
            "input": {},
            "command": {"operation": operation, "controller_run": self.run_id, **self._versions},
            "attempts": [],
            "result": {},
            "diff": {"sha256": None, "files": [], "added": 0, "removed": 0, "kept": None},
            "approval": None,
            "rollback": {"possible": False},
            "usage": {},
            "validation": [],
            "playbook": self.playbook,
        }

    def of_playbook(self, phase: str, facts: dict[str, t.Any], result: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
        """The record of a whole run of ansible-playbook: its intent, or its outcome."""
        record = self._frame(phase, "playbook")
        plain = self._plain()
        record.update(run_id=self.run_id, check_mode=check_mode, result=plain.data(result))
        record["input"] = plain.data(facts)
        record["playbook"] = plain.data(self.playbook)
        return record

    def _learn(self, args: dict[str, t.Any], shown: dict[str, t.Any]) -> set[str]:
        """Which of *args* are secret: those that the module hid. Their values are remembered."""
        secret = set()
        for name, value in args.items():
            if name in _NOT_SECRET or not isinstance(value, (str, bytes)):
                continue
            if shown.get(name) == _HIDDEN or (name == "api_key"):
                secret.add(str(name))
                text = Plain._plainest(value)
                if len(text) >= MIN_KNOWN and text != _HIDDEN and text not in self._known:
                    self._known.add(text)
                    self._redactor = Redactor(self._known)
                    self._seen = {}
        return secret

    def _options(self, one: Outcome, shown: dict[str, t.Any], secret: set[str]) -> dict[str, t.Any] | None:
        if one.no_log:
            return None
        options: dict[t.Any, t.Any] = {}
        for name, value in one.args.items():
            if str(name).startswith("_ansible_"):
                continue
            if name in secret:
                options[name] = marker("option", Plain._plainest(value))
            elif one.own:
                options[name] = value
            elif name in shown:
                # What the module itself reports: it has hidden what it knows to be secret.
                options[name] = shown[name]
            else:
                options[name] = "(not reported by the module)"
        return t.cast("dict[str, t.Any]", self._plain().data(options))

    def of_task(self, one: Outcome) -> dict[str, t.Any]:
        """The record of one result."""
        invocation = one.result.get("invocation")
        shown = invocation.get("module_args") if isinstance(invocation, dict) else None
        shown = shown if isinstance(shown, dict) else {}
        secret = self._learn(one.args, shown)
        options = self._options(one, shown, secret)
        plain = self._plain()
        record = self._frame("outcome", "task")
        record.update(
            play=plain.data(one.play),
            task=plain.data(one.task),
            task_path=plain.data(one.task_path),
            module=one.module,
            task_host=plain.data(one.task_host),
            check_mode=one.check_mode,
            options=options,
            result=self._result(one, plain),
            host_head=None,
        )
        record["playbook"] = plain.data(self.playbook)
        if one.delegated_to:
            record["delegated_to"] = plain.data(one.delegated_to)
        if one.item is not None and not one.no_log:
            record["item"] = plain.data(one.item)
        if not one.no_log:
            self._of_the_engine(one, shown, record, plain)
        return record

    @staticmethod
    def _result(one: Outcome, plain: Plain) -> dict[str, t.Any]:
        result = one.result
        found: dict[str, t.Any] = {
            "status": one.status,
            "outcome": one.status,
            "changed": bool(result.get("changed")),
            "failed": one.status in ("failed", "unreachable"),
        }
        if one.no_log:
            return {**found, "censored": True}
        names = ["msg", "code", "rc"]
        if _of_engine(one):
            names += ["outcome", "cached", "replayed", "codex_version", "isolation", "duration", "rolled_back", "violations", "details"]
        for name in names:
            if name in result:
                found[name] = plain.data(result[name])
        if "results" in result and isinstance(result["results"], list):
            found["items"] = len(result["results"])
        return found

    def _of_the_engine(self, one: Outcome, shown: dict[str, t.Any], record: dict[str, t.Any], plain: Plain) -> None:
        result = one.result
        difference = result.get("diff")
        if not _of_engine(one):
            if difference:
                record["diff"]["sha256"] = digest(self._plain().data(difference))
            return
        plan = result.get("plan") if isinstance(result.get("plan"), dict) else {}
        # What is small has room of its own, so that a flood of the agent's words cannot push it out.
        small = self._plain()
        record["run_id"] = small.data(result.get("run_id"))
        record["host_head"] = _head(result.get("audit"), shown.get("prefix") or one.args.get("prefix"))
        slice_ = one.args.get("slice")
        name = slice_.get("name") if isinstance(slice_, dict) else one.args.get("name") or one.args.get("src")
        record["input"] = small.data({"slice": name, "slice_sha256": plan.get("slice_sha256"), "base_sha256": plan.get("base_sha256")})
        patch = result.get("patch")
        record["diff"].update(
            sha256=small.data(plan.get("patch_sha256")) or (digest(str.__str__(patch)) if isinstance(patch, str) and patch else None),
            files=plain.data(plan.get("files") or []),
            added=small.data(plan.get("added") or 0),
            removed=small.data(plan.get("removed") or 0),
        )
        usage = result.get("usage")
        record["usage"] = {str(key): small.data(count) for key, count in usage.items() if isinstance(count, (int, float))} if isinstance(usage, dict) else {}
        record["approval"] = small.data(result.get("approval"))
        for field, key in (("validation", "validation"), ("attempts", "commands")):
            if isinstance(result.get(key), list):
                # What was left out is no item of its own.
                record[field] = [item for item in plain.data(result[key]) if isinstance(item, dict)]
        outcome = result.get("outcome")
        record["rollback"] = {"possible": outcome == "applied", "done": bool(result.get("rolled_back")) or outcome == "restored"}
        if plain.full:
            record["result"]["left_out"] = "This result is larger than a record may be; the host's own log has all of it."


def _of_engine(one: Outcome) -> bool:
    """Whether the result comes from the engine: of a task of ours, or of one of ours that was waited for."""
    return one.module.startswith(COLLECTION) or is_of_engine(one.module, one.result)


def is_of_engine(module: str, result: dict[str, t.Any]) -> bool:
    """Whether *result* is that of a job of the engine which ``async_status`` has brought."""
    return module == ASYNC_STATUS and _head(result.get("audit"), "/") is not None


def _head(audit: t.Any, prefix: t.Any) -> dict[str, t.Any] | None:
    """The head of the host's log after the task."""
    if not isinstance(audit, dict) or not isinstance(audit.get("seq"), int) or not isinstance(audit.get("hash"), str):
        return None
    if isinstance(audit["seq"], bool) or audit["seq"] < 1 or not _HASH.fullmatch(audit["hash"]):
        return None
    log = audit.get("log")
    if not isinstance(log, str):
        log = os.path.join(str.__str__(prefix) if isinstance(prefix, str) and prefix else "/", HOST_LOG)
    return {"log": str.__str__(log)[:4096], "seq": int(audit["seq"]), "hash": str.__str__(audit["hash"])}

