# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A validation never runs what the agent wrote, and reading it is no breach."""

from __future__ import annotations

import shlex

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.model import Change, FileState
from ansible_collections.day2.codex.plugins.module_utils._contract.runs import runs_by

WORKSPACE = "/srv/inbox"


def changed(path: str, content: bytes = b"x: 1\n", mode: int = 0o644) -> Change:
    state = FileState("file", mode, len(content), "0" * 64)
    return Change(path, state, state, content, content)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        # a program or script of the workspace, by absolute and relative path, with or without a suffix
        ("/srv/inbox/config/check", "config/check"),
        ("/srv/inbox/./config//check", "config/check"),
        ("/bin/sh config/check", "config/check"),
        ("/bin/sh ./config/../config/check", "config/check"),
        ("/bin/sh -e config/check", "config/check"),
        ("/bin/bash -eu -o pipefail config/check", "config/check"),
        ("/bin/bash -O extglob config/check", "config/check"),
        ("/bin/bash -- config/check", "config/check"),
        ("/usr/bin/python3.11 -W ignore config/check", "config/check"),
        ("/usr/bin/perl -I lib -w config/check", "config/check"),
        ("/usr/bin/awk -F : -f config/rules data", "config/rules"),
        ("/usr/bin/node -r ./config/hook.js /opt/check.js", "config/hook.js"),
        ("/usr/bin/ruby -r./config/hook.rb /opt/check.rb", "config/hook.rb"),
        # what they read besides
        ("/srv/inbox/config/check", "config/lib.sh"),
        ("/bin/sh config/check.sh", "config/deep/lib.sh"),
        ("/bin/sh check.sh", "anywhere/lib.sh"),
        # wrappers
        ("/usr/bin/env sh config/check", "config/check"),
        ("/usr/bin/env -i PATH=/bin A=b bash -e config/check", "config/check"),
        ("/usr/bin/timeout 10 sh config/check", "config/check"),
        ("/usr/bin/nice -n 10 /usr/bin/env python3 config/check", "config/check"),
        ("/bin/busybox sh config/check", "config/check"),
        ("/usr/bin/find . -name x -exec sh config/check ;", "config/check"),
        # a shell's command line
        ("/bin/sh -c '. config/settings'", "config/settings"),
        ("/bin/sh -ec '. ./config/settings; test $x'", "config/settings"),
        ("/bin/bash -lc 'source config/settings'", "config/settings"),
        ("/bin/bash -c -e 'sh config/check'", "config/check"),
        ("/bin/bash -o pipefail -c 'sh config/check | cat'", "config/check"),
        ("/bin/sh -c 'if true; then sh <config/check; fi'", "config/check"),
        ("/bin/sh -c 'cat config/check | sh'", "config/check"),
        ("/bin/sh -c 'cd config && sh check'", "config/check"),
        ("/bin/sh -c 'x=$(python3 config/check)'", "config/check"),
        ("/usr/bin/env sh -c 'timeout 5 bash config/check'", "config/check"),
        # Python imports from where it is started
        ("/usr/bin/python3 -m json.tool config/inbox.json", "json.py"),
        ("/usr/bin/python3 -mjson.tool config/inbox.json", "json/__init__.py"),
        ("/usr/bin/python3 -WIgnore -m json.tool x", "json.py"),
        ("/usr/bin/python3 -m app.tools.check", "app/tools/deep/check.py"),
        ("/usr/bin/python3 -c 'import app.tools.check'", "app/tools/check.py"),
        ("/usr/bin/python3 -I -m pytest tests", "tests/deep/conftest.py"),
        # what runs the tree
        ("/usr/bin/make check", "GNUmakefile"),
        ("/usr/bin/make -C config check", "config/Makefile"),
        ("/usr/bin/make -f config/rules check", "config/rules"),
        ("/usr/bin/make --file=config/rules check", "config/rules"),
        ("/usr/bin/make check", "build/common.mk"),
        ("/usr/bin/npm test", "package.json"),
        ("/usr/bin/pytest tests", "tests/deep/test_it.py"),
        ("/usr/bin/ansible-playbook site.yml", "roles/x/tasks/main.yml"),
        ("/usr/bin/sed -n -f config/rules config/inbox.yml", "config/rules"),
    ],
)
def test_a_change_to_what_a_validation_runs_is_seen(command: str, path: str) -> None:
    assert runs_by(shlex.split(command), WORKSPACE, changed(path))


@pytest.mark.parametrize(("mode", "content"), [(0o755, b"x\n"), (0o644, b"#!/bin/sh\n")])
def test_a_program_named_by_another_is_known_by_its_mode_or_first_line(mode: int, content: bytes) -> None:
    assert runs_by(["/opt/harness", "config/check"], WORKSPACE, changed("config/check", content, mode))
    assert not runs_by(["/opt/harness", "config/check"], WORKSPACE, changed("config/check"))


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("/usr/bin/grep -rq norply@ config templates", "config/inbox.yml"),
        ("/usr/bin/grep -q node config/inbox.yml", "config/inbox.yml"),
        ("/usr/bin/grep -q x config/tool.py", "config/tool.py"),
        ("/usr/bin/python3 -I -m json.tool config/inbox.json", "config/inbox.json"),
        ("/usr/bin/python3 -I -m json.tool config/inbox.json", "json.py"),
        ("/usr/bin/python3 -m json.tool config/inbox.json", "config/inbox.json"),
        ("/usr/bin/python3 -I -m py_compile app/tool.py", "app/tool.py"),
        ("/usr/bin/python3 /opt/check.py config/inbox.yml", "config/inbox.yml"),
        ("/bin/sh -n config/check.sh", "config/check.sh"),
        ("/bin/sh -c 'grep -q right config/inbox.yml && test -s config/inbox.yml'", "config/inbox.yml"),
        ("/usr/bin/awk '{print}' config/inbox.yml", "config/inbox.yml"),
        ("/usr/bin/sed -n 1p config/inbox.yml", "config/inbox.yml"),
        ("/usr/bin/timeout 10 grep -q x config/inbox.yml", "config/inbox.yml"),
        ("/usr/sbin/nginx -t -c /srv/inbox/config/nginx.conf", "config/nginx.conf"),
        ("/usr/bin/ansible-playbook --syntax-check site.yml", "site.yml"),
        ("/srv/inbox/config/check.sh", "config/inbox.yml"),
        ("/srv/inbox/bin/check.sh", "config/tool.sh"),
        ("/srv/inbox2/config/check", "config/check"),
        ("/bin/sh /etc/check", "check"),
        ("/usr/bin/make check", "config/inbox.yml"),
    ],
)
def test_a_change_to_what_a_validation_only_reads_is_no_breach(command: str, path: str) -> None:
    assert not runs_by(shlex.split(command), WORKSPACE, changed(path))
