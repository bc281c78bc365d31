# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applying, knowing when nothing is left to do, and taking back."""

from __future__ import annotations

import json
import os
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._operation import operate
from ansible_collections.day2.codex.plugins.module_utils._options import Order

from .conftest import CORRECT, Application, cassette


def _read(application: Application, path: str) -> str:
    with open(os.path.join(application.folder, path), encoding="utf-8") as handle:
        return handle.read()


def test_the_first_run_applies_and_the_second_asks_no_model(application: Application) -> None:
    first = application.run(CORRECT)
    assert (first["outcome"], first["changed"]) == ("applied", True), first
    assert _read(application, "config/inbox.yml").startswith("sender: noreply@inbox.example.com")
    assert first["usage"] == {"requests": 2, "input_tokens": 1900, "cached_input_tokens": 0, "output_tokens": 70, "total_tokens": 1970}
    assert {result["stage"] for result in first["validation"]} == {"copy", "live"}
    after = application.picture()
    second = application.run(CORRECT)
    assert (second["outcome"], second["changed"], second["usage"]["requests"]) == ("unchanged", False, 0)
    assert application.picture() == after


def test_check_mode_shows_the_patch_and_leaves_tree_plans_and_memory(application: Application) -> None:
    before = application.picture()
    plans = [path for path, _folders, names in os.walk(application.prefix) if "plan.json" in names]
    memory = os.path.join(application.prefix, "var/lib/codex-ops/remembered")
    remembered = os.listdir(memory) if os.path.exists(memory) else []
    result = application.run(CORRECT, check=True)
    assert (result["outcome"], result["changed"]) == ("planned", True), result
    assert "+sender: noreply@inbox.example.com" in result["patch"]
    assert application.picture() == before
    assert [path for path, _folders, names in os.walk(application.prefix) if "plan.json" in names] == plans
    assert os.listdir(memory) == remembered


def test_a_plan_is_applied_to_the_letter_without_a_model_and_only_once(application: Application) -> None:
    before = application.picture()
    planned = application.run(CORRECT, state="planned")
    assert (planned["outcome"], planned["changed"]) == ("planned", True), planned
    assert application.picture() == before
    again = application.run(CORRECT, state="planned")
    assert (again["outcome"], again["changed"], again["usage"]["requests"]) == ("planned", False, 0)
    assert again["plan"] == planned["plan"]
    applied = operate(application.options(), Order(plan=planned["plan"]["id"]))
    assert (applied["outcome"], applied["usage"]["requests"]) == ("applied", 0), applied
    assert applied["patch"] == planned["patch"]
    spent = operate(application.options(), Order(plan=planned["plan"]["id"]))
    assert (spent["outcome"], spent["code"]) == ("stale_plan", "plan_spent")


def test_a_plan_made_from_other_files_is_stale(application: Application) -> None:
    planned = application.run(CORRECT, state="planned")
    with open(os.path.join(application.folder, "config/api.yml"), "a", encoding="utf-8") as handle:
        handle.write("# a person was here\n")
    before = application.picture()
    result = operate(application.options(), Order(plan=planned["plan"]["id"]))
    assert (result["outcome"], result["code"]) == ("stale_plan", "base_changed")
    assert application.picture() == before


def test_a_plan_with_one_changed_byte_is_refused(application: Application) -> None:
    planned = application.run(CORRECT, state="planned")
    path = os.path.join(application.prefix, "var/lib/codex-ops/runs", planned["plan"]["id"], "plan.json")
    with open(path, "rb") as handle:
        raw = handle.read()
    document = json.loads(raw)
    content = document["files"][0]["new"]["content"]
    with open(path, "wb") as handle:
        handle.write(raw.replace(content.encode(), content[:-4].encode() + (b"AAA=" if content[-4:] != "AAA=" else b"BBB=")))
    before = application.picture()
    result = operate(application.options(), Order(plan=planned["plan"]["id"]))
    assert (result["outcome"], result["code"]) == ("rejected", "plan_damaged"), result
    assert application.picture() == before


def test_a_validation_that_fails_in_place_is_rolled_back(application: Application) -> None:
    # The flag lies outside scope: the copy does not have it, the live tree does.
    with open(os.path.join(application.folder, "notes/maintenance"), "w", encoding="utf-8") as handle:
        handle.write("1\n")
    application.slice["validation"]["must_hold"].append({"name": "no maintenance", "argv": ["/usr/bin/test", "!", "-e", "notes/maintenance"]})
    before = application.picture()
    result = application.run(CORRECT)
    assert (result["outcome"], result["changed"], result["rolled_back"]) == ("rolled_back", False, True), result
    assert "as it was before" in result["msg"]
    assert application.picture() == before


def test_a_validation_that_fails_in_the_copy_is_rejected(application: Application) -> None:
    application.slice["validation"]["must_fail"].append({"name": "no reply at all", "argv": ["/usr/bin/grep", "-rq", "noreply@", "config"]})
    before = application.picture()
    result = application.run(CORRECT)
    assert (result["outcome"], result["code"]) == ("rejected", "validation_failed"), result
    assert application.picture() == before


