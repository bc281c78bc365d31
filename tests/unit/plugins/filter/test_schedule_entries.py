# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One list of entries means the same to cron and to systemd, and what neither can hold is refused in words."""

from __future__ import annotations

import datetime
import random
import shlex
import shutil
import subprocess
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.filter.schedule_entries import FilterModule
from ansible_collections.day2.codex.plugins.plugin_utils._schedule import calendars, times

entries = FilterModule().filters()["schedule_entries"]
GOOD: dict[str, t.Any] = {"name": "inbox", "when": "*/15 * * * *", "run": "/opt/codex-ops/bin/codex-ops run --next"}


def one(**more: t.Any) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", entries([{**GOOD, **more}], host="web1")[0])


def test_a_command_reaches_cron_with_lock_timeout_and_nothing_that_cron_reads_otherwise() -> None:
    found = one(run=["/usr/bin/printf", "100% of 'it'\\"], timeout="15m", lock="shared")
    words = shlex.split(found["cron_command"].replace(r"\%", "%"))
    assert words[words.index("--") :] == [
        "--", "/usr/bin/flock", "-n", "-E", "213", "/var/lib/codex-ops/schedule/shared.lock",
        "/usr/bin/timeout", "--kill-after=10", "900", "/usr/bin/printf", "100% of 'it'\\",
    ]  # fmt: skip
    assert "%" not in found["cron_command"].replace(r"\%", "")


def test_a_command_reaches_systemd_with_nothing_that_systemd_reads_otherwise() -> None:
    assert one(run=["/bin/echo", "100%", "$HOME", 'a "b" \\'])["unit_command"].endswith('/bin/echo 100%% $$HOME "a \\"b\\" \\\\"')


def test_exit_status_3_of_codex_ops_is_no_failure_and_that_of_another_command_is() -> None:
    assert "--ok 0,3 " in one()["cron_command"] and one()["helpers"]
    other = one(run="/bin/true")
    assert "--ok 0 " in other["cron_command"] and not other["helpers"]


@pytest.mark.parametrize("part", ["collect disk", "status", "audit verify", "inbox list"])
def test_what_needs_no_helper_is_confined_and_only_a_collector_sees_everything(part: str) -> None:
    found = one(run=f"/opt/codex-ops/bin/codex-ops {part}")
    assert not found["helpers"] and found["collects"] == part.startswith("collect")
    assert one(run=f"/opt/codex-ops/bin/codex-ops {part}", helpers=True)["helpers"]
    for command in ("/opt/codex-ops/bin/codex-ops run --next", "/opt/codex-ops/bin/codex-ops"):
        assert one(run=command)["helpers"] and not one(run=command)["collects"]
    assert not one(run="/usr/bin/echo collect")["collects"]


def test_the_delay_differs_between_hosts_and_stays_on_one() -> None:
    delays = {entries([{**GOOD, "delay": "1h"}], host=f"web{number}")[0]["delay"] for number in range(50)}
    assert len(delays) > 40 and all(0 <= delay <= 3600 for delay in delays)
    assert one(delay="1h")["delay"] == one(delay="1h")["delay"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": "In box"}, r"schedule_entries\[0\].name: expected up to 40"),
        ({"name": "a.b"}, "name"),
        ({"lock": "../x"}, r"\[0\].lock"),
        ({"when": "* * * *"}, "five fields"),
        ({"when": "60 * * * *"}, "minute a number from 0 to 59"),
        ({"when": "0 0 31 2 *"}, "no such day ever comes"),
        ({"when": "5/15 * * * *"}, "Write 5-59/15"),
        ({"when": "30-10 * * * *"}, "goes up"),
        ({"when": "* * * * *\nroot evil"}, "five fields|something like"),
        ({"run": "rm -rf /"}, "absolute path"),
        ({"run": "/bin/a && /bin/b"}, "'&&' has no meaning here.*script"),
        ({"run": "/bin/a > /etc/b"}, "'>' has no meaning"),
        ({"run": ["/bin/a", "b\n* * * * * root /bin/c"]}, "line break"),
        ({"run": "/bin/echo 'a"}, "not complete"),
        ({"run": ["/bin/echo", "x" * 900]}, "too long for cron"),
        ({"timeout": "8d"}, "from 1 to 604800"),
        ({"timeout": True}, "expected a time"),
        ({"delay": "2h"}, "from 0 to 3600"),
        ({"ok": [0, 256]}, "from 0 to 125"),
        ({"user": "root"}, "no key 'user'"),
        ({"run": None}, "'run' is missing"),
    ],
)
def test_what_cron_or_systemd_could_misread_is_refused_with_its_place(wrong: dict[str, t.Any], words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        one(**wrong)


def test_a_name_stands_once() -> None:
    with pytest.raises(AnsibleFilterError, match="another entry"):
        entries([GOOD, GOOD])


def _days(found: tuple[tuple[int, ...], ...], either: bool, year: int) -> set[datetime.date]:
    """The days of a year, by the rule in crontab(5)."""
    days = (datetime.date(year, 1, 1) + datetime.timedelta(days=number) for number in range(365))
    _minute, _hour, month_days, months, week = found
    join = any if either else all
    return {day for day in days if day.month in months and join((day.day in month_days, day.isoweekday() % 7 in week))}


def test_systemd_is_told_the_same_days_as_cron() -> None:
    analyze = shutil.which("systemd-analyze")
    assert analyze, "systemd-analyze is missing (Debian, Ubuntu: apt-get install systemd)"
    chosen = random.Random(1)
    for when in ("0 6 * * mon-fri", "0 6 13 * 5", "0 6 1,15 */3 *", "0 6 * feb 0", "0 6 31 * *", "0 6 1-7 * 7"):
        found = times(when, "when")
        wanted = _days(found, when.split()[2] != "*" and when.split()[4] != "*", 2026)
        start = datetime.date(2026, 1, 1)
        for _round in range(4):
            after = start + datetime.timedelta(days=chosen.randrange(330))
            coming = min((day for day in wanted if day > after), default=None)
            said = [
                subprocess.run(
                    [analyze, "calendar", f"--base-time={after} 12:00:00 UTC", calendar],
                    capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin", "LC_ALL": "C"},
                ).stdout
                for calendar in calendars(found)
            ]  # fmt: skip
            elapses = min(line.split()[3] for text in said for line in text.splitlines() if "Next elapse" in line)
            if coming is not None:
                assert elapses == str(coming), (when, after)


def test_the_program_is_told_where_results_lie_unless_that_is_the_usual_place() -> None:
    assert "--state" not in one()["cron_command"]
    other = entries([GOOD], host="web1", state="/var/lib/codex-ops-schedule")[0]
    assert " --state /var/lib/codex-ops-schedule " in other["cron_command"] and "/var/lib/codex-ops-schedule/inbox.lock" in other["unit_command"]
