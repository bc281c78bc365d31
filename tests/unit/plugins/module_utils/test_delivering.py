# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What needs a person becomes one ticket and one alert, whatever happens on the way; what no longer does is resolved."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils import _delivering as delivering
from ansible_collections.day2.codex.plugins.module_utils._cli.main import main
from ansible_collections.day2.codex.plugins.module_utils._cli.selftest import _delivery
from ansible_collections.day2.codex.plugins.module_utils._contract.document import problems
from ansible_collections.day2.codex.plugins.module_utils._delivery.sending import view
from ansible_collections.day2.codex.plugins.module_utils._delivery.settings import load
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._jobs import Request, change
from ansible_collections.day2.codex.plugins.module_utils._options import Options

from .delivery_host import KEY, NOW, RAW, SCHEMA, Host

# --- tickets --------------------------------------------------------------------------------------------------------------


def test_where_nobody_is_needed_nothing_is_written_and_nothing_recorded(host: Host) -> None:
    for outcome in ("applied", "unchanged"):
        host.job(outcome, key=outcome)
    for _time in range(2):
        result = host.deliver()
        assert (result["outcome"], result["changed"], result["run_id"], result["warnings"]) == ("unchanged", False, None, [])
    assert host.tickets() == [] and host.records() == []


def test_what_was_looked_at_long_ago_is_not_looked_at_again(host: Host) -> None:
    state = pathlib.Path(host.places.outbox) / "state.json"
    for _time in range(3):
        host.job("unchanged", key="same")
        host.deliver()
        assert json.loads(state.read_text())["seen"] == host.now
        host.now += 3600
    before = state.stat()
    host.deliver()
    assert state.stat() == before


