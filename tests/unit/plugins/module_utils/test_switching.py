# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stopping all work needs nothing but a file; letting it go on needs a record."""

from __future__ import annotations

import json
import os
import pathlib
import stat
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils import _places
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates.kill_switch import UNTIL_FIT
from ansible_collections.day2.codex.plugins.module_utils._options import Options
from ansible_collections.day2.codex.plugins.module_utils._switching import switch


@pytest.fixture(name="prefix")
def _prefix(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setattr(_places, "_HOST_KILL_SWITCH", str(tmp_path / "host/disabled"))
    return tmp_path / "prefix"


def _switch(prefix: pathlib.Path, state: str, reason: str = "", check: bool = False) -> dict[str, t.Any]:
    return switch(Options(prefix=str(prefix), check=check), state=state, reason=reason)


def _records(prefix: pathlib.Path) -> list[dict[str, t.Any]]:
    return [json.loads(line) for line in (prefix / "var/log/codex-ops/audit.jsonl").read_text().splitlines()]


def test_engaging_and_releasing_change_once_and_are_recorded(prefix: pathlib.Path) -> None:
    first, again = _switch(prefix, "engaged", "Incident 4711"), _switch(prefix, "engaged", "later")
    assert (first["changed"], first["engaged"], first["reason"]) == (True, True, "Incident 4711")
    assert (again["changed"], again["engaged"], again["reason"]) == (False, True, "Incident 4711")
    assert "unix:" in first["by"] and first["path"] == str(prefix / "etc/codex-ops/disabled")
    released, still = _switch(prefix, "released"), _switch(prefix, "released")
    assert (released["changed"], released["engaged"]) == (True, False) and (still["changed"], still["engaged"]) == (False, False)
    records = _records(prefix)
    assert [(record["phase"], record["input"]["state"]) for record in records] == [
        ("outcome", "engaged"),
        ("outcome", "engaged"),
        ("intent", "released"),
        ("outcome", "released"),
        ("outcome", "released"),
    ]
    assert first["audit"] == {"seq": 1, "hash": records[0]["hash"], "first": records[0]["hash"]} and released["audit"]["seq"] == 4
    assert records[0]["command"]["operation"] == "kill_switch" and records[0]["input"]["reason"] == "Incident 4711"


def test_a_switch_of_the_self_test_is_released_by_its_reason_only_and_a_person_s_takes_its_place(prefix: pathlib.Path) -> None:
    def _released() -> dict[str, t.Any]:
        return switch(Options(prefix=str(prefix)), state="released", only_reason=UNTIL_FIT)

    _switch(prefix, "engaged", UNTIL_FIT)
    assert _released()["changed"] and not _released()["changed"]
    _switch(prefix, "engaged", UNTIL_FIT)
    assert _switch(prefix, "engaged", "Incident 4711", check=True)["changed"]
    taken, again = _switch(prefix, "engaged", "Incident 4711"), _switch(prefix, "engaged", "Incident 4711")
    assert (taken["changed"], taken["reason"], again["changed"]) == (True, "Incident 4711", False)
    kept = _released()
    assert (kept["changed"], kept["engaged"], kept["reason"]) == (False, True, "Incident 4711") and "Incident 4711" in kept["msg"]
    assert (prefix / "etc/codex-ops/disabled").exists()


def test_check_mode_says_what_would_be_and_leaves_it(prefix: pathlib.Path) -> None:
    path = prefix / "etc/codex-ops/disabled"
    dry = _switch(prefix, "engaged", "why", check=True)
    assert (dry["changed"], dry["engaged"], dry["reason"]) == (True, True, "why") and not path.exists()
    assert dry["patch"].startswith("-The kill switch is released.\n+The kill switch ")
    _switch(prefix, "engaged", "why")
    dry = _switch(prefix, "released", check=True)
    assert (dry["changed"], dry["engaged"]) == (True, False) and path.exists()
    assert [record["command"]["check_mode"] for record in _records(prefix)] == [True, False, True]


def test_the_difference_is_empty_where_nothing_changes(prefix: pathlib.Path) -> None:
    assert _switch(prefix, "released")["patch"] == ""
    assert "\n+The kill switch" in _switch(prefix, "engaged")["patch"] and _switch(prefix, "engaged")["patch"] == ""


def test_a_trail_that_cannot_be_written_keeps_nobody_from_stopping(prefix: pathlib.Path) -> None:
    (prefix / "var/log/codex-ops/audit.jsonl").mkdir(parents=True)
    result = _switch(prefix, "engaged", "why")
    assert result["changed"] and result["engaged"] and result["audit"] is None
    assert (prefix / "etc/codex-ops/disabled").exists()
    assert "could not be recorded" in result["warnings"][0]
    with pytest.raises(CodexOpsError) as caught:
        _switch(prefix, "released")
    assert caught.value.code == "trail_unwritable" and (prefix / "etc/codex-ops/disabled").exists()


def test_the_hosts_own_switch_stops_work_under_a_prefix_too(prefix: pathlib.Path) -> None:
    host = prefix.parent / "host/disabled"
    host.parent.mkdir()
    host.write_text("the whole host")
    result = _switch(prefix, "released")
    assert (result["changed"], result["engaged"], result["path"], result["reason"]) == (False, True, str(host), "the whole host")
    _switch(prefix, "engaged", "mine")
    result = _switch(prefix, "released")
    assert (result["changed"], result["engaged"], result["path"]) == (True, True, str(host)) and "stays stopped" in result["msg"]
    assert host.exists()


def test_a_secret_in_the_reason_goes_nowhere(prefix: pathlib.Path) -> None:
    secret = "sk-" + "proj-Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGx5"
    result = _switch(prefix, "engaged", f"the key {secret} leaked\u202e")
    everything = json.dumps(result) + json.dumps(_records(prefix)) + (prefix / "etc/codex-ops/disabled").read_text()
    assert secret not in everything and "\u202e" not in result["msg"] + result["patch"] + result["reason"]


def test_nothing_is_made_in_somebody_elses_folder(tmp_path: pathlib.Path, prefix: pathlib.Path) -> None:
    prefix.mkdir()
    prefix.chmod(0o777)
    with pytest.raises(CodexOpsError) as caught:
        _switch(prefix, "engaged")
    assert caught.value.code == "prefix_unsafe" and os.listdir(prefix) == []


def test_a_prefix_of_ones_own_stays_private(prefix: pathlib.Path) -> None:
    _switch(prefix, "engaged")
    for folder in (prefix, prefix / "etc", prefix / "etc/codex-ops"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_empty_file_that_somebody_touched_can_be_released(prefix: pathlib.Path) -> None:
    (prefix / "etc/codex-ops").mkdir(parents=True)
    (prefix / "etc/codex-ops/disabled").touch()
    assert _switch(prefix, "engaged")["changed"] is False
    assert _switch(prefix, "released")["changed"] is True
