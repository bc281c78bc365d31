# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's log has one record for each result, no secret, the published form, and no record is lost without a word."""

from __future__ import annotations

import json
import os
import pathlib
import re
import socket
import typing as t

import jsonschema
import pytest
import yaml
from ansible import constants
from ansible.cli.playbook import PlaybookCLI  # noqa: F401  # pylint: disable=unused-import  # sets up what the command line sets up
from ansible.inventory.host import Host

from ansible_collections.day2.codex.plugins.callback import audit
from ansible_collections.day2.codex.plugins.module_utils._trail import redaction
from ansible_collections.day2.codex.plugins.module_utils._trail.log import records
from ansible_collections.day2.codex.plugins.module_utils._trail.verify import verify
from ansible_collections.day2.codex.plugins.plugin_utils import _audit, _audit_plain

ROOT = pathlib.Path(__file__).resolve().parents[4]
SCHEMA = json.loads((ROOT / "schemas/audit-record.schema.json").read_text("utf-8"))
SECRET = "planted-4d1f0c9e8b7a"
HASH = "ab" * 32
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


class Task:
    """As much of Ansible's task as the callback looks at. The real one needs the collection to be installed."""

    _role = None

    def __init__(self, action: str) -> None:
        self.action = action.rpartition(".")[2]
        self.resolved_action = action

    def get_name(self) -> str:
        return "a task"

    def get_path(self) -> str:
        return "/srv/site.yml:7"


class Result:
    """A task's result in the form in which ansible-core 2.17 and 2.18 hand it over."""

    def __init__(self, action: str, args: dict[str, t.Any], result: dict[str, t.Any], **fields: t.Any) -> None:
        self._task = Task(action)
        self._host = Host("web1")
        self._result = result
        self._task_fields = {"name": "a task", "args": args, "check_mode": False, **fields}


@pytest.fixture(autouse=True)
def old_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_TASK_RAN", False)
    for name in list(os.environ):
        if name.startswith(("DAY2_CODEX_", "AWX_", "TOWER_", "JOB_ID")):
            monkeypatch.delenv(name)
    # What the callback sets in its own process.
    for name in ("DAY2_CODEX_CONTROLLER_HEAD", "DAY2_CODEX_AUDIT_LOG"):
        monkeypatch.setenv(name, "")


def _plugin(monkeypatch: pytest.MonkeyPatch, log: pathlib.Path, **options: str) -> audit.CallbackModule:
    monkeypatch.setenv("DAY2_CODEX_AUDIT_LOG", str(log))
    for name, value in options.items():
        monkeypatch.setenv(f"DAY2_CODEX_AUDIT_{name.upper()}", value)
    constants.config.initialize_plugin_configuration_definitions("callback", "day2.codex.audit", yaml.safe_load(audit.DOCUMENTATION)["options"])
    plugin = audit.CallbackModule()
    plugin._load_name = "day2.codex.audit"
    plugin.set_options()
    return plugin


def _started(monkeypatch: pytest.MonkeyPatch, log: pathlib.Path, **options: str) -> audit.CallbackModule:
    plugin = _plugin(monkeypatch, log, **options)
    plugin._begin("site.yml", None)
    return plugin


def _written(plugin: audit.CallbackModule, log: pathlib.Path) -> list[dict[str, t.Any]]:
    plugin._settle()
    return list(records(str(log)))


def _ours(result: dict[str, t.Any], **args: t.Any) -> Result:
    return Result("day2.codex.slice", args, result)


APPLIED = {
    "outcome": "applied", "msg": "Applied.", "changed": True, "run_id": "20260115T031500Z-9f86d081", "audit": {"seq": 4, "hash": HASH},
    "patch": "--- a\n+++ b\n",
    "plan": {
        "id": "p", "slice_sha256": HASH, "base_sha256": HASH, "patch_sha256": HASH, "added": 1, "removed": 1,
        "files": [{"path": "a", "operation": "modify"}],
    },
    "commands": [{"command": "cat x", "status": "denied", "reason": "no"}], "usage": {"requests": 2, "total_tokens": 48},
    "validation": [{"name": "v", "kind": "must_hold", "stage": "live", "ok": True}],
}  # fmt: skip


