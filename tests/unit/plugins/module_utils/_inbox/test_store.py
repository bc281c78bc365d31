# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job is added once, taken by one worker, goes only ways that there are, and all of it is remembered."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.document import problems
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._inbox import states
from ansible_collections.day2.codex.plugins.module_utils._inbox.job import MAX_CONTENT, Job
from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox

ROOT = pathlib.Path(__file__).resolve().parents[5]
JOB_SCHEMA = json.loads((ROOT / "schemas/job.schema.json").read_text("utf-8"))
NOON = 1_800_000_000.0
#: The shortest way from the beginning to each state.
WAYS = {
    "pending": (),
    "planned": ("planned",),
    "awaiting_approval": ("awaiting_approval",),
    "approved": ("awaiting_approval", "approved"),
    "applied": ("applied",),
    "unchanged": ("unchanged",),
    "rejected": ("rejected",),
    "failed": ("failed",),
    "rolled_back": ("applied", "rolled_back"),
    "expired": ("expired",),
    "cancelled": ("cancelled",),
}


@pytest.fixture(name="inbox")
def _inbox(tmp_path: pathlib.Path) -> t.Iterator[Inbox]:
    inbox = Inbox(str(tmp_path / "inbox.sqlite3"), jitter=lambda: 1.0)
    yield inbox
    inbox.close()


def _signal(*ids: str, **more: t.Any) -> dict[str, t.Any]:
    findings = [{"id": name, "severity": "WARNING", "resource": name} for name in ids]
    head = {"signal": "disk", "host": "inbox-1", "collected_at": "2026-01-15T03:15:00Z", "status": "warning", "summary": "Almost full."}
    return {**head, "findings": findings, **more}


def _refused(work: t.Callable[[], object]) -> CodexOpsError:
    with pytest.raises(CodexOpsError) as caught:
        work()
    return caught.value


def _add(inbox: Inbox, key: str, **more: t.Any) -> Job:
    job, created = inbox.enqueue("disk-report", None, key, **{"now": NOON, **more})
    assert created
    return job


def _whole(inbox: Inbox, job: Job) -> dict[str, t.Any]:
    shown = job.as_dict(inbox.history(job.id))
    assert problems(shown, JOB_SCHEMA) == []
    json.dumps(shown)
    return shown


# --- transitions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), list(itertools.product(states.STATES, states.STATES)))
def test_every_way_that_there_is_can_be_gone_and_no_other(inbox: Inbox, tmp_path: pathlib.Path, old: str, new: str) -> None:
    job = _add(inbox, "a")
    for number, state in enumerate(WAYS[old]):
        inbox.move(job.id, state, "tester", "on the way", NOON + 1 + number)
    if new in states.TRANSITIONS[old]:
        moved = inbox.move(job.id, new, "unix:alice", "because", NOON + 60)
        assert (moved.state, moved.updated) == (new, NOON + 60)
        last = inbox.history(job.id)[-1]
        assert last == {"at": NOON + 60, "event": "moved", "from": old, "to": new, "by": "unix:alice", "why": "because"}
        _whole(inbox, moved)
        return
    before = inbox.history(job.id)
    error = _refused(lambda: inbox.move(job.id, new, "unix:alice", "because", NOON + 60))
    assert error.code == "job_state" and f"is {old} and cannot be made {new}" in str(error)
    assert inbox.get(job.id).state == old and inbox.history(job.id) == before
    if old != new:
        # Nor by whoever writes into the database past this engine.
        with sqlite3.connect(tmp_path / "inbox.sqlite3") as database, pytest.raises(sqlite3.IntegrityError, match="cannot go this way"):
            database.execute("UPDATE jobs SET state = ?", (new,))


def test_the_states_are_those_of_the_published_contract() -> None:
    assert list(states.STATES) == JOB_SCHEMA["definitions"]["state"]["enum"]
    assert set(states.TRANSITIONS) == set(states.STATES) == set(WAYS)


