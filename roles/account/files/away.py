# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends what the accounts run, and takes the append-only attribute from their log. Read from standard input by the system's Python.

usage: away.py busy|wait|end|ended|open|keep [--check] [COMMENT]
       busy: refuse where an apply was interrupted. wait: until no apply of root's is at work. end: the processes of the users with this COMMENT.
       ended: wait until nothing of the engine is at work any more, and refuse as busy does. open: the log can then be removed. keep: the log is then
       root's alone.
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
#: How long an apply may still be at it, and how long a helper of root's may take to see that its agent was ended; in seconds.
APPLIES, HELPERS = 120.0, 30.0
#: What root runs of the engine: helpers, and the command itself.
ENGINE = "/opt/codex-ops/"
WORKING = ("helpers/apply", "bin/codex-ops")
ROOT = {0}
BACKUPS = "/var/lib/codex-ops/backups"


def numbers(comment):
    """The numbers of the users that are there and have this comment: those that the role made."""
    found = set()
    for name in USERS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        if user.pw_gecos == comment:
            found.add(user.pw_uid)
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


def engine(names):
    """The processes of root's that run one of these programs of the engine."""
    found = []
    for pid in processes(ROOT):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as stream:
                # The interpreter and its options, or sudo and its options, come first.
                words = os.fsdecode(stream.read(4096)).split("\0")[:6]
        except OSError:
            continue
        if any(word.startswith(ENGINE + name) for word in words for name in names):
            found.append(pid)
    return found


def interrupted():
    """The IDs of runs whose apply began and did not come to its end."""
    found = []
    for run in sorted(os.listdir(BACKUPS)) if os.path.isdir(BACKUPS) else ():
        folder = os.path.join(BACKUPS, run)
        if not os.path.lexists(os.path.join(folder, "open")):
            continue
        try:
            with open(os.path.join(folder, "journal.json"), encoding="utf-8") as stream:
                state = json.load(stream)["state"]
        except FileNotFoundError:
            # It had not begun.
            continue
        except (OSError, ValueError, KeyError, TypeError):
            state = "applying"
        if state in ("applying", "restoring"):
            found.append(run)
    return found


def whole(done):
    """Refuse to take away the backups by which an interrupted apply is put right."""
    found = interrupted()
    if found:
        raise SystemExit(
            f"The apply of {', '.join(found)} was interrupted, and only its backup in {BACKUPS} can put its files right. {done} "
            f"Run codex-ops once more on that workspace, which recovers it; or, if its files are of no interest any more, remove the backup's folder. "
            f"Then run this again. [apply_interrupted]"
        )


def wait(names, seconds, check):
    """Wait until root runs none of these programs of the engine any more."""
    until = time.monotonic() + seconds
    while not check:
        left = engine(names)
        if not left:
            return
        if time.monotonic() > until:
            raise SystemExit(
                f"After {seconds:.0f} s root still runs codex-ops: {', '.join(map(str, left))}. The rules of sudo are removed, so nothing new begins; the rest "
                "is there. Wait until that has ended, then run this again. [apply_at_work]"
            )
        time.sleep(0.1)


def end(comment, check):
    """End what the users run: TERM, and KILL to what is left after some seconds."""
    uids = numbers(comment)
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
    changed = False
    if words == ["busy"]:
        # What is at it is waited for later.
        if not engine(WORKING):
            whole("Nothing was changed.")
    elif words == ["wait"]:
        wait(WORKING, APPLIES, check)
    elif words == ["ended"]:
        wait(("helpers/", "bin/codex-ops"), HELPERS, check)
        whole("The rules of sudo are removed, and the rest is there; the roles with present put them back.")
    elif len(words) == 2 and words[0] == "end":
        changed = end(words[1], check)
    elif words in (["open"], ["keep"]):
        changed = log(words == ["keep"], check)
    else:
        raise SystemExit(__doc__)
    sys.stdout.write(json.dumps({"changed": changed}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
