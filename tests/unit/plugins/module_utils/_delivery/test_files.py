# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read is a regular file, and what is written can be read back."""

from __future__ import annotations

import errno
import os
import pathlib

import pytest

from ansible_collections.day2.codex.plugins.module_utils._delivery import files


def test_what_is_no_regular_file_is_nothing_and_no_descriptor_is_left(tmp_path: pathlib.Path) -> None:
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    before = os.listdir("/proc/self/fd")
    for name in ("folder.json", "pipe.json", "absent.json"):
        assert files.read_json(str(tmp_path / name)) is None
    assert os.listdir("/proc/self/fd") == before


def test_what_nobody_would_read_back_is_not_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(str(path), {"a": 1})
    with pytest.raises(OSError) as caught:
        files.write_json(str(path), {"a": "x" * files.MAX_FILE})
    assert caught.value.errno == errno.EFBIG and files.read_json(str(path)) == {"a": 1}


def test_only_what_is_old_is_left_over(tmp_path: pathlib.Path) -> None:
    for name in ("branch-old", "branch-new", "other"):
        (tmp_path / name).mkdir()
    for name in ("branch-old", "other"):
        os.utime(tmp_path / name, (1, 1))
    assert files.left(str(tmp_path), "branch-") == [str(tmp_path / "branch-old")]
