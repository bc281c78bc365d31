# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guides and the modules show works: it parses, it loads, and one example is run for real."""

from __future__ import annotations

import ast
import base64
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import textwrap
import time
import typing as t

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.day2.codex.plugins.filter.policy_document import policy_document
from ansible_collections.day2.codex.plugins.filter.schedule_entries import schedule_entries
from ansible_collections.day2.codex.plugins.filter.signer_lines import signer_lines
from ansible_collections.day2.codex.plugins.module_utils._agent.cassette import load
from ansible_collections.day2.codex.plugins.module_utils._agent.process import run_limited
from ansible_collections.day2.codex.plugins.module_utils._cli.arguments import parse as parse_command
from ansible_collections.day2.codex.plugins.module_utils._contract.document import load_schema, problems
from ansible_collections.day2.codex.plugins.module_utils._contract.slice import parse
from ansible_collections.day2.codex.plugins.module_utils._delivery.hook import by_command
from ansible_collections.day2.codex.plugins.module_utils._delivery.settings import parse as parse_delivery
from ansible_collections.day2.codex.plugins.module_utils._delivery.signing import parse as parse_key
from ansible_collections.day2.codex.plugins.module_utils._delivery.signing import signed
from ansible_collections.day2.codex.plugins.module_utils._signals.rules import load as load_rules
from ansible_collections.day2.codex.plugins.module_utils._trail import log as trail
from ansible_collections.day2.codex.plugins.plugin_utils._agent_action import load_document

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs/docsite/rst").glob("*.rst"))
_BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n((?:   +:.*\n)*)\n((?:(?:    .*)?\n)+)", re.MULTILINE)


class Example(t.NamedTuple):
    """A code block: its kind and name, as its caption says them."""

    kind: str
    name: str
    text: str


def _examples() -> list[Example]:
    found = []
    for guide in GUIDES:
        for _language, options, text in _BLOCK.findall(guide.read_text("utf-8")):
            kind, _colon, name = options.split(":caption:")[1].strip().partition(": ")
            found.append(Example(kind, name.strip(), textwrap.dedent(text)))
    return found


EXAMPLES = _examples()


def _of(kind: str) -> list[t.Any]:
    return [pytest.param(example, id=example.name) for example in EXAMPLES if example.kind == kind]


def _ansible(tmp_path: pathlib.Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    collections = tmp_path / "collections/ansible_collections/day2"
    if not collections.exists():
        collections.mkdir(parents=True)
        (collections / "codex").symlink_to(ROOT)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOWS": "1",
        **more,
    }
    command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", *arguments]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    return subprocess.run(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)


def test_every_example_is_of_a_kind_that_is_tested() -> None:
    assert len(GUIDES) >= 5
    assert {example.kind for example in EXAMPLES} == {
        "slice",
        "cassette",
        "playbook",
        "form",
        "script",
        "command",
        "config",
        "signal",
        "rules",
        "host",
        "inventory",
        "provision",
        "delivery",
        "hook",
    }
    blocks = sum(guide.read_text("utf-8").count(".. code-block::") for guide in GUIDES)
    assert len(EXAMPLES) == blocks >= 9


@pytest.mark.parametrize("example", _of("slice"))
def test_a_slice_example_is_a_slice(tmp_path: pathlib.Path, example: Example) -> None:
    path = tmp_path / "slice.yml"
    path.write_text(example.text, "utf-8")
    parse(load_document(str(path)))


@pytest.mark.parametrize("example", _of("cassette"))
def test_a_cassette_example_is_a_cassette(example: Example) -> None:
    load(example.text, example.name)


@pytest.mark.parametrize("example", _of("signal"))
def test_a_signal_example_is_a_signal(example: Example) -> None:
    assert problems(yaml.safe_load(example.text), load_schema("signal")) == []


@pytest.mark.parametrize("example", _of("rules"))
def test_a_table_of_rules_is_one(tmp_path: pathlib.Path, example: Example) -> None:
    path = tmp_path / "rules.json"
    path.write_text(example.text, "utf-8")
    path.chmod(0o644)
    assert load_rules(str(path), {os.geteuid()}).rules


