# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that codex-ops may run by sudo: what is refused, with the reason, and the file of /etc/sudoers.d. PRIVATE.

A line of sudoers grants exactly what it says only when the program can do nothing but that. So each command is concrete, and a
program that is known to run what it is told or given, or to write it, is not taken at all. The list of those helps; it cannot be complete.

sudo holds the arguments against the line as one text, joined by blanks: ``purge a b`` also grants ``purge "a b"``. The words of a line
hold no blanks themselves, but the program must not take a word with a blank in it for something else.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._helpers import launchers
from ansible_collections.day2.codex.plugins.module_utils._identities import AGENT, OPS

_KEYS = {"argv", "run_as"}
_MOST, _WORDS, _LONGEST = 100, 40, 400
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_PROGRAM = re.compile(r"(?:/[A-Za-z0-9_.+-]+)+")
_WORD = re.compile(r"[A-Za-z0-9_./@+,:=-]+")
_WILD = re.compile(r"[*?\[\]{}^$]|\\")
_ESCAPED = re.compile(r"[,:=]")
# What distributions put before and behind a name: a platform, a version, a variant.
_PLATFORM = re.compile(r"[a-z0-9_]+-linux-(?:gnu|musl)[a-z0-9_]*-")
_BEHIND = re.compile(r"-[a-z0-9_]+-linux-(?:gnu|musl)[a-z0-9_]*\Z")
_VARIANT = re.compile(r"(?:[-.]?(?:[0-9][0-9.]*|static|tiny|basic|nox|gtk3?|gnome|athena|dynamic|traditional|openbsd|real|dbg))+\Z")

#: What is never taken, by code: why, and the programs by the name under which every distribution has them.
REFUSED: dict[str, tuple[str, str]] = {
    "sudo_shell": (
        "it is a shell, which runs whatever it is told",
        "sh bash dash zsh ksh ksh93 mksh lksh oksh pdksh csh tcsh fish ash busybox toybox rbash rksh rzsh yash posh elvish xonsh nu nush pwsh sash "
        "sulogin screen tmux byobu dtach abduco script scriptreplay expect mc git-shell lxsh rc es osh ysh",
    ),
    "sudo_editor": (
        "it is an editor, which writes any file and opens a shell",
        "vi vim nvim view vimdiff rvim rview ex gvim nano rnano pico emacs emacsclient ed red joe jed jmacs jpico jstar rjoe micro mcedit ne nvi "
        "vipe elvis vis kak kakoune hx helix editor sensible-editor select-editor sudoedit visudo vipw zile mg tilde edit code gedit kate vimtutor crontab",
    ),
    "sudo_pager": (
        "it is a pager, which opens a shell",
        "less more most pg lessfile lesspipe pager sensible-pager man mandb info pinfo zless zmore bzless bzmore xzless xzmore bat batcat w3m lynx "
        "links elinks pydoc perldoc bpftool top htop atop btop nmtui sensible-browser www-browser x-www-browser apachectl apache2ctl service "
        "systemd-cgls systemd-delta userdbctl portablectl dmesg homectl busctl oomctl",
    ),
    "sudo_interpreter": (
        "it is an interpreter, which runs whatever it is told",
        "python pypy perl ruby irb erb lua luajit luac tclsh wish php php-fpm phpdbg node nodejs deno bun guile racket clisp sbcl scheme gawk mawk "
        "awk nawk original-awk sed ssed bc dc m4 java jshell jrunscript jjs groovy scala kotlin julia octave r rscript ghci runghc runhaskell erl "
        "elixir iex gdb lldb rlwrap gnuplot psql mysql mariadb sqlite sqlite3 mongo mongosh redis-cli cqlsh gcc cc g++ c++ clang tcc go rustc cargo "
        "ghc ocaml swipl maxima ansible ansible-playbook ansible-console ansible-pull salt-call puppet chef-client chef-solo cfagent cobc gimp",
    ),
    "sudo_runs_others": (
        "it runs other programs, whichever it is told",
        "env xargs find fd fdfind nice ionice nohup setsid timeout time stdbuf watch parallel taskset numactl chrt flock chroot unshare nsenter "
        "login sg newgrp openvt gosu su-exec chpst setuidgid setlock envdir envuidgid runcon aa-exec tini dumb-init chronic pee ts wg-quick k3s k0s "
        "minikube podman-compose docker-compose podman-remote slogin autossh ssh-copy-id sshfs ssh-import-id "
        "setpriv runuser su sudo doas pkexec run0 capsh start-stop-daemon daemon systemd-run systemd-nspawn systemd-inhibit systemd-cat machinectl at "
        "batch atd run-parts make gmake cmake ninja rake ant mvn gradle strace ltrace perf valgrind ld.so ld-linux.so ld-linux-x86-64.so hping3 socat "
        "nc ncat netcat telnet ssh sshpass scp sftp rsync ftp lftp tftp curl wget aria2c mosh rsh rlogin docker podman nerdctl ctr crictl runc crun "
        "buildah kubectl oc helm lxc lxc-attach incus virsh qemu qemu-system-x86_64 vagrant terraform git hg svn cvs bzr fossil apt apt-get aptitude "
        "dpkg dnf yum rpm zypper microdnf snap flatpak pip pip3 pipx npm npx yarn pnpm gem bundle composer cpan conda uv poetry tcpdump tshark "
        "dumpcap wireshark nmap zip ssh-agent ssh-add ssh-keygen openvpn gdbus dbus-send cron crond anacron exim4 sendmail mail mailx mutt "
        "crash cpio pax tar bsdtar star unzip 7z 7za 7zr rar unrar catchsegv choom cpulimit softlimit unbuffer xterm xvfb-run dbus-run-session "
        "dbus-launch prlimit linux32 linux64 setarch i386 x86_64 faketime fakeroot proot bwrap firejail eatmydata update-alternatives whiptail dialog",
    ),
    "sudo_writes_files": (
        "it writes files or changes rights, so what it is given becomes root's",
        "cp mv dd tee install ln link rm unlink shred truncate chmod chown chgrp chattr setfacl setcap mknod mkfifo mount umount losetup swapon patch "
        "sponge rename rename.ul mkfs mke2fs fsck debugfs xfs_db btrfs parted fdisk sfdisk passwd chpasswd chsh chfn useradd usermod userdel groupadd "
        "groupmod groupdel gpasswd newusers adduser addgroup deluser delgroup pwconv chage insmod modprobe rmmod kmod kexec "
        "debconf-set-selections update-initramfs systemd-tmpfiles systemd-sysusers dump restore xfsdump xfsrestore mt genisoimage xorriso mkisofs",
    ),
}
_WHY = {name: (code, why) for code, (why, names) in REFUSED.items() for name in names.split()}
#: What systemctl does without a pager, an editor or another program of the caller's choice.
_SYSTEMCTL = "start stop restart reload try-restart reload-or-restart try-reload-or-restart is-active is-enabled is-failed reset-failed".split()
_UNIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@:-]*")
#: Words by which programs read commands from standard input, or ask for them.
_ASKS = {"-", "-i", "--interactive", "-batch", "--batch", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}
#: What codex-ops can write, so that a program must not read it as root.
_WRITABLE = re.compile(
    r"(?:^|^-[A-Za-z]|[=:,@])"
    r"/(?:var/lib/codex-ops(?:-schedule)?|(?:var/)?run/lock/codex-ops|var/lock/codex-ops|run/user|var/tmp|tmp|dev/shm)(?![A-Za-z0-9_.+-])"
)


