# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""status and selftest say when the table of rules is wrong, before a finding has nobody to go to."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._cli.main import main

GOOD = {"version": 1, "rules": [{"name": "disks", "signal": "disk", "slice": "disk-report"}]}
Told = t.Callable[[], tuple[t.Any, dict[str, str], str]]


@pytest.fixture(name="table")
def _table(tmp_path: pathlib.Path) -> pathlib.Path:
    """Where the rules of a prefix stand, in which one slice is installed."""
    slices = tmp_path / "prefix/etc/codex-ops/slices.d"
    slices.mkdir(parents=True)
    for folder in (tmp_path / "prefix", slices.parent.parent, slices.parent, slices):
        folder.chmod(0o755)
    (slices / "disk-report.json").write_text("{}", "utf-8")
    return slices.parent / "rules.json"


@pytest.fixture(name="told")
def _told(table: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Told:
    """What status says of the rules to programs, what selftest says, and what status says to people."""

    def told() -> tuple[t.Any, dict[str, str], str]:
        prefix = str(table.parents[2])
        capsys.readouterr()
        main(["status", "--json"], None, prefix)
        status = json.loads(capsys.readouterr().out)["rules"]
        main(["selftest", "--json"], None, prefix)
        tested = json.loads(capsys.readouterr().out)["checks"]
        main(["status"], None, prefix)
        return status, next(check for check in tested if check["name"] == "rules"), capsys.readouterr().out

    return told


def _write(table: pathlib.Path, content: t.Any) -> None:
    table.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    table.chmod(0o644)


def test_a_good_table_is_counted_and_none_is_no_fault(table: pathlib.Path, told: Told) -> None:
    status, tested, text = told()
    assert status is None and tested["result"] == "ok" and "--slice" in tested["why"]
    _write(table, GOOD)
    status, tested, text = told()
    assert (status["count"], status["error"], tested["result"]) == (1, None, "ok")
    assert f"1 in {table}" in text


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        ("{", "rules_invalid", "JSON"),
        ({"version": 1, "rules": [{"name": "disks", "signal": "disk"}]}, "rules_invalid", "slice"),
        ({**GOOD, "version": 2}, "newer_state", "version"),
        ({"version": 1, "rules": [{**GOOD["rules"][0], "slice": "gone"}]}, "slice_not_found", "gone.json"),  # type: ignore[dict-item, index]
    ],
)
def test_a_table_that_is_wrong_is_named_by_both(table: pathlib.Path, told: Told, content: t.Any, code: str, says: str) -> None:
    _write(table, content)
    status, tested, text = told()
    assert (status["code"], status["count"]) == (code, None) and says in status["error"]
    assert tested["result"] == "look at it" and says in tested["why"]
    assert says in text


def test_a_table_that_others_can_write_is_named_by_both(table: pathlib.Path, told: Told) -> None:
    _write(table, GOOD)
    os.chmod(table, 0o666)
    status, tested, _text = told()
    assert status["code"] == "rules_unsafe" and tested["result"] == "look at it" and "chmod" in tested["why"]


def test_a_rule_for_a_collector_that_there_is_not_is_named(table: pathlib.Path, told: Told) -> None:
    _write(table, {"version": 1, "rules": [{**GOOD["rules"][0], "signal": "discs"}]})  # type: ignore[dict-item, index]
    _status, tested, _text = told()
    assert tested["result"] == "look at it" and "discs" in tested["why"]
