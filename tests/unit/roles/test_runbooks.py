# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every runbook that is shipped has its form, says what it may never do, and is rehearsed with the real Codex CLI."""

from __future__ import annotations

import base64
import copy
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import typing as t

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.filter.delivery_document import FilterModule as Delivery
from ansible_collections.day2.codex.plugins.filter.rules_document import FilterModule as Rules
from ansible_collections.day2.codex.plugins.filter.runbook_documents import FilterModule
from ansible_collections.day2.codex.plugins.filter.schedule_entries import FilterModule as Schedule
from ansible_collections.day2.codex.plugins.module_utils._agent.cassette import load as load_cassette
from ansible_collections.day2.codex.plugins.module_utils._contract.document import load_schema, problems
from ansible_collections.day2.codex.plugins.module_utils._contract.report import check_schema, known_schema, local_form, read_report
from ansible_collections.day2.codex.plugins.module_utils._contract.slice import parse
from ansible_collections.day2.codex.plugins.module_utils._delivery.settings import load as load_delivery
from ansible_collections.day2.codex.plugins.module_utils._gates import defaults
from ansible_collections.day2.codex.plugins.module_utils._jobs import info
from ansible_collections.day2.codex.plugins.module_utils._operation import operate
from ansible_collections.day2.codex.plugins.module_utils._options import Options, Order
from ansible_collections.day2.codex.plugins.module_utils._signals import registry
from ansible_collections.day2.codex.plugins.module_utils._signals.options import checked
from ansible_collections.day2.codex.plugins.module_utils._signals.rules import load as load_rules
from ansible_collections.day2.codex.plugins.module_utils._trail import log as trail
from ansible_collections.day2.codex.plugins.plugin_utils._agent_action import load_document
from ansible_collections.day2.codex.plugins.plugin_utils._runbooks import RUNBOOK, SETTINGS

ROOT = pathlib.Path(__file__).resolve().parents[3]
FILES = ROOT / "roles/runbooks/files"
NAMES = sorted(path.name for path in FILES.iterdir())
entries = Schedule().filters()["schedule_entries"]
table = Rules().filters()["rules_document"]
delivery = Delivery().filters()["delivery_document"]
documents = FilterModule().filters()["runbook_documents"]

#: One for each collector, and the usual work.
OF_COLLECTORS = {
    "health": "health-report", "disk": "disk-report", "services": "service-report", "logs": "log-report", "certificates": "certificate-report",
    "endpoints": "endpoint-report", "backups": "backup-report", "cleanup": "cleanup-report", "dependencies": "dependency-report", "drift": "drift-report",
}  # fmt: skip
USUAL = {"backup-report", "cache-cleanup", "dependency-audit", "certificate-renewal", "service-restart", "repeated-errors", "audit-triage"}
#: Those that may change something. All others only read.
CHANGING = {"cache-cleanup": "files", "certificate-renewal": "actions", "service-restart": "actions"}
ENVELOPE = ("status", "summary", "findings", "proposed_actions", "confidence", "needs_human")


def _slice(name: str, **settings: t.Any) -> dict[str, t.Any]:
    made = documents([name], str(FILES), {name: settings} if settings else None)[0]
    return t.cast("dict[str, t.Any]", json.loads(base64.b64decode(made["slice"]["content_b64"])))


def _json(name: str, file: str) -> t.Any:
    return json.loads((FILES / name / file).read_text("utf-8"))


def _answer(name: str) -> str:
    """What the agent says at the end of the rehearsal."""
    return str(_json(name, "cassette.json")["exchanges"][-1]["response"]["items"][-1]["content"][0]["text"])


