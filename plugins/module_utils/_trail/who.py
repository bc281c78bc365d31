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
    logged_in = _logged_in()
    if logged_in is not None:
        via["session"] = logged_in
    return {"name": name, "uid": uid, "via": via}


def _logged_in() -> str | None:
    """Who logged in for the session in which this runs. The kernel keeps it through sudo and su; ``None`` where nobody did."""
    try:
        with open("/proc/self/loginuid", encoding="ascii") as handle:
            uid = int(handle.read())
        return pwd.getpwuid(uid).pw_name if uid < (1 << 32) - 1 else None
    except (OSError, ValueError, KeyError):
        return None
