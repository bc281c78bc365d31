# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the Codex CLI and tells its version. PRIVATE."""

from __future__ import annotations

import json
import os
import typing as t

from .._errors import CodexOpsError

_HINT = "Install the Codex CLI (PyPI openai-codex-cli-bin or npm @openai/codex), or give its path as codex_path."


def find_codex(codex_path: str | None, candidates: t.Sequence[str] = ()) -> str:
    """The absolute path of the Codex binary: *codex_path*, else the first of *candidates* that is there, else PATH.

    :raises CodexOpsError: ``binary_missing`` when there is none, or when *codex_path* is not a program.
    """
    if codex_path:
        path = os.path.abspath(codex_path)
        if not _is_program(path):
            state = "is not an executable file" if os.path.exists(path) else "does not exist"
            raise CodexOpsError(f"The Codex CLI {path} {state}.", code="binary_missing", hint=_HINT)
        return path
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    for path in [*candidates, *(os.path.join(folder, "codex") for folder in folders if os.path.isabs(folder))]:
        if _is_program(path):
            return os.path.abspath(path)
    looked = ", ".join([*candidates, "PATH"])
    raise CodexOpsError(f"The Codex CLI was not found (looked in {looked}).", code="binary_missing", hint=_HINT)


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def package_dir(path: str) -> str | None:
    """The folder of the package that the *real* binary belongs to, when it is laid out like Codex's own packages."""
    folder = os.path.dirname(os.path.dirname(os.path.realpath(path)))
    return folder if os.path.isfile(os.path.join(folder, "codex-package.json")) else None


def codex_version(path: str) -> str:
    """The version of the binary, for example ``0.169.0``; ``unknown`` when it cannot be told.

    Running ``codex --version`` costs 0.2 s, so the package's own note is read where there is one.
    """
    folder = package_dir(path)
    if folder is not None:
        try:
            with open(os.path.join(folder, "codex-package.json"), encoding="utf-8") as stream:
                version = json.loads(stream.read(65536)).get("version")
            if isinstance(version, str) and version:
                return version[:50]
        except (OSError, ValueError, AttributeError):
            pass
    from .process import run_limited

    try:
        done = run_limited([path, "--version"], cwd="/", env={"PATH": "/usr/bin:/bin", "HOME": "/dev/null"}, timeout=5, max_output=4096)
    except OSError:
        return "unknown"
    words = done.stdout.decode("utf-8", "replace").split()
    return words[-1][:50] if done.exit_code == 0 and words else "unknown"