def test_there_is_a_runbook_for_every_collector_and_for_the_usual_work() -> None:
    assert set(OF_COLLECTORS) == set(registry.NAMES)
    assert set(NAMES) == set(OF_COLLECTORS.values()) | USUAL
    for collector, name in OF_COLLECTORS.items():
        signal = _json(name, "rehearsal.json")["inputs"]["signal"]
        assert signal["signal"] == collector and problems(signal, load_schema("signal")) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_has_its_files_and_its_slice_is_one(name: str) -> None:
    assert sorted(path.name for path in (FILES / name).iterdir()) == sorted(RUNBOOK)
    slice_ = parse(_slice(name))
    assert slice_.name == name and slice_.category in defaults.CATEGORIES
    assert isinstance(slice_.report_schema, dict) and slice_.limits["tokens"] <= 200000
    assert "**/.env" in slice_.document["scope"]["exclude"]
    assert "comes from outside" in slice_.document["instructions"]


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_only_reads_unless_it_is_known_to_change_something(name: str) -> None:
    document, schema = _slice(name), _json(name, "report.schema.json")
    may = CHANGING.get(name)
    assert bool(document.get("actions")) is (may == "actions")
    assert (document["limits"]["files"], document["limits"]["changed_lines"]) == (0, 0) if may != "files" else document["limits"]["files"] > 0
    proposed = schema["properties"]["proposed_actions"]
    assert proposed["maxItems"] == len(document.get("actions", ()))
    assert document["category"] in defaults.REPORTS or may, "a report has a category that only looks"
    assert ("rollback" in document) is (may is not None)


@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_in_the_common_envelope_and_in_the_subset_of_the_engine(name: str) -> None:
    schema = check_schema(_json(name, "report.schema.json"))
    assert schema["required"] == [*ENVELOPE, "details"] == list(schema["properties"])
    assert list(schema["properties"]["findings"]["items"]["properties"]) == ["id", "severity", "summary", "evidence"]
    report = read_report(_answer(name), schema)
    signal = _json(name, "rehearsal.json")["inputs"].get("signal")
    if signal is not None:
        assert {found["id"] for found in report["findings"]} <= {found["id"] for found in signal["findings"]}
    del report["details"]
    assert problems(report, local_form(known_schema("report"))) == []
    # Whatever the runbook takes, the envelope takes: no text, list or word of it is wider.
    for key in ENVELOPE:
        _narrower(schema["properties"][key], known_schema("report")["properties"][key], key)


def _narrower(inner: dict[str, t.Any], outer: dict[str, t.Any], place: str) -> None:
    for keyword in ("maxLength", "maxItems", "maximum"):
        if keyword in outer:
            assert "enum" in inner or inner[keyword] <= outer[keyword], place
    if "enum" in outer:
        assert set(inner["enum"]) <= set(outer["enum"]), place
    for name, part in inner.get("properties", {}).items():
        _narrower(part, outer["properties"][name], f"{place}.{name}")
    if "items" in outer and "items" in inner and inner.get("maxItems") != 0:
        _narrower(inner["items"], outer["items"], f"{place}[]")


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_says_what_it_may_never_do_and_shows_what_works(tmp_path: pathlib.Path, name: str) -> None:
    text = (FILES / name / "README.md").read_text("utf-8")
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert text.startswith(f"# Runbook {name}\n") and heads == ["What it may never do", "Put it to work", "Rehearse it"]
    never = text.split("## What it may never do\n")[1].split("\n## ")[0].strip().splitlines()
    assert len(never) >= 4 and all(line.startswith("- ") for line in never)
    assert f"-e runbook={name}\n" in text
    for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
        said = json.loads(block)
        if "signal" in said:
            (tmp_path / "rules.json").write_text(json.dumps({"version": 1, "rules": [said]}), "utf-8")
            (tmp_path / "rules.json").chmod(0o644)
            rule = load_rules(str(tmp_path / "rules.json"), {os.geteuid()}).rules[0]
            assert rule.slice == name and rule.signal in registry.NAMES
            # The signal that it is rehearsed with would reach it.
            signal = _json(name, "rehearsal.json")["inputs"]["signal"]
            assert any(rule.takes(signal["status"], found) for found in signal["findings"])
        else:
            assert problems({"version": 1, **said}, load_schema("policy")) == []
    for collector, options in re.findall(r"^codex-ops collect (\w+)(?: --options '(.*)')? --enqueue$", text, re.MULTILINE):
        checked(registry.options_of(collector), json.loads(options or "{}"))
    for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
        said = yaml.safe_load(block)
        if isinstance(said, dict) and "runbooks_settings" in said:
            assert set(said["runbooks_settings"][name]) <= set(SETTINGS)
            _slice(name, **said["runbooks_settings"][name])


