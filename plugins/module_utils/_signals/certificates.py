# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""certificates: in files, in folders, and at TLS endpoints. PRIVATE."""

from __future__ import annotations

import datetime
import fnmatch
import os
import typing as t

from .._errors import CodexOpsError
from . import der, files
from .options import Option
from .report import CRITICAL, INFO, WARNING, Report, Seen, Value

WHAT = "Certificates in files, folders and at TLS endpoints: when they end, whom they are for, whether their chain is whole."
OPTIONS: dict[str, Option] = {
    "paths": Option("paths", None, "Files, and folders that are looked through."),
    "patterns": Option("texts", ["*.pem", "*.crt", "*.cer", "*.cert", "*.der"], "Which files of a folder are looked at."),
    "exclude": Option("texts", [], "Paths that are left out, with * and ? in them."),
    "names": Option(
        "tables", [], "Files that must be for a name.",
        keys={"path": Option("path", None, "The file.", required=True), "name": Option("text", None, "The DNS name or address.", required=True)},
    ),
    "endpoints": Option(
        "tables", [], "Servers that are asked for theirs.",
        keys={
            "address": Option("text", None, "Host and port, such as www.example.com:443. Without a port, 443.", required=True),
            "starttls": Option("text", None, "How TLS begins, where it does not begin at once.", choices=("smtp", "imap", "pop3", "ftp", "postgres")),
            "name": Option("text", None, "The name that it must be for, where it is not the host's."),
        },
    ),
    "authorities": Option("path", None, "A file with the authorities that endpoints are held against. Without it, the host's own."),
    "notice": Option("span", "90d", "A certificate that ends within this time is mentioned."),
    "warning": Option("span", "30d", "A certificate that ends within this time is a warning."),
    "critical": Option("span", "7d", "A certificate that ends within this time is critical, as one that has ended."),
    "connect_timeout": Option("span", "10s", "How long one endpoint may take.", minimum=1, maximum=300),
}  # fmt: skip

#: Bytes of a file, files at most.
_FILE = 4 << 20
_FILES = 200_000