@pytest.mark.parametrize("example", _of("delivery"))
def test_a_delivery_file_is_one_and_the_guide_lists_every_key(example: Example) -> None:
    assert parse_delivery(example.text.encode(), example.name, "/etc/codex-ops/secrets/alert-key").alert
    schema, guide = load_schema("delivery"), (ROOT / "docs/docsite/rst/guide_runbooks.rst").read_text("utf-8")
    keys = {*schema["properties"], *(f"alert.{name}" for name in schema["definitions"]["alert"]["properties"])} - {"version"}
    listed = re.findall(r"^   \* - (``[a-z_.`, ]+``)$", guide.split("Tell people\n")[1].split("The webhook\n")[0], re.MULTILINE)
    assert set(re.findall(r"``([a-z_.]+)``", " ".join(listed))) == keys


def test_the_receiver_and_the_hook_of_the_guide_take_a_real_alert(tmp_path: pathlib.Path) -> None:
    mail, hook = tmp_path / "mail", tmp_path / "tell-people"
    (tmp_path / "sendmail").write_text(f'#!/bin/sh\n[ "$*" = "-t -i" ] && cat >> {mail}\n', "utf-8")
    (tmp_path / "sendmail").chmod(0o755)
    text = _text("tell-people").replace("/usr/bin/python3", sys.executable).replace("/usr/sbin/sendmail", str(tmp_path / "sendmail"))
    hook.write_text(text, "utf-8")
    hook.chmod(0o755)
    key = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    names: dict[str, t.Any] = {}
    exec(compile(_text("receive.py"), "receive.py", "exec"), names)
    body = json.dumps({"type": "ticket.open", "timestamp": "x", "data": {"severity": "WARNING", "slice": "a", "host": "b", "summary": "Look.\r\nBcc: x"}})
    alert = parse_delivery(json.dumps({"version": 1, "alert": {"command": [str(hook)]}}).encode(), "x", "/k").alert
    assert alert is not None
    headers = signed(parse_key(key.encode(), "key"), "msg_1", body.encode(), time.time())
    assert names["verified"](key, headers, body.encode()) and not names["verified"](key, headers, body.encode() + b" ")
    assert not names["verified"](key, {**headers, "webhook-timestamp": "1"}, body.encode())
    held = json.dumps({"type": "tickets.held_back", "timestamp": "x", "data": {"host": "b", "count": 3, "tickets": []}})
    over = json.dumps({"type": "ticket.resolved", "timestamp": "x", "data": {"slice": "a", "host": "b", "resolved": {"why": "It is over."}}})
    for text in (body, held, over):
        assert by_command(alert, parse_key(key.encode(), "key"), "msg_1", text.encode(), time.time(), run_limited) is None
    sent = mail.read_text("utf-8")
    assert 'Subject: "WARNING: a on b"\nMessage-ID: <msg_1@codex-ops>\n\nLook.' in sent and "3 more on b." in sent
    assert 'Subject: "resolved: a on b"' in sent and "It is over." in sent


def test_the_commands_on_tickets_are_taken_and_the_key_is_one(tmp_path: pathlib.Path) -> None:
    for line in filter(None, _text("tickets").splitlines()):
        assert parse_command(shlex.split(line)[1:], "/", None).part == "inbox"
    made = subprocess.run(["/bin/sh", "-c", _text("key")], capture_output=True, check=True, cwd=tmp_path).stdout
    assert len(parse_key(made, "key").raw) == 32


@pytest.mark.parametrize("example", _of("playbook"))
def test_a_playbook_example_is_a_playbook_with_known_options(tmp_path: pathlib.Path, example: Example) -> None:
    (tmp_path / "playbook.yml").write_text("---\n" + example.text, "utf-8")
    done = _ansible(tmp_path, "--syntax-check", "playbook.yml")
    assert done.returncode == 0, done.stderr
    for task in [task for play in yaml.safe_load(example.text) for task in play["tasks"]]:
        _hold(task)


