# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that cron and systemd call: what is late is counted, what hangs is ended with all that it left, and what happened is said."""

from __future__ import annotations

import datetime
import importlib.util
import json
import pathlib
import sys
import time
import types
import typing as t

import pytest

FILE = pathlib.Path(__file__).resolve().parents[3] / "roles/schedule/files/scheduled.py"


@pytest.fixture(name="scheduled")
def _scheduled(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("scheduled", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "scheduled", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "STATE", tmp_path)
    monkeypatch.setattr(module, "JOURNAL", str(tmp_path / "no-journal"))
    monkeypatch.setattr(module, "CRON", str(tmp_path / "{}"))
    return module


def command(*argv: str, when: str = "* * * * *", timeout: int = 60, more: t.Sequence[str] = ()) -> list[str]:
    head = ["--name", "entry", "--when", when, "--timeout", str(timeout), *more, "--"]
    return [*head, "/usr/bin/flock", "-n", "-E", "213", "LOCK", "/usr/bin/timeout", "--kill-after=1", str(timeout), *argv]


def run(scheduled: types.ModuleType, tmp_path: pathlib.Path, *argv: str, **more: t.Any) -> int:
    words = [str(tmp_path / "lock") if word == "LOCK" else word for word in command(*argv, **more)]
    return t.cast("int", scheduled.main(words))


def kept(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads((tmp_path / "entry.json").read_text()))


@pytest.mark.parametrize(
    ("when", "found"),
    [
        ("0 3 * * *", ["02-28 03:00", "03-01 03:00"]),
        ("0 3 1 * *", ["03-01 03:00"]),
        ("0,30 22 * * 6", ["02-28 22:00", "02-28 22:30"]),
        # Either kind of day is enough: the first, or a Saturday.
        ("0 3 1 * 6", ["02-28 03:00", "03-01 03:00"]),
        ("0 3 * 4 *", []),
    ],
)
def test_what_was_due_between_two_times_is_known(scheduled: types.ModuleType, when: str, found: list[str]) -> None:
    entry = scheduled.parsed(command("/bin/true", when=when))
    due = scheduled.due(entry, datetime.datetime(2026, 2, 28, 0, 0), datetime.datetime(2026, 3, 1, 12, 0))
    assert [f"{moment:%m-%d %H:%M}" for moment in due] == found


def test_runs_that_were_missed_are_counted_and_made_up_for_once(scheduled: types.ModuleType, tmp_path: pathlib.Path, capfd: t.Any) -> None:
    (tmp_path / "entry.json").write_text(json.dumps({"handled": time.time() - 3 * 86400}))
    assert run(scheduled, tmp_path, "/bin/true", when="0 3 * * *", more=["--missed"]) == 0
    assert "3 run(s) were missed" in capfd.readouterr().err
    assert kept(tmp_path)["result"] == "ok" and kept(tmp_path)["missed"] == 3
    assert run(scheduled, tmp_path, "/bin/false", when="0 3 * * *", more=["--missed"]) == 0, "nothing was missed any more"


def test_a_run_that_hangs_is_ended_with_what_it_detached(scheduled: types.ModuleType, tmp_path: pathlib.Path, capfd: t.Any) -> None:
    script = f"trap '' TERM; setsid /bin/sleep 300 & echo $! >{tmp_path}/left; while :; do /bin/sleep 1; done"
    assert run(scheduled, tmp_path, "/bin/sh", "-c", script, timeout=1) == 124
    assert kept(tmp_path)["result"] == "timeout"
    assert "it may last 1 s" in capfd.readouterr().out
    left = pathlib.Path("/proc", (tmp_path / "left").read_text().strip(), "cmdline")
    assert not left.exists() or b"sleep" not in left.read_bytes()


def test_a_run_that_finds_the_lock_taken_is_passed_over_and_nobody_gets_mail(scheduled: types.ModuleType, tmp_path: pathlib.Path, capfd: t.Any) -> None:
    import fcntl

    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert run(scheduled, tmp_path, "/bin/touch", str(tmp_path / "ran")) == 0
    said = capfd.readouterr()
    assert "passed over" in said.err and said.out == ""
    assert not (tmp_path / "ran").exists() and kept(tmp_path)["skipped"]


def test_a_failure_is_told_with_the_last_that_was_said(scheduled: types.ModuleType, tmp_path: pathlib.Path, capfd: t.Any) -> None:
    assert run(scheduled, tmp_path, "/bin/sh", "-c", "echo 'no \x1b[31mroom'; exit 9") == 9
    said = capfd.readouterr()
    assert "with status 9" in said.out and "no " in said.out and "journalctl -t codex-ops-entry" in said.out
    assert "\x1b" not in said.err


def test_systemd_is_not_told_twice_what_the_journal_knows(scheduled: types.ModuleType, tmp_path: pathlib.Path, capfd: t.Any) -> None:
    assert run(scheduled, tmp_path, "/bin/false", more=["--unit"]) == 1
    said = capfd.readouterr()
    assert said.out == "" and "with status 1" in said.err


def test_what_is_said_to_be_no_failure_is_none(scheduled: types.ModuleType, tmp_path: pathlib.Path, capfd: t.Any) -> None:
    assert run(scheduled, tmp_path, "/bin/sh", "-c", "exit 3", more=["--ok", "0,3"]) == 0
    assert capfd.readouterr().out == "" and kept(tmp_path)["result"] == "ok"


def test_results_that_cannot_be_kept_do_not_stop_the_run(
    scheduled: types.ModuleType, tmp_path: pathlib.Path, capfd: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduled, "STATE", tmp_path / "nowhere")
    assert run(scheduled, tmp_path, "/bin/true") == 0
    assert "cannot be written" in capfd.readouterr().err


def test_another_folder_of_results_is_used_when_it_is_told(scheduled: types.ModuleType, tmp_path: pathlib.Path) -> None:
    (tmp_path / "other").mkdir()
    assert run(scheduled, tmp_path, "/bin/true", more=["--state", str(tmp_path / "other")]) == 0
    assert kept(tmp_path / "other")["result"] == "ok" and not (tmp_path / "entry.json").exists()


def test_it_needs_nothing_newer_than_python_3_9() -> None:
    import ast

    ast.parse(FILE.read_text("utf-8"), feature_version=(3, 9))
