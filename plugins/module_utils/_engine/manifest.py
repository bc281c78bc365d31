# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a pack of the engine says of itself: its version, the state that it understands, and the digest of each file. Pure. PRIVATE."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import typing as t

from .._errors import CodexOpsError

#: The version of the form that this engine writes and reads.
VERSION = 1
#: The name of the package on a host, and of the manifest beside it.
PACKAGE = "codex_ops"
FILE = "manifest.json"
#: Characters of the digest in the name of an engine's folder.
SHORT = 12
#: Bytes of a manifest, files of a pack, and bytes of one of them.
MAX_FILE = 1024 * 1024
MAX_FILES = 2000
MAX_SOURCE = 4 * 1024 * 1024

_PATH_RE = re.compile(PACKAGE + r"(?:/[A-Za-z_][A-Za-z0-9_]{0,99}){0,5}\.py")
_RELEASE_RE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){2}(?:-[A-Za-z0-9.]{1,40})?")
_SHA256_RE = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A pack. ``files`` maps paths to SHA-256; ``state`` maps formats of kept state to the newest version it understands."""

    release: str
    state: t.Mapping[str, int]
    files: t.Mapping[str, str]

    def text(self) -> str:
        """The one text of this manifest."""
        said = {"version": VERSION, "release": self.release, "state": dict(self.state), "files": dict(self.files)}
        return json.dumps(said, sort_keys=True, indent=1, ensure_ascii=True) + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the text, and so of everything."""
        return hashlib.sha256(self.text().encode("ascii")).hexdigest()

    @property
    def folder(self) -> str:
        """The name of its folder on a host."""
        return f"{self.release}-{self.digest[:SHORT]}"


def _wrong(what: str, where: str | None) -> CodexOpsError:
    return CodexOpsError(
        f"The manifest of the engine is not right: {what}.",
        code="pack_damaged",
        outcome="rejected",
        where=where,
        hint="Install the collection again on the controller, and run day2.codex.engine.",
    )


def read(text: str, where: str | None = None) -> Manifest:
    """The manifest in *text*.

    :arg where: The file, for the message.
    :raises CodexOpsError: ``pack_damaged``, or ``newer_state`` for one of a newer form.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise _wrong("it is not JSON", where) from None
    version = said.get("version") if isinstance(said, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise CodexOpsError(
            f"The manifest has version {version}; this engine knows {VERSION}.",
            code="newer_state",
            outcome="newer_state",
            where=where,
            hint="Use the collection that wrote it, or a newer one.",
        )
    if version != VERSION or isinstance(version, (bool, float)) or set(said) != {"version", "release", "state", "files"}:
        raise _wrong("its form is unknown", where)
    release, state, files = said["release"], said["state"], said["files"]
    if not isinstance(release, str) or not _RELEASE_RE.fullmatch(release):
        raise _wrong("its release is no version number", where)
    if not isinstance(state, dict) or not all(isinstance(number, int) and not isinstance(number, bool) and number > 0 for number in state.values()):
        raise _wrong("its state is not a list of versions", where)
    if not isinstance(files, dict) or not 0 < len(files) <= MAX_FILES:
        raise _wrong("it names no files, or too many", where)
    for path, digest in files.items():
        if not _PATH_RE.fullmatch(path) or not isinstance(digest, str) or not _SHA256_RE.fullmatch(digest):
            raise _wrong(f"{path[:80]!r} is no file of an engine, or has no digest", where)
    return Manifest(release, state, files)
