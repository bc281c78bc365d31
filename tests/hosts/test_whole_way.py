# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole way on a provisioned host: codex-ops plans, people decide, root applies."""

from __future__ import annotations

import json
import typing as t

import pytest

from .host import FILES, FIX, POLICY, PYTHON, SLICE, WORKSPACE, Host


def _signer(host: Host, name: str) -> str:
    """Make a key for *name* and let its signatures count; the key's path."""
    key = f"/root/{name}"
    host.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    public = " ".join(host.read(key + ".pub").split()[:2])
    line, path = f'{name} namespaces="codex-ops-approval" {public}', "/etc/codex-ops/allowed_signers"
    host.must("sh", "-c", f"echo '{line}' >> {path}; chmod 644 {path}")
    return key


def decide(host: Host, key: str, plan: str, who: str, decision: str = "approve", user: str = "codex-ops") -> dict[str, t.Any]:
    """Sign a decision about *plan*, and have it recorded by *user*."""
    ballot = {"plan": plan, "decision": decision, "approver": who, "expires_in": 3600}
    statement = host.drive("approval", user, ballot=ballot)["statement"]
    host.write("/root/statement", statement)
    host.must("rm", "-f", "/root/statement.sig")
    host.must("ssh-keygen", "-q", "-Y", "sign", "-n", "codex-ops-approval", "-f", key, "/root/statement")
    return host.drive("approval", user, ballot={**ballot, "statement": statement, "signature": host.read("/root/statement.sig")})


def _lay(host: Host) -> None:
    for path, text in FILES.items():
        host.write(f"{WORKSPACE}/{path}", text)


@pytest.mark.parametrize("recorder", ["codex-ops", "root"])
def test_a_plan_of_codex_ops_is_approved_by_a_person_and_applied_by_root(host: Host, recorder: str) -> None:
    _lay(host)
    key = _signer(host, f"alice-{recorder}")
    before = host.tree()
    planned = host.plan()
    assert (planned["outcome"], planned["isolation"]) == ("planned", "codex_agent"), planned
    plan = planned["plan"]["id"]
    waiting = host.drive("slice", "codex-ops", plan=plan)
    assert (waiting["outcome"], waiting["changed"]) == ("awaiting_approval", False), waiting
    assert host.tree() == before
    assert not decide(host, key, plan, f"alice-{recorder}", user=recorder)["failed"]
    # Whoever recorded it, codex-ops sees it, and its jobs go on.
    assert host.must("ls", f"/var/lib/codex-ops/runs/{plan}/approvals").count(".json") == 1
    applied = host.drive("slice", "codex-ops", plan=plan)
    assert (applied["outcome"], applied["changed"]) == ("applied", True), applied
    assert "noreply@" in host.read(f"{WORKSPACE}/config/inbox.yml")
    assert host.must("stat", "-c", "%U %a", f"{WORKSPACE}/config/inbox.yml") == "root 644\n"
    again = json.loads(host.must("/opt/codex-ops/helpers/apply", data=plan.encode() + b"\n"))
    assert (again["outcome"], again["code"]) == ("stale_plan", "plan_spent"), again
    refused = host.drive("slice", "codex-ops", state="rolled_back", run_id=applied["run_id"])
    assert refused["failed"] and host.tree() != before, refused
    restored = host.drive("slice", "root", state="rolled_back", run_id=applied["run_id"])
    assert restored["outcome"] == "restored", restored
    assert host.tree() == before


def test_root_drops_to_codex_ops_and_an_automatic_slice_is_applied_at_once(host: Host) -> None:
    _lay(host)
    sha256 = host.plan()["plan"]["slice_sha256"]
    try:
        host.policy(
            {
                **POLICY,
                "categories": {"configuration_change": {"autonomy": "automatic"}},
                "slices": {SLICE["name"]: {"sha256": sha256, "workspace": WORKSPACE}},
            }
        )
        applied = host.plan(user="root", state="applied")
        assert (applied["outcome"], applied["isolation"], applied["changed"]) == ("applied", "codex_agent", True), applied
        assert applied["usage"]["requests"] == 2 and applied["commands"]
        # Who asked is root, although codex-ops planned.
        stored = json.loads(host.read(f"/var/lib/codex-ops/runs/{applied['plan']['id']}/plan.json"))
        assert {"unix:root", "unix:codex-ops"} <= set(stored["requested_by"])
        records = [json.loads(line) for line in host.read("/var/log/codex-ops/audit.jsonl").splitlines()]
        users = {record["user"]["name"] for record in records if record["phase"] == "outcome" and record["result"]["outcome"] == "applied"}
        assert users == {"codex-ops", "root"}
        assert host.drive("slice", "root", state="rolled_back", run_id=applied["run_id"])["outcome"] == "restored"
    finally:
        host.policy(POLICY)


