# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories and files by handle, so that no symbolic link is ever followed inside a workspace. PRIVATE."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
import typing as t

from .._contract.globs import is_git_metadata
from .._errors import CodexOpsError

#: How a file is opened for reading: never through a link, never waiting for a FIFO's other end.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
#: How a directory is opened.
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: How a file that must not exist yet is made.
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

#: Full disk, full quota, file larger than the process may write.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_CHUNK = 1 << 20
_LINKS_AT_MOST = 40
_NAME_RE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}")


def kind_of(mode: int) -> str:
    """The word of the design for what ``st_mode`` says a path is."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    if stat.S_ISLNK(mode):
        return "symlink"
    if stat.S_ISFIFO(mode):
        return "fifo"
    if stat.S_ISSOCK(mode):
        return "socket"
    return "device"


def identity(found: os.stat_result) -> tuple[int, int]:
    """What tells two directories or files apart while both exist."""
    return (found.st_dev, found.st_ino)


def version(found: os.stat_result) -> tuple[int, ...]:
    """What differs when a file was touched between two looks at it."""
    return (found.st_dev, found.st_ino, found.st_mode, found.st_nlink, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _bad_root(path: str, wrong: str, hint: str) -> CodexOpsError:
    return CodexOpsError(f"The workspace {wrong}.", code="workspace_invalid", outcome="rejected", hint=hint, where=path)


def open_root(path: str, *, force: bool = False) -> int:
    """A handle of the directory *path*, reached part by part.

    The last part must be a real directory. A symbolic link above it is followed only if root or the caller owns it: anybody
    else's could be turned elsewhere between two looks.

    :arg force: Give ourselves all rights to the directory, which is ours.
    :raises CodexOpsError: ``workspace_invalid``.
    """
    if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise _bad_root(path, "is not an absolute, plain path", "Give the whole path from / on, without '..'.")
    parts = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    here = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    links = 0
    try:
        while parts:
            part = parts.pop()
            try:
                below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            except NotADirectoryError:
                found = os.stat(part, dir_fd=here, follow_symlinks=False)
                if not stat.S_ISLNK(found.st_mode):
                    raise
                links += 1
                if not parts:
                    raise _bad_root(path, "is a symbolic link", "Name the directory that it points to.") from None
                if found.st_uid not in (0, os.geteuid()) or links > _LINKS_AT_MOST:
                    raise _bad_root(
                        path, f"lies behind the symbolic link {part!r} of another user", "Name the real path."
                    ) from None
                target = os.readlink(part, dir_fd=here)
                if target.startswith("/"):
                    below = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                    os.close(here)
                    here = below
                parts.extend(name for name in reversed(target.split("/")) if name not in ("", "."))
                continue
            os.close(here)
            here = below
        if force and os.fstat(here).st_uid == os.geteuid() and stat.S_IMODE(os.fstat(here).st_mode) & 0o700 != 0o700:
            os.chmod(f"/proc/self/fd/{here}", stat.S_IMODE(os.fstat(here).st_mode) | 0o700)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=here)
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno else str(exc)
        raise _bad_root(path, f"cannot be opened as a directory ({reason})", "Name an existing directory.") from exc
    finally:
        os.close(here)


def path_parts(path: t.Any) -> list[str]:
    """The parts of *path*, which must stay inside a workspace and out of its git metadata.

    :raises CodexOpsError: ``unsafe_path`` or ``git_metadata``, outcome ``rejected``.
    """
    if not isinstance(path, str) or not path or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise CodexOpsError(
            f"The path {path!r} does not stay inside the workspace.",
            code="unsafe_path",
            outcome="rejected",
            hint="Only plain relative paths can be changed.",
        )
    if is_git_metadata(path):
        raise CodexOpsError(f"{path!r} belongs to git's own metadata.", code="git_metadata", outcome="rejected")
    return path.split("/")


def plain_name(name: t.Any) -> bool:
    """Whether *name* (the ID of a plan or run) can safely be the name of a folder."""
    return isinstance(name, str) and _NAME_RE.fullmatch(name) is not None and ".." not in name


def open_below(above: int, name: str, path: str) -> int:
    """A handle of the directory *name* in the directory handle *above*; *path* is what messages call it.

    :raises CodexOpsError: ``symlink``, outcome ``rejected``, where a symbolic link stands there.
    :raises OSError: It is missing, or no directory.
    """
    try:
        return os.open(name, FOLDER, dir_fd=above)
    except OSError as exc:
        if exc.errno in (errno.ENOTDIR, errno.ELOOP):
            with contextlib.suppress(OSError):
                if stat.S_ISLNK(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
                    raise CodexOpsError(
                        f"The folder {path!r} is a symbolic link.",
                        code="symlink",
                        outcome="rejected",
                        hint="Nothing is written through links. Put the real folder into the slice's scope.",
                        where=path,
                    ) from None
        raise


def open_folder(root: int, parts: t.Sequence[str]) -> int:
    """A handle of the directory *parts* below the handle *root*, every step without following links. The caller closes it."""
    here = os.dup(root)
    try:
        for count, name in enumerate(parts, 1):
            below = open_below(here, name, "/".join(parts[:count]))
            os.close(here)
            here = below
        return here
    except BaseException:
        os.close(here)
        raise


def look(folder: int, name: str) -> os.stat_result | None:
    """What stands at *name* in the directory handle *folder*, links not followed; ``None`` if nothing does."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def read_handle(handle: int, at_most: int) -> bytes:
    """The content behind *handle*, at most *at_most* bytes and one more, so that the caller can tell."""
    chunks: list[bytes] = []
    left = at_most + 1
    while left > 0:
        chunk = os.read(handle, min(left, 1 << 20))
        if not chunk:
            break
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def write_handle(handle: int, content: bytes) -> None:
    """All of *content* into *handle*."""
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]