def test_every_record_has_the_published_form_and_the_chain_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "made" / "audit.jsonl"
    plugin = _started(monkeypatch, log, include="all")
    plugin.v2_runner_on_ok(_ours({**APPLIED, "audit": {**APPLIED["audit"], "first": "cd" * 32}}, slice={"name": "s"}, prefix="/p"))
    plugin.v2_runner_on_ok(Result("ansible.builtin.debug", {"msg": "x"}, {"msg": "x"}))
    plugin.v2_runner_on_failed(Result("ansible.builtin.command", {"_raw_params": "false"}, {"msg": "non-zero", "rc": 1}))
    plugin.v2_runner_on_unreachable(Result("ansible.builtin.ping", {}, {"msg": "no route", "unreachable": True}))
    plugin.v2_runner_on_skipped(Result("ansible.builtin.ping", {}, {"skipped": True}))
    found = _written(plugin, log)
    for record in found:
        jsonschema.validate(record, SCHEMA)
    assert [record["result"].get("status") for record in found] == [None, "ok", "ok", "failed", "unreachable", "skipped"]
    assert verify(str(log)).verified
    assert log.stat().st_mode & 0o777 == 0o640
    ours = found[1]
    assert ours["host_head"] == {"log": "/p/var/log/codex-ops/audit.jsonl", "seq": 4, "hash": HASH, "first": "cd" * 32}
    assert (ours["run_id"], ours["input"]["slice"], ours["diff"]["sha256"]) == ("20260115T031500Z-9f86d081", "s", HASH)
    assert ours["attempts"][0]["status"] == "denied" and ours["usage"]["total_tokens"] == 48 and ours["validation"][0]["ok"]
    assert (ours["task_host"], ours["task"], ours["module"], ours["playbook"]) == ("web1", "a task", "day2.codex.slice", "site.yml")


def test_only_tasks_of_the_collection_are_recorded_unless_all_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log)
    plugin.v2_runner_on_ok(Result("ansible.builtin.debug", {"msg": "x"}, {"msg": "x"}))
    plugin.v2_runner_on_skipped(_ours({"skipped": True}))
    plugin.v2_runner_on_ok(Result("ansible.builtin.async_status", {"jid": "1"}, {"finished": 0}))
    plugin.v2_runner_on_ok(Result("ansible.builtin.async_status", {"jid": "1"}, {**APPLIED, "finished": 1}))
    assert [record.get("module") for record in _written(plugin, log)] == [None, "ansible.builtin.async_status"]
    assert _written(plugin, log)[1]["host_head"]["seq"] == 4


def test_a_result_of_another_module_that_looks_like_ours_sets_no_head(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log, include="all")
    plugin.v2_runner_on_ok(Result("ansible.builtin.command", {}, APPLIED))
    record = _written(plugin, log)[1]
    assert record["host_head"] is None and record["run_id"] is None


@pytest.mark.parametrize("audit_", [None, 7, {"seq": 0, "hash": HASH}, {"seq": True, "hash": HASH}, {"seq": 1, "hash": "x"}, {"seq": "1", "hash": HASH}])
def test_what_is_no_head_is_not_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, audit_: object) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log)
    plugin.v2_runner_on_ok(_ours({**APPLIED, "audit": audit_}))
    assert _written(plugin, log)[1]["host_head"] is None


