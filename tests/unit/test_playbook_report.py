# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook day2.codex.report asks real hosts, writes page and data for its group alone, and is stopped by no host."""

from __future__ import annotations

import html
import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap
import typing as t

import jsonschema
import pytest
import yaml

from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox
from ansible_collections.day2.codex.plugins.module_utils._options import Options
from ansible_collections.day2.codex.plugins.module_utils._places import Places
from ansible_collections.day2.codex.plugins.module_utils._trail import log as trail
from ansible_collections.day2.codex.plugins.module_utils._working import work

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "schemas/fleet-report.schema.json").read_text("utf-8"))
GUIDE = (ROOT / "docs/docsite/rst/guide_report.rst").read_text("utf-8")
CALL = {"type": "function_call", "call_id": "c1", "name": "exec_command", "arguments": json.dumps({"cmd": "sed -i s/norply@/noreply@/ inbox.yml"})}
REPORT = {"status": "changed", "summary": "The sender is <b>right</b> now.\u202e {{ 6 * 7 }}", "findings": [{"severity": "WARNING", "summary": "Wrong."}]}
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": json.dumps(REPORT)}]}
TAPE = {"version": 1, "exchanges": [{"response": {"items": [CALL], "usage": {"input_tokens": 900, "output_tokens": 40}}}, {"response": {"items": [MESSAGE]}}]}