def test_the_guide_lists_every_runbook_and_says_which_only_read() -> None:
    text = (ROOT / "docs/docsite/rst/guide_runbooks.rst").read_text("utf-8").split("What there is")[1].split("Install them")[0]
    listed = re.findall(r"^   \* - ``([a-z-]+)``$", text, re.MULTILINE)
    assert sorted(listed) == NAMES and set(listed[-3:]) == set(CHANGING) and "All but the last three only read" in text
    begins = dict(re.findall(r"^   \* - ``([a-z-]+)``\n     - ``([a-z]+)``$", text, re.MULTILINE))
    for name in NAMES:
        signal = _json(name, "rehearsal.json")["inputs"].get("signal")
        assert begins.get(name) == (signal["signal"] if signal else None)


def test_the_playbook_of_the_guide_installs_what_there_is() -> None:
    text = (ROOT / "docs/docsite/rst/guide_runbooks.rst").read_text("utf-8")
    for block in re.findall(r"^\.\. code-block:: yaml\n   :caption: playbook: .*\n\n((?:(?:    .*)?\n)+)", text, re.MULTILINE):
        for task in yaml.safe_load(block)[0]["tasks"]:
            given = task["vars"]
            if "account_secrets" in given:
                assert [secret["name"] for secret in given["account_secrets"]] == ["provider-key", "alert-key"]
            elif "runbooks_delivery" in given:
                assert delivery(given["runbooks_delivery"])["alerts_by"] == "https://hooks.example.com"
            elif "runbooks_catalogue" in given:
                assert len(documents(given["runbooks_catalogue"], str(FILES), given["runbooks_settings"])) == 2
                assert table(given["runbooks_rules"], None, given["runbooks_catalogue"])["rules"] == ["renewals", "disks"]
            else:
                assert [entry["name"] for entry in entries(given["schedule_entries"], host="web1")] == ["certificates", "inbox", "delivery"]


