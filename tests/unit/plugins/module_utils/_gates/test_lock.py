# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One operation at a time on a workspace, whatever path leads to it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import threading

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates.lock import workspace_lock

HOLD = """
import sys
from {module} import workspace_lock
with workspace_lock(sys.argv[1], sys.argv[2], "theirs"):
    sys.stdout.write("held\\n"); sys.stdout.flush(); sys.stdin.read()
"""


@pytest.fixture(name="locks")
def _locks(tmp_path: pathlib.Path) -> str:
    (tmp_path / "locks").mkdir()
    return str(tmp_path / "locks")


@pytest.fixture(name="live")
def _live(tmp_path: pathlib.Path) -> str:
    (tmp_path / "inbox").mkdir()
    return str(tmp_path / "inbox")


def test_the_second_is_told_who_holds_it(locks: str, live: str) -> None:
    with workspace_lock(locks, live, "20260115T031500Z-9f86d081"):
        with pytest.raises(CodexOpsError) as caught:
            with workspace_lock(locks, live, "other"):
                raise AssertionError("two at once")
    assert caught.value.outcome == "busy"
    assert f"process {os.getpid()}" in str(caught.value) and "9f86d081" in str(caught.value)
    with workspace_lock(locks, live, "after"):
        pass


def test_another_name_for_the_same_folder_is_the_same_workspace(tmp_path: pathlib.Path) -> None:
    (tmp_path / "live").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "live")
    with workspace_lock(str(tmp_path), str(tmp_path / "live"), "a"):
        with pytest.raises(CodexOpsError):
            with workspace_lock(str(tmp_path), str(tmp_path / "link"), "b"):
                raise AssertionError("two at once")
        with workspace_lock(str(tmp_path), str(tmp_path / "other"), "c"):
            pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff"])
def test_a_damaged_lock_file_still_locks(locks: str, live: str, content: bytes) -> None:
    with workspace_lock(locks, live, "a"):
        (path,) = pathlib.Path(locks).iterdir()
        path.write_bytes(content)
        with pytest.raises(CodexOpsError, match="another process"):
            with workspace_lock(locks, live, "b"):
                raise AssertionError("two at once")


def test_the_lock_falls_with_its_process_and_with_an_error(locks: str, live: str) -> None:
    code = HOLD.format(module=workspace_lock.__module__)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code, locks, live], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(CodexOpsError, match=f"process {other.pid} .*theirs"):
            with workspace_lock(locks, live, "mine"):
                raise AssertionError("two at once")
        other.kill()
        other.wait()
    with pytest.raises(KeyError):
        with workspace_lock(locks, live, "mine"):
            raise KeyError("work failed")
    with workspace_lock(locks, live, "mine"):
        pass


def held_by_another(locks: str, live: str) -> subprocess.Popen[bytes]:
    """Another process that holds the lock by now."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    code = HOLD.format(module=workspace_lock.__module__)
    other = subprocess.Popen([sys.executable, "-c", code, locks, live], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert other.stdout is not None and other.stdout.readline() == b"held\n"
    return other


def test_engines_with_different_prefixes_meet_at_the_workspace(tmp_path: pathlib.Path, locks: str, live: str) -> None:
    (tmp_path / "mine").mkdir()
    with held_by_another(locks, live) as other:
        with pytest.raises(CodexOpsError, match="another prefix") as caught:
            with workspace_lock(str(tmp_path / "mine"), live, "mine"):
                raise AssertionError("two at once")
        assert (caught.value.code, caught.value.outcome) == ("busy", "busy")
        other.kill()
        other.wait()
    with workspace_lock(str(tmp_path / "mine"), live, "mine"):
        pass
    with workspace_lock(locks, live, "theirs"):
        assert os.listdir(live) == []


def test_a_folder_that_is_let_go_at_once_is_waited_for(tmp_path: pathlib.Path, locks: str, live: str) -> None:
    """A child that a killed engine of another prefix was just starting."""
    (tmp_path / "mine").mkdir()
    with held_by_another(locks, live) as other:
        killer = threading.Timer(0.3, other.kill)
        killer.start()
        with workspace_lock(str(tmp_path / "mine"), live, "mine"):
            pass
        killer.join()


def test_a_lock_that_was_not_had_keeps_nothing_open(tmp_path: pathlib.Path, locks: str, live: str) -> None:
    (tmp_path / "mine").mkdir()
    with workspace_lock(locks, live, "a"):
        before = os.listdir("/proc/self/fd")
        for folder in (locks, str(tmp_path / "mine")):
            with pytest.raises(CodexOpsError):
                with workspace_lock(folder, live, "b"):
                    raise AssertionError("two at once")
        assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_lock_that_cannot_be_opened_says_what_to_do(tmp_path: pathlib.Path, live: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        with workspace_lock(str(tmp_path / "missing"), live, "a"):
            raise AssertionError("without a lock")
    assert caught.value.code == "prefix_not_writable" and "'prefix'" in str(caught.value.hint)


def test_a_workspace_that_is_not_there_is_said_so(locks: str, live: str) -> None:
    os.rmdir(live)
    with pytest.raises(CodexOpsError) as caught:
        with workspace_lock(locks, live, "a"):
            raise AssertionError("without a workspace")
    assert (caught.value.code, caught.value.where) == ("workspace_invalid", live)
