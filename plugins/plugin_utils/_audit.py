# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the controller's log says of a task: records made of Ansible's words, with secrets out. PRIVATE.

Nothing here imports Ansible: the callback hands over plain things, or Ansible's subclasses of them.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._canonical import canonical, digest
from ansible_collections.day2.codex.plugins.module_utils._outcomes import FAILED
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import MIN_KNOWN, Redactor, marker
from ansible_collections.day2.codex.plugins.module_utils._trail.who import who
from ansible_collections.day2.codex.plugins.plugin_utils._audit_plain import Plain, secret_name

COLLECTION = "day2.codex."
ASYNC_STATUS = "ansible.builtin.async_status"
#: Where a host keeps its log, below the prefix.
HOST_LOG = "var/log/codex-ops/audit.jsonl"
# What Ansible puts in the place of an option that its module marks as no_log.
_HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
#: The secret options of this collection's modules. Others are marked no_log because they are opaque and long; no task gives a secret there.
SECRET_OPTIONS = frozenset({"api_key"})
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


class Item(t.NamedTuple):
    """What an item of a loop was given, after templating."""

    args: dict[str, t.Any]
    delegated_to: t.Any


def is_hidden(fields: dict[str, t.Any], result: dict[str, t.Any]) -> bool:
    """Whether neither options nor result of the task may be seen."""
    return bool(fields.get("no_log") or result.get("_ansible_no_log") or "censored" in result)


def of_item(whole: Outcome, item: dict[str, t.Any], given: Item | None) -> Outcome:
    """What became of one item of the loop *whole*.

    :arg given: What it was given, or ``None`` for one that never began.
    """
    hidden = whole.no_log or is_hidden({}, item)
    # Since 2.21 an item does not say whether it failed; the engine's outcome does.
    failed = item.get("failed", item["outcome"] in FAILED if isinstance(item.get("outcome"), str) else whole.status == "failed")
    status = "skipped" if item.get("skipped") else "unreachable" if item.get("unreachable") else "failed" if failed else "ok"
    return Outcome(
        **{
            **vars(whole),
            "status": status,
            "result": item,
            # The task's own arguments are still templates here.
            "args": {} if hidden else given.args if given is not None else whole.args,
            "no_log": hidden,
            "item": None if hidden else item.get("_ansible_item_label", item.get("item")),
            "delegated_to": given.delegated_to if given is not None else whole.delegated_to,
        }
    )


