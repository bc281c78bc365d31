# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unpack the codex_cli_bin folder of a wheel, or the vendor folder of an npm package, to a new folder.

usage: unpack_codex.py ARCHIVE FOLDER

A wheel loses the executable bits when it is unpacked as a zip file; every file that is a program gets them back.
All of it may be read by other users: tests run Codex as some of them.
"""

from __future__ import annotations

import pathlib
import shutil
import sys
import tarfile
import typing as t
import zipfile

PROGRAMS = {"bin", "codex-path", "codex-resources"}
TOPS = ("codex_cli_bin/", "package/vendor/x86_64-unknown-linux-musl/")


def members(archive: str) -> t.Iterator[tuple[str, t.IO[bytes]]]:
    """Yield name and content of every regular file."""
    if archive.endswith(".whl"):
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                if not info.is_dir():
                    yield info.filename, wheel.open(info)
        return
    with tarfile.open(archive) as package:
        for member in package:
            content = package.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content


def main(archive: str, folder: str) -> None:
    """Unpack what lies under one of TOPS."""
    for name, content in members(archive):
        top = next((top for top in TOPS if name.startswith(top)), None)
        if top is None:
            continue
        parts = pathlib.PurePosixPath(name[len(top) :]).parts
        if not parts or ".." in parts:
            raise SystemExit(f"{archive}: a file lies outside of its archive: {name}")
        target = pathlib.Path(folder, *parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as written:
            shutil.copyfileobj(content, written, 1 << 20)
        target.chmod(0o755 if parts[0] in PROGRAMS else 0o644)
    if not pathlib.Path(folder, "bin", "codex").is_file():
        raise SystemExit(f"{archive}: holds no bin/codex. Is it the pinned package?")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2])