def stream_digest(source: int, size: int, into: int | None) -> str | None:
    """The digest of the *size* bytes behind *source*, written to *into* on the way; ``None`` if it was not that many."""
    digest = hashlib.sha256()
    left = size
    while True:
        # One byte more than is left, so that the last read also sees the end.
        chunk = os.read(source, _CHUNK if left >= _CHUNK else left + 1)
        left -= len(chunk)
        if left < 0:
            return None
        digest.update(chunk)
        if into is not None and chunk:
            write_handle(into, chunk)
        if left == 0:
            return digest.hexdigest()
        if not chunk:
            return None


def write_new(folder: int, name: str, content: bytes) -> None:
    """A new file *name* with mode 0600, on disk when this returns (the directory's own entry is the caller's to sync)."""
    handle = os.open(name, CREATE, 0o600, dir_fd=folder)
    try:
        write_handle(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(folder: int, name: str, content: bytes) -> None:
    """*content* under *name*, all or nothing, and on disk when this returns."""
    beside = f".{name}.{os.urandom(6).hex()}"
    try:
        write_new(folder, beside, content)
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside, dir_fd=folder)
        raise
    os.fsync(folder)


def explain(exc: OSError, failed: str, code: str, where: str, outcome: str) -> CodexOpsError:
    """What a person should read instead of *exc*. *failed* is the beginning of the sentence."""
    full = exc.errno in NO_SPACE
    reason = exc.strerror or str(exc)
    return CodexOpsError(
        f"{failed}: {reason}.",
        code="disk_full" if full else code,
        outcome=outcome,
        hint="Make room and try again." if full else "Check rights, mount options and file attributes there.",
        where=f"{where}: {exc.filename}" if isinstance(exc.filename, str) and exc.filename != where else where,
    )


@contextlib.contextmanager
def explained(failed: str, code: str, where: str, outcome: str = "rejected") -> t.Iterator[None]:
    """Turn an OSError inside into a :class:`CodexOpsError` with *code*, or ``disk_full``."""
    try:
        yield
    except OSError as exc:
        raise explain(exc, failed, code, where, outcome) from exc
