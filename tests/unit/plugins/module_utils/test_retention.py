# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is old goes, what is needed stays, and the trail is never shortened."""

from __future__ import annotations

import os
import pathlib
import time

from ansible_collections.day2.codex.plugins.module_utils._places import Places
from ansible_collections.day2.codex.plugins.module_utils._retention import prune
from ansible_collections.day2.codex.plugins.module_utils._trail import log, verify

OLD = time.time() - 100 * 86400


def _aged(path: str) -> str:
    os.utime(path, (OLD, OLD))
    return path


def _run(places: Places, folder: str, number: int, *, old: bool = True, inside: str = "patch.diff") -> str:
    path = os.path.join(folder, f"20260101T00000{number}Z-0000000{number}")
    os.mkdir(path)
    pathlib.Path(path, inside).write_text("x", "utf-8")
    return _aged(path) if old else path


def test_old_runs_backups_and_memories_go_once_a_day(tmp_path: pathlib.Path) -> None:
    places = Places(str(tmp_path / "prefix"))
    places.prepare()
    log.append(places.log, {"phase": "outcome"})
    _aged(places.log)
    gone = [_run(places, places.runs, 1), _run(places, places.backups, 2)]
    memory = pathlib.Path(places.remembered, "a" * 64 + ".json")
    memory.write_text("{}", "utf-8")
    gone.append(_aged(str(memory)))
    kept = [
        _run(places, places.runs, 3, old=False),
        # An apply that is not finished, a run that is going on, and what is none of ours.
        _run(places, places.backups, 4, inside="open"),
        _run(places, places.runs, 5),
    ]
    pathlib.Path(places.locks, f"run-{os.path.basename(kept[-1])}.lock").write_text("", "utf-8")
    os.mkdir(os.path.join(places.runs, "somebody-elses"))
    kept.append(_aged(os.path.join(places.runs, "somebody-elses")))
    prune(places, lambda: 90)
    assert not [path for path in gone if os.path.lexists(path)]
    assert [path for path in kept if os.path.lexists(path)] == kept
    assert verify.verify(places.log).records == 1
    again = _run(places, places.runs, 6)
    prune(places, lambda: 90)
    assert os.path.exists(again), "once a day"


def test_nothing_goes_where_everything_is_to_be_kept(tmp_path: pathlib.Path) -> None:
    places = Places(str(tmp_path / "prefix"))
    places.prepare()
    log.append(places.log, {"phase": "outcome"})
    path = _run(places, places.runs, 1)
    prune(places, lambda: 0)
    assert os.path.exists(path)


def test_a_link_in_the_place_of_a_run_takes_nothing_else_with_it(tmp_path: pathlib.Path) -> None:
    places = Places(str(tmp_path / "prefix"))
    places.prepare()
    log.append(places.log, {"phase": "outcome"})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x", "utf-8")
    link = os.path.join(places.runs, "20260101T000009Z-00000009")
    os.symlink(outside, link)
    os.utime(link, (OLD, OLD), follow_symlinks=False)
    prune(places, lambda: 90)
    assert (outside / "file").exists()


def test_a_clock_that_was_set_back_does_not_keep_everything(tmp_path: pathlib.Path) -> None:
    places = Places(str(tmp_path / "prefix"))
    places.prepare()
    log.append(places.log, {"phase": "outcome"})
    path = _run(places, places.runs, 1)
    stamp = pathlib.Path(places.state, "pruned")
    stamp.touch()
    ahead = time.time() + 10 * 86400
    os.utime(stamp, (ahead, ahead))
    prune(places, lambda: 90)
    assert not os.path.exists(path)


def test_that_a_plan_was_used_or_decided_about_is_never_forgotten(tmp_path: pathlib.Path) -> None:
    places = Places(str(tmp_path / "prefix"))
    places.prepare()
    log.append(places.log, {"phase": "outcome"})
    path = pathlib.Path(_run(places, places.runs, 1))
    for name in ("spent", "plan.json", "approvals/a.json"):
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text("x", "utf-8")
    _aged(str(path))
    prune(places, lambda: 1)
    assert sorted(str(found.relative_to(path)) for found in path.rglob("*")) == ["approvals", "approvals/a.json", "spent"]
