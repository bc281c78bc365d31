# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was remembered comes back as it was; what is damaged counts as nothing; what is newer is refused."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._trail.memory import recall, remember

PRINT = "0123456789abcdef" * 4


def test_a_result_comes_back_as_it_was(tmp_path: pathlib.Path) -> None:
    result = {"outcome": "completed", "report": {"a": [1, None, "\u00e9\ud800"]}}
    assert recall(str(tmp_path), PRINT) is None
    remember(str(tmp_path), PRINT, {"old": True})
    remember(str(tmp_path), PRINT, result)
    assert recall(str(tmp_path), PRINT) == result
    assert os.listdir(tmp_path) == [PRINT + ".json"]
    assert (tmp_path / (PRINT + ".json")).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"version": 1}', '{"version": 1, "result": 5}', "[" * 100000, "\udcff"])
def test_a_damaged_file_counts_as_nothing(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / (PRINT + ".json")).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert recall(str(tmp_path), PRINT) is None


@pytest.mark.parametrize("text", ['{"version": 2, "result": {}}', '{"version": 2, "in": "another form"}'])
def test_a_newer_file_is_refused(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / (PRINT + ".json")).write_text(text)
    with pytest.raises(CodexOpsError) as caught:
        recall(str(tmp_path), PRINT)
    assert caught.value.outcome == "newer_state"


@pytest.mark.parametrize("fingerprint", ["", "../" + PRINT, PRINT + "\n", PRINT.upper(), PRINT[:-1]])
def test_a_fingerprint_names_no_other_file(tmp_path: pathlib.Path, fingerprint: str) -> None:
    with pytest.raises(ValueError):
        remember(str(tmp_path), fingerprint, {})


def test_a_result_that_cannot_be_written_leaves_the_old_one(tmp_path: pathlib.Path) -> None:
    remember(str(tmp_path), PRINT, {"a": 1})
    with pytest.raises(TypeError):
        remember(str(tmp_path), PRINT, {"a": object()})
    assert recall(str(tmp_path), PRINT) == {"a": 1}
    assert os.listdir(tmp_path) == [PRINT + ".json"]