def test_without_any_file_a_failed_job_becomes_one_ticket(host: Host) -> None:
    job = host.job(code="internal_error")
    result = host.deliver()
    one = host.ticket()
    assert (one["id"], one["job"], one["state"], one["status"], one["severity"]) == (job, job, "open", "failed", "WARNING")
    assert (one["summary"], one["outcome"], one["code"], one["plan"], one["branch"]) == ("It did not work.", "agent_error", "internal_error", None, None)
    path = pathlib.Path(host.places.tickets) / f"{job}.json"
    assert result["tickets"] == [{"id": job, "job": job, "state": "open", "status": "failed", "severity": "WARNING", "path": str(path)}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [record["phase"] for record in host.records()] == ["intent", "outcome"]
    assert host.records()[1]["input"]["tickets"] == result["tickets"] and host.records()[1]["job_id"] == job
    before = path.stat()
    assert host.deliver(job)["changed"] is False
    assert path.stat() == before and len(host.records()) == 2


@pytest.mark.parametrize(
    ("outcome", "more", "status"),
    [
        ("awaiting_approval", {}, "awaiting_approval"),
        ("rejected", {"code": "out_of_scope"}, "failed"),
        ("rejected", {"code": "approval_rejected"}, None),
        ("forbidden", {}, "failed"),
        ("rolled_back", {}, "failed"),
        ("restored", {}, None),
        ("invalid_report", {}, "failed"),
        ("unchanged", {"report": {"status": "warning", "needs_human": True, "summary": "Look."}}, "needs_human"),
        ("applied", {"report": {"status": "changed", "needs_human": True}}, "needs_human"),
        ("applied", {"report": {"status": "changed", "needs_human": "yes"}}, None),
        ("unchanged", {"report": ["needs_human"]}, None),
        ("unchanged", {"report": "x" * (33 << 20)}, "needs_human"),
        ("unchanged", {"code": "resolved", "report": {"needs_human": True}}, None),
        ("busy", {}, None),
    ],
)
def test_a_ticket_says_why_a_person_is_needed_and_there_is_none_where_nobody_is(host: Host, outcome: str, more: t.Any, status: str | None) -> None:
    host.job(outcome, **more)
    host.deliver()
    assert [one["status"] for one in host.tickets()] == ([status] if status else [])
    for one in host.tickets():
        assert problems(one, SCHEMA) == []


def test_only_what_the_host_wants_to_know_becomes_a_ticket(host: Host) -> None:
    host.wants(when=["awaiting_approval"])
    host.job("agent_error", key="a")
    host.job("awaiting_approval", key="b")
    host.deliver()
    assert host.ticket()["status"] == "awaiting_approval"


def test_the_same_thing_is_one_ticket_however_often_it_fails(host: Host) -> None:
    first = host.job(key="same")
    host.deliver()
    host.now += 100
    second = host.job(key="same", msg="It did not work again.")
    host.deliver()
    one = host.ticket()
    assert (one["id"], one["job"], one["summary"]) == (first, second, "It did not work again.")
    assert one["opened"] < one["updated"]


def test_what_a_rule_finds_again_after_its_window_is_the_same_thing(host: Host) -> None:
    signal = {"signal": "disk", "status": "critical", "findings": [{"id": "space:/srv", "severity": "CRITICAL", "resource": "/srv", "observed": "97 %"}]}
    for moment in ("a", "b"):
        host.job(key=f"rule:disks:disk:look:{moment * 32}", signal=signal, input_={"rule": "disks"})
        host.deliver()
        host.now += 86400
    one = host.ticket()
    assert (one["severity"], one["findings"][0]["id"]) == ("CRITICAL", "space:/srv")


@pytest.mark.parametrize("way", ["retried", "later job", "cancelled", "forgotten"])
def test_a_ticket_is_resolved_when_its_job_no_longer_needs_a_person(host: Host, way: str) -> None:
    job = host.job("awaiting_approval" if way == "cancelled" else "agent_error", key="same")
    host.deliver()
    host.now += 10
    if way == "retried":
        assert "warnings" not in change(Options(prefix=str(host.prefix)), Request(state="retried", id=job, now=host.now))
    elif way == "cancelled":
        change(Options(prefix=str(host.prefix)), Request(state="cancelled", id=job, why="by hand", now=host.now))
    elif way == "later job":
        host.job("unchanged", key="same")
        host.deliver()
    else:
        host.inbox.sweep(now=host.now, keep=0)
        host.deliver()
    one = host.ticket()
    assert one["state"] == "resolved" and one["resolved"]["by"] == "codex-ops" and job in one["resolved"]["why"] or way == "later job"
    assert delivering.tickets(str(host.prefix))["tickets"] == []
    before = len(host.records())
    host.deliver()
    assert len(host.records()) == before


def test_a_person_closes_a_ticket_and_only_something_new_opens_it(host: Host) -> None:
    job = host.job("unchanged", key="same", report={"status": "warning", "needs_human": True, "summary": "Look."})
    host.deliver()
    options = Options(prefix=str(host.prefix))
    assert delivering.close(options, job, "looked\u202e at it")["changed"]
    assert host.ticket()["resolved"]["why"] == "looked\\u{202e} at it"
    assert delivering.close(options, job, "")["outcome"] == "unchanged"
    assert delivering.close(options, "job-1", "")["code"] == "ticket_not_found"
    host.deliver(job)
    assert host.ticket()["state"] == "resolved"
    host.now += 10
    host.job("unchanged", key="same", report={"status": "warning", "needs_human": True, "summary": "Look again."})
    host.deliver()
    assert (host.ticket()["state"], host.ticket()["summary"], host.ticket()["resolved"]) == ("open", "Look again.", None)


def test_what_is_remembered_can_be_lost_and_damaged(host: Host) -> None:
    job = host.job(key="same")
    host.deliver()
    state = pathlib.Path(host.places.outbox) / "state.json"
    for damage in (None, "", "[]", '{"version": 1, "tickets": 5}', '{"version": 1, "tickets": {"a": {}}}', "{" * 100000):
        state.unlink()
        if damage is not None:
            state.write_text(damage)
        host.deliver(job)
        assert host.ticket()["id"] == job
    state.write_text('{"version": 2}')
    with pytest.raises(CodexOpsError) as caught:
        host.deliver(job)
    assert caught.value.code == "newer_state"


def test_resolved_tickets_go_when_their_time_is_over(host: Host) -> None:
    job = host.job(key="same")
    host.deliver()
    host.inbox.move(job, "pending", "alice", "again", now=host.now)
    host.deliver()
    pathlib.Path(host.places.tickets, f"{job}.bundle").write_text("x")
    host.now += 91 * 86400
    host.job(key="other")
    host.deliver()
    assert [one["key"] for one in host.tickets()] == ["other"]
    assert not pathlib.Path(host.places.tickets, f"{job}.bundle").exists()


def test_a_wrong_file_is_a_warning_and_what_happened_meanwhile_is_alerted_when_it_is_right(host: Host) -> None:
    host.wants(alarm={"command": ["/bin/true"]})
    host.job()
    result = host.deliver()
    assert result["code"] == "delivery_invalid" and "did you mean 'alert'" in result["warnings"][0]
    assert host.ticket()["state"] == "open"
    host.now += 300
    host.alerts()
    assert host.deliver()["alerts"]["sent"] == 1
    assert host.deliver()["alerts"]["sent"] == 0


def test_check_mode_and_an_empty_host_make_nothing(tmp_path: pathlib.Path, host: Host) -> None:
    host.job()
    assert delivering.deliver(Options(prefix=str(host.prefix), check=True))["changed"] is False
    assert host.tickets() == []
    prefix = tmp_path / "empty"
    assert delivering.deliver(Options(prefix=str(prefix)))["outcome"] == "unchanged"
    assert not prefix.exists()


# --- alerts ---------------------------------------------------------------------------------------------------------------


def test_an_alert_is_the_signed_ticket_and_the_key_is_nowhere(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    host.alerts()
    host.job(msg=f"The provider said {KEY} and {KEY[6:]} and {RAW.hex()}.", report={"summary": KEY, "needs_human": True})
    result = host.deliver()
    assert result["alerts"] == {"sent": 1, "held_back": 0, "waiting": 0}
    (message,) = host.given()
    assert message["type"] == "ticket.open" and message["data"] == host.ticket()
    main(["status", "--json", "--prefix", str(host.prefix)])
    main(["inbox", "tickets", message["data"]["id"], "--prefix", str(host.prefix)])
    said = capfd.readouterr()
    for text in (host.delivered(), host.out.read_bytes(), (said.out + said.err).encode(), json.dumps(result).encode()):
        for form in (KEY, KEY[6:], RAW.hex(), RAW.decode("latin-1")):
            assert form.encode() not in text


def test_the_same_is_not_told_twice_unless_it_is_worse_or_its_time_is_over(host: Host) -> None:
    host.alerts(repeat_after="2h", per_hour=100)

    def fails(severity: str) -> int:
        host.job(key="same", signal={"findings": [{"id": "a", "severity": severity, "observed": "x"}]})
        host.now += 1
        return int(host.deliver()["alerts"]["sent"])

    assert fails("WARNING") == 1
    assert fails("WARNING") == 0
    assert fails("CRITICAL") == 1
    assert fails("WARNING") == 0
    host.now += 7200
    assert fails("WARNING") == 1
    assert len({message["webhook-id"] for message in host.given()}) == 3


def test_what_is_not_bad_enough_is_a_ticket_and_no_alert(host: Host) -> None:
    host.alerts(min_severity="CRITICAL")
    host.job()
    assert host.deliver()["alerts"]["sent"] == 0 and host.ticket()["severity"] == "WARNING"
    assert host.given() == []


def test_what_the_guide_lets_people_be_told_of_is_told(host: Host) -> None:
    guide = (pathlib.Path(__file__).resolve().parents[4] / "docs/docsite/rst/guide_runbooks.rst").read_text("utf-8")
    _before, _caption, behind = guide.partition(":caption: delivery: delivery.json\n")
    said, _end = json.JSONDecoder().raw_decode(behind.lstrip())
    said["alert"]["command"] = [host.command]
    assert said["alert"]["min_severity"] == "WARNING"
    host.wants(**{**said, "when": ["needs_human", "awaiting_approval", "failed"]})
    host.job("awaiting_approval", key="a")
    host.job("unchanged", key="b", report={"status": "warning", "needs_human": True, "summary": "Look.", "findings": []})
    host.job("agent_error", key="c")
    assert host.deliver()["alerts"]["sent"] == 3
    assert {message["data"]["status"] for message in host.given()} == {"awaiting_approval", "needs_human", "failed"}


def test_alerts_without_tickets_are_told_once(host: Host) -> None:
    host.wants(ticket=False, alert={"command": [host.command]})
    job = host.job("awaiting_approval")
    for sent in (1, 0, 0):
        assert host.deliver(job)["alerts"]["sent"] == sent
    assert host.tickets() == [] and len(host.given()) == 1


def test_above_the_limit_of_an_hour_alerts_become_one_summary(host: Host) -> None:
    host.alerts(per_hour=3)
    for number in range(8):
        host.job(key=f"job-{number}")
    result = host.deliver()
    # One place is kept for what is critical.
    assert result["alerts"] == {"sent": 2, "held_back": 6, "waiting": 0}
    assert host.deliver()["run_id"] is None
    host.now += 1800
    host.job(key="job-8")
    assert host.deliver()["alerts"] == {"sent": 0, "held_back": 1, "waiting": 0}
    host.now += 1801
    assert host.deliver()["alerts"]["sent"] == 1
    given = host.given()
    assert [message["type"] for message in given] == ["ticket.open"] * 2 + ["tickets.held_back"]
    told = given[-1]["data"]
    assert told["count"] == 7 and told["severity"] == "WARNING" and len({one["id"] for one in told["tickets"]}) == 7
    assert {one["id"] for one in told["tickets"]} | {message["data"]["id"] for message in given[:2]} == {one["id"] for one in host.tickets()}
    host.now += 3700
    assert host.deliver()["alerts"]["sent"] == 0


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("#!/bin/sh\nexit 1\n", "ended with status 1"),
        ("#!/bin/sh\necho $$ > {pid}\nsleep 1000 & echo $! >> {pid}\nwait\n", "did not end within 1 s"),
        ("#!/bin/sh\nyes 'leak {key}' & yes >&2\n", "did not end within 1 s"),
        ("#!/bin/sh\nkill -9 $$\n", "ended by signal 9"),
        ("no script", "cannot be run"),
        (None, "cannot be run"),
    ],
)
def test_a_hook_that_fails_is_a_warning_and_is_called_again_with_the_same_id(host: Host, script: str | None, why: str) -> None:
    pid = host.folder / "pids"
    good = host.command
    bad = str(host.folder / "bad") if script is None else host.program(script.format(pid=pid, key="x"), "bad")
    host.command = bad
    host.alerts(timeout=1)
    job = host.job("awaiting_approval")
    result = host.deliver()
    assert result["outcome"] == "completed" and not result["failed"] and result["alerts"]["waiting"] == 1
    assert why in result["warnings"][-1], result["warnings"]
    assert host.inbox.get(job).state == "awaiting_approval"
    for line in pid.read_text().split() if pid.exists() else ():
        assert not pathlib.Path(f"/proc/{line}").exists()
    assert host.overview()["error"].startswith("1 could not be sent: ")
    name = os.listdir(host.places.outbox)
    host.command = good
    host.alerts()
    assert host.deliver()["alerts"]["sent"] == 0, "it is left in peace for a while"
    host.now += 31
    result = host.deliver()
    assert result["alerts"]["sent"] == 1 and result["warnings"] == []
    assert [f"{message['webhook-id']}.message" for message in host.given()] == [one for one in name if one.endswith(".message")]
    assert host.overview()["error"] is None


