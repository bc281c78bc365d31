# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report page: one HTML file with everything in it, no script, and nothing from elsewhere. PRIVATE."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import typing as t

from ansible_collections.day2.codex.plugins.plugin_utils._report_html import (
    Html,
    age,
    chip,
    code,
    count,
    hidden,
    join,
    pairs,
    spark,
    table,
    tag,
    when,
    words,
)
from ansible_collections.day2.codex.plugins.plugin_utils._report_model import RANK, STATUSES
from ansible_collections.day2.codex.plugins.plugin_utils._report_style import sheet

#: Cells that are told of at length, and characters of a command that the page shows for pasting.
TOLD = 200
_TELL = RANK["unknown"]
# What is neither a pattern of hosts nor a template, nor was anything in it cut, masked or written out.
_HOST = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.@-]*")
_PREFIX = re.compile(r"/[ -Z^-z~]*")
_Report = dict[str, t.Any]


def page(report: _Report) -> str:
    """The page of *report*, which is as schemas/fleet-report.schema.json has it."""
    style = sheet()
    allowed = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    parts = [
        ("people", "What waits for people", _people(report)),
        ("grid", "Hosts and runbooks", _grid(report)),
        ("told", "What is not well", _told(report)),
        ("cost", "Cost of each runbook", _cost(report)),
        ("hosts", "Each host", _hosts(report)),
        ("denied", "Denied attempts", _denied(report)),
    ]
    title = f"Codex on {count(report['totals']['hosts'], 'host')}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Html(style)),
    )
    links = [tag("li", tag("a", name, href=f"#{at}")) for at, name, _said in parts]
    sections = [tag("section", tag("h2", name, id=at), said, aria_labelledby=at) for at, name, said in parts]
    body = tag(
        "body",
        tag("a", "Skip to the report", class_="skip", href="#report"),
        tag("header", tag("h1", title), _made(report), _tiles(report)),
        tag("nav", tag("ul", *links), aria_label="Parts of this page"),
        tag("main", *sections, id="report", tabindex="-1"),
        _foot(report),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _made(report: _Report) -> Html:
    since = report["since"][:10]
    made = tag("time", f"{report['made'][:10]} {report['made'][11:16]} UTC", datetime=report["made"])
    return tag("p", "Made ", made, f". Runs and cost are those since {since} ({count(report['days'], 'day')}).", class_="soft")


def _tiles(report: _Report) -> Html:
    totals, cells = report["totals"], report["totals"]["cells"]
    found: list[tuple[str, int, str | None]] = [
        ("critical", cells["critical"], "alarm"),
        ("failed", cells["failed"], "alarm"),
        ("warnings", cells["warning"], None),
        ("approvals wanted", totals["approvals"], "wait"),
        ("hosts not asked", totals["hosts_not_asked"], "alarm"),
        ("kill switches engaged", totals["kill_switches"], "alarm"),
        ("audit logs not as written", totals["logs_not_verified"], "alarm"),
        ("denied attempts", totals["denied"], None),
        ("runs", totals["runs"], None),
        ("tokens", totals["tokens"], None),
    ]
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", _short(number)), class_=kind if number else None) for name, number, kind in found), class_="tiles")


def _short(number: int) -> str:
    """A count that fits on a tile; elsewhere it stands in full."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= max(size, 10**5):
            return f"{number / size:.{0 if number >= 100 * size else 1}f} {unit}"
    return f"{number:,}"


# --- what waits for people -------------------------------------------------------------------------------------------------


def _people(report: _Report) -> Html:
    items = [_not_asked(host) for host in report["hosts"] if host["problem"]]
    items += [_switch(host, report["made"]) for host in report["hosts"] if host["kill_switch"]]
    items += [_log(host) for host in report["hosts"] if host["log"]["verified"] is False]
    items += [_unreadable(host) for host in report["hosts"] if host["plans_unreadable"]]
    prefixes = {host["name"]: host["prefix"] for host in report["hosts"]}
    # A plan has the name of the run that made it.
    reports = {(host["name"], cell["report"]["run_id"]): cell["report"]["summary"] for host in report["hosts"] for cell in host["cells"] if cell["report"]}
    items += [_approval(plan, prefixes[plan["host"]], reports.get((plan["host"], plan["id"]), ""), report["made"]) for plan in report["approvals"]]
    left = report["approvals_left_off"]
    if not report["hosts"]:
        return tag("p", "Nobody knows: no host was asked. Look at the hosts that were to be asked, and at the inventory.")
    if not items and not left:
        return tag("p", "Nothing: every host answered, no kill switch is engaged, and no plan waits.")
    more = tag("p", f"{count(left, 'more plan')} may wait, not shown here: ask the hosts.") if left else ""
    return join(tag("ul", *items, class_="cards two") if items else "", more)


def _not_asked(host: _Report) -> Html:
    return tag("li", tag("h3", chip("not asked"), words(host["name"])), tag("p", words(host["problem"])))


def _switch(host: _Report, now: str) -> Html:
    switch = host["kill_switch"]
    said = pairs(
        ("Why", words(switch["reason"]) if switch["reason"] else "Nobody wrote it down."),
        ("By", words(switch["by"]) if switch["by"] else ""),
        ("Since", when(switch["since"], now) if switch["since"] else ""),
        ("File", code(switch["path"])),
    )
    return tag("li", tag("h3", chip("stopped"), words(host["name"]), tag("span", "kill switch engaged", class_="soft")), said)


def _log(host: _Report) -> Html:
    title = tag("h3", chip("failed"), words(host["name"]), tag("span", "audit log not as it was written", class_="soft"))
    return tag("li", title, tag("p", words(host["log"]["msg"])))


def _unreadable(host: _Report) -> Html:
    title = tag("h3", chip("unknown"), words(host["name"]), tag("span", "plans cannot be read", class_="soft"))
    said = f"{count(host['plans_unreadable'], 'plan')} could not be read or judged. Whether any of them waits for a person, nobody knows."
    return tag("li", title, tag("p", said))


def _approval(plan: _Report, prefix: str, said_by_agent: str, now: str) -> Html:
    given, needed = len(plan["approved_by"]), plan["approvals_needed"]
    asked = [join(", " if at else "", words(name)) for at, name in enumerate(plan["requested_by"])]
    by = [join(", " if at else "", words(name)) for at, name in enumerate(plan["approved_by"])]
    change = f"{count(plan['files'], 'file')}, +{plan['added']:,} −{plan['removed']:,} lines"
    said = pairs(
        ("Plan", code(plan["id"])),
        ("Digest", code(plan["sha256"])),
        ("Waits", join(age(plan["created"], now), tag("span", f" (made {plan['created'][:16].replace('T', ' ')})", class_="soft"))),
        ("Asked by", join(*asked) if asked else "nobody is known"),
        ("Would change", join(change, " in ", code(plan["workspace"]))),
        ("Approvals", join(f"{given} of {needed}", " (" if by else "", *by, ")" if by else "")),
        ("Why", words(plan["reason"])),
        ("The agent says", words(said_by_agent) if said_by_agent else ""),
        ("Made by", "a cassette, not a model" if plan["replayed"] else ""),
        ("Job", code(plan["job"]) if plan["job"] else ""),
    )
    title = tag("h3", chip("waits"), words(plan["slice"]), tag("span", "on ", words(plan["host"]), class_="soft"))
    return tag("li", title, said, tag("p", "Look at it, and decide:", _command(plan, prefix)))


def _command(plan: _Report, prefix: str) -> Html:
    """The command to decide, if it can be pasted: all its values are what they look like, to a shell, to JSON and to Ansible."""
    if not _HOST.fullmatch(plan["host"]) or not _PREFIX.fullmatch(prefix):
        return join(" the name or the prefix of the host is no plain text, so call the playbook ", code("day2.codex.approve"), " by hand.")
    given = {"approve_hosts": plan["host"], "plan": plan["id"], "plan_sha256": plan["sha256"], "approver": "YOU", "signing_key": "YOUR_KEY.pub"}
    given.update({"prefix": prefix} if prefix != "/" else {})
    return tag("code", f"ansible-playbook day2.codex.approve -e {shlex.quote(json.dumps(given))}", class_="say")


# --- the grid --------------------------------------------------------------------------------------------------------------


def _grid(report: _Report) -> Html:
    books = report["runbooks"]
    if not report["hosts"]:
        return tag("p", "There are no hosts.")
    rows = []
    for row, host in enumerate(report["hosts"]):
        known = {cell["runbook"]: cell for cell in host["cells"]}
        cells = [_cell(known.get(book["name"]), f"told-{row}-{column}", report) for column, book in enumerate(books)]
        own = chip(host["status_of_host"]) if host["status_of_host"] != "ok" else ""
        rows.append(tag("tr", tag("th", words(host["name"]), " ", own, scope="row"), *cells))
    heads = ["Host", *(tag("th", words(book["name"]), scope="col") for book in books)]
    said = [f"{count(len(report['hosts']), 'host')} and {count(len(books), 'runbook')}, the worst first."]
    if report["runbooks_left_off"]:
        said.append(f"{count(report['runbooks_left_off'], 'more runbook')} left off here: the totals count them.")
    used = {status for status, number in report["totals"]["cells"].items() if number} | {host["status_of_host"] for host in report["hosts"]}
    legend = [tag("li", chip(status), meaning) for status, meaning in STATUSES.items() if status in used]
    box = table(" ".join(said), heads, rows, label="Hosts and runbooks, as a table", class_="grid")
    return join(tag("p", "How each runbook stands on each host. The times say how long its newest run is ago."), box, tag("ul", *legend, class_="legend"))


def _cell(cell: _Report | None, at: str, report: _Report) -> Html:
    if cell is None:
        return tag("td", tag("span", "–", class_="soft", aria_hidden="true"), hidden("not there"))
    shown = chip(cell["status"])
    if RANK[cell["status"]] <= _TELL:
        shown = tag("a", shown, href=f"#{at}" if _is_told(cell) else "#people")
    notes = [note for note in (cell["outcome"] if cell["outcome"] in ("applied", "restored", "resolved") else "", age(cell["time"], report["made"])) if note]
    notes += [count(cell["open_jobs"], "open job")] if cell["open_jobs"] else []
    return tag("td", shown, tag("small", " · ".join(notes)) if notes else "")


def _is_told(cell: _Report) -> bool:
    return RANK[cell["status"]] <= _TELL and cell["status"] != "waits"


def _told(report: _Report) -> Html:
    columns = {book["name"]: at for at, book in enumerate(report["runbooks"])}
    found = [
        (RANK[cell["status"]], f"told-{row}-{columns[cell['runbook']]}", host, cell)
        for row, host in enumerate(report["hosts"])
        for cell in host["cells"]
        if _is_told(cell)
    ]
    found.sort(key=lambda one: one[0])
    if not found:
        return tag("p", "Nothing: no newest report or run says so.")
    items = [_one(at, host, cell, report["made"]) for _rank, at, host, cell in found[:TOLD]]
    # The cells of the grid still lead somewhere.
    items += [tag("li", tag("h3", chip(cell["status"]), words(cell["runbook"]), " on ", words(host["name"])), id=at) for _r, at, host, cell in found[TOLD:]]
    left = f" The last {len(found) - TOLD:,} of {len(found):,} are only named." if len(found) > TOLD else ""
    lead = f"The newest run or report of each, the worst first. What a report says is the agent's word.{left}"
    return join(tag("p", lead), tag("ul", *items, class_="cards two"))


def _one(at: str, host: _Report, cell: _Report, now: str) -> Html:
    title = tag("h3", chip(cell["status"]), words(cell["runbook"]), tag("span", "on ", words(host["name"]), class_="soft"))
    report = cell["report"] or {}
    said = report.get("summary") or ""
    facts = [when(cell["time"], now) if cell["time"] else "", join("run ", code(cell["run_id"])) if cell["run_id"] else ""]
    facts += [join("outcome ", words(cell["outcome"])) if cell["outcome"] else "", "a person should look" if report.get("needs_human") else ""]
    line = join(*(join(" · " if at_ else "", fact) for at_, fact in enumerate(fact for fact in facts if fact)))
    listed = [tag("li", tag("strong", words(one["severity"])), " ", words(one["summary"] or one["id"])) for one in report.get("worst") or ()]
    whole = sum((report.get("findings") or {}).values())
    if whole > len(listed) > 0:
        listed.append(tag("li", f"and {count(whole - len(listed), 'more finding')}"))
    why = tag("p", words(cell["msg"])) if cell["status"] in ("failed", "stopped") and cell["msg"] and cell["msg"] != said else ""
    return tag("li", title, tag("p", words(said)) if said else "", why, tag("ul", *listed) if listed else "", tag("p", line, class_="soft"), id=at)


# --- cost, hosts, denied ----------------------------------------------------------------------------------------------------


def _number(value: int) -> Html:
    return tag("td", f"{value:,}", class_="number")


def _cost(report: _Report) -> Html:
    if not report["runbooks"]:
        return tag("p", "No runbook has run.")
    heads = ["Runbook", "Worst now", *(tag("th", name, scope="col", class_="number") for name in ("Hosts", "Runs", "Requests", "Tokens")), "Tokens a day"]
    rows = [
        tag(
            "tr",
            tag("th", words(book["name"]), scope="row"),
            tag("td", chip(book["status"])),
            *(_number(book[key]) for key in ("hosts", "runs", "requests", "tokens")),
            tag("td", spark(book["days"], report["made"], report["days"], key="tokens", what="Tokens")),
        )
        for book in sorted(report["runbooks"], key=lambda book: (-book["tokens"], -book["runs"], book["name"]))
    ]
    totals = report["totals"]
    lead = f"{count(totals['runs'], 'run')}, {count(totals['requests'], 'request')} to the model, {count(totals['tokens'], 'token')}."
    return join(tag("p", lead), table("What each runbook cost, the dearest first. Red is the share of bad runs.", heads, rows, label="Cost, as a table"))


def _hosts(report: _Report) -> Html:
    if not report["hosts"]:
        return tag("p", "There are no hosts.")
    numbers = [tag("th", name, scope="col", class_="number") for name in ("Runs", "Tokens")]
    heads = ["Host", "Answer", "Kill switch", "Audit log", "Inbox", *numbers, "Runs a day"]
    rows = [
        tag(
            "tr",
            tag("th", words(host["name"]), scope="row"),
            tag("td", words(host["problem"][:80] + ("…" if len(host["problem"]) > 80 else "")) if host["problem"] else "asked", _left(host)),
            tag("td", chip("stopped") if host["kill_switch"] else "released" if host["kill_switch_known"] else "not known"),
            tag("td", _chain(host["log"])),
            tag("td", _inbox(host)),
            *(_number(host[key]) for key in ("runs", "tokens")),
            tag("td", spark(host["days"], report["made"], report["days"], key="runs", what="Runs")),
        )
        for host in report["hosts"]
    ]
    return table("Each host, the worst first. Red is the share of bad runs.", heads, rows, label="Hosts, as a table")


def _left(host: _Report) -> Html:
    left = host["runbooks_left_off"]
    return join(tag("br"), tag("span", f"{count(left, 'more runbook')} than it told of", class_="soft")) if left else join()


def _inbox(host: _Report) -> str:
    jobs = ", ".join(f"{number:,} {state.replace('_', ' ')}" for state, number in host["jobs"].items())
    return jobs or ("empty" if host["inbox_known"] else "not known")


def _chain(log: _Report) -> Html:
    head = log["head"]
    where = join(tag("br"), tag("span", f"record {head['seq']:,}, ", code(head["hash"][:12]), class_="soft")) if head else ""
    if log["verified"] is None:
        return join("not known")
    if not log["exists"] and log["verified"]:
        return join("there is none")
    return join("chain holds" if log["verified"] else chip("failed"), "" if log["verified"] else " not as written", where)


def _denied(report: _Report) -> Html:
    if not report["totals"]["denied"]:
        return tag("p", "None: no tool call of an agent was denied.")
    rows = [
        tag(
            "tr",
            tag("td", when(one["time"], report["made"])),
            tag("th", words(one["host"]), scope="row"),
            tag("td", words(one["slice"] or "(exec)")),
            tag("td", code(one["command"]) if one["command"] else ""),
            tag("td", words(one["reason"])),
        )
        for one in report["denied"]
    ]
    left = f" {count(report['denied_left_off'], 'older one')} left off: the hosts' audit logs have them." if report["denied_left_off"] else ""
    caption = f"{count(report['totals']['denied'], 'tool call')} of agents denied, the newest first.{left}"
    return table(caption, ["When", "Host", "Runbook", "What was tried", "Why not"], rows, label="Denied attempts, as a table")


def _foot(report: _Report) -> Html:
    said = (
        f"Made by the playbook day2.codex.report of day2.codex {report['collection']} from what the hosts' inboxes, plans and audit logs say. "
        "The same as data lies beside this page, as JSON. Secrets are replaced by marks; characters that a screen would hide are written out. "
        "Digest of the data: "
    )
    return tag("footer", tag("p", said, code(report["data_sha256"])))
