# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A git repository as files: where it is, what HEAD is, and a new branch in it. Nothing of it is run or obeyed. PRIVATE."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import typing as t

from . import objects as kinds
from .objects import Made

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NAME = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})")
_REF = re.compile(r"refs/heads/[!-~]{1,200}")
#: Bytes of a file with one ref, and of the file with all that are packed.
_ONE, _PACKED = 4096, 16 << 20


class Unfit(Exception):
    """There can be no branch. The message says why."""


class Repository(t.NamedTuple):
    """A repository: the folder of its work tree, its ``.git``, and whose that is."""

    folder: str
    git: str
    uid: int


def find(workspace: str) -> Repository | None:
    """The repository in which the folder *workspace* lies, or ``None``. Like git, it is not looked for on another file system.

    :raises Unfit: there is something that looks like one.
    """
    here = os.path.realpath(workspace)
    try:
        device, owner = os.stat(here).st_dev, os.stat(here).st_uid
        while True:
            path = os.path.join(here, ".git")
            with contextlib.suppress(FileNotFoundError):
                found = os.lstat(path)
                if not stat.S_ISDIR(found.st_mode):
                    raise Unfit(f"{path} is a link or a file: linked work trees and submodules are not looked into")
                if found.st_uid not in (0, os.geteuid(), owner):
                    raise Unfit(f"{path} belongs to user {found.st_uid}, who owns neither the workspace nor this engine")
                return Repository(here, path, found.st_uid)
            above = os.path.dirname(here)
            if above == here or os.stat(above).st_dev != device:
                return None
            here = above
    except OSError as error:
        raise Unfit(f"{error.filename}: {error.strerror}") from None


def _text(handle: int, parts: t.Sequence[str], limit: int) -> str | None:
    """The file at *parts* below the folder *handle*, no link followed; ``None`` where nothing is.

    :raises Unfit: something else is there.
    """
    here = os.dup(handle)
    try:
        for part in parts[:-1]:
            below = os.open(part, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        found = os.open(parts[-1], _READ, dir_fd=here)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unfit(f".git/{'/'.join(parts)}: {error.strerror}") from None
    finally:
        os.close(here)
    with os.fdopen(found, "rb") as stream:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise Unfit(f".git/{'/'.join(parts)} is no file")
        raw = stream.read(limit + 1)
    if len(raw) > limit:
        raise Unfit(f".git/{'/'.join(parts)} is too large")
    return raw.decode("utf-8", "replace")


def _there(handle: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=handle, follow_symlinks=False)
        return True
    except FileNotFoundError:
        return False


class Opened:
    """A repository by handle. Use as a context manager.

    :raises Unfit: it is of a kind that is not looked into.
    """

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        try:
            self._git = os.open(repository.git, _FOLDER)
        except OSError as error:
            raise Unfit(f"{repository.git}: {error.strerror}") from None

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *args: object) -> None:
        os.close(self._git)

    def head(self) -> str:
        """The name of the commit that HEAD is.

        :raises Unfit: it cannot be told.
        """
        for name, why in (("commondir", "it is a linked work tree"), ("reftable", "its refs are kept as a reftable")):
            if _there(self._git, name):
                raise Unfit(f"{self.repository.git}: {why}")
        for parts in (("objects", "info", "alternates"), ("objects", "info", "http-alternates")):
            if _text(self._git, parts, _ONE):
                raise Unfit(f"{self.repository.git} borrows objects of another repository")
        try:
            kind = os.stat("objects", dir_fd=self._git, follow_symlinks=False).st_mode
        except OSError as error:
            raise Unfit(f"{self.repository.git}/objects: {error.strerror}") from None
        if not stat.S_ISDIR(kind) or "\n" in self.repository.git:
            raise Unfit(f"{self.repository.git} has no folder of objects")
        said = (_text(self._git, ["HEAD"], _ONE) or "").strip()
        if _NAME.fullmatch(said):
            return said
        ref = said[len("ref:") :].strip() if said.startswith("ref:") else ""
        if not _plain(ref):
            raise Unfit("HEAD is broken")
        found = self.ref(ref)
        if found is None:
            raise Unfit("HEAD has no commit yet")
        return found

    def ref(self, ref: str) -> str | None:
        """The name of the commit that a branch is.

        :raises Unfit: it cannot be told.
        """
        said = _text(self._git, ref.split("/"), _ONE)
        if said is None:
            for line in (_text(self._git, ["packed-refs"], _PACKED) or "").split("\n"):
                name, _space, known = line.partition(" ")
                if known == ref and _NAME.fullmatch(name):
                    return name
            return None
        if not _NAME.fullmatch(said.strip()):
            raise Unfit(f"{ref} is broken")
        return said.strip()

    def ours(self) -> bool:
        """Whether this process may write it, as its owner."""
        ours = self.repository.uid == os.geteuid()
        return ours and os.access("objects", os.W_OK | os.X_OK, dir_fd=self._git, effective_ids=os.access in os.supports_effective_ids)

    def add(self, ref: str, commit: str, made: t.Sequence[Made]) -> None:
        """Put the objects *made* into the repository, and then the branch *ref*, which is not there yet.

        :raises Unfit: it cannot be made, or somebody else is at it.
        """
        try:
            below = os.open("objects", _FOLDER, dir_fd=self._git)
            try:
                for item in made:
                    kinds.keep(below, item, len(commit))
            finally:
                os.close(below)
            self._name(ref.split("/"), commit)
        except FileExistsError:
            raise Unfit(f"{ref} is locked: another process is at it, or was killed there") from None
        except OSError as error:
            raise Unfit(f"{ref} cannot be made: {error.strerror}") from None

    def _name(self, parts: t.Sequence[str], commit: str) -> None:
        packed = [line.partition(" ")[2] for line in (_text(self._git, ["packed-refs"], _PACKED) or "").split("\n")]
        above = ["/".join(parts[:count]) for count in range(3, len(parts))]
        if any(name in packed for name in above):
            raise Unfit(f"there is a branch {next(name for name in above if name in packed)}, so there can be none below it")
        here = os.dup(self._git)
        try:
            for part in parts[:-1]:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=here)
                below = os.open(part, _FOLDER, dir_fd=here)
                os.close(here)
                here = below
            # As git does it: who makes the lock may write the ref.
            lock = parts[-1] + ".lock"
            handle = os.open(lock, _NEW, 0o644, dir_fd=here)
            try:
                os.write(handle, commit.encode("ascii") + b"\n")
                os.fsync(handle)
                os.rename(lock, parts[-1], src_dir_fd=here, dst_dir_fd=here)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(lock, dir_fd=here)
                raise
            finally:
                os.close(handle)
            os.fsync(here)
        finally:
            os.close(here)


def _plain(ref: str) -> bool:
    parts = ref.split("/")
    return bool(_REF.fullmatch(ref)) and all(part and not part.startswith(".") and not part.endswith(".lock") for part in parts) and ".." not in ref
