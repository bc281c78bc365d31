# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run's own folder for Codex: made before, removed after. PRIVATE."""

from __future__ import annotations

import json
import os
import stat

from .._errors import CodexOpsError
from . import walk
from .config import Layout, model_catalogue
from .request import MAX_CONTRACT, AgentRequest

#: The copies that a run folder may hold.
COPIES = ("workspace", "goal", "returned", "returned.links")
_MOUNT_POINTS = (".git", ".codex", ".agents", ".aws")


def layout_of(run_dir: str) -> Layout:
    """Where the agent's parts of a run lie."""
    return Layout(os.path.join(os.path.realpath(run_dir), "agent"))


def prepare(request: AgentRequest) -> Layout:
    """Create ``run_dir/agent`` with everything but ``config.toml``.

    :raises CodexOpsError: When the folder is not ours alone, is there already, or the contract is too long.
    """
    _check_ours(request.run_dir)
    contract = check_contract(request)
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


def check_contract(request: AgentRequest) -> bytes:
    """The operational contract as it is written.

    :raises CodexOpsError: ``contract_too_long``.
    """
    contract = (request.contract or "").encode("utf-8", "replace")
    if len(contract) > MAX_CONTRACT:
        raise CodexOpsError(
            f"The operational contract has {len(contract)} bytes; Codex passes on at most {MAX_CONTRACT}.",
            code="contract_too_long",
            hint="Shorten the instructions and values of the slice.",
        )
    return contract


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
    """Remove ``run_dir/agent``, whatever modes and owners are in it. The caller's parts stay."""
    remove(os.path.join(run_dir, "agent"))


def sweep(run_dir: str) -> list[int]:
    """Clear the run folder of an engine that is dead: end what it left alive, remove its ``agent`` folder and its copies.

    Whatever owners and modes they have. Every other file (plan, transcript) stays. The caller makes sure, by its lock,
    that the engine of this run is dead. Returns the processes that were ended.

    :raises CodexOpsError: ``run_dir_unsafe`` for a folder that is not ours alone.
    :raises OSError: When something could not be removed.
    """
    from .process import end_leftovers

    try:
        _check_ours(run_dir)
    except FileNotFoundError:
        return []
    ended: list[int] = []
    names = os.listdir(run_dir)
    for name in names:
        # The preflight's probe is a run of its own below this one.
        if name.startswith("probe-") and stat.S_ISDIR(os.lstat(os.path.join(run_dir, name)).st_mode):
            ended += end_leftovers(os.path.join(run_dir, name))
            remove(os.path.join(run_dir, name))
    ended += end_leftovers(run_dir)
    # The agent's folder last: it is what its processes are known by.
    for name in (*COPIES, "agent"):
        remove(os.path.join(run_dir, name))
    return ended


def _check_ours(run_dir: str) -> None:
    found = os.lstat(run_dir)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise CodexOpsError("The run folder has to be a folder of our own with mode 0700.", code="run_dir_unsafe", where=run_dir)


def remove(path: str) -> None:
    """Remove *path* with everything below it, without following a link. It may be gone already."""
    walk.contents_first(path, _remove)


def _remove(parent: int, name: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        os.rmdir(name, dir_fd=parent)
    else:
        os.unlink(name, dir_fd=parent)
