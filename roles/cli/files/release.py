# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at, or installs, one release of the Codex CLI. Read from standard input by the system's Python; only its standard library is used.

usage: release.py check FOLDER VERSION SHA256
       release.py install FOLDER VERSION SHA256 ARCHIVE
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import typing as t
import zipfile

#: Beside the release: the artefact's digest, and mode and digest of every file.
LIST = "release.json"
#: Where a package lies in a wheel, in an npm package, and in an archive of its own.
TOPS = re.compile(r"(?:codex_cli_bin/|package/vendor/[A-Za-z0-9_-]+/|(?:\./)?)(?P<path>.+)")
#: Whatever else a wheel or a package carries is for pip and npm.
KEPT = re.compile(r"codex-package\.json|(?:bin|codex-path|codex-resources)/.+")
PROGRAMS = ("bin/", "codex-path/", "codex-resources/")
MOST = 2 * 1024**3


class Refused(Exception):
    """What is wrong, and what to do, for a person."""


def digest(path: pathlib.Path) -> str:
    """The SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        for part in iter(lambda: stream.read(1 << 20), b""):
            found.update(part)
    return found.hexdigest()


def listed(folder: pathlib.Path) -> dict[str, list[str]]:
    """Type, mode and digest of everything in *folder*, by path; what is neither file nor folder stands there as such."""
    found: dict[str, list[str]] = {}
    for here, below, names in os.walk(folder):
        for name in [*below, *names]:
            path = pathlib.Path(here, name)
            mode = path.lstat()
            kind = "file" if stat.S_ISREG(mode.st_mode) else "folder" if stat.S_ISDIR(mode.st_mode) else "other"
            owner = "" if mode.st_uid == folder.parent.stat().st_uid else f" of user {mode.st_uid}"
            found[str(path.relative_to(folder))] = [kind, f"{stat.S_IMODE(mode.st_mode):04o}{owner}", digest(path) if kind == "file" else ""]
    found.pop(LIST, None)
    return found


def check(folder: pathlib.Path, version: str, sha256: str) -> dict[str, t.Any]:
    """Whether the release is there as it was installed, and if not, why."""
    release = folder / version
    try:
        said = json.loads((release / LIST).read_text("utf-8"))
        if said["sha256"] != sha256:
            return {"whole": False, "reason": f"it was installed from another artefact ({said['sha256']})"}
        wanted, found = said["files"], listed(release)
    except FileNotFoundError:
        return {"whole": False, "reason": "it is not there"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {"whole": False, "reason": f"its list of files cannot be read: {error}"}
    different = sorted(path for path in {*wanted, *found} if wanted.get(path) != found.get(path))
    return {"whole": not different, "reason": f"{different[0]} is not as it was installed" if different else "it is whole"}


def members(archive: pathlib.Path) -> t.Iterator[tuple[str, t.IO[bytes]]]:
    """Name and content of every regular file in a wheel or a tar archive."""
    if archive.name.endswith(".whl"):
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                if not info.is_dir():
                    yield info.filename, wheel.open(info)
        return
    with tarfile.open(archive) as package:
        for member in package:
            content = package.extractfile(member) if member.isreg() else None
            if content is not None:
                yield member.name, content


def unpack(archive: pathlib.Path, folder: pathlib.Path) -> None:
    """Put the package in *archive* into *folder*, as Codex expects to find itself: bin, codex-path and codex-resources beside each other."""
    room = MOST
    for name, content in members(archive):
        top = TOPS.fullmatch(name)
        path = top["path"] if top else ""
        if not KEPT.fullmatch(path):
            continue
        if ".." in path.split("/") or path.startswith("/") or "\\" in path or "\0" in path:
            raise Refused(f"a file in it lies outside of it: {name!r}")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("xb") as written:
            for part in iter(lambda source=content: source.read(1 << 20), b""):
                room -= len(part)
                if room < 0:
                    raise Refused(f"it unpacks to more than {MOST} bytes")
                written.write(part)
            written.flush()
            os.fsync(written.fileno())
        # A wheel loses the executable bits when it is unpacked as a zip file.
        target.chmod(0o755 if path.startswith(PROGRAMS) else 0o644)
    for here, _below, _names in os.walk(folder):
        os.chmod(here, 0o755)


def proved(release: pathlib.Path, version: str) -> None:
    """Hold the unpacked release against what it says of itself."""
    codex = release / "bin/codex"
    if not codex.is_file():
        raise Refused("it holds no package of the Codex CLI (no bin/codex in codex_cli_bin/ or package/vendor/). Is it the package for this platform?")
    try:
        # It makes a folder for itself in its home, whatever it is asked for.
        with tempfile.TemporaryDirectory(dir=release.parent, prefix=".home.") as home:
            environment = {"PATH": "/usr/bin:/bin", "HOME": home, "CODEX_HOME": home}
            done = subprocess.run([str(codex), "--version"], stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise Refused(f"its program does not run here ({error}). Is it for this machine ({os.uname().machine})?") from None
    words = done.stdout.decode("utf-8", "replace").split()
    if done.returncode or not words or words[-1] != version:
        raise Refused(f"its program says {' '.join(words)[:80]!r} of itself, not {version}. Correct the version, or the artefact")


def sync(path: pathlib.Path) -> None:
    """Put what was renamed in a folder on disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def install(folder: pathlib.Path, version: str, sha256: str, archive: pathlib.Path) -> dict[str, t.Any]:
    """Unpack *archive* beside, prove it, and give it its name."""
    found = digest(archive)
    if found != sha256:
        raise Refused(f"it is not the artefact that was pinned: expected the SHA-256 {sha256}, found {found}. Do not use it")
    beside, old, release = folder / f".new.{version}", folder / f".old.{version}", folder / version
    for path in (beside, old):
        shutil.rmtree(path, ignore_errors=True)
    try:
        beside.mkdir(mode=0o755)
        unpack(archive, beside)
        proved(beside, version)
        with (beside / LIST).open("x", encoding="utf-8") as stream:
            json.dump({"version": version, "sha256": sha256, "files": listed(beside)}, stream, indent=1, sort_keys=True)
            stream.flush()
            os.fsync(stream.fileno())
        (beside / LIST).chmod(0o644)
        if release.exists():
            release.rename(old)
        beside.rename(release)
        sync(folder)
    finally:
        for path in (beside, old):
            shutil.rmtree(path, ignore_errors=True)
    return {"whole": True, "reason": "it was installed"}


def main(argv: t.Sequence[str]) -> int:
    """Do what the command line asks for, and say how it went, as JSON."""
    if len(argv) not in (4, 5) or argv[0] != ("install" if len(argv) == 5 else "check"):
        sys.stderr.write(__doc__ or "")
        return 2
    os.umask(0o022)
    folder, version, sha256 = pathlib.Path(argv[1]), argv[2], argv[3]
    try:
        result = install(folder, version, sha256, pathlib.Path(argv[4])) if len(argv) == 5 else check(folder, version, sha256)
    except (Refused, OSError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        sys.stderr.write(f"The Codex CLI {version} was not installed, and what was there stays as it was: {error}.\n")
        return 1
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
