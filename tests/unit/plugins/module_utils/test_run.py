# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever happens in a run, its intent and its outcome are in the trail, without its secrets."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._options import Options
from ansible_collections.day2.codex.plugins.module_utils._outcomes import ALL, FAILED
from ansible_collections.day2.codex.plugins.module_utils._run import Run
from ansible_collections.day2.codex.plugins.module_utils._trail import files

KEY = "a-very-secret-provider-key-1"


def _run(tmp_path: pathlib.Path, **more: t.Any) -> Run:
    return Run(Options(prefix=str(tmp_path / "prefix"), **more), "slice")


def _records(run: Run) -> list[dict[str, t.Any]]:
    with open(run.places.log, encoding="ascii") as handle:
        return [json.loads(line) for line in handle]


def test_an_intent_comes_before_and_an_outcome_after(tmp_path: pathlib.Path) -> None:
    run = _run(tmp_path)

    def work() -> dict[str, t.Any]:
        assert [record["phase"] for record in _records(run)] == ["intent"]
        return {"outcome": "applied", "msg": "Done.", "changed": True}

    result = run.recorded(work)
    assert [record["phase"] for record in _records(run)] == ["intent", "outcome"]
    assert result["audit"] == {"seq": 2, "hash": _records(run)[1]["hash"], "first": _records(run)[0]["hash"]}
    assert (result["failed"], result["changed"], result["run_id"]) == (False, True, run.id)


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (CodexOpsError("No.", code="busy", outcome="busy"), "busy", "busy"),
        (ZeroDivisionError("x"), "agent_error", "internal_error"),
        (RecursionError("x"), "agent_error", "internal_error"),
    ],
)
def test_an_error_becomes_a_result_and_a_record(tmp_path: pathlib.Path, error: Exception, outcome: str, code: str) -> None:
    run = _run(tmp_path)

    def work() -> dict[str, t.Any]:
        raise error

    result = run.recorded(work)
    assert (result["failed"], result["outcome"], result["code"]) == (True, outcome, code)
    assert _records(run)[1]["result"]["outcome"] == outcome
    if code == "internal_error":
        assert "Traceback" not in result["msg"]
        assert "Traceback" in pathlib.Path(run.places.run_dir(run.id), "error.txt").read_text("utf-8")


def test_no_door_lets_the_key_out(tmp_path: pathlib.Path) -> None:
    run = _run(tmp_path, api_key=KEY)

    def work() -> dict[str, t.Any]:
        return {"outcome": "completed", "msg": KEY, "patch": f"+{KEY}\n", "report": {KEY: [KEY]}, "message": KEY, "commands": [{"command": KEY}]}

    result = run.recorded(work)
    assert KEY not in json.dumps(result)
    for folder, _folders, names in os.walk(run.places.prefix):
        for name in names:
            assert KEY.encode() not in pathlib.Path(folder, name).read_bytes(), name


def test_a_hostile_report_neither_stops_nor_hides_the_record(tmp_path: pathlib.Path) -> None:
    deep: t.Any = "x"
    for _level in range(5000):
        deep = [deep]
    run = _run(tmp_path)
    result = run.recorded(lambda: {"outcome": "completed", "msg": "a\u202eb\x1b[2J", "report": {"a": deep, "b": "://\ud800:pass@x"}})
    assert len(_records(run)) == 2
    assert result["msg"] == "a\\u{202e}b\\u{001b}[2J"


def test_without_a_trail_nothing_is_done(tmp_path: pathlib.Path) -> None:
    run = _run(tmp_path)
    os.makedirs(run.places.log)
    done = []
    with pytest.raises(CodexOpsError) as caught:
        run.recorded(lambda: done.append(1) or {"outcome": "applied"})
    assert caught.value.code in ("trail_unwritable", "prefix_unsafe")
    assert not done


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "key_unreadable"), (b"\xff\xfe", "key_unreadable"), (b"  \n", "key_invalid"), (b"a\nb", "key_invalid"), (b"x" * 9000, "key_invalid")],
)
def test_a_key_file_holds_one_line_of_text(tmp_path: pathlib.Path, content: bytes | None, code: str) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CodexOpsError) as caught:
        _run(tmp_path, api_key_file=str(path))
    assert caught.value.code == code
    path.write_bytes(b"  the-key\n")
    assert _run(tmp_path, api_key_file=str(path)).key == "the-key"
    assert _run(tmp_path, api_key_file=str(path), cassette_mode="replay", cassette={}).key is None


@pytest.mark.parametrize("word", sorted(ALL - {"busy"}))
def test_a_secret_that_is_a_word_of_the_engine_changes_no_verdict(tmp_path: pathlib.Path, word: str) -> None:
    run = _run(tmp_path, api_key=word)
    commands = [{"command": word, "status": "denied", "exit_code": None, "reason": word}]
    result = run.recorded(lambda: {"outcome": word, "code": word, "msg": f"It was {word}.", "commands": commands, "report": {"outcome": word}})
    assert (result["outcome"], result["code"], result["failed"]) == (word, word, word in FAILED)
    record = _records(run)[1]
    assert (record["result"]["outcome"], record["result"]["code"], record["run_id"]) == (word, word, run.id)
    # What others say is masked all the same.
    assert word not in (result["msg"], result["commands"][0]["command"], result["report"]["outcome"], record["attempts"][0]["reason"])
    assert word not in result["msg"]


def test_what_is_kept_of_a_run_is_bound_to_its_record_by_digest(tmp_path: pathlib.Path) -> None:
    run = _run(tmp_path)
    run.recorded(lambda: {"outcome": "rejected", "code": "x", "msg": "No.", "patch": "--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n", "report": {"status": "ok"}})
    record = _records(run)[1]
    kept = {os.path.basename(file["path"]): file for file in record["kept"]}
    assert sorted(kept) == ["patch.diff", "report.json"]
    for file in kept.values():
        assert hashlib.sha256(pathlib.Path(file["path"]).read_bytes()).hexdigest() == file["sha256"]
    assert record["diff"]["kept"] == kept["patch.diff"]["path"]


def test_a_log_that_somebody_holds_up_stops_the_run_before_anything_is_done(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _run(tmp_path)
    run.places.prepare()
    pathlib.Path(run.places.log).touch(0o640)
    monkeypatch.setattr(files, "PATIENCE", 0.2)
    with open(run.places.log, "rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        with pytest.raises(CodexOpsError) as caught:
            run.recorded(lambda: pytest.fail("it was done"))
    assert (caught.value.code, "lslocks" in str(caught.value)) == ("trail_unwritable", True)
