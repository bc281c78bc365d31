# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A table of rules is surely its owner's and surely right, or no rule of it counts; and it says of each finding whose it is."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.document import load_schema, problems
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._signals import quiet
from ansible_collections.day2.codex.plugins.module_utils._signals.fitting import fitted, size
from ansible_collections.day2.codex.plugins.module_utils._signals.rules import Table, divided, load

OWNERS = frozenset({os.geteuid()})
RULE = {"name": "disk", "signal": "disk", "slice": "disk-report"}
FULL: dict[str, t.Any] = {
    "version": 1,
    "time_zone": "Europe/Berlin",
    "rules": [
        {
            **RULE,
            "status": "unknown",
            "severity": "INFO",
            "findings": ["space:*"],
            "resources": ["/srv/*"],
            "quiet": [{"from": "22:00", "to": "06:00", "days": ["fri", "sat"]}],
            "dedupe_window": "2h",
            "priority": 5,
            "expires_in": "7d",
            "max_bytes": "64K",
        }
    ],
}


def _write(folder: pathlib.Path, document: t.Any) -> str:
    path = folder / "rules.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    path.chmod(0o644)
    return str(path)


def _load(folder: pathlib.Path, *rules: dict[str, t.Any], **more: t.Any) -> Table:
    return load(_write(folder, {"version": 1, **more, "rules": [{**RULE, "name": f"r{number}", **rule} for number, rule in enumerate(rules)]}), OWNERS)


# --- the file -------------------------------------------------------------------------------------------------------------


def test_everything_that_a_rule_says_is_understood(tmp_path: pathlib.Path) -> None:
    table = load(_write(tmp_path, FULL), OWNERS)
    rule = table.rules[0]
    assert rule[1:7] == ("disk", "disk", "unknown", "INFO", ("space:*",), ("/srv/*",))
    assert rule.quiet == (quiet.Quiet(22 * 60, 6 * 60, frozenset({4, 5})),)
    assert rule[8:] == (7200.0, "disk-report", 5, 7 * 86400.0, 65536)
    assert str(table.zone) == "Europe/Berlin" and table.of("disk") == (rule,) and table.of("logs") == ()


def test_what_a_rule_leaves_out_takes_the_default(tmp_path: pathlib.Path) -> None:
    rule = _load(tmp_path, {}).rules[0]
    assert rule[3:] == ("warning", "WARNING", (), (), (), 86400.0, "disk-report", 0, None, 24576)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"signals": "disk"}, "rules[0]"),
        ({"status": "ok"}, "rules[0].status"),
        ({"severity": "warning"}, "rules[0].severity"),
        ({"slice": "../x"}, "rules[0].slice"),
        ({"slice": "x\n"}, "rules[0].slice"),
        ({"name": ""}, "rules[0].name"),
        ({"findings": []}, "rules[0].findings"),
        ({"quiet": [{"from": "22:00"}]}, "rules[0].quiet[0]"),
        ({"quiet": [{"from": "22:00", "to": "25:00"}]}, "rules[0].quiet[0].to"),
        ({"quiet": [{"from": "9:00", "to": "10:00"}]}, "rules[0].quiet[0].from"),
        ({"quiet": [{"from": "22:00", "to": "22:00"}]}, "rules[0].quiet[0]"),
        ({"quiet": [{"from": "24:00", "to": "06:00"}]}, "rules[0].quiet[0]"),
        ({"quiet": [{"from": "22:00", "to": "06:00", "days": ["saturday"]}]}, "rules[0].quiet[0].days[0]"),
        ({"dedupe_window": "1 h"}, "rules[0].dedupe_window"),
        ({"dedupe_window": -1}, "rules[0].dedupe_window"),
        ({"expires_in": 0}, "rules[0].expires_in"),
        ({"expires_in": "99w"}, "rules[0].expires_in"),
        ({"max_bytes": "1K"}, "rules[0].max_bytes"),
        ({"max_bytes": 1e9}, "rules[0].max_bytes"),
        ({"priority": 5000}, "rules[0].priority"),
    ],
)
def test_a_wrong_rule_is_named_with_its_place(tmp_path: pathlib.Path, change: dict[str, t.Any], where: str) -> None:
    path = _write(tmp_path, {"version": 1, "rules": [{**RULE, **change}]})
    with pytest.raises(CodexOpsError) as raised:
        load(path, OWNERS)
    assert (raised.value.code, raised.value.outcome) == ("rules_invalid", "rejected")
    assert where in str(raised.value) and path in str(raised.value) and raised.value.hint


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "rules_invalid"),
        ("[]", "rules_invalid"),
        ("{" * 100000, "rules_invalid"),
        ('{"version": 1, "version": 1, "rules": []}', "rules_invalid"),
        ('{"version": NaN, "rules": []}', "rules_invalid"),
        ('{"version": 2, "rules": []}', "newer_state"),
        ('{"version": 1}', "rules_invalid"),
        ('{"version": 1, "rules": [], "time_zone": "Nowhere/At_All"}', "rules_invalid"),
        ('{"version": 1, "rules": [], "time_zone": "../../etc/passwd"}', "rules_invalid"),
        (json.dumps({"version": 1, "rules": [RULE, {**RULE, "signal": "logs"}]}), "rules_invalid"),
        (" " * (1 << 20) + "{}", "rules_invalid"),
    ],
)
def test_a_wrong_table_is_refused_in_words(tmp_path: pathlib.Path, text: str, code: str) -> None:
    with pytest.raises(CodexOpsError) as raised:
        load(_write(tmp_path, text), OWNERS)
    assert raised.value.code == code and raised.value.hint


