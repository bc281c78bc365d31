# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packs the engine for hosts: the same bytes from the same sources, whoever packs them, wherever and whenever. PRIVATE."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import tarfile
import typing as t

from ansible_collections.day2.codex.plugins import module_utils
from ansible_collections.day2.codex.plugins.module_utils._engine.manifest import FILE, MAX_SOURCE, PACKAGE, Manifest
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates import budget, policy_file, statement
from ansible_collections.day2.codex.plugins.module_utils._inbox import form
from ansible_collections.day2.codex.plugins.module_utils._trail import chain, memory
from ansible_collections.day2.codex.plugins.module_utils._version import VERSION
from ansible_collections.day2.codex.plugins.module_utils._workspace import journal, plan

#: The newest version of each kind of kept state that this engine understands.
STATE = {
    "approval": statement.VERSION,
    "audit_record": chain.VERSION,
    "budget": budget.VERSION,
    "inbox": form.VERSION,
    "journal": journal.VERSION,
    "plan": plan.VERSION,
    "policy": policy_file.VERSION,
    "remembered": memory.VERSION,
}
_INIT = b'"""The engine of day2.codex, as it is installed on a host."""\n'


class Pack(t.NamedTuple):
    """A packed engine: its manifest, and the bytes of an uncompressed tar archive with that manifest and every file."""

    manifest: Manifest
    content: bytes


def source() -> str:
    """The folder of the engine in this collection."""
    return str(next(iter(module_utils.__path__)))


def sources(folder: str) -> dict[str, bytes]:
    """The Python files below *folder*, by their path in the package.

    :raises CodexOpsError: ``pack_failed``.
    """
    found = {f"{PACKAGE}/__init__.py": _INIT}
    try:
        for here, below, names in os.walk(folder):
            below[:] = sorted(name for name in below if name != "__pycache__")
            for name in sorted(names):
                if not name.endswith(".py"):
                    continue
                path = os.path.join(here, name)
                with open(path, "rb") as handle:
                    content = handle.read(MAX_SOURCE + 1)
                inner = os.path.relpath(path, folder).replace(os.sep, "/")
                if inner != "__init__.py":
                    found[f"{PACKAGE}/{inner}"] = content
    except OSError as error:
        raise CodexOpsError(
            f"The engine cannot be packed: {error.strerror}.",
            code="pack_failed",
            outcome="rejected",
            where=error.filename,
            hint="Install the collection again on the controller.",
        ) from None
    return found


def pack(folder: str) -> Pack:
    """The engine whose sources lie in *folder*, packed.

    :raises CodexOpsError: ``pack_failed``.
    """
    files = sources(folder)
    manifest = Manifest(VERSION, STATE, {path: hashlib.sha256(content).hexdigest() for path, content in files.items()})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in [(FILE, manifest.text().encode("ascii")), *sorted(files.items())]:
            # A fresh TarInfo says nothing of this machine: no owner, and the time zero.
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return Pack(manifest, buffer.getvalue())


@functools.lru_cache(maxsize=1)
def packed() -> Pack:
    """The engine of this collection."""
    return pack(source())
