# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release of the Codex CLI is installed from the pinned artefact alone, whole or not at all, and laid out as Codex expects itself."""

from __future__ import annotations

import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile
import typing as t
import zipfile

import pytest

FILE = pathlib.Path(__file__).resolve().parents[3] / "roles/cli/files/release.py"
CODEX = "#!/bin/sh\necho codex-cli {}\n"


def package(version: str) -> dict[str, str]:
    return {
        "bin/codex": CODEX.format(version),
        "codex-resources/bwrap": "#!/bin/sh\n",
        "codex-path/rg": "#!/bin/sh\n",
        "codex-package.json": json.dumps({"version": version}),
    }


def wheel(path: pathlib.Path, files: t.Mapping[str, str], top: str = "codex_cli_bin/") -> pathlib.Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(top + name, text)
        archive.writestr("openai_codex_cli_bin-1.dist-info/METADATA", "x")
        archive.writestr("codex_cli_bin/__init__.py", "x")
    return path


def npm(path: pathlib.Path, files: t.Mapping[str, str], top: str = "package/vendor/x86_64-unknown-linux-musl/") -> pathlib.Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(top + name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
        link = tarfile.TarInfo(top + "bin/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


def sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def call(*argv: object) -> subprocess.CompletedProcess[str]:
    # As the role calls it: read from standard input.
    return subprocess.run([sys.executable, "-I", "-", *map(str, argv)], input=FILE.read_text("utf-8"), capture_output=True, text=True, timeout=60, check=False)


def whole(folder: pathlib.Path, version: str, digest: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(call("check", folder, version, digest).stdout))


@pytest.mark.parametrize(("make", "name"), [(wheel, "codex.whl"), (npm, "codex.tgz"), (lambda path, files: npm(path, files, ""), "codex.tar.gz")])
def test_an_artefact_of_each_kind_is_laid_out_as_codex_expects_itself(tmp_path: pathlib.Path, make: t.Any, name: str) -> None:
    artefact = make(tmp_path / name, package("1.2.3"))
    folder = tmp_path / "cli"
    folder.mkdir()
    done = call("install", folder, "1.2.3", sha256(artefact), artefact)
    assert done.returncode == 0, done.stderr
    files = {str(path.relative_to(folder / "1.2.3")) for path in (folder / "1.2.3").rglob("*") if path.is_file() or path.is_symlink()}
    assert files == {*package("1.2.3"), "release.json"}
    for name in ("bin/codex", "codex-resources/bwrap", "codex-path/rg"):
        assert (folder / "1.2.3" / name).stat().st_mode & 0o777 == 0o755
    assert whole(folder, "1.2.3", sha256(artefact))["whole"]


def test_an_artefact_that_is_not_the_pinned_one_is_refused_and_what_was_there_stays(tmp_path: pathlib.Path) -> None:
    good = wheel(tmp_path / "good.whl", package("1.2.3"))
    bad = wheel(tmp_path / "bad.whl", {**package("1.2.3"), "bin/codex": CODEX.format("1.2.3") + "# more\n"})
    assert call("install", tmp_path, "1.2.3", sha256(good), good).returncode == 0
    done = call("install", tmp_path, "1.2.3", sha256(good), bad)
    assert done.returncode == 1
    assert sha256(bad) in done.stderr and "Traceback" not in done.stderr
    assert whole(tmp_path, "1.2.3", sha256(good))["whole"]
    assert not whole(tmp_path, "1.2.3", sha256(bad))["whole"], "it is pinned to another one now"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({**package("1.2.3"), "bin/../../evil": "x"}, "outside of it"),
        ({"codex-path/rg": "x"}, "holds no package of the Codex CLI"),
        (package("9.9.9"), "'codex-cli 9.9.9' of itself, not 1.2.3"),
        ({**package("1.2.3"), "bin/codex": "\x7fELF nonsense"}, "does not run here|says ''"),
    ],
)
def test_what_is_no_such_release_is_refused_and_leaves_nothing(tmp_path: pathlib.Path, files: dict[str, str], words: str) -> None:
    artefact = wheel(tmp_path / "codex.whl", files)
    folder = tmp_path / "cli"
    folder.mkdir()
    done = call("install", folder, "1.2.3", sha256(artefact), artefact)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert any(word in done.stderr for word in words.split("|")), done.stderr
    assert list(folder.iterdir()) == [] and not (tmp_path / "evil").exists()


def test_what_codex_makes_in_its_home_does_not_stay(tmp_path: pathlib.Path) -> None:
    makes = '#!/bin/sh\nmkdir -p "$HOME/.codex" "$CODEX_HOME/tmp" && echo codex-cli 1.2.3 "$HOME" 1.2.3\n'
    artefact = wheel(tmp_path / "codex.whl", {**package("1.2.3"), "bin/codex": makes})
    folder = tmp_path / "cli"
    folder.mkdir()
    assert call("install", folder, "1.2.3", sha256(artefact), artefact).returncode == 0
    assert [path.name for path in folder.iterdir()] == ["1.2.3"]
    assert whole(folder, "1.2.3", sha256(artefact))["whole"]


def test_a_damaged_archive_is_an_error_without_a_traceback(tmp_path: pathlib.Path) -> None:
    artefact = tmp_path / "codex.whl"
    artefact.write_bytes(b"PK\x03\x04 cut off")
    done = call("install", tmp_path, "1.2.3", sha256(artefact), artefact)
    assert done.returncode == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize("harm", ["altered", "more", "less", "mode", "link"])
def test_a_release_that_was_touched_is_not_whole_and_is_put_right(tmp_path: pathlib.Path, harm: str) -> None:
    artefact = wheel(tmp_path / "codex.whl", package("1.2.3"))
    assert call("install", tmp_path, "1.2.3", sha256(artefact), artefact).returncode == 0
    release = tmp_path / "1.2.3"
    if harm == "altered":
        (release / "codex-path/rg").write_text("#!/bin/sh\nevil\n")
    elif harm == "more":
        (release / "bin/more").write_text("")
    elif harm == "less":
        (release / "codex-resources/bwrap").unlink()
    elif harm == "mode":
        (release / "bin").chmod(0o777)
    else:
        (release / "codex-path/rg").unlink()
        (release / "codex-path/rg").symlink_to("/bin/sh")
    found = whole(tmp_path, "1.2.3", sha256(artefact))
    assert not found["whole"] and "not as it was installed" in found["reason"]
    assert call("install", tmp_path, "1.2.3", sha256(artefact), artefact).returncode == 0
    assert whole(tmp_path, "1.2.3", sha256(artefact))["whole"]