@pytest.mark.parametrize(
    ("action", "args", "result", "fields"),
    [
        ("day2.codex.exec", {"api_key": SECRET, "prompt": f"use {SECRET}"}, {"msg": f"refused: {SECRET}"}, {}),
        ("day2.codex.exec", {"db_password": SECRET}, {"msg": "x"}, {}),
        ("day2.codex.exec", {"inputs": {"clientSecret": SECRET}}, {"msg": "x"}, {}),
        ("day2.codex.exec", {"inputs": [{"name": "smtp_password", "value": SECRET}]}, {"msg": "x"}, {}),
        ("day2.codex.exec", {"prompt": "p"}, {"msg": f"Authorization: Bearer {SECRET}{SECRET}"}, {}),
        ("day2.codex.exec", {"prompt": SECRET}, {"msg": SECRET}, {"no_log": True}),
        ("day2.codex.exec", {"prompt": SECRET}, {"censored": "hidden"}, {}),
        ("ansible.builtin.uri", {"url_password": SECRET, "url": "x"}, {"msg": SECRET, "invocation": {"module_args": {"url_password": HIDDEN}}}, {}),
        ("ansible.builtin.user", {"update": SECRET, "name": f"x {SECRET}"}, {"msg": f"bad {SECRET}", "invocation": {"module_args": {"update": HIDDEN}}}, {}),
        ("ansible.builtin.copy", {"content": SECRET, "dest": "/x"}, {"msg": "ok", "diff": {"after": SECRET}}, {}),
        ("ansible.builtin.command", {"_raw_params": f"login {SECRET}"}, {"stdout": SECRET, "stderr": SECRET, "cmd": SECRET}, {}),
        ("ansible.builtin.set_fact", {"a_fact": SECRET}, {"ansible_facts": {"a_fact": SECRET}}, {}),
    ],
)
def test_no_secret_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, action: str, args: dict[str, t.Any], result: dict[str, t.Any], fields: dict[str, t.Any]
) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log, include="all")
    plugin.v2_runner_on_failed(Result(action, args, result, **fields))
    assert len(_written(plugin, log)) == 2
    assert SECRET not in log.read_text("ascii")


def test_what_one_task_was_given_in_secret_stays_secret_in_the_records_of_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log)
    plugin.v2_runner_on_ok(_ours({"msg": f"before: {SECRET}x"}))
    plugin.v2_runner_on_ok(_ours({"msg": "x"}, api_key=SECRET))
    plugin.v2_runner_on_ok(_ours({"msg": f"before: {SECRET}x"}))
    assert SECRET not in log.read_text("ascii").splitlines()[-1] if _written(plugin, log) else False


def test_each_item_of_a_loop_is_an_operation_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log)
    items = [{**APPLIED, "item": "a"}, {"outcome": "rejected", "msg": "no", "item": "b"}, {"skipped": True, "item": "c"}, {"censored": "x", "item": SECRET}]
    plugin.v2_runner_on_failed(Result("day2.codex.slice", {"src": "{{ item }}"}, {"results": items, "msg": "all"}, loop="{{ x }}"))
    found = _written(plugin, log)[1:]
    assert [(record.get("item"), record["result"]["status"]) for record in found] == [("a", "ok"), ("b", "failed"), (None, "failed")]
    assert SECRET not in log.read_text("ascii")


def test_each_item_says_where_it_ran_and_with_which_options(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log)
    template = {"prefix": "/p/{{ item }}", "src": "{{ item }}"}
    items = []
    for name in "abc":
        item = {**APPLIED, "item": name, "ansible_loop_var": "item", "skipped": name == "b"}
        items.append(item)
        # A host may say what it likes of the options.
        item["invocation"] = {"module_args": {"prefix": HIDDEN, "src": "/other"}}
        one = Result("day2.codex.slice", {"prefix": f"/p/{name}", "src": name}, item, delegate_to=f"on-{name}")
        (plugin.v2_runner_item_on_skipped if name == "b" else plugin.v2_runner_item_on_ok)(one)
    items.insert(1, {"failed": True, "msg": "no such variable"})
    plugin.v2_runner_on_failed(Result("day2.codex.slice", template, {"results": items, "msg": "all"}, loop="{{ x }}", delegate_to="on-{{ item }}"))
    found = _written(plugin, log)[1:]
    assert [(record.get("item"), record.get("delegated_to"), record["options"]["prefix"]) for record in found] == [
        ("a", "on-a", "/p/a"), (None, "on-a, on-b, on-c", "/p/{{ item }}"), ("c", "on-c", "/p/c"),
    ]  # fmt: skip
    assert found[2]["host_head"]["log"] == "/p/c/var/log/codex-ops/audit.jsonl"
    assert not plugin._items


