# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The users of a provisioned host, and how root becomes one of them. PRIVATE.

A host is provisioned when the user ``codex-ops`` exists: then the engine works as that user, Codex as ``codex-agent``, and only
three small helpers as root.
"""

from __future__ import annotations

import os
import pwd
import stat
import typing as t

#: Collects, plans, runs the relay. No live file is writable to it.
OPS = "codex-ops"
#: Runs Codex. It may do nothing.
AGENT = "codex-agent"
_LINKS_AT_MOST = 40


class Account(t.NamedTuple):
    """A user of this host, by name and numbers."""

    name: str
    uid: int
    gid: int


def account(name: str) -> Account | None:
    """The user *name*; ``None`` where there is none. One with root's numbers is none of ours."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, found.pw_uid, found.pw_gid) if found.pw_uid and found.pw_gid else None


def become(who: Account) -> None:
    """Make this process *who* for good: no other groups, no way back, no capability.

    :raises OSError: when that cannot be had; the process may then be anything in between, and must end.
    """
    os.setgroups([])
    os.setresgid(who.gid, who.gid, who.gid)
    os.setresuid(who.uid, who.uid, who.uid)
    if os.getresuid() != (who.uid,) * 3 or os.getresgid() != (who.gid,) * 3 or os.getgroups():
        raise PermissionError(1, f"This process could not become {who.name}")


def foreign_part(path: str) -> str | None:
    """The first part on the way to *path*, links followed, that somebody besides root could change; ``None`` when there is none.

    :raises OSError: when a part is missing.
    """
    here, parts, links = "/", [part for part in reversed(path.split("/")) if part not in ("", ".")], 0
    while True:
        found = os.lstat(here)
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if found.st_uid != 0 or links > _LINKS_AT_MOST:
                return here
            target = os.readlink(here)
            parts += [part for part in reversed(target.split("/")) if part not in ("", ".")]
            here = "/" if target.startswith("/") else os.path.dirname(here)
            found = os.lstat(here)
        if found.st_uid != 0 or (found.st_mode & 0o022 and not (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX)):
            return here
        if not parts:
            return None
        part = parts.pop()
        here = os.path.dirname(here) if part == ".." else os.path.join(here, part)
