# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing becomes real unless policy, people and the kill switch let it."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._approving import Ballot, decide
from ansible_collections.day2.codex.plugins.module_utils._operation import operate
from ansible_collections.day2.codex.plugins.module_utils._options import Order

from .conftest import CORRECT, POLICY, Application, cassette, lay_policy

#: What policy says where it says nothing: a configuration change needs one approval.
STRICT = {"version": 1, "limits": POLICY["limits"]}


class Office:
    """People with keys, and an application whose policy wants their word."""

    def __init__(self, application: Application, folder: pathlib.Path) -> None:
        self.application = application
        self.folder = folder
        self.names: dict[str, str] = {}
        application.prefix = str(folder / "office" / "prefix")
        self.policy(STRICT)

    def policy(self, document: t.Any) -> None:
        """Another policy from now on."""
        lay_policy(self.application.prefix, document)

    def hire(self, name: str, key_of: str | None = None) -> str:
        """Give *name* a key (or that of somebody else) and a line in allowed_signers; the path of the key."""
        path = str(self.folder / (key_of or name))
        if key_of is None:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True, stdin=subprocess.DEVNULL)
        public = pathlib.Path(path + ".pub").read_text("ascii").split()
        self.names[name] = f'{name} namespaces="codex-ops-approval" {public[0]} {public[1]}\n'
        self._publish()
        return path

    def dismiss(self, name: str) -> None:
        """Take *name* out of allowed_signers."""
        del self.names[name]
        self._publish()

    def _publish(self) -> None:
        path = os.path.join(self.application.prefix, "etc/codex-ops/allowed_signers")
        with open(path, "w", encoding="ascii") as handle:
            handle.writelines(self.names.values())

    def sign(self, statement: str, key: str) -> str:
        """The signature of *key* under *statement*."""
        done = subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", "codex-ops-approval"], input=statement.encode("ascii"), capture_output=True, check=True
        )
        return done.stdout.decode("ascii")

    def vote(self, plan: str, name: str, key: str, decision: str = "approve", **more: t.Any) -> dict[str, t.Any]:
        """What comes of *name* deciding about *plan*."""
        options = self.application.options()
        offered = decide(options, Ballot(plan=plan, decision=decision, approver=name, **more))
        if offered["failed"] or offered["statement"] is None:
            return offered
        return decide(options, Ballot(plan=plan, statement=offered["statement"], signature=self.sign(offered["statement"], key)))

    def apply(self, plan: str) -> dict[str, t.Any]:
        """Try to apply *plan*."""
        return operate(self.application.options(), Order(plan=plan))


@pytest.fixture(name="office")
def _office(application: Application, tmp_path: pathlib.Path) -> Office:
    return Office(application, tmp_path)


def test_a_change_waits_for_an_approval_and_then_exactly_it_is_applied(office: Office) -> None:
    application, before = office.application, office.application.picture()
    key = office.hire("alice@example.com")
    waiting = application.run(CORRECT)
    assert (waiting["outcome"], waiting["changed"], waiting["failed"]) == ("awaiting_approval", True, False), waiting
    assert (waiting["gate"]["autonomy"], waiting["gate"]["approvals"]) == ("approval", 1)
    again = application.run(CORRECT)
    assert (again["outcome"], again["changed"], again["usage"]["requests"]) == ("awaiting_approval", False, 0)
    assert again["plan"] == waiting["plan"]
    assert application.picture() == before
    voted = office.vote(waiting["plan"]["id"], "alice@example.com", key, comment="looks right")
    assert not voted["failed"], voted
    assert application.picture() == before
    # The very same task goes on where it waited, and asks nobody.
    applied = application.run(CORRECT)
    assert (applied["outcome"], applied["changed"], applied["usage"]["requests"]) == ("applied", True, 0), applied
    assert applied["patch"] == waiting["patch"]
    record = _last_record(application)
    assert [given["approver"] for given in record["approval"]["given"]] == ["alice@example.com"]
    assert office.apply(waiting["plan"]["id"])["code"] == "plan_spent"


def _last_record(application: Application) -> dict[str, t.Any]:
    with open(os.path.join(application.prefix, "var/log/codex-ops/audit.jsonl"), encoding="ascii") as handle:
        return t.cast("dict[str, t.Any]", json.loads(handle.readlines()[-1]))