@pytest.mark.parametrize("name", NAMES)
def test_the_skill_is_for_people_and_says_what_never_to_do(name: str) -> None:
    text = (FILES / name / "SKILL.md").read_text("utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["name"] == name and 20 <= len(front["description"]) <= 200
    assert "\nNever:\n\n- " in text and "1. " in text


# --- rehearsed with the real Codex CLI ------------------------------------------------------------------------------------


class Host:
    """A prefix with a policy that knows the runbook's actions, and a workspace as the rehearsal wants it."""

    def __init__(self, folder: pathlib.Path, name: str) -> None:
        self.name, self.prefix, self.workspace = name, folder / "prefix", folder / "workspace"
        self.rehearsal = _json(name, "rehearsal.json")
        self.slice = _slice(name, workspace=str(self.workspace))
        self.workspace.mkdir()
        for path, text in self.rehearsal["files"].items():
            (self.workspace / path).parent.mkdir(parents=True, exist_ok=True)
            (self.workspace / path).write_text(text, "utf-8")
        self.etc = self.prefix / "etc/codex-ops"
        self.etc.mkdir(parents=True)
        self.policy()

    def policy(self, **actions: list[str]) -> None:
        named = {
            action: {"argv": actions.get(action.replace("-", "_"), ["/bin/true"]), "per_hour": 9, "critical": False} for action in self.slice.get("actions", ())
        }
        pin = {self.name: {"sha256": parse(self.slice).sha256, "workspace": str(self.workspace)}}
        (self.etc / "policy.json").write_text(json.dumps({"version": 1, "slices": pin, "actions": named}), "utf-8")

    def run(self, state: str = "planned", cassette: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        codex = os.environ.get("DAY2_CODEX_CLI", "")
        assert os.path.exists(codex), "DAY2_CODEX_CLI must name the real Codex CLI. 'make test' sets it."
        tape = load_cassette(json.dumps(cassette or _json(self.name, "cassette.json")), self.name)
        options = Options(prefix=str(self.prefix), codex_path=codex, cassette=tape, cassette_mode="replay", rerun="always")
        return operate(options, Order(document=self.slice, state=state, inputs=self.rehearsal["inputs"]))


@pytest.mark.parametrize("name", NAMES)
def test_a_rehearsal_runs_as_it_says_with_the_real_codex_cli(tmp_path: pathlib.Path, name: str) -> None:
    host = Host(tmp_path, name)
    before = {path: path.read_bytes() for path in host.workspace.rglob("*") if path.is_file()}
    result = host.run()
    assert result["outcome"] == host.rehearsal["outcome"], result["msg"]
    assert result["report"] == json.loads(_answer(name)) and result["replayed"]
    assert {path: path.read_bytes() for path in host.workspace.rglob("*") if path.is_file()} == before
    assert all(command["status"] == "completed" for command in result["commands"]) and result["commands"]
    assert (result["outcome"] == "planned") is (name in CHANGING)


def _with(name: str, *, command: str | None = None, **changed: t.Any) -> dict[str, t.Any]:
    tape = copy.deepcopy(_json(name, "cassette.json"))
    if command is not None:
        tape["exchanges"][0]["response"]["items"][0]["arguments"] = json.dumps({"cmd": command})
    content = tape["exchanges"][-1]["response"]["items"][-1]["content"][0]
    content["text"] = json.dumps({**json.loads(content["text"]), **changed})
    return t.cast("dict[str, t.Any]", tape)


def test_a_report_that_changes_a_file_or_proposes_an_action_is_rejected(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, "disk-report")
    result = host.run("applied", _with("disk-report", command="echo x > stray"))
    assert result["outcome"] == "rejected" and "too_many_files" in {one["code"] for one in result["violations"]}
    assert list(host.workspace.iterdir()) == []
    assert host.run("applied", _with("disk-report", proposed_actions=["restart-service"]))["outcome"] == "invalid_report"
    assert host.run("applied", _with("disk-report", status="fine"))["outcome"] == "invalid_report"


def test_an_action_that_the_runbook_does_not_name_is_none(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, "service-restart")
    assert host.run("applied", _with("service-restart", proposed_actions=["renew-certificates"]))["outcome"] == "invalid_report"


def _certificate(path: pathlib.Path, days: int) -> str:
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-out", str(path), "-subj", "/CN=inbox", "-days", str(days)]
    subprocess.run(argv, check=True, capture_output=True)
    return path.read_text("utf-8")


def test_a_certificate_is_renewed_by_the_action_and_only_a_valid_one_is_a_success(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, "certificate-renewal")
    live, fresh = host.workspace / "inbox.crt", tmp_path / "fresh.crt"
    _certificate(live, 2)
    _certificate(fresh, 90)
    # The action that changes nothing does not pass for a renewal.
    failed = host.run("applied")
    assert failed["outcome"] == "rolled_back" and failed["validation"][0]["stage"] == "live", failed["msg"]
    host.policy(renew_certificates=[shutil.which("cp") or "/bin/cp", str(fresh), str(live)])
    renewed = host.run("applied")
    assert renewed["outcome"] == "applied", renewed["msg"]
    assert [one["name"] for one in renewed["actions"]] == ["renew-certificates"] and renewed["validation"][0]["ok"]
    # Now it is valid: no model is asked.
    again = host.run("applied")
    assert (again["outcome"], again["usage"]["requests"]) == ("unchanged", 0)


def test_a_renewal_that_is_not_proposed_is_not_taken_for_one(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, "certificate-renewal")
    _certificate(host.workspace / "inbox.crt", 2)
    result = host.run("applied", _with("certificate-renewal", proposed_actions=[]))
    assert (result["outcome"], result["code"]) == ("rejected", "validation_failed")


# --- what is wrong with a runbook -----------------------------------------------------------------------------------------


def test_settings_stand_in_the_place_of_what_is_shipped_and_change_the_digest() -> None:
    plain, other = (documents(["cache-cleanup"], str(FILES), given)[0] for given in (None, {"cache-cleanup": {"workspace": "/srv/cache"}}))
    assert (plain["workspace"], other["workspace"]) == ("/var/cache/app", "/srv/cache")
    assert plain["slice"]["sha256"] != other["slice"]["sha256"]
    assert [file["path"] for file in plain["skill"]["files"]] == ["cache-cleanup/SKILL.md"]


def test_all_are_all_that_are_shipped_each_once() -> None:
    assert [one["name"] for one in documents(["disk-report", "all"], str(FILES))] == ["disk-report", *(name for name in NAMES if name != "disk-report")]


@pytest.mark.parametrize(
    ("names", "settings", "words"),
    [
        (["disk-repot"], None, "there is no runbook 'disk-repot'.*disk-report"),
        (["../runbooks"], None, "lacks its README.md"),
        (["disk-report"], {"disk-report": {"category": "x"}}, "the settings of disk-report: expected some of .*'category'"),
        (["disk-report"], {"disk-report": {"workspace": "srv"}}, "slice.yml with its settings.*workspace"),
        (["disk-report"], {"log-report": {}}, "'log-report' is not among the runbooks"),
        ("disk-report", None, "expected a list of names"),
        ([7], None, "expected a list of names"),
        (["disk-report"], ["x"], "expected a dictionary"),
    ],
)
def test_what_cannot_be_installed_is_refused_in_words(names: t.Any, settings: t.Any, words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        documents(names, str(FILES), settings)


def test_a_runbook_of_ones_own_is_held_against_the_same_form(tmp_path: pathlib.Path) -> None:
    own = tmp_path / "own-report"
    shutil.copytree(FILES / "disk-report", own)
    with pytest.raises(AnsibleFilterError, match="slice.yml: expected the name and the report_schema 'own-report'"):
        documents([str(own)], str(FILES))
    for name in ("slice.yml", "SKILL.md"):
        (own / name).write_text((own / name).read_text("utf-8").replace("disk-report", "own-report"), "utf-8")
    assert documents([str(own)], str(FILES))[0]["name"] == "own-report"
    (own / "SKILL.md").write_text((own / "SKILL.md").read_text("utf-8") + "a\u202eb\n", "utf-8")
    with pytest.raises(AnsibleFilterError, match="hidden characters"):
        documents([str(own)], str(FILES))
    assert load_document(str(own / "slice.yml"))["name"] == "own-report"


def test_the_rules_of_the_readme_are_a_table_and_name_slices_that_it_installs(tmp_path: pathlib.Path) -> None:
    text = (FILES.parent / "README.md").read_text("utf-8")
    given = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])[0]["roles"][0]["vars"]
    made = table(given["runbooks_rules"], "Europe/Berlin", given["runbooks_catalogue"])
    path = tmp_path / "rules.json"
    path.write_bytes(base64.b64decode(made["content_b64"]))
    path.chmod(0o644)
    assert [rule.name for rule in load_rules(str(path), {os.geteuid()}).rules] == made["rules"] == ["caches", "disks"]
    assert set(given["runbooks_settings"]) <= set(given["runbooks_catalogue"]) <= set(NAMES)


@pytest.mark.parametrize(
    ("rules", "zone", "words"),
    [
        ([{"name": "x", "signal": "disk", "slice": "disk-report", "quite": []}], None, r"runbooks_rules: .*rules\[0\].*did you mean 'quiet'"),
        ([{"name": "x", "signal": "disk", "slice": "other"}], None, r"runbooks_rules at rules\[0\].slice: .*'other'.*Known here: disk-report"),
        ([{"name": "x", "signal": "disks", "slice": "disk-report"}], None, "there is no collector 'disks'"),
        ([{"name": "x", "signal": "disk", "slice": "disk-report"}] * 2, None, "Two rules have the name 'x'"),
        ([], "Mars/Base", "time_zone: .*no time zone"),
        ({}, None, "expected a list"),
        ([{"name": float("nan")}], None, "cannot be written as JSON"),
    ],
)
def test_a_wrong_rule_is_refused_on_the_controller(rules: t.Any, zone: str | None, words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        table(rules, zone, ["disk-report"])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"alarm": {}}, r"runbooks_delivery: .*did you mean 'alert'"),
        ({"alert": {"webhook": "http://hook.example.com"}}, r"runbooks_delivery at alert.webhook: .*Use https"),
        ({"alert": {"command": [float("nan")]}}, "cannot be written as JSON"),
        ([], "expected a dictionary"),
    ],
)
def test_a_wrong_delivery_is_refused_on_the_controller(said: t.Any, words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        delivery(said)


def test_the_delivery_of_the_readme_is_one(tmp_path: pathlib.Path) -> None:
    text = (FILES.parent / "README.md").read_text("utf-8")
    made = delivery(yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])[0]["roles"][0]["vars"]["runbooks_delivery"])
    path = tmp_path / "delivery.json"
    path.write_bytes(base64.b64decode(made["content_b64"]))
    path.chmod(0o644)
    found = load_delivery(str(path), {os.geteuid()}, "/k")
    assert found.alert is not None and found.alert.where == made["alerts_by"] == "/usr/local/sbin/tell-people"
    assert delivery({})["alerts_by"] is None


