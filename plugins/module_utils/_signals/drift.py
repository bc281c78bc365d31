# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""drift: files, modes and packages that are not what a baseline or git says. PRIVATE."""

from __future__ import annotations

import fnmatch
import os
import stat
import typing as t

from .._errors import CodexOpsError
from . import baseline as baselines
from . import files, tools
from .options import Option
from .report import CRITICAL, WARNING, Report, Seen

WHAT = "Files, modes and packages that differ from a baseline, and folders that differ from what git keeps of them."
OPTIONS: dict[str, Option] = {
    "baseline": Option("path", None, "The file with the baseline."),
    "paths": Option("paths", [], "Files and folders that a new baseline is made of. Later, the baseline says which."),
    "exclude": Option("texts", [], "Paths that are left out of a new baseline, with * and ? in them."),
    "packages": Option("bool", True, "Whether a new baseline holds the packages of the host."),
    "make_baseline": Option("bool", False, "Write the baseline as everything is now, and compare nothing. In check mode nothing is written."),
    "content": Option("text", "changed", "always reads every file; changed only those whose time, size or inode is another.", choices=("changed", "always")),
    "git": Option("paths", [], "Folders that are kept in git, such as /etc."),
    "critical": Option("texts", [], "A file with such a path is critical, with * and ? in it. Any other is a warning."),
    "max_files": Option("int", 1000000, "At most so many files are looked at.", minimum=1, maximum=20000000),
}

_GIT = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false", "-c", "core.quotePath=false",
    "-c", "core.pager=cat", "-c", "status.submoduleSummary=false",
)  # fmt: skip
_GIT_WORDS = {"M": "changed", "T": "another kind of file", "A": "added", "D": "gone", "R": "renamed", "C": "copied", "U": "not merged"}