def test_a_host_cannot_blot_words_out_of_the_records_of_others(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log, include="all")
    args = {"src": "slices/rotate-everything.yml", "prefix": "/srv/prefix1"}
    hidden = {"invocation": {"module_args": dict.fromkeys(args, HIDDEN)}}
    plugin.v2_runner_on_ok(_ours({**APPLIED, **hidden}, **args))
    plugin.v2_runner_on_ok(Result("ansible.builtin.template", args, {"msg": args["src"], **hidden}))
    plugin.v2_runner_on_ok(_ours(APPLIED, **args))
    found = _written(plugin, log)
    for record in (found[1], found[3]):
        assert record["options"] == args and record["input"]["slice"] == args["src"]
        assert record["host_head"]["log"] == "/srv/prefix1/var/log/codex-ops/audit.jsonl"
    # Of a module that is not ours it is believed, for its own record.
    assert args["src"] not in json.dumps(found[2])


def test_the_secret_options_of_our_modules_are_known() -> None:
    marked = set()
    for path in [*(ROOT / "plugins/modules").glob("*.py"), ROOT / "plugins/module_utils/_arguments.py"]:
        marked |= set(re.findall(r'"(\w+)": \{[^{}]*"no_log": True', path.read_text("utf-8")))
    # These two are opaque and long: a recording, which tasks give by its path, and what the action plugin of engine makes.
    assert _audit.SECRET_OPTIONS == marked - {"cassette", "manifest"}


def test_equal_secrets_have_equal_marks_in_every_run(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    marks = set()
    # What a process of its own would have.
    for process_key in (b"1" * 32, b"2" * 32):
        monkeypatch.setattr(redaction, "_KEY", process_key)
        plugin = _started(monkeypatch, log)
        plugin.v2_runner_on_ok(_ours({"msg": f"was {SECRET}"}, api_key=SECRET, smtp_password=SECRET))
        record = _written(plugin, log)[-1]
        marks |= set(re.findall(r":([0-9a-f]{4})\]", json.dumps([record["options"], record["result"]])))
    assert len(marks) == 1
    assert (tmp_path / "audit.jsonl.redaction-key").stat().st_mode & 0o777 == 0o600


class Odd:
    """What no JSON can carry, and must never be turned into text."""

    def __str__(self) -> str:
        return SECRET

    __repr__ = __str__


def test_anything_becomes_a_record_of_bounded_size(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log)
    deep: t.Any = []
    for _level in range(500):
        deep = [deep]
    odd = {"deep": deep, "odd": Odd(), 7: b"\xff\0", "nan": float("nan"), "big": 2**80, "lone": "\udcff", "wide": ["x" * 100] * 50000, "long": "y" * 3000000}
    plugin.v2_runner_on_ok(_ours({**APPLIED, "commands": [{"command": "z" * 5000, "status": "denied"}] * 100}, inputs=odd))
    record = _written(plugin, log)[1]
    text = log.read_text("ascii")
    assert SECRET not in text
    assert len(text) < 6 * 2 * _audit_plain.MAX_ALL
    assert record["options"]["inputs"]["odd"] == "(Odd)"
    assert record["result"]["left_out"]
    # What is in it is whole.
    assert record["attempts"] and {attempt["command"] for attempt in record["attempts"]} == {"z" * 5000}
    jsonschema.validate(record, SCHEMA)


ANYTHING: list[t.Any] = [None, True, 7, 2**80, 1.5, float("nan"), "", "text", b"\xff", [], [7], {}, {"x": 7}, [{"x": 7}], [{"command": 7, "status": []}], Odd()]


@pytest.mark.parametrize("value", ANYTHING, ids=lambda value: type(value).__name__)
def test_whatever_a_host_answers_the_record_has_the_published_form(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, value: object) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log, include="all")
    names = [*APPLIED, "approval", "code", "rolled_back", "violations", "diff", "invocation"]
    for name in names:
        plugin.v2_runner_on_ok(_ours({**APPLIED, name: value}, slice=value))
    plugin.v2_runner_on_ok(_ours({**APPLIED, "plan": dict.fromkeys(APPLIED["plan"], value)}))
    plugin.v2_runner_on_ok(Result("ansible.builtin.debug", {"msg": value}, {"msg": value, "diff": value}))
    found = _written(plugin, log)
    assert len(found) == 1 + len(names) + 2
    for record in found:
        jsonschema.validate(record, SCHEMA)


