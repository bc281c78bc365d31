# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run's own folder for Codex: made before, removed after. PRIVATE."""

from __future__ import annotations

import json
import os
import stat

from .._errors import CodexOpsError
from .config import Layout, model_catalogue
from .request import MAX_CONTRACT, AgentRequest

_MOUNT_POINTS = (".git", ".codex", ".agents", ".aws")


def layout_of(run_dir: str) -> Layout:
    """Where the agent's parts of a run lie."""
    return Layout(os.path.join(os.path.realpath(run_dir), "agent"))


def prepare(request: AgentRequest) -> Layout:
    """Create ``run_dir/agent`` with everything but ``config.toml``.

    :raises CodexOpsError: When the folder is not ours alone, is there already, or the contract is too long.
    """
    found = os.lstat(request.run_dir)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise CodexOpsError("The run folder has to be a folder of our own with mode 0700.", code="run_dir_unsafe", where=request.run_dir)
    contract = (request.contract or "").encode("utf-8", "replace")
    if len(contract) > MAX_CONTRACT:
        raise CodexOpsError(
            f"The operational contract has {len(contract)} bytes; Codex passes on at most {MAX_CONTRACT}.",
            code="contract_too_long",
            hint="Shorten the instructions and values of the slice.",
        )
    layout = layout_of(request.run_dir)
    try:
        for folder in (layout.root, layout.home, layout.codex_home, layout.tmp, layout.scratch):
            os.mkdir(folder, 0o700)
    except FileExistsError:
        raise CodexOpsError("The run folder was used before.", code="run_dir_used", hint="Call cleanup() first.", where=layout.root) from None
    write(os.path.join(layout.codex_home, "AGENTS.md"), contract)
    write(layout.catalogue, model_catalogue(request.model).encode())
    if request.output_schema is not None:
        write(layout.schema, json.dumps(request.output_schema).encode())
    return layout


def write(path: str, data: bytes) -> None:
    """Create a file of our own with mode 0600."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as stream:
        stream.write(data)


def absent_mount_points(workspace: str) -> list[str]:
    """Which of the folders that Codex's sandbox mounts something over are not in the workspace yet."""
    return [name for name in _MOUNT_POINTS if not os.path.lexists(os.path.join(workspace, name))]


def remove_mount_points(workspace: str, names: list[str]) -> None:
    """Remove the empty folders that a sandbox that was ended early leaves behind. What is not empty stays, to be seen."""
    for name in names:
        try:
            os.rmdir(os.path.join(workspace, name))
        except OSError:
            pass


def cleanup(run_dir: str) -> None:
    """Remove ``run_dir/agent``, whatever modes the agent gave to what is in it. The caller's parts stay."""
    root = os.path.join(run_dir, "agent")
    try:
        parent = os.open(run_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _remove(parent, os.path.basename(root))
    finally:
        os.close(parent)


def _remove(parent: int, name: str) -> None:
    """Remove *name* in the folder *parent* without following a link. Depth is kept on a list: an agent can nest deeply."""
    stack: list[tuple[int, str, int | None]] = [(parent, name, None)]
    while stack:
        folder, entry, opened = stack.pop()
        if opened is not None:
            os.close(opened)
            os.rmdir(entry, dir_fd=folder)
            continue
        try:
            if not stat.S_ISDIR(os.stat(entry, dir_fd=folder, follow_symlinks=False).st_mode):
                os.unlink(entry, dir_fd=folder)
                continue
            fd = _open_folder(folder, entry)
        except FileNotFoundError:
            continue
        stack.append((folder, entry, fd))
        stack.extend((fd, child, None) for child in os.listdir(fd))


def _open_folder(parent: int, name: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=parent)
    except PermissionError:
        # Nobody writes here any more, so the entry is still the folder that was looked at.
        os.chmod(name, 0o700, dir_fd=parent)
        fd = os.open(name, flags, dir_fd=parent)
    if os.fstat(fd).st_mode & 0o700 != 0o700:
        os.fchmod(fd, 0o700)
    return fd
