# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints what codex-ops status costs, against a Python that does nothing. Nothing here passes or fails."""

from __future__ import annotations

import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from ansible_collections.day2.codex.plugins.module_utils._gates.budget import Budget
from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox
from ansible_collections.day2.codex.plugins.module_utils._installing import present
from ansible_collections.day2.codex.plugins.plugin_utils._pack import packed

ROUNDS = 40
JOBS = 1000


def _cost(argv: list[str]) -> tuple[float, float]:
    """(seconds, seconds of processor time) of one run."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _host(folder: pathlib.Path, python: str) -> str:
    """A prefix with an engine, a policy, a budget, and jobs in its inbox; the path of the command."""
    prefix = folder / "prefix"
    pack = folder / "engine.tar"
    pack.write_bytes(packed().content)
    present(str(prefix), packed().manifest.text(), pack=str(pack), keep=1, interpreter=python, check=False)
    state, etc = prefix / "var/lib/codex-ops", prefix / "etc/codex-ops"
    (state / "runs").mkdir(parents=True)
    etc.mkdir(parents=True)
    (etc / "policy.json").write_text(json.dumps({"version": 1, "ad_hoc": "category"}), "utf-8")
    Budget(str(state / "budget.sqlite3")).reserve("20260115T031500Z-9f86d081", 1000, 10**6, 100, time.time())
    inbox = Inbox(str(state / "inbox.sqlite3"))
    for number in range(JOBS):
        inbox.enqueue("inbox-public-identity", None, f"job-{number}")
    inbox.close()
    return str(prefix / "opt/codex-ops/bin/codex-ops")


def status_against_python(folder: pathlib.Path) -> None:
    """codex-ops status on a host in use, and python3 -c pass, one after the other and so under the same load."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
    command = _host(folder, python)
    ours, theirs = [], []
    for _round in range(ROUNDS):
        theirs.append(_cost([python, "-c", "pass"]))
        ours.append(_cost([command, "status"]))
    for place, what in ((0, "elapsed"), (1, "processor")):
        mine, other = statistics.median(cost[place] for cost in ours), statistics.median(cost[place] for cost in theirs)
        name = f"codex-ops status, {JOBS} jobs : python3 -c pass, {what} time"
        print(f"{name:<66} {mine * 1000:9.1f} ms {other * 1000:9.1f} ms {mine / other:6.2f}   aim 4.00", flush=True)


def main() -> None:
    """Run it."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as folder:
        status_against_python(pathlib.Path(folder))


if __name__ == "__main__":
    main()
