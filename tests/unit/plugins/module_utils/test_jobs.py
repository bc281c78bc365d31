# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Work is put into the inbox, taken out of it and looked at: recorded once, without secrets, and readable for people."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.document import problems
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox
from ansible_collections.day2.codex.plugins.module_utils._jobs import Request, change, info
from ansible_collections.day2.codex.plugins.module_utils._options import Options
from ansible_collections.day2.codex.plugins.module_utils._places import Places

ROOT = pathlib.Path(__file__).resolve().parents[4]
JOB_SCHEMA = json.loads((ROOT / "schemas/job.schema.json").read_text("utf-8"))
SECRET = "sk-proj-" + "a1B2" * 12
SIGNAL = {
    "signal": "disk", "host": "inbox-1", "collected_at": "2026-01-15T03:15:00Z", "status": "critical", "summary": "Full.",
    "findings": [{"id": "space:/srv", "severity": "CRITICAL", "resource": "/srv", "expected": "below 90 %", "observed": 97, "detail": "df"}],
    "metrics": {"used": 97, "inodes": None}, "thresholds": {"used": [80, 90]}, "truncated": False,
}  # fmt: skip


class Host:
    """A prefix with one installed slice."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.prefix = str(folder / "prefix")
        self.places = Places(self.prefix)
        os.makedirs(self.places.slices)
        pathlib.Path(self.places.slices, "disk-report.json").write_text("{}")

    def ask(self, *, check: bool = False, **wanted: t.Any) -> dict[str, t.Any]:
        """What comes of a request; its job is as the contract has it."""
        result = change(Options(prefix=self.prefix, check=check), Request(**wanted))
        assert result["job"] is None or problems(result["job"], JOB_SCHEMA) == []
        json.dumps(result)
        return result

    def add(self, **wanted: t.Any) -> dict[str, t.Any]:
        """What comes of adding a job."""
        return self.ask(**{"slice": "disk-report", **wanted})

    def jobs(self, limit: int = 100, **wanted: t.Any) -> list[dict[str, t.Any]]:
        """The jobs as job_info shows them."""
        found = info(self.prefix, wanted, limit=limit, history=True)["jobs"]
        assert all(problems(job, JOB_SCHEMA) == [] for job in found)
        return t.cast("list[dict[str, t.Any]]", found)

    def records(self) -> list[dict[str, t.Any]]:
        """The host's audit log."""
        if not os.path.exists(self.places.log):
            return []
        with open(self.places.log, encoding="ascii") as handle:
            return [json.loads(line) for line in handle]


@pytest.fixture(name="host")
def _host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path)


def _refused(work: t.Callable[[], object]) -> CodexOpsError:
    with pytest.raises(CodexOpsError) as caught:
        work()
    return caught.value


def test_a_job_is_added_once_and_recorded_once(host: Host) -> None:
    first = host.add(signal=SIGNAL)
    assert (first["changed"], first["outcome"], first["job"]["state"]) == (True, "completed", "pending")
    assert first["diff"] == {"before": {}, "after": {"state": "pending"}}
    second = host.add(signal={**SIGNAL, "metrics": {"used": 98}})
    assert (second["changed"], second["outcome"], second["audit"]) == (False, "unchanged", None)
    assert (second["job"]["id"], second["job"]["count"]) == (first["job"]["id"], 2)
    records = host.records()
    assert [record["phase"] for record in records] == ["intent", "outcome"]
    assert records[1]["input"]["job"] == first["job"]["id"] and records[1]["command"]["operation"] == "job"
    assert first["audit"] == {"seq": 2, "hash": records[1]["hash"], "first": records[0]["hash"]}
    assert any(name.startswith("unix:") for name in first["job"]["requested_by"])


def test_the_record_names_the_job(host: Host) -> None:
    added = host.add(signal=SIGNAL)["job"]["id"]
    host.ask(state="cancelled", id=added, why="it is fixed")
    assert [record["job_id"] for record in host.records()][1:] == [added] * 3


def test_check_mode_says_what_would_be_and_makes_nothing(host: Host) -> None:
    assert host.add(check=True)["changed"]
    assert not os.path.exists(host.places.state) and host.records() == []
    added = host.add()["job"]["id"]
    assert not host.add(check=True)["changed"]
    assert host.add(check=True, input="other")["changed"]
    assert host.ask(check=True, state="cancelled", id=added)["job"]["state"] == "cancelled"
    [job] = host.jobs()
    assert (job["state"], job["count"]) == ("pending", 1) and len(host.records()) == 2


def test_a_job_is_cancelled_and_retried_once(host: Host) -> None:
    added = host.add(dedupe_key="disk", expires_in=60)["job"]["id"]
    assert [host.ask(state="cancelled", dedupe_key="disk", why="it is fixed")["changed"] for _time in range(2)] == [True, False]
    assert not host.ask(state="cancelled", id=added)["changed"]
    assert [host.ask(state="retried", id=added)["changed"] for _time in range(2)] == [True, False]
    [job] = host.jobs(id=added)
    assert [entry["to"] for entry in job["history"]] == ["pending", "cancelled", "pending"]
    assert job["history"][1]["why"] == "it is fixed" and job["expires"] is None
    assert len(host.records()) == 6


