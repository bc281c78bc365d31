# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of the helpers: what root installs for codex-ops to call through sudo. PRIVATE."""

from __future__ import annotations

import typing as t

from .._identities import OPS

#: The helpers by name, and the module of each.
NAMES = {"agent-run": "agent_run", "agent-stop": "agent_stop", "apply": "apply"}
FOLDER = "/opt/codex-ops/helpers"
SECURE_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_TEXT = """\
#!{python} -IB
# Written by day2.codex. Root's: codex-ops calls it through sudo, without arguments, with an ID on standard input.
import os
import sys

sys.path.insert(0, os.path.realpath("/opt/codex-ops/current"))

from codex_ops._helpers.{module} import main

sys.exit(main(sys.argv[1:]))
"""


def text(name: str, python: str = "/usr/bin/python3") -> str:
    """The text of the helper *name* (mode 0755, owned by root)."""
    return _TEXT.format(python=python, module=NAMES[name])


def sudoers(more: t.Sequence[str] = ()) -> str:
    """What stands in a file of /etc/sudoers.d (mode 0440): three programs, and none of them with arguments.

    :arg more: What codex-ops may do besides, each as what stands behind ``ALL=``.
    """
    programs = ", ".join(f'{FOLDER}/{name} ""' for name in NAMES)
    lines = [
        "# Written by day2.codex.",
        f"Defaults:{OPS} env_reset, !setenv, !requiretty, !use_pty, !log_input, !log_output, !lecture, !mail_badpass, closefrom=3",
        f'Defaults:{OPS} secure_path="{SECURE_PATH}"',
        f"{OPS} ALL=(root) NOPASSWD: NOSETENV: {programs}",
        *(f"{OPS} ALL={command}" for command in more),
    ]
    return "\n".join(lines) + "\n"