def collect(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """Look at the files, then ask the endpoints.

    :raises CodexOpsError: ``option_invalid`` where there is nothing to look at, or an address is none.
    """
    if not options["paths"] and not options["endpoints"] and not options["names"]:
        hint = "Name files or folders in 'paths', or servers in 'endpoints'."
        raise CodexOpsError("there is nothing to look at.", code="option_invalid", outcome="rejected", where="options", hint=hint)
    for name in ("notice", "warning", "critical"):
        report.thresholds[f"{name}_seconds"] = options[name]
    endpoints = [_endpoint(number, given) for number, given in enumerate(options["endpoints"])]
    look = _Look(options, seen, report)
    for path in options["paths"] or ():
        look.path(path)
    for pair in options["names"]:
        look.file(pair["path"], pair["name"])
    if endpoints:
        from concurrent.futures import ThreadPoolExecutor  # pylint: disable=import-outside-toplevel

        with ThreadPoolExecutor(8) as pool:
            for endpoint, found in zip(endpoints, pool.map(look.ask, endpoints)):
                look.judge(endpoint, found)
    report.measure("certificates", look.count)
    if look.nearest is not None:
        report.measure("nearest_end_seconds", look.nearest - int(seen.now))
    report.good = f"{look.count} certificates hold for longer than {options['warning'] // 86400} days."


def _endpoint(number: int, given: dict[str, t.Any]) -> dict[str, t.Any]:
    from .net import address  # pylint: disable=import-outside-toplevel

    try:
        host, port = address(given["address"], 443)
    except ValueError:
        raise CodexOpsError(
            f"expected a host and a port, such as www.example.com:443, found {given['address'][:80]!r}.",
            code="option_invalid", outcome="rejected", where=f"options.endpoints[{number}].address",
        ) from None  # fmt: skip
    shown = f"{'[' + host + ']' if ':' in host else host}:{port}" + (f" ({given['starttls']})" if given["starttls"] else "")
    return {"host": host, "port": port, "starttls": given["starttls"], "name": given["name"] or host, "shown": shown}


def _day(moment: int) -> str:
    try:
        return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(moment)


class _Look:
    def __init__(self, options: dict[str, t.Any], seen: Seen, report: Report) -> None:
        self._options = options
        self._seen = seen
        self._report = report
        self.count = 0
        self.nearest: int | None = None

    def path(self, path: str) -> None:
        """A file, or a folder and all below it."""
        if not os.path.isdir(path):
            self.file(path)
            return
        walk = files.Walk(self._seen.deadline, _FILES)
        for folder, entries in walk.files(path, one_device=False):
            for entry in entries:
                full = f"{folder.rstrip('/')}/{entry.name}"
                if any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in self._options["patterns"]) and not self._excluded(full):
                    self.file(full, quiet=True)
        for place, reason in walk.unreadable:
            self._report.missed(place, reason)
        if walk.stopped:
            self._report.missed(path, f"Not all of it was looked at: {walk.stopped}.")

    def _excluded(self, path: str) -> bool:
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in self._options["exclude"])

    def file(self, path: str, name: str | None = None, *, quiet: bool = False) -> None:
        """One file. *quiet*: it may hold something else, such as a key."""
        if self._seen.left() <= 0:
            self._report.missed(path, "The time was over before it was looked at.")
            return
        try:
            data = files.read(path, _FILE)
        except files.Unreadable as error:
            self._report.missed(path, str(error))
            return
        try:
            found = der.certificates(data)
        except der.Malformed:
            self._report.add(WARNING, "malformed", path, expected="a certificate", observed="something that is none")
            return
        if not found:
            if not quiet:
                self._report.missed(path, "There is no certificate in it.")
            return
        for number, certificate in enumerate(found):
            self._expiry(f"{path}#{number + 1}" if number else path, certificate)
        self._chain(path, found)
        if name is not None and not found[0].names(name):
            self._mismatch(path, found[0], name)

    def _expiry(self, resource: str, certificate: der.Certificate) -> None:
        self.count += 1
        now, ends = self._seen.now, certificate.ends
        self.nearest = ends if self.nearest is None else min(ends, self.nearest)
        left = ends - now
        limits = self._options
        severity = CRITICAL if left <= limits["critical"] else WARNING if left <= limits["warning"] else INFO if left <= limits["notice"] else None
        detail = f"It is for {certificate.name or '(nobody)'}, and was issued by {certificate.issuer_name or '(nobody)'}."
        if severity:
            wanted = {CRITICAL: "critical", WARNING: "warning", INFO: "notice"}[severity]
            observed = f"it ended on {_day(ends)}" if left <= 0 else f"it ends on {_day(ends)}, in {int(left // 86400)} days"
            self._report.add(severity, "expiry", resource, expected=f"valid for more than {limits[wanted] / 86400:g} days", observed=observed, detail=detail)
        if certificate.begins > now:
            self._report.add(CRITICAL, "not_yet", resource, expected="valid now", observed=f"it begins on {_day(certificate.begins)}", detail=detail)

    def _chain(self, resource: str, found: list[der.Certificate]) -> None:
        """A file with the certificate of a server holds its issuers behind it, each the issuer of the one before."""
        if len(found) < 2 or found[0].authority:
            # One alone, or a collection of authorities.
            return
        for number, (certificate, issuer) in enumerate(zip(found, found[1:])):
            if certificate.issuer != issuer.subject:
                observed = f"certificate {number + 2} is {issuer.name!r}, and number {number + 1} was issued by {certificate.issuer_name!r}"
                self._report.add(WARNING, "chain", resource, expected="each certificate is followed by its issuer", observed=observed)
                return

    def _mismatch(self, resource: str, certificate: der.Certificate, name: str) -> None:
        names: Value = list([*certificate.dns, *certificate.addresses][:50] or ["no name at all"])
        self._report.add(CRITICAL, "name", resource, expected=f"it is for {name}", observed=names)

    def ask(self, endpoint: dict[str, t.Any]) -> tuple[bytes, str] | str:
        """What an endpoint shows, or why nothing."""
        from . import net  # pylint: disable=import-outside-toplevel

        seconds = self._seen.left(self._options["connect_timeout"])
        if seconds <= 0:
            return "The time was over before it was asked."
        try:
            return net.peer(
                endpoint["host"], endpoint["port"], protocol=endpoint["starttls"], name=endpoint["name"], seconds=seconds,
                authorities=self._options["authorities"],
            )  # fmt: skip
        except net.Unreachable as error:
            return str(error)

    def judge(self, endpoint: dict[str, t.Any], found: tuple[bytes, str] | str) -> None:
        """Findings about what an endpoint showed."""
        shown = endpoint["shown"]
        if isinstance(found, str):
            self._report.missed(shown, found)
            return
        try:
            certificate = der.parse(found[0])
        except der.Malformed:
            self._report.add(CRITICAL, "malformed", shown, expected="a certificate", observed="something that is none")
            return
        self._expiry(shown, certificate)
        if not certificate.names(endpoint["name"]):
            self._mismatch(shown, certificate, endpoint["name"])
        if found[1]:
            self._report.add(CRITICAL, "chain", shown, expected="a chain to an authority that is trusted", observed=found[1])