def test_without_a_policy_nothing_is_changed_and_no_model_is_asked_in_vain(office: Office) -> None:
    application, before = office.application, office.application.picture()
    os.unlink(os.path.join(application.prefix, "etc/codex-ops/policy.json"))
    refused = application.run(CORRECT)
    assert (refused["outcome"], refused["code"], refused["usage"]["requests"]) == ("forbidden", "policy_missing", 0), refused
    dry = application.run(CORRECT, check=True)
    assert (dry["outcome"], dry["changed"]) == ("planned", True), dry
    assert "policy" in dry["msg"]
    assert application.run(CORRECT, state="planned")["outcome"] == "planned"
    assert application.picture() == before


def _older(office: Office) -> t.Callable[[], None]:
    def wait() -> None:
        until = time.time() + 1.2
        while time.time() < until:
            time.sleep(0.05)

    return wait


@pytest.mark.parametrize(
    ("what", "outcome", "code"),
    [
        ("a signer who left", "awaiting_approval", "approval_missing"),
        ("an expired approval", "awaiting_approval", "approval_missing"),
        ("another policy", "stale_plan", "policy_changed"),
        ("another tree", "stale_plan", "base_changed"),
        ("another slice", "stale_plan", "slice_changed"),
        ("a changed byte", "rejected", "plan_damaged"),
        ("a later rejection", "rejected", "approval_rejected"),
        ("the kill switch", "kill_switch_engaged", "kill_switch_engaged"),
        ("a forged decision", "forbidden", "approvals_damaged"),
    ],
)
def test_an_approval_opens_no_gate_after(office: Office, what: str, outcome: str, code: str) -> None:
    application = office.application
    key, other = office.hire("alice"), office.hire("bob")
    plan = application.run(CORRECT)["plan"]["id"]
    folder = os.path.join(application.prefix, "var/lib/codex-ops/runs", plan)
    voted = office.vote(plan, "alice", key, **({"expires_in": 1} if what == "an expired approval" else {}))
    assert not voted["failed"], voted
    order = Order(plan=plan)
    if what == "a signer who left":
        office.dismiss("alice")
    elif what == "an expired approval":
        _older(office)()
    elif what == "another policy":
        office.policy({**STRICT, "ad_hoc": "approval", "limits": {**POLICY["limits"], "runs_per_hour": 99999}})
    elif what == "another tree":
        with open(os.path.join(application.folder, "config/shared.yml"), "a", encoding="utf-8") as handle:
            handle.write("# somebody was here\n")
    elif what == "another slice":
        order = Order(plan=plan, document={**application.slice, "instructions": "Something else."})
    elif what == "a changed byte":
        with open(os.path.join(folder, "plan.json"), "r+b") as handle:
            raw = handle.read()
            handle.seek(raw.index(b'"content":"') + 20)
            handle.write(b"A" if raw[raw.index(b'"content":"') + 20 : raw.index(b'"content":"') + 21] != b"A" else b"B")
    elif what == "a later rejection":
        assert not office.vote(plan, "bob", other, "reject", comment="not on a Friday")["failed"]
    elif what == "the kill switch":
        pathlib.Path(application.prefix, "etc/codex-ops/disabled").write_text("enough\n", "ascii")
    elif what == "a forged decision":
        name = os.listdir(os.path.join(folder, "approvals"))[0]
        path = os.path.join(folder, "approvals", name)
        kept = pathlib.Path(path).read_text("ascii")
        pathlib.Path(path).write_text(kept.replace("alice", "bobby"), "ascii")
    before = application.picture()
    result = operate(application.options(), order)
    assert (result["outcome"], result.get("code")) == (outcome, code), result
    assert application.picture() == before


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("oneself", "own_request"),
        ("a stranger", "signer_unknown"),
        ("another's key", "signer_mismatch"),
        ("one key under two names", "signers_invalid"),
        ("another plan", "plan_mismatch"),
        ("another host", "host_mismatch"),
    ],
)
def test_a_decision_that_does_not_count_is_refused_with_its_reason(office: Office, what: str, code: str) -> None:
    application = office.application
    me = getpass.getuser()
    keys = {name: office.hire(name) for name in ("alice", "bob", me)}
    plan = application.run(CORRECT)["plan"]["id"]
    if what == "oneself":
        voted = office.vote(plan, me, keys[me])
    elif what == "a stranger":
        office.hire("mallory")
        office.dismiss("mallory")
        voted = office.vote(plan, "mallory", str(office.folder / "mallory"))
    elif what == "another's key":
        voted = office.vote(plan, "alice", keys["bob"])
    elif what == "one key under two names":
        office.hire("carol", key_of="alice")
        voted = office.vote(plan, "carol", keys["alice"])
    else:
        options = application.options()
        text = decide(options, Ballot(plan=plan, decision="approve", approver="alice"))["statement"]
        said = json.loads(text)
        if what == "another plan":
            said["patch_sha256"] = "0" * 64
        else:
            said["host_id"] = "0" * len(said["host_id"])
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        voted = decide(options, Ballot(plan=plan, statement=text, signature=office.sign(text, keys["alice"])))
    assert (voted["failed"], voted["code"]) == (True, code), voted
    assert operate(application.options(), Order(plan=plan))["outcome"] in ("awaiting_approval", "forbidden")


