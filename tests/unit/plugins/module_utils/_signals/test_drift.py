# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is not as it was meant to be is found, and nothing else."""

from __future__ import annotations

import os
import pathlib
import subprocess
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._signals import baseline as baselines

from .conftest import HIDDEN


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "etc"
    (folder / "app").mkdir(parents=True)
    for name in ("a.conf", "b.conf", "app/c.conf"):
        (folder / name).write_text(f"name = {name}\n")
    (folder / "link").symlink_to("a.conf")
    return folder


@pytest.fixture
def made(look: t.Any, tree: pathlib.Path, tmp_path: pathlib.Path) -> str:
    path = str(tmp_path / "baseline")
    looked = look("drift", baseline=path, paths=[str(tree)], packages=False, make_baseline=True)
    assert looked.status == "ok" and looked.report.written == path and looked.metrics["files"] == 6
    assert os.stat(path).st_mode & 0o777 == 0o600
    return path


def test_what_was_not_changed_is_ok(look: t.Any, made: str) -> None:
    for content in ("changed", "always"):
        looked = look("drift", baseline=made, content=content)
        assert looked.status == "ok" and looked.found == {} and looked.metrics["files"] == 6


def _same_size(path: pathlib.Path) -> None:
    found = path.stat()
    path.write_text(path.read_text().replace("name", "NAME"))
    # Whoever hides a change sets the time back.
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


CHANGES: dict[str, tuple[t.Callable[[pathlib.Path], object], dict[str, str]]] = {
    "content": (lambda tree: (tree / "a.conf").write_text("other"), {"content:{}/a.conf": "WARNING"}),
    "hidden content": (lambda tree: _same_size(tree / "a.conf"), {"content:{}/a.conf": "WARNING"}),
    "mode": (lambda tree: (tree / "app/c.conf").chmod(0o4755), {"mode:{}/app/c.conf": "CRITICAL"}),
    "gone": (lambda tree: (tree / "b.conf").unlink(), {"gone:{}/b.conf": "WARNING"}),
    "new": (lambda tree: (tree / "app/new.conf").write_text("x"), {"new:{}/app/new.conf": "CRITICAL"}),
    "kind": (lambda tree: ((tree / "b.conf").unlink(), (tree / "b.conf").symlink_to("a.conf")), {"kind:{}/b.conf": "WARNING"}),
    "link": (lambda tree: ((tree / "link").unlink(), (tree / "link").symlink_to("/etc/shadow")), {"content:{}/link": "WARNING"}),
    "folder": (lambda tree: (tree / "app").chmod(0o777), {"mode:{}/app": "WARNING"}),
    "nothing": (lambda tree: os.utime(tree / "a.conf"), {}),
}


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_a_change_is_found_by_its_kind(look: t.Any, made: str, tree: pathlib.Path, change: str) -> None:
    work, wanted = CHANGES[change]
    work(tree)
    looked = look("drift", baseline=made, critical=[f"{tree}/app/*"])
    assert looked.severities == {name.format(tree): severity for name, severity in wanted.items()}


def test_a_baseline_of_packages_knows_what_came_and_went(look_with: t.Any, tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "baseline")
    lines = "ii zlib1g:amd64\\t1.2\\nii bash:amd64\\t5.1\\nrc old:amd64\\t1\\nii gone:amd64\\t3\\n"
    look_with.tool("dpkg-query", f"printf '{lines}'")
    assert look_with("drift", baseline=path, make_baseline=True).metrics["packages"] == 3
    assert look_with("drift", baseline=path).status == "ok"
    look_with.tool("dpkg-query", f"printf '{lines.replace('5.1', '5.2').replace('gone', 'new')}'")
    looked = look_with("drift", baseline=path)
    assert looked.severities == {f"package:{name}:amd64": "WARNING" for name in ("bash", "gone", "new")}
    assert [looked.found[name]["observed"] for name in sorted(looked.found)] == ["5.2", "not installed", "3"]


def test_the_real_packages_are_what_they_are(look: t.Any, tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "baseline")
    if look("drift", baseline=path, make_baseline=True).status == "ok":
        assert look("drift", baseline=path).status == "ok"
        assert look("drift", baseline=path).metrics["packages"] > 20


