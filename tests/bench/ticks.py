# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints what a thousand ticks of five minutes ask of a model on a healthy, a flapping and a broken host. Nothing here passes or fails."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import statistics
import time
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._agent.cassette import load
from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox
from ansible_collections.day2.codex.plugins.module_utils._operation import operate
from ansible_collections.day2.codex.plugins.module_utils._options import Options, Order
from ansible_collections.day2.codex.plugins.module_utils._places import Places
from ansible_collections.day2.codex.plugins.module_utils._ruling import Seen, hand_over
from ansible_collections.day2.codex.plugins.plugin_utils._runbooks import runbook

TICKS, SECONDS = 1000, 300.0
#: The worker comes every third tick.
WORKER = 3
NAME = "disk-report"
RUNBOOK = pathlib.Path(__file__).resolve().parents[2] / "roles/runbooks/files" / NAME
FOUND = {"id": "space:/srv", "severity": "WARNING", "resource": "/srv", "observed": "91.0 % used"}


def _signal(bad: bool) -> dict[str, t.Any]:
    return {
        "signal": "disk", "host": "web1", "collected_at": "2026-01-15T03:15:00Z", "status": "warning" if bad else "ok", "summary": "",
        "findings": [FOUND] if bad else [], "metrics": {}, "thresholds": {}, "truncated": False,
    }  # fmt: skip


def _one_run(prefix: pathlib.Path) -> int:
    """The tokens of one run of the runbook: what its cassette says, asked for by the real Codex CLI."""
    document = json.loads(base64.b64decode(runbook(str(RUNBOOK))["slice"]["content_b64"]))
    document["workspace"] = str(prefix.parent / "workspace")
    tape = load((RUNBOOK / "cassette.json").read_text("utf-8"), NAME)
    options = Options(prefix=str(prefix), codex_path=os.environ["DAY2_CODEX_CLI"], cassette=tape, cassette_mode="replay", rerun="always")
    return int(operate(options, Order(document=document, inputs={"signal": _signal(True)}))["usage"]["total_tokens"])


def _host(prefix: pathlib.Path) -> Places:
    slices = prefix / "etc/codex-ops/slices.d"
    slices.mkdir(parents=True)
    (slices / f"{NAME}.json").write_text("{}", "utf-8")
    for name, content in (("rules", {"version": 1, "rules": [{"name": "disks", "signal": "disk", "slice": NAME}]}), ("policy", {"version": 1})):
        path = slices.parent / f"{name}.json"
        path.write_text(json.dumps(content), "utf-8")
        path.chmod(0o644)
    return Places(str(prefix))


def tokens_of_a_thousand_ticks(folder: pathlib.Path) -> None:
    """Looks every five minutes, a worker every fifteen, for three and a half days by a clock of their own."""
    (folder / "workspace").mkdir()
    _host(folder / "once")
    tokens = _one_run(folder / "once")
    for name, bad in (("healthy", lambda tick: False), ("flapping", lambda tick: tick % 2 == 0), ("broken", lambda tick: True)):
        places = _host(folder / name)
        inbox, now, asked, jobs, took = Inbox(places.inbox), time.time(), 0, 0, []
        for tick in range(TICKS):
            began = time.perf_counter()
            jobs += hand_over(Options(prefix=places.given), Seen(_signal(bad(tick)), "look", now))["changed"] and bad(tick)
            took.append(time.perf_counter() - began)
            if tick % WORKER == WORKER - 1:
                job = inbox.claim("bench", now=now)
                if job is not None:
                    asked += 1
                    inbox.finish(job.id, "bench", None, "unchanged", run_id=f"run-{tick}", now=now)
            now += SECONDS
        inbox.close()
        middle = statistics.median(took) * 1000
        print(f"{f'tokens of {TICKS} ticks on a {name} host':<66} {asked * tokens:9}    {jobs:4} jobs, {asked} worked on, {middle:.1f} ms a tick", flush=True)