def test_a_job_of_roots_goes_from_the_inbox_to_the_live_tree(host: Host) -> None:
    from .host import cassette

    _lay(host)
    key = _signer(host, "dora")
    added = host.drive("job", "root", slice=SLICE)
    assert added["changed"], added
    assert host.must("stat", "-c", "%U", "/var/lib/codex-ops/inbox.sqlite3") == "codex-ops\n"
    waiting = host.drive("work", "codex-ops", cassette=cassette((FIX,), '{"status": "changed"}'))
    assert waiting["outcome"] == "awaiting_approval", waiting
    assert not decide(host, key, waiting["plan"]["id"], "dora", user="root")["failed"]
    applied = host.drive("work", "codex-ops", plan=waiting["plan"]["id"])
    assert (applied["outcome"], applied["job"]["state"]) == ("applied", "applied"), applied
    assert host.drive("slice", "root", state="rolled_back", run_id=applied["run_id"])["outcome"] == "restored"


@pytest.mark.parametrize("user", ["codex-ops", "root"])
def test_the_command_says_what_is_going_on_to_both(host: Host, user: str) -> None:
    host.plan()
    program = "import sys; sys.path.insert(0, '/opt/codex-ops/current'); from codex_ops._cli.main import main;"
    program += "sys.exit(main(sys.argv[1:], '/opt/codex-ops/test'))"
    status = json.loads(host.must("/usr/bin/python3", "-IB", "-c", program, "status", "--json", user=user))
    tested = host.run("/usr/bin/python3", "-IB", "-c", program, "selftest", "--json", user=user)
    checks = {check["name"]: check for check in json.loads(tested.out)["checks"]}
    assert checks["sandbox"]["result"] == "ok" and "codex-agent" in checks["sandbox"]["why"], checks
    assert checks["places"]["result"] == "ok", checks
    assert status["plans"] and status["runs"] and status["budget"]["runs_last_hour"] > 0, status


def test_ansible_s_modules_started_as_root_drop_too_and_leave_nothing_in_tmp(host: Host) -> None:
    from .host import cassette

    _lay(host)
    key = _signer(host, "emil")
    host.write("/root/tape.json", json.dumps(cassette((FIX,), '{"status": "changed"}')))
    task = {"slice": SLICE, "cassette": "/root/tape.json", "rerun": "always"}

    def ansible(module: str, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
        settings = ("ANSIBLE_COLLECTIONS_PATH=/checkout/.cache/collections", "ANSIBLE_HOME=/root/ansible", "LC_ALL=C.UTF-8")
        words = ("-m", "ansible", "adhoc", "localhost", "-m", f"day2.codex.{module}", "-a", json.dumps(arguments), "-e", f"ansible_python_interpreter={PYTHON}")
        done = host.run("env", *settings, "/checkout/.venv/bin/python", *words)
        assert b"{" in done.out, done.text
        return t.cast("dict[str, t.Any]", json.loads(done.out[done.out.index(b"{") :]))

    before = host.must("ls", "/tmp")
    waiting = ansible("slice", task)
    assert (waiting["outcome"], waiting["isolation"]) == ("awaiting_approval", "codex_agent"), waiting
    plan = waiting["plan"]["id"]
    assert not decide(host, key, plan, "emil", user="root")["failed"]
    applied = ansible("slice", {"plan": plan})
    assert (applied["outcome"], applied["changed"]) == ("applied", True), applied
    restored = ansible("slice", {"state": "rolled_back", "run_id": applied["run_id"]})
    assert restored["outcome"] == "restored", restored
    assert host.must("ls", "/tmp") == before


def test_exec_runs_as_codex_agent_and_returns_its_patch(host: Host) -> None:
    _lay(host)
    from .host import cassette

    for user in ("codex-ops", "root"):
        answer = host.drive("exec", user, workspace=WORKSPACE, writable=True, cassette=cassette((FIX,), "done"))
        assert (answer["outcome"], answer["isolation"]) == ("completed", "codex_agent"), answer
        assert "+sender: noreply@" in answer["patch"]
    assert "norply@" in host.read(f"{WORKSPACE}/config/inbox.yml")


def test_a_workspace_that_codex_ops_cannot_read_is_said_to_be_so(host: Host) -> None:
    _lay(host)
    host.must("chmod", "0600", f"{WORKSPACE}/config/inbox.yml")
    try:
        answer = host.plan()
        assert answer["failed"] and "codex-ops" in answer["msg"] and "inbox.yml" in answer["msg"], answer
    finally:
        host.must("chmod", "0644", f"{WORKSPACE}/config/inbox.yml")


@pytest.mark.parametrize("missing", ["agent", "helpers", "sudoers"])
def test_without_codex_agent_or_the_helpers_codex_runs_as_nobody(bare: Host, missing: str) -> None:
    bare.users("codex-ops", *(() if missing == "agent" else ("codex-agent",)))
    bare.engine()
    if missing != "helpers":
        bare.helpers()
    if missing == "sudoers":
        bare.must("rm", "/etc/sudoers.d/codex-ops")
    bare.application()
    bare.drive("prepare")
    for user in ("codex-ops", "root"):
        answer = bare.plan(user=user)
        assert answer["outcome"] == "sandbox_unavailable", answer
        assert answer["usage"]["requests"] == 0
        assert "Provision" in answer["msg"]


def test_a_host_that_is_not_provisioned_works_as_before(bare: Host) -> None:
    bare.engine()
    bare.application()
    answer = bare.plan(user="root")
    assert (answer["outcome"], answer["isolation"]) == ("planned", "throw_away_user"), answer
