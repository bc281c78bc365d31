# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records form one chain, whatever a crash left behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import pathlib
import stat

import pytest

from ansible_collections.day2.codex.plugins.module_utils._canonical import digest
from ansible_collections.day2.codex.plugins.module_utils._trail.log import ZERO, append


def _records(path: pathlib.Path) -> list[dict[str, object]]:
    found = []
    for line in path.read_bytes().split(b"\n"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and "hash" in record:
            found.append(record)
    return found


def _holds(records: list[dict[str, object]]) -> bool:
    prev = ZERO
    for number, record in enumerate(records, 1):
        body = {key: value for key, value in record.items() if key != "hash"}
        if record["seq"] != number or record["prev"] != prev or record["hash"] != digest(body):
            return False
        prev = str(record["hash"])
    return True


def test_every_record_is_bound_to_the_one_before(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.jsonl"
    heads = [append(str(path), {"number": number, "text": "\udcff\u202e"}) for number in range(5)]
    records = _records(path)
    assert _holds(records)
    assert [head["hash"] for head in heads] == [record["hash"] for record in records]
    records[2]["number"] = 9
    assert not _holds(records)


@pytest.mark.parametrize(
    "tail",
    [
        b'{"seq": 99, "ha',
        b"\n\n",
        b"\xff\xff\n",
        b"5\n",
        b"[]\n",
        b"[" * 50000 + b"\n",
        b'{"seq": Infinity, "hash": "x"}\n',
        b'{"seq": "x", "hash": "y"}\n',
        b"x" * 200000,
    ],
)
def test_a_torn_or_foreign_tail_is_left_standing_and_stepped_over(tmp_path: pathlib.Path, tail: bytes) -> None:
    path = tmp_path / "audit.jsonl"
    append(str(path), {"a": 1})
    with path.open("ab") as handle:
        handle.write(tail)
    assert append(str(path), {"a": 2})["seq"] == 2
    assert tail in path.read_bytes()
    assert _holds(_records_of_ours(path))


def _records_of_ours(path: pathlib.Path) -> list[dict[str, object]]:
    return [record for record in _records(path) if "prev" in record]


def test_a_record_larger_than_a_block_is_found_again(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.jsonl"
    append(str(path), {"a": "x" * 300000})
    append(str(path), {"a": "y" * 70000})
    append(str(path), {})
    assert _holds(_records(path)) and len(_records(path)) == 3


def _many(path: str) -> None:
    for number in range(20):
        append(path, {"pid": os.getpid(), "number": number})


def test_writers_at_once_make_one_chain(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_many, args=(str(path),)) for _number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(_records(path)) == 80
    assert _holds(_records(path))


def test_others_cannot_read_it_and_a_link_is_not_followed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.jsonl"
    append(str(path), {})
    assert stat.S_IMODE(path.stat().st_mode) & 0o137 == 0
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    with pytest.raises(OSError):
        append(str(link), {})