def test_a_log_that_cannot_be_written_stops_everything_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    plugin = _plugin(monkeypatch, tmp_path / "file" / "audit.jsonl")
    with pytest.raises(SystemExit) as stopped:
        plugin.v2_playbook_on_start(None)
    assert stopped.value.code == 1
    assert "Nothing was run" in capsys.readouterr().err


@pytest.mark.parametrize("options", [{"mode": "lax"}, {"include": "some"}, {"sinks": "syslog"}, {"sinks": "mail"}, {"max_bytes": "x"}])
def test_an_option_that_is_wrong_stops_everything_too(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, options: dict[str, str]) -> None:
    plugin = _plugin(monkeypatch, tmp_path / "audit.jsonl", **options)
    with pytest.raises(SystemExit):
        plugin.v2_playbook_on_start(None)
    assert not (tmp_path / "audit.jsonl").exists()


@pytest.mark.parametrize(("kind", "said"), [("folder", "is a folder"), ("link", "is a symbolic link"), ("pipe", "is a named pipe")])
def test_what_is_no_file_is_called_what_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], kind: str, said: str
) -> None:
    log = tmp_path / "audit.jsonl"
    if kind == "folder":
        log.mkdir()
    elif kind == "link":
        log.symlink_to(tmp_path / "other")
    else:
        os.mkfifo(log)
    with pytest.raises(SystemExit):
        _plugin(monkeypatch, log).v2_playbook_on_start(None)
    words = " ".join(capsys.readouterr().err.split())
    assert said in words and "must be an ordinary file" in words and "Make room" not in words


def test_in_strict_mode_no_task_starts_after_a_record_was_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log)
    log.rename(tmp_path / "away")
    log.mkdir()
    with pytest.raises(SystemExit):
        plugin.v2_runner_on_ok(_ours(APPLIED))
        plugin.v2_playbook_on_task_start(None, False)


def test_in_warn_mode_the_play_goes_on_and_the_loss_is_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log, mode="warn")
    log.rename(tmp_path / "away")
    log.mkdir()
    for _number in range(3):
        plugin.v2_runner_on_ok(_ours(APPLIED))
        plugin.v2_playbook_on_task_start(None, False)
    log.rmdir()
    (tmp_path / "away").rename(log)
    plugin.v2_runner_on_ok(_ours(APPLIED))
    assert _written(plugin, log)[-1]["result"]["records_lost"] == 3
    plugin.v2_playbook_on_stats(type("Stats", (), {"processed": {}, "summarize": dict})())
    assert capsys.readouterr().err.count("cannot be kept") == 1
    assert _written(plugin, log)[-1]["result"]["records_lost"] == 3


def test_a_log_that_is_replaced_while_the_play_runs_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log)
    log.unlink()
    with pytest.raises(SystemExit):
        plugin.v2_runner_on_ok(_ours(APPLIED))
        plugin.v2_playbook_on_task_start(None, False)
    assert "cut or replaced" in capsys.readouterr().err


