# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends what the accounts run, and takes the append-only attribute from their log. Read from standard input by the system's Python.

usage: away.py end|open|keep [--check]
       end: the processes. open: the log can then be removed. keep: the log is then root's alone.
"""

import fcntl
import json
import os
import pwd
import signal
import stat
import struct
import sys
import time

USERS = ("codex-ops", "codex-agent")
LOG = "/var/log/codex-ops"
GETFLAGS, SETFLAGS, APPEND = 0x80086601, 0x40086602, 0x20
PATIENCE = 5.0


def numbers():
    """The numbers of the users that are there."""
    found = set()
    for name in USERS:
        try:
            found.add(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    return found - {0}


def processes(uids):
    """The processes of *uids*, by real, effective or saved number; zombies are none."""
    found = []
    for word in os.listdir("/proc") if uids else ():
        if not word.isdigit():
            continue
        try:
            with open(f"/proc/{word}/status", encoding="utf-8", errors="replace") as stream:
                lines = dict(line.split(":", 1) for line in stream if ":" in line)
        except OSError:
            continue
        if uids.intersection(int(number) for number in lines["Uid"].split()) and lines["State"].split()[0] not in "ZX":
            found.append(int(word))
    return found


def end(check):
    """End them: TERM, and KILL to what is left after some seconds."""
    uids = numbers()
    first = processes(uids)
    if check or not first:
        return bool(first)
    until, number = time.monotonic() + PATIENCE, signal.SIGTERM
    left = first
    while left:
        for pid in left:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
        left = processes(uids)
        if time.monotonic() > until:
            if number == signal.SIGKILL:
                raise SystemExit(f"These processes of {' and '.join(USERS)} cannot be ended: {', '.join(map(str, left))}.")
            until, number = time.monotonic() + PATIENCE, signal.SIGKILL
    return True


def attribute(handle, wanted):
    """Set the append-only attribute of an open file, or take it away; whether that changed it."""
    try:
        flags = struct.unpack("l", fcntl.ioctl(handle, GETFLAGS, struct.pack("l", 0)))[0]
        if bool(flags & APPEND) == wanted:
            return False
        fcntl.ioctl(handle, SETFLAGS, struct.pack("l", flags | APPEND if wanted else flags & ~APPEND))
    except OSError:
        return False
    return True


def log(keep, check):
    """Open the log for its removal, or keep it for root alone."""
    try:
        folder = os.open(LOG, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    changed = False
    for name in sorted(os.listdir(folder)):
        if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            continue
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            changed = owned(handle, 0o600, check) or changed if keep else (not check and attribute(handle, False)) or changed
        finally:
            os.close(handle)
    if keep:
        changed = owned(folder, 0o700, check) or changed
    return changed


def owned(handle, mode, check):
    """Make an open file or folder root's alone; whether it was not."""
    found = os.fstat(handle)
    if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (0, 0, mode):
        return False
    if not check:
        had = attribute(handle, False)
        os.fchown(handle, 0, 0)
        os.fchmod(handle, mode)
        if had:
            attribute(handle, True)
    return True


def main(words):
    """Do what the command line asks for, and say whether anything changed, as JSON."""
    check = "--check" in words
    words = [word for word in words if word != "--check"]
    if words not in (["end"], ["open"], ["keep"]):
        raise SystemExit(__doc__)
    changed = end(check) if words == ["end"] else log(words == ["keep"], check)
    sys.stdout.write(json.dumps({"changed": changed}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
