# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who runs an operation: the Unix user, sudo's caller, AWX's user and job. PRIVATE."""

from __future__ import annotations

import os
import pwd
import typing as t


def who() -> dict[str, t.Any]:
    """``name``, ``uid`` and ``via`` (what the environment says of the way here; it is only a claim)."""
    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    via = {}
    for variable, key in (("SUDO_USER", "sudo_user"), ("SUDO_UID", "sudo_uid"), ("SSH_CONNECTION", "ssh"), ("AWX_JOB_ID", "awx_job"), ("LOGNAME", "login")):
        value = os.environ.get(variable)
        if value:
            via[key] = value[:200]
    return {"name": name, "uid": uid, "via": via}
