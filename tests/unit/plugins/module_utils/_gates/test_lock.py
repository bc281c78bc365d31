# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One operation at a time on a workspace, whatever path leads to it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates.lock import workspace_lock

HOLD = """
import sys
from {module} import workspace_lock
with workspace_lock(sys.argv[1], sys.argv[2], "theirs"):
    sys.stdout.write("held\\n"); sys.stdout.flush(); sys.stdin.read()
"""


def test_the_second_is_told_who_holds_it(tmp_path: pathlib.Path) -> None:
    with workspace_lock(str(tmp_path), "/srv/inbox", "20260115T031500Z-9f86d081"):
        with pytest.raises(CodexOpsError) as caught:
            with workspace_lock(str(tmp_path), "/srv/inbox", "other"):
                raise AssertionError("two at once")
    assert caught.value.outcome == "busy"
    assert f"process {os.getpid()}" in str(caught.value) and "9f86d081" in str(caught.value)
    with workspace_lock(str(tmp_path), "/srv/inbox", "after"):
        pass


def test_another_name_for_the_same_folder_is_the_same_workspace(tmp_path: pathlib.Path) -> None:
    (tmp_path / "live").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "live")
    with workspace_lock(str(tmp_path), str(tmp_path / "live"), "a"):
        with pytest.raises(CodexOpsError):
            with workspace_lock(str(tmp_path), str(tmp_path / "link"), "b"):
                raise AssertionError("two at once")
        with workspace_lock(str(tmp_path), str(tmp_path / "other"), "c"):
            pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff"])
def test_a_damaged_lock_file_still_locks(tmp_path: pathlib.Path, content: bytes) -> None:
    with workspace_lock(str(tmp_path), "/srv/inbox", "a"):
        (path,) = tmp_path.iterdir()
        path.write_bytes(content)
        with pytest.raises(CodexOpsError, match="another process"):
            with workspace_lock(str(tmp_path), "/srv/inbox", "b"):
                raise AssertionError("two at once")


def test_the_lock_falls_with_its_process_and_with_an_error(tmp_path: pathlib.Path) -> None:
    code = HOLD.format(module=workspace_lock.__module__)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path), "/srv/inbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(CodexOpsError, match=f"process {other.pid} .*theirs"):
            with workspace_lock(str(tmp_path), "/srv/inbox", "mine"):
                raise AssertionError("two at once")
        other.kill()
        other.wait()
    with pytest.raises(KeyError):
        with workspace_lock(str(tmp_path), "/srv/inbox", "mine"):
            raise KeyError("work failed")
    with workspace_lock(str(tmp_path), "/srv/inbox", "mine"):
        pass
