# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the clock's tick to what is applied: plants a fault, and watches. Nothing here starts a look or a run, or touches a job.

The model's side is a cassette at one place, which is changed together with the fault.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import world
from driver import begin, codex_ops, end, hold, jobs, until

TAPE = pathlib.Path("/srv/world/tape.json")
RUNBOOKS = {"certificates": "certificate-renewal", "drift": "inbox-config"}
CONFIG = pathlib.Path("/srv/inbox/config/inbox.yml")
GOOD, WRONG = "sender: noreply@inbox.example.com\n", "sender: norply@inbox.example.com\n"


def valid() -> bool:
    """Whether Inbox's certificate holds for 30 days."""
    argv = ["openssl", "x509", "-noout", "-checkend", "2592000", "-in", str(world.INBOX_TLS / "inbox.crt")]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


def plant(name: str) -> None:
    """The fault, and what the model says of it."""
    shutil.copyfile(f"/srv/rehearsal/{RUNBOOKS[name]}/cassette.json", TAPE)
    os.chmod(TAPE, 0o644)
    if name == "certificates":
        begin()
        world.baseline()
        world.certificate(world.INBOX_TLS / "inbox.crt", 2.4)
    else:
        world.write(CONFIG, WRONG)


def planned(name: str) -> str:
    """The plan that waits for a person."""
    slice_ = RUNBOOKS[name]
    found = until(f"a tick makes a plan of {name} that waits for a person", lambda: jobs(slice_, ["awaiting_approval"]), 240)
    if not found:
        hold(False, f"what became of {name}", [(job["state"], job["msg"]) for job in codex_ops("inbox", "list", "--slice", slice_)["jobs"]])
        end()
    job = found[0]
    hold(len(codex_ops("inbox", "list", "--slice", slice_)["jobs"]) == 1, f"all ticks together make one job of {name}", len(found))
    hold(job["approvals_needed"] == 1 and job["run_ids"], f"the plan of {name} wants one person", job)
    hold(not valid() if name == "certificates" else CONFIG.read_text("utf-8") == WRONG, f"nothing of {name} is changed before somebody signs")
    return str(job["plan"])


def applied(name: str, plan: str) -> None:
    """That the clock applied exactly what was signed."""
    slice_ = RUNBOOKS[name]
    found = until(f"a tick applies what was signed for {name}", lambda: jobs(slice_, ["applied"]), 240)
    if not found:
        hold(False, f"what became of {name}", [(job["state"], job["msg"]) for job in codex_ops("inbox", "list", "--slice", slice_)["jobs"]])
        end()
    job = codex_ops("inbox", "show", found[0]["id"])["job"]
    hold(job["plan"] == plan, f"it is the plan of {name} that was signed", (job["plan"], plan))
    by = {entry["by"].split()[0].split(":")[-1] for entry in job["history"]}
    hold(by == {"codex-ops"}, f"nobody touched the job of {name} by hand", sorted(by))
    records = codex_ops("audit", "show", "--slice", slice_, "--limit", "100")["records"]
    ended = [record for record in records if record["phase"] == "outcome"]
    outcomes = {record["result"]["outcome"]: record for record in ended if record["command"]["operation"] == "slice"}
    people = [record["user"]["name"] for record in ended if record["command"]["operation"] not in ("slice", "job", "approval")]
    hold(not people, f"nobody does anything for {name} but look, work, and sign", people)
    hold({"awaiting_approval", "applied"} <= set(outcomes), f"the trail knows plan and apply of {name}", sorted(outcomes))
    if {"awaiting_approval", "applied"} <= set(outcomes):
        waited, done = outcomes["awaiting_approval"], outcomes["applied"]
        who = (waited["user"]["name"], waited["result"]["isolation"])
        hold(who == ("codex-ops", "codex_agent"), f"codex-agent planned {name} for codex-ops", who)
        hold(done["usage"]["requests"] == 0, f"applying {name} asks no model", done["usage"])
        hold("second" in json.dumps(done["approval"]), f"the trail names who approved {name}", done["approval"])
        hold(done["diff"]["sha256"] == waited["diff"]["sha256"], f"what was applied of {name} is what was planned", done["diff"])
    hold(valid() if name == "certificates" else CONFIG.read_text("utf-8") == GOOD, f"the live host is right after {name}")
    look: dict[str, t.Any] = codex_ops("collect", name, "--options", f"/srv/looks/{name}.json")
    hold(look["signal"]["status"] == "ok", f"the next look of {name} finds nothing", look["msg"])


def main(action: str, name: str, plan: str = "") -> None:
    """``planned NAME`` prints the plan; ``applied NAME PLAN`` judges."""
    if action == "plant":
        plant(name)
    elif action == "planned":
        found = planned(name)
        if name == "certificates":
            # The next trouble comes while somebody still thinks about the first.
            plant("drift")
        print(found)
    else:
        applied(name, plan)
        hold(codex_ops("audit", "verify")["outcome"] == "completed", "the chain of the trail holds")
    end()


if __name__ == "__main__":
    main(*sys.argv[1:])