def test_two_approvals_are_two_people_with_two_keys(office: Office) -> None:
    application = office.application
    application.slice.update(category="database_migration", rollback={"strategy": "snapshot"})
    alice, bob = office.hire("alice"), office.hire("bob")
    plan = application.run(CORRECT)["plan"]["id"]
    assert not office.vote(plan, "alice", alice)["failed"]
    again = office.vote(plan, "alice", alice, comment="once more")
    assert (again["failed"], again["changed"]) == (False, False), again
    waiting = office.apply(plan)
    assert (waiting["outcome"], waiting["gate"]["given"]) == ("awaiting_approval", ["alice"]), waiting
    assert not office.vote(plan, "bob", bob)["failed"]
    assert office.apply(plan)["outcome"] == "applied"


def test_a_pinned_slice_is_applied_at_once_and_one_that_differs_waits(office: Office) -> None:
    application = office.application
    planned = application.run(CORRECT, state="planned")
    pin = {"sha256": planned["plan"]["slice_sha256"], "workspace": application.folder}
    office.policy({**STRICT, "categories": {"configuration_change": {"autonomy": "automatic"}}, "slices": {application.slice["name"]: pin}})
    application.slice["instructions"] += " Do more."
    assert application.run(CORRECT)["outcome"] == "awaiting_approval"
    application.slice["instructions"] = application.slice["instructions"][: -len(" Do more.")]
    assert application.run(CORRECT)["outcome"] == "applied"


def test_the_days_budget_ends_the_run_that_exceeds_it(office: Office) -> None:
    application = office.application
    office.policy({**POLICY, "limits": {"tokens_per_day": 1000, "runs_per_hour": 100}})
    spent = application.run(CORRECT)
    assert spent["outcome"] == "budget_exhausted", spent
    again = application.run(CORRECT)
    assert (again["outcome"], again["code"], again["usage"]["requests"]) == ("budget_exhausted", "tokens_per_day", 0), again


def _restart(office: Office, *argv: str, critical: bool = False, **more: t.Any) -> None:
    action = {"argv": list(argv), "per_hour": 2, "timeout": 20, "critical": critical, **more}
    office.policy({**POLICY, "actions": {"restart-inbox": action}})
    office.application.slice["actions"] = ["restart-inbox", "unknown-to-policy"]


def test_an_action_is_run_by_name_and_what_it_runs_is_the_policys(office: Office, tmp_path: pathlib.Path) -> None:
    application, flag = office.application, tmp_path / "restarted"
    _restart(office, "/usr/bin/touch", str(flag))
    proposed = '{"status": "changed", "proposed_actions": ["restart-inbox"]}'
    applied = application.run(CORRECT, final=proposed)
    assert applied["outcome"] == "applied", applied
    assert [(action["name"], action["ok"]) for action in applied["actions"]] == [("restart-inbox", True)]
    assert flag.exists()
    assert _last_record(application)["result"]["actions"][0]["argv"] == ["/usr/bin/touch", str(flag)]


@pytest.mark.parametrize("name", ["unknown-to-policy", "restart-inbox; rm -rf /", "/usr/bin/touch"])
def test_an_action_that_is_not_offered_is_never_run(office: Office, tmp_path: pathlib.Path, name: str) -> None:
    application, before = office.application, office.application.picture()
    _restart(office, "/usr/bin/touch", str(tmp_path / "restarted"))
    result = application.run(CORRECT, final=json.dumps({"status": "changed", "proposed_actions": [name]}))
    assert result["outcome"] in ("rejected", "invalid_report"), result
    assert application.picture() == before
    assert not (tmp_path / "restarted").exists()