def new_run() -> str:
    """An ID for one run of ansible-playbook."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.strftime("%Y%m%dT%H%M%SZ-") + os.urandom(4).hex()


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

    def __init__(self, run_id: str, job_id: str | None, user: dict[str, t.Any], versions: dict[str, str], key: bytes | None = None) -> None:
        self.run_id = run_id
        self._job_id = job_id
        self._known: set[str] = set()
        self._key = key
        self._redactor = Redactor(key=key)
        self._seen: dict[str, str] = {}
        self._user = self._plain().data(user)
        self._versions = versions
        self.playbook: str | None = None

    def _plain(self) -> Plain:
        return Plain(self._redactor, self._seen, self._key)

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

    def _learn(self, one: Outcome, shown: dict[str, t.Any]) -> tuple[set[str], set[str]]:
        """Which of the options are secret, and the values of those that only this record hides. The values of the others are remembered.

        What a host says is not believed: a host that calls an ordinary word secret would blot it out of all records that follow. So of
        our own modules it is known which options are secret, and of others, what has a telling name is remembered.
        """
        secret, here, new = set(), set(), set()
        for name, value in one.args.items():
            if not isinstance(value, (str, bytes)) or not (name in SECRET_OPTIONS if one.own else shown.get(name) == _HIDDEN):
                continue
            secret.add(str(name))
            text = Plain.plainest(value)
            if len(text) >= MIN_KNOWN and text != _HIDDEN and text not in self._known:
                (new if one.own or secret_name(str(name)) else here).add(text)
        if new:
            self._known |= new
            self._redactor = Redactor(self._known, key=self._key)
            self._seen = {}
        return secret, here

    def _options(self, one: Outcome, shown: dict[str, t.Any], secret: set[str], plain: Plain) -> dict[str, t.Any] | None:
        if one.no_log:
            return None
        options: dict[t.Any, t.Any] = {}
        for name, value in one.args.items():
            if str(name).startswith("_ansible_"):
                continue
            if name in secret:
                # A mark is put in its place below: masked once more, it would be another.
                options[name] = None
            elif one.own:
                options[name] = value
            elif name in shown:
                # What the module itself reports: it has hidden what it knows to be secret.
                options[name] = shown[name]
            else:
                options[name] = "(not reported by the module)"
        found = t.cast("dict[str, t.Any]", plain.data(options))
        found.update({name: marker("option", Plain.plainest(one.args[name]), self._key) for name in secret if name in found})
        return found

    def of_task(self, one: Outcome) -> dict[str, t.Any]:
        """The record of one result."""
        invocation = one.result.get("invocation")
        shown = invocation.get("module_args") if isinstance(invocation, dict) else None
        shown = shown if isinstance(shown, dict) else {}
        secret, here = self._learn(one, shown)
        kept = self._redactor, self._seen
        try:
            if here:
                self._redactor, self._seen = Redactor(self._known | here, key=self._key), {}
            return self._task_record(one, shown, secret)
        finally:
            self._redactor, self._seen = kept

    def _task_record(self, one: Outcome, shown: dict[str, t.Any], secret: set[str]) -> dict[str, t.Any]:
        options = self._options(one, shown, secret, self._plain())
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
        if not isinstance(found.get("msg", ""), str):
            # That of debug can be anything.
            found["msg"] = canonical(found["msg"]).decode("ascii")
        if not isinstance(found["outcome"], str):
            found["outcome"] = one.status
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
        record["run_id"] = small.word(result.get("run_id"))
        record["host_head"] = _head(result.get("audit"), one.args.get("prefix") or shown.get("prefix"))
        slice_ = one.args.get("slice")
        name = slice_.get("name") if isinstance(slice_, dict) else one.args.get("name") or one.args.get("src")
        record["input"] = {"slice": small.word(name), **{key: small.word(plan.get(key)) for key in ("slice_sha256", "base_sha256")}}
        patch = result.get("patch")
        record["diff"].update(
            sha256=small.word(plan.get("patch_sha256")) or (digest(str.__str__(patch)) if isinstance(patch, str) and patch else None),
            files=plain.rows(plan.get("files")),
            added=_count(plan.get("added")) or 0,
            removed=_count(plan.get("removed")) or 0,
        )
        usage = result.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        record["usage"] = {small.text(str(key)): _count(count) for key, count in usage.items() if _count(count) is not None}
        approval = result.get("approval")
        record["approval"] = small.data(approval) if isinstance(approval, (dict, list)) else None
        record["validation"] = plain.rows(result.get("validation"))
        record["attempts"] = [_attempt(row) for row in plain.rows(result.get("commands"))]
        outcome = result.get("outcome")
        record["rollback"] = {"possible": outcome == "applied", "done": bool(result.get("rolled_back")) or outcome == "restored"}
        if plain.full or small.full:
            record["result"]["left_out"] = "This result is larger than a record may be; the host's own log has all of it."


def _count(value: t.Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**53 else None


def _attempt(row: dict[str, t.Any]) -> dict[str, t.Any]:
    """*row* in the published form, whatever the host sent."""
    found: dict[str, t.Any] = {key: row[key] if isinstance(row.get(key), str) else None for key in ("command", "reason")}
    return {**found, "status": row["status"] if isinstance(row.get("status"), str) else "unknown", "exit_code": _count(row.get("exit_code"))}


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
    found = {"log": str.__str__(log)[:4096], "seq": int(audit["seq"]), "hash": str.__str__(audit["hash"])}
    first = audit.get("first")
    return {**found, "first": str.__str__(first)} if isinstance(first, str) and _HASH.fullmatch(first) else found
