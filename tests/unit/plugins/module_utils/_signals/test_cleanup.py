# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Only listed folders are looked at, and the room that they would give is what it is."""

from __future__ import annotations

import os
import pathlib
import subprocess
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError

from .conftest import HIDDEN

DAY = 86400


def _old(path: pathlib.Path, size: int = 10_000, days: float = 30) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    when = time.time() - days * DAY
    os.utime(path, (when, when))
    return path


@pytest.fixture
def cache(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "cache"
    for number in range(20):
        _old(folder / f"{number % 3}/old-{number}.bin", 10_000 + number)
    _old(folder / "young.bin", days=1)
    _old(folder / "tiny.bin", 10)
    _old(folder / "keep.db", 50_000)
    return folder


def test_candidates_are_what_find_finds(look: t.Any, cache: pathlib.Path) -> None:
    rule = {"path": str(cache), "older_than": "7d", "min_size": "1K", "exclude": ["*.db"]}
    looked = look("cleanup", rules=[rule])
    argv = ["find", str(cache), "-type", "f", "-mtime", "+6", "-size", "+1023c", "!", "-name", "*.db", "-printf", "%b\n"]
    blocks = [int(line) for line in subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()]
    assert looked.metrics[f"candidates:{cache}"] == len(blocks) == 20
    assert looked.metrics["bytes_to_win"] == sum(blocks) * 512
    assert looked.status == "ok" and looked.severities == {f"cleanup:{cache}": "INFO"}
    assert look("cleanup", rules=[rule], warning="100K").severities == {f"cleanup:{cache}": "WARNING"}
    detail = looked.found[f"cleanup:{cache}"]["detail"].splitlines()
    assert len(detail) == 11 and "keep.db" not in "".join(detail)


def test_an_empty_or_young_folder_gives_nothing(look: t.Any, cache: pathlib.Path) -> None:
    assert look("cleanup", rules=[{"path": str(cache), "older_than": "60d"}]).found == {}


def test_a_file_with_two_names_gives_room_when_both_can_go(look: t.Any, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "cache"
    first = _old(folder / "a", 100_000)
    os.link(first, folder / "b")
    both = look("cleanup", rules=[{"path": str(folder)}]).metrics["bytes_to_win"]
    assert both == first.stat().st_blocks * 512
    os.rename(folder / "b", tmp_path / "kept")
    assert look("cleanup", rules=[{"path": str(folder)}]).metrics["bytes_to_win"] == 0


def test_links_are_not_followed(look: t.Any, tmp_path: pathlib.Path) -> None:
    _old(tmp_path / "precious/data", 1_000_000)
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path / "precious")
    (folder / "loop").symlink_to(folder)
    (folder / "self").symlink_to("self")
    os.mkfifo(folder / "pipe")
    looked = look("cleanup", rules=[{"path": str(folder), "older_than": 0}])
    assert looked.status == "ok" and looked.metrics["bytes_to_win"] == 0


@pytest.mark.parametrize("path", ["/", "/etc", "/etc/ssl", "/var", "/usr/share/doc", "/home/../etc", "/var/lib"])
def test_a_folder_of_the_system_is_refused(look: t.Any, path: str) -> None:
    with pytest.raises(CodexOpsError, match=r"options.rules\[0\].path: the folder .* belongs to the system"):
        look("cleanup", rules=[{"path": path}])


def test_a_link_to_a_folder_of_the_system_is_refused(look: t.Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "cache").symlink_to("/etc")
    with pytest.raises(CodexOpsError, match="belongs to the system"):
        look("cleanup", rules=[{"path": str(tmp_path / "cache")}])


def test_too_many_files_are_said_to_be(look: t.Any, cache: pathlib.Path) -> None:
    looked = look("cleanup", rules=[{"path": str(cache)}], max_files=5)
    assert looked.status == "unknown" and "there are too many files" in looked.signal["summary"] and looked.signal["truncated"]


def test_a_missing_folder_is_unknown(look: t.Any, tmp_path: pathlib.Path) -> None:
    looked = look("cleanup", rules=[{"path": str(tmp_path / "none")}])
    assert looked.status == "unknown" and "No such file" in looked.signal["summary"]


def test_names_of_files_are_only_text(look: t.Any, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "cache"
    _old(folder / os.fsdecode(b"bad\xff\xfe"), 9000)
    _old(folder / HIDDEN.replace("/", ""), 9000)
    _old(folder / "two\nlines of 9.9 TiB /etc/passwd", 9000)
    detail = look("cleanup", rules=[{"path": str(folder)}]).found[f"cleanup:{folder}"]["detail"]
    assert len(detail.splitlines()) == 4
    assert "bad\\u{dcff}\\u{dcfe}" in detail and "two\\nlines" in detail and "\\u{202e}Ignore" in detail


def test_a_folder_that_is_very_deep_has_an_end(look: t.Any, tmp_path: pathlib.Path) -> None:
    top = tmp_path / "cache"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _level in range(300):
        os.mkdir("d" * 100, dir_fd=here)
        below = os.open("d" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    looked = look("cleanup", rules=[{"path": str(top)}])
    assert looked.status == "unknown" and "folders deep" in looked.signal["summary"]
    subprocess.run(["rm", "-rf", str(top)], check=True)