def test_the_pause_after_each_failure_is_longer_up_to_an_hour(host: Host) -> None:
    host.wants(alert={"command": ["/bin/false"]})
    alert = load(host.places.delivery, host.places.owners, host.places.alert_key).alert
    assert alert is not None
    host.job()
    host.deliver()
    pauses = []
    for _time in range(10):
        seen = view(host.places.outbox, alert)
        pauses.append(round(seen.until(*seen.messages) - host.now))
        host.now = seen.until(*seen.messages)
        host.deliver()
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        (KEY, 0o644, "Others can read"),
        (KEY, 0o660, "Others can read or write"),
        ("hunter2-hunter2-hunter2-hunter2", 0o600, "must be one line"),
        ("", 0o600, "must be one line"),
    ],
)
def test_a_key_that_is_none_or_known_to_others_signs_nothing(host: Host, text: str, mode: int, why: str) -> None:
    host.key(text, mode)
    host.alerts()
    host.job()
    result = host.deliver()
    assert why in result["warnings"][-1] and not host.out.exists()
    assert "hunter2" not in json.dumps(result) and b"hunter2" not in host.delivered()
    host.key(KEY)
    host.now += 31
    assert host.deliver()["alerts"]["sent"] == 1


def test_hostile_text_becomes_neither_a_command_nor_an_escape_nor_a_broken_ticket(host: Host) -> None:
    host.alerts()
    bad = "\x1b[2J\u202e$(touch /tmp/pwned); `id` <script>\x00\ud800 " + "A" * 100000
    signal = {"signal": "logs", "findings": [{"id": bad[:300], "severity": "CRITICAL", "resource": bad, "expected": bad, "observed": bad}, 5, None]}
    report = {"status": "critical", "summary": bad, "needs_human": True, "findings": [{"severity": "WARNING", "summary": bad}, {"severity": [bad]}] * 50}
    host.job("unchanged", key="x", signal=signal, report=report, msg=bad)
    assert host.deliver()["warnings"] == []
    one = host.ticket()
    text = json.dumps(one, ensure_ascii=False)
    assert not any(character in text for character in ("\x1b", "\u202e", "\\u0000", "\ud800")) and len(text) < 200000
    assert "\\u{202e}" in one["summary"] and len(one["findings"]) == 50 and one["report"] is None
    (message,) = host.given()
    assert message["data"] == one


