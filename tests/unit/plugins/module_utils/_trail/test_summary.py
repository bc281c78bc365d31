# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A log is added up: the newest run and report of each slice, cost, days and denials; small, whatever stands in it."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._trail import log as trail
from ansible_collections.day2.codex.plugins.module_utils._trail.query import info
from ansible_collections.day2.codex.plugins.module_utils._trail.summary import COMMAND, DAYS, DENIED, FINDINGS, SLICES, TEXT, summed


def record(slice_: str | None = "disk-report", day: str = "2026-01-15", **more: t.Any) -> dict[str, t.Any]:
    """An outcome in the log."""
    made: dict[str, t.Any] = {
        "time": f"{day}T03:15:00.000000+00:00", "phase": "outcome", "run_id": "run-1", "job_id": None, "input": {"slice": slice_},
        "command": {"operation": "slice", "check_mode": False}, "attempts": [], "result": {"outcome": "unchanged", "msg": "Well."},
        "usage": {"requests": 2, "total_tokens": 1000},
    }  # fmt: skip
    return {**made, **more}


def reported(status: str, *severities: str) -> dict[str, t.Any]:
    findings = [{"id": f"f{number}", "severity": severity, "summary": "Full."} for number, severity in enumerate(severities)]
    return {"outcome": "completed", "report": {"status": status, "summary": "Look.", "findings": findings, "needs_human": True}}


def test_the_newest_run_and_report_of_each_slice_stand_there_the_latest_first() -> None:
    found = summed([
        record(result=reported("critical", "INFO", "CRITICAL")),
        record("log-report", "2026-01-16"),
        record(day="2026-01-17", result={"outcome": "timeout", "code": "timeout"}, run_id="run-3"),
    ])  # fmt: skip
    assert [one["slice"] for one in found["slices"]] == ["disk-report", "log-report"]
    disk = found["slices"][0]
    assert (disk["runs"], disk["requests"], disk["tokens"], disk["outcomes"]) == (2, 4, 2000, {"completed": 1, "timeout": 1})
    assert (disk["last"]["run_id"], disk["last"]["outcome"], disk["report"]["run_id"], disk["report"]["status"]) == ("run-3", "timeout", "run-1", "critical")
    assert disk["report"]["findings"] == {"CRITICAL": 1, "WARNING": 0, "INFO": 1} and disk["report"]["worst"][0]["severity"] == "CRITICAL"
    assert disk["days"] == [{"day": "2026-01-15", "runs": 1, "bad": 1, "tokens": 1000}, {"day": "2026-01-17", "runs": 1, "bad": 1, "tokens": 1000}]
    assert found["slices"][1]["days"][0]["bad"] == 0


def test_a_dry_run_costs_and_says_nothing_of_how_it_stands() -> None:
    found = summed([record(), record(command={"operation": "slice", "check_mode": True}, result={"outcome": "rejected"}, run_id="dry")])["slices"][0]
    assert (found["runs"], found["tokens"], found["last"]["run_id"]) == (2, 2000, "run-1")


def test_only_what_asks_an_agent_is_counted() -> None:
    others = [record(command={"operation": name}) for name in ("job", "approval", "kill_switch")]
    assert summed([*others, record(phase="intent"), record(None, command={"operation": "exec"})])["slices"][0]["slice"] is None
    assert summed(others)["slices"] == []


def test_a_rollback_belongs_to_the_slice_that_it_takes_back() -> None:
    found = summed([record(result={"outcome": "applied"}), record(None, run_id="run-2", input={"run_id": "run-1"}, result={"outcome": "restored"})])
    assert [(one["slice"], one["last"]["outcome"]) for one in found["slices"]] == [("disk-report", "restored")]


def test_denied_attempts_are_counted_and_the_newest_are_shown() -> None:
    attempts = [{"command": f"rm {number}", "status": "denied", "reason": "no", "exit_code": None} for number in range(DENIED + 5)]
    found = summed([record(attempts=[*attempts, {"command": "true", "status": "completed"}])])["denied"]
    assert (found["count"], len(found["newest"]), found["newest"][-1]["command"]) == (DENIED + 5, DENIED, f"rm {DENIED + 4}")


def test_what_comes_out_is_small_however_much_went_in() -> None:
    long = "x" * 1_000_000
    days = [f"2026-{month:02}-{day:02}" for month in range(1, 7) for day in range(1, 29)]
    report = {"status": long, "summary": long, "findings": [{"severity": "CRITICAL", "id": long, "summary": long}] * 50}
    result = {"outcome": long, "msg": long, "code": long, "report": report}
    denied = [{"status": "denied", "command": long, "reason": long}]
    records = [record(f"slice-{number}", day, result=result, attempts=denied) for day in days[:3] for number in range(SLICES + 10)]
    found = summed([*records, *(record("often", day) for day in days)])
    assert len(found["slices"]) == SLICES and found["slices_left_off"] == 11
    assert len(found["slices"][0]["days"]) == DAYS
    worst = found["slices"][1]["report"]
    assert worst["summary"] == f"{'x' * TEXT}… (1000000 characters)" and len(worst["worst"]) == FINDINGS
    assert found["denied"]["newest"][0]["command"].startswith("x" * COMMAND + "…")
    assert len(json.dumps(found)) < 400_000


@pytest.mark.parametrize("odd", [None, [], "text", 7, {"a": 1}, [[]], -1])
@pytest.mark.parametrize("key", ["time", "run_id", "input", "command", "attempts", "result", "usage"])
def test_a_record_of_another_form_breaks_nothing(key: str, odd: t.Any) -> None:
    found = summed([record(**{key: odd}), record()])
    json.dumps(found)
    assert found["slices"][0]["slice"] == "disk-report"


def test_a_report_of_another_form_breaks_nothing() -> None:
    for report in ([], "text", {"findings": "many"}, {"findings": [7, {"severity": ["x"]}, {"severity": {}}]}, {"status": {}, "needs_human": "yes"}):
        found = summed([record(result={"outcome": "completed", "report": report})])["slices"][0]
        json.dumps(found)
        assert found["report"] is None or found["report"]["needs_human"] is None


def test_audit_info_adds_up_what_its_filter_leaves_and_no_more(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "audit.jsonl")
    for slice_ in ("disk-report", "log-report", "disk-report"):
        made = record(slice_)
        del made["time"]
        trail.append(path, made)
    found = info(path, wanted={"slice": "disk-report"}, limit=0, check=False, summary=True)
    assert found["records"] == [] and found["summary"]["records"] == 2 and [one["runs"] for one in found["summary"]["slices"]] == [2]
    assert "summary" not in info(path, wanted={}, limit=0, check=False)