def test_nothing_is_written_where_nothing_may_be(look: t.Any, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    look.writing = False
    looked = look("drift", baseline=str(tmp_path / "baseline"), paths=[str(tree)], packages=False, make_baseline=True)
    assert looked.status == "ok" and looked.report.written is None and not (tmp_path / "baseline").exists()


def test_half_a_baseline_is_not_written(look: t.Any, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "baseline"
    looked = look("drift", baseline=str(path), paths=[str(tree)], packages=False, make_baseline=True, max_files=2)
    assert looked.status == "unknown" and "was not written" in str(looked.signal["findings"]) and not path.exists()


@pytest.mark.parametrize(
    "data", [b"", b"{}\n", b'{"baseline":2}\n', b'{"baseline":1,"paths":[],"exclude":[],"lines":1}\n', b"[" * 100000, b"\xff\xfe", b'{"baseline":1}\n[1]\n']
)
def test_a_baseline_that_is_none_is_unknown(look: t.Any, tmp_path: pathlib.Path, data: bytes) -> None:
    path = tmp_path / "baseline"
    path.write_bytes(data)
    looked = look("drift", baseline=str(path))
    assert looked.status == "unknown" and "baseline" in looked.signal["summary"]
    assert look("drift", baseline=str(tmp_path / "none")).status == "unknown"


def test_a_file_that_grows_while_it_is_read_has_an_end(look: t.Any, tree: pathlib.Path, made: str) -> None:
    os.truncate(tree / "a.conf", 1 << 34)
    look.seconds = 2
    began = time.monotonic()
    looked = look("drift", baseline=made)
    assert time.monotonic() - began < 20 and looked.status in ("unknown", "warning")


def test_pipes_and_sockets_are_not_opened(look: t.Any, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    os.mkfifo(tree / "pipe")
    path = str(tmp_path / "baseline")
    assert look("drift", baseline=path, paths=[str(tree)], packages=False, make_baseline=True).status == "ok"
    assert look("drift", baseline=path).status == "ok"


def test_hostile_names_survive_a_baseline(look: t.Any, tree: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for name in (b"bad\xff\xfe", HIDDEN.encode(), b'quote"\nline\\'):
        with open(os.fsencode(tree) + b"/" + name, "wb") as handle:
            handle.write(b"x")
    path = str(tmp_path / "baseline")
    assert look("drift", baseline=path, paths=[str(tree)], packages=False, make_baseline=True).status == "ok"
    assert look("drift", baseline=path).status == "ok"
    os.unlink(os.fsencode(tree) + b"/bad\xff\xfe")
    assert look("drift", baseline=path).severities == {f"gone:{tree}/bad\\u{{dcff}}\\u{{dcfe}}": "WARNING"}


def test_nothing_to_compare_is_an_error(look: t.Any, tmp_path: pathlib.Path) -> None:
    with pytest.raises(CodexOpsError, match="nothing to compare"):
        look("drift")
    with pytest.raises(CodexOpsError, match="nothing to make it of"):
        look("drift", baseline=str(tmp_path / "b"), packages=False, make_baseline=True)


def test_a_baseline_is_put_in_place_whole(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "baseline"
    kept = baselines.Baseline(["/a"], [], {"/a": ["file", 0o644, "0:0", "x", "1"]}, {"bash": "5"})
    baselines.write(str(path), kept)
    assert baselines.read(str(path)) == kept and os.listdir(tmp_path) == ["baseline"]
    # A file that lost its end is none.
    path.write_bytes(path.read_bytes().rsplit(b"\n", 2)[0] + b"\n")
    with pytest.raises(baselines.Unusable):
        baselines.read(str(path))


# --- git ------------------------------------------------------------------------------------------------------------------


def _git(folder: pathlib.Path, *arguments: str) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    name = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run(["git", *name, "-C", str(folder), *arguments], check=True, capture_output=True, env=environment)


@pytest.fixture
def repository(tree: pathlib.Path) -> pathlib.Path:
    _git(tree, "init", "-q")
    _git(tree, "add", "-A")
    _git(tree, "commit", "-q", "-m", "as it is meant to be")
    return tree


def test_a_folder_in_git_is_compared_with_what_was_committed(look: t.Any, repository: pathlib.Path) -> None:
    assert look("drift", git=[str(repository)]).status == "ok"
    (repository / "a.conf").write_text("other")
    (repository / "b.conf").unlink()
    (repository / "app/new name.conf").write_text("x")
    looked = look("drift", git=[str(repository)], critical=["*/a.conf"])
    assert looked.severities == {
        f"git:{repository}/a.conf": "CRITICAL", f"git:{repository}/b.conf": "WARNING", f"git:{repository}/app/new name.conf": "WARNING",
    }  # fmt: skip
    assert looked.found[f"git:{repository}/b.conf"]["observed"] == "gone"


def test_what_git_is_told_to_run_does_not_run(look: t.Any, repository: pathlib.Path, tmp_path: pathlib.Path) -> None:
    flag = tmp_path / "ran"
    script = tmp_path / "run"
    script.write_text(f"#!/bin/sh\ntouch {flag}\n")
    script.chmod(0o755)
    _git(repository, "config", "core.fsmonitor", str(script))
    (repository / "a.conf").write_text("other")
    assert look("drift", git=[str(repository)]).status == "warning"
    assert not flag.exists()


def test_a_repository_that_others_can_write_is_not_asked(look: t.Any, repository: pathlib.Path) -> None:
    (repository / ".git/config").chmod(0o666)
    looked = look("drift", git=[str(repository)])
    assert looked.status == "unknown" and "can be written by others" in looked.signal["summary"]


def test_a_folder_without_git_is_unknown(look: t.Any, tree: pathlib.Path) -> None:
    assert look("drift", git=[str(tree)]).status == "unknown"
