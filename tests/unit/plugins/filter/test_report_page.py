# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report page says what hosts answered, worst first; what they answer is never more than text, and no answer breaks it."""

from __future__ import annotations

import copy
import html
import html.parser
import importlib.util
import json
import pathlib
import re
import shlex
import time
import typing as t

import jsonschema
import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.filter.report_page import FilterModule
from ansible_collections.day2.codex.plugins.filter.report_since import FilterModule as SinceModule
from ansible_collections.day2.codex.plugins.plugin_utils._report_html import age, spark, tag
from ansible_collections.day2.codex.plugins.plugin_utils._report_model import RANK, STATUSES
from ansible_collections.day2.codex.plugins.plugin_utils._report_page import _short

ROOT = pathlib.Path(__file__).resolve().parents[4]
VALIDATOR = jsonschema.Draft7Validator(json.loads((ROOT / "schemas/fleet-report.schema.json").read_text("utf-8")))
make = FilterModule().filters()["report_page"]
since = SinceModule().filters()["report_since"]

_spec = importlib.util.spec_from_file_location("day2_codex_fleet", ROOT / "tests/browser/fleet.py")
assert _spec is not None and _spec.loader is not None
fleets = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(fleets)

_ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "h1", "p", "time", "dl", "div", "dt", "dd", "nav", "ul", "li", "main", "section",
    "h2", "h3", "span", "bdi", "code", "table", "caption", "thead", "tbody", "tr", "th", "td", "small", "svg", "path", "strong", "br", "footer",
}  # fmt: skip


