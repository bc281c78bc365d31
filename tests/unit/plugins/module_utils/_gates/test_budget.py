# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host may spend is counted exactly, whoever else counts and whoever is killed meanwhile."""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates.budget import DAY, HOUR, KEPT_DAYS, Budget

#: Noon of a day, in seconds since the epoch.
NOON = 20468 * DAY + 43200.0
PLENTY = 10**9

# Each line that it writes is one grant that it was told of; it goes on until nothing is left.
SPENDER = """
import sys
from {module} import Budget
from {errors} import CodexOpsError
budget, name, per_day, per_hour = Budget(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
number = 0
while True:
    number += 1
    run_id = f"{{name}}-{{number}}"
    try:
        granted = budget.reserve(run_id, 7, per_day, per_hour, {noon})
    except CodexOpsError as error:
        sys.stdout.write(error.code + "\\n")
        break
    sys.stdout.write(f"{{run_id}} {{granted}}\\n")
    sys.stdout.flush()
"""
ACTOR = """
import sys
from {module} import Budget
from {errors} import CodexOpsError
budget, done = Budget(sys.argv[1]), 0
try:
    while True:
        budget.act("restart-inbox", int(sys.argv[2]), "test", {noon})
        done += 1
except CodexOpsError as error:
    sys.stdout.write(f"{{done}} {{error.code}}")
"""


@pytest.fixture(name="budget")
def _budget(tmp_path: pathlib.Path) -> Budget:
    return Budget(str(tmp_path / "budget.sqlite3"))


def _start(code: str, *arguments: str) -> subprocess.Popen[str]:
    filled = code.format(module=Budget.__module__, errors=CodexOpsError.__module__, noon=NOON)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", filled, *arguments], stdout=subprocess.PIPE, text=True, env=environment)


def _refused(work: t.Callable[[], object]) -> CodexOpsError:
    with pytest.raises(CodexOpsError) as caught:
        work()
    return caught.value


def test_what_is_asked_for_is_granted_until_nothing_is_left(budget: Budget) -> None:
    assert budget.reserve("a", 600, 1000, PLENTY, NOON) == 600
    assert budget.reserve("b", 600, 1000, PLENTY, NOON) == 400
    error = _refused(lambda: budget.reserve("c", 1, 1000, PLENTY, NOON))
    assert (error.outcome, error.code) == ("budget_exhausted", "tokens_per_day")
    assert "1000 of 1000" in str(error) and "2026-01-16 00:00:00 UTC" in str(error)
    assert budget.totals(NOON)["tokens_today"] == 1000


def test_settling_gives_back_what_was_not_used_and_counts_what_was_used_beyond(budget: Budget) -> None:
    budget.reserve("a", 600, 1000, PLENTY, NOON)
    assert budget.settle("a", 100) and budget.totals(NOON)["tokens_today"] == 100
    budget.reserve("b", 900, 1000, PLENTY, NOON)
    assert budget.settle("b", 1500) and budget.totals(NOON)["tokens_today"] == 1600
    assert _refused(lambda: budget.reserve("c", 1, 1000, PLENTY, NOON)).code == "tokens_per_day"


def test_a_reservation_is_settled_once(budget: Budget) -> None:
    budget.reserve("a", 600, 1000, PLENTY, NOON)
    assert budget.settle("a", 100)
    assert not budget.settle("a", 0) and not budget.settle("nobody", 5)
    assert budget.totals(NOON)["tokens_today"] == 100


def test_a_run_that_never_came_back_counts_in_full(budget: Budget) -> None:
    budget.reserve("killed", 800, 1000, PLENTY, NOON)
    assert budget.reserve("next", 800, 1000, PLENTY, NOON) == 200
    assert budget.totals(NOON)["open_runs"] == 2


def test_the_day_begins_at_midnight_utc(budget: Budget) -> None:
    midnight = NOON + 43200
    budget.reserve("a", 1000, 1000, PLENTY, midnight - 1)
    assert _refused(lambda: budget.reserve("b", 1, 1000, PLENTY, midnight - 0.001)).code == "tokens_per_day"
    assert budget.reserve("c", 1000, 1000, PLENTY, midnight) == 1000


def test_the_hour_slides_and_the_message_says_when_it_opens(budget: Budget) -> None:
    for minute in (0, 10, 20):
        budget.reserve(f"r{minute}", 1, PLENTY, 3, NOON + 60 * minute)
    error = _refused(lambda: budget.reserve("x", 1, PLENTY, 3, NOON + 1800))
    assert (error.outcome, error.code) == ("budget_exhausted", "runs_per_hour")
    assert "13:00:01 UTC" in str(error)
    assert budget.reserve("y", 1, PLENTY, 3, NOON + HOUR) == 1
    # A limit that was lowered meanwhile: two of the three have to go first.
    assert "13:20:01 UTC" in str(_refused(lambda: budget.reserve("z", 1, PLENTY, 2, NOON + HOUR)))


