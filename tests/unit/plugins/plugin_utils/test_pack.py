# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same sources make the same pack, and only those."""

from __future__ import annotations

import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import yaml

from ansible_collections.day2.codex.plugins.module_utils._engine import manifest
from ansible_collections.day2.codex.plugins.module_utils._version import VERSION
from ansible_collections.day2.codex.plugins.plugin_utils import _pack

ROOT = pathlib.Path(__file__).resolve().parents[4]
ENGINE = ROOT / "plugins/module_utils"


def test_the_engine_has_the_version_of_the_collection() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text("utf-8"))["version"] == VERSION


def test_the_same_sources_make_the_same_bytes_wherever_whenever_and_whoever_packs_them(tmp_path: pathlib.Path) -> None:
    first = _pack.pack(str(ENGINE))
    copy = tmp_path / "elsewhere/engine"
    shutil.copytree(ENGINE, copy, copy_function=shutil.copyfile)
    for number, path in enumerate(sorted(copy.rglob("*"), reverse=True)):
        os.utime(path, (number, number))
        path.chmod(0o700 if path.is_dir() else 0o600)
    second = _pack.pack(str(copy))
    assert first.content == second.content
    assert first.manifest.digest == second.manifest.digest
    script = f"import sys, hashlib; sys.path[:0] = {[path for path in sys.path if path]!r}\n"
    script += "from ansible_collections.day2.codex.plugins.plugin_utils import _pack\n"
    script += f"sys.stdout.write(_pack.pack({str(ENGINE)!r}).manifest.digest)"
    environment = {"PATH": os.environ["PATH"], "TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "7", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd="/", capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == first.manifest.digest


def test_one_byte_of_difference_is_another_engine(tmp_path: pathlib.Path) -> None:
    copy = tmp_path / "engine"
    shutil.copytree(ENGINE, copy)
    with (copy / "_outcomes.py").open("a", encoding="utf-8") as handle:
        handle.write("#\n")
    changed = _pack.pack(str(copy)).manifest
    before = _pack.pack(str(ENGINE)).manifest
    assert changed.digest != before.digest
    assert {path for path in before.files if before.files[path] != changed.files[path]} == {"codex_ops/_outcomes.py"}


def test_the_pack_holds_every_file_of_the_engine_and_nothing_else(tmp_path: pathlib.Path) -> None:
    found = _pack.pack(str(ENGINE))
    with tarfile.open(fileobj=io.BytesIO(found.content)) as archive:
        members = archive.getmembers()
    assert members[0].name == "manifest.json"
    names = [member.name for member in members[1:]]
    assert names == sorted(names) == sorted(found.manifest.files)
    ours = {str(path.relative_to(ENGINE)) for path in ENGINE.rglob("*.py")}
    assert set(names) == {f"codex_ops/{name}" for name in ours} | {"codex_ops/__init__.py"}
    assert {(member.mtime, member.mode, member.uid, member.gid, member.uname, member.gname, member.isreg()) for member in members} == {
        (0, 0o644, 0, 0, "", "", True)
    }


def test_the_manifest_is_read_as_it_was_written() -> None:
    found = _pack.packed().manifest
    assert manifest.read(found.text()) == found
    assert found.folder == f"{VERSION}-{found.digest[:12]}"
    assert set(found.state) >= {"budget", "inbox", "audit_record", "policy", "plan", "journal"}
