# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong becomes one job, what is well becomes none, and looking leaves nothing behind."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._collecting import Look, collect
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._jobs import info
from ansible_collections.day2.codex.plugins.module_utils._options import Options
from ansible_collections.day2.codex.plugins.module_utils._trail import log as trail

WELL = {"paths": ["/"], "space_warning": 100, "space_critical": 100, "inodes_warning": 100, "inodes_critical": 100, "deleted_size": "100T"}
FULL = {**WELL, "space_warning": 0}


@pytest.fixture
def prefix(tmp_path: pathlib.Path) -> str:
    return str(tmp_path / "prefix")


@pytest.fixture
def slice_(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    (tmp_path / "srv").mkdir()
    return {"name": "disk-report", "category": "report", "workspace": str(tmp_path / "srv"), "scope": {"include": ["**"]}, "instructions": "Report."}


def _records(prefix: str) -> list[t.Any]:
    path = f"{prefix}/var/log/codex-ops/audit.jsonl"
    return list(trail.records(path)) if os.path.exists(path) else []


def test_a_healthy_host_makes_no_job_and_no_record(prefix: str, slice_: dict[str, t.Any]) -> None:
    for _tick in range(5):
        result = collect(Options(prefix=prefix), Look("disk", WELL, True, slice_))
        assert (result["signal"]["status"], result["changed"], result["outcome"], result["job"], result["audit"]) == ("ok", False, "unchanged", None, None)
    assert _records(prefix) == [] and info(prefix, {}, limit=10, history=False)["count"] == 0


def test_trouble_is_one_job_however_often_it_is_seen(prefix: str, slice_: dict[str, t.Any]) -> None:
    results = [collect(Options(prefix=prefix), Look("disk", FULL, True, slice_)) for _tick in range(3)]
    assert [result["changed"] for result in results] == [True, False, False]
    assert [result["outcome"] for result in results] == ["completed", "unchanged", "unchanged"]
    assert len({result["job"]["id"] for result in results}) == 1 and results[-1]["job"]["count"] == 3
    assert results[0]["audit"]["seq"] == len(_records(prefix)) and results[1]["audit"] is None
    kept = info(prefix, {}, limit=10, history=False)["jobs"][0]
    assert kept["signal"]["findings"][0]["id"] == "space:/" and kept["slice"] == "disk-report"
    # Other trouble is another job.
    worse = collect(Options(prefix=prefix), Look("disk", {**FULL, "inodes_warning": 0}, True, slice_))
    assert worse["changed"] and worse["job"]["id"] != results[0]["job"]["id"]


def test_what_could_not_be_seen_is_no_job(prefix: str, slice_: dict[str, t.Any]) -> None:
    result = collect(Options(prefix=prefix), Look("disk", {**WELL, "paths": ["/nothing/here"]}, True, slice_))
    assert (result["signal"]["status"], result["job"]) == ("unknown", None)


def test_check_mode_looks_and_leaves_nothing(prefix: str, slice_: dict[str, t.Any], tmp_path: pathlib.Path) -> None:
    result = collect(Options(prefix=prefix, check=True), Look("disk", FULL, True, slice_))
    assert result["signal"]["status"] == "warning" and result["changed"] and result["job"] is None
    assert not os.path.exists(prefix)
    options = {"baseline": str(tmp_path / "baseline"), "paths": [str(tmp_path / "srv")], "packages": False, "make_baseline": True}
    assert not collect(Options(prefix=prefix, check=True), Look("drift", options))["changed"]
    assert not (tmp_path / "baseline").exists()
    assert collect(Options(prefix=prefix), Look("drift", options))["changed"]
    assert (tmp_path / "baseline").exists()


def test_measures_are_remembered_from_look_to_look(prefix: str) -> None:
    path = pathlib.Path(prefix, "var/lib/codex-ops/signals/disk.json")
    for day in range(4):
        collect(Options(prefix=prefix), Look("disk", WELL, now=1_800_000_000.0 + day * 86400))
    assert len(json.loads(path.read_text())["points"]["/"]) == 4
    assert path.stat().st_mode & 0o777 == 0o600 and os.listdir(path.parent) == ["disk.json"]
    path.write_text("damaged")
    assert collect(Options(prefix=prefix), Look("disk", WELL))["signal"]["status"] == "ok"
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert collect(Options(prefix=prefix), Look("disk", WELL))["signal"]["status"] == "ok"


def test_what_cannot_be_remembered_is_a_warning_and_the_signal_is_there(prefix: str) -> None:
    collect(Options(prefix=prefix), Look("disk", WELL))
    folder = pathlib.Path(prefix, "var/lib/codex-ops/signals")
    (folder / "disk.json").unlink()
    folder.rmdir()
    folder.write_text("a file in its place")
    result = collect(Options(prefix=prefix), Look("disk", WELL))
    assert result["signal"]["status"] == "ok" and "is not remembered" in result["warnings"][0]


@pytest.mark.parametrize(
    ("look", "code"),
    [
        (Look("disks"), "collector_unknown"),
        (Look("disk", {"spam": 1}), "option_invalid"),
        (Look("disk", FULL, True, "not-installed"), "slice_not_found"),
        (Look("disk", FULL, True, {"name": "x"}), "slice_invalid"),
    ],
)
def test_a_bad_request_is_refused_in_words(prefix: str, look: Look, code: str) -> None:
    with pytest.raises(CodexOpsError) as raised:
        collect(Options(prefix=prefix), look)
    assert raised.value.code == code


def test_secrets_of_the_installation_are_in_no_signal(prefix: str, tmp_path: pathlib.Path) -> None:
    secrets = pathlib.Path(prefix, "etc/codex-ops/secrets")
    secrets.mkdir(parents=True, mode=0o700)
    (secrets / "provider-key").write_text("plain-words-that-look-like-nothing")
    path = tmp_path / "app.log"
    path.write_text("error: the key plain-words-that-look-like-nothing of ada@example.com was refused\n" * 20)
    result = collect(Options(prefix=prefix), Look("logs", {"files": [str(path)]}))
    assert result["signal"]["status"] == "warning"
    assert "plain-words" not in json.dumps(result) and "ada@" not in json.dumps(result)