@pytest.mark.parametrize(("per_day", "per_hour", "code"), [(0, 10, "tokens_per_day"), (10, 0, "runs_per_hour"), (-5, 10, "tokens_per_day")])
def test_a_limit_of_nothing_grants_nothing(budget: Budget, per_day: int, per_hour: int, code: str) -> None:
    assert _refused(lambda: budget.reserve("a", 5, per_day, per_hour, NOON)).code == code


def test_a_refused_run_takes_nothing(budget: Budget) -> None:
    budget.reserve("a", 10, 10, PLENTY, NOON)
    _refused(lambda: budget.reserve("b", 10, 10, PLENTY, NOON))
    assert budget.totals(NOON)["runs_last_hour"] == 1


def test_a_clock_that_was_set_back_does_not_close_the_host_for_years(budget: Budget) -> None:
    budget.reserve("future", 10, 10, 1, NOON + 3650 * DAY)
    assert budget.reserve("now", 10, 10, 1, NOON) == 10


def test_actions_have_a_rate_each(budget: Budget) -> None:
    budget.act("restart-inbox", 2, "slice inbox", NOON)
    budget.act("restart-inbox", 2, "slice inbox", NOON + 60)
    budget.act("reload-web", 1, "slice web", NOON + 60)
    error = _refused(lambda: budget.act("restart-inbox", 2, "again", NOON + 120))
    assert (error.outcome, error.code) == ("budget_exhausted", "action_rate")
    assert "'restart-inbox'" in str(error) and "13:00:01 UTC" in str(error)
    assert budget.totals(NOON + 120)["actions_last_hour"] == {"reload-web": 1, "restart-inbox": 2}
    budget.act("restart-inbox", 2, "later", NOON + HOUR)


def test_an_action_without_a_name_of_its_own_is_not_counted_with_the_others(budget: Budget) -> None:
    budget.act("a", 1, "", NOON)
    assert _refused(lambda: budget.act("b", 0, "", NOON)).code == "action_rate"
    budget.act("b", 1, "x" * 10000, NOON)


def test_what_is_long_ago_is_forgotten(budget: Budget) -> None:
    budget.reserve("old", 1, PLENTY, PLENTY, NOON)
    budget.act("old", 1, "", NOON)
    budget.reserve("new", 1, PLENTY, PLENTY, NOON + (KEPT_DAYS + 1) * DAY)
    with contextlib.closing(sqlite3.connect(budget.path)) as database:
        assert database.execute("SELECT run_id FROM runs").fetchall() == [("new",)]
        assert database.execute("SELECT * FROM actions").fetchall() == []


def test_numbers_beyond_all_reason_do_no_harm(budget: Budget) -> None:
    for name in ("a", "b", "c"):
        budget.reserve(name, 10**30, 10**40, PLENTY, NOON)
    assert budget.settle("a", 10**30) and budget.settle("b", -5)
    assert budget.totals(NOON)["tokens_today"] == 2 * 2**62


# --- many at once -----------------------------------------------------------------------------------------------------


def test_sixteen_processes_spend_exactly_the_day(budget: Budget) -> None:
    # 7 into 1000 leaves 6 for the last one.
    started = [_start(SPENDER, budget.path, f"p{number}", "1000", str(PLENTY)) for number in range(16)]
    granted = []
    for process in started:
        *lines, last = process.communicate(timeout=120)[0].splitlines()
        assert process.returncode == 0 and last == "tokens_per_day"
        granted += [int(line.split()[1]) for line in lines]
    assert sum(granted) == 1000 and sorted(granted) == [6] + [7] * 142
    assert budget.totals(NOON)["tokens_today"] == 1000


def test_sixteen_processes_start_exactly_the_hours_runs(budget: Budget) -> None:
    started = [_start(SPENDER, budget.path, f"p{number}", str(PLENTY), "50") for number in range(16)]
    lines = [line for process in started for line in process.communicate(timeout=120)[0].splitlines()]
    assert lines.count("runs_per_hour") == 16 and len(lines) == 16 + 50
    assert budget.totals(NOON)["runs_last_hour"] == 50


def test_sixteen_processes_act_exactly_as_often_as_allowed(budget: Budget) -> None:
    started = [_start(ACTOR, budget.path, "40") for _number in range(16)]
    said = [process.communicate(timeout=120)[0].split() for process in started]
    assert {code for _done, code in said} == {"action_rate"}
    assert sum(int(done) for done, _code in said) == 40


