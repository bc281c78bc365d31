# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's audit log."""

from __future__ import annotations

DOCUMENTATION = r"""
name: audit
type: notification
short_description: Keep a tamper-evident log of what the collection's tasks did, on the controller
version_added: 0.1.0
description:
  - Appends one record for each result of a task of this collection to a log on the controller, in which each record is bound to the one before by a hash.
  - A record says which play and task it was, for which host, with which options, what came of it, the digest of the diff, and the head of the host's own
    log after the task. That head is how a host's log that was rewritten, cut or replaced later is found out; see the guide on the audit log.
  - Secrets are taken out. Of a task with C(no_log) neither options nor result are recorded, only that it ran and whether it failed.
  - Each run of ansible-playbook has an intent and an outcome of its own. An intent without an outcome is a run that did not come to its end, such as one
    that was stopped with Ctrl-C.
  - A task with C(until) has a record of its last attempt only. The host's log has all of them.
  - A log that cannot be written is an error, not a warning, unless O(mode=warn).
options:
  log:
    description:
      - The log. Its folder is made where it is missing.
      - In an execution environment, name a path on a volume that outlives the job.
      - Beside it lies a file of the same name with C(.redaction-key) behind it, by which equal secrets have equal marks in all records.
        Keep it with the log, and as private.
    type: path
    default: ~/.local/state/day2-codex/audit.jsonl
    env:
      - name: DAY2_CODEX_AUDIT_LOG
    ini:
      - section: callback_day2_codex_audit
        key: log
  mode:
    description:
      - With V(strict), a log that cannot be written stops ansible-playbook before anything runs. When it fails later, no further task starts; what runs
        on other hosts at that moment is ended as far as Ansible can end it.
      - With V(warn), a warning is shown and the play goes on. Each record that is written after that, when the log can be written again, says how many
        were lost before it.
    type: str
    default: strict
    choices:
      - strict
      - warn
    env:
      - name: DAY2_CODEX_AUDIT_MODE
    ini:
      - section: callback_day2_codex_audit
        key: mode
  include:
    description:
      - V(collection) records the tasks of this collection's modules and roles, and the jobs of them that P(ansible.builtin.async_status#module) waited for.
        Skipped tasks are left out.
      - V(all) records every task, the skipped ones too. Of a module outside this collection, options are recorded as the module itself reports them.
    type: str
    default: collection
    choices:
      - collection
      - all
    env:
      - name: DAY2_CODEX_AUDIT_INCLUDE
    ini:
      - section: callback_day2_codex_audit
        key: include
  sinks:
    description:
      - Where records go. V(file) is O(log), and always needed, because the chain is there.
      - V(syslog) also sends a copy of each record to O(syslog_address). A copy of more than 8,000 bytes is cut; its hash and number stand first.
        Nothing says whether a copy arrived.
    type: list
    elements: str
    default:
      - file
    choices:
      - file
      - syslog
    env:
      - name: DAY2_CODEX_AUDIT_SINKS
    ini:
      - section: callback_day2_codex_audit
        key: sinks
  syslog_address:
    description:
      - The socket of the syslog or of journald, for V(syslog) in O(sinks).
      - In an execution environment, the socket of the machine that runs it has to be mounted into the container.
    type: path
    default: /dev/log
    env:
      - name: DAY2_CODEX_AUDIT_SYSLOG_ADDRESS
    ini:
      - section: callback_day2_codex_audit
        key: syslog_address
  max_bytes:
    description:
      - When O(log) is larger at the beginning of a run, it is renamed and the chain goes on in a new file.
      - V(0) never does that.
    type: int
    default: 0
    env:
      - name: DAY2_CODEX_AUDIT_MAX_BYTES
    ini:
      - section: callback_day2_codex_audit
        key: max_bytes
requirements:
  - Enable it, for example with C(callbacks_enabled = day2.codex.audit) in C(ansible.cfg) or with E(ANSIBLE_CALLBACKS_ENABLED)
seealso:
  - ref: ansible_collections.day2.codex.docsite.guide_audit
    description: What is in the log and how it is verified.
author:
  - The day2.codex authors (@day2-codex)
"""

import os
import typing as t

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__ as ansible_version

from ansible_collections.day2.codex.plugins.module_utils._secrets import kept_key
from ansible_collections.day2.codex.plugins.module_utils._trail.log import rotate
from ansible_collections.day2.codex.plugins.plugin_utils._audit import (
    ASYNC_STATUS,
    COLLECTION,
    Item,
    Outcome,
    Recorder,
    caller,
    is_hidden,
    is_of_engine,
    new_run,
    of_item,
)
from ansible_collections.day2.codex.plugins.plugin_utils._audit_writer import Writer, to_do

#: Since 2.21 a result's task is the one that ran, after templating; before, its fields stand beside it.
_TASK_RAN = tuple(int(part) for part in ansible_version.split(".")[:2]) >= (2, 21)
_FIELDS = ("name", "args", "no_log", "check_mode", "delegate_to", "loop")

#: In the environment of this process, and so of the workers that it forks: the head of this log, for the hosts to remember.
HEAD_VARIABLE = "DAY2_CODEX_CONTROLLER_HEAD"


