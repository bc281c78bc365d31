# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What should run is known to run, and what does not is found."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._signals import processes

from .conftest import HIDDEN

HOUR = 3600


@pytest.fixture
def worker(tmp_path: pathlib.Path) -> t.Iterator[str]:
    """A real process with a name of its own."""
    name = f"worker-{os.getpid()}"
    script = tmp_path / name
    script.write_text("import sys; sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()", "utf-8")
    child = subprocess.Popen([sys.executable, str(script), "--queue", "mail"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.read(1) == b"x"
    yield name
    child.kill()
    child.communicate()


def test_a_process_that_should_run_does_or_not(look: t.Any, worker: str) -> None:
    assert look("services", processes=[{"name": worker}]).status == "ok"
    assert look("services", processes=[{"name": worker, "argument": "mail", "max": 1}]).status == "ok"
    assert look("services", processes=[{"name": worker, "argument": "other"}]).severities == {f"process:{worker} other": "CRITICAL"}
    assert look("services", processes=[{"name": worker, "min": 2}]).severities == {f"process:{worker}": "CRITICAL"}
    assert look("services", processes=[{"name": worker, "min": 0, "max": 0}]).severities == {f"process:{worker}": "WARNING"}


def _units(*units: dict[str, str]) -> str:
    blocks = ["\n".join(f"{name}={value}" for name, value in {"Id": "x.service", "LoadState": "loaded", **unit}.items()) for unit in units]
    return "cat <<'END'\n" + "\n\n".join(blocks) + "\nEND\n"


ACTIVE = {"ActiveState": "active", "SubState": "running", "NRestarts": "0"}


def test_units_are_judged_by_their_state(look_with: t.Any) -> None:
    look_with.tool(
        "systemctl",
        'case "$*" in *"*.service"*) exit 0;; esac\n'
        + _units(
            {"Id": "good.service", **ACTIVE},
            {"Id": "failed.service", "ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "ExecMainStatus": "1"},
            {"Id": "gone.service", "LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead"},
            {"Id": "slow.service", "ActiveState": "activating", "SubState": "start"},
            {"Id": "loop.service", "ActiveState": "activating", "SubState": "auto-restart"},
        ),
    )
    looked = look_with("services", units=["good", "failed", "gone.service", "slow", "loop"])
    assert looked.severities == {
        "unit:failed.service": "CRITICAL", "unit:gone.service": "CRITICAL", "unit:loop.service": "CRITICAL", "unit:slow.service": "WARNING",
    }  # fmt: skip
    assert looked.found["unit:gone.service"]["observed"] == "there is no such unit"
    assert "exit status 1" in looked.found["unit:failed.service"]["detail"]


def test_a_loop_of_restarts_is_known_by_what_was_remembered(look_with: t.Any) -> None:
    look_with.now = 1_800_000_000.0

    def at(count: int) -> t.Any:
        look_with.now += 600
        look_with.tool("systemctl", _units({"Id": "inbox.service", **ACTIVE, "NRestarts": str(count)}))
        looked = look_with("services")
        look_with.memory = looked.report.memory
        return looked

    # Nobody knows when the first five were.
    assert at(5).status == "ok"
    assert at(5).status == "ok"
    assert at(7).status == "ok"
    assert at(8).severities == {"restarts:inbox.service": "WARNING"}
    assert at(30).severities == {"restarts:inbox.service": "CRITICAL"}
    # An hour later, they are history.
    look_with.now += HOUR
    assert at(30).status == "ok"
    # Started by hand, and the counter begins anew.
    assert at(0).status == "ok"
    assert at(4).severities == {"restarts:inbox.service": "WARNING"}


def test_a_unit_that_waits_for_its_next_start_is_found_at_once(look_with: t.Any) -> None:
    look_with.tool("systemctl", _units({"Id": "inbox.service", "ActiveState": "activating", "SubState": "auto-restart", "NRestarts": "1"}))
    assert look_with("services").severities == {"restarts:inbox.service": "WARNING"}


def test_a_host_without_systemd_is_unknown_with_the_reason(look_with: t.Any) -> None:
    looked = look_with("services", units=["inbox"])
    assert looked.status == "unknown" and "systemctl is not installed." in looked.signal["summary"]
    look_with.tool("systemctl", "echo Failed to connect to bus: Host is down >&2; exit 1")
    assert "Host is down" in look_with("services", units=["inbox"]).signal["summary"]


def test_a_hanging_systemctl_is_ended_with_all_that_it_started(look_with: t.Any, tmp_path: pathlib.Path) -> None:
    look_with.seconds = 1
    look_with.tool("systemctl", f"trap '' TERM\nsleep 3071 & echo $! > {tmp_path}/child\nwait\n")
    looked = look_with("services", units=["inbox"])
    assert looked.status == "unknown" and "did not end within 1 s" in looked.signal["summary"]
    left = processes.one(int((tmp_path / "child").read_text()), processes.uptime(), 100)
    assert left is None or left.state == "Z"


@pytest.mark.parametrize("name", ["-H", "a b", "*", "x\ny"])
def test_a_name_that_is_none_is_an_error(look: t.Any, name: str) -> None:
    with pytest.raises(CodexOpsError, match=r"options.units\[0\]"):
        look("services", units=[name])


def test_hostile_names_of_units_and_processes_stay_text(look_with: t.Any, tmp_path: pathlib.Path) -> None:
    look_with.tool("systemctl", _units({"Id": HIDDEN, "ActiveState": "activating", "SubState": "auto-restart"}))
    assert look_with("services").status == "warning"