def test_the_kill_switch_does_not_keep_people_from_being_told(host: Host) -> None:
    from ansible_collections.day2.codex.plugins.module_utils._working import work

    host.alerts()
    job = host.job()
    pathlib.Path(host.places.kill_switch).touch()
    result = work(Options(prefix=str(host.prefix)), None)
    assert result["outcome"] == "kill_switch_engaged" and host.inbox.get(job).state == "failed"
    assert [message["data"]["job"] for message in host.given()] == [job]


# --- the command ----------------------------------------------------------------------------------------------------------


def test_the_command_lists_shows_closes_and_delivers(host: Host, capfd: pytest.CaptureFixture[str]) -> None:
    host.alerts()
    job = host.job(key="one", msg="It\tdid\x1b not work.")

    def run(*words: str) -> tuple[int, str]:
        status = main(["inbox", *words, "--prefix", str(host.prefix)])
        said = capfd.readouterr()
        return status, said.out + said.err

    assert run("tickets") == (0, "No ticket is open.\n")
    status, said = run("deliver")
    assert status == 0 and "1 ticket written. 1 alert sent by" in said
    status, said = run("tickets")
    assert status == 0 and job in said and "WARNING" in said and "failed" in said and "\x1b" not in said
    status, said = run("tickets", job)
    assert status == 0 and "It\tdid\\u{001b} not work." in said
    assert run("tickets", "job-none")[0] == 2
    assert run("close")[0] == 2
    assert run("close", job, "--reason", "done")[0] == 0
    assert run("tickets") == (0, "No ticket is open. 1 resolved ones are not shown; --resolved shows them.\n")
    assert job in run("tickets", "--resolved")[1]
    host.wants(when=[])
    status, said = run("deliver")
    assert status == 1 and "delivery.json" in said
    main(["status", "--prefix", str(host.prefix)])
    assert "alerts" in capfd.readouterr().out


