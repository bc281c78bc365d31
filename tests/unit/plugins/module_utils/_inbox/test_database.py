# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inbox's file is made whole or not at all; one that is not as it must be is named, and left as it is."""

from __future__ import annotations

import hashlib
import os
import pathlib
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._inbox.form import VERSION
from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox

NOON = 1_800_000_000.0


@pytest.fixture(name="path")
def _path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "in box?%23#.sqlite3"


def _filled(path: pathlib.Path) -> None:
    inbox = Inbox(str(path))
    for number in range(50):
        inbox.enqueue("disk-report", None, str(number), input_="x" * 500, now=NOON)
    inbox.close()


def _bytes(path: pathlib.Path) -> dict[str, str]:
    return {name: hashlib.sha256((path.parent / name).read_bytes()).hexdigest() for name in os.listdir(path.parent) if not name.endswith("-shm")}


def _refused(work: t.Callable[[], object]) -> CodexOpsError:
    with pytest.raises(CodexOpsError) as caught:
        work()
    return caught.value


def _every(path: pathlib.Path, **more: t.Any) -> list[CodexOpsError]:
    """What each way into the inbox says, each in an inbox of its own."""
    ways: list[t.Callable[[Inbox], object]] = [
        lambda inbox: inbox.enqueue("disk-report", now=NOON),
        lambda inbox: inbox.claim("w", NOON),
        lambda inbox: inbox.claim_id("job", "w", NOON),
        lambda inbox: inbox.move("job", "cancelled", "x", "", NOON),
        lambda inbox: inbox.finish("job", "w", outcome="applied", now=NOON),
        lambda inbox: inbox.jobs(),
        lambda inbox: inbox.get("job"),
        lambda inbox: inbox.sweep(NOON),
        lambda inbox: inbox.counts(),
    ]
    return [_refused(lambda way=way: way(Inbox(str(path), **more))) for way in ways]


def test_looking_makes_nothing_and_the_first_job_makes_a_file_for_its_owner_alone(path: pathlib.Path) -> None:
    inbox = Inbox(str(path))
    assert (inbox.jobs(), inbox.claim("w"), inbox.count(), inbox.check(), inbox.sweep(keep=0)["forgotten"]) == ([], None, 0, [], 0)
    assert os.listdir(path.parent) == []
    os.umask(0)
    try:
        inbox.enqueue("disk-report", now=NOON)
    finally:
        os.umask(0o022)
    for name in os.listdir(path.parent):
        assert stat.S_IMODE((path.parent / name).stat().st_mode) == 0o600
    inbox.close()
    assert os.listdir(path.parent) == [path.name]


def _truncated(path: pathlib.Path) -> None:
    path.write_bytes(b"")


def _cut(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _scribbled(path: pathlib.Path) -> None:
    path.write_bytes(b"not a database, " * 1000)


def _overwritten(path: pathlib.Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[:4096] + os.urandom(len(raw) - 4096))


def _foreign(path: pathlib.Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE jobs (id)")
    database.close()


def _only_its_log_is_left(path: pathlib.Path) -> None:
    path.unlink()
    pathlib.Path(f"{path}-wal").write_bytes(b"x" * 5000)


@pytest.mark.parametrize("damage", [_truncated, _cut, _scribbled, _overwritten, _foreign, _only_its_log_is_left])
def test_a_damaged_inbox_is_named_and_never_made_anew(path: pathlib.Path, damage: t.Callable[[pathlib.Path], None]) -> None:
    _filled(path)
    damage(path)
    before = _bytes(path)
    for error in _every(path):
        assert error.code == "inbox_damaged" and error.outcome == "rejected" and error.where == str(path)
        assert "backup" in str(error)
    assert _bytes(path) == before


def test_an_inbox_that_goes_away_under_its_user_is_not_begun_anew(path: pathlib.Path) -> None:
    inbox = Inbox(str(path))
    inbox.enqueue("disk-report", now=NOON)
    for name in os.listdir(path.parent):
        (path.parent / name).unlink()
    for work in (lambda: inbox.enqueue("other", now=NOON), inbox.jobs, lambda: inbox.claim("w")):
        assert _refused(work).code == "inbox_damaged"
    assert os.listdir(path.parent) == []


def test_a_newer_inbox_is_refused_and_left_as_it_is(path: pathlib.Path) -> None:
    _filled(path)
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    before = _bytes(path)
    for error in _every(path):
        assert (error.code, error.outcome) == ("newer_state", "newer_state")
    assert _bytes(path) == before


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o640 | 0o020])
def test_an_inbox_that_others_can_write_is_not_used(path: pathlib.Path, mode: int) -> None:
    _filled(path)
    path.chmod(mode)
    for error in _every(path):
        assert error.code == "inbox_unsafe" and f"{mode:04o}" in str(error)
    path.chmod(0o640)
    assert Inbox(str(path)).count() == 50


def test_an_inbox_of_somebody_else_is_not_used(path: pathlib.Path) -> None:
    _filled(path)
    for error in _every(path, owners={os.geteuid() + 1}):
        assert error.code == "inbox_unsafe" and f"belongs to user {os.geteuid()}; expected user {os.geteuid() + 1}" in str(error)


