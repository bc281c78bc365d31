# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in a tree: the snapshot of a workspace, its copy, and the byte walk through what an agent left. PRIVATE.

The byte walk is the truth about a tree; git is never asked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import stat

from .._contract.globs import Scope
from .._contract.model import FileState, Violation
from .._errors import CodexOpsError
from . import handles
from .descent import LONGEST_HOSTILE, Descent, busy, make_usable, walk
from .removal import remove_tree

__all__ = ["MAX_BYTES", "MAX_FILES", "Snapshot", "copy", "remove_tree", "snapshot", "walk_all"]

#: Bounds of one tree: number of files, and bytes in them.
MAX_FILES = 200_000
MAX_BYTES = 4 * 1024**3

# All paths of one tree together, in characters: deep nests with long names would fill the memory otherwise.
_MAX_NAMES = 256 * 1024**2


@dataclasses.dataclass
class Snapshot:
    """What is in scope of a workspace at one moment.

    ``files`` holds the regular files by path; ``skipped`` the symbolic links (they are not followed, not copied and left
    alone); ``refused`` what makes the workspace unfit: hard links and special files in scope.
    """

    files: dict[str, FileState]
    skipped: dict[str, str]
    refused: list[Violation]

    @property
    def sha256(self) -> str:
        """The digest of the tree.

        SHA-256 over one line per file, sorted by the path's bytes: path, NUL, mode as four octal digits, NUL, the content's
        SHA-256 in hexadecimal, line feed.
        """
        digest = hashlib.sha256()
        for path, state in sorted((os.fsencode(path), state) for path, state in self.files.items()):
            digest.update(b"%s\0%04o\0%s\n" % (path, state.mode, (state.sha256 or "").encode()))
        return digest.hexdigest()


class _Bounds:
    """Counts what a walk has seen and stops it in time."""

    def __init__(self, files: int, size: int) -> None:
        self._limits = (files, size)
        self._files = self._bytes = self._names = 0

    def add(self, path: str, size: int) -> None:
        self._files += 1
        self._bytes += size
        self._names += len(path)
        files, total = self._limits
        if self._files > files or self._bytes > total or self._names > _MAX_NAMES:
            raise CodexOpsError(
                f"The tree is too large: more than {files} files or {total} bytes.",
                code="workspace_too_large",
                outcome="rejected",
                hint="Narrow scope.include, or exclude what the task does not need.",
                where=path[:200],
            )


class _Copy:
    """The folder a copy is written to. Its directories are made when the first file in them comes."""

    def __init__(self, destination: str) -> None:
        try:
            os.mkdir(destination, 0o700)
        except FileExistsError:
            raise CodexOpsError(
                "The folder for the copy exists already.", code="run_folder_exists", outcome="rejected", where=destination
            ) from None
        self._position = Descent(handles.open_root(destination))
        self.identity = handles.identity(os.fstat(self._position.handle))
        self._parts: list[str] = []
        self._prefix = ""

    def folder(self, prefix: str) -> int:
        """The handle of the directory *prefix* (with a ``/`` behind it, or empty), made where it is missing."""
        if prefix != self._prefix:
            wanted = prefix.split("/")[:-1]
            same = 0
            while same < min(len(wanted), len(self._parts)) and wanted[same] == self._parts[same]:
                same += 1
            for _level in self._parts[same:]:
                self._position.leave()
            for name in wanted[same:]:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=self._position.handle)
                self._position.enter(name)
            self._parts, self._prefix = wanted, prefix
        return self._position.handle

    def close(self) -> None:
        self._position.close()


