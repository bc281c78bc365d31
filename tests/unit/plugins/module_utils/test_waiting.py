# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""job_info says which plans wait for people's approval, and nothing of those that do not; it changes nothing."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox
from ansible_collections.day2.codex.plugins.module_utils._jobs import info, kill_switch
from ansible_collections.day2.codex.plugins.module_utils._options import Options
from ansible_collections.day2.codex.plugins.module_utils._places import Places
from ansible_collections.day2.codex.plugins.module_utils._working import work

CALL = {"type": "function_call", "call_id": "c1", "name": "exec_command", "arguments": json.dumps({"cmd": "sed -i s/norply@/noreply@/ inbox.yml"})}
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": '{"status": "changed"}'}]}
CAREFUL = {"version": 1, "exchanges": [{"response": {"items": [CALL]}}, {"response": {"items": [MESSAGE]}}]}


class Host:
    """A prefix on which two jobs planned a change each, of the same slice."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.prefix = str(folder / "prefix")
        self.places = Places(self.prefix)
        (folder / "inbox").mkdir()
        (folder / "inbox/inbox.yml").write_text("sender: norply@inbox.example.com\n", "utf-8")
        document = {
            "name": "inbox", "category": "configuration_change", "workspace": str(folder / "inbox"), "scope": {"include": ["**"]},
            "instructions": "Correct the sender.", "values": {"incorrect": [{"value": "norply@inbox.example.com"}]},
        }  # fmt: skip
        os.makedirs(self.places.slices)
        pathlib.Path(self.places.slices, "inbox.json").write_text(json.dumps(document), "utf-8")
        self.policy("approval")
        self.places.prepare()
        self.inbox = Inbox(self.places.inbox)
        codex = os.environ.get("DAY2_CODEX_CLI", "")
        assert os.path.exists(codex), "DAY2_CODEX_CLI must name the real Codex CLI. 'make test' sets it."
        self.options = Options(prefix=self.prefix, codex_path=codex, cassette=CAREFUL, cassette_mode="replay", rerun="always")
        self.jobs = [self.inbox.enqueue("inbox", dedupe_key=key, requested_by=["unix:cron"])[0].id for key in "ab"]
        self.results = [work(self.options, job) for job in self.jobs]

    def policy(self, autonomy: str, **more: t.Any) -> None:
        said = {"version": 1, "categories": {"configuration_change": {"autonomy": autonomy}}, "ad_hoc": "category", **more}
        pathlib.Path(self.places.policy).write_text(json.dumps(said), "utf-8")

    def ask(self) -> dict[str, t.Any]:
        found = info(self.prefix, {}, limit=10, history=False, content=False, plans=True)
        return t.cast("dict[str, t.Any]", json.loads(json.dumps(found))["plans"])


@pytest.fixture(name="host", scope="module")
def _host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    return Host(tmp_path_factory.mktemp("host"))


def _tree(folder: str) -> list[tuple[str, float]]:
    return sorted((path, os.lstat(path).st_mtime) for above, _folders, files in os.walk(folder) for path in [above, *(f"{above}/{name}" for name in files)])


def test_each_plan_that_a_job_waits_with_is_there_with_what_a_person_has_to_know(host: Host) -> None:
    assert [result["outcome"] for result in host.results] == ["awaiting_approval"] * 2
    before = _tree(host.prefix)
    found = host.ask()
    assert _tree(host.prefix) == before
    assert {plan["id"]: plan["job"] for plan in found["waiting"]} == {result["plan"]["id"]: job for result, job in zip(host.results, host.jobs)}
    assert {plan["sha256"] for plan in found["waiting"]} == {result["plan"]["sha256"] for result in host.results}
    plan = found["waiting"][0]
    assert (plan["slice"], plan["files"], plan["added"], plan["removed"]) == ("inbox", 1, 1, 1)
    assert (plan["approvals_needed"], plan["approved_by"], plan["replayed"]) == (1, [], True)
    assert "unix:cron" in plan["requested_by"] and (found["left_off"], found["unreadable"]) == (0, 0)


def test_of_plans_without_a_job_only_the_newest_of_a_slice_waits(host: Host) -> None:
    from ansible_collections.day2.codex.plugins.module_utils._waiting import plans

    found = plans(host.prefix, ())["waiting"]
    assert [plan["id"] for plan in found] == [max(result["plan"]["id"] for result in host.results)]


def test_a_plan_that_is_older_than_one_that_was_used_does_not_come_back(host: Host) -> None:
    from ansible_collections.day2.codex.plugins.module_utils._waiting import plans

    newest = pathlib.Path(host.places.run_dir(max(result["plan"]["id"] for result in host.results)))
    (newest / "spent").touch()
    whole = (newest / "plan.json").read_bytes()
    try:
        assert plans(host.prefix, ())["waiting"] == []
        # Of what was used, nothing is to be decided.
        (newest / "plan.json").write_bytes(b"{")
        assert plans(host.prefix, ())["unreadable"] == 0
    finally:
        (newest / "spent").unlink()
        (newest / "plan.json").write_bytes(whole)


def test_no_more_is_read_than_a_host_can_bear_and_what_is_not_read_is_counted(host: Host) -> None:
    from ansible_collections.day2.codex.plugins.module_utils._waiting import plans

    ids = sorted((result["plan"]["id"] for result in host.results), reverse=True)
    size = os.path.getsize(os.path.join(host.places.run_dir(ids[0]), "plan.json"))
    found = plans(host.prefix, ids, size)
    assert ([plan["id"] for plan in found["waiting"]], found["left_off"], found["unreadable"]) == (ids[:1], 1, 0)
    assert [len(plans(host.prefix, ids, bytes_)["waiting"]) for bytes_ in (0, size - 1, 3 * size)] == [0, 0, 2]


def test_what_is_used_forbidden_or_out_of_date_waits_for_nobody(host: Host) -> None:
    spent = pathlib.Path(host.places.run_dir(host.results[0]["plan"]["id"]), "spent")
    spent.touch()
    try:
        assert [plan["job"] for plan in host.ask()["waiting"]] == [host.jobs[1]]
    finally:
        spent.unlink()
    for autonomy in ("automatic", "forbidden"):
        host.policy(autonomy)
        assert host.ask()["waiting"] == []
    host.policy("approval", limits={"runs_per_hour": 59})
    assert host.ask() == {"waiting": [], "left_off": 0, "unreadable": 0}
    host.policy("approval")
    assert len(host.ask()["waiting"]) == 2


def test_a_damaged_plan_hides_no_other(host: Host) -> None:
    path = pathlib.Path(host.places.run_dir(host.results[0]["plan"]["id"]), "plan.json")
    whole = path.read_bytes()
    try:
        for raw in (b"{", b"[]", b'{"version": 2}', whole.replace(b"noreply", b"noreplY"), b"x" * 9_000_000):
            path.write_bytes(raw)
            found = host.ask()
            assert ([plan["job"] for plan in found["waiting"]], found["unreadable"]) == ([host.jobs[1]], 1)
    finally:
        path.write_bytes(whole)


def test_signal_and_input_can_be_left_out(host: Host) -> None:
    job = host.inbox.enqueue("inbox", {"signal": "disk"}, "big", input_="x" * 100_000)[0].id
    light, whole = (info(host.prefix, {"id": job}, limit=1, history=False, content=content)["jobs"][0] for content in (False, True))
    assert (light["signal"], light["input"], light["id"]) == (None, None, job) and len(whole["input"]) == 100_000 and whole["signal"]


def test_the_kill_switch_is_told_in_characters_that_can_be_seen(host: Host) -> None:
    assert kill_switch(host.prefix)["engaged"] is os.path.lexists("/etc/codex-ops/disabled")
    switch = pathlib.Path(host.places.kill_switch)
    switch.write_text(json.dumps({"reason": "Incident \u115f", "by": "ada", "since": "2026-01-15T03:15:00+00:00"}), "utf-8")
    try:
        found = kill_switch(host.prefix)
        assert (found["engaged"], found["reason"], found["by"]) == (True, "Incident \\u{115f}", "ada")
    finally:
        switch.unlink()
