# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remembers for a day that the sandbox was proved to hold, for exactly this binary, user, boot and configuration. PRIVATE."""

from __future__ import annotations

import hashlib
import json
import os
import time

from . import config
from .binary import codex_version

#: How long (seconds) a proof is believed.
VALID = 24 * 3600
#: To be raised when the probe asks for more than before.
_PROOF = 2
_SYSCTLS = ("kernel/unprivileged_userns_clone", "kernel/apparmor_restrict_unprivileged_userns", "user/max_user_namespaces")


def key_of(codex_path: str) -> str:
    """A digest of everything on which the sandbox depends."""
    real = os.path.realpath(codex_path)
    found = os.stat(real)
    layout = config.Layout("/run-dir/agent")
    shape = [config.config_toml(layout, port=1, writable=writable, install=["/install"]) + config.model_catalogue(None) for writable in (True, False)]
    parts = [
        _PROOF, real, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, codex_version(codex_path), os.geteuid(),
        _read("/proc/sys/kernel/random/boot_id"), *[_read(f"/proc/sys/{name}") for name in _SYSCTLS], *shape,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read(200).strip()
    except (OSError, ValueError):
        return ""


def is_fresh(stamp_dir: str, key: str) -> bool:
    """Whether the proof for *key* is there, is ours and is not older than VALID."""
    try:
        found = os.lstat(os.path.join(stamp_dir, f"sandbox-{key}"))
    except OSError:
        return False
    age = time.time() - found.st_mtime
    return found.st_uid == os.geteuid() and not found.st_mode & 0o022 and 0 <= age < VALID


def remember(stamp_dir: str, key: str) -> None:
    """Keep the proof. Failing to only means that the next run proves it again."""
    try:
        for name in os.listdir(stamp_dir):
            if name.startswith("sandbox-"):
                os.unlink(os.path.join(stamp_dir, name))
        os.close(os.open(os.path.join(stamp_dir, f"sandbox-{key}"), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError:
        pass
