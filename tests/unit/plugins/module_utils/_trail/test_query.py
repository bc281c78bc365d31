# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records are found by what a person asks for, and every record has the published form."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import typing as t

import jsonschema
import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._operation import operate
from ansible_collections.day2.codex.plugins.module_utils._options import Options, Order
from ansible_collections.day2.codex.plugins.module_utils._trail.log import append, records, rotate
from ansible_collections.day2.codex.plugins.module_utils._trail.query import info, moment, select

SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[5] / "schemas/audit-record.schema.json").read_text("utf-8"))


@pytest.fixture
def log(tmp_path: pathlib.Path) -> str:
    path = str(tmp_path / "audit.jsonl")
    for number in range(1, 31):
        record = {
            "phase": "outcome" if number % 2 else "intent",
            "run_id": f"run-{number}",
            "job_id": number if number == 7 else f"job-{number % 3}",
            "user": {"name": "codex-ops", "uid": 990, "via": {"sudo_user": "kim" if number % 5 == 0 else 'o"k', "ssh": "run-4"}},
            "input": {"slice": "inbox" if number < 11 else None},
            "result": {"outcome": "applied" if number % 4 == 1 else "rejected", "msg": "job-1 kim inbox"},
        }
        append(path, record)
        if number in (8, 20):
            rotate(path, 0)
    return path


def _numbers(log: str, limit: int = 1000, **wanted: str) -> list[int]:
    found, count = select(log, wanted, limit)
    assert len(found) == min(count, limit)
    return [record["seq"] for record in found]


def test_a_filter_holds_all_that_it_names(log: str) -> None:
    assert _numbers(log) == list(range(1, 31))
    assert _numbers(log, run_id="run-4") == [4]
    assert _numbers(log, job_id="7") == [7]
    assert _numbers(log, phase="intent", job_id="job-0") == [6, 12, 18, 24, 30]
    assert _numbers(log, outcome="applied", slice="inbox") == [1, 5, 9]
    assert _numbers(log, user="kim") == [5, 10, 15, 20, 25, 30]
    assert _numbers(log, user='o"k', slice="inbox") == [1, 2, 3, 4, 6, 7, 8, 9]
    assert _numbers(log, user="990") == _numbers(log, user="codex-ops") == list(range(1, 31))
    assert _numbers(log, user="99") == _numbers(log, slice="inb") == _numbers(log, outcome="None") == []


def test_the_newest_are_returned_and_all_are_counted(log: str) -> None:
    assert _numbers(log, limit=3) == [28, 29, 30]
    assert _numbers(log, limit=2, phase="intent", slice="inbox") == [8, 10]
    answer = info(log, wanted={"phase": "intent"}, limit=1, check=True)
    assert (answer["count"], len(answer["records"]), answer["verified"]) == (15, 1, True)


def test_since_is_included_and_until_is_not(log: str) -> None:
    times = [record["time"] for record in records(log)]
    assert times == sorted(times)
    assert _numbers(log, since=times[9], until=times[12]) == [10, 11, 12]
    assert _numbers(log, since=times[28].replace("+00:00", "Z")) == [29, 30]
    assert _numbers(log, until="2020-01-01") == _numbers(log, since="9999-12-31") == []
    assert len(_numbers(log, since="2020-01-01", until="9999-12-31")) == 30


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-01-15", "2026-01-15T00:00:00.000000+00:00"),
        ("2026-01-15 03:15", "2026-01-15T03:15:00.000000+00:00"),
        ("2026-01-15T03:15:04Z", "2026-01-15T03:15:04.000000+00:00"),
        ("2026-01-15t03:15:04.5z", "2026-01-15T03:15:04.500000+00:00"),
        ("2026-01-15T03:15:04.123456789+02:00", "2026-01-15T01:15:04.123456+00:00"),
        ("2026-01-01T00:30:00 +0100", "2025-12-31T23:30:00.000000+00:00"),
    ],
)
def test_a_moment_is_read_in_its_zone(text: str, found: str) -> None:
    assert moment(text, "x") == found


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-01-15T25:00:00Z", "15.01.2026", "2026-01-15T03:15:04+99:00", "0001-01-01T00:00+01:00"])
def test_a_moment_that_is_none_is_named_with_its_place(log: str, text: str) -> None:
    with pytest.raises(CodexOpsError, match="filter.since: expected a date or a time") as raised:
        select(log, {"since": text}, 1)
    assert raised.value.code == "option_invalid"


@pytest.mark.parametrize(
    ("change", "place"),
    [({"limit": -1}, "limit"), ({"anchors": [{"seq": 0, "hash": "0" * 64}]}, "anchors[0]"), ({"anchors": [{"seq": 1, "hash": "0" * 63 + "G"}]}, "anchors[0]")],
)
def test_a_bad_option_is_named_with_its_place(log: str, change: dict[str, t.Any], place: str) -> None:
    given: dict[str, t.Any] = {"wanted": {}, "limit": 1, "check": True}
    with pytest.raises(CodexOpsError) as raised:
        info(log, **{**given, **change})
    assert (raised.value.where, raised.value.code) == (place, "option_invalid")


