# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A backup counts when it can be restored."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tarfile
import time
import typing as t
import zipfile

import pytest

from ansible_collections.day2.codex.plugins.module_utils._signals import restoring

from .conftest import HIDDEN

DAY = 86400


@pytest.fixture
def source(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "source/inbox"
    (folder / "config").mkdir(parents=True)
    (folder / "config/inbox.yml").write_text("base_url: https://inbox.example.com\n")
    (folder / "data.bin").write_bytes(os.urandom(300_000))
    (folder / "backed-up-at").write_text(time.strftime("%Y-%m-%dT%H:%M:%SZ\n", time.gmtime()))
    return folder


@pytest.fixture
def scratch(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def _options(path: pathlib.Path, scratch: pathlib.Path, **more: t.Any) -> dict[str, t.Any]:
    return {"sets": [{"name": "inbox", "path": str(path), **more}], "scratch": str(scratch)}


def _pack(form: str, source: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
    """A backup as the tools of the host make it."""
    if form == "folder":
        return pathlib.Path(shutil.copytree(source.parent, target / "backup-1"))
    if form == "zip":
        path = target / "backup-1.zip"
        shutil.make_archive(str(path.with_suffix("")), "zip", source.parent)
        return path
    flag = {"tar": "", "tar.gz": "z", "tgz": "z", "tar.bz2": "j", "tar.xz": "J"}[form]
    path = target / f"backup-1.{form}"
    subprocess.run(["tar", f"-c{flag}f", str(path), "-C", str(source.parent), "inbox"], check=True)
    return path


@pytest.mark.parametrize("form", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "zip", "folder"])
def test_a_good_backup_of_any_form_is_restored(look: t.Any, source: pathlib.Path, scratch: pathlib.Path, tmp_path: pathlib.Path, form: str) -> None:
    path = _pack(form, source, tmp_path)
    good = {"sentinel": "inbox/config/inbox.yml", "contains": "base_url"}
    looked = look("backups", **_options(tmp_path / "backup-*", scratch, **good))
    assert looked.status == "ok", looked.signal
    assert looked.metrics["restored_bytes:inbox"] >= 300_000
    assert os.listdir(scratch) == []
    wrong = look("backups", **_options(tmp_path / "backup-*", scratch, sentinel="inbox/gone.yml"))
    assert wrong.severities == {"sentinel:inbox": "CRITICAL"}
    wrong = look("backups", **_options(tmp_path / "backup-*", scratch, sentinel="inbox/config/inbox.yml", contains="other text"))
    assert wrong.severities == {"sentinel:inbox": "CRITICAL"}
    assert path.exists()


@pytest.mark.parametrize("form", ["tar.gz", "tar.bz2", "tar.xz", "zip", "tar"])
def test_a_damaged_backup_is_found_by_restoring_it(look: t.Any, source: pathlib.Path, scratch: pathlib.Path, tmp_path: pathlib.Path, form: str) -> None:
    path = _pack(form, source, tmp_path)
    data = path.read_bytes()
    # Cut off, as by a full disk.
    path.write_bytes(data[: len(data) // 2])
    looked = look("backups", **_options(tmp_path / "backup-*", scratch))
    assert looked.severities == {"restore:inbox": "CRITICAL"}
    if form != "tar":
        # One byte, as by a bad disk. A plain tar has no check sums of what is in it.
        path.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0xFF]) + data[len(data) // 2 + 1 :])
        assert look("backups", **_options(tmp_path / "backup-*", scratch)).severities == {"restore:inbox": "CRITICAL"}
    path.write_bytes(b"no archive at all")
    expected = {"tar.gz", "tar.bz2", "tar.xz", "tar"}
    looked = look("backups", **_options(tmp_path / "backup-*", scratch, max_change=100))
    assert (looked.severities == {"restore:inbox": "CRITICAL"}) == (form in expected)
    assert os.listdir(scratch) == []


def test_age_count_and_size_are_held_against_their_limits(look: t.Any, source: pathlib.Path, scratch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert look("backups", **_options(tmp_path / "none-*", scratch)).severities == {"count:inbox": "CRITICAL"}
    path = _pack("tar", source, tmp_path)
    assert look("backups", **_options(path, scratch, min_count=2)).severities == {"count:inbox": "WARNING"}
    assert look("backups", **_options(path, scratch, min_size="1G")).severities == {"size:inbox": "CRITICAL"}
    look.now = time.time() + 2 * DAY
    assert look("backups", **_options(path, scratch)).severities == {"age:inbox": "CRITICAL"}
    assert look("backups", **_options(path, scratch, max_age="3d")).status == "ok"


def test_a_backup_that_shrank_is_a_warning(look: t.Any, scratch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    now = time.time()
    for number, size in enumerate((400, 1000, 1010, 990, 1000)):
        path = tmp_path / f"db-{number}.bin"
        path.write_bytes(b"x" * size)
        os.utime(path, (now - number * DAY, now - number * DAY))
    looked = look("backups", **_options(tmp_path / "db-*.bin", scratch))
    assert looked.severities == {"shrunk:inbox": "WARNING"} and "60 % less" in looked.found["shrunk:inbox"]["observed"]
    assert look("backups", **_options(tmp_path / "db-*.bin", scratch, max_change=70)).status == "ok"


@pytest.mark.parametrize("kind", ["sidecar", "bare", "list"])
def test_a_check_sum_beside_a_backup_is_held(look: t.Any, source: pathlib.Path, scratch: pathlib.Path, tmp_path: pathlib.Path, kind: str) -> None:
    path = _pack("tar", source, tmp_path)
    assert look("backups", **_options(path, scratch, checksum=True)).severities == {"checksum:inbox": "WARNING"}
    beside = tmp_path / ("SHA256SUMS" if kind == "list" else "backup-1.tar.sha256")
    said = subprocess.run(["sha256sum", path.name], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    beside.write_text(said.split()[0] + "\n" if kind == "bare" else "0" * 64 + "  other.tar\n" + said)
    assert look("backups", **_options(tmp_path / "backup-*", scratch, checksum=True)).status == "ok"
    beside.write_text(beside.read_text().replace(hashlib.sha256(path.read_bytes()).hexdigest(), "f" * 64))
    assert look("backups", **_options(tmp_path / "backup-*", scratch)).severities == {"checksum:inbox": "CRITICAL"}
    assert look("backups", **_options(tmp_path / "backup-*", scratch, checksum=False)).status == "ok"


def test_the_time_in_a_sentinel_is_held(look: t.Any, source: pathlib.Path, scratch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    rule = {"sentinel": "inbox/backed-up-at", "sentinel_max_age": "1d", "max_age": "52w"}
    path = _pack("tar.gz", source, tmp_path)
    assert look("backups", **_options(path, scratch, **rule)).status == "ok"
    # A job that packs the same old dump each night has a young archive.
    (source / "backed-up-at").write_text("2020-01-01T00:00:00Z\n")
    path = _pack("tar.gz", source, tmp_path)
    assert look("backups", **_options(path, scratch, **rule)).severities == {"sentinel:inbox": "CRITICAL"}


def test_a_dump_that_ends_in_the_middle_cannot_be_restored(look: t.Any, scratch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "db.sql.gz"
    whole = "--\n-- PostgreSQL database dump\n--\nCREATE TABLE a();\n--\n-- PostgreSQL database dump complete\n--\n"
    path.write_bytes(gzip.compress(whole.encode()))
    assert look("backups", **_options(path, scratch, sentinel="db.sql", contains="CREATE TABLE a")).status == "ok"
    path.write_bytes(gzip.compress(whole[:60].encode()))
    assert look("backups", **_options(path, scratch)).severities == {"restore:inbox": "CRITICAL"}


def test_a_database_that_is_damaged_cannot_be_restored(look: t.Any, scratch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    plain, path = tmp_path / "inbox.sqlite3", tmp_path / "inbox.sqlite3.gz"
    connection = sqlite3.connect(plain)
    connection.execute("CREATE TABLE a (b)")
    connection.executemany("INSERT INTO a VALUES (?)", [("x" * 500,)] * 200)
    connection.commit()
    connection.close()
    path.write_bytes(gzip.compress(plain.read_bytes()))
    assert look("backups", **_options(path, scratch)).status == "ok"
    data = bytearray(plain.read_bytes())
    data[4096 * 3 : 4096 * 4] = os.urandom(4096)
    path.write_bytes(gzip.compress(bytes(data)))
    assert look("backups", **_options(path, scratch)).severities == {"restore:inbox": "CRITICAL"}


def _member(name: str, data: bytes = b"", **more: t.Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def _tar(path: pathlib.Path, *members: tuple[tarfile.TarInfo, bytes]) -> pathlib.Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["../escaped", "/etc/escaped", "a/../../escaped", "x" * 300])
def test_an_archive_cannot_write_outside(look: t.Any, scratch: pathlib.Path, tmp_path: pathlib.Path, name: str) -> None:
    path = _tar(tmp_path / "evil.tar.gz", _member("ok", b"x"), _member(name, b"evil"))
    looked = look("backups", **_options(path, scratch))
    assert looked.severities == {"restore:inbox": "CRITICAL"} and "leads out of it" in looked.found["restore:inbox"]["observed"]
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(name, "evil")
    assert look("backups", **_options(tmp_path / "evil.zip", scratch)).severities == {"restore:inbox": "CRITICAL"}
    assert not list(tmp_path.rglob("escaped")) and not os.path.exists("/etc/escaped")


def test_no_link_and_no_device_leads_out_of_the_scratch_folder(look: t.Any, scratch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("keep")
    path = _tar(
        tmp_path / "links.tar.gz", _member("link", type=tarfile.SYMTYPE, linkname=str(outside)), _member("link/planted", b"x"),
        _member("pipe", type=tarfile.FIFOTYPE), _member("dev", type=tarfile.CHRTYPE, devmajor=1, devminor=3), _member("a", b"1"),
        _member("b", type=tarfile.LNKTYPE, linkname="a"),
    )  # fmt: skip
    assert look("backups", **_options(path, scratch, sentinel="b", contains="1")).status == "ok"
    assert os.listdir(outside) == ["keep"] and os.listdir(scratch) == []
    # A sentinel that is a link in a folder is none.
    tree = tmp_path / "tree-1"
    tree.mkdir()
    (tree / "sentinel").symlink_to(outside / "keep")
    assert look("backups", **_options(tree, scratch, sentinel="sentinel")).severities == {"sentinel:inbox": "CRITICAL"}


def test_a_bomb_is_stopped_and_the_scratch_folder_is_empty_again(look: t.Any, scratch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", 1) as handle:
        for _number in range(200):
            handle.write(b"\0" * 1_000_000)
    looked = look("backups", max_restore="20M", **_options(path, scratch))
    assert looked.status == "unknown" and "larger than 'max_restore'" in looked.signal["summary"]
    assert os.listdir(scratch) == []


def test_what_a_killed_look_left_behind_is_removed(look: t.Any, source: pathlib.Path, scratch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    stale, other = scratch / "codex-ops-restore-old", scratch / "other"
    for folder in (stale, other):
        folder.mkdir()
        (folder / "x").write_text("x")
        os.utime(folder, (1, 1))
    with restoring.scratch(str(scratch)) as held:
        os.utime(held, (1, 1))
        assert look("backups", **_options(_pack("tar", source, tmp_path), scratch)).status == "ok"
        # What somebody restores into right now stays.
        assert sorted(os.listdir(scratch)) == sorted([os.path.basename(held), "other"])


def test_a_pipe_in_the_place_of_a_backup_is_nothing(look: t.Any, scratch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "backup-1.tar")
    assert look("backups", **_options(tmp_path / "backup-*", scratch)).severities == {"count:inbox": "CRITICAL"}


def test_names_in_an_archive_are_only_text(look: t.Any, scratch: pathlib.Path, tmp_path: pathlib.Path) -> None:
    path = _tar(tmp_path / "names.tar.gz", _member("../" + HIDDEN, b"x"))
    assert look("backups", **_options(path, scratch)).status == "critical"
    os.rename(path, tmp_path / os.fsdecode(b"n\xff.tar.gz"))
    assert look("backups", **_options(tmp_path / "n*.tar.gz", scratch)).status == "critical"
