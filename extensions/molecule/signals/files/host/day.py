# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A day of ticks by a clock of its own, as codex-ops: what a healthy host and one with a lasting fault ask of a model, which is nothing.

The installed engine is called with the time that the clock would say; the host and its tools are real. Called as root.
"""

from __future__ import annotations

import grp
import json
import os
import pathlib
import pwd
import sys
import time
import typing as t

HOUR = 3600
#: Minutes between two looks.
EVERY = {
    "health": 15, "disk": 15, "services": 15, "endpoints": 15, "logs": 60, "certificates": 360, "drift": 360, "backups": 720, "cleanup": 720,
    "dependencies": 720,
}  # fmt: skip
TICK = 15


def ticks(begin: float, said: list[str]) -> dict[str, int]:
    """A day from *begin*, as codex-ops: how many looks, changes and runs. *said* takes what was not well."""
    from codex_ops._collecting import Look, collect
    from codex_ops._options import Options
    from codex_ops._working import work

    counts = {"looks": 0, "changed": 0, "runs": 0}
    for minute in range(0, 24 * 60, TICK):
        for name, every in EVERY.items():
            if minute % every:
                continue
            options = json.loads(pathlib.Path(f"/srv/looks/{name}.json").read_text("utf-8"))
            result = collect(Options(prefix="/"), Look(name, options, enqueue=True, now=begin + minute * 60))
            counts["looks"] += 1
            counts["changed"] += bool(result["changed"])
            if result["signal"]["status"] != "ok" or result["failed"]:
                said.append(f"{name} at {minute // 60:02d}:{minute % 60:02d}: {result['msg']}")
        counts["runs"] += work(Options(prefix="/"), None).get("code") != "no_job"
    return counts


def nights(begin: float, said: list[str]) -> list[list[str]]:
    """Two days of hours from *begin*, midnight, with a fault that lasts: the jobs that each made or counted."""
    from codex_ops._collecting import Look, collect
    from codex_ops._options import Options

    options = {"rules": [{"path": "/srv/cache/night", "older_than": "7d"}], "warning": "1M"}
    found = []
    for hour in range(48):
        result = collect(Options(prefix="/"), Look("cleanup", options, enqueue=True, now=begin + hour * HOUR))
        found.append([job["id"] for job in result["jobs"]])
        if result["signal"]["status"] != "warning" or result["failed"]:
            said.append(f"{hour}: {result['msg']}")
    return found


def as_codex_ops(work: t.Callable[[float, list[str]], t.Any], begin: float) -> tuple[t.Any, list[str]]:
    """What *work* returns and says in a process of codex-ops' own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said: list[str] = []
        found = None
        try:
            ops = pwd.getpwnam("codex-ops")
            os.chdir("/")
            os.setgroups([grp.getgrnam("systemd-journal").gr_gid])
            os.setresgid(ops.pw_gid, ops.pw_gid, ops.pw_gid)
            os.setresuid(ops.pw_uid, ops.pw_uid, ops.pw_uid)
            sys.path.insert(0, os.path.realpath("/opt/codex-ops/current"))
            found = work(begin, said)
        except BaseException as error:
            said.append(repr(error))
        with os.fdopen(writing, "w", encoding="utf-8") as stream:
            json.dump([found, said], stream)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        found, said = json.load(stream)
    os.waitpid(child, 0)
    return found, said


def spent() -> dict[str, t.Any]:
    """All that a request would leave behind: tokens and runs that are counted, folders of runs, records, and what the provider saw."""
    from driver import codex_ops

    budget = codex_ops("status")["budget"]
    with open("/var/log/codex-ops/audit.jsonl", "rb") as stream:
        records = sum(1 for _line in stream)
    runs = sum(name[:2] == "20" for name in os.listdir("/var/lib/codex-ops/runs"))
    asked = pathlib.Path("/srv/world/asked").read_bytes().count(b"\n")
    return {"tokens": budget["tokens_today"], "runs": budget["runs_last_hour"], "folders": runs, "records": records, "asked": asked}


def main() -> None:
    """A healthy day, two with a fault that nobody works on, and then that the counters count."""
    import faults
    from driver import COMMAND, begin, codex_ops, end, hold, jobs, tick
    from world import as_codex_ops as run_as
    from world import write

    begin()
    began, before = time.monotonic(), spent()
    counts, said = as_codex_ops(ticks, time.time())
    hold(not said, "a healthy host is ok all day", said[:5])
    hold(counts and counts["looks"] > 400 and counts["runs"] == 0 and counts["changed"] == 0, "a healthy day makes no job and no run", counts)
    hold(spent() == before, "a healthy day asks no model: tokens, runs, records and the provider's own count stay", (before, spent()))
    print(f"a healthy day, {counts}: {time.monotonic() - began:.1f} s")

    # What lasts is one job, when the night is over, and asks nobody while nobody works on it.
    write("/srv/cache/night/old", os.urandom(2 << 20))
    midnight = (time.time() // 86400 + 1) * 86400
    os.utime("/srv/cache/night/old", (0, midnight - 8 * 86400))
    hours, said = as_codex_ops(nights, midnight)
    hold(not said, "a fault that lasts is seen at every look", said[:5])
    hold(hours and not any(hours[:6]), "quiet hours make no job", hours)
    hold(hours and len({job for hour in hours for job in hour}) == 1 and hours[6], "the hour after the quiet ones makes one job, and two days no other", hours)
    hold(spent()["asked"] == before["asked"], "a job that nobody works on asks no model", spent())
    begin()

    # The provider's count is one that counts: a fault, and a worker without a cassette.
    fault = faults.FAULTS["cleanup"]
    fault.plant()
    tick("cleanup")
    opened = jobs(fault.slice)
    hold(len(opened) == 1, "a fault of the evening is one job", len(opened))
    run_as(COMMAND, "run", "--next", check=False)
    after = spent()
    hold(after["asked"] > 0 and after["records"] > before["records"], "the first fault does reach the provider, so that its count is one", after)
    for job in opened:
        codex_ops("inbox", "cancel", job["id"], "--reason", "the day is over")
    fault.repair()
    end()


if __name__ == "__main__":
    main()