class Fleet:
    """A host with a plan that waits, one with an empty inbox, one with a damaged one, one that is not there, and one of which nobody knows the prefix."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        (folder / "collections/ansible_collections/day2").mkdir(parents=True)
        (folder / "collections/ansible_collections/day2/codex").symlink_to(ROOT)
        self.places = Places(str(folder / "mail/prefix"))
        self._plan(folder / "mail")
        Places(str(folder / "empty")).prepare()
        Places(str(folder / "damaged")).prepare()
        damaged = pathlib.Path(Places(str(folder / "damaged")).inbox)
        damaged.write_bytes(b"SQLite format 3\0" + b"no" * 4000)
        damaged.chmod(0o600)
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        hosts: dict[str, t.Any] = {
            "mail": {**local, "report_prefix": self.places.prefix},
            "empty": {**local, "report_prefix": str(folder / "empty")},
            "damaged": {**local, "report_prefix": str(folder / "damaged")},
            "gone": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "report_prefix": "/nowhere"},
            "undefined": {**local, "report_prefix": "{{ nobody_says }}/prefix"},
        }
        (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}), "utf-8")

    def _plan(self, folder: pathlib.Path) -> None:
        (folder / "inbox").mkdir(parents=True)
        (folder / "inbox/inbox.yml").write_text("sender: norply@inbox.example.com\n", "utf-8")
        document = {
            "name": "inbox-sender", "category": "configuration_change", "workspace": str(folder / "inbox"), "scope": {"include": ["**"]},
            "instructions": "Correct the sender.", "values": {"incorrect": [{"value": "norply@inbox.example.com"}]},
        }  # fmt: skip
        os.makedirs(self.places.slices)
        pathlib.Path(self.places.slices, "inbox-sender.json").write_text(json.dumps(document), "utf-8")
        policy = {"version": 1, "categories": {"configuration_change": {"autonomy": "approval"}}, "ad_hoc": "category"}
        pathlib.Path(self.places.policy).write_text(json.dumps(policy), "utf-8")
        self.places.prepare()
        inbox = Inbox(self.places.inbox)
        self.job = inbox.enqueue("inbox-sender", requested_by=["unix:cron"])[0].id
        inbox.close()
        codex = os.environ.get("DAY2_CODEX_CLI", "")
        assert os.path.exists(codex), "DAY2_CODEX_CLI must name the real Codex CLI. 'make test' sets it."
        self.result = work(Options(prefix=self.places.prefix, codex_path=codex, cassette=TAPE, cassette_mode="replay"), self.job)
        assert self.result["outcome"] == "awaiting_approval"

    def run(self, *given: str, code: int = 0, become: tuple[str, ...] = ("-e", "report_become=false")) -> str:
        """What the playbook says."""
        environment = {
            "PATH": os.environ["PATH"], "PWD": "/nowhere", "HOME": str(self.folder), "LANG": "C.UTF-8", "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"), "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"), "ANSIBLE_SSH_RETRIES": "0",
            "ANSIBLE_TIMEOUT": "5",
        }  # fmt: skip
        command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", "inventory.yml", *become, *given]
        done = subprocess.run(command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    def data(self, name: str) -> t.Any:
        found = json.loads((self.folder / f"{name}.json").read_text("utf-8"))
        jsonschema.validate(found, SCHEMA)
        return found


@pytest.fixture(name="fleet", scope="module")
def _fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    return Fleet(tmp_path_factory.mktemp("fleet"))


def test_every_host_is_on_the_page_whether_it_answers_or_not(fleet: Fleet) -> None:
    before = list(trail.records(fleet.places.log))
    said = fleet.run("day2.codex.report", "-v", "-e", "report_hosts=all", "-e", "report_path=page.html")
    assert "5 hosts (3 not asked)" in said and "<h1>" not in said and "data_sha256" not in said
    assert list(trail.records(fleet.places.log)) == before
    found = fleet.data("page")
    hosts = {host["name"]: host for host in found["hosts"]}
    assert set(hosts) == {"mail", "empty", "damaged", "gone", "undefined"}
    assert "could not be reached: " in hosts["gone"]["problem"] and "job_info failed: " in hosts["damaged"]["problem"] and not hosts["empty"]["problem"]
    # Under / there may be another installation.
    assert "nobody_says" in hosts["undefined"]["problem"] and not hosts["undefined"]["inbox_known"] and hosts["undefined"]["log"]["exists"] is None
    plan = fleet.result["plan"]
    assert [(one["host"], one["id"], one["sha256"], one["job"]) for one in found["approvals"]] == [("mail", plan["id"], plan["sha256"], fleet.job)]
    assert "unix:cron" in found["approvals"][0]["requested_by"]
    cell = hosts["mail"]["cells"][0]
    assert (cell["runbook"], cell["status"], cell["report"]["summary"]) == ("inbox-sender", "waits", "The sender is <b>right</b> now.\\u{202e} {{ 6 * 7 }}")
    assert f'"prefix": "{fleet.places.prefix}"' in html.unescape((fleet.folder / "page.html").read_text("utf-8"))
    assert cell["tokens"] == fleet.result["usage"]["total_tokens"] > 0
    assert hosts["mail"]["log"]["verified"] is True and hosts["mail"]["log"]["head"]["seq"] == len(before)
    page = (fleet.folder / "page.html").read_text("utf-8")
    assert plan["sha256"] in page and "<b>right" not in page and "{{ 6 * 7 }}" in page and "could not be reached" in page
    for name in ("page.html", "page.json"):
        assert (fleet.folder / name).stat().st_mode & 0o777 == 0o640


def test_check_mode_writes_nothing_and_a_second_page_with_the_same_data_is_no_change(fleet: Fleet) -> None:
    given = ("day2.codex.report", "-e", "report_hosts=mail,empty", "-e", f"report_path={fleet.folder}/second.html")
    said = fleet.run(*given, "--check", "--diff")
    assert "changed=2" in said and not (fleet.folder / "second.html").exists() and "<html" not in said and "+++" not in said
    assert "changed=2" in fleet.run(*given)
    first = fleet.data("second")
    assert set(re.findall(r"changed=(\d)", fleet.run(*given))) == {"0"}
    second = fleet.data("second")
    # The page is of now all the same.
    assert second["made"] > first["made"] and second["data_sha256"] == first["data_sha256"]
    pathlib.Path(fleet.places.kill_switch).write_text("Incident 4711", "utf-8")
    try:
        assert "changed=2" in fleet.run(*given)
    finally:
        os.unlink(fleet.places.kill_switch)
    assert fleet.data("second")["totals"]["kill_switches"] == 1


def test_a_path_that_is_none_is_said_before_any_host_is_asked(fleet: Fleet) -> None:
    path = "report_path=x.html"
    for given in ([], ["report_path=page.txt"], [path, "report_days=0"], [path, '{"report_days": 0}'], [path, "report_days=all"]):
        options = [word for option in given for word in ("-e", option)]
        said = fleet.run("day2.codex.report", "-e", "report_hosts=empty", *options, code=2)
        assert "Say where the page is to be written" in said and "Ask for" not in said


def test_the_page_of_the_guide_is_made_for_real(fleet: Fleet) -> None:
    block = re.findall(r"\.\. code-block:: console\n   :caption: command: the page\n\n((?:    .*\n)+)", GUIDE)[0]
    words = textwrap.dedent(block).split()
    assert words[0] == "ansible-playbook"
    (fleet.folder / "reports").mkdir(exist_ok=True)
    fleet.run(*words[1:], "--limit", "mail")
    assert [host["name"] for host in fleet.data("reports/codex")["hosts"]] == ["mail"]


def test_a_log_is_not_verified_where_that_is_switched_off_in_json(fleet: Fleet) -> None:
    fleet.run("day2.codex.report", "-e", "report_hosts=mail", "-e", "report_path=off.html", "-e", '{"report_verify": false}')
    assert fleet.data("off")["hosts"][0]["log"]["verified"] is None


@pytest.mark.parametrize(("playbook", "name"), [("report", "report_become"), ("approve", "approve_become")])
def test_nobody_becomes_root_where_that_is_switched_off_however_it_is_said(fleet: Fleet, playbook: str, name: str) -> None:
    plays = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text("utf-8"))
    become = {part["become"] for play in plays for part in (play, *play["tasks"]) if name in str(part.get("become"))}
    assert len(become) == 1
    # Under / the default is to become root, so this is asked without doing it.
    ask = {"hosts": "localhost", "gather_facts": False, "vars": {"__report_prefix": "/", "found": become.pop()}}
    ask["tasks"] = [{"ansible.builtin.debug": {"msg": "so it is: {{ found }}"}}]
    (fleet.folder / "ask.yml").write_text(yaml.safe_dump([ask]), "utf-8")
    for given, found in ((f"{name}=false", False), (f'{{"{name}": false}}', False), (f'{{"{name}": true}}', True), ("nothing=at all", True)):
        assert f"so it is: {found}" in fleet.run("ask.yml", "-e", given, become=())


def test_where_no_host_is_left_the_page_says_so_and_is_not_the_one_of_yesterday(fleet: Fleet) -> None:
    given = ("day2.codex.report", "-e", "report_path=last.html")
    fleet.run(*given, "-e", "report_hosts=empty")
    assert len(fleet.data("last")["hosts"]) == 1
    for more in (("-e", "report_hosts=nobody"), ("-e", "report_hosts=mail", "--limit", "empty")):
        fleet.run(*given, *more)
        assert fleet.data("last")["hosts"] == [] and "no host was asked" in (fleet.folder / "last.html").read_text("utf-8")
        (fleet.folder / "last.html").unlink()


def test_a_host_that_cannot_be_reached_and_is_alone_is_on_the_page(fleet: Fleet) -> None:
    fleet.run("day2.codex.report", "-e", "report_hosts=all", "-e", "report_path=alone.html", "--limit", "gone")
    assert [(host["name"], host["status"]) for host in fleet.data("alone")["hosts"]] == [("gone", "not asked")]