def test_a_table_that_others_may_have_written_is_refused(tmp_path: pathlib.Path) -> None:
    path = pathlib.Path(_write(tmp_path, FULL))
    for mode in (0o664, 0o646, 0o666):
        path.chmod(mode)
        with pytest.raises(CodexOpsError, match="Others can write"):
            load(str(path), OWNERS)
    path.chmod(0o644)
    with pytest.raises(CodexOpsError, match="belongs to user"):
        load(str(path), frozenset({4711}))
    link = tmp_path / "link.json"
    link.symlink_to(path)
    os.mkfifo(tmp_path / "fifo")
    for other in (link, tmp_path, tmp_path / "fifo"):
        with pytest.raises(CodexOpsError) as raised:
            load(str(other), OWNERS)
        assert raised.value.code == "rules_unsafe"
    with pytest.raises(CodexOpsError) as raised:
        load(str(tmp_path / "none.json"), OWNERS)
    assert raised.value.code == "rules_missing"


# --- whose a finding is ---------------------------------------------------------------------------------------------------


def _finding(name: str, severity: str = "WARNING", **more: t.Any) -> dict[str, t.Any]:
    return {"id": name, "severity": severity, "resource": name.partition(":")[2], **more}


def _signal(*findings: dict[str, t.Any], status: str | None = None, **more: t.Any) -> dict[str, t.Any]:
    worst = {found["severity"] for found in findings}
    found = "critical" if "CRITICAL" in worst else "warning" if "WARNING" in worst else "unknown" if findings else "ok"
    return {
        "signal": "disk", "host": "web1", "collected_at": "2026-01-15T03:15:00Z", "status": status or found, "summary": "x",
        "findings": list(findings), **more,
    }  # fmt: skip


def _taken(table: Table, signal: dict[str, t.Any]) -> dict[str, list[str]]:
    return {name: [found["id"] for found in findings] for name, findings in divided(table.of("disk"), signal).items()}


def test_a_finding_goes_to_the_first_rule_that_it_fits(tmp_path: pathlib.Path) -> None:
    table = _load(tmp_path, {"status": "critical", "severity": "CRITICAL"}, {"resources": ["/srv", "/srv/*"]}, {"findings": ["inodes:*"]})
    signal = _signal(_finding("space:/srv/a"), _finding("inodes:/"), _finding("space:/", "CRITICAL"), _finding("inodes:/srv/b"), _finding("x:/srv", "INFO"))
    assert _taken(table, signal) == {"r0": ["space:/"], "r1": ["space:/srv/a", "inodes:/srv/b"], "r2": ["inodes:/"]}


@pytest.mark.parametrize(
    ("status", "taken"),
    [
        ("unknown", [["unknown:/mnt"], ["space:/", "unknown:/mnt"], ["space:/"]]),
        ("warning", [[], ["space:/"], ["space:/"]]),
        ("critical", [[], [], ["space:/"]]),
    ],
)
def test_a_status_is_a_least_one(tmp_path: pathlib.Path, status: str, taken: list[list[str]]) -> None:
    table = _load(tmp_path, {"status": status})
    unseen, more = _finding("unknown:/mnt", "INFO"), _finding("more:disk", "INFO")
    signals = [_signal(unseen), _signal(_finding("space:/"), unseen, more), _signal(_finding("space:/", "CRITICAL"))]
    assert [_taken(table, signal).get("r0", []) for signal in signals] == taken
    assert _taken(table, _signal()) == {}


# --- quiet hours ----------------------------------------------------------------------------------------------------------


def _quiet(hours: dict[str, t.Any], *moments: str, zone: str = "Europe/Berlin") -> list[bool]:
    """Whether it is quiet at *moments*, in UTC."""
    one = quiet.span(hours["from"], hours["to"], hours.get("days", quiet.DAYS))
    where = quiet.zone(zone)
    return [quiet.is_quiet([one], quiet.wall(datetime.datetime.fromisoformat(moment + "+00:00").timestamp(), where)) for moment in moments]


