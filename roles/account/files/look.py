# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks whether a host can have the accounts, and changes nothing. Read from standard input by the system's Python, an old one too.

usage: look.py COMMENT [COMMAND...]
       COMMAND: a program and its arguments, as a list in JSON
"""

import grp
import json
import os
import platform
import pwd
import re
import stat
import subprocess
import sys
import warnings

USERS = ("codex-ops", "codex-agent")
# A path that is a word, or stands behind a sign or a short option in it: to the end of the word, and to the next sign.
PATHS = re.compile(r"(?:\A(?:-[A-Za-z])?|[=:,@])(?=(/.*))(/[^=:,@]*)", re.DOTALL)
SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = ("git", "sudo", "visudo", "ssh-keygen")
CLOSED = ("nologin", "false")
NO_LOGIN = ("/usr/sbin/nologin", "/sbin/nologin", "/usr/bin/false", "/bin/false")


def which(name):
    """The absolute path of a program, or None."""
    for folder in SBIN.split(":"):
        path = folder + "/" + name
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return None


def foreign_part(path):
    """The first part on the way to *path*, links followed, that somebody besides root could change, or None."""
    here, parts, links = "/", [part for part in reversed(path.split("/")) if part not in ("", ".")], 0
    while True:
        found = os.lstat(here)
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if found.st_uid != 0 or links > 40:
                return here
            target = os.readlink(here)
            parts += [part for part in reversed(target.split("/")) if part not in ("", ".")]
            here = "/" if target.startswith("/") else os.path.dirname(here)
            found = os.lstat(here)
        if found.st_uid != 0 or found.st_mode & 0o022 and not (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
            return here
        if not parts:
            return None
        part = parts.pop()
        here = os.path.dirname(here) if part == ".." else os.path.join(here, part)


def program(path):
    """What is wrong with a program that sudo is to run as root, or None."""
    try:
        part = foreign_part(path)
        if part is not None:
            return "sudo_writable", part + " could be changed by somebody besides root"
        if not stat.S_ISREG(os.stat(path).st_mode) or not os.access(path, os.X_OK):
            return "sudo_missing", "it is no program"
        with open(path, "rb") as stream:
            first = stream.readline(300)
        if first.startswith(b"#!"):
            runs = first[2:].split()
            part = foreign_part(os.fsdecode(runs[0])) if runs else path
            if part is not None:
                return "sudo_writable", "it is run by " + part + ", which could be changed by somebody besides root"
    except OSError as error:
        return "sudo_missing", f"{error.filename or path}: {error.strerror}"
    return None


def argument(word):
    """What is wrong with the paths in an argument of such a program, or None. A missing one is held to the folders above it."""
    for path in [found for whole, first in PATHS.findall(word) for found in (whole, first)]:
        try:
            part = foreign_part(path)
        except OSError:
            continue
        if part is not None and not stat.S_ISCHR(os.stat(part).st_mode):
            return "sudo_writable", f"its argument {word}: {part} could be changed by somebody besides root"
    return None


def people(name, comment):
    """Why an account that is there already cannot be ours, or None."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        try:
            group = grp.getgrnam(name)
        except KeyError:
            return None
        if group.gr_gid == 0 or group.gr_mem:
            return f"there is a group of that name, with the number {group.gr_gid} and the members {', '.join(group.gr_mem) or 'none'}"
        return None
    if found.pw_uid == 0 or found.pw_gid == 0:
        return "it has root's number of user or group"
    for other in pwd.getpwall():
        if other.pw_name == name:
            continue
        if other.pw_uid == found.pw_uid:
            return f"the user {other.pw_name} has the same number, {found.pw_uid}"
        if other.pw_gid == found.pw_gid:
            return f"its group is also the group of the user {other.pw_name}"
    members = grp.getgrgid(found.pw_gid).gr_mem
    if [member for member in members if member != name]:
        return f"its group has other members: {', '.join(members)}"
    if found.pw_gecos == comment:
        # One of ours; whatever was changed is put right.
        return None
    if os.path.basename(found.pw_shell) not in CLOSED:
        return f"somebody can log in with it (shell {found.pw_shell})"
    if found.pw_dir not in ("/nonexistent", "/", "/dev/null") and os.path.isdir(found.pw_dir):
        return f"it has a home, {found.pw_dir}"
    return None


def stranger(name, comment):
    """Why an account must not be removed by us, or None: it is somebody else's, or was never ours."""
    why = people(name, comment)
    if why is None and any(user.pw_name == name and user.pw_gecos != comment for user in pwd.getpwall()):
        return f"the role did not make it (its comment is not {comment})"
    return why


def jsonschema():
    """Whether the engine's interpreter finds it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import jsonschema as found

            version = found.__version__
    except ImportError:
        return False
    return tuple(int(part) for part in version.split(".")[:2]) >= (3, 2)


def family():
    """The family of the distribution, as Ansible calls it, or None."""
    words = set()
    try:
        with open("/etc/os-release", encoding="utf-8") as stream:
            for line in stream:
                name, _sign, value = line.strip().partition("=")
                if name in ("ID", "ID_LIKE"):
                    words.update(value.strip("\"'").split())
    except OSError:
        return None
    for known, names in (("Debian", ("debian", "ubuntu")), ("RedHat", ("rhel", "fedora", "centos")), ("Suse", ("suse", "opensuse", "sles"))):
        if words.intersection(names):
            return known
    return None


def systemd():
    """The version of systemd that runs this host, 0 where it does not."""
    if not os.path.isdir("/run/systemd/system"):
        return 0
    done = subprocess.run(["systemctl", "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    words = done.stdout.decode("utf-8", "replace").split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 1


def main(comment, commands):
    """What was found, as JSON."""
    programs = [argv[0] for argv in commands]
    tools = {name: which(name) for name in TOOLS}
    refused = [(name, people(name, comment)) for name in USERS]
    wrong = [(path,) + tuple(program(path) or ()) for path in programs]
    wrong += [(argv[0],) + (argument(word) or ()) for argv in commands for word in argv[1:]]
    python = foreign_part(sys.executable) if sys.executable else "/"
    return {
        "accounts": [f"The user {name} cannot be used: {why}." for name, why in refused if why],
        "strangers": [f"{name}: {why}." for name, why in ((name, stranger(name, comment)) for name in USERS) if why],
        "programs": [f"{item[0]} is refused: {item[2]}. [{item[1]}]" for item in wrong if len(item) > 1],
        "real": {path: os.path.realpath(path) for path in programs},
        "missing": sorted([name for name, path in tools.items() if path is None] + ([] if jsonschema() else ["jsonschema"])),
        "tools": tools,
        "linux": platform.system() == "Linux",
        "python": sys.version_info[:2] >= (3, 9),
        "version": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "foreign": python,
        "nologin": next((path for path in NO_LOGIN if os.access(path, os.X_OK)), None),
        "systemd": systemd(),
        "family": family(),
        "there": [name for name in USERS if any(name == user.pw_name for user in pwd.getpwall())],
        "files": {path: os.path.lexists(path) for path in ("/etc/cron.allow", "/etc/cron.deny", "/etc/at.allow", "/etc/at.deny", "/etc/subuid", "/etc/subgid")},
    }


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.stderr.write(__doc__ or "")
        sys.exit(2)
    sys.stdout.write(json.dumps(main(sys.argv[1], [json.loads(word) for word in sys.argv[2:]])) + "\n")
