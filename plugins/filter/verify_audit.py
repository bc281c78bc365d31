# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.verify_audit: what the playbook of the same name makes of the answers of audit_info."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.plugin_utils import _audit_judge

_STEPS: dict[str, t.Callable[..., t.Any]] = {
    "to_verify": _audit_judge.to_verify,
    "host": _audit_judge.of_host,
    "anchors": _audit_judge.anchors,
    "controller": _audit_judge.of_controller,
}


def verify_audit(found: t.Any, step: str, *arguments: t.Any, **options: t.Any) -> t.Any:
    """The answer of one step of the playbook.

    :raises AnsibleFilterError: for a step or option that there is not.
    """
    if step not in _STEPS:
        raise AnsibleFilterError(f"day2.codex.verify_audit: step: expected one of {', '.join(_STEPS)}, found {step!r}.")
    try:
        return _STEPS[step](found, *arguments, **options)
    except TypeError as error:
        raise AnsibleFilterError(f"day2.codex.verify_audit: {step}: {error}") from None


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"verify_audit": verify_audit}