class CallbackModule(CallbackBase):
    """Appends records to the controller's log; ansible-playbook stops when it cannot."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "day2.codex.audit"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: t.Any, **named: t.Any) -> None:
        super().__init__(*arguments, **named)
        self._unusable: str | None = None
        self._recorder: Recorder | None = None
        self._play: t.Any = None
        self._writer: Writer | None = None
        self._lost = 0
        self._said: set[str] = set()
        #: Of each loop that runs now, by task and host: the options of each item, and the host that it was delegated to.
        self._items: dict[tuple[str, str], list[Item]] = {}

    # What Ansible calls before anything runs.

    def set_options(self, task_keys: t.Any = None, var_options: t.Any = None, direct: t.Any = None) -> None:
        """Read the options. Ansible only warns of an error here and goes on without the plugin: it is kept for later."""
        try:
            super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
            self._path = os.path.abspath(os.path.expanduser(str(self.get_option("log"))))
            self._strict = self.get_option("mode") != "warn"
            self._all = self.get_option("include") == "all"
            self._max_bytes = int(self.get_option("max_bytes"))
            self._address = str(self.get_option("syslog_address"))
            sinks = list(self.get_option("sinks"))
            self._copy = self._to_syslog if "syslog" in sinks else None
            wrong = sorted(set(sinks) - {"file", "syslog"})
            if wrong or "file" not in sinks:
                found = ", ".join(sinks) or "nothing"
                self._unusable = f"sinks: expected file, or file and syslog, found {found}"
        except Exception as error:  # pylint: disable=broad-except
            self._unusable = str(error)

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        """Record the intent, or stop before anything runs."""
        plays = playbook.get_plays() if playbook is not None else []
        name = getattr(playbook, "_file_name", None)
        self._begin(name, plays[0] if plays else None)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """Remember the play. With the command ``ansible`` there is no playbook: it is what begins."""
        self._play = play
        if self._recorder is None:
            self._begin(None, play)

    def _begin(self, playbook: str | None, play: t.Any) -> None:
        if self._unusable is not None:
            message = f"The callback day2.codex.audit cannot be used: {self._unusable.rstrip('.')}. Nothing was run."
            self._stop(f"{message} Correct its options in the environment or in [callback_day2_codex_audit] of ansible.cfg.")
        try:
            if self._writer is None:
                self._open(play)
            recorder = t.cast(Recorder, self._recorder)
            recorder.playbook = playbook
            facts = {name: context.CLIARGS.get(name) for name in ("tags", "skip_tags", "subset", "start_at_task", "forks", "inventory")}
            record = recorder.of_playbook("intent", facts, {}, bool(context.CLIARGS.get("check")))
            self._append(record, wait=True)
        except Exception as error:  # pylint: disable=broad-except
            self._failed(error, "Nothing was run.")

    def _open(self, play: t.Any) -> None:
        manager = play.get_variable_manager() if play is not None else None
        extra_vars = getattr(manager, "extra_vars", None)
        job_id, user = caller(extra_vars if isinstance(extra_vars, dict) else {})
        # So that a playbook can find it, however it was set.
        os.environ["DAY2_CODEX_AUDIT_LOG"] = self._path
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        self._recorder = Recorder(new_run(), job_id, user, {"ansible_core": ansible_version}, kept_key(f"{self._path}.redaction-key"))
        self._writer = Writer(self._path, self._copy)
        if self._max_bytes > 0 and os.path.exists(self._path):
            rotate(self._path, self._max_bytes)

    # What Ansible calls with results.

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        """A task begins."""
        self._settle()

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        """A handler begins."""
        self._settle()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """A task succeeded on a host."""
        self._result("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """A task failed on a host."""
        self._result("failed", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """A host could not be reached."""
        self._result("unreachable", result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """A task was skipped on a host."""
        if self._all:
            self._result("skipped", result)
        else:
            self._items.pop(_key(result), None)

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        """An item of a loop succeeded."""
        self._item(result)

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        """An item of a loop failed."""
        self._item(result)

    def v2_runner_item_on_skipped(self, result: t.Any) -> None:
        """An item of a loop was skipped."""
        self._item(result)

    def _item(self, raw: t.Any) -> None:
        # The result of the whole loop has only the templates of this.
        try:
            task = getattr(raw, "task", None) or raw._task
            fields = _fields(raw, task)
            args = fields.get("args")
            own = isinstance(args, dict) and str(getattr(task, "resolved_action", None) or task.action).startswith(COLLECTION)
            found = Item(args if own else {}, fields.get("delegate_to") or None)
            self._items.setdefault(_key(raw), []).append(found)
        except Exception as error:  # pylint: disable=broad-except
            self._failed(error, "No further task was started.")

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """Record the outcome of the run."""
        if self._recorder is None:
            return
        self._settle()
        try:
            hosts = {str(host): stats.summarize(host) for host in sorted(stats.processed)}
            failed = any(host["failures"] or host["unreachable"] for host in hosts.values())
            result = {"outcome": "failed" if failed else "completed", "failed": failed, "hosts": hosts, "records_lost": self._lost}
            self._append(self._recorder.of_playbook("outcome", {}, result, bool(context.CLIARGS.get("check"))), wait=True)
        except Exception as error:  # pylint: disable=broad-except
            self._failed(error, "The plays had ended.")

    def _result(self, status: str, raw: t.Any) -> None:
        if self._recorder is None:
            return
        items = self._items.pop(_key(raw), [])
        # ansible-core 2.19 gave these names without the underscore; 2.17 and 2.18 know only those with it.
        task = getattr(raw, "task", None) or raw._task
        module = str(getattr(task, "resolved_action", None) or task.action)
        try:
            own = self._all or module.startswith(COLLECTION) or _of_our_role(task)
            if not own and module != ASYNC_STATUS:
                return
            result = raw.result if hasattr(raw, "result") else raw._result
            if not own and not is_of_engine(module, result):
                return
            for one in self._outcomes(status, raw, task, module, items):
                self._append(self._recorder.of_task(one))
        except Exception as error:  # pylint: disable=broad-except
            self._failed(error, "No further task was started.")

    def _outcomes(self, status: str, raw: t.Any, task: t.Any, module: str, seen: list[Item]) -> list[Outcome]:
        fields = _fields(raw, task)
        result = raw.result if hasattr(raw, "result") else raw._result
        host = getattr(raw, "host", None) or raw._host
        name = fields.get("name") or task.get_name()
        hidden = is_hidden(fields, result)
        args = fields.get("args")
        whole = Outcome(
            status=status,
            module=module,
            task_host=host.get_name(),
            result=result,
            args=args if isinstance(args, dict) and not hidden else {},
            own=module.startswith(COLLECTION),
            no_log=hidden,
            check_mode=bool(fields.get("check_mode")),
            task=str(name),
            task_path=task.get_path() or None,
            play=self._play.get_name() if self._play is not None else None,
            delegated_to=", ".join(sorted({str(one.delegated_to) for one in seen if one.delegated_to})) or fields.get("delegate_to") or None,
        )
        items = result.get("results")
        if not whole.own or not fields.get("loop") or not isinstance(items, list) or not items:
            return [whole]
        # Each item of a loop is an operation of its own on the host. One whose loop variable could not be set never began.
        began = iter(seen)
        pairs = [(item, next(began, None) if "ansible_loop_var" in item else None) for item in items if isinstance(item, dict)]
        return [of_item(whole, item, one) for item, one in pairs if self._all or not item.get("skipped")]

    # Writing.

    def _append(self, record: dict[str, t.Any], wait: bool = False) -> None:
        writer = t.cast(Writer, self._writer)
        if self._lost:
            record["result"]["records_lost"] = self._lost
        writer.put(record)
        if wait:
            writer.wait()
        self._look("Nothing was run." if record["phase"] == "intent" else "No further task was started.")

    def _look(self, what: str) -> None:
        """Say what could not be written, and remember the head for the workers that are forked next."""
        writer = t.cast(Writer, self._writer)
        for error in writer.failures():
            self._failed(error, what)
        if writer.head is not None and writer.first is not None:
            os.environ[HEAD_VARIABLE] = f"{writer.first[:16]}:{writer.head['seq']}:{writer.head['hash']}"

    def _settle(self) -> None:
        """No task starts before the records of those before it are on disk."""
        if self._writer is not None:
            self._writer.wait()
            self._look("No further task was started.")

    def _to_syslog(self, line: str) -> None:
        from ansible_collections.day2.codex.plugins.module_utils._trail.sink import syslog  # pylint: disable=import-outside-toplevel

        if not syslog(line, self._address) and "syslog" not in self._said:
            self._said.add("syslog")
            self._display.warning(f"The syslog does not take copies of the audit log's records ({self._address}). The log itself is written.")

    def _failed(self, error: Exception, what: str) -> None:
        reason = error.strerror or str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        message = f"The audit log cannot be kept: {reason} ({self._path})."
        if self._strict:
            self._stop(
                f"{message} {what} {to_do(self._path, error)}, or name another path in DAY2_CODEX_AUDIT_LOG; DAY2_CODEX_AUDIT_MODE=warn goes on without a log."
            )
        self._lost += 1
        if message not in self._said:
            self._said.add(message)
            self._display.warning(f"{message} The play goes on, and this is not recorded.")

    def _stop(self, message: str) -> t.NoReturn:
        # An exception would only become a warning, and the play would run.
        self._display.error(message, wrap_text=False)
        raise SystemExit(1)


def _fields(raw: t.Any, task: t.Any) -> dict[str, t.Any]:
    return {name: getattr(task, name) for name in _FIELDS} if _TASK_RAN else raw._task_fields


def _key(raw: t.Any) -> tuple[str, str]:
    task, host = getattr(raw, "task", None) or raw._task, getattr(raw, "host", None) or raw._host
    return str(getattr(task, "_uuid", "")), host.get_name()


def _of_our_role(task: t.Any) -> bool:
    return f"{getattr(getattr(task, '_role', None), '_role_collection', None)}." == COLLECTION
