# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a policy file: whose it is, who else can write it, whether it fits the contract. PRIVATE."""

from __future__ import annotations

import typing as t

from .._contract import owned
from .._errors import CodexOpsError

#: The version of the form that this engine reads. It refuses a newer one.
VERSION = 1
#: Bytes of a policy file.
MAX_FILE = owned.MAX_FILE
_KIND = owned.Kind(
    name="policy",
    words="policy",
    version=VERSION,
    outcome="forbidden",
    missing="There is no policy, so nothing is changed on this host.",
    write_one="Write one; the guide on gates begins with an example.",
    unsafe="Anybody who can write this file decides what happens on this host: make it root's own (chown root, chmod 0644).",
    hint="The guide on gates and schemas/policy.schema.json describe its form. Until it is right, nothing is changed on this host.",
)


def wrong(code: str, message: str, where: str, hint: str | None = None) -> CodexOpsError:
    """Why a policy cannot be used, as an error that closes the gates."""
    return _KIND.wrong(code[len("policy_") :] if code.startswith("policy_") else code, message, where, hint)


def content(path: str, owners: t.Collection[int]) -> bytes:
    """The bytes of the policy at *path*, if they are surely of one of *owners* and nobody else's.

    :raises CodexOpsError: ``policy_missing``, ``policy_unsafe`` or ``policy_invalid``.
    """
    return owned.content(path, owners, _KIND)


def document(data: bytes, path: str) -> dict[str, t.Any]:
    """The JSON in *data*, held against the published contract.

    :raises CodexOpsError: ``policy_invalid`` or ``newer_state``.
    """
    return owned.document(data, path, _KIND)
