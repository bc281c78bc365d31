# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Killed between any two system calls, a delivery loses no ticket and no alert, and sends none again under another ID."""

from __future__ import annotations

import json
import os
import pathlib
import resource
import signal
import sys
import typing as t

from ansible_collections.day2.codex.plugins.module_utils import _delivering as delivering
from ansible_collections.day2.codex.plugins.module_utils._options import Options

from .delivery_host import Host

#: Jobs, alerts of an hour, and places at which a delivery is killed.
JOBS, PER_HOUR, PLACES = 4, 2, 40


def _count(count: int) -> list[int]:
    """From now on count the system calls of this thread, and end it right before number *count*."""
    calls = [0]

    def profile(_frame: t.Any, event: str, function: t.Any) -> None:
        if event == "c_call" and getattr(function, "__module__", "") in ("posix", "fcntl"):
            calls[0] += 1
            if calls[0] == count:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(profile)
    return calls


def _in_child(host: Host, kill_at: int) -> tuple[bool, int]:
    """Deliver in a child that is killed before its system call *kill_at*: whether it came to its end, and how many calls it made then."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            calls = _count(kill_at)
            delivering.deliver(Options(prefix=str(host.prefix)), clock=lambda: host.now)
            sys.setprofile(None)
            os.write(writing, str(calls[0]).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    said = os.read(reading, 20)
    os.close(reading)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status == 0, int(said or b"0")


def _host(folder: pathlib.Path, number: int) -> Host:
    (folder / str(number)).mkdir()
    host = Host(folder / str(number))
    # A shell starts faster than Python, and one write is one line.
    host.command = host.program(f"#!/bin/sh\nread -r line\nprintf '%s\\n' \"$line\" >> {host.out}\n", "quick")
    host.alerts(per_hour=PER_HOUR)
    for job in range(JOBS):
        host.job(key=f"job-{job}")
    return host


def _told(host: Host) -> dict[str, set[str]]:
    """By the ID of each message, the tickets that it told of. One that was sent twice said the same twice."""
    found: dict[str, set[str]] = {}
    for line in host.out.read_text("utf-8").splitlines() if host.out.exists() else []:
        message = json.loads(line)
        tickets = [message["data"]] if message["type"] == "ticket.open" else message["data"]["tickets"]
        told = {one["id"] for one in tickets}
        assert found.setdefault(message["webhook-id"], told) == told
    return found


def test_a_kill_between_any_two_system_calls_loses_nothing(tmp_path: pathlib.Path) -> None:
    whole = _host(tmp_path, 0)
    finished, calls = _in_child(whole, 0)
    assert finished and calls > 200
    killed = 0
    for number, place in enumerate(sorted({1 + round(step * (calls - 1) / (PLACES - 1)) for step in range(PLACES)}), 1):
        host = _host(tmp_path, number)
        finished, _calls = _in_child(host, place)
        killed += not finished
        for _time in range(2):
            done = host.deliver()
            assert all("died had left" in text for text in done["warnings"]), done
            host.now += 3601
        tickets = host.tickets()
        assert len(tickets) == JOBS and {one["state"] for one in tickets} == {"open"}, place
        told = _told(host)
        assert set().union(*told.values()) == {one["id"] for one in tickets}, place
        # No ticket is told of under two IDs, one of a summary aside that was being made.
        assert sum(len(ids) for ids in told.values()) == JOBS, place
        assert not [name for name in os.listdir(host.places.outbox) if name.endswith(".message")], place
        assert host.deliver()["run_id"] is None, place
    # The kills did hit deliveries at work; how many calls one makes depends on how long it waits.
    assert killed > PLACES * 0.6


def test_what_was_sent_and_not_remembered_is_sent_again_under_the_same_id(tmp_path: pathlib.Path) -> None:
    host = _host(tmp_path, 0)
    mark = host.folder / "killed"
    killer = f"#!/bin/sh\nread -r line\nprintf '%s\\n' \"$line\" >> {host.out}\n[ -e {mark} ] || {{ touch {mark}; kill -9 $PPID; }}\n"
    host.command = host.program(killer, "killer")
    host.alerts(per_hour=100)
    finished, _calls = _in_child(host, 0)
    assert not finished and len(host.out.read_text("utf-8").splitlines()) == 1
    assert host.deliver()["alerts"]["sent"] == JOBS
    assert len(host.out.read_text("utf-8").splitlines()) == JOBS + 1
    told = _told(host)
    assert len(told) == JOBS and set().union(*told.values()) == {one["id"] for one in host.tickets()}


def test_a_full_disk_is_a_warning_and_nothing_is_lost(tmp_path: pathlib.Path) -> None:
    host = _host(tmp_path, 0)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
            done = delivering.told(Options(prefix=str(host.prefix)), {"msg": "x", "outcome": "applied"}, None)
            status = 0 if done["outcome"] == "applied" and done["warnings"] else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    host.deliver()
    assert len(host.tickets()) == JOBS