def test_a_failed_action_takes_the_change_back_and_is_run_once_more_on_the_old_files(office: Office, tmp_path: pathlib.Path) -> None:
    application, before = office.application, office.application.picture()
    seen = tmp_path / "seen"
    script = f"cat {application.folder}/config/inbox.json >>{seen}; exit 3"
    _restart(office, "/bin/sh", "-c", script)
    result = application.run(CORRECT, final='{"status": "changed", "proposed_actions": ["restart-inbox"]}')
    assert (result["outcome"], result["code"], result["rolled_back"]) == ("rolled_back", "action_failed", True), result
    assert application.picture() == before
    assert [line.partition("@")[0] for line in seen.read_text("utf-8").splitlines()] == ['{"sender": "noreply', '{"sender": "norply']


def test_an_action_too_often_is_refused_before_anything_is_written(office: Office, tmp_path: pathlib.Path) -> None:
    application = office.application
    _restart(office, "/usr/bin/touch", str(tmp_path / "restarted"), per_hour=1)
    final = '{"status": "changed", "proposed_actions": ["restart-inbox"]}'
    applied = application.run(CORRECT, final=final)
    assert applied["outcome"] == "applied", applied
    operate(application.options(), Order(state="rolled_back", run_id=applied["run_id"]))
    before = application.picture()
    refused = application.run(CORRECT, final=final)
    assert (refused["outcome"], refused["code"]) == ("budget_exhausted", "action_rate"), refused
    assert application.picture() == before


def test_a_policy_that_is_closed_while_the_agent_works_stops_its_plan(office: Office) -> None:
    application, before = office.application, office.application.picture()
    office.policy(POLICY)
    runs = os.path.join(application.prefix, "var/lib/codex-ops/runs")

    def close() -> None:
        until = time.monotonic() + 60
        while not (os.path.isdir(runs) and any(os.path.exists(os.path.join(runs, name, "agent")) for name in os.listdir(runs))) and time.monotonic() < until:
            time.sleep(0.005)
        office.policy({**POLICY, "categories": {"configuration_change": {"autonomy": "forbidden"}}})

    thread = threading.Thread(target=close)
    thread.start()
    result = application.run("sleep 1", CORRECT)
    thread.join()
    assert (result["outcome"], result["code"]) == ("forbidden", "category_forbidden"), result
    assert application.picture() == before


def test_no_action_begins_again_while_the_kill_switch_is_engaged(office: Office, tmp_path: pathlib.Path) -> None:
    application, before = office.application, office.application.picture()
    count, switch = tmp_path / "count", pathlib.Path(application.prefix, "etc/codex-ops/disabled")
    _restart(office, "/bin/sh", "-c", f"echo x >>{count}; touch {switch}; sleep 20")
    result = application.run(CORRECT, final='{"status": "changed", "proposed_actions": ["restart-inbox"]}')
    assert (result["outcome"], application.picture()) == ("killed", before), result
    assert count.read_text("ascii") == "x\n"
    assert any("restart-inbox" in warning for warning in result["warnings"])


RUN = """
import json, sys
sys.path[:0] = {path!r}
from ansible_collections.day2.codex.plugins.module_utils._operation import operate
from ansible_collections.day2.codex.plugins.module_utils._options import Options, Order
sys.stdin.readline()
order = json.loads(sys.argv[1])
options = Options(prefix=order["prefix"], codex_path=order["codex"], cassette=order["cassette"], cassette_mode="replay", rerun="always")
result = operate(options, Order(document=order["slice"]))
sys.stdout.write(result["outcome"])
"""
#: A hundred moments, in parts that can run side by side.
PARTS, ROUNDS = 4, 26


def _agents(prefix: str) -> list[int]:
    """The living processes that see a run folder of *prefix*: Codex, its helpers and commands, validations."""
    mark = os.fsencode(os.path.join(prefix, "var/lib/codex-ops/runs"))
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            said = b""
            for file in ("cmdline", "environ", "mountinfo"):
                with open(f"/proc/{name}/{file}", "rb") as handle:
                    said += handle.read()
            with open(f"/proc/{name}/stat", "rb") as handle:
                state = handle.read().rpartition(b") ")[2][:1]
        except OSError:
            continue
        if mark in said and b"operate(options" not in said and state not in b"ZX":
            found.append(int(name))
    return found


