# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of a provisioned host is root's: root alone rotates it, codex-ops goes on in the new file, and what is altered is put right."""

from __future__ import annotations

import json

from .host import PYTHON, Host

LOG = "/var/log/codex-ops/audit.jsonl"
COMMAND = "import sys; sys.path.insert(0, '/opt/codex-ops/current'); from codex_ops._cli.main import main; sys.exit(main(sys.argv[1:]))"


def _codex_ops(host: Host, *argv: str, user: str = "root") -> tuple[int, str]:
    done = host.run(PYTHON, "-IBc", COMMAND, *argv, user=user)
    return done.status, done.text


def _files(host: Host) -> dict[str, str]:
    """Owner, mode and attribute of every file of the log."""
    lines = host.must("sh", "-c", f"stat -c '%n %U:%G %a' {LOG}*").splitlines()
    return {name: f"{rest} {'+a' if 'a' in host.must('lsattr', name).split()[0] else '-a'}" for name, rest in (line.split(" ", 1) for line in lines)}


def test_root_rotates_and_codex_ops_goes_on(host: Host) -> None:
    host.plan()
    records = host.read(LOG).count("\n")
    status, said = _codex_ops(host, "audit", "rotate", user="codex-ops")
    assert status == 1 and "root's to do" in said
    assert _files(host) == {LOG: "root:codex-ops 660 +a"}
    assert _codex_ops(host, "audit", "rotate")[0] == 0
    both = {LOG: "root:codex-ops 660 +a", f"{LOG}.000000000001": "root:codex-ops 640 +a"}
    assert _files(host) == both
    # Nothing but the chain leads from one file to the other.
    host.plan()
    assert host.run("sh", "-c", f"echo >> {LOG}.000000000001", user="codex-ops").status != 0
    for user in ("root", "codex-ops"):
        status, said = _codex_ops(host, "audit", "verify", "--json", user=user)
        assert status == 0, said
    assert json.loads(said)["verified"] and host.read(LOG).count("\n") > 0 and host.read(f"{LOG}.000000000001").count("\n") == records
    assert _files(host) == both


def test_what_is_altered_is_put_right(host: Host) -> None:
    host.plan()
    look = "import sys; sys.path.insert(0, '/opt/codex-ops/current'); from codex_ops._places import Places; print(len(Places('/').corrections(check=%s)))"
    assert host.must(PYTHON, "-IBc", look % True) == "0\n"
    host.must("sh", "-c", f"chattr -a {LOG}; chmod 666 {LOG}; chmod 777 /var/lib/codex-ops; rmdir /var/lib/codex-ops/root/locks; chgrp 0 /var/log/codex-ops")
    for check, count in ((True, 4), (True, 4), (False, 4), (False, 0), (True, 0)):
        assert host.must(PYTHON, "-IBc", look % check) == f"{count}\n", check
    assert _files(host)[LOG] == "root:codex-ops 660 +a"
    assert host.must("stat", "-c", "%U:%G %a", "/var/lib/codex-ops", "/var/log/codex-ops").split("\n")[:2] == ["root:codex-ops 1770", "root:codex-ops 750"]