def collect(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """Compare, or write the baseline.

    :raises CodexOpsError: ``option_invalid`` where there is nothing to compare.
    """
    if not options["baseline"] and not options["git"]:
        hint = "Name a file in 'baseline', or a folder in 'git'."
        raise CodexOpsError("there is nothing to compare with.", code="option_invalid", outcome="rejected", where="options", hint=hint)
    if options["make_baseline"]:
        if not options["baseline"] or not (options["paths"] or options["packages"]):
            hint = "Name the file in 'baseline', and what it is made of in 'paths'."
            raise CodexOpsError("there is nothing to make it of.", code="option_invalid", outcome="rejected", where="options.make_baseline", hint=hint)
        _make(options, seen, report)
        return
    report.good = "Everything is as it is meant to be."
    if options["baseline"]:
        _compare(options, seen, report)
    for folder in options["git"]:
        try:
            _git(folder, options, seen, report)
        except (tools.Missing, files.Unreadable) as error:
            report.missed(folder, str(error))


def _stats(paths: t.Sequence[str], exclude: t.Sequence[str], options: dict[str, t.Any], seen: Seen, report: Report) -> t.Iterator[tuple[str, os.stat_result]]:
    """(path, status) of all that is to be looked at."""
    walk = files.Walk(seen.deadline, options["max_files"])
    for path in paths:
        try:
            top = os.lstat(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            report.missed(path, files.why(error))
            continue
        if not stat.S_ISDIR(top.st_mode):
            yield path, top
            continue
        for folder, entries in walk.files(path):
            if not _excluded(folder, exclude):
                yield folder, os.lstat(folder)
            prefix = folder.rstrip("/") + "/"
            for entry in entries:
                full = prefix + entry.name
                if exclude and _excluded(full, exclude):
                    continue
                try:
                    yield full, entry.stat(follow_symlinks=False)
                except OSError as error:
                    report.missed(full, files.why(error))
        for place, reason in walk.unreadable:
            report.missed(place, reason)
        if walk.stopped:
            report.missed(path, f"Not all of it was looked at: {walk.stopped}.")
            report.truncated = True


def _excluded(path: str, exclude: t.Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in exclude)


def _make(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    kept: dict[str, list[t.Any]] = {}
    paths = sorted({os.path.normpath(path) for path in options["paths"]})
    for path, found in _stats(paths, options["exclude"], options, seen, report):
        try:
            kept[path] = list(baselines.entry(path, found, None, seen))
        except files.Unreadable as error:
            report.missed(path, str(error))
    packages: dict[str, str] = {}
    if options["packages"]:
        try:
            packages = baselines.packages(seen)
        except tools.Missing as error:
            report.missed("packages", str(error))
    report.measure("files", len(kept))
    report.measure("packages", len(packages))
    if report.incomplete:
        # Half a baseline would call the other half an intruder.
        report.missed(options["baseline"], "The baseline was not written, since not everything could be read.")
        return
    report.good = f"The baseline {options['baseline']} is made of {len(kept)} files and {len(packages)} packages."
    if seen.writing:
        try:
            baselines.write(options["baseline"], baselines.Baseline(paths, options["exclude"], kept, packages))
            report.written = options["baseline"]
        except baselines.Unusable as error:
            report.missed(options["baseline"], str(error))


def _compare(options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    path = options["baseline"]
    try:
        kept = baselines.read(path)
    except baselines.Unusable as error:
        report.missed(path, f"{error} 'make_baseline' writes one.")
        return
    # What was not seen again is gone, unless not all could be seen.
    left = dict(kept.files)
    always = options["content"] == "always"
    count = 0
    for name, found in _stats(kept.paths, kept.exclude, options, seen, report):
        count += 1
        known = left.pop(name, None)
        if known is None:
            _add(name, "new", "not there", _describe(found), options, report)
            continue
        if not always and known[4] == baselines.mark(found) and known[1] == stat.S_IMODE(found.st_mode):
            # Owner and mode change the time of the inode too.
            continue
        try:
            now = baselines.entry(name, found, None if always else known, seen)
        except files.Unreadable as error:
            report.missed(name, str(error))
            continue
        _differences(name, known, now, options, report)
    report.measure("files", count)
    if not report.truncated:
        for name in left:
            if not os.path.lexists(name):
                _add(name, "gone", left[name][0], "not there", options, report)
    if kept.packages:
        _packages(kept.packages, seen, report)


def _describe(found: os.stat_result) -> str:
    return f"mode {stat.S_IMODE(found.st_mode):04o}, owner {found.st_uid}:{found.st_gid}, {found.st_size} bytes"


def _add(name: str, kind: str, expected: str, observed: str, options: dict[str, t.Any], report: Report) -> None:
    severity = CRITICAL if _excluded(name, options["critical"]) else WARNING
    report.add(severity, kind, name, expected=expected, observed=observed)


def _differences(name: str, known: t.Sequence[t.Any], now: baselines.Entry, options: dict[str, t.Any], report: Report) -> None:
    if known[0] != now.kind:
        _add(name, "kind", known[0], now.kind, options, report)
        return
    if known[3] != now.content:
        _add(name, "content", known[3], now.content, options, report)
    if known[1] != now.mode and now.kind != "link":
        _add(name, "mode", f"{known[1]:04o}", f"{now.mode:04o}", options, report)
    if known[2] != now.owner:
        _add(name, "owner", known[2], now.owner, options, report)


def _packages(wanted: dict[str, str], seen: Seen, report: Report) -> None:
    try:
        now = baselines.packages(seen)
    except tools.Missing as error:
        report.missed("packages", str(error))
        return
    report.measure("packages", len(now))
    for name in sorted({*wanted, *now}):
        before, after = wanted.get(name), now.get(name)
        if before != after:
            report.add(WARNING, "package", name, expected=before or "not installed", observed=after or "not installed")


# --- git ------------------------------------------------------------------------------------------------------------------


def _git(folder: str, options: dict[str, t.Any], seen: Seen, report: Report) -> None:
    """:raises Missing: where git says nothing. :raises Unreadable: where the repository cannot be trusted."""
    # Its configuration names programs that git runs: so it must be root's or the caller's own.
    for place in (folder, f"{folder.rstrip('/')}/.git", f"{folder.rstrip('/')}/.git/config"):
        try:
            found = os.lstat(place)
        except OSError as error:
            raise files.Unreadable(f"{place}: {files.why(error)}") from None
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022 or stat.S_ISLNK(found.st_mode):
            raise files.Unreadable(f"{place} is a link, belongs to somebody else, or can be written by others: git would run what its configuration says.")
    argv = ["git", *_GIT, "-c", f"safe.directory={os.path.realpath(folder)}", "--no-optional-locks", "-C", folder]
    argv += ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=all"]
    environment = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "GIT_CEILING_DIRECTORIES": os.path.dirname(folder)}
    count = 0

    def take(line: str) -> None:
        nonlocal count
        if len(line) < 4:
            return
        count += 1
        path, code = f"{folder.rstrip('/')}/{line[3:]}", line[:2]
        if code == "??":
            _add(path, "git", "not there", "added, and not in git", options, report)
        else:
            letter = code.strip()[-1:]
            where = "committed" if code[1] == " " else "as it was committed"
            _add(path, "git", where, _GIT_WORDS.get(letter, "changed"), options, report)

    ended = tools.lines(seen, argv, take, end=b"\0", timeout=120, environment=environment)
    if ended.code != 0:
        raise tools.Missing(f"git: {ended.words.splitlines()[-1] if ended.words else f'exit status {ended.code}'}")
    report.measure("git_differences", count, of=folder)