def test_a_bad_log_is_still_read_and_says_where_it_is_bad(log: str) -> None:
    data = bytearray(pathlib.Path(log).read_bytes())
    at = data.index(b"run-25")
    data[at] ^= 1
    pathlib.Path(log).write_bytes(data)
    answer = info(log, wanted={}, limit=100, check=True)
    assert (answer["verified"], answer["first_bad"]["seq"], answer["head"]["seq"], answer["count"]) == (False, 25, 24, 30)
    assert "from record 25 on" in answer["msg"] and f"{log}, line 5, byte" in answer["msg"]
    assert info(log, wanted={}, limit=100, check=False)["verified"] is None


def test_what_cannot_be_read_is_an_error_with_a_place(tmp_path: pathlib.Path, log: str) -> None:
    os.symlink(log, tmp_path / "link")
    with pytest.raises(CodexOpsError) as raised:
        info(str(tmp_path / "link"), wanted={}, limit=1, check=False)
    assert (raised.value.code, raised.value.where) == ("log_unreadable", str(tmp_path / "link"))


def test_the_records_of_an_operation_have_the_published_form(tmp_path: pathlib.Path) -> None:
    workspace = tmp_path / "inbox"
    workspace.mkdir()
    (workspace / "inbox.yml").write_text("sender: noreply@example.com\n")
    document = {
        "name": "inbox", "category": "configuration_change", "workspace": str(workspace), "scope": {"include": ["**"]},
        "instructions": "Correct the sender.", "values": {"incorrect": [{"value": "norply@example.com"}]},
    }  # fmt: skip
    prefix = tmp_path / "prefix"
    operate(Options(prefix=str(prefix)), Order(document=document))
    operate(Options(prefix=str(prefix)), Order(document={**document, "workspace": str(tmp_path / "missing")}))
    path = str(prefix / "var/log/codex-ops/audit.jsonl")
    with open(path, "ab") as handle:
        handle.write(b"{")
    operate(Options(prefix=str(prefix)), Order(document=document))
    found = list(records(path))
    assert len(found) == 6 and "healed" in found[4]
    for record in found:
        jsonschema.Draft7Validator(SCHEMA).validate(record)


def test_a_log_that_is_not_there_is_told_from_an_empty_one(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.jsonl"
    answer = info(str(path), wanted={}, limit=1, check=True)
    assert (answer["exists"], answer["first"], answer["count"]) == (False, None, 0) and "no log at" in answer["msg"]
    path.touch()
    assert info(str(path), wanted={}, limit=1, check=True)["exists"]
    made = append(str(path), {})
    rotate(str(path), 0)
    answer = info(str(path), wanted={}, limit=0, check=True)
    assert (answer["exists"], answer["first"], answer["records"]) == (True, made["hash"], [])


def test_what_the_records_remember_comes_without_them_each_once(tmp_path: pathlib.Path) -> None:
    path, anchor = str(tmp_path / "audit.jsonl"), {"log": "ab" * 8, "seq": 4, "hash": "cd" * 32}
    head = {"log": "/l", "seq": 2, "hash": "ef" * 32, "first": "01" * 32}
    junk: list[t.Any] = ["x", 7, [], {**anchor, "seq": 0}, {**anchor, "seq": True}, {**anchor, "seq": "4"}, {**anchor, "hash": "x"}, {"seq": 4}]
    for number in range(150):
        append(path, {"anchor": {**anchor, "seq": 4 + number // 2}, "result": {"msg": "x" * 500, "report": {"anchor": junk}}})
    for value in junk:
        append(path, {"anchor": value})
    append(path, {"host_head": head, "task_host": "web1"})
    append(path, {"host_head": head, "task_host": "web1", "delegated_to": "web2"})
    append(path, {"host_head": head})
    answer = info(path, wanted={}, limit=0, check=True, memory=True)
    found = answer["remembered"]
    assert found[:75] == [{**anchor, "seq": 4 + number, "record": 1 + 2 * number} for number in range(75)]
    assert found[75 : 75 + len(junk)] == [{"record": 151 + number, "malformed": "anchor"} for number in range(len(junk))]
    assert [(one.get("host"), one.get("malformed")) for one in found[75 + len(junk) :]] == [("web1", None), ("web2", None), (None, "host_head")]
    assert found[-2]["first"] == "01" * 32
    assert answer["records"] == [] and len(json.dumps(answer)) < 30000


def test_a_line_that_is_no_json_is_not_counted(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "audit.jsonl")
    made = append(path, {})
    covered = b'"prev":"%s","seq":2,NO JSON}' % made["hash"].encode()
    with open(path, "ab") as handle:
        handle.write(b'{"hash":"%s",' % hashlib.sha256(b"{" + covered).hexdigest().encode() + covered + b"\n")
    answer = info(path, wanted={}, limit=10, check=True)
    assert (answer["count"], len(answer["records"]), answer["verified"]) == (1, 1, False)
