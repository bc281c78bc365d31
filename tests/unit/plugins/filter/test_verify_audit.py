# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Logs that do not fit each other are named, with who says so; what one host answers hides nothing of the others."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.filter.verify_audit import FilterModule
from ansible_collections.day2.codex.plugins.module_utils._trail.log import append, first
from ansible_collections.day2.codex.plugins.module_utils._trail.query import info

ROOT = pathlib.Path(__file__).resolve().parents[4]
judge = FilterModule().filters()["verify_audit"]


class Fleet:
    """Hosts a, b and c, a controller, and three operations on each host: each log remembers the other."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.controller = str(folder / "controller.jsonl")
        self.logs = {}
        for host in "abc":
            path = folder / host / "var/log/codex-ops/audit.jsonl"
            path.parent.mkdir(parents=True)
            self.logs[host] = str(path)
        append(self.controller, {"phase": "intent"})
        for _round in range(3):
            for host in self.logs:
                self.work(host)

    def work(self, host: str, name: str | None = None, **anchor: t.Any) -> None:
        """One operation on *host*, for a task of the host *name*."""
        log = self.logs[host]
        before = append(self.controller, {"phase": "intent"})
        made = append(log, {"phase": "outcome", "anchor": {"log": self.id, **before, **anchor}})
        append(self.controller, {"task_host": name or host, "host_head": {"log": log, "first": first(log), **made}})

    @property
    def id(self) -> str:
        return str(first(self.controller))[:16]

    def known(self) -> dict[str, t.Any]:
        return info(self.controller, wanted={}, limit=0, check=False, memory=True)

    def answers(self, host: str, *others: str) -> list[dict[str, t.Any]]:
        items = judge(self.known(), "to_verify", host, self.logs[host], others)
        found = [{**info(item["path"], wanted={}, limit=0, check=True, anchors=item["anchors"], memory=True), "item": item} for item in items]
        return t.cast("list[dict[str, t.Any]]", json.loads(json.dumps(found)))

    def of_host(self, host: str, *others: str) -> str:
        return "\n".join(judge(self.answers(host, *others), "host", host)["findings"])

    def of_controller(self, *others: str, answers: t.Sequence[t.Any] = (), inventory: str = "abc", **options: t.Any) -> str:
        every = [answer for host in self.logs for answer in self.answers(host)] + list(answers)
        held = judge(every, "anchors", self.known(), others)
        verdict = info(self.controller, wanted={}, limit=0, check=True, anchors=held["anchors"])
        return "\n".join(judge(verdict, "controller", self.known(), held, list(inventory), **options)["findings"])


@pytest.fixture
def fleet(tmp_path: pathlib.Path) -> Fleet:
    return Fleet(tmp_path)


def _cut(path: str, lines: int) -> None:
    kept = pathlib.Path(path).read_bytes().splitlines(True)
    pathlib.Path(path).write_bytes(b"".join(kept[:lines]))


def test_logs_that_fit_each_other_are_right(fleet: Fleet) -> None:
    assert [fleet.of_host(host) for host in "abc"] == ["", "", ""] and fleet.of_controller() == ""


def test_a_log_that_was_moved_is_still_known(fleet: Fleet, tmp_path: pathlib.Path) -> None:
    os.rename(fleet.controller, tmp_path / "elsewhere")
    fleet.controller = str(tmp_path / "elsewhere")
    assert fleet.of_controller() == ""
    _cut(fleet.controller, 4)
    assert "TAMPERED: the controller's log, record " in fleet.of_controller()


def test_a_log_that_is_not_there_is_no_good_log(fleet: Fleet) -> None:
    os.unlink(fleet.controller)
    os.unlink(fleet.logs["a"])
    assert fleet.of_host("a").startswith("MISSING: a, ") and judge(fleet.answers("a"), "host", "a", True)["findings"] == []
    pathlib.Path(fleet.controller).touch()
    assert fleet.of_controller("all").startswith("MISSING: the controller's log")
    assert fleet.of_controller("all", allow_missing=True) == ""


def test_a_controllers_log_that_is_another_one_is_named(fleet: Fleet) -> None:
    before = fleet.id
    os.unlink(fleet.controller)
    append(fleet.controller, {"phase": "intent", "another": True})
    said = fleet.of_controller()
    assert f"UNKNOWN LOG: {before} is remembered by a, b, c" in said and "UNANCHORED" in said
    for others in (before, "all"):
        assert fleet.of_controller(others).startswith("UNANCHORED") and fleet.of_controller(others, allow_unanchored=True) == ""


def test_a_host_that_is_in_no_inventory_is_named(fleet: Fleet) -> None:
    fleet.work("a", name="{{ item }}")
    fleet.work("a", name="old1")
    assert "UNKNOWN HOST" in fleet.of_controller() and "old1, {{ item }}" in fleet.of_controller()
    assert fleet.of_controller(gone=["old1", "{{ item }}"]) == ""


def test_another_host_of_the_same_name_is_said_and_can_be_named(fleet: Fleet, tmp_path: pathlib.Path) -> None:
    kept = str(first(fleet.logs["a"]))
    os.rename(fleet.logs["a"], tmp_path / "of-the-other-a")
    fleet.work("a")
    fleet.work("a")
    assert "TAMPERED: a, record 1. " in fleet.of_host("a") and "replaced" in fleet.of_host("a")
    assert fleet.of_host("a", kept[:16]) == ""


def test_a_host_that_remembers_what_never_was_is_named_with_those_who_agree(fleet: Fleet) -> None:
    fleet.work("b", hash="0" * 64)
    fleet.work("c")
    said = fleet.of_controller()
    assert said.startswith("DISPUTED: the controller's log, record 20. ") and "remembered differently by b" in said and "c agrees" in said


@pytest.mark.parametrize(
    "anchor", [{"seq": 0}, {"seq": -1}, {"seq": True}, {"seq": "4"}, {"seq": 10**30}, {"hash": "x"}, {"hash": 7}, {"log": None}, {"first": "x"}], ids=str
)
def test_a_damaged_memory_is_a_finding_about_its_host_and_hides_no_other(fleet: Fleet, anchor: dict[str, t.Any]) -> None:
    fleet.work("b", **anchor)
    with open(fleet.logs["a"], "ab") as handle:
        handle.write(b"junk\n")
    assert "TAMPERED: b, record 4. " in fleet.of_host("b")
    assert "TAMPERED: a, record 4. " in fleet.of_host("a")
    assert fleet.of_host("c") == "" and fleet.of_controller() == ""
    _cut(fleet.controller, 4)
    assert "TAMPERED: the controller's log" in fleet.of_controller() and "remembered by c" in fleet.of_controller()


ROWS: list[t.Any] = [7, None, "x", [], {}, {"seq": 1}, {"record": [], "malformed": {}}, {"log": "x" * 16, "seq": 1.5, "hash": "0" * 64}]
NONSENSE: list[t.Any] = [None, 7, "x", [], {}, {"verified": "yes"}, {"verified": False}, {"verified": False, "first_bad": [], "msg": {}}, *[
    {"verified": True, "head": {}, "remembered": [row], "healed": [row], "item": {"host": "z", "path": "/z"}} for row in ROWS
], {"verified": True, "head": {}, "remembered": 7, "healed": 7, "item": 7}]  # fmt: skip


@pytest.mark.parametrize("answer", NONSENSE, ids=str)
def test_whatever_a_host_answers_it_hides_no_finding(fleet: Fleet, answer: object) -> None:
    found = judge([answer, *fleet.answers("c")], "host", "z")
    assert all(isinstance(text, str) for text in found["findings"] + found["says"])
    assert judge(answer, "host", "z")["findings"]
    _cut(fleet.controller, 4)
    assert "TAMPERED: the controller's log" in fleet.of_controller(answers=[answer])


def test_what_a_crash_left_is_said(fleet: Fleet) -> None:
    with open(fleet.logs["a"], "ab") as handle:
        handle.write(b'{"ha')
    fleet.work("a")
    assert fleet.of_host("a") == ""
    assert "torn lines before these records" in judge(fleet.answers("a"), "host", "a")["says"][1]


def test_a_step_that_there_is_not_is_an_error() -> None:
    for arguments in (("nosuch",), ("host",)):
        with pytest.raises(AnsibleFilterError, match="day2.codex.verify_audit: "):
            judge([], *arguments)


def test_the_playbook_judges_every_host_whatever_one_of_them_holds(fleet: Fleet, tmp_path: pathlib.Path) -> None:
    fleet.work("b", seq=0)
    with open(fleet.logs["a"], "ab") as handle:
        handle.write(b"junk\n")
    collections = tmp_path / "collections/ansible_collections/day2"
    collections.mkdir(parents=True)
    (collections / "codex").symlink_to(ROOT)
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {host: {**local, "folder": str(tmp_path / host)} for host in "abc"}
    hosts["d"] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "folder": "/nowhere"}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}), "utf-8")
    (tmp_path / "vars.json").write_text(json.dumps({"verify_audit_prefix": "{{ folder }}"}), "utf-8")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "ANSIBLE_NOCOLOR": "1", "DAY2_CODEX_AUDIT_LOG": fleet.controller,
    }  # fmt: skip

    def play(*more: str) -> tuple[int, str]:
        command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", str(tmp_path / "hosts.json"), "day2.codex.verify_audit"]
        command += ["-e", "verify_audit_hosts=all", "-e", f"@{tmp_path}/vars.json", *more]
        done = subprocess.run(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        return done.returncode, " ".join(done.stdout.split())

    code, said = play()
    assert code != 0 and "TAMPERED: a, record 4. " in said and "TAMPERED: b, record 4. " in said and "c: The chain of 3 records holds" in said
    assert "3 records that 1 hosts remember were held against the controller's log" in said
    assert set(re.findall("TAMPERED: ([^,]+), record", said)) == {"a", "b"} and re.search(r"\bd : ok=0 changed=0 unreachable=1", said)
    assert play("--limit", "c")[0] == 0
    _cut(fleet.controller, 4)
    code, said = play()
    assert code != 0 and all(f"TAMPERED: {who}, record" in said for who in ("a", "b", "the controller's log"))
