# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the options of a task out of the host's syslog. PRIVATE."""

from __future__ import annotations

import typing as t


def quiet(task_vars: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
    """*task_vars* with which Ansible's module does not write its options to the host's syslog.

    It would do so before the engine has seen them: a secret in a prompt, an input or a signal would stand there as it is. The
    record of the trail says the same, with secrets out.
    """
    return {**(task_vars or {}), "ansible_no_target_syslog": True}
