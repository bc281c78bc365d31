# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""endpoints: what DNS says of names, and what HTTP servers answer. PRIVATE."""

from __future__ import annotations

import time
import typing as t

from .._errors import CodexOpsError
from .options import Option
from .report import CRITICAL, WARNING, Report, Seen

WHAT = "DNS records, and the answers of HTTP servers: status, redirects, how long they take."
OPTIONS: dict[str, Option] = {
    "urls": Option(
        "tables", [], "Addresses that are asked for.",
        keys={
            "url": Option("text", None, "It begins with http:// or https://, and holds no user and no password.", required=True),
            "status": Option("ints", [200], "The status that it must end with, behind all redirects."),
            "redirect": Option("text", None, "The address of the last page, where it must be another one."),
            "contains": Option("text", None, "Text that must be in the first 64 KiB of the last page."),
            "latency": Option("number", None, "Seconds from which on there is a warning, where it is not the common one.", minimum=0),
        },
    ),
    "records": Option(
        "tables", [], "DNS records that are asked for.",
        keys={
            "name": Option("text", None, "The DNS name.", required=True),
            "type": Option("text", "A", "The type of the record.", choices=("A", "AAAA", "CAA", "CNAME", "MX", "NS", "TXT")),
            "values": Option("texts", None, "Exactly these values. Without it, any. An MX record is written as 10 mail.example.com."),
            "has": Option("texts", None, "At least these values."),
        },
    ),
    "latency_warning": Option("number", 2, "An answer that takes so many seconds is a warning.", minimum=0),
    "latency_critical": Option("number", 10, "An answer that takes so many seconds is critical.", minimum=0),
    "connect_timeout": Option("span", "15s", "How long one address may take, with all its redirects.", minimum=1, maximum=300),
    "max_redirects": Option("int", 5, "At most so many redirects are followed.", minimum=0, maximum=20),
    "servers": Option("texts", None, "DNS servers for 'records', as addresses, with a port where it is not 53. Without it, those of /etc/resolv.conf."),
    "authorities": Option("path", None, "A file with the authorities that are trusted. Without it, the host's own."),
}  # fmt: skip

_AT_ONCE = 8


def _wrong(where: str, message: str) -> CodexOpsError:
    return CodexOpsError(message, code="option_invalid", outcome="rejected", where=where)


def collect(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """Ask all of them, several at once.

    :raises CodexOpsError: ``option_invalid`` where there is nothing to ask, or an address is none.
    """
    from concurrent.futures import ThreadPoolExecutor  # pylint: disable=import-outside-toplevel

    from . import net, web  # pylint: disable=import-outside-toplevel

    if not options["urls"] and not options["records"]:
        raise _wrong("options", "there is nothing to ask. List addresses in 'urls', or DNS names in 'records'.")
    for number, rule in enumerate(options["urls"]):
        problem = web.problem(rule["url"])
        if problem:
            raise _wrong(f"options.urls[{number}].url", problem)
    for number, server in enumerate(options["servers"] or ()):
        try:
            net.address(server, 53)
        except ValueError:
            raise _wrong(f"options.servers[{number}]", f"expected an address such as 192.0.2.53 or [2001:db8::53]:5353, found {server[:80]!r}.") from None
    for name in ("latency_warning", "latency_critical"):
        report.thresholds[f"{name}_seconds"] = options[name]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        pages = pool.map(lambda rule: _page(rule, options, seen), options["urls"])
        answers = pool.map(lambda rule: _answer(rule, options, seen), options["records"])
        for rule, page in zip(options["urls"], pages):
            _judge_page(rule, page, options, report)
        for rule, answer in zip(options["records"], answers):
            _judge_answer(rule, answer, report)
    report.good = f"{len(options['urls'])} addresses and {len(options['records'])} DNS records answer as they should."


def _page(rule: dict[str, t.Any], options: dict[str, t.Any], seen: Seen) -> t.Any:
    from . import net, web  # pylint: disable=import-outside-toplevel

    seconds = seen.left(options["connect_timeout"])
    if seconds <= 0:
        return None
    try:
        return web.get(rule["url"], seconds=seconds, redirects=options["max_redirects"], authorities=options["authorities"])
    except net.Unreachable as error:
        return str(error)


def _judge_page(rule: dict[str, t.Any], page: t.Any, options: dict[str, t.Any], report: Report) -> None:
    url = rule["url"]
    if page is None:
        report.missed(url, "The time was over before it was asked.")
        return
    expected = " or ".join(map(str, rule["status"]))
    if isinstance(page, str):
        # A dead endpoint is what is looked for here, not something that could not be looked at.
        report.add(CRITICAL, "http", url, expected=f"status {expected}", observed=page)
        return
    way = "\n".join(page.way)
    report.measure("seconds", page.seconds, of=url)
    report.measure("status", page.status, of=url)
    if page.status not in rule["status"]:
        report.add(CRITICAL, "http", url, expected=f"status {expected}", observed=f"status {page.status}", detail=f"It led to:\n{way}" if way else "")
        return
    if rule["redirect"] is not None and page.url != rule["redirect"]:
        report.add(WARNING, "redirect", url, expected=rule["redirect"], observed=page.url, detail=f"It led to:\n{way}")
    if rule["contains"] is not None and rule["contains"].encode("utf-8") not in page.body:
        report.add(CRITICAL, "contains", url, expected=f"{rule['contains']!r} in the page", observed="it is not in it")
    warning = options["latency_warning"] if rule["latency"] is None else rule["latency"]
    if page.seconds >= min(warning, options["latency_critical"]):
        severity = CRITICAL if page.seconds >= options["latency_critical"] else WARNING
        wanted = options["latency_critical"] if severity == CRITICAL else warning
        report.add(severity, "latency", url, expected=f"less than {wanted:g} s", observed=f"{page.seconds:.2f} s")


def _answer(rule: dict[str, t.Any], options: dict[str, t.Any], seen: Seen) -> t.Any:
    from . import dns, net  # pylint: disable=import-outside-toplevel

    reason = None
    until = time.monotonic() + seen.left(options["connect_timeout"])
    servers = options["servers"] or dns.servers()
    for number, server in enumerate(servers):
        left = (until - time.monotonic()) / (len(servers) - number)
        if left <= 0:
            break
        try:
            return dns.ask(rule["name"], rule["type"], server, left)
        except dns.NoName:
            return []
        except net.Unreachable as error:
            reason = str(error)
    return reason


def _judge_answer(rule: dict[str, t.Any], answer: t.Any, report: Report) -> None:
    resource = f"{rule['name']} {rule['type']}"
    if answer is None:
        report.missed(resource, "The time was over before it was asked.")
        return
    if isinstance(answer, str):
        report.missed(resource, answer)
        return
    report.measure("values", len(answer), of=resource)
    same = [value.rstrip(".").lower() if rule["type"] != "TXT" else value for value in answer]
    for name in ("values", "has"):
        if rule[name] is None:
            continue
        wanted = sorted(value.rstrip(".").lower() if rule["type"] != "TXT" else value for value in rule[name])
        if (name == "values" and wanted != sorted(same)) or set(wanted) - set(same):
            report.add(CRITICAL, "dns", resource, expected=wanted, observed=answer or "no such record")
            return
    if not answer and rule["values"] is None:
        report.add(CRITICAL, "dns", resource, expected="a record", observed="no such record")
