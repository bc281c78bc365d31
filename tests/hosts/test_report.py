# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On a provisioned host, root's report page shows what codex-ops has waiting, and making it changes nothing."""

from __future__ import annotations

import json
import typing as t

from .host import FILES, FIX, PYTHON, SLICE, WORKSPACE, Host, cassette


def _report(host: Host) -> dict[str, t.Any]:
    settings = ("ANSIBLE_COLLECTIONS_PATH=/checkout/.cache/collections", "ANSIBLE_HOME=/root/ansible", "LC_ALL=C.UTF-8", "ANSIBLE_LOCALHOST_WARNING=false")
    words = ("-m", "ansible", "playbook", "-i", "localhost,", "-c", "local", "day2.codex.report", "-e", "report_path=/root/report.html")
    # Root already: there is nobody to become.
    done = host.run("env", *settings, "/checkout/.venv/bin/python", *words, "-e", f"ansible_python_interpreter={PYTHON}", "-e", "report_become=false")
    assert b"failed=0" in done.out and b"ignored=0" in done.out, done.text
    assert host.must("stat", "-c", "%U %a", "/root/report.html") == "root 640\n"
    return t.cast("dict[str, t.Any]", json.loads(host.read("/root/report.json")))


def test_root_sees_what_waits_at_codex_ops_and_leaves_no_trace(host: Host) -> None:
    for path, text in FILES.items():
        host.write(f"{WORKSPACE}/{path}", text)
    assert host.drive("job", "root", slice=SLICE)["changed"]
    waiting = host.drive("work", "codex-ops", cassette=cassette((FIX,), '{"status": "changed"}'))
    assert waiting["outcome"] == "awaiting_approval", waiting
    log, runs = host.read("/var/log/codex-ops/audit.jsonl"), host.must("find", "/var/lib/codex-ops/runs")
    found = _report(host)
    assert (host.read("/var/log/codex-ops/audit.jsonl"), host.must("find", "/var/lib/codex-ops/runs")) == (log, runs)
    plan = {one["id"]: one for one in found["approvals"]}[waiting["plan"]["id"]]
    assert (plan["sha256"], plan["slice"], plan["job"]) == (waiting["plan"]["sha256"], SLICE["name"], waiting["job"]["id"])
    one = found["hosts"][0]
    assert not one["problem"] and one["log"]["verified"] is True and one["jobs"]["awaiting_approval"] == 1 and one["kill_switch"] is None
    assert [cell["status"] for cell in one["cells"] if cell["runbook"] == SLICE["name"]] == ["waits"]
    host.write("/etc/codex-ops/disabled", "Incident 4711")
    try:
        engaged = _report(host)["hosts"][0]["kill_switch"]
        assert (engaged["path"], engaged["reason"]) == ("/etc/codex-ops/disabled", "Incident 4711")
    finally:
        host.must("rm", "/etc/codex-ops/disabled")