def test_quiet_hours_go_past_midnight_and_belong_to_the_day_on_which_they_begin() -> None:
    # Friday the 16th of January 2026, in UTC.
    night = {"from": "22:00", "to": "06:00", "days": ["fri"]}
    moments = ["2026-01-16T05:00", "2026-01-16T21:59", "2026-01-16T22:00", "2026-01-17T05:59", "2026-01-17T06:00", "2026-01-17T23:00"]
    assert _quiet(night, *moments, zone="UTC") == [False, False, True, True, False, False]
    day = {"from": "00:00", "to": "24:00", "days": ["sat", "sun"]}
    assert _quiet(day, "2026-01-16T23:59", "2026-01-17T00:00", "2026-01-18T23:59", "2026-01-19T00:00", zone="UTC") == [False, True, True, False]
    assert _quiet({"from": "22:00", "to": "24:00"}, "2026-01-16T23:59", "2026-01-17T00:00", zone="UTC") == [True, False]


def test_quiet_hours_are_those_of_the_wall_where_the_clock_is_changed() -> None:
    night = {"from": "22:00", "to": "06:00"}
    # Berlin is an hour ahead of UTC in winter and two in summer: the clock goes forward on the 29th of March 2026, back on the 25th of October.
    assert _quiet(night, "2026-03-28T20:59", "2026-03-28T21:00", "2026-03-29T03:59", "2026-03-29T04:00") == [False, True, True, False]
    assert _quiet(night, "2026-10-24T19:59", "2026-10-24T20:00", "2026-10-25T04:59", "2026-10-25T05:00") == [False, True, True, False]
    # Half past two never comes in March, and comes twice in October.
    half = {"from": "02:30", "to": "02:45"}
    assert not any(_quiet(half, *(f"2026-03-29T{hour:02}:{minute:02}" for hour in range(3) for minute in range(0, 60, 5))))
    assert _quiet(half, "2026-10-25T00:30", "2026-10-25T00:45", "2026-10-25T01:30", "2026-10-25T01:45") == [True, False, True, False]


def test_without_a_time_zone_the_hosts_own_counts_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    assert quiet.wall(0, quiet.zone(None, str(tmp_path / "none"))).isoformat() == "1970-01-01T00:00:00+00:00"
    (tmp_path / "damaged").write_bytes(b"TZ")
    assert quiet.zone(None, str(tmp_path / "damaged")) is datetime.timezone.utc
    place = next(path for path in ("/usr/share/zoneinfo/Asia/Tokyo", "/usr/share/zoneinfo/Japan") if os.path.exists(path))
    assert quiet.wall(0, quiet.zone(None, place)).hour == 9


# --- what fits a model ----------------------------------------------------------------------------------------------------


def test_a_small_signal_is_left_as_it_is_but_for_what_others_are_about() -> None:
    signal = _signal(_finding("space:/srv"), _finding("space:/"), metrics={"load": 1, "used:/srv": 97, "used:/": 96}, thresholds={"space": 85}, truncated=False)
    kept = fitted(signal, signal["findings"][:1], 4096)
    assert kept == {**signal, "findings": signal["findings"][:1], "metrics": {"load": 1, "used:/srv": 97}}


@pytest.mark.parametrize("at_most", [4096, 24576, 262144])
@pytest.mark.parametrize("count", [1, 40, 1000])
@pytest.mark.parametrize("text", ["x" * 4000, "\u00e4\u20ac\U0001f600" * 1300, '"\\\n' * 1300])
def test_whatever_is_in_a_signal_it_fits_and_the_worst_is_in_it(at_most: int, count: int, text: str) -> None:
    values = {"detail": text, "observed": text[:600], "expected": ["y" * 300] * 9}
    bad = [_finding(f"log:{number:0190}", "CRITICAL" if number < 3 else "WARNING", **values) for number in range(count)]
    signal = _signal(*bad, metrics={f"m:{number}": text[:100] for number in range(400)}, thresholds={"t": text[:400]}, truncated=False)
    kept = fitted(signal, bad, at_most)
    assert size(kept) <= at_most
    assert kept["truncated"] is (kept["findings"] != bad)
    assert problems(kept, load_schema("signal")) == []
    shown = [found for found in kept["findings"] if not found["id"].startswith("more:")]
    assert [found["id"] for found in shown] == [found["id"] for found in bad[: len(shown)]] and shown
    if len(shown) < count:
        assert kept["findings"][-1]["detail"] == f"{count - len(shown)} more findings are left out here."
        # No room is wasted.
        assert size({**kept, "findings": [*kept["findings"], kept["findings"][0]]}) > at_most