@pytest.mark.parametrize("argv", [["/nonexistent/program"], ["/usr/bin/sleep", "30"], ["/bin/sh", "-c", "kill -9 $$"]])
def test_a_must_fail_that_does_not_run_to_its_exit_code_is_no_pass(application: Application, argv: list[str]) -> None:
    application.slice["validation"]["must_fail"].append({"name": "broken check", "argv": argv, "timeout": 1})
    before = application.picture()
    result = application.run(CORRECT)
    assert (result["outcome"], result["code"]) == ("rejected", "validation_failed"), result
    assert application.picture() == before


def test_validations_in_the_copy_have_no_network_and_no_live_files(application: Application) -> None:
    script = f"cat {application.folder}/notes/todo.txt /etc/shadow 2>/dev/null; echo x > {application.folder}/config/escaped; exit 0"
    application.slice["validation"] = {"must_hold": [{"name": "curious", "argv": ["/bin/sh", "-c", script]}]}
    application.slice["values"]["incorrect"].append({"value": "norply@"})
    result = application.run(CORRECT, check=True)
    assert result["outcome"] == "planned", result
    output = result["validation"][0]["output"]
    assert "Read-only file system" in output and "out of scope" not in output and "root:" not in output
    assert not os.path.exists(os.path.join(application.folder, "config/escaped"))


def test_a_rollback_restores_and_refuses_to_overwrite_later_edits(application: Application) -> None:
    before = application.picture()
    applied = application.run(CORRECT)
    path = os.path.join(application.folder, "config/inbox.yml")
    with open(path, encoding="utf-8") as handle:
        kept = handle.read()
    with open(path, "a", encoding="utf-8") as handle:
        handle.write("# a person was here\n")
    edited = application.picture()
    order = Order(state="rolled_back", run_id=applied["run_id"])
    refused = operate(application.options(), order)
    assert refused["outcome"] == "stale_plan", refused
    assert "config/inbox.yml" in refused["msg"] + str(refused.get("details"))
    assert application.picture() == edited
    with open(path, "w", encoding="utf-8") as handle:
        handle.write(kept)
    checked = operate(application.options(check=True), order)
    assert (checked["outcome"], checked["changed"]) == ("restored", True), checked
    restored = operate(application.options(), order)
    assert (restored["outcome"], restored["changed"], restored["rolled_back"]) == ("restored", True, True)
    assert application.picture() == before
    again = operate(application.options(), order)
    assert (again["outcome"], again["changed"]) == ("unchanged", False)


def test_a_slice_without_a_goal_is_remembered(application: Application) -> None:
    for key in ("values", "validation"):
        del application.slice[key]
    first = application.run("echo '# done' >> config/inbox.yml")
    assert first["outcome"] == "applied", first
    second = application.run("echo '# done' >> config/inbox.yml")
    assert (second["outcome"], second["cached"], second["usage"]["requests"]) == ("unchanged", True, 0), second
    third = application.run("echo '# done' >> config/inbox.yml", rerun="always")
    assert third["outcome"] == "applied"


def test_another_run_on_the_same_workspace_is_told_who_holds_it(application: Application) -> None:
    from ansible_collections.day2.codex.plugins.module_utils._gates.lock import workspace_lock

    locks = os.path.join(application.prefix, "run/lock/codex-ops")
    os.makedirs(locks, exist_ok=True, mode=0o700)
    with workspace_lock(locks, application.folder, "another-run"):
        result = application.run(CORRECT)
    assert result["outcome"] == "busy", result
    assert f"process {os.getpid()}" in result["msg"] and "another-run" in result["msg"]


@pytest.mark.parametrize(
    ("final", "outcome"),
    [
        ("I did it!", "invalid_report"),
        ('{"status": "splendid"}', "invalid_report"),
        ('{"status": "changed", "extra": 1}', "invalid_report"),
        ("[" * 100000, "invalid_report"),
        ('{"status": "changed", "confidence": NaN}', "invalid_report"),
        ('{"status": "changed", "confidence": ' + "9" * 5000 + "}", "invalid_report"),
    ],
    ids=["prose", "unknown status", "unknown key", "deep nesting", "NaN", "huge number"],
)
def test_a_bad_report_fails_and_changes_nothing(application: Application, final: str, outcome: str) -> None:
    before = application.picture()
    result = application.run(CORRECT, final=final)
    assert result["outcome"] == outcome, result
    assert application.picture() == before


FAULTS: list[tuple[str, dict[str, t.Any], str]] = [
    ("401", {"status": 401, "body": '{"error": {"message": "bad key"}}'}, "provider_error"),
    ("429", {"status": 429, "body": "slow down"}, "provider_error"),
    ("500", {"status": 500, "body": "oh"}, "provider_error"),
    ("hang", {"hang": True}, "timeout"),
    ("drop", {"drop": True}, "provider_error"),
]


@pytest.mark.parametrize(("fault", "outcome"), [pytest.param(fault, outcome, id=name) for name, fault, outcome in FAULTS])
def test_a_fault_of_the_provider_has_its_outcome_and_changes_nothing(application: Application, fault: dict[str, t.Any], outcome: str) -> None:
    before = application.picture()
    tape = cassette([CORRECT])
    tape["exchanges"][1] = {"response": fault}
    result = operate(application.options(cassette=tape, cassette_mode="replay", timeout=5), Order(document=application.slice))
    assert result["outcome"] == outcome, result
    assert len(result["msg"]) > 20
    assert application.picture() == before