def snapshot(root: str, scope: Scope, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> Snapshot:
    """The state of everything of *root* in *scope*, in one pass. Reads only; opens nothing that is out of scope.

    :arg root: The workspace, an absolute path of a real directory.
    :raises CodexOpsError: ``workspace_invalid``, ``workspace_busy``, ``workspace_too_large``, ``workspace_unreadable``.
    """
    with handles.explained("The workspace could not be read", "workspace_unreadable", root):
        return _take(root, scope, None, _Bounds(max_files, max_bytes))


def copy(
    root: str, scope: Scope, destination: str, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
) -> Snapshot:
    """Like :func:`snapshot`, and writes what is in scope to *destination*: the very bytes that were hashed.

    :arg destination: A folder that does not exist yet. It is made with mode 0700, and removed again on any error. Files
        keep the bits for reading, writing and executing, not set-uid, set-gid, sticky, owner or times.
    :raises CodexOpsError: As :func:`snapshot`, and ``disk_full``.
    """
    with handles.explained("The workspace could not be copied", "workspace_unreadable", destination):
        target = _Copy(destination)
        try:
            return _take(root, scope, target, _Bounds(max_files, max_bytes))
        except BaseException:
            with contextlib.suppress(CodexOpsError):
                remove_tree(destination)
            raise
        finally:
            target.close()


def _take(root: str, scope: Scope, target: _Copy | None, bounds: _Bounds) -> Snapshot:
    files: dict[str, FileState] = {}
    skipped: dict[str, str] = {}
    refused: list[Violation] = []
    for prefix, folder, entries in walk(handles.open_root(root), scope.may_cover_below):
        if target is not None and handles.identity(os.fstat(folder)) == target.identity:
            raise CodexOpsError(
                "The folder for the copy lies inside the scope of the workspace.",
                code="workspace_invalid",
                outcome="rejected",
                hint="Exclude it, or choose another prefix.",
                where=root,
            )
        for entry in entries:
            path = prefix + entry.name
            if entry.is_symlink():
                if scope.covers(path) or scope.may_cover_below(path):
                    skipped[path] = "symlink"
            elif not scope.covers(path):
                continue
            elif entry.is_file(follow_symlinks=False):
                state = _take_file(folder, entry.name, path, target, prefix, bounds)
                if state.nlink > 1:
                    detail = "The file has another name (a hard link), through which a change would reach further."
                    refused.append(Violation("hard_link", path, detail=detail))
                else:
                    files[path] = state
            elif entry.is_dir(follow_symlinks=False):
                if target is not None and scope.may_cover_below(path):
                    target.folder(path + "/")
            else:
                kind = handles.kind_of(entry.stat(follow_symlinks=False).st_mode)
                refused.append(Violation("special_file", path, detail=f"A {kind} cannot be copied."))
    return Snapshot(dict(sorted(files.items())), skipped, refused)


def _take_file(folder: int, name: str, path: str, target: _Copy | None, prefix: str, bounds: _Bounds) -> FileState:
    """State (and copy) of one file. A file that changes meanwhile gets a second chance."""
    for _attempt in (1, 2):
        try:
            source = os.open(name, handles.READ, dir_fd=folder)
        except PermissionError:
            raise CodexOpsError(
                "A file of the workspace cannot be read.",
                code="workspace_unreadable",
                outcome="rejected",
                hint="Run as a user who may read it, or exclude it from the slice's scope.",
                where=path,
            ) from None
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                raise busy(path) from None
            raise
        try:
            before = os.fstat(source)
            if not stat.S_ISREG(before.st_mode):
                raise busy(path)
            mode = stat.S_IMODE(before.st_mode)
            if before.st_nlink > 1:
                return FileState("file", mode, before.st_size, None, before.st_nlink)
            if _attempt == 1:
                bounds.add(path, before.st_size)
            if target is None:
                sha256 = handles.stream_digest(source, before.st_size, None)
            else:
                into = target.folder(prefix)
                handle = os.open(name, handles.CREATE, 0o600, dir_fd=into)
                try:
                    sha256 = handles.stream_digest(source, before.st_size, handle)
                    os.fchmod(handle, mode & 0o777)
                finally:
                    os.close(handle)
            if sha256 is not None and handles.version(os.fstat(source)) == handles.version(before):
                return FileState("file", mode, before.st_size, sha256)
            if target is not None:
                os.unlink(name, dir_fd=target.folder(prefix))
        finally:
            os.close(source)
    raise busy(path)


def walk_all(root: str, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> dict[str, FileState]:
    """Everything that the tree *root* holds, sorted by path, ignore files and git's metadata included.

    Regular files come with digest and number of links, everything else by its kind. Directories are not named, unless
    they carry a set-uid, set-gid or sticky bit. Files and directories that are ours and closed to us are opened up.

    :arg root: A tree that is ours, and in which no process works any more.
    :raises CodexOpsError: ``workspace_invalid``, ``workspace_busy``, ``workspace_too_large``, ``workspace_unreadable``.
    """
    with handles.explained("The tree could not be read", "workspace_unreadable", root):
        return dict(sorted(_walk_all(root, _Bounds(max_files, max_bytes)).items()))


def _walk_all(root: str, bounds: _Bounds) -> dict[str, FileState]:
    states: dict[str, FileState] = {}
    for prefix, folder, entries in walk(handles.open_root(root, force=True), lambda path: True, force=True, longest=LONGEST_HOSTILE):
        for entry in entries:
            path = prefix + entry.name
            if entry.is_file(follow_symlinks=False):
                states[path] = _walk_file(folder, entry.name, path, bounds)
                continue
            found = entry.stat(follow_symlinks=False)
            mode = stat.S_IMODE(found.st_mode)
            if stat.S_ISDIR(found.st_mode):
                if not mode & 0o7000:
                    continue
                bounds.add(path, 0)
                states[path] = FileState("directory", mode, 0, None)
            else:
                bounds.add(path, 0)
                states[path] = FileState(handles.kind_of(found.st_mode), mode, found.st_size, None, found.st_nlink)
    return states


def _walk_file(folder: int, name: str, path: str, bounds: _Bounds) -> FileState:
    closed: int | None = None
    try:
        source = os.open(name, handles.READ, dir_fd=folder)
    except PermissionError:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        try:
            make_usable(folder, name)
            source = os.open(name, handles.READ, dir_fd=folder)
        except PermissionError:
            raise CodexOpsError(
                "A file cannot be read.", code="workspace_unreadable", outcome="rejected", where=path
            ) from None
        closed = stat.S_IMODE(found.st_mode)
    try:
        before = os.fstat(source)
        if not stat.S_ISREG(before.st_mode):
            raise busy(path)
        bounds.add(path, before.st_size)
        sha256 = handles.stream_digest(source, before.st_size, None)
        if sha256 is None:
            raise busy(path)
        mode = stat.S_IMODE(before.st_mode)
        if closed is not None:
            # A second walk must find what the first one found.
            os.fchmod(source, closed)
            mode = closed
        return FileState("file", mode, before.st_size, sha256, before.st_nlink)
    finally:
        os.close(source)
