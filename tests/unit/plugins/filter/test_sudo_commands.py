# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sudoers grants is one concrete command, and what could be more is refused with its reason."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.filter.sudo_commands import FilterModule
from ansible_collections.day2.codex.plugins.plugin_utils._sudo import REFUSED

sudo_commands = FilterModule().filters()["sudo_commands"]
RESTART = ["/usr/bin/systemctl", "restart", "inbox.service"]


def _line(*argv: str, **more: str) -> str:
    return t.cast("str", sudo_commands([{"argv": list(argv), **more}])[0]["line"])


def test_a_command_is_granted_word_by_word() -> None:
    assert _line(*RESTART) == "(root) NOPASSWD: NOSETENV: /usr/bin/systemctl restart inbox.service"
    assert _line("/usr/local/sbin/purge", "a=1,2:3", run_as="inbox") == r"(inbox) NOPASSWD: NOSETENV: /usr/local/sbin/purge a\=1\,2\:3"


def test_a_command_without_arguments_takes_none() -> None:
    assert _line("/usr/local/sbin/purge").endswith('/usr/local/sbin/purge ""')


def test_the_file_holds_the_helpers_and_the_commands_and_visudo_takes_it(tmp_path: pathlib.Path) -> None:
    text = sudo_commands([RESTART, {"argv": ["/usr/local/sbin/purge", "a=1,2:3"], "run_as": "inbox"}], as_file=True)
    lines = [line for line in text.splitlines() if not line.startswith(("#", "Defaults"))]
    assert lines[0].count('""') == 3 and lines[1:] == [
        f"codex-ops ALL={_line(*RESTART)}",
        f"codex-ops ALL={_line('/usr/local/sbin/purge', 'a=1,2:3', run_as='inbox')}",
    ]
    assert 'Defaults:codex-ops secure_path="/usr/sbin:/usr/bin:/sbin:/bin"' in text
    visudo = shutil.which("visudo", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if visudo:
        path = tmp_path / "sudoers"
        path.write_text(text, "utf-8")
        path.chmod(0o440)
        done = subprocess.run([visudo, "-csf", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


#: A code, and what it is given for.
BAD: list[tuple[str, t.Any]] = [
    ("sudo_wildcard", ["/usr/local/sbin/purge", "*"]),
    ("sudo_wildcard", ["/usr/local/sbin/*"]),
    ("sudo_wildcard", ["/usr/local/sbin/purge", "^a.b$"]),
    ("sudo_wildcard", ["/usr/local/sbin/purge", "[a-z]"]),
    ("sudo_wildcard", ["/usr/local/sbin/purge", "a\\ b"]),
    ("sudo_exclusion", ["!/usr/bin/su"]),
    ("sudo_exclusion", ["/usr/local/sbin/purge", "!all"]),
    ("sudo_relative", ["systemctl", "restart", "inbox"]),
    ("sudo_relative", ["./purge"]),
    ("sudo_relative", ["/usr/local/sbin/../bin/purge"]),
    ("sudo_relative", ["/usr/local/./sbin/purge"]),
    ("sudo_relative", ["/usr/local/sbin/purge", "../../etc"]),
    ("sudo_relative", [""]),
    ("sudo_all", ["ALL"]),
    ("sudo_all", ["/usr/local/sbin/purge", "ALL"]),
    ("sudo_editor", ["sudoedit", "/etc/motd"]),
    ("sudo_characters", ["/usr/local/sbin/"]),
    ("sudo_characters", ["/usr//local/purge"]),
    ("sudo_characters", ["/usr/local/sbin/purge", "a b"]),
    ("sudo_characters", ["/usr/local/sbin/purge", ""]),
    ("sudo_characters", ["/usr/local/sbin/purge", "a\nALL"]),
    ("sudo_characters", ["/usr/local/sbin/purge\n"]),
    ("sudo_characters", ["/usr/local/sbin/purge", "\x1b2J"]),
    ("sudo_characters", ["/usr/local/sbin/purge", "\u202ea"]),
    ("sudo_characters", ["/usr/local/sbin/purge", "#include"]),
    ("sudo_characters", ["/usr/local/sbin/purge", "a" * 401]),
    ("sudo_characters", ["/usr/local/sbin/purge", "%wheel"]),
    ("sudo_shell", ["/bin/bash"]),
    ("sudo_shell", ["/usr/bin/bash-static", "-c", "id"]),
    ("sudo_interpreter", ["/usr/bin/python3.11", "-I"]),
    ("sudo_interpreter", ["/usr/bin/python3-dbg"]),
    ("sudo_interpreter", ["/usr/bin/perl5.36.0"]),
    ("sudo_interpreter", ["/usr/bin/pypy3"]),
    ("sudo_interpreter", ["/usr/bin/x86_64-linux-gnu-gcc-12"]),
    ("sudo_editor", ["/usr/bin/vim.tiny", "/etc/motd"]),
    ("sudo_editor", ["/usr/bin/VIM"]),
    ("sudo_pager", ["/usr/bin/less", "/var/log/syslog"]),
    ("sudo_pager", ["/usr/bin/journalctl", "-u", "inbox"]),
    ("sudo_pager", ["/usr/bin/systemctl", "status", "inbox"]),
    ("sudo_pager", ["/usr/bin/systemctl", "restart"]),
    ("sudo_pager", ["/usr/bin/systemctl", "edit", "inbox"]),
    ("sudo_pager", ["/usr/bin/systemctl", "start", "/srv/evil.service"]),
    ("sudo_pager", ["/usr/bin/systemctl", "restart", "inbox", "--host=x"]),
    ("sudo_runs_others", ["/usr/bin/env", "id"]),
    ("sudo_runs_others", ["/usr/bin/find", "/srv"]),
    ("sudo_runs_others", ["/usr/bin/xargs"]),
    ("sudo_runs_others", ["/usr/bin/tar", "-cf", "/backup.tar", "/srv"]),
    ("sudo_runs_others", ["/usr/bin/systemd-run", "id"]),
    ("sudo_writes_files", ["/usr/bin/tee", "/etc/motd"]),
    ("sudo_writes_files", ["/usr/bin/chmod", "u+s", "/srv/x"]),
    ("sudo_interpreter", ["/usr/bin/perl5.36-x86_64-linux-gnu"]),
    ("sudo_runs_others", ["/usr/bin/login", "-f", "root"]),
    ("sudo_runs_others", ["/usr/bin/docker-compose"]),
    ("sudo_pager", ["/usr/sbin/service", "inbox", "status"]),
    ("sudo_pager", ["/usr/bin/dmesg", "-H"]),
    ("sudo_writes_files", ["/usr/sbin/ip6tables-restore"]),
    ("sudo_writes_files", ["/usr/sbin/iptables-legacy-restore"]),
    ("sudo_asks", ["/usr/sbin/nft", "-i"]),
    ("sudo_asks", ["/usr/sbin/ip", "-batch", "-"]),
    ("sudo_asks", ["/usr/sbin/nft", "-f", "/dev/stdin"]),
    ("sudo_asks", ["/usr/sbin/ipset", "restore"]),
    ("sudo_writable", ["/usr/sbin/logrotate", "/var/lib/codex-ops/runs/x"]),
    ("sudo_writable", ["/usr/sbin/nft", "-f", "/tmp/rules"]),
    ("sudo_writable", ["/usr/sbin/sysctl", "--load=/var/tmp/x"]),
    ("sudo_writable", ["/usr/sbin/sshd", "-f/dev/shm/x"]),
    ("sudo_invalid", []),
    ("sudo_invalid", "/usr/bin/systemctl restart inbox"),
    ("sudo_invalid", ["/usr/local/sbin/purge", 7]),
    ("sudo_invalid", {"argv": ["/usr/local/sbin/purge"], "runas": "root"}),
    ("sudo_invalid", {}),
    *(
        ("sudo_run_as", {"argv": RESTART, "run_as": who})
        for who in ("ALL", "#0", "%wheel", "root:root", "codex-agent", "codex-ops", "", "a, b", None, "root\n")
    ),
]


@pytest.mark.parametrize(("code", "command"), BAD)
def test_what_could_be_more_is_refused(code: str, command: t.Any) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        sudo_commands([RESTART, command])
    said = str(refused.value)
    assert said.endswith(f"[{code}]") and "commands[1]" in said and said.isprintable(), said


@pytest.mark.parametrize(("code", "name"), [(code, name) for code, (_why, names) in REFUSED.items() for name in names.split()])
def test_every_listed_program_is_refused_wherever_it_lies(code: str, name: str) -> None:
    for path in (f"/usr/bin/{name}", f"/opt/{name}", f"/usr/bin/{name}-9.1" if name[-1] not in ".0123456789" else f"/bin/{name}"):
        with pytest.raises(AnsibleFilterError, match=r"\[sudo_"):
            sudo_commands([[path]])
    assert code in REFUSED


def test_the_name_behind_a_link_on_the_host_is_held_against_the_list() -> None:
    for leads, code in (("/usr/bin/vim.basic", "sudo_editor"), ("/usr/bin/busybox", "sudo_shell"), ("/usr/bin/perl5.36-x86_64-linux-gnu", "sudo_interpreter")):
        with pytest.raises(AnsibleFilterError, match=rf"{leads} on this host.*\[{code}\]"):
            sudo_commands([["/usr/local/sbin/purge"]], as_file=True, real={"/usr/local/sbin/purge": leads})
    assert sudo_commands([["/usr/sbin/reboot"]], real={"/usr/sbin/reboot": "/usr/bin/systemctl"})[0]["line"].endswith('/usr/sbin/reboot ""')


def test_no_program_is_listed_twice() -> None:
    names = [name for _why, listed in REFUSED.values() for name in listed.split()]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("argv", [RESTART, ["/usr/bin/systemctl", "--no-pager", "is-active", "inbox", "web"],
                                  ["/usr/bin/journalctl", "--no-pager", "-u", "inbox"],
                                  ["/usr/sbin/nft", "list", "ruleset"], ["/usr/local/sbin/reload-2"], ["/usr/sbin/nft", "-f", "/etc/nftables.conf"],
                                  ["/usr/local/sbin/purge", "/srv/tmp/x", "/var/lib/codex-ops-other"], ["/usr/sbin/smartctl", "-a", "/dev/sda"]])  # fmt: skip
def test_a_concrete_command_is_granted(argv: list[str]) -> None:
    assert sudo_commands([argv])[0]["argv"] == argv


@pytest.mark.parametrize("given", [None, "ALL", {"argv": RESTART}, [RESTART] * 101, 7])
def test_what_is_no_list_of_commands_is_refused(given: t.Any) -> None:
    with pytest.raises(AnsibleFilterError, match="sudo_invalid"):
        sudo_commands(given)