def test_a_link_a_second_name_and_a_folder_are_not_an_inbox(path: pathlib.Path) -> None:
    real = path.parent / "real"
    _filled(real)
    path.symlink_to(real)
    assert {error.code for error in _every(path)} == {"inbox_unsafe"}
    path.unlink()
    os.link(real, path)
    assert {error.code for error in _every(path)} == {"inbox_unsafe"}
    path.unlink()
    path.mkdir()
    assert {error.code for error in _every(path)} == {"inbox_unsafe"}


def test_a_log_that_is_a_link_is_not_written_through(path: pathlib.Path) -> None:
    _filled(path)
    target = path.parent / "precious"
    target.write_text("precious")
    pathlib.Path(f"{path}-wal").symlink_to(target)
    assert {error.code for error in _every(path)} == {"inbox_unsafe"}
    assert target.read_text() == "precious"


def test_a_folder_that_is_not_there_is_said_in_words(tmp_path: pathlib.Path) -> None:
    error = _refused(lambda: Inbox(str(tmp_path / "none/inbox.sqlite3")).enqueue("disk-report"))
    assert error.code == "inbox_unusable" and "No such file or directory" in str(error)
    (tmp_path / "file").touch()
    for error in _every(tmp_path / "file/inbox.sqlite3"):
        assert error.code == "inbox_unusable" and "Not a directory" in str(error)


READER = """
import os, sys
from {module} import Inbox
from {errors} import CodexOpsError
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for look in (lambda inbox: inbox.jobs(), lambda inbox: inbox.claim("w"), lambda inbox: inbox.counts(), lambda inbox: inbox.get("job")):
    try:
        print(look(Inbox(sys.argv[1], owners=range(70000))))
    except CodexOpsError as error:
        print(error.code)
"""


@pytest.mark.parametrize("which", ["file", "folder"])
def test_an_inbox_that_may_not_be_read_is_not_taken_for_an_empty_one(which: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        closed = folder / "closed"
        closed.mkdir()
        _filled(closed / "inbox.sqlite3")
        (closed / "inbox.sqlite3" if which == "file" else closed).chmod(0)
        out, _none = _start(READER, str(closed / "inbox.sqlite3")).communicate(timeout=60)
        closed.chmod(0o700)
    assert out.split() == ["inbox_unusable"] * 4


FULL = """
import resource, signal, sys
from {module} import Inbox
from {errors} import CodexOpsError
inbox = Inbox(sys.argv[1])
inbox.enqueue("disk-report", None, "first", now=1.0)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))
count, code = 1, None
while code is None:
    try:
        inbox.enqueue("disk-report", None, str(count), input_="x" * 3000, now=1.0)
        count += 1
    except CodexOpsError as error:
        code = error.code
print(count, code)
"""
MAKER = """
import sys
from {module} import Inbox
inbox = Inbox(sys.argv[1])
sys.stdout.write("go\\n")
sys.stdout.flush()
inbox.enqueue("disk-report", None, sys.argv[2])
"""


def _start(code: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    filled = code.format(module=Inbox.__module__, errors=CodexOpsError.__module__)
    return subprocess.Popen([sys.executable, "-c", filled, *arguments], stdout=subprocess.PIPE, text=True, env=environment)


def test_what_no_longer_fits_on_the_disk_is_not_added_and_what_was_stays(path: pathlib.Path) -> None:
    out, _none = _start(FULL, str(path)).communicate(timeout=60)
    count, code = out.split()
    assert code in ("disk_full", "inbox_unusable") and int(count) >= 2
    inbox = Inbox(str(path))
    assert inbox.check() == [] and inbox.count() == int(count)
    assert inbox.enqueue("disk-report", None, "there is room again")[1]


def test_whoever_is_killed_while_the_first_job_is_made_the_inbox_is_sound(path: pathlib.Path) -> None:
    for number in range(25):
        for name in os.listdir(path.parent):
            (path.parent / name).unlink()
        process = _start(MAKER, str(path), "a")
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            # A moment, another each time, within the making.
            process.wait(0.0005 * number + 0.0001)
            raise subprocess.TimeoutExpired("", 0)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        inbox = Inbox(str(path))
        inbox.enqueue("disk-report", None, "b")
        assert inbox.check() == [] and 1 <= inbox.count() <= 2
        inbox.close()
        assert os.listdir(path.parent) == [path.name]


def test_a_fork_gets_a_connection_of_its_own(path: pathlib.Path) -> None:
    inbox = Inbox(str(path))
    job, _created = inbox.enqueue("disk-report", None, "a", now=NOON)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            taken = inbox.claim("child", NOON)
            status = 0 if taken is not None and inbox.finish(taken.id, "child", outcome="unchanged", now=NOON).state == "unchanged" else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert inbox.get(job.id).state == "unchanged"
    inbox.enqueue("disk-report", None, "b", now=NOON)
    assert inbox.check() == [] and Inbox(str(path)).count() == 2
