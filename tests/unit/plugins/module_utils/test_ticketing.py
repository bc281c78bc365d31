# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a ticket is opened for and resolved by is what the inbox says, and one that goes wrong keeps no other one back."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils import _delivering as delivering
from ansible_collections.day2.codex.plugins.module_utils import _ticketing as ticketing
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox
from ansible_collections.day2.codex.plugins.module_utils._options import Options

from .delivery_host import Host

DAYS = 3 * 86400


def _damage(host: Host) -> t.Callable[[], None]:
    """Let the database be damaged where it keeps what is large. Returns what mends it."""
    host.inbox.close()
    path = pathlib.Path(host.places.inbox)
    sound = path.read_bytes()
    # A page that goes on with a value, and says which one follows.
    page = next(place for place in range(0, len(sound), 4096) if set(sound[place + 4 : place + 4096]) == {ord("x")})
    path.write_bytes(sound[:page] + b"\xff" * 4 + sound[page + 4 :])

    def mend() -> None:
        path.write_bytes(sound)

    return mend


def test_a_job_that_cannot_be_looked_at_keeps_its_ticket_open(host: Host) -> None:
    job = host.job(key="a", signal={"signal": "disk", "text": "x" * 50000})
    host.deliver()
    host.now += DAYS
    host.job("unchanged", key="b")
    host.deliver()
    host.now += 3600
    mend = _damage(host)
    with pytest.raises(CodexOpsError) as caught:
        Inbox(host.places.inbox).get(job)
    assert caught.value.code == "inbox_damaged"
    result = host.deliver()
    assert host.ticket()["state"] == "open"
    assert f"The job {job} could not be looked at." in result["warnings"][0]
    mend()
    assert host.deliver()["warnings"] == [] and host.ticket()["state"] == "open"


def test_where_a_later_job_went_well_nothing_is_opened_however_late_one_looks(host: Host) -> None:
    host.job(key="same")
    host.now += 600
    host.job("unchanged", key="same")
    host.now += 600
    for _time in range(3):
        assert host.deliver()["run_id"] is None
        host.now += 3600
    assert host.tickets() == []


def test_of_several_jobs_the_last_that_says_something_counts(host: Host) -> None:
    for outcome, code in (("unchanged", None), ("agent_error", None), ("rejected", "approval_rejected")):
        host.job(outcome, key="same", code=code)
        host.now += 10
    host.deliver()
    assert (host.ticket()["state"], host.ticket()["status"]) == ("open", "failed")


def test_one_ticket_that_cannot_be_written_keeps_no_other_one_back(host: Host) -> None:
    host.alerts()
    job = host.job(key="a")
    host.now += 1
    host.job(key="b")
    path = pathlib.Path(ticketing.path_of(host.places, job))
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.mkdir()
    result = host.deliver()
    assert [one["key"] for one in host.tickets()] == ["b"] and result["alerts"]["sent"] == 1
    assert f"The ticket of {job} could not be written." in result["warnings"][0]
    # However far the inbox was looked at meanwhile, it is due still.
    host.now += DAYS
    host.job("unchanged", key="c")
    host.deliver()
    path.rmdir()
    host.now += DAYS
    assert host.deliver()["warnings"] == []
    assert sorted(one["key"] for one in host.tickets()) == ["a", "b"]


def test_however_many_wait_for_an_approval_each_gets_its_ticket(host: Host) -> None:
    for number in range(ticketing._AWAITING + 3):
        host.job("awaiting_approval", key=str(number))
    host.now += DAYS
    host.deliver()
    assert len(host.tickets()) == ticketing._AWAITING + 3


def test_what_a_killed_process_left_is_removed_when_it_is_old(host: Host) -> None:
    host.job(key="a")
    host.deliver()
    old, new = (pathlib.Path(host.places.outbox) / f"branch-{name}" for name in ("old", "new"))
    for folder in (old, new):
        (folder / "git").mkdir(parents=True)
    os.utime(old, (1, 1))
    host.job(key="b")
    host.deliver()
    assert not old.exists() and new.exists()


def test_a_wrong_file_and_an_open_ticket_are_no_record_each_time(host: Host) -> None:
    host.job(key="a")
    host.wants(nonsense=1)
    assert host.deliver()["run_id"] is not None
    for _time in range(3):
        host.now += 300
        result = host.deliver()
        assert result["run_id"] is None and result["code"] == "delivery_invalid"
    assert len(host.records()) == 2


def test_an_alert_that_is_turned_on_later_tells_of_what_is_open_and_of_nothing_that_was_closed(host: Host) -> None:
    closed = host.job(key="a")
    job = host.job(key="b")
    host.deliver()
    delivering.close(Options(prefix=str(host.prefix)), closed, "done")
    host.now += DAYS
    host.alerts()
    assert host.deliver()["alerts"]["sent"] == 1
    assert [message["data"]["id"] for message in host.given()] == [job]
    host.deliver(closed)
    assert {one["id"]: one["state"] for one in host.tickets()} == {closed: "resolved", job: "open"}


def test_what_was_remembered_and_is_damaged_is_told_by_the_tickets_and_put_aside(host: Host) -> None:
    host.alerts()
    job = host.job(key="a")
    host.job(key="b")
    host.deliver()
    delivering.close(Options(prefix=str(host.prefix)), job, "fine")
    host.deliver()
    told = len(host.given())
    state = pathlib.Path(host.places.outbox) / "state.json"
    state.write_text("{")
    host.now += DAYS
    result = host.deliver()
    assert "state.json was damaged" in result["warnings"][0] and state.with_name("state.json.damaged").exists()
    assert {one["key"]: one["state"] for one in host.tickets()} == {"a": "resolved", "b": "open"}
    assert set(json.loads(state.read_text())["tickets"]) == {"a", "b"}
    # It was told of before, under the same ID.
    assert len(host.given()) == told
