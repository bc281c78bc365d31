# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""kill -9 of the engine at any moment of an apply: the next run finds all-old or all-new, and puts right what is neither."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.day2.codex.plugins.module_utils._operation import operate
from ansible_collections.day2.codex.plugins.module_utils._options import Order

from .conftest import CORRECT, FILES, Application

#: Two hundred moments, in parts that can run side by side.
PARTS, ROUNDS = 4, 51
NO_ANSWER = {"version": 1, "exchanges": [{"response": {"status": 500, "body": ""}}]}
APPLY = """
import sys
sys.path[:0] = {path!r}
from ansible_collections.day2.codex.plugins.module_utils._operation import operate
from ansible_collections.day2.codex.plugins.module_utils._options import Options, Order
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
result = operate(Options(prefix={prefix!r}, codex_path={codex!r}), Order(plan={plan!r}))
sys.stdout.write(result["outcome"] + "\\n")
sys.stdout.flush()
"""


def _apply_in_a_process(application: Application, plan: str) -> subprocess.Popen[str]:
    """An engine of its own that is ready to apply *plan*, and does so when it is sent a line."""
    script = APPLY.format(path=[path for path in sys.path if path], prefix=application.prefix, codex=os.environ["DAY2_CODEX_CLI"], plan=plan)
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _reset(application: Application) -> None:
    for path, text in FILES.items():
        with open(os.path.join(application.folder, path), "w", encoding="utf-8") as handle:
            handle.write(text)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_killed_engine_leaves_all_old_or_all_new_after_the_next_run(application: Application, part: int) -> None:
    del part
    application.slice["validation"]["must_hold"].append({"name": "a little later", "argv": ["/usr/bin/sleep", "0.03"]})
    old = application.picture()
    new = None
    seen = {"old": 0, "new": 0, "recovered": 0}
    length = 0.3
    for number in range(ROUNDS):
        planned = application.run(CORRECT, state="planned")
        assert planned["outcome"] == "planned", (number, planned["msg"])
        process = _apply_in_a_process(application, planned["plan"]["id"])
        began = time.monotonic()
        _go(process)
        if number == 0:
            out, _err = process.communicate(timeout=60)
            assert out == "applied\n"
            length = time.monotonic() - began
            new = application.picture()
        else:
            delay = random.uniform(0, length)
            while time.monotonic() - began < delay and process.poll() is None:
                time.sleep(0.0005)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
        # Whatever the next run is, it recovers first. A slice whose goal is tested in check mode would only report it.
        silent = application.options(cassette=NO_ANSWER, cassette_mode="replay")
        after = operate(silent, Order(document=application.slice))
        seen["recovered"] += any("was interrupted" in warning for warning in after.get("warnings", []))
        picture = application.picture()
        assert picture in (old, new), f"round {number}: the tree is mixed"
        seen["new" if picture == new else "old"] += 1
        _reset(application)
        assert application.picture() == old
    # The kills really hit the apply: both ends were seen, and at least one run had something to put back.
    assert all(seen.values()), seen


def test_a_killed_engine_shows_as_an_intent_without_an_outcome(application: Application) -> None:
    application.slice["validation"]["must_hold"].append({"name": "wait", "argv": ["/usr/bin/sleep", "20"], "timeout": 30})
    plan = {**application.slice, "validation": {}}
    application.slice = plan
    planned = application.run(CORRECT, state="planned")
    log = os.path.join(application.prefix, "var/log/codex-ops/audit.jsonl")
    with open(log, encoding="ascii") as handle:
        known = len(handle.readlines())
    process = _apply_in_a_process(application, planned["plan"]["id"])
    _go(process)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with open(log, encoding="ascii") as handle:
            if len(handle.readlines()) > known + 1:
                break
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    with open(log, encoding="ascii") as handle:
        records = [json.loads(line) for line in handle]
    # The first says that it began, the second which plan is about to be written.
    assert [record["phase"] for record in records[known : known + 2]] == ["intent", "intent"]
    assert records[known + 1]["input"]["plan_sha256"] == planned["plan"]["sha256"]