def _refused(where: str, message: str, code: str, hint: str) -> CodexOpsError:
    return CodexOpsError(message, code=code, outcome="rejected", where=where, hint=hint)


def commands(given: t.Any, real: t.Mapping[str, str] | None = None) -> list[dict[str, t.Any]]:
    """*given* as a list of ``{"argv": [words], "run_as": user, "line": what stands behind ALL= in sudoers}``.

    :arg given: A list of commands, each a list of words, or a dictionary with ``argv`` and ``run_as``.
    :arg real: Programs, and where their links lead on the host; the name behind a link is held against the list, too.
    :raises CodexOpsError: for what sudoers must not grant: where, why, and a code of :data:`REFUSED` or ``sudo_invalid``, ``sudo_relative``,
        ``sudo_wildcard``, ``sudo_exclusion``, ``sudo_all``, ``sudo_characters``, ``sudo_run_as``, ``sudo_asks`` or ``sudo_writable``.
    """
    if not isinstance(given, list) or len(given) > _MOST:
        raise _refused("commands", f"expected a list of up to {_MOST} commands, found {type(given).__name__}.", "sudo_invalid", "Give one list of words each.")
    found = []
    for number, entry in enumerate(given):
        where = f"commands[{number}]"
        if isinstance(entry, dict):
            unknown = sorted(str(key) for key in set(entry) - _KEYS)
            if unknown:
                raise _refused(where, f"unknown key {unknown[0]!r}.", "sudo_invalid", "A command has argv, and run_as where it is not root's.")
            argv, run_as = entry.get("argv"), entry.get("run_as", "root")
        else:
            argv, run_as = entry, "root"
        _check_words(where, argv)
        words = t.cast("list[str]", argv)
        _check_program(where, words)
        _check_name(where, (real or {}).get(words[0], words[0]), f"{words[0]}, which is {(real or {}).get(words[0])} on this host,")
        _check_run_as(where, run_as)
        found.append({"argv": words, "run_as": run_as, "line": _line(words, str(run_as))})
    return found