def test_nothing_is_applied_while_people_are_being_asked(inbox: Inbox) -> None:
    job = _add(inbox, "a")
    inbox.claim("w", NOON)
    waiting = inbox.finish(job.id, "w", outcome="awaiting_approval", plan="p", approvals_needed=2, run_id="r", now=NOON)
    assert (waiting.state, waiting.plan, waiting.approvals_needed, waiting.run_ids) == ("awaiting_approval", "p", 2, ("r",))
    assert inbox.claim("w", NOON + 1) is None
    inbox.claim_id(job.id, "w", NOON + 1)
    assert _refused(lambda: inbox.finish(job.id, "w", outcome="applied", now=NOON + 2)).code == "job_state"
    inbox.finish(job.id, "w", outcome="awaiting_approval", now=NOON + 2)
    inbox.move(job.id, "approved", "bob", "two signatures", NOON + 3)
    taken = inbox.claim("w", NOON + 4)
    assert taken is not None and (taken.state, taken.plan) == ("approved", "p")
    assert inbox.finish(job.id, "w", outcome="applied", run_id="s", now=NOON + 5).run_ids == ("r", "s")


# --- the same again ---------------------------------------------------------------------------------------------------


def test_the_same_signal_while_its_job_is_open_is_one_job(inbox: Inbox) -> None:
    first, created = inbox.enqueue("disk-report", _signal("a", "b"), requested_by=["unix:alice"], expires_in=60, now=NOON)
    assert created
    same = _signal("b", "a", status="critical", metrics={"used": 97})
    again, created = inbox.enqueue("disk-report", same, requested_by=["unix:bob"], priority=5, expires_in=60, now=NOON + 30)
    assert not created and again.id == first.id
    assert (again.count, again.first_seen, again.last_seen, again.expires) == (2, NOON, NOON + 30, NOON + 90)
    assert again.requested_by == ("unix:alice", "unix:bob") and again.priority == 5
    # Nobody works on it: the newer one is what will be worked on.
    assert again.signal == same
    inbox.claim("w", NOON + 31)
    third, created = inbox.enqueue("disk-report", _signal("a", "b", summary="newer"), now=NOON + 32)
    assert not created and third.signal == same and third.count == 3 and third.expires is None
    inbox.finish(first.id, "w", outcome="unchanged", now=NOON + 33)
    other, created = inbox.enqueue("disk-report", _signal("a", "b"), now=NOON + 34)
    assert created and other.id != first.id


@pytest.mark.parametrize(
    "other",
    [
        ("disk-report", _signal("a", "b"), None),
        ("disk-report", {**_signal("a"), "signal": "inodes"}, None),
        ("disk-cleanup", _signal("a"), None),
        ("disk-report", None, {"question": 1}),
        ({"name": "disk-report"}, _signal("a"), None),
    ],
)
def test_what_is_about_something_else_is_another_job(inbox: Inbox, other: tuple[t.Any, t.Any, t.Any]) -> None:
    inbox.enqueue("disk-report", _signal("a"), now=NOON)
    slice_, signal, given = other
    assert inbox.enqueue(slice_, signal, input_=given, now=NOON)[1]
    assert not inbox.enqueue(slice_, signal, input_=given, now=NOON)[1]


def test_the_database_itself_takes_no_second_open_job_about_the_same(inbox: Inbox, tmp_path: pathlib.Path) -> None:
    job = _add(inbox, "a")
    inbox.move(job.id, "cancelled", "x", "", NOON)
    _add(inbox, "a")
    with sqlite3.connect(tmp_path / "inbox.sqlite3") as database, pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        database.execute("UPDATE jobs SET state = 'pending'")


ENQUEUER = """
import sys
from {module} import Inbox
sys.stdin.readline()
for number in range(10):
    Inbox(sys.argv[1]).enqueue("disk-report", {{"signal": "disk", "findings": [{{"id": "a"}}]}}, requested_by=["unix:" + sys.argv[2]])
"""


