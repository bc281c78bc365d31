# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""dependencies: security updates that wait, and libraries with known holes. PRIVATE.

It installs nothing. What the tools say is read as text and JSON, and never run.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import typing as t

from . import files, tools
from .disk import spans
from .options import Option
from .report import CRITICAL, INFO, WARNING, Report, Seen

WHAT = "Security updates of the distribution that wait, and libraries of projects that pip-audit or npm audit warn of. It installs nothing."
OPTIONS: dict[str, Option] = {
    "system": Option("bool", True, "Whether the distribution's updates are looked at, with apt-get or dnf."),
    "all_updates": Option("bool", False, "Whether updates that are no security updates are mentioned too."),
    "max_list_age": Option("span", "3d", "There is a warning where the lists of packages are older. This collector does not renew them."),
    "python": Option("paths", [], "Requirements files that pip-audit is asked about. It asks the network."),
    "npm": Option("paths", [], "Folders with a package-lock.json that npm audit is asked about. It asks the network."),
    "critical": Option("texts", [], "A security update of a package with such a name is critical, with * and ? in it."),
    "npm_level": Option(
        "text", "high", "Libraries from this level on are a warning; critical ones are critical.", choices=("low", "moderate", "high", "critical")
    ),
}

_INSTALL = re.compile(r"^Inst (\S+) (?:\[([^\]]*)\] )?\((\S+) (.*?)\)(?: \[.*\])?$")
_LEVELS = ("info", "low", "moderate", "high", "critical")
_BYTES = 32 << 20


