# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints how fast a log is verified, against sha256sum on the same file, and what appending costs. Nothing here passes or fails."""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import time
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._trail import chain
from ansible_collections.day2.codex.plugins.module_utils._trail.log import append
from ansible_collections.day2.codex.plugins.module_utils._trail.verify import verify

SIZE = 200_000_000
ROUNDS = 5


def record(attempts: int) -> dict[str, t.Any]:
    """What an operation with so many tool calls leaves."""
    return {
        "phase": "outcome", "job_id": None, "run_id": "20260115T031500Z-9f86d081", "host": "inbox-1", "user": {"name": "codex-ops", "uid": 990, "via": {}},
        "input": {"slice": "inbox-public-identity", "slice_sha256": "4d" * 32, "base_sha256": "9f" * 32},
        "command": {"operation": "slice", "codex_version": "0.163.0", "model": None, "check_mode": False},
        "attempts": [{"command": "grep -r sender config", "status": "completed", "exit_code": 0, "reason": ""}] * attempts,
        "result": {"outcome": "applied", "msg": "2 files were changed, and every validation holds.", "changed": True},
        "diff": {"sha256": "b9" * 32, "files": [], "added": 2, "removed": 2, "kept": "/var/lib/codex-ops/runs/20260115T031500Z-9f86d081/patch.diff"},
        "approval": None, "rollback": {"possible": True}, "usage": {"requests": 2, "total_tokens": 1970}, "validation": [],
    }  # fmt: skip


def write(path: pathlib.Path, attempts: int) -> int:
    """A valid log of 200 MB; how many records it has."""
    seq, prev, size, content = 0, chain.ZERO, 0, record(attempts)
    with path.open("wb") as handle:
        while size < SIZE:
            line, made = chain.render(content, seq=seq + 1, prev=prev, time="2026-01-15T03:15:00.000000+00:00", healed=None)
            seq, prev = made.seq, made.hash
            size += handle.write(line)
    return seq


def _seconds(work: t.Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def verification_against_sha256sum(folder: pathlib.Path) -> None:
    """MB/s of both, one after the other and so under the same load."""
    for attempts in (2, 12, 100):
        path = folder / f"{attempts}.jsonl"
        count = write(path, attempts)
        megabytes = path.stat().st_size / 1e6
        ours, theirs = [], []
        for _round in range(ROUNDS):
            theirs.append(megabytes / _seconds(lambda path=path: subprocess.run(["sha256sum", str(path)], stdout=subprocess.DEVNULL, check=True)))
            ours.append(megabytes / _seconds(lambda path=path: verify(str(path)).verified))
        mine, other = statistics.median(ours), statistics.median(theirs)
        name = f"verify {count} records of {megabytes * 1e6 / count:.0f} bytes : sha256sum"
        print(f"{name:<66} {mine:7.0f} MB/s {other:7.0f} MB/s {mine / other:6.2f}   aim 0.50 or more", flush=True)
        path.unlink()


def append_against_fsync(folder: pathlib.Path) -> None:
    """A record appended, and the same bytes written and synced by nothing but that."""
    path, plain, content = folder / "audit.jsonl", folder / "plain", record(12)
    line = json.dumps(content).encode() + b"\n"

    def write_and_sync() -> None:
        with plain.open("ab", buffering=0) as handle:
            handle.write(line)
            os.fsync(handle.fileno())

    ours, theirs = [], []
    for _round in range(500):
        theirs.append(_seconds(write_and_sync))
        ours.append(_seconds(lambda: append(str(path), content)))
    mine, other = statistics.median(ours) * 1000, statistics.median(theirs) * 1000
    print(f"{'append a record : write and fsync the same bytes':<66} {mine:7.3f} ms   {other:7.3f} ms   {mine / other:6.2f}", flush=True)
