# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the filters share. PRIVATE."""

from __future__ import annotations

import functools
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError

_Filter = t.TypeVar("_Filter", bound=t.Callable[..., t.Any])


def for_people(function: _Filter) -> _Filter:
    """Have the filter *function* say what the engine finds wrong as Ansible's filters do, with its own name before it."""

    @functools.wraps(function)
    def called(*args: t.Any, **options: t.Any) -> t.Any:
        try:
            return function(*args, **options)
        except CodexOpsError as error:
            raise AnsibleFilterError(f"day2.codex.{function.__name__}: {error}") from None

    return t.cast(_Filter, called)