def test_the_role_says_in_check_mode_what_it_would_install(tmp_path: pathlib.Path) -> None:
    (tmp_path / "collections/ansible_collections/day2").mkdir(parents=True)
    (tmp_path / "collections/ansible_collections/day2/codex").symlink_to(ROOT)
    role = {"name": "day2.codex.runbooks"}
    places = {
        "__runbooks_slices_folder": f"{tmp_path}/etc/slices.d",
        "__runbooks_skills_folder": f"{tmp_path}/skills",
        "__runbooks_list": f"{tmp_path}/list.json",
        "__runbooks_delivery_file": f"{tmp_path}/etc/delivery.json",
    }
    given: dict[str, t.Any] = {"runbooks_catalogue": ["disk-report", "cache-cleanup"], "runbooks_settings": {"cache-cleanup": {"workspace": "/srv/cache"}}}
    given["runbooks_delivery"] = {"branch": True}
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.include_role": role, "vars": {**places, **given}}]}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play), "utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections")}
    command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", "--check", "play.yml"]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("disk-report", "cache-cleanup"):
        assert f"(item={name} ({documents([name], str(FILES), {name: given['runbooks_settings'].get(name, {})})[0]['slice']['sha256']}))" in done.stdout
    assert re.findall(r"\(item=(/var/lib/codex-runbooks\S*)\)", done.stdout) == ["/var/lib/codex-runbooks", "/var/lib/codex-runbooks/disk-report"]
    assert re.search(r"TASK \[day2.codex.runbooks : Install the delivery\].*\n(changed|ok): \[localhost\]", done.stdout)
    assert not (tmp_path / "etc").exists()


