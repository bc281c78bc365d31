# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A slice file is read as plain data, or refused with a place; nothing in it can make the controller work without end."""

from __future__ import annotations

import os
import pathlib
import time

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.plugin_utils._agent_action import MAX_FILE, load_document, read_text, write_cassette


def _write(tmp_path: pathlib.Path, text: str | bytes, name: str = "slice.yml") -> str:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: {b: [1, 2.5, yes, null, x]}\n", {"a": {"b": [1, 2.5, True, None, "x"]}}),
        ("a: '{{ 1 + 1 }}'\n", {"a": "{{ 1 + 1 }}"}),
        ("a: &x [1]\nb: *x\n", {"a": [1], "b": [1]}),
        ("\ufeffa: 1\n", {"a": 1}),
    ],
)
def test_yaml_is_plain_data_and_never_a_template(tmp_path: pathlib.Path, text: str, value: object) -> None:
    assert load_document(_write(tmp_path, text)) == value


def test_json_is_json_tabs_and_escapes_included(tmp_path: pathlib.Path) -> None:
    assert load_document(_write(tmp_path, '{\n\t"a": "\\/\\ud83d\\ude00"\n}\n', "slice.json")) == {"a": "/\U0001f600"}


def _bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, levels)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: the key 'a' stands twice"),
        ("a: {b: 1, b: 2}\n", "stands twice"),
        ("a: 2026-01-15\n", "date"),
        ("a: 2026-01-15T03:15:00Z\n", "datetime"),
        ("a: .nan\n", "not valid"),
        ("a: -.inf\n", "not valid"),
        ("1: a\n", "the key 1 is not a text"),
        ("yes: a\n", "the key True is not a text"),
        ("? [a]\n: b\n", "unhashable"),
        ("a: !!binary aGk=\n", "bytes"),
        ("a: !!python/object/apply:os.system [id]\n", "could not determine"),
        ("a: !vault x\n", "could not determine"),
        ("a: [1\n", "line"),
        ("a: *nowhere\n", "line 1"),
        ("a: &a [*a]\n", "unfold"),
        ("a: " + "[" * 5000 + "]" * 5000 + "\n", "nested too deeply"),
        ("a: " + "[" * 150 + "]" * 150 + "\n", "unfold"),
        ("a: " + "9" * 6000 + "\n", "not valid"),
        ("a: \x07\n", "not valid YAML"),
        (_bomb(12), "unfold"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_no_plain_data_is_refused_with_its_place(tmp_path: pathlib.Path, text: str, words: str) -> None:
    path = _write(tmp_path, text)
    began = time.monotonic()
    with pytest.raises(CodexOpsError, match=words) as caught:
        load_document(path)
    assert (caught.value.code, caught.value.where) == ("slice_invalid", path)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', "{", "[" * 100000])
def test_bad_json_is_refused_too(tmp_path: pathlib.Path, text: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        load_document(_write(tmp_path, text, "slice.json"))
    assert caught.value.code == "slice_invalid"


def test_a_file_that_is_huge_missing_or_no_text_is_unreadable(tmp_path: pathlib.Path) -> None:
    huge = tmp_path / "huge.yml"
    with huge.open("wb") as handle:
        handle.truncate(MAX_FILE + 1)
    for path in (str(huge), str(tmp_path / "missing.yml"), str(tmp_path), _write(tmp_path, b"a: caf\xe9\n")):
        with pytest.raises(CodexOpsError) as caught:
            load_document(path)
        assert (caught.value.code, caught.value.where) == ("file_unreadable", path)


def test_a_cassette_is_written_all_or_nothing(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "tape.json")
    write_cassette(path, {"version": 1})
    assert read_text(path, "cassette") == '{\n "version": 1\n}\n'
    with pytest.raises(CodexOpsError) as caught:
        write_cassette(str(tmp_path / "no" / "tape.json"), {})
    assert caught.value.code == "file_unwritable"
    assert os.listdir(tmp_path) == ["tape.json"]