def test_what_ansible_hands_over_wrongly_is_not_swallowed(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    plugin = _started(monkeypatch, tmp_path / "audit.jsonl")
    broken = _ours(APPLIED)
    del broken._task_fields
    with pytest.raises(SystemExit):
        plugin.v2_runner_on_ok(broken)


def test_the_syslog_gets_a_copy_of_each_record(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log, address = tmp_path / "audit.jsonl", tmp_path / "dev-log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.settimeout(10)
        plugin = _started(monkeypatch, log, sinks="file,syslog", syslog_address=str(address))
        plugin.v2_runner_on_ok(_ours(APPLIED, api_key=SECRET))
        plugin.v2_runner_on_ok(_ours({**APPLIED, "msg": "x" * 20000}))
        found = _written(plugin, log)
        copies = [listener.recv(100_000).decode("ascii") for _record in found]
    assert [copy.split(",", 1)[0].partition(": ")[2] for copy in copies] == [f'{{"hash":"{record["hash"]}"' for record in found]
    assert all(re.match(r"<86>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d codex-ops\[\d+\]: ", copy) for copy in copies)
    assert json.loads(copies[1].partition(": ")[2]) == found[1]
    assert SECRET not in "".join(copies) and "[cut:" in copies[2]


def test_a_syslog_that_does_not_listen_is_said_once_and_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log, sinks="file,syslog", syslog_address=str(tmp_path / "nobody"))
    plugin.v2_runner_on_ok(_ours(APPLIED))
    assert len(_written(plugin, log)) == 2
    assert " ".join(capsys.readouterr().err.split()).count("does not take copies") == 1


def test_the_head_is_handed_to_the_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    plugin = _started(monkeypatch, log)
    plugin.v2_runner_on_ok(_ours(APPLIED))
    found = _written(plugin, log)
    assert os.environ["DAY2_CODEX_CONTROLLER_HEAD"] == f"{found[0]['hash'][:16]}:{found[-1]['seq']}:{found[-1]['hash']}"


def test_the_log_is_known_to_hosts_by_its_first_record_wherever_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log, moved = tmp_path / "audit.jsonl", tmp_path / "elsewhere.jsonl"
    _started(monkeypatch, log)._settle()
    before = os.environ["DAY2_CODEX_CONTROLLER_HEAD"].split(":")
    log.rename(moved)
    _started(monkeypatch, moved, max_bytes="1")._settle()
    after = os.environ["DAY2_CODEX_CONTROLLER_HEAD"].split(":")
    assert before[0] == after[0] and (before[1], after[1]) == ("1", "2")


def test_a_large_log_is_rotated_and_the_chain_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "audit.jsonl"
    for _run in range(3):
        _started(monkeypatch, log, max_bytes="1")._settle()
    assert sorted(path.name for path in tmp_path.glob("audit.jsonl*") if not path.name.endswith("-key")) == [
        "audit.jsonl",
        "audit.jsonl.000000000001",
        "audit.jsonl.000000000002",
    ]
    assert verify(str(log))[:3] == (True, verify(str(log)).head, 3)


def test_awx_is_named_by_its_job_and_user_and_its_passwords_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_ID", "42")
    monkeypatch.setenv("AWX_HOST", "https://awx.example.com")
    monkeypatch.setenv("TOWER_PASSWORD", SECRET)
    monkeypatch.setenv("AWX_OAUTH_TOKEN", SECRET)
    job, user = _audit.caller({"awx_user_name": "ada", "awx_job_template_name": "Inbox", "awx_webhook_payload": SECRET})
    assert job == "42"
    assert user["via"]["awx_user"] == "ada" and user["via"]["awx_host"] == "https://awx.example.com"
    assert SECRET not in json.dumps(user)
    assert _audit.caller({"awx_job_id": 7})[0] == "7"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("password", True), ("smtp_password", True), ("clientSecret", True), ("api-key", True), ("GITHUB_TOKEN", True), ("privateKey", True),
        ("password_file", False), ("tokens", False), ("key", False), ("passenger", False), ("compass", False), ("api_key_file", False), ("author", False),
    ],
)  # fmt: skip
def test_names_of_secrets_are_told_from_others(name: str, secret: bool) -> None:
    assert _audit_plain.secret_name(name) is secret