def test_the_week_that_the_readme_reads_becomes_one_job(tmp_path: pathlib.Path) -> None:
    prefix = tmp_path / "prefix"
    (prefix / "etc/codex-ops/slices.d").mkdir(parents=True)
    (prefix / "etc/codex-ops/slices.d/audit-triage.json").write_text(json.dumps(_slice("audit-triage")), "utf-8")
    denied = [{"command": "cat /etc/shadow", "status": "denied", "reason": "no", "exit_code": None}, {"command": "true", "status": "completed"}]
    record = {
        "phase": "outcome", "job_id": None, "run_id": "run-1", "host": "web1", "user": {"name": "ada", "uid": 1000, "via": {}}, "input": {"slice": "inbox"},
        "command": {"operation": "slice"}, "attempts": denied, "result": {"outcome": "rejected"}, "usage": {}, "approval": None, "rollback": {},
        "diff": {"sha256": None, "files": [], "added": 0, "removed": 0, "kept": None}, "validation": [],
    }  # fmt: skip
    (prefix / "var/log/codex-ops").mkdir(parents=True)
    trail.append(str(prefix / "var/log/codex-ops/audit.jsonl"), record)
    text = (FILES / "audit-triage/README.md").read_text("utf-8")
    tasks = yaml.safe_load(next(block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "audit_info" in block))
    plays = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks, "module_defaults": {"group/day2.codex.codex": {"prefix": str(prefix)}}}]
    (tmp_path / "collections/ansible_collections/day2").mkdir(parents=True)
    (tmp_path / "collections/ansible_collections/day2/codex").symlink_to(ROOT)
    (tmp_path / "play.yml").write_text(yaml.safe_dump(plays), "utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections")}
    command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", "play.yml"]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    for _time in range(2):
        done = subprocess.run(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    jobs = info(str(prefix), {}, limit=9, history=False)["jobs"]
    assert [(job["slice"], job["count"]) for job in jobs] == [("audit-triage", 2)]
    told = jobs[0]["input"]["records"][0]
    assert (told["user"], told["slice"], told["outcome"]) == ("ada", "inbox", "rejected")
    assert [attempt["command"] for attempt in told["attempts"]] == ["cat /etc/shadow"]