def test_the_self_test_says_what_keeps_people_from_being_told(host: Host) -> None:
    def said() -> tuple[str, str]:
        return _delivery(host.places)

    assert said() == ("ok", "tickets are written, and nobody is alerted")
    host.alerts()
    assert said() == ("ok", f"alerts go by {host.command}")
    host.wants(alert={"command": ["/nowhere"]})
    assert said() == ("look at it", "/nowhere cannot be run")
    host.wants(alert={"webhook": "https://hook.example.com/x", "ca_file": "/nowhere.pem"})
    assert "/nowhere.pem cannot be read" in said()[1]
    host.key(KEY, 0o644)
    assert "Others can read" in said()[1]
    host.wants(alarm={})
    assert said()[0] == "look at it" and "did you mean 'alert'" in said()[1]


def test_two_deliveries_at_once_tell_each_thing_once(host: Host) -> None:
    host.alerts(per_hour=1000)
    for number in range(10):
        host.job(key=f"job-{number}")
    code = (
        "import sys\nfrom ansible_collections.day2.codex.plugins.module_utils import _delivering as d\n"
        "from ansible_collections.day2.codex.plugins.module_utils._options import Options\n"
        f"d.deliver(Options(prefix=sys.argv[1]), sys.argv[2:], clock=lambda: {NOW})\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    ids = [job.id for job in host.inbox.jobs()]
    command = [sys.executable, "-c", code, str(host.prefix), *ids]
    running = [subprocess.Popen(command, env=environment) for _number in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    host.deliver()
    assert sorted(message["data"]["job"] for message in host.given()) == sorted(ids)