def _killed_after(victim: subprocess.Popen[str], grants: int) -> str:
    """Kill *victim* somewhere after it said that it got *grants*; what it said. One character at a time: nothing may stay in a buffer of ours."""
    assert victim.stdout is not None
    text = ""
    while text.count("\n") < grants:
        character = os.read(victim.stdout.fileno(), 1).decode()
        if not character:
            break
        text += character
    victim.send_signal(signal.SIGKILL)
    return text


def test_killed_processes_lose_no_grant_and_leave_the_database_sound(budget: Budget) -> None:
    random.seed(20260115)
    # The first is alone with all there is to spend, so it is surely at work when it is killed.
    first = _start(SPENDER, budget.path, "p0", "3500", str(PLENTY))
    said = {0: _killed_after(first, 3)}
    more = [_start(SPENDER, budget.path, f"p{number}", "3500", str(PLENTY)) for number in range(1, 8)]
    said.update({number: _killed_after(victim, random.randrange(1, 8)) for number, victim in enumerate(more, 1)})
    victims = [first, *more]
    running = victims + [_start(SPENDER, budget.path, f"p{number}", "3500", str(PLENTY)) for number in range(8, 16)]
    for number, process in enumerate(running):
        said[number] = said.get(number, "") + process.communicate(timeout=120)[0]
    assert any(victim.returncode == -signal.SIGKILL for victim in victims)
    assert _refused(lambda: budget.reserve("last", 1, 3500, PLENTY, NOON)).code == "tokens_per_day"
    heard = {line.split()[0]: int(line.split()[1]) for text in said.values() for line in text.splitlines() if " " in line}
    with contextlib.closing(sqlite3.connect(budget.path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        written = dict(database.execute("SELECT run_id, reserved FROM runs").fetchall())
    # Everything that anybody was told is written down, and the day is spent exactly.
    assert heard.items() <= written.items()
    assert sum(written.values()) == 3500
    # At most one grant of each victim was written down and not heard of.
    assert len(written) - len(heard) <= len(victims)


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_is_its_owners_alone(budget: Budget) -> None:
    old = os.umask(0)
    try:
        budget.reserve("a", 1, 1, 1, NOON)
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat(budget.path).st_mode) == 0o600


def test_looking_at_totals_makes_no_file(budget: Budget) -> None:
    assert budget.totals(NOON) == {"tokens_today": 0, "runs_last_hour": 0, "open_runs": 0, "actions_last_hour": {}}
    assert not os.path.exists(budget.path)


def test_newer_state_is_refused(budget: Budget) -> None:
    budget.reserve("a", 1, 10, 10, NOON)
    with contextlib.closing(sqlite3.connect(budget.path)) as database:
        database.execute("PRAGMA user_version = 2")
    error = _refused(lambda: budget.reserve("b", 1, 10, 10, NOON))
    assert (error.outcome, error.code, error.where) == ("newer_state", "newer_state", budget.path)


@pytest.mark.parametrize("damage", ["text", "folder", "link", "dangling", "hard_link", "no_folder"])
def test_a_budget_that_cannot_be_counted_is_not_spent(budget: Budget, tmp_path: pathlib.Path, damage: str) -> None:
    path = pathlib.Path(budget.path)
    other = tmp_path / "other.sqlite3"
    with contextlib.closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE theirs (x)")
    before = other.read_bytes()
    if damage == "text":
        path.write_text("not a database, but long enough to look like one\n" * 100)
    elif damage == "folder":
        path.mkdir()
    elif damage == "link":
        path.symlink_to(other)
    elif damage == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif damage == "hard_link":
        os.link(other, path)
    else:
        budget = Budget(str(tmp_path / "missing/budget.sqlite3"))
    error = _refused(lambda: budget.reserve("a", 1, 10, 10, NOON))
    assert (error.outcome, error.code, error.where) == ("rejected", "budget_unusable", budget.path)
    assert other.read_bytes() == before and not (tmp_path / "nowhere").exists()


def test_a_full_disk_is_said_to_be_one(budget: Budget, monkeypatch: pytest.MonkeyPatch) -> None:
    budget.reserve("a", 1, 10, 10, NOON)
    connect = sqlite3.connect

    def tiny(*args: t.Any, **named: t.Any) -> sqlite3.Connection:
        # No page more than there is: what SQLite says then is what it says of a full disk.
        database = connect(*args, **named)
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")
        return database

    monkeypatch.setattr(sqlite3, "connect", tiny)

    def spend() -> None:
        for number in range(10000):
            budget.act("a", PLENTY, "x" * 500, NOON + number)

    error = _refused(spend)
    assert (error.outcome, error.code) == ("rejected", "disk_full")