def _said(pid: int) -> bytes:
    """The command line of a process, and what it waits in."""
    found = b""
    for file in ("cmdline", "wchan", "stat"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/{file}", "rb") as handle:
            found += handle.read() + b" "
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_the_kill_switch_ends_every_agent_within_a_second_and_tears_no_tree(office: Office, part: int) -> None:
    del part
    application = office.application
    office.policy(POLICY)
    application.slice["validation"]["must_hold"].append({"name": "a little later", "argv": ["/usr/bin/sleep", "0.2"]})
    old = application.picture()
    new = None
    switch = pathlib.Path(application.prefix, "etc/codex-ops/disabled")
    outcomes: dict[str, int] = {}
    length = 2.0
    tape = cassette(["sleep 0.3", CORRECT])
    script = RUN.format(path=[path for path in sys.path if path])
    order = {"prefix": application.prefix, "codex": os.environ["DAY2_CODEX_CLI"], "cassette": tape, "slice": application.slice}
    for number in range(ROUNDS):
        process = subprocess.Popen([sys.executable, "-c", script, json.dumps(order)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        timer = threading.Timer(60, process.kill)
        timer.start()
        began = time.monotonic()
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        if number:
            until = began + random.uniform(0.1, length)
            while time.monotonic() < until and process.poll() is None:
                time.sleep(0.001)
            switch.write_text('{"reason": "drill"}', "ascii")
            until = time.monotonic() + 1.0
            alive: dict[int, bytes] = {}
            while process.poll() is None or alive:
                looked = time.monotonic()
                alive = {pid: _said(pid) for pid in _agents(application.prefix)}
                assert not alive or looked < until, f"round {number}: an agent lives a second later"
                time.sleep(0.01)
        out = process.communicate(timeout=60)[0]
        timer.cancel()
        if number == 0:
            length, new = time.monotonic() - began, application.picture()
            assert out == "applied"
        outcomes[out] = outcomes.get(out, 0) + 1
        record = _last_record(application)
        assert (record["phase"], record["result"]["outcome"]) == ("outcome", out)
        assert application.picture() in ((new,) if out == "applied" else (old,)), f"round {number}: {out}, and another tree"
        switch.unlink(missing_ok=True)
        if out == "applied":
            operate(application.options(), Order(state="rolled_back", run_id=record["run_id"]))
            assert application.picture() == old
    assert set(outcomes) <= {"applied", "killed", "kill_switch_engaged", "rolled_back"}, outcomes
    assert outcomes.get("killed"), outcomes


def test_a_rollback_is_possible_while_the_kill_switch_is_engaged(office: Office) -> None:
    application, before = office.application, office.application.picture()
    office.policy(POLICY)
    applied = application.run(CORRECT)
    assert applied["outcome"] == "applied"
    pathlib.Path(application.prefix, "etc/codex-ops/disabled").touch()
    stopped = application.run(CORRECT, check=True)
    assert (stopped["outcome"], stopped["failed"], stopped["usage"]["requests"]) == ("kill_switch_engaged", True, 0)
    restored = operate(application.options(), Order(state="rolled_back", run_id=applied["run_id"]))
    assert restored["outcome"] == "restored", restored
    assert application.picture() == before


def test_an_interrupted_apply_is_put_right_while_the_kill_switch_is_engaged(office: Office) -> None:
    application, before = office.application, office.application.picture()
    office.policy(POLICY)
    application.slice["validation"]["must_hold"].append({"name": "wait", "argv": ["/usr/bin/sleep", "20"], "timeout": 30})
    planned = application.slice | {"validation": {"must_hold": [application.slice["validation"]["must_hold"][-1]]}}
    script = RUN.format(path=[path for path in sys.path if path])
    # In the copy the same validation waits as well, so the slice is told apart by its folder: only in place there is an .env.
    planned["validation"]["must_hold"][0]["argv"] = ["/bin/sh", "-c", "test ! -e config/.env || sleep 20"]
    order = {"prefix": application.prefix, "codex": os.environ["DAY2_CODEX_CLI"], "cassette": cassette([CORRECT]), "slice": planned}
    process = subprocess.Popen([sys.executable, "-c", script, json.dumps(order)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    deadline = time.monotonic() + 30
    while application.picture() == before and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert application.picture() != before
    pathlib.Path(application.prefix, "etc/codex-ops/disabled").touch()
    stopped = application.run(CORRECT)
    assert stopped["outcome"] == "kill_switch_engaged", stopped
    assert application.picture() == before
