# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a journal must look like before anything is done by it. PRIVATE.

A journal says which files to replace, with what owner and mode: one that does not fit in every detail is not acted upon.
"""

from __future__ import annotations

import base64
import re
import typing as t

from .._errors import CodexOpsError
from . import handles

_SHA256_RE = re.compile(r"[0-9a-f]{64}")
_TEMPORARY_RE = re.compile(r"\.codex-ops-[0-9a-f]{16}-[0-9]{4,6}")
_BACKUP_RE = re.compile(r"[0-9]{4,6}")
_OPERATIONS = {(True, False): "create", (False, True): "delete", (False, False): "modify"}
# No set-id bits: files with them are never part of a plan.
_MODES = 0o1777
_IDS = (0, 2**32 - 2)
_TIMES = (-(2**63), 2**63 - 1)


def workspace_of(journal: t.Mapping[str, t.Any]) -> str | None:
    """The workspace that *journal* names, if that much can be read."""
    workspace = journal.get("workspace")
    if not isinstance(workspace, str) or not workspace.startswith("/") or "\0" in workspace or ".." in workspace.split("/"):
        return None
    return workspace


def fault(journal: t.Mapping[str, t.Any], states: t.Sequence[str]) -> str:
    """What is wrong with *journal*; empty if nothing is."""
    if journal.get("state") not in states:
        return "its state is unknown"
    if workspace_of(journal) is None:
        return "its workspace is no absolute path"
    if not handles.plain_name(journal.get("run_id")):
        return "its run ID is no plain name"
    if not _number(journal.get("started_ns"), 0, 2**63 - 1):
        return "its time is no number"
    for key in ("files", "folders", "conflicts"):
        if not isinstance(journal.get(key), list):
            return f"{key} is no list"
    if not all(_path(path) for path in journal["folders"]) or not all(isinstance(path, str) for path in journal["conflicts"]):
        return "a folder or conflict in it is no path inside the workspace"
    paths: set[str] = set()
    names: set[str] = set()
    for entry in journal["files"]:
        wrong = _entry_fault(entry)
        if wrong:
            return wrong
        if entry["path"] in paths or entry["temporary"] in names:
            return "it names a file twice"
        paths.add(entry["path"])
        names.add(entry["temporary"])
    return ""


def _entry_fault(entry: t.Any) -> str:
    if not isinstance(entry, dict) or set(entry) != {"path", "operation", "temporary", "backup", "old", "new"}:
        return "an entry of files has the wrong keys"
    if not _path(entry["path"]):
        return "a file in it does not stay inside the workspace"
    old, new = entry["old"], entry["new"]
    operation = _OPERATIONS.get((old is None, new is None))
    if operation is None or entry["operation"] != operation:
        return "an operation does not fit"
    if not _text(entry["temporary"], _TEMPORARY_RE):
        return "the name of a temporary file is none of ours"
    if (entry["backup"] is not None) if old is None else not _text(entry["backup"], _BACKUP_RE):
        return "the name of a backup is none of ours"
    if new is not None and not (_keys(new, {"sha256", "mode"}) and _text(new["sha256"], _SHA256_RE) and _mode(new["mode"])):
        return "a new state is out of range"
    if old is not None and not (_keys(old, {"sha256", "kept"}) and _text(old["sha256"], _SHA256_RE) and _kept(old["kept"])):
        return "an old state is out of range"
    return ""


def _kept(kept: t.Any) -> bool:
    if not _keys(kept, {"mode", "uid", "gid", "atime_ns", "mtime_ns", "xattrs"}) or not isinstance(kept["xattrs"], dict):
        return False
    if not _mode(kept["mode"]) or not all(_number(kept[key], *_IDS) for key in ("uid", "gid")):
        return False
    if not all(_number(kept[key], *_TIMES) for key in ("atime_ns", "mtime_ns")):
        return False
    return all(name != "security.capability" and "\0" not in name and _base64(value) for name, value in kept["xattrs"].items())


def _keys(value: t.Any, keys: set[str]) -> bool:
    return isinstance(value, dict) and set(value) == keys


def _text(value: t.Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _number(value: t.Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _mode(value: t.Any) -> bool:
    return _number(value, 0, 0o7777) and value & ~_MODES == 0


def _path(value: t.Any) -> bool:
    try:
        handles.path_parts(value)
    except CodexOpsError:
        return False
    return True


def _base64(value: t.Any) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)