def test_what_is_done_cannot_be_cancelled_and_that_is_recorded_too(host: Host) -> None:
    added = host.add()["job"]["id"]
    inbox = Inbox(host.places.inbox)
    inbox.claim("w")
    assert host.ask(state="cancelled", id=added)["code"] == "job_claimed"
    inbox.finish(added, "w", outcome="applied")
    result = host.ask(state="cancelled", id=added)
    assert (result["failed"], result["changed"], result["code"]) == (True, False, "job_state")
    assert result["job"]["state"] == "applied" and host.records()[-1]["result"]["code"] == "job_state"


def test_no_secret_gets_into_the_inbox(host: Host) -> None:
    signal = {**SIGNAL, "summary": f"token {SECRET}"}
    added = host.add(signal=signal, input={"line": f"key={SECRET}"})
    assert not host.add(signal=signal, input={"line": f"key={SECRET}"})["changed"]
    assert "[redacted:" in added["job"]["signal"]["summary"]
    host.ask(state="cancelled", id=added["job"]["id"], why=SECRET)
    for options in ({"dedupe_key": SECRET}, {"slice": {**_slice(), "instructions": SECRET}}):
        assert "secret" in str(_refused(lambda options=options: host.add(**options)))
    for folder, _folders, names in os.walk(host.prefix):
        for name in names:
            assert SECRET.encode() not in pathlib.Path(folder, name).read_bytes(), name


def test_what_people_look_at_hides_nothing(host: Host) -> None:
    hostile = "\u202e\x1b[2J\x00\udc80"
    host.add(signal={**SIGNAL, "summary": hostile}, dedupe_key=hostile)
    [job] = host.jobs(dedupe_key=hostile)
    assert job["signal"]["summary"] == "\\u{202e}\\u{001b}[2J\\u{0000}\\u{dc80}"
    assert json.dumps(job, ensure_ascii=False).isprintable()


def _slice() -> dict[str, t.Any]:
    return {"name": "tidy", "category": "health_check", "workspace": "/srv/inbox", "scope": {"include": ["**"]}, "instructions": "Look."}


def test_a_slice_can_be_given_itself(host: Host) -> None:
    added = host.add(slice=_slice())
    assert added["job"]["slice"] == "tidy" and len(added["job"]["slice_sha256"]) == 64
    assert not host.add(slice=_slice())["changed"]
    assert host.add(slice={**_slice(), "instructions": "Look again."})["changed"]
    assert Inbox(host.places.inbox).get(added["job"]["id"]).slice_document == _slice()


@pytest.mark.parametrize(
    ("wanted", "code", "said"),
    [
        ({"slice": "nowhere"}, "slice_not_found", "slices.d/nowhere.json"),
        ({"slice": "../disk-report"}, "job_invalid", "expected the name of a slice"),
        ({"slice": None}, "option_invalid", "needs a slice"),
        ({"slice": {"name": "x"}}, "slice_invalid", "category"),
        ({"signal": {**SIGNAL, "status": "bad"}}, "signal_invalid", "at status: expected one of"),
        ({"signal": {**SIGNAL, "colour": "red"}}, "signal_invalid", "no key 'colour'"),
        ({"signal": {**SIGNAL, "findings": [{"id": "x"}]}}, "signal_invalid", "findings[0]"),
        ({"state": "cancelled"}, "option_invalid", "which job"),
        ({"state": "retried"}, "option_invalid", "which job"),
        ({"state": "cancelled", "id": "job-x"}, "job_not_found", "'job-x'"),
    ],
    ids=range(10),
)
def test_what_makes_no_sense_is_refused_in_words(host: Host, wanted: dict[str, t.Any], code: str, said: str) -> None:
    error = _refused(lambda: host.add(**wanted))
    assert error.code == code and said in str(error)
    assert not os.path.exists(host.places.inbox) and host.records() == []


def test_jobs_are_found_by_what_they_are(host: Host) -> None:
    ids = [host.add(input=number)["job"]["id"] for number in range(4)]
    host.ask(state="cancelled", id=ids[0])
    assert [job["id"] for job in host.jobs()] == ids[::-1]
    assert [job["id"] for job in host.jobs(states=["pending"], limit=2)] == ids[:1:-1]
    assert [job["id"] for job in host.jobs(states=["cancelled", "failed"])] == ids[:1]
    assert host.jobs(until="2026-01-01") == [] and len(host.jobs(since="2026-01-01", slice="disk-report")) == 4
    assert host.jobs(plan="none") == [] and host.jobs(states=[]) == []
    found = info(host.prefix, {"states": ["pending"]}, limit=1, history=False)
    assert (found["count"], len(found["jobs"]), found["jobs"][0]["history"]) == (3, 1, [])
    assert found["states"]["pending"] == 3 and found["states"]["cancelled"] == 1
    for wanted, limit, where in (({}, 0, "limit"), ({"since": "yesterday"}, 1, "filter.since")):
        error = _refused(lambda wanted=wanted, limit=limit: info(host.prefix, wanted, limit=limit, history=False))
        assert (error.code, error.where) == ("option_invalid", where)


def test_a_damaged_inbox_fails_and_is_left(host: Host) -> None:
    host.add()
    path = pathlib.Path(host.places.inbox)
    path.write_bytes(b"")
    assert _refused(lambda: info(host.prefix, {}, limit=1, history=False)).code == "inbox_damaged"
    assert _refused(host.add).code == "inbox_damaged"
    assert path.read_bytes() == b""
