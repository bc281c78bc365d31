# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is at the switch's path stops all work, and so does a path that cannot be looked at."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import resource
import stat
import time
import typing as t

import pytest
import yaml

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates.kill_switch import UNTIL_FIT, Switch, engage, engaged_reason, release, state

SINCE = "2026-01-15T03:15:04+00:00"


@pytest.fixture(name="path")
def _path(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc/disabled"


def test_nothing_there_is_released(path: pathlib.Path) -> None:
    assert state([str(path)]) == Switch(False) and engaged_reason([str(path)]) is None
    # Nor has anybody to make the folders first.
    assert engaged_reason([str(path.parent / "no/such/folder/disabled")]) is None


def test_engaging_says_who_why_and_since_when(path: pathlib.Path) -> None:
    assert engage(str(path), "Incident 4711", "unix:root", SINCE)
    assert state([str(path)]) == Switch(True, str(path), "Incident 4711", "unix:root", SINCE)
    assert engaged_reason([str(path)]) == f"The kill switch {path} is engaged by unix:root since {SINCE}: Incident 4711."
    assert json.loads(path.read_text()) == {"reason": "Incident 4711", "by": "unix:root", "since": SINCE}


def test_an_engaged_switch_keeps_its_first_reason(path: pathlib.Path) -> None:
    assert engage(str(path), "first", "a", SINCE)
    assert not engage(str(path), "second", "b", SINCE)
    assert state([str(path)]).reason == "first"


def test_whoever_engages_takes_the_place_of_the_self_test_which_takes_nobody_s(path: pathlib.Path) -> None:
    assert engage(str(path), UNTIL_FIT, "role", SINCE) and not engage(str(path), UNTIL_FIT, "role", SINCE)
    assert engage(str(path), "Incident 4711", "alice", SINCE)
    assert state([str(path)]) == Switch(True, str(path), "Incident 4711", "alice", SINCE)
    assert not engage(str(path), UNTIL_FIT, "role", SINCE) and state([str(path)]).reason == "Incident 4711"
    release(str(path))
    engage(str(path), UNTIL_FIT, "role", SINCE)
    path.with_name("disabled.new").touch()
    assert engage(str(path), "", "alice", SINCE) and state([str(path)]) == Switch(True, str(path), "", "alice", SINCE)
    assert os.listdir(path.parent) == ["disabled"] and stat.S_IMODE(path.stat().st_mode) == 0o644


def test_the_role_s_reason_is_the_one_that_gives_way() -> None:
    role = pathlib.Path(__file__).resolve().parents[5] / "roles/guardrails/vars/main.yml"
    assert yaml.safe_load(role.read_text("utf-8"))["__guardrails_reason"] == UNTIL_FIT


def test_releasing_twice_changes_something_once(path: pathlib.Path) -> None:
    engage(str(path), "", "", SINCE)
    assert release(str(path)) and not release(str(path))
    assert not state([str(path)]).engaged


CONTENTS: list[tuple[bytes, str]] = [
    (b"", ""),
    (b"provider is strange\n", "provider is strange"),
    (b'{"reason": "cut o', '{"reason": "cut o'),
    (b"{}", ""),
    (b"[]", "[]"),
    (b"null", "null"),
    (b'{"reason": 5, "by": [], "since": {}}', ""),
    (b"\xff\xfe\0\0", "\ufffd\ufffd"),
    (b"[" * 60000, "[" * 1000),
    ('{"reason": "a\u202eb\\u0007c\\nd\\ud800"}'.encode(), "a b c d"),
    (b"x" * 10**6, "x" * 1000),
]


@pytest.mark.parametrize(("content", "reason"), CONTENTS, ids=range(len(CONTENTS)))
def test_any_content_counts_and_is_shown_without_tricks(path: pathlib.Path, content: bytes, reason: str) -> None:
    path.write_bytes(content)
    found = state([str(path)])
    assert found.engaged and found.reason == reason
    assert "\n" not in str(engaged_reason([str(path)]))


@pytest.mark.parametrize("kind", ["folder", "dangling link", "link", "fifo", "mode 000", "link to nowhere above", "file above", "circle above"])
def test_whatever_is_there_or_hides_it_counts(path: pathlib.Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling link":
        path.symlink_to("/nowhere/at/all")
    elif kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "mode 000":
        path.touch(mode=0)
    else:
        path.parent.rmdir()
        if kind == "file above":
            path.parent.touch()
        else:
            path.parent.symlink_to(path.parent if kind == "circle above" else path.parent.parent / "unmounted")
    began = time.monotonic()
    found = state([str(path)])
    assert found.engaged and found.path == str(path)
    assert "root:" not in str(engaged_reason([str(path)]))
    assert time.monotonic() - began < 10


@contextlib.contextmanager
def _no_entry(folder: pathlib.Path) -> t.Iterator[None]:
    """*folder* may not be entered, by an effective user that this holds for."""
    old = os.geteuid()
    folder.chmod(0)
    try:
        if old == 0:
            os.seteuid(65534)
        yield
    finally:
        if old == 0:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_entered_counts(path: pathlib.Path) -> None:
    with _no_entry(path.parent):
        reason = engaged_reason([str(path)])
    assert reason is not None and os.strerror(errno.EACCES) in reason
    assert engaged_reason([str(path)]) is None


def test_the_first_of_several_that_is_engaged_is_named(path: pathlib.Path) -> None:
    other = path.with_name("other")
    other.write_text("host")
    assert state([str(path), str(other)]).path == str(other)
    path.write_text("own")
    assert state([str(path), str(other)]).path == str(path)


def test_looking_is_cheap_and_opens_nothing_while_released(path: pathlib.Path) -> None:
    paths = [str(path), str(path.with_name("other"))]
    before = len(os.listdir("/proc/self/fd"))
    began = time.process_time()
    for _number in range(1000):
        assert engaged_reason(paths) is None
    assert time.process_time() - began < 1
    path.write_text("x")
    state(paths)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("mask", [0, 0o077, 0o777])
def test_everybody_may_read_why_whatever_the_umask(tmp_path: pathlib.Path, mask: int) -> None:
    path = tmp_path / "new/etc/disabled"
    old = os.umask(mask)
    try:
        assert engage(str(path), "why", "me", SINCE)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755 and state([str(path)]).reason == "why"


@pytest.mark.parametrize("before", ["", UNTIL_FIT])
def test_it_is_engaged_although_there_is_no_room_for_the_reason(path: pathlib.Path, before: str) -> None:
    """A file size limit of nothing: the file can be made, and nothing can be written into it."""
    if before:
        engage(str(path), before, "role", SINCE)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            import signal  # pylint: disable=import-outside-toplevel

            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
            status = 0 if engage(str(path), "why", "me", SINCE) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert state([str(path)]) == Switch(True, str(path)) and os.listdir(path.parent) == ["disabled"]


def test_what_cannot_be_switched_says_so_and_what_to_do(path: pathlib.Path) -> None:
    with _no_entry(path.parent), pytest.raises(CodexOpsError) as caught:
        release(str(path))
    assert caught.value.code == "kill_switch_unwritable" and caught.value.hint
    path.mkdir()
    with pytest.raises(CodexOpsError, match="Is a directory"):
        release(str(path))
    assert state([str(path)]).engaged


def test_what_cannot_be_made_is_an_error_and_not_engaged(path: pathlib.Path) -> None:
    path.parent.rmdir()
    path.parent.touch()
    # It counts as engaged already: nothing can be there, but nobody can tell.
    assert not engage(str(path), "", "", SINCE)
    with pytest.raises(CodexOpsError, match="cannot be"):
        release(str(path))
    path.parent.unlink()
    path.parent.mkdir()
    old = os.geteuid()
    path.parent.chmod(0o555)
    try:
        if old == 0:
            os.seteuid(65534)
            # pytest's own folders are closed to others.
            above = state([str(path)]).engaged
        else:
            above = False
        if not above:
            with pytest.raises(CodexOpsError) as caught:
                engage(str(path), "", "", SINCE)
            assert caught.value.code == "kill_switch_unwritable"
    finally:
        if old == 0:
            os.seteuid(0)
        path.parent.chmod(0o755)
    assert not state([str(path)]).engaged


def test_a_dangling_link_is_removed_and_its_target_is_not_made(path: pathlib.Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))
    assert not engage(str(path), "x", "y", SINCE)
    assert not path.with_name("elsewhere").exists()
    assert release(str(path)) and not state([str(path)]).engaged