class Elements(html.parser.HTMLParser):
    """The elements, attributes and texts of a page, and whether all are closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


def report(known: dict[str, t.Any], **more: t.Any) -> tuple[dict[str, t.Any], str]:
    """The data and the page that are made of what hosts answered. Both always have their form."""
    data, page = make(list(known), known, **{"path": "/nowhere/report.html", "now": fleets.NOW, **more})
    assert [file["path"] for file in (data, page)] == ["/nowhere/report.json", "/nowhere/report.html"]
    found = json.loads(data["content"])
    # Or Ansible would take it for a dictionary.
    assert data["content"].startswith("\n{")
    VALIDATOR.validate(found)
    return found, page["content"]


def one(**more: t.Any) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    """What one host answered, on which the runbook disk-report ran."""
    run = {"run_id": "run-1", "time": "2026-01-15T09:00:00.000000+00:00", "outcome": "completed", "code": None, "msg": "Done.", "tokens": 5}
    said = {"run_id": "run-1", "time": run["time"], "status": "ok", "summary": "Well.", "findings": {}, "worst": [], "needs_human": False}
    disk = {"slice": "disk-report", "runs": 3, "requests": 6, "tokens": 900, "outcomes": {}, "last": run, "report": said, "days": []}
    job = {"id": "job-1", "state": "applied", "slice": "disk-report", "updated": "2026-01-15T08:00:00+00:00", "code": None, "plan": None, "count": 1}
    disk["last"] = {**run, **more.get("last", {})} if more.get("last", 1) is not None else None
    disk["report"] = {**said, **more.get("report", {})} if more.get("report", 1) is not None else None
    jobs, audit = fleets.answer("web1", 1, [])
    jobs.update(jobs=[{**job, **each} for each in more.get("jobs", [more["job"]] if "job" in more else [])])
    jobs["plans"]["waiting"] = more.get("plans", [])
    audit["summary"]["slices"] = [disk] if more.get("slices", True) else []
    return jobs, audit


def cell(**more: t.Any) -> dict[str, t.Any]:
    """How disk-report stands there."""
    jobs, audit = one(**more)
    return t.cast("dict[str, t.Any]", report({"web1": {"__report_jobs": jobs, "__report_audit": audit}})[0]["hosts"][0]["cells"][0])


# --- how things stand -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, "ok"),
        ({"report": None}, "ok"),
        ({"report": {"status": "critical"}}, "critical"),
        ({"report": {"status": "CRITICAL"}}, "critical"),
        ({"report": {"status": "warning"}}, "warning"),
        ({"report": {"needs_human": True}}, "warning"),
        ({"report": {"status": "unknown"}}, "unknown"),
        ({"report": {"status": "splendid"}}, "unknown"),
        ({"report": {"status": "blocked"}}, "failed"),
        ({"report": {"status": "critical"}, "last": {"outcome": "applied"}}, "ok"),
        ({"last": {"outcome": "timeout"}}, "failed"),
        ({"last": {"outcome": "kill_switch_engaged"}}, "stopped"),
        ({"last": {"outcome": "timeout"}, "report": {"status": "critical"}}, "critical"),
        ({"last": {"outcome": "wonderful"}}, "unknown"),
        ({"job": {"state": "unchanged", "code": "resolved", "updated": "2026-01-15T09:10:00+00:00"}, "report": {"status": "critical"}}, "ok"),
        ({"job": {"state": "unchanged", "code": "resolved", "updated": "2026-01-15T08:10:00+00:00"}, "report": {"status": "critical"}}, "critical"),
        ({"jobs": [{"code": "resolved", "updated": "2026-01-15T09:10Z"}, {"state": "planned"}], "report": {"status": "critical"}}, "critical"),
        ({"job": {"state": "failed", "code": "worker_lost", "updated": "2026-01-15T09:10:00+00:00"}}, "failed"),
        ({"job": {"state": "rejected", "updated": "2026-01-15T09:10:00+00:00"}}, "failed"),
        ({"job": {"state": "rejected", "code": "approval_rejected", "updated": "2026-01-15T09:10:00+00:00"}}, "ok"),
        ({"job": {"state": "failed", "code": "worker_lost", "updated": "2026-01-15T08:10:00+00:00"}}, "ok"),
        ({"jobs": [{"state": "pending"}, {"state": "failed", "code": "worker_lost", "updated": "2026-01-15T09:10:00+00:00"}]}, "failed"),
        ({"job": {"state": "failed", "code": "worker_lost", "updated": "2026-01-15T09:10:00+00:00"}, "slices": False}, "failed"),
        ({"job": {"state": "failed", "code": "worker_lost", "updated": "2025-01-15T09:10:00+00:00"}, "slices": False}, "no run"),
        ({"jobs": [{"state": "applied"}, {"state": "pending"}], "slices": False}, "open"),
        ({"job": {"state": "pending"}, "slices": False}, "open"),
        ({"job": {"state": "applied"}, "slices": False}, "no run"),
        ({"plans": [fleets._plan("web1", "disk-report", 3)]}, "waits"),
        ({"plans": [fleets._plan("web1", "disk-report", 3)], "last": {"outcome": "timeout"}}, "failed"),
        ({"plans": [fleets._plan("web1", "disk-report", 3)], "slices": False}, "waits"),
    ],
)
def test_a_runbook_stands_as_its_newest_run_report_job_and_plan_say(facts: dict[str, t.Any], status: str) -> None:
    assert cell(**facts)["status"] == status


def test_a_job_whose_worker_was_lost_is_told_in_its_own_words() -> None:
    lost = {"state": "failed", "outcome": "agent_error", "code": "worker_lost", "msg": "The worker is gone.", "updated": "2026-01-15T09:20:00+00:00"}
    found = cell(job=lost)
    assert (found["outcome"], found["time"], found["run_id"], found["msg"]) == ("agent_error", lost["updated"], "", lost["msg"])
    # The end of a run moves its job a moment later.
    found = cell(job={**lost, "outcome": "timeout", "code": "timeout"}, last={"outcome": "timeout", "job_id": "job-1"})
    assert (found["status"], found["run_id"]) == ("failed", "run-1")


def test_plans_that_cannot_be_read_or_are_left_off_are_not_nothing() -> None:
    jobs, audit = one()
    known = {"web1": {"__report_jobs": jobs, "__report_audit": audit}}
    assert "Nothing: every host answered" in report(known)[1]
    jobs["plans"] = {"waiting": [], "left_off": 0, "unreadable": 2}
    data, page = report(known)
    assert (data["hosts"][0]["status"], data["hosts"][0]["status_of_host"]) == ("unknown", "unknown")
    assert "2 plans could not be read or judged" in page and "Nothing: every host answered" not in page
    jobs["plans"] = {"waiting": [], "left_off": 5, "unreadable": 0}
    data, page = report(known)
    assert "5 more plans may wait, not shown here" in page and "Nothing: every host answered" not in page


def test_of_many_runbooks_the_worst_are_listed_and_all_are_counted() -> None:
    known = fleets.fleet(3, [f"runbook-{number:02d}" for number in range(60)])
    for host in known.values():
        jobs, audit = host["__report_jobs"], host["__report_audit"]
        jobs["plans"]["waiting"] = []
        audit["summary"]["slices"] = [{**one()[1]["summary"]["slices"][0], "slice": f"runbook-{number:02d}", "tokens": 7} for number in range(60)]
    jobs, audit = one(report={"status": "critical"})
    known["rare"] = {"__report_jobs": jobs, "__report_audit": audit}
    data, page = report(known)
    rare = next(host for host in data["hosts"] if host["name"] == "rare")
    assert data["runbooks"][0]["name"] == "disk-report" and data["runbooks_left_off"] == 1 and rare["status"] == "critical"
    assert data["totals"]["cells"]["critical"] == 1 and data["totals"]["tokens"] == 3 * 60 * 7 + 900 == sum(host["tokens"] for host in data["hosts"])
    assert "told-0-0" in page and "1 more runbook left off here" in page
    # A host with a thousand names crowds nobody out.
    loud, summary = one()[0], copy.deepcopy(audit)
    summary["summary"]["slices"] = [{**copy.deepcopy(audit["summary"]["slices"][0]), "slice": f"loud-{number}"} for number in range(64)]
    loud["jobs"] = [{"id": f"job-{number}", "state": "pending", "slice": f"job-{number}", "updated": "2026-01-15"} for number in range(500)]
    data, _page = report({**known, "loud": {"__report_jobs": loud, "__report_audit": summary}})
    names = [book["name"] for book in data["runbooks"]]
    assert sum(name.startswith("loud-") for name in names) == 30 and "disk-report" in names and "runbook-00" in names and len(names) == 60
    assert data["totals"]["cells"]["critical"] == 65 and data["runbooks_left_off"] == 61 + 564 - 60


def test_a_log_that_was_removed_and_one_that_was_changed_are_told_on_top() -> None:
    jobs, audit = one(job={"state": "applied", "run_ids": ["run-1"]}, slices=False)
    audit.update(exists=False, verified=True, head=None, msg="There is no log.")
    known = {"web1": {"__report_jobs": jobs, "__report_audit": audit}}
    data, page = report(known)
    assert (data["hosts"][0]["status_of_host"], data["totals"]["logs_not_verified"]) == ("failed", 1)
    assert '<div class="alarm"><dt>audit logs not as written</dt><dd>1</dd></div>' in page and "it was removed" in page
    assert "1 audit log not as written." in make(list(known), known, path="/nowhere/x.html", now=fleets.NOW)[0]["says"]
    for state, runs in (("pending", ["run-1"]), ("applied", [])):
        jobs["jobs"][0].update(state=state, run_ids=runs)
        assert report(known)[0]["totals"]["logs_not_verified"] == 0


def test_runbooks_that_a_host_did_not_tell_of_are_counted_beside_it() -> None:
    jobs, audit = one()
    audit["summary"]["slices_left_off"] = 7
    assert "7 more runbooks than it told of" in report({"web1": {"__report_jobs": jobs, "__report_audit": audit}})[1]


def test_the_same_secret_is_the_same_text_whoever_masked_it() -> None:
    texts = []
    for digits in ("4f2a", "77b1"):
        summary = f"password=[redacted:password:{digits}] and " + "x" * 570 + f"[redacted:api_key:{digits}] gone"
        jobs, audit = one(report={"status": "warning", "summary": summary})
        jobs["kill_switch"] = {"engaged": True, "path": "/x", "by": "x", "since": "", "reason": f"key [redacted:api_key:{digits[:2]}"}
        texts.append(report({"web1": {"__report_jobs": jobs, "__report_audit": audit}}))
    assert texts[0] == texts[1] and "[redacted:password] and" in texts[0][1]
    # The marks made here have no digits either.
    jobs, audit = one(report={"status": "warning", "summary": "api_key=sk-proj-" + "a1B2" * 12})
    assert re.search(r"\[redacted:[a-z_]+\]", report({"web1": {"__report_jobs": jobs, "__report_audit": audit}})[1])


def test_hosts_and_runbooks_stand_worst_first_and_every_status_is_said_in_words() -> None:
    data, page = report(fleets.fleet(30))
    ranks = [RANK[host["status"]] for host in data["hosts"]]
    assert ranks == sorted(ranks) and data["hosts"][0]["status"] == "critical"
    assert [RANK[book["status"]] for book in data["runbooks"]] == sorted(RANK[book["status"]] for book in data["runbooks"])
    text = Elements(page).text
    for status, number in data["totals"]["cells"].items():
        assert not number or f">{status}</span>" in page
        assert not number or STATUSES[status] in text


def test_cost_is_added_up_by_runbook_and_by_host() -> None:
    data, page = report(fleets.fleet(3))
    assert data["totals"]["tokens"] == sum(book["tokens"] for book in data["runbooks"]) == sum(host["tokens"] for host in data["hosts"]) > 0
    assert sum(day["tokens"] for book in data["runbooks"] for day in book["days"]) == data["totals"]["tokens"]
    for book in data["runbooks"]:
        assert f"<td class=\"number\">{book['tokens']:,}</td>" in page


def test_a_plan_that_waits_is_shown_with_digest_age_requester_and_how_to_approve_it() -> None:
    jobs, audit = one(plans=[{**fleets._plan("web1", "disk-report", 30), "id": "20260114T031500Z-9f86d081"}])
    data, page = report({"web1": {"__report_jobs": jobs, "__report_audit": audit, "report_prefix": "/srv/it's a=b"}})
    text = Elements(page).text
    assert data["approvals"][0]["sha256"] in text and "1 d (made 2026-01-14 03:30)" in text and "unix:codex-ops, awx:ada" in text and "1 of 2" in text
    command = re.findall(r"ansible-playbook day2\.codex\.approve .*?(?= ?</code)", page)
    words = shlex.split(html.unescape(command[0]))
    # Whatever the prefix is called: pasted into a shell it is one word, and one value for Ansible.
    assert words[:3] == ["ansible-playbook", "day2.codex.approve", "-e"]
    assert [json.loads(word) for word in words[3:]] == [
        {
            "approve_hosts": "web1", "plan": "20260114T031500Z-9f86d081", "plan_sha256": data["approvals"][0]["sha256"], "approver": "YOU",
            "signing_key": "YOUR_KEY.pub", "prefix": "/srv/it's a=b",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "prefix"),
    [
        ("web 1; reboot", "/"), ("web*", "/"), ("a:b", "/"), ("-x", "/"), ("{{ 1 }}", "/"), ("web1", "/{{ 1 }}"), ("web1", "/a\u202eb"), ("web1", "srv"),
        ("x" * 200, "/"), ("web1", "/" + "x" * 400), ("web1", "/key=sk-proj-" + "a1B2" * 12), ("web1", "/a\nb"),
    ],
)  # fmt: skip
def test_a_host_whose_name_or_prefix_is_not_what_it_looks_like_gets_no_command_to_paste(host: str, prefix: str) -> None:
    jobs, audit = one(plans=[fleets._plan("web1", "disk-report", 30)])
    data, page = report({host: {"__report_jobs": jobs, "__report_audit": audit, "report_prefix": prefix}})
    assert len(data["approvals"]) == 1 and "ansible-playbook day2.codex.approve" not in page and "by hand" in Elements(page).text


def test_a_plan_whose_name_could_be_a_command_is_refused() -> None:
    for name in ("x; reboot", "$(reboot)", "-x", "", "a\nb", "x" * 200):
        jobs, audit = one(plans=[{**fleets._plan("web1", "disk-report", 30), "id": name}])
        data, page = report({"web1": {"__report_jobs": jobs, "__report_audit": audit}})
        assert data["approvals"] == [] and "reboot" not in page
        assert data["hosts"][0]["problem"] == "job_info answered something unexpected: job_info.plans.waiting[0].id: expected a plain name, found str"


def test_denied_attempts_kill_switches_and_logs_that_were_changed_are_told() -> None:
    known = fleets.fleet(1)
    host = known["web1.example.com"]
    host["__report_jobs"]["kill_switch"] = {"engaged": True, "path": "/etc/codex-ops/disabled", "reason": "Incident 4711", "by": "unix:ada", "since": ""}
    denied = {"time": "2026-01-15T03:00:00+00:00", "run_id": "r", "slice": "log-report", "command": "rm -rf /", "reason": "read-only"}
    host["__report_audit"]["summary"]["denied"] = {"count": 31, "newest": [denied]}
    host["__report_audit"].update(verified=False, msg="The log is not as it was written, from record 7 on.")
    data, page = report(known)
    text = Elements(page).text
    for said in ("Incident 4711", "unix:ada", "rm -rf /", "31 tool calls of agents denied, the newest first. 30 older ones left off", "from record 7 on"):
        assert said in text
    assert (data["totals"]["kill_switches"], data["totals"]["logs_not_verified"], data["totals"]["denied"], data["denied_left_off"]) == (1, 1, 31, 30)
    assert data["hosts"][0]["status_of_host"] == "failed"


# --- hosts that do not answer as they should --------------------------------------------------------------------------------


def test_a_host_that_cannot_be_reached_or_fails_is_on_the_page_as_such() -> None:
    good = fleets.fleet(1)["web1.example.com"]
    known = {
        "gone": {"__report_jobs": {"unreachable": True, "msg": "No route to host"}, "__report_audit": {"skipped": True}},
        "failed": {"__report_jobs": {"failed": True, "msg": "The inbox is damaged.", "kill_switch": good["__report_jobs"]["kill_switch"]}, **good},
        "never": {},
        "good": good,
    }
    known["failed"]["__report_jobs"] = {"failed": True, "msg": "The inbox is damaged.", "kill_switch": {"engaged": True}}
    data, page = report(known)
    by_name = {host["name"]: host for host in data["hosts"]}
    assert by_name["gone"]["problem"] == "could not be reached: No route to host"
    assert by_name["never"]["problem"] == "it was not asked: the play ended for it before"
    assert by_name["failed"]["problem"] == "job_info failed: The inbox is damaged."
    # What it could say counts.
    assert by_name["failed"]["kill_switch"] and by_name["failed"]["cells"] and not by_name["good"]["problem"]
    assert data["totals"]["hosts_not_asked"] == 3 and "No route to host" in page


class _Odd(str):
    """A text of which nothing can be made."""

    def __str__(self) -> str:
        raise OverflowError("no")


class _Undefined(dict[str, t.Any]):
    """The variables of a host of which one is a template that cannot be made out."""

    def get(self, key: str, default: t.Any = None) -> t.Any:
        if key in ("report_prefix", "__report_audit"):
            raise ArithmeticError("'nope' is undefined")
        return super().get(key, default)


def test_no_host_ends_the_page_of_the_others() -> None:
    jobs, audit = one()
    odd = {**jobs, "kill_switch": {"engaged": True, "path": _Odd("x"), "reason": "", "by": "", "since": ""}}
    known: dict[str, t.Any] = {
        "odd": {"__report_jobs": odd, "__report_audit": audit},
        "undefined": _Undefined(__report_jobs=jobs),
        "good": {"__report_jobs": jobs, "__report_audit": audit},
    }
    data, page = report(known)
    by_name = {host["name"]: host for host in data["hosts"]}
    assert by_name["odd"]["problem"] == "job_info answered something unexpected: it could not be used (OverflowError)"
    assert by_name["undefined"]["problem"] == "audit_info answered something unexpected: it could not be used (ArithmeticError)"
    # What the same host said besides counts.
    assert by_name["odd"]["cells"] and by_name["odd"]["log"]["verified"] and by_name["undefined"]["inbox_known"]
    assert not by_name["good"]["problem"] and "OverflowError" in page


@pytest.mark.parametrize("moment", fleets.TIMES)
def test_a_time_that_is_none_or_far_off_is_named_or_shown(moment: str) -> None:
    data, page = report(fleets.strange(moment))
    assert len(data["hosts"]) == 2 and "Codex on 2 hosts" in page
    good = next(host for host in data["hosts"] if host["name"] == "good")
    assert not good["problem"] and good["cells"]


_ODD = [None, True, -1, 10**400, 1.5, float("nan"), "text", [], [[]], {}, {"a": {}}, [None], ["x"], {1: 2}]


def _places(value: t.Any, at: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    yield at
    for key, item in value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ():
        yield from _places(item, (*at, key))


def test_no_answer_of_another_form_breaks_the_page() -> None:
    jobs, audit = one(job={"state": "pending"}, plans=[fleets._plan("web1", "disk-report", 3)])
    audit["summary"]["slices"][0]["report"]["worst"] = [{"severity": "INFO", "id": "a", "summary": "b"}]
    audit["summary"]["slices"][0]["days"] = [{"day": "2026-01-15", "runs": 1, "bad": 1, "tokens": 9}]
    good = {"__report_jobs": jobs, "__report_audit": audit}
    for place in list(_places(good))[1:]:
        for odd in _ODD:
            spoiled = copy.deepcopy(good)
            inner: t.Any = spoiled
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = odd
            data, page = report({"web1": spoiled})
            assert len(data["hosts"]) == 1 and "Codex on 1 host" in page
            problem = data["hosts"][0]["problem"]
            assert problem == "" or "answered something unexpected: " in problem or "not asked" in problem or "failed: " in problem, problem


def test_an_answer_that_is_too_deep_or_too_large_is_bounded() -> None:
    deep: t.Any = []
    for _level in range(5000):
        deep = [deep]
    jobs, audit = one()
    audit["summary"]["slices"] *= 5000
    audit["summary"]["slices"] = [{**found, "slice": f"slice-{number}"} for number, found in enumerate(audit["summary"]["slices"])]
    audit["summary"]["denied"]["newest"] = [{"command": "x" * 100_000, "reason": "y", "time": fleets.NOW}] * 5000
    audit["summary"]["denied"]["count"] = 5000
    jobs["states"] = {f"state-{number}": 1 for number in range(5000)}
    data, page = report({"web1": {"__report_jobs": jobs, "__report_audit": audit}, "web2": {"__report_jobs": deep, "__report_audit": {"summary": deep}}})
    assert len(data["runbooks"]) == 60 and data["runbooks_left_off"] == 4 and len(data["hosts"][0]["cells"]) <= 60
    assert len(data["denied"]) == 25 and data["denied_left_off"] == 4975
    assert len(page) < 300_000 and len(json.dumps(data)) < 300_000


def test_the_published_form_says_how_long_each_text_can_be() -> None:
    def texts(part: t.Any) -> t.Iterator[t.Any]:
        if isinstance(part, dict):
            if part.get("type") == "string":
                yield part
            for inner in part.values():
                yield from texts(inner)

    found = list(texts(VALIDATOR.schema))
    assert len(found) > 30 and all("maxLength" in part or "pattern" in part for part in found)


# --- text from outside -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", fleets.HOSTILE, ids=range(len(fleets.HOSTILE)))
def test_whatever_a_host_says_stays_text(text: str) -> None:
    data, page = report(fleets.hostile(text))
    found = Elements(page)
    assert set(found.names) <= _ALLOWED and found.names.count("style") == 1 and found.names.count("h1") == 1 and found.names.count("title") == 1
    for name, value in found.attributes:
        assert not name.startswith("on") and name not in ("src", "style", "srcset", "action", "formaction", "xlink:href")
        assert name != "href" or str(value).startswith("#")
    for shown in (page, json.dumps(data, ensure_ascii=False)):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]", shown)
        assert "a1B2a1B2" not in shown
        shown.encode("utf-8")
    assert len(page) < 300_000
    # It is there, for a person to see: the beginning at least, and how much there was.
    if text.isascii() and text.isprintable() and "sk-proj" not in text:
        assert text[:60] in "".join(found.texts)
    if len(text) > 1000:
        assert f"({len(text):,} characters)" in found.text


def test_the_page_allows_its_own_style_and_nothing_else() -> None:
    import base64
    import hashlib

    _data, page = report(fleets.fleet(2))
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[0]
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.replace("&#x27;", "'") == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style and "@import" not in style and "<script" not in page and "http://" not in page and "https://" not in page


def test_every_table_has_a_caption_and_heads_and_every_section_a_heading() -> None:
    _data, page = report(fleets.fleet(30))
    found = Elements(page)
    tables, sections = found.names.count("table"), found.names.count("section")
    assert tables == found.names.count("caption") == page.count('role="region" tabindex="0" aria-label="') == 4
    assert sections == found.names.count("h2") == page.count("<section aria-labelledby=") == 6
    assert page.count("<th ") == page.count('scope="col"') + page.count('scope="row"') and "<th>" not in page
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(ids) == len(set(ids)) and set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)
    assert page.count('<svg viewBox') == page.count('role="img" aria-label="')


def test_an_element_escapes_whatever_is_not_an_element() -> None:
    assert tag("p", "<b>", tag("b", "&"), title='"<') == '<p title="&quot;&lt;">&lt;b&gt;<b>&amp;</b></p>'


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("2026-01-15T09:29:30Z", "now"), ("2026-01-15T10:29:30.123456789+01:00", "now"), ("0001-01-01T00:00:00+14:00", ""),
        ("9999-12-31T23:59:59-14:00", ""), ("0001-01-01", "739,630 d"), ("2026-02-30", ""), ("2026-01-15T09:01:00+00:00", "29 min"),
        ("2026-01-13T09:00:00+00:00", "2 d"), ("2027-01-01", "yet to come"), ("?", ""),
    ],
)  # fmt: skip
def test_an_age_is_said_in_one_unit(then: str, said: str) -> None:
    assert age(then, fleets.NOW) == said


def test_a_trend_says_in_words_what_it_draws() -> None:
    days = [{"day": day, "runs": runs, "bad": bad, "tokens": 0} for day, runs, bad in (("2026-01-14", 4, 1), ("2026-01-15", 2, 0), ("1999-01-01", 900, 0))]
    drawn = spark(days, fleets.NOW, 30, key="runs", what="Runs")
    assert 'aria-label="Runs a day, 30 days: 6 in all, most 4 on 2026-01-14; 1 bad run"' in drawn and drawn.count("<path") == 2
    assert "none" in spark(days, fleets.NOW, 30, key="tokens", what="Tokens")


# --- the files --------------------------------------------------------------------------------------------------------------


def test_a_fleet_without_hosts_has_a_page_too() -> None:
    data, page = report({})
    assert data["hosts"] == [] and "Codex on 0 hosts" in page and "There are no hosts." in page
    assert "no host was asked" in page and "every host answered" not in page
    Elements(page)


def test_a_report_that_differs_in_nothing_but_its_time_is_no_change(tmp_path: pathlib.Path) -> None:
    known, path = fleets.fleet(2), str(tmp_path / "report.html")

    def write(now: str) -> list[bool]:
        files = make(list(known), known, path=path, now=now)
        for file in files:
            pathlib.Path(file["path"]).write_text(file["content"], "utf-8")
        return [file["changed"] for file in files]

    assert write(fleets.NOW) == [True, True]
    assert write("2026-01-15T11:30:00+00:00") == [False, False]
    assert "11:30 UTC" in pathlib.Path(path).read_text("utf-8")
    # Another window is another report.
    assert write("2026-01-16T00:30:00+00:00") == [True, True]
    known["web1.example.com"]["__report_jobs"]["states"]["pending"] = 9
    assert write("2026-01-16T01:30:00+00:00") == [True, True]
    pathlib.Path(path).unlink()
    assert write("2026-01-16T01:30:00+00:00") == [True, True]
    (tmp_path / "report.json").write_text("[1", "utf-8")
    assert write("2026-01-16T01:30:00+00:00") == [True, True]


def test_a_relative_path_is_meant_from_the_working_directory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for there in ("/elsewhere", None):
        monkeypatch.setenv("PWD", there) if there else monkeypatch.delenv("PWD")
        assert [file["path"] for file in make([], {}, path="x.html")] == [f"{tmp_path}/x.json", f"{tmp_path}/x.html"]


def test_a_hundred_hosts_take_seconds_and_a_page_that_can_be_mailed() -> None:
    known = fleets.fleet(100)
    began = time.monotonic()
    _data, page = report(known)
    assert time.monotonic() - began < 20
    assert len(page) < 1_000_000


@pytest.mark.parametrize(
    ("options", "said"),
    [({"path": "/x.txt"}, "ends in .html"), ({"path": ""}, "ends in .html"), *(({"days": days}, "from 1 to 92") for days in (0, 93, "x", None, True))],
)
def test_other_options_are_errors_for_people(options: dict[str, t.Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        make([], {}, **{"path": "/x.html", **options})
    with pytest.raises(AnsibleFilterError, match="expected a list"):
        make("web1", {}, path="/x.html")
    with pytest.raises(AnsibleFilterError, match="expected a dictionary"):
        make([], [], path="/x.html")


def test_the_days_of_a_report_begin_at_midnight() -> None:
    assert since(1).endswith("T00:00:00+00:00") and since("30") < since(1)
    with pytest.raises(AnsibleFilterError, match="from 1 to 92"):
        since("a week")


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0"), (99_999, "99,999"), (100_000, "100 k"), (1_250_000, "1.2 M"), (273_512_000, "274 M"), (10**15, "1000 T")]
)
def test_a_large_count_fits_on_its_tile(number: int, said: str) -> None:
    assert _short(number) == said