@pytest.mark.parametrize("example", _of("inventory"))
def test_an_inventory_example_says_what_the_roles_take(example: Example) -> None:
    options: dict[str, t.Any] = {}
    for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        options.update(yaml.safe_load(path.read_text("utf-8"))["argument_specs"]["main"]["options"])
    given = yaml.safe_load(example.text)["codex_ops"]["vars"]
    result = ArgumentSpecValidator({name: options[name] for name in given}).validate(given)
    assert not result.error_messages, result.error_messages
    policy_document(given["guardrails_policy"])
    assert signer_lines(given["guardrails_signers"])
    assert schedule_entries(given["schedule_entries"], host="web1", folder="/opt", state="/var", interpreter="/usr/bin/python3")


@pytest.mark.parametrize("example", _of("provision"))
def test_a_command_that_provisions_is_one(tmp_path: pathlib.Path, example: Example) -> None:
    (tmp_path / "inventory.yml").write_text("codex_ops: {hosts: {web1: {}}}\n", "utf-8")
    words = example.text.split()
    done = _ansible(tmp_path, "--syntax-check", *words[1:])
    assert words[0] == "ansible-playbook" and done.returncode == 0, done.stderr


def _documentation(module: str) -> dict[str, t.Any]:
    """DOCUMENTATION and EXAMPLES of a module, read without importing it."""
    tree = ast.parse((ROOT / f"plugins/modules/{module}.py").read_text("utf-8"))
    return {
        node.targets[0].id: yaml.safe_load(ast.literal_eval(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in ("DOCUMENTATION", "EXAMPLES", "RETURN")
    }


def _hold(task: dict[str, t.Any]) -> None:
    for module in ("approval", "audit_info", "collect", "engine", "exec", "job", "job_info", "kill_switch", "slice"):
        given = task.get(f"day2.codex.{module}")
        if given is None:
            continue
        known = set(_documentation(module)["DOCUMENTATION"]["options"])
        for fragment in ("_provider", "_prefix", "_limits"):
            text = (ROOT / f"plugins/doc_fragments/{fragment}.py").read_text("utf-8").split('r"""')[1].split('"""')[0]
            known |= set(yaml.safe_load(text)["options"])
        assert set(given) <= known
        if isinstance(given.get("slice"), dict):
            document = json.loads(json.dumps(given["slice"]))
            if document["workspace"].startswith("{{"):
                document["workspace"] = "/srv/inbox"
            parse(document)


@pytest.mark.parametrize("module", ["approval", "audit_info", "collect", "engine", "exec", "job", "job_info", "kill_switch", "slice"])
def test_the_examples_of_a_module_are_tasks_with_known_options(tmp_path: pathlib.Path, module: str) -> None:
    tasks = _documentation(module)["EXAMPLES"]
    assert tasks
    for task in tasks:
        _hold(task)
    (tmp_path / "playbook.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "tasks": tasks}]), "utf-8")
    done = _ansible(tmp_path, "--syntax-check", "playbook.yml")
    assert done.returncode == 0, done.stderr


def test_the_guide_lists_every_code_of_a_violation_and_no_other() -> None:
    listed = (ROOT / "docs/docsite/rst/guide_slices.rst").read_text("utf-8").split("What a violation means")[1].split("``validation_failed``")[0]
    in_guide = set(re.findall(r"``([a-z_]+)``", " ".join(re.findall(r"^   \* - (.*)$", listed, re.MULTILINE))))
    sources = [ROOT / "plugins/module_utils/_contract/checks.py", ROOT / "plugins/module_utils/_contract/values.py"]
    sources += sorted((ROOT / "plugins/module_utils/_workspace").glob("*.py"))
    in_code = {code for source in sources for code in re.findall(r'Violation\(\s*"([a-z_]+)"', source.read_text("utf-8"))}
    assert in_guide == in_code


def test_the_rehearsal_of_the_guide_runs_for_real(tmp_path: pathlib.Path) -> None:
    codex = os.environ.get("DAY2_CODEX_CLI", "")
    assert os.path.exists(codex), "DAY2_CODEX_CLI must name the real Codex CLI. 'make test' sets it."
    by_name = {example.name: example.text for example in EXAMPLES}
    (tmp_path / "rehearse.yml").write_text("---\n" + by_name["rehearse.yml"], "utf-8")
    (tmp_path / "tape.json").write_text(by_name["tape.json"], "utf-8")
    config = tmp_path / "inbox/config/inbox.yml"
    config.parent.mkdir(parents=True)
    config.write_text("sender: norply@inbox.example.com\n", "utf-8")
    arguments = ["-e", f"prefix={tmp_path}/prefix", "-e", f"workspace={tmp_path}/inbox"]
    (tmp_path / "prefix/opt/codex-ops/bin").mkdir(parents=True, mode=0o755)
    (tmp_path / "prefix/opt/codex-ops/bin/codex").symlink_to(codex)
    done = _ansible(tmp_path, *arguments, "rehearse.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    # The policy, and the application.
    assert "changed=2" in done.stdout or "changed=3" in done.stdout
    assert config.read_text("utf-8") == "sender: noreply@inbox.example.com\n"


# --- the guide on the audit log ---------------------------------------------------------------------------------------


def _text(name: str) -> str:
    return next(example.text for example in EXAMPLES if example.name == name)


def _recorded(slice_: str, when: str, **more: t.Any) -> dict[str, t.Any]:
    return {
        "phase": "outcome", "job_id": None, "run_id": f"run-{when}", "host": "web1", "user": {"name": "ada", "uid": 1000, "via": {}},
        "input": {"slice": slice_}, "command": {"operation": "slice"}, "attempts": [], "result": {"outcome": "applied"},
        "diff": {"sha256": None, "files": [], "added": 0, "removed": 0, "kept": None}, "approval": None, "rollback": {"possible": True},
        "usage": {"input_tokens": 300000, "output_tokens": 50000}, "validation": [], **more,
    }  # fmt: skip


def test_the_verifier_of_the_guide_knows_a_log_and_every_change_of_it(tmp_path: pathlib.Path) -> None:
    script, path = tmp_path / "verify.py", tmp_path / "audit.jsonl"
    script.write_text(_text("verify.py"), "utf-8")
    assert len(_text("verify.py").splitlines()) <= 16
    for number in range(6):
        made = trail.append(str(path), _recorded("inbox", str(number)))
        if number == 1:
            trail.rotate(str(path), 1)
        if number == 3:
            with path.open("ab") as handle:
                handle.write(b'{"hash":"4f')

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-I", str(script), str(path)], capture_output=True, text=True, check=False)

    done = run()
    assert (done.returncode, done.stdout) == (0, f"{made['seq']} {made['hash']}\n"), done.stderr
    files = sorted(tmp_path.glob("audit.jsonl*"))
    assert len(files) == 2
    for file in files:
        before = file.read_bytes()
        lines = before.splitlines(True)
        changes = [b"".join(lines[:at] + lines[at + 1 :]) for at in range(len(lines) - (file == path))]
        changes += [before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :] for at in range(0, len(before), 397)]
        changes += [before[:-1], before + b"#torn\n", before + lines[-1], b"".join(reversed(lines))]
        for change in changes:
            file.write_bytes(change)
            assert run().returncode == 1, change
        file.write_bytes(before)
    assert run().returncode == 0


def test_the_command_that_verifies_is_one(tmp_path: pathlib.Path) -> None:
    words = _text("verify").split()
    done = _ansible(tmp_path, "--syntax-check", *words[1:])
    assert words[0] == "ansible-playbook" and done.returncode == 0, done.stderr


def test_the_configuration_of_the_callback_is_taken(tmp_path: pathlib.Path) -> None:
    text = _text("ansible.cfg")
    log = re.findall(r"^log = (.*)$", text, re.MULTILINE)[0]
    (tmp_path / "ansible.cfg").write_text(text.replace(log, str(tmp_path / "kept/audit.jsonl")), "utf-8")
    tasks = [{"day2.codex.audit_info": {"prefix": str(tmp_path / "prefix")}}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), "utf-8")
    done = _ansible(tmp_path, "play.yml", ANSIBLE_CONFIG=str(tmp_path / "ansible.cfg"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [record["command"]["operation"] for record in trail.records(str(tmp_path / "kept/audit.jsonl"))] == ["playbook", "task", "playbook"]
    keys = set(re.findall(r"^([a-z_]+) = ", text.split("[callback_day2_codex_audit]")[1], re.MULTILINE))
    assert keys <= set(re.findall(r"key: ([a-z_]+)", (ROOT / "plugins/callback/audit.py").read_text("utf-8")))


@pytest.mark.parametrize(
    ("recipe", "answer"),
    [
        ("who-approved.yml", [{"run": "run-1", "outcome": "applied", "by": [["bea", "approved"]]}]),
        ("denied.yml", [{"slice": "renew-certificate", "denied": [["rm -rf /", "no"]]}]),
        ("cost.yml", ["inbox-public-identity: 2 runs, 1.75", "renew-certificate: 1 runs, 0.875"]),
    ],
)
def test_a_recipe_answers_its_question(tmp_path: pathlib.Path, recipe: str, answer: list[t.Any]) -> None:
    log = tmp_path / "prefix/var/log/codex-ops/audit.jsonl"
    log.parent.mkdir(parents=True)
    given = {"given": [{"approver": "bea", "decision": "approved", "key": "SHA256:x"}]}
    denied = [{"command": "rm -rf /", "status": "denied", "reason": "no", "exit_code": None}, {"command": "true", "status": "completed"}]
    trail.append(str(log), _recorded("inbox-public-identity", "1", approval=given))
    trail.append(str(log), {**_recorded("inbox-public-identity", "2"), "phase": "intent", "usage": {}})
    trail.append(str(log), _recorded("inbox-public-identity", "2"))
    trail.append(str(log), _recorded("renew-certificate", "3", attempts=denied))
    plays = yaml.safe_load(_text(recipe))
    plays[0]["module_defaults"] = {"group/day2.codex.codex": {"prefix": str(tmp_path / "prefix")}}
    for task in plays[0]["tasks"]:
        wanted = task.get("day2.codex.audit_info", {}).get("filter", {})
        if "since" in wanted:
            # The records are of now.
            wanted.update(since=wanted["since"], until="2999-01-01")
    (tmp_path / "recipe.yml").write_text(yaml.safe_dump(plays), "utf-8")
    done = _ansible(tmp_path, "recipe.yml", ANSIBLE_CALLBACK_RESULT_FORMAT="json")
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout.split("TASK [Show them]")[1].split("PLAY RECAP")[0]
    if recipe == "cost.yml":
        assert re.findall(r'"msg": "(.*)"', shown) == answer
    else:
        found = json.loads(shown[shown.index("{") :])["audit.query_result"]
        for one in found:
            assert one.pop("time")
        assert found == answer


def test_the_finding_of_the_guide_becomes_one_job_and_is_cancelled(tmp_path: pathlib.Path) -> None:
    by_name = {example.name: example.text for example in EXAMPLES}
    for name in ("finding.yml", "waiting.yml"):
        (tmp_path / name).write_text("---\n" + by_name[name], "utf-8")
    (tmp_path / "disk.yml").write_text(by_name["disk.yml"], "utf-8")
    (tmp_path / "disk-report.yml").write_text(by_name["the smallest"], "utf-8")
    again = []
    for playbook in ("finding.yml", "finding.yml", "waiting.yml", "waiting.yml"):
        done = _ansible(tmp_path, "-e", f"prefix={tmp_path}/prefix", playbook)
        assert done.returncode == 0, done.stdout + done.stderr
        again.append((done.stdout.count("changed=1"), "was asked for 2 times" in done.stdout))
    assert again == [(1, False), (0, True), (1, False), (0, False)]


def test_the_guide_names_every_state_of_a_job_and_where_it_goes() -> None:
    from ansible_collections.day2.codex.plugins.module_utils._inbox.states import STATES, TRANSITIONS

    text = (ROOT / "docs/docsite/rst/guide_inbox.rst").read_text("utf-8").split("   :header-rows: 1")[1].split("The first four are open")[0]
    rows = [re.sub(r"\s+", " ", row) for row in text.split("   * - ")[2:]]
    assert [row.split("``")[1] for row in rows] == list(STATES)
    for row, state in zip(rows, STATES):
        ways = row.rsplit(" -", 1)[1]
        listed = set(re.findall(r"``([a-z_]+)``", ways))
        assert TRANSITIONS[state] == (set(STATES) - {state} - listed if "any" in ways else listed), state
