# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter day2.codex.redact."""

from __future__ import annotations

import collections.abc
import hashlib
import os
import typing as t

from ansible import constants
from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.module_utils._secrets import kept_key
from ansible_collections.day2.codex.plugins.module_utils._trail.personal import PERSONAL
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import MAX_DEPTH, MIN_KNOWN, Redactor
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain


def _fail(option: str, reason: str) -> t.NoReturn:
    raise AnsibleFilterError(f"day2.codex.redact: {option}: {reason}")


def _known(known: t.Any) -> list[str]:
    if known is None:
        return []
    if isinstance(known, (str, bytes)) or not isinstance(known, collections.abc.Iterable) or isinstance(known, collections.abc.Mapping):
        _fail("known", "expected a list of exact values.")
    values = []
    # The values themselves are never part of a message.
    for number, item in enumerate(known):
        value = plain(item, 0)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            _fail(f"known[{number}]", f"expected a text, found a value of the type {type(item).__name__}.")
        if len(value.strip()) < MIN_KNOWN:
            _fail(f"known[{number}]", f"it is too short. A value of fewer than {MIN_KNOWN} characters is part of ordinary words and would blot them out.")
        values.append(str(value))
    return values


def _personal(personal: t.Any) -> list[str]:
    if personal is None or personal is False:
        return []
    if personal is True:
        return list(PERSONAL)
    kinds = plain(personal, 1)
    if not isinstance(kinds, list) or any(not isinstance(kind, str) or kind not in PERSONAL for kind in kinds):
        _fail("personal", f"expected true, or a list of kinds. The kinds are: {', '.join(PERSONAL)}.")
    return kinds


def _key(key: t.Any) -> bytes | None:
    if key is None:
        # The folder belongs to this run of Ansible, is closed to others, and goes with the run; all forks share it.
        return kept_key(os.path.join(constants.DEFAULT_LOCAL_TMP, "redaction-key"))
    text = plain(key, 0)
    if not isinstance(text, str) or not text:
        _fail("key", "expected a text that is not empty.")
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def redact(data: t.Any, known: t.Any = None, personal: t.Any = None, key: t.Any = None) -> t.Any:
    """*data* with each secret in it replaced by a mark that does not tell it.

    :raises AnsibleFilterError: for options of another form than documented.
    """
    redactor = Redactor(_known(known), _personal(personal), _key(key))
    return redactor.data(plain(data, MAX_DEPTH))


class FilterModule:
    """What Ansible asks for the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filter, by name."""
        return {"redact": redact}
