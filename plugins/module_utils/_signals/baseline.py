# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A baseline: files, modes and packages as they are meant to be, in a file of its own. PRIVATE.

Its first line is a header (JSON). Then there is a line for each file, and one for each package, as JSON lists.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import typing as t

from . import files, tools
from .report import Seen

VERSION = 1
#: Bytes of a baseline that are read.
_LIMIT = 256 << 20
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}


class Entry(t.NamedTuple):
    """One file. ``content`` is a digest, the target of a link, or nothing; ``mark`` changes with whatever is written to it."""

    kind: str
    mode: int
    owner: str
    content: str
    mark: str


class Baseline(t.NamedTuple):
    """What was kept: paths to entries, packages to versions, and the folders that were looked at."""

    paths: list[str]
    exclude: list[str]
    files: dict[str, list[t.Any]]
    packages: dict[str, str]


class Unusable(Exception):
    """The baseline cannot be read. The message says why."""


def mark(found: os.stat_result) -> str:
    """Whoever writes to a file changes this; only who sets the clock back could not."""
    return f"{found.st_ino:x}.{found.st_size:x}.{found.st_mtime_ns:x}.{found.st_ctime_ns:x}"


def digest(path: str, seen: Seen) -> str:
    """The digest of what is in a file.

    :raises Unreadable: where it cannot be read.
    """
    descriptor = files.open_regular(path, links=False)
    made, size = hashlib.sha256(), 0
    with os.fdopen(descriptor, "rb") as handle:
        while True:
            if seen.left() <= 0:
                raise files.Unreadable("The time was over before it was read.")
            try:
                block = handle.read(1 << 20)
            except OSError as error:
                raise files.Unreadable(files.why(error)) from None
            if not block:
                return made.hexdigest()
            size += len(block)
            made.update(block)


def entry(path: str, found: os.stat_result, known: t.Sequence[t.Any] | None, seen: Seen) -> Entry:
    """A file as it is. Where its mark is the *known* one's, its content is not read again.

    :raises Unreadable: where it cannot be read.
    """
    kind, now = _KINDS.get(stat.S_IFMT(found.st_mode), "device"), mark(found)
    content = ""
    if kind == "file":
        content = str(known[3]) if known is not None and known[4] == now and known[0] == kind else digest(path, seen)
    elif kind == "link":
        try:
            content = os.readlink(path)
        except OSError as error:
            raise files.Unreadable(files.why(error)) from None
    return Entry(kind, stat.S_IMODE(found.st_mode), f"{found.st_uid}:{found.st_gid}", content, now)


def packages(seen: Seen) -> dict[str, str]:
    """Packages of the host, and their versions.

    :raises Missing: where neither dpkg nor rpm answers.
    """
    found: dict[str, str] = {}

    def take(line: str) -> None:
        name, tab, version = line.partition("\t")
        if tab and version:
            # Several versions of one package may be there, as of a kernel.
            found[name] = " ".join(sorted({version, *found.get(name, "").split()}))

    reasons = []
    for argv in (
        ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}${Package}:${Architecture}\\t${Version}\\n"],
        ["rpm", "--query", "--all", "--queryformat", "%{NAME}.%{ARCH}\\t%{VERSION}-%{RELEASE}\\n"],
    ):
        try:
            ended = tools.lines(seen, argv, take, timeout=60)
        except tools.Missing as error:
            reasons.append(str(error))
            continue
        if ended.code == 0 and found:
            return {name[3:]: version for name, version in found.items() if name.startswith("ii ")} if argv[0] == "dpkg-query" else found
        reasons.append(f"{argv[0]}: {ended.words or 'it names no package'}")
    raise tools.Missing(" ".join(reasons))


def read(path: str) -> Baseline:
    """The baseline at *path*.

    :raises Unusable: where it is none.
    """
    try:
        data = files.read(path, _LIMIT + 1)
    except files.Unreadable as error:
        raise Unusable(str(error)) from None
    if len(data) > _LIMIT:
        raise Unusable(f"It is larger than {_LIMIT >> 20} MiB.")
    head, _newline, rest = data.partition(b"\n")
    try:
        header = json.loads(head)
        if not isinstance(header, dict) or header.get("baseline") != VERSION:
            raise Unusable("It is no baseline of this version.")
        lines = json.loads(b"[" + rest.rstrip(b"\n").replace(b"\n", b",") + b"]")
        entries, kept = {}, {}
        for line in lines:
            if len(line) == 6 and isinstance(line[0], str):
                entries[line[0]] = line[1:]
            elif len(line) == 2:
                kept[str(line[0])] = str(line[1])
            else:
                raise Unusable("One of its lines is none of a baseline.")
        if len(lines) != header.get("lines"):
            raise Unusable("It was not written to its end.")
        return Baseline([str(item) for item in header["paths"]], [str(item) for item in header["exclude"]], entries, kept)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Unusable("It is no baseline, or damaged.") from None


def write(path: str, baseline: Baseline) -> None:
    """Put a baseline in its place: all of it or nothing, readable for its owner alone.

    :raises Unusable: where it cannot be written.
    """
    lines = [json.dumps([name, *kept]) for name, kept in sorted(baseline.files.items())]
    lines += [json.dumps([name, version]) for name, version in sorted(baseline.packages.items())]
    header = {"baseline": VERSION, "paths": baseline.paths, "exclude": baseline.exclude, "lines": len(lines)}
    beside = f"{path}.{os.getpid()}.new"
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as handle:
                handle.write("\n".join([json.dumps(header), *lines]) + "\n")
                handle.flush()
                os.fsync(handle.fileno())
            os.rename(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
    except OSError as error:
        raise Unusable(f"It cannot be written: {files.why(error)}") from None