def collect(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """Ask the tools that are there."""
    report.thresholds["max_list_age_seconds"] = options["max_list_age"]
    report.good = "No security update waits."
    if options["system"]:
        _system(options, seen, report)
    for path in options["python"]:
        _attempt(path, lambda path=path: _python(path, seen, report), report)  # type: ignore[misc]
    for path in options["npm"]:
        _attempt(path, lambda path=path: _npm(path, options, seen, report), report)  # type: ignore[misc]


def _attempt(resource: str, work: t.Callable[[], None], report: Report) -> None:
    try:
        work()
    except (tools.Missing, files.Unreadable) as error:
        report.missed(resource, str(error))


def _system(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    for name, work in (("apt-get", _apt), ("dnf", _dnf)):
        try:
            tools.which(seen, name)
        except tools.Missing:
            continue
        _attempt(name, lambda work=work: work(options, seen, report), report)  # type: ignore[misc]
        return
    report.missed("packages", "Neither apt-get nor dnf is installed.")


def _failed(name: str, ended: tools.Ended) -> tools.Missing:
    return tools.Missing(f"{name}: {ended.words.splitlines()[-1][:300] if ended.words else f'exit status {ended.code}'}")


def _age(folder: str, seen: Seen, options: dict[str, t.Any], report: Report) -> None:
    """How old the newest list is."""
    newest = 0.0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                newest = max(newest, entry.stat(follow_symlinks=False).st_mtime if entry.is_file(follow_symlinks=False) and entry.name != "lock" else 0)
    except OSError as error:
        report.missed(folder, files.why(error))
        return
    age = seen.now - newest
    if not newest:
        report.add(WARNING, "lists", folder, expected="lists of packages", observed="none", detail="Nobody knows which updates wait.")
        return
    report.measure("list_age_seconds", int(age))
    if age > options["max_list_age"]:
        expected = f"at most {spans(options['max_list_age'])} old"
        report.add(WARNING, "lists", folder, expected=expected, observed=f"{spans(age)} old", detail="Nobody knows which updates wait since then.")


def _apt(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    counts = {"security": 0, "updates": 0}

    def take(line: str) -> None:
        found = _INSTALL.match(line)
        if found is None:
            return
        name, before, after, origins = found.groups()
        if before is None:
            # Not installed yet: it comes with another one.
            return
        counts["updates"] += 1
        security = "-security" in origins.lower() or "-Security:" in origins
        counts["security"] += security
        _update(name, before, after, security, options, report)

    # Held packages stay out; nothing is downloaded, locked or changed.
    argv = ["apt-get", "--simulate", "--quiet=2", "--option=Debug::NoLocking=true", "--option=APT::Get::Show-User-Simulation-Note=false", "dist-upgrade"]
    ended = tools.lines(seen, argv, take, timeout=120, max_output=_BYTES)
    if ended.code != 0:
        raise _failed("apt-get", ended)
    report.measure("security_updates", counts["security"])
    report.measure("updates", counts["updates"])
    _age("/var/lib/apt/lists", seen, options, report)


def _dnf(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    count = 0

    def take(line: str) -> None:
        nonlocal count
        words = line.split()
        # "FEDORA-2026-1 Important/Sec. openssl-1:3.0.9-2.fc40.x86_64", with more columns in newer versions.
        if len(words) < 3 or not re.search(r"-[^-]+-[^-]+$", words[2] if "/" in words[1] else words[-1]):
            return
        package = words[2] if "/" in words[1] else words[-1]
        name, version, release = package.rsplit("-", 2)
        count += 1
        _update(name, "", f"{version}-{release}", True, options, report)

    ended = tools.lines(seen, ["dnf", "--quiet", "--cacheonly", "updateinfo", "list", "--security"], take, timeout=120, max_output=_BYTES)
    if ended.code != 0:
        raise _failed("dnf", ended)
    report.measure("security_updates", count)


def _update(name: str, before: str, after: str, security: bool, options: dict[str, t.Any], report: Report) -> None:
    import fnmatch  # pylint: disable=import-outside-toplevel

    if not security:
        if options["all_updates"]:
            report.add(INFO, "update", name, expected=after, observed=before or None)
        return
    severity = CRITICAL if any(fnmatch.fnmatchcase(name, pattern) for pattern in options["critical"]) else WARNING
    report.add(severity, "security", name, expected=after, observed=before or None)


def _json(seen: Seen, argv: t.Sequence[str], codes: t.Collection[int], **more: t.Any) -> t.Any:
    """What a tool writes as JSON.

    :raises Missing: when it writes none.
    """
    pieces: list[bytes] = []
    with tempfile.TemporaryDirectory(prefix="codex-ops-") as home:
        # Both tools keep caches; nothing of the caller's is read or written.
        ended = tools.run(seen, argv, pieces.append, timeout=300, max_output=_BYTES, environment={"HOME": home}, **more)
    try:
        found = json.loads(b"".join(pieces))
    except (ValueError, RecursionError):
        raise _failed(argv[0], ended) from None
    if ended.code not in codes or ended.cut or not isinstance(found, dict):
        raise _failed(argv[0], ended)
    return found


def _python(path: str, seen: Seen, report: Report) -> None:
    files.read(path, 1)
    found = _json(seen, ["pip-audit", "--format=json", "--progress-spinner=off", "--disable-pip", "--no-deps", f"--requirement={path}"], (0, 1))
    count = 0
    for package in _dicts(found.get("dependencies")):
        if package.get("skip_reason"):
            report.missed(f"{path}: {package.get('name')}", str(package["skip_reason"]))
        for hole in _dicts(package.get("vulns")):
            count += 1
            resource = f"{path}: {package.get('name')}: {hole.get('id')}"
            fixed = ", ".join(map(str, hole["fix_versions"])) if isinstance(hole.get("fix_versions"), list) else ""
            detail = str(hole.get("description", ""))[:2000]
            report.add(WARNING, "pip", resource, expected=fixed or "no known hole", observed=str(package.get("version")), detail=detail)
    report.measure("python_holes", count, of=path)


def _dicts(value: t.Any) -> list[dict[str, t.Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _npm(path: str, options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    lock = os.path.join(path, "package-lock.json")
    data = files.read(lock, _BYTES)
    with tempfile.TemporaryDirectory(prefix="codex-ops-") as folder:
        # A copy of the lock alone: the project's own .npmrc could send it anywhere.
        for name, content in (("package-lock.json", data), ("package.json", _package(data))):
            with open(os.path.join(folder, name), "wb") as handle:
                handle.write(content)
        found = _json(seen, ["npm", "audit", "--json", "--package-lock-only", "--ignore-scripts"], (0, 1), folder=folder)
    if not isinstance(found.get("vulnerabilities"), dict):
        error = found.get("error")
        raise tools.Missing(f"npm: {error.get('summary') or error.get('code') if isinstance(error, dict) else 'it does not say what it found'}")
    worst = _LEVELS.index(options["npm_level"])
    for name, hole in found["vulnerabilities"].items():
        level = hole.get("severity") if isinstance(hole, dict) else None
        rank = _LEVELS.index(level) if level in _LEVELS else _LEVELS.index("high")
        severity = CRITICAL if level == "critical" else WARNING if rank >= worst else INFO
        titles = sorted({str(via.get("title", ""))[:200] for via in _dicts(hole.get("via"))}) if isinstance(hole, dict) else []
        report.add(severity, "npm", f"{path}: {name}", expected="no known hole", observed=str(level), detail="\n".join(titles[:20]))
    report.measure("npm_holes", len(found["vulnerabilities"]), of=path)


def _package(lock: bytes) -> bytes:
    """A package.json that belongs to the lock: npm wants one beside it.

    :raises Unreadable: where the lock is none.
    """
    try:
        top = json.loads(lock)
        root = top.get("packages", {}).get("", {})
        kept = {name: root[name] for name in ("name", "version", "dependencies", "devDependencies", "optionalDependencies") if name in root}
    except (ValueError, AttributeError, RecursionError):
        raise files.Unreadable("It is no lock of npm.") from None
    return json.dumps(kept).encode("utf-8")
