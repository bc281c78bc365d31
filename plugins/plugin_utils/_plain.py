# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turns what a template hands to a filter or a test into dictionaries, lists and texts. PRIVATE.

Nothing here imports Ansible: its own types are recognised by what they can do.
"""

from __future__ import annotations

import collections.abc
import typing as t


def plain(value: t.Any, depth: int) -> t.Any:
    """*value* with every mapping in it a dictionary, every sequence and set a list, and vaulted text as text.

    What lies deeper than *depth* levels stays as it is. Values that need a template are asked for one by one, as their containers want it.
    """
    if isinstance(value, str) or value is None or depth < 0:
        return value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "surrogateescape")
    if getattr(value, "__ENCRYPTED__", False):
        return str(value)
    if isinstance(value, collections.abc.Mapping):
        return {key: plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, collections.abc.Set):
        return sorted((plain(item, depth - 1) for item in value), key=repr)
    if isinstance(value, collections.abc.Sequence):
        return [plain(item, depth - 1) for item in value]
    return value