def _start(code: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    filled = code.format(module=Inbox.__module__)
    return subprocess.Popen([sys.executable, "-c", filled, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def test_the_same_signal_a_hundred_times_at_once_is_one_job(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "inbox.sqlite3")
    processes = [_start(ENQUEUER, path, str(number)) for number in range(10)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    [job] = Inbox(path).jobs()
    assert job.count == 100 and job.state == "pending"
    assert set(job.requested_by) == {f"unix:{number}" for number in range(10)}
    assert job.first_seen < job.last_seen
    assert Inbox(path).check() == []
    assert not [name for name in os.listdir(tmp_path) if ".new" in name]


# --- order, expiry, retries -------------------------------------------------------------------------------------------


def test_the_highest_priority_goes_first_and_then_the_oldest(inbox: Inbox) -> None:
    wanted = [_add(inbox, "c", priority=7), _add(inbox, "a"), _add(inbox, "b"), _add(inbox, "d", priority=-3)]
    taken = [inbox.claim("w", NOON) for _job in wanted]
    assert [job and job.id for job in taken] == [job.id for job in wanted]
    assert inbox.claim("w", NOON) is None


def test_a_job_whose_time_is_over_is_not_worked_on(inbox: Inbox) -> None:
    first = [_add(inbox, str(number), expires_in=10, priority=9) for number in range(3)]
    last = _add(inbox, "last", expires_in=20)
    assert _refused(lambda: inbox.claim_id(first[2].id, "w", NOON + 10)).code == "job_state"
    taken = inbox.claim("w", NOON + 10)
    assert taken is not None and taken.id == last.id
    assert {inbox.get(job.id).state for job in first} == {"expired"}
    assert inbox.history(first[0].id)[-1]["event"] == "expired"
    # Whoever works on it may end it.
    assert inbox.sweep(NOON + 100)["expired"] == 0
    assert inbox.finish(last.id, "w", outcome="unchanged", now=NOON + 100).state == "unchanged"


def test_what_is_over_makes_room_for_the_same_again_and_is_swept(inbox: Inbox) -> None:
    first = _add(inbox, "a", expires_in=10)
    second = _add(inbox, "a", now=NOON + 10, expires_in=10)
    assert first.id != second.id and inbox.get(first.id).state == "expired"
    inbox.claim("w", NOON + 11)
    inbox.finish(second.id, "w", outcome="awaiting_approval", now=NOON + 11)
    assert inbox.sweep(NOON + 20) == {"freed": 0, "expired": 1, "forgotten": 0}
    assert inbox.sweep(NOON + 50, keep=35) == {"freed": 0, "expired": 0, "forgotten": 1}
    assert [job.id for job in inbox.jobs()] == [second.id]
    assert inbox.history(first.id) == []


def test_a_sweep_goes_through_more_than_one_batch(inbox: Inbox) -> None:
    for number in range(1100):
        _add(inbox, str(number), expires_in=5)
    assert inbox.sweep(NOON + 5, keep=0.0) == {"freed": 0, "expired": 1100, "forgotten": 1100}
    assert inbox.counts() == dict.fromkeys(states.STATES, 0)


PASSING = [
    ("provider_unreachable", None),
    ("provider_error", "provider_status_429"),
    ("provider_error", "provider_status_503"),
    ("provider_error", "stream_dropped"),
    ("timeout", None),
    ("rejected", "disk_full"),
]
HELD = [("busy", "busy"), ("kill_switch_engaged", "kill_switch_engaged"), ("killed", None), ("budget_exhausted", "tokens_per_day")]


@pytest.mark.parametrize(("outcome", "code"), PASSING)
def test_what_may_pass_is_tried_again_later_and_later_and_then_fails(inbox: Inbox, outcome: str, code: str | None) -> None:
    job, now, waited = _add(inbox, "a"), NOON, []
    for _attempt in range(states.MAX_FAILURES - 1):
        assert inbox.claim("w", now) is not None
        after = inbox.finish(job.id, "w", outcome=outcome, code=code, msg="no luck", now=now)
        assert (after.state, after.outcome, after.code, after.worker) == ("pending", outcome, code, None)
        waited.append(after.not_before - now)
        assert inbox.claim("w", after.not_before - 0.1) is None
        now = after.not_before
        _whole(inbox, after)
    assert waited == [30.0 * 2**number for number in range(len(waited))]
    inbox.claim("w", now)
    assert inbox.finish(job.id, "w", outcome=outcome, code=code, now=now).state == "failed"
    again = inbox.move(job.id, "pending", "unix:alice", "the provider is back", now)
    assert (again.failures, again.not_before, again.outcome) == (0, 0.0, None)


@pytest.mark.parametrize(("outcome", "code"), HELD)
def test_what_was_not_even_tried_waits_for_as_long_as_the_job_lives(inbox: Inbox, outcome: str, code: str | None) -> None:
    job, now = _add(inbox, "a", expires_in=100_000), NOON
    for _attempt in range(20):
        assert inbox.claim("w", now) is not None
        after = inbox.finish(job.id, "w", outcome=outcome, code=code, now=now)
        assert after.state == "pending" and 0 < after.not_before - now <= states.LONGEST_DELAY
        now = after.not_before
    assert inbox.claim("w", NOON + 100_001) is None
    assert inbox.get(job.id).state == "expired"


@pytest.mark.parametrize(
    ("outcome", "code", "state"),
    [
        ("provider_error", "provider_status_401", "failed"),
        ("provider_error", "key_unreadable", "failed"),
        ("budget_exhausted", "token_limit", "failed"),
        ("invalid_report", None, "failed"),
        ("refused", None, "failed"),
        ("sandbox_unavailable", None, "failed"),
        ("agent_error", "internal_error", "failed"),
        ("newer_state", None, "failed"),
        ("rejected", "out_of_scope", "rejected"),
        ("forbidden", "path_forbidden", "rejected"),
        ("rolled_back", "validation_failed", "rolled_back"),
        ("completed", None, "unchanged"),
        ("planned", None, "planned"),
        ("applied", None, "applied"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(inbox: Inbox, outcome: str, code: str | None, state: str) -> None:
    job = _add(inbox, "a")
    inbox.claim("w", NOON)
    assert inbox.finish(job.id, "w", outcome=outcome, code=code, now=NOON).state == state
    assert inbox.claim("w", NOON + 1_000_000) is None


def test_an_approved_job_that_has_to_wait_stays_approved_and_a_stale_one_is_planned_again(inbox: Inbox) -> None:
    job = _add(inbox, "a")
    inbox.move(job.id, "awaiting_approval", "engine", "", NOON, plan="p", approvals_needed=1)
    inbox.move(job.id, "approved", "bob", "signed", NOON)
    inbox.claim("w", NOON)
    waits = inbox.finish(job.id, "w", outcome="busy", code="busy", now=NOON)
    assert (waits.state, waits.plan) == ("approved", "p")
    inbox.claim("w", waits.not_before)
    stale = inbox.finish(job.id, "w", outcome="stale_plan", code="base_changed", now=NOON)
    assert (stale.state, stale.plan, stale.approvals_needed) == ("pending", None, 0)


def test_jobs_that_failed_together_do_not_come_back_together(tmp_path: pathlib.Path) -> None:
    inbox = Inbox(str(tmp_path / "inbox.sqlite3"))
    back = set()
    for number in range(20):
        job = _add(inbox, str(number))
        inbox.claim_id(job.id, "w", NOON)
        back.add(inbox.finish(job.id, "w", outcome="provider_unreachable", now=NOON).not_before)
    assert len(back) == 20 and all(15 <= seconds - NOON <= 30 for seconds in back)


def test_a_retry_does_not_stand_beside_an_open_job_about_the_same(inbox: Inbox) -> None:
    first = _add(inbox, "a")
    inbox.move(first.id, "cancelled", "x", "", NOON)
    second = _add(inbox, "a")
    error = _refused(lambda: inbox.move(first.id, "pending", "x", "", NOON))
    assert error.code == "job_duplicate" and second.id in str(error)


# --- speed ------------------------------------------------------------------------------------------------------------


def test_no_step_looks_through_all_jobs(inbox: Inbox) -> None:
    _add(inbox, "a")
    asked: list[str] = []
    connection = inbox._database._connection
    assert connection is not None
    connection.set_trace_callback(asked.append)
    job = _add(inbox, "b", expires_in=10)
    inbox.enqueue("disk-report", None, "b", now=NOON)
    inbox.claim("w", NOON)
    inbox.claim_id(job.id, "w", NOON)
    inbox.finish(job.id, "w", outcome="provider_unreachable", now=NOON)
    inbox.move(job.id, "cancelled", "x", "", NOON)
    inbox.sweep(NOON + 100, keep=1.0)
    inbox.get(job.id) if inbox.count({"id": job.id}) else None
    for wanted in ({"state": "pending"}, {"slice": "disk-report"}, {"dedupe_key": "b"}, {"plan": "p"}, {"id": "j"}):
        inbox.jobs(wanted)
        inbox.count(wanted)
    inbox.history(job.id)
    connection.set_trace_callback(None)
    questions = [text for text in asked if text.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "INSERT INTO history"))]
    assert len(questions) > 40
    for question in questions:
        for row in connection.execute("EXPLAIN QUERY PLAN " + question):
            plan = str(row[3])
            # A partial index holds only the few rows that can be the answer.
            assert not plan.startswith("SCAN") or any(name in plan for name in ("jobs_ready", "jobs_leased", "jobs_waiting", "CONSTANT")), (plan, question)
            assert "TEMP B-TREE" not in plan or "IN (" in question, (plan, question)


# --- hostile text -----------------------------------------------------------------------------------------------------

HOSTILE = ["'); DROP TABLE jobs; --", "\x00\x1b[2J\u202e", "\udc80\ud800", "a" * 5000, "\n\r\t", "${jndi:x}", "{{ 1 + 1 }}", "%s%n", "\U0001f600"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_only_text_in_every_field(inbox: Inbox, text: str) -> None:
    signal = _signal(text, summary=text, metrics={text: text})
    job, _created = inbox.enqueue("disk-report", signal, text, requested_by=[text], input_={text: [text]}, now=NOON)
    assert inbox.get(job.id).signal == signal and inbox.get(job.id).input == {text: [text]}
    assert not inbox.enqueue("disk-report", signal, text, now=NOON)[1]
    assert [found.id for found in inbox.jobs({"dedupe_key": job.dedupe_key})] == [job.id]
    taken = inbox.claim(text, NOON)
    assert taken is not None
    _whole(inbox, taken)
    inbox.renew(job.id, text, NOON)
    done = inbox.finish(job.id, text, outcome="awaiting_approval", code=text, msg=text, plan=text, run_id=text, now=NOON)
    _whole(inbox, done)
    moved = inbox.move(job.id, "cancelled", text, text, NOON, msg=text, outcome=text)
    shown = _whole(inbox, moved)
    assert all(len(json.dumps(entry)) < 20_000 for entry in shown["history"])
    for name in ("state", "slice", "id", "plan", "dedupe_key"):
        inbox.jobs({name: text})
    assert _refused(lambda: inbox.get(text)).code == "job_not_found"
    assert _refused(lambda: inbox.enqueue(text, now=NOON)).code == "job_invalid"
    assert _refused(lambda: inbox.jobs({text: "x"})).code == "job_invalid"
    assert inbox.check() == [] and inbox.count() == 1


def test_a_key_that_is_long_or_strange_is_known_again(inbox: Inbox) -> None:
    for key in ("a" * 201, " a", "a\n", "a\udc80", "a\\udc80"):
        assert _add(inbox, key).dedupe_key != "a"
        assert not inbox.enqueue("disk-report", None, key, now=NOON)[1]
    assert inbox.count() == 5


def _nested() -> t.Any:
    found: t.Any = []
    for _level in range(100_000):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"input_": float("nan")}, "job_invalid"),
        ({"input_": {1: 2, "1": {3}}}, "job_invalid"),
        ({"input_": _nested()}, "job_invalid"),
        ({"input_": "x" * MAX_CONTENT}, "job_too_large"),
        ({"priority": 1001}, "job_invalid"),
        ({"priority": 1.5}, "job_invalid"),
        ({"priority": True}, "job_invalid"),
        ({"expires_in": 0}, "job_invalid"),
        ({"expires_in": float("inf")}, "job_invalid"),
        ({"expires_in": float("nan")}, "job_invalid"),
        ({"signal": ["x"]}, "job_invalid"),
        ({"dedupe_key": ""}, "job_invalid"),
    ],
    ids=range(12),
)
def test_what_cannot_be_a_job_is_refused_and_nothing_is_made(inbox: Inbox, tmp_path: pathlib.Path, options: dict[str, t.Any], code: str) -> None:
    assert _refused(lambda: inbox.enqueue("disk-report", **options, now=NOON)).code == code
    assert os.listdir(tmp_path) == []
