# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lays the folder of locks and results, and takes results away of entries that are gone. Read from standard input by the system's Python, as root.

The folder above it may be one in which the user can swap names. So everything is done to what was opened, and no link is followed.

usage: results.py FOLDER USER [--check] [NAME...]
       NAME: an entry whose result is kept
"""

import errno
import json
import os
import pwd
import stat
import sys

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Where the engine keeps what it knows: root's, and codex-ops can make files in it. The engine lays it in the same way.
SHARED, SHARED_USER = "/var/lib/codex-ops", "codex-ops"
CODE = "results_unsafe"


def refuse(path, wrong):
    """Stop, with what to do."""
    raise SystemExit(f"{path}: {wrong} Nothing was changed in it. Look who put it there and why, remove it, and run this again. [{CODE}]")


def opened(path, uid, gid, mode, check, above=None):
    """(An open folder with this owner and mode, whether that changed anything). ``None`` in check mode, where there is none.

    :arg above: The folder that holds it, open; without it, the way to *path* is root's alone.
    """
    name, made = (path if above is None else os.path.basename(path)), False
    if not check:
        try:
            os.mkdir(name, 0o700, dir_fd=above)
            made = True
        except FileExistsError:
            pass
    try:
        handle = os.open(name, FOLDER, dir_fd=above)
    except FileNotFoundError:
        return None, True
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            refuse(path, "Expected a folder, not a link or a file.")
        raise
    found = os.fstat(handle)
    # A folder of root's can be given away; one of somebody else's may hold anything.
    if found.st_uid not in (0, uid):
        refuse(path, f"This folder belongs to user {found.st_uid}, expected {uid}.")
    wrong = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (uid, gid, mode)
    if wrong and not check:
        os.fchown(handle, uid, gid)
        os.fchmod(handle, mode)
    return handle, made or wrong


def swept(handle, keep, check):
    """Remove the results in an open folder that are not *keep*'s; their names."""
    gone = sorted(name for name in os.listdir(handle) if name.endswith(".json") and not name.startswith(".") and name[:-5] not in keep)
    gone = [name for name in gone if not stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode)]
    for name in gone if not check else ():
        os.unlink(name, dir_fd=handle)
    return gone


def main(folder, user, check, keep):
    """Do it; what was done, as JSON."""
    try:
        who = pwd.getpwnam(user)
    except KeyError:
        if check:
            return {"changed": True, "removed": []}
        raise SystemExit(f"There is no user {user} on this host.") from None
    above, changed = None, False
    if os.path.dirname(folder) == SHARED:
        above, changed = opened(SHARED, 0, pwd.getpwnam(SHARED_USER).pw_gid, 0o1770, check)
        if above is None:
            return {"changed": True, "removed": []}
    handle, laid = opened(folder, who.pw_uid, who.pw_gid, 0o750, check, above)
    removed = [] if handle is None else swept(handle, keep, check)
    return {"changed": changed or laid or bool(removed), "removed": removed}


if __name__ == "__main__":
    WORDS = [word for word in sys.argv[1:] if word != "--check"]
    if len(WORDS) < 2:
        raise SystemExit(__doc__)
    sys.stdout.write(json.dumps(main(WORDS[0], WORDS[1], "--check" in sys.argv[1:], set(WORDS[2:]))) + "\n")
