# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No message keeps another one from being sent, the worst goes first, and what was sent is not sent again where nothing can be remembered."""

from __future__ import annotations

import json
import os
import pathlib
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils import _delivering as delivering
from ansible_collections.day2.codex.plugins.module_utils._delivery import files, journal, outbox, sending
from ansible_collections.day2.codex.plugins.module_utils._delivery.hook import Unreached
from ansible_collections.day2.codex.plugins.module_utils._delivery.settings import load
from ansible_collections.day2.codex.plugins.module_utils._delivery.state import Sending
from ansible_collections.day2.codex.plugins.module_utils._options import Options

from ..delivery_host import Host

HOUR = 3601


class Hook:
    """A receiver that says what it takes."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.took: list[dict[str, t.Any]] = []
        self.calls: list[tuple[str, float]] = []
        #: Why a message is refused.
        self.refuses: t.Callable[[dict[str, t.Any]], str | None] = lambda message: None
        self.wants(per_hour=100)

    def call(self, name: str, body: bytes) -> str | None:
        self.calls.append((name, self.host.now))
        message = json.loads(body)
        why = self.refuses(message)
        if why is None:
            self.took.append(message)
        return why

    def wants(self, **more: t.Any) -> None:
        self.host.wants(alert={"command": [self.host.command], **more})

    def send(self) -> sending.Sent:
        """Write tickets, and send what there is to send."""
        self.host.deliver(sending=False)
        alert = load(self.host.places.delivery, self.host.places.owners, self.host.places.alert_key).alert
        assert alert is not None
        return sending.send(self.host.places.outbox, "host", alert, self.call, seconds=60, clock=lambda: self.host.now)

    def types(self) -> list[str]:
        return [message["type"] for message in self.took]

    def remembered(self) -> Sending:
        return outbox.sendings(self.host.places.outbox)


@pytest.fixture(name="hook")
def _hook(host: Host) -> Hook:
    return Hook(host)


def _poison(message: dict[str, t.Any]) -> str | None:
    return "it answered with status 400" if "POISON" in json.dumps(message) else None


def _findings(severity: str) -> dict[str, t.Any]:
    return {"signal": "disk", "findings": [{"id": "a", "severity": severity, "observed": "x"}]}


def test_a_summary_that_is_refused_stops_no_alert_and_is_given_up(hook: Hook) -> None:
    host = hook.host
    hook.wants(per_hour=3)
    hook.refuses = lambda message: "it answered with status 400" if message["type"] == "tickets.held_back" else None
    for number in range(4):
        host.job(key=f"first-{number}")
    assert hook.send().held == 2
    for number in range(sending.MOST_CALLS + 8):
        host.now += HOUR
        host.job(key=f"later-{number}")
        hook.send()
        assert len(hook.took) == number + 3
    assert set(hook.types()) == {"ticket.open"}
    assert len(hook.remembered().given_up) == 1 and outbox.waiting(host.places.outbox) == []


def test_an_alert_that_is_refused_waits_by_itself_and_is_given_up_and_that_is_said(host: Host) -> None:
    picky = f"#!/bin/sh\nread -r line\ncase $line in *POISON*) exit 1;; esac\nprintf '%s\\n' \"$line\" >> {host.out}\n"
    host.command = host.program(picky, "picky")
    host.alerts(per_hour=100)
    host.job(key="bad", msg="POISON")
    warnings = []
    for number in range(sending.MOST_CALLS + 3):
        warnings += host.deliver()["warnings"]
        host.now += 60
        host.job(key=f"good-{number}")
        assert host.deliver()["alerts"]["sent"] == 1, "a good one waits for nobody"
        host.now += HOUR
    assert sum("is given up after" in text for text in warnings) == 1
    assert host.overview()["given_up"] == 1 and host.overview()["waiting"] == 0 and "1 given up: " in str(host.overview()["error"])
    # Where it happens again, it is told of again.
    host.job(key="bad", msg="It did not work.")
    assert host.deliver()["alerts"]["sent"] == 1


def test_the_hook_rests_after_two_messages_were_refused_and_each_new_one_is_tried_once(hook: Hook) -> None:
    host = hook.host
    hook.refuses = _poison
    for key in ("a", "b", "c"):
        host.job(key=key, msg=f"POISON {key}")
        host.now += 1
    hook.send()
    assert len(hook.calls) == 2 and hook.remembered().waits(host.now)
    assert hook.send().failure and len(hook.calls) == 3
    hook.send()
    assert len(hook.calls) == 3
    host.job(key="good")
    assert len(hook.send().messages) == 1 and not hook.remembered().waits(host.now)


def test_a_hook_that_cannot_be_reached_rests_and_nothing_is_given_up(hook: Hook) -> None:
    host = hook.host
    hook.refuses = lambda message: Unreached("nobody is there")
    for key in ("a", "b"):
        host.job(key=key)
    # Each is tried once, and then it is left in peace.
    for calls in (1, 2, 2, 2):
        hook.send()
        assert len(hook.calls) == calls
    for _time in range(2 * sending.MOST_CALLS):
        hook.send()
        host.now += HOUR
    assert len(outbox.waiting(host.places.outbox)) == 2 and hook.remembered().given_up == {}
    hook.refuses = lambda message: None
    assert len(hook.send().messages) == 2


def test_the_worst_goes_first_and_one_place_is_kept_for_it(hook: Hook) -> None:
    host = hook.host
    hook.wants(per_hour=3)
    for number in range(5):
        host.job(key=f"warning-{number}", signal=_findings("WARNING"))
    host.now += 1
    host.job(key="critical", signal=_findings("CRITICAL"))
    hook.send()
    assert [message["data"]["severity"] for message in hook.took] == ["CRITICAL", "WARNING"]
    host.job(key="another", signal=_findings("CRITICAL"))
    hook.send()
    assert [message["data"]["severity"] for message in hook.took] == ["CRITICAL", "WARNING", "CRITICAL"]
    host.job(key="one more", signal=_findings("CRITICAL"))
    assert hook.send().held == 1
    host.now += HOUR
    hook.send()
    assert (hook.took[-1]["type"], hook.took[-1]["data"]["severity"], hook.took[-1]["data"]["count"]) == ("tickets.held_back", "CRITICAL", 5)


def test_of_too_many_the_least_become_a_summary(hook: Hook) -> None:
    host = hook.host
    hook.refuses = lambda message: Unreached("nobody is there")
    host.job(key="critical", signal=_findings("CRITICAL"))
    for number in range(sending.MOST + 4):
        host.job(key=str(number))
    host.now += 1
    assert hook.send().held == 5
    (critical,) = [name for name in outbox.waiting(host.places.outbox) if '"CRITICAL"' in pathlib.Path(outbox.path(host.places.outbox, name)).read_text()]
    assert critical


def _unwritable(host: Host) -> pathlib.Path:
    """Let nothing be remembered by this process of what is sent, whoever it runs as."""
    path = pathlib.Path(host.places.outbox) / f".sending.json.{os.getpid()}.new"
    path.mkdir()
    return path


@pytest.mark.parametrize(("per_hour", "sent"), [(3, 2), (100, 5)])
def test_where_nothing_can_be_remembered_nothing_is_sent_twice_and_the_limit_holds(host: Host, per_hour: int, sent: int) -> None:
    host.wants(alert={"command": [host.command], "per_hour": per_hour})
    host.deliver()
    for number in range(5):
        host.job(key=str(number))
    host.deliver(sending=False)
    obstacle = _unwritable(host)
    for _time in range(6):
        result = host.deliver()
        assert result["outcome"] in ("completed", "unchanged") and "Not all could be delivered" in result["warnings"][0], result
        host.now += 60
    given = [message["webhook-id"] for message in host.given()]
    assert len(given) == len(set(given)) == sent
    obstacle.rmdir()
    host.now += HOUR
    host.deliver()
    host.now += HOUR
    host.deliver()
    # The rest by itself or, where there is room for two in an hour, with a summary.
    assert len(host.given()) == len({message["webhook-id"] for message in host.given()}) == 5
    assert outbox.waiting(host.places.outbox) == []


def test_a_refused_one_waits_longer_each_time_where_nothing_can_be_remembered(hook: Hook) -> None:
    host = hook.host
    hook.refuses = _poison
    host.job(key="a", msg="POISON")
    host.deliver(sending=False)
    _unwritable(host)
    for _time in range(40):
        hook.send()
        host.now += 30
    pauses = [later - earlier for (_a, earlier), (_b, later) in zip(hook.calls, hook.calls[1:])]
    assert pauses == [30, 60, 120, 240, 480]


def test_a_call_that_cannot_be_noted_is_not_made(host: Host) -> None:
    host.alerts()
    host.job(key="a")
    host.deliver(sending=False)
    pathlib.Path(journal.path(host.places.outbox)).mkdir()
    result = host.deliver()
    assert host.given() == [] and "Not all could be delivered" in result["warnings"][0]
    pathlib.Path(journal.path(host.places.outbox)).rmdir()
    assert host.deliver()["alerts"]["sent"] == 1


def test_who_writes_tickets_for_long_keeps_nobody_from_remembering_what_was_sent(hook: Hook) -> None:
    host = hook.host
    host.job(key="a")
    host.deliver(sending=False)
    alert = load(host.places.delivery, host.places.owners, host.places.alert_key).alert
    assert alert is not None
    with files.locked(outbox.lock(host.places.outbox), 0.0) as mine:
        assert mine
        began = time.monotonic()
        for _time in range(2):
            sending.send(host.places.outbox, "host", alert, hook.call, seconds=60, clock=lambda: host.now)
        assert time.monotonic() - began < 5
    assert len(hook.took) == 1 and len(hook.remembered().done) == 1


def test_what_is_remembered_of_what_was_sent_can_be_damaged(host: Host) -> None:
    host.alerts(per_hour=3)
    host.job(key="a")
    host.deliver()
    (pathlib.Path(host.places.outbox) / "sending.json").write_text("{")
    for number in range(3):
        host.job(key=str(number))
    result = host.deliver()
    assert any("sending.json was damaged" in text for text in result["warnings"])
    # What was called is noted elsewhere, so the limit holds.
    assert len(host.given()) == 2 and len(host.tickets()) == 4


# --- what is over ---------------------------------------------------------------------------------------------------------


def test_what_is_over_before_it_was_sent_is_not_sent_and_told_again_when_it_comes_back(hook: Hook) -> None:
    host = hook.host
    hook.refuses = lambda message: Unreached("nobody is there")
    host.job(key="same")
    hook.send()
    host.now += 60
    host.job("unchanged", key="same")
    hook.send()
    assert host.ticket()["state"] == "resolved" and outbox.waiting(host.places.outbox) == []
    hook.refuses = lambda message: None
    host.now += HOUR
    assert hook.send().messages == ()
    host.job(key="same")
    hook.send()
    assert hook.types() == ["ticket.open"]


def test_who_was_told_that_a_ticket_is_open_is_told_when_it_is_resolved(hook: Hook) -> None:
    host = hook.host
    job = host.job(key="same")
    hook.send()
    for _time in range(2):
        host.now += 60
        assert delivering.close(Options(prefix=str(host.prefix)), job, "done")["changed"]
        hook.send()
        assert hook.took[-1]["type"] == "ticket.resolved" and hook.took[-1]["data"]["id"] == job and hook.took[-1]["data"]["state"] == "resolved"
        host.now += 60
        host.job(key="same")
        hook.send()
    assert hook.types() == ["ticket.open", "ticket.resolved", "ticket.open", "ticket.resolved", "ticket.open"]
    assert len({name for name, _at in hook.calls}) == 5


def test_who_may_have_been_told_that_a_ticket_is_open_is_told_when_it_is_resolved(hook: Hook) -> None:
    host = hook.host
    job = host.job(key="same")
    host.deliver(sending=False)
    (name,) = outbox.waiting(host.places.outbox)
    # As a process leaves it that is killed while the hook runs.
    with journal.Journal(host.places.outbox) as kept:
        kept.begin(name, host.now)
    delivering.close(Options(prefix=str(host.prefix)), job, "done")
    hook.send()
    assert hook.types() == ["ticket.resolved"]


def test_that_it_is_over_is_not_told_once_it_is_open_again(hook: Hook) -> None:
    host = hook.host
    job = host.job(key="same")
    hook.send()
    delivering.close(Options(prefix=str(host.prefix)), job, "done")
    hook.refuses = lambda message: Unreached("nobody is there")
    hook.send()
    host.now += HOUR
    host.job(key="same")
    hook.refuses = lambda message: None
    hook.send()
    assert hook.types() == ["ticket.open", "ticket.open"]