def _check_words(where: str, argv: t.Any) -> None:
    if not isinstance(argv, list) or not argv or len(argv) > _WORDS or not all(isinstance(word, str) for word in argv):
        raise _refused(where, "expected a list of words, the program first.", "sudo_invalid", "Write [/usr/bin/systemctl, restart, inbox], each word a text.")
    for number, word in enumerate(argv):
        place = f"{where}[{number}]"
        shown = ascii(word[:60])
        if word.startswith("!"):
            message, code = f"{shown} excludes: sudoers would grant everything else, and names for it are always found.", "sudo_exclusion"
        elif word == "ALL" or (not number and word.startswith("ALL")):
            message, code = "ALL grants every command.", "sudo_all"
        elif not number and "/" not in word and word in _WHY:
            raise _refused(place, f"{shown} is refused: {_WHY[word][1]}.", _WHY[word][0], _hint())
        elif not number and not word.startswith("/"):
            message, code = f"{shown} is not an absolute path, so PATH would decide which program it is.", "sudo_relative"
        elif _WILD.search(word):
            message, code = f"{shown} holds a wildcard or a sign of a pattern, so it stands for more than one command.", "sudo_wildcard"
        elif not (_WORD if number else _PROGRAM).fullmatch(word) or len(word) > _LONGEST:
            message, code = f"{shown} holds something that sudoers could take for something else, or it is too long.", "sudo_characters"
        elif number and word in _ASKS:
            message, code = f"{shown} lets a program read what it does from standard input, or ask for it.", "sudo_asks"
        elif number and _WRITABLE.search(word):
            message, code = f"{shown} names a place that codex-ops can write, so it could decide what the program reads there.", "sudo_writable"
        elif ".." in word.split("/") or "." in word.split("/")[1:]:
            message, code = f"{shown} does not say where it leads.", "sudo_relative"
        else:
            continue
        raise _refused(place, message, code, _hint())


def _hint() -> str:
    return (
        "Grant one concrete command, word by word; of letters, digits and _ . / @ + - , : = only. For anything else write a program of root's that does "
        "just that, and grant it without arguments."
    )


def _check_name(where: str, path: str, shown: str) -> None:
    name = path.rsplit("/", 1)[1].lower()
    plain = _BEHIND.sub("", _PLATFORM.sub("", name, count=1))
    for known in (name, plain, _VARIANT.sub("", plain)):
        if known.endswith(("-restore", "-restore-translate")):
            code, why = "sudo_writes_files", "it takes whatever it is given by standard input for rules"
        elif known in _WHY:
            code, why = _WHY[known]
        else:
            continue
        raise _refused(f"{where}[0]", f"{ascii(shown)[1:-1]} is refused: {why}.", code, _hint())


def _check_program(where: str, argv: list[str]) -> None:
    name = argv[0].rsplit("/", 1)[1].lower()
    _check_name(where, argv[0], argv[0])
    if name == "ipset" and "restore" in argv:
        raise _refused(where, "ipset restore takes its rules from standard input.", "sudo_asks", _hint())
    rest = [word for word in argv[1:] if word != "--no-pager"]
    if name == "systemctl":
        options = [word for word in rest if word.startswith("-")]
        units = [word for word in rest[1:] if not word.startswith("-")]
        fine = rest and rest[0] in _SYSTEMCTL and units and set(options) <= {"--quiet", "--no-block"} and all(map(_UNIT.fullmatch, units))
        if not fine:
            raise _refused(
                where,
                f"{' '.join(argv)[:120]} is refused: systemctl opens a pager or an editor, or takes units and files from elsewhere, with other words.",
                "sudo_pager",
                f"Grant systemctl with one of {', '.join(_SYSTEMCTL)} and the names of units; of options only --quiet, --no-block and --no-pager.",
            )
    elif name in ("journalctl", "loginctl", "timedatectl", "hostnamectl", "localectl", "networkctl", "resolvectl", "coredumpctl", "systemd-analyze"):
        if "--no-pager" not in argv or name == "coredumpctl":
            raise _refused(where, f"{argv[0]} is refused: it opens a pager, and a pager opens a shell.", "sudo_pager", "Add the word --no-pager.")


def _check_run_as(where: str, run_as: t.Any) -> None:
    if not isinstance(run_as, str) or not _USER.fullmatch(run_as) or run_as in (OPS, AGENT):
        raise _refused(
            f"{where}.run_as",
            f"expected the name of one user other than {OPS} and {AGENT}, found {ascii(run_as)[:60]}.",
            "sudo_run_as",
            "Leave it out for root. Neither ALL nor a number nor a group is taken.",
        )


def _line(argv: list[str], run_as: str) -> str:
    # Without arguments sudoers would take any.
    arguments = " ".join(_ESCAPED.sub(r"\\\g<0>", word) for word in argv[1:]) or '""'
    return f"({run_as}) NOPASSWD: NOSETENV: {argv[0]} {arguments}"


def sudoers(given: t.Any, real: t.Mapping[str, str] | None = None) -> str:
    """The whole file: root's helpers, then *given*. :raises CodexOpsError: as :func:`commands` does."""
    return launchers.sudoers([command["line"] for command in commands(given, real)])
