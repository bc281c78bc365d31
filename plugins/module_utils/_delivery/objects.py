# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects of git as bytes: their names, and the two ways in which they are kept. Pure but for one file that is written. PRIVATE.

They are made here, not by git: then nothing that a repository asks git to do (filters, hooks, signatures) can be done.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import typing as t
import zlib

#: Modes as a tree has them.
FOLDER, FILE, PROGRAM, LINK, MODULE = "40000", "100644", "100755", "120000", "160000"
_TYPES = {"commit": 1, "tree": 2, "blob": 3}
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_BELOW = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Made(t.NamedTuple):
    """An object: its kind, and its content."""

    kind: str
    content: bytes


def hasher(length: int) -> t.Any:
    """The hash by which a repository names its objects, by the length of a name in digits."""
    return hashlib.sha256() if length == 64 else hashlib.new("sha1", usedforsecurity=False)


def name_of(made: Made, length: int) -> str:
    """The name of an object."""
    found = hasher(length)
    found.update(_raw(made))
    return str(found.hexdigest())


def _raw(made: Made) -> bytes:
    return f"{made.kind} {len(made.content)}".encode("ascii") + b"\0" + made.content


class Entry(t.NamedTuple):
    """One entry of a tree."""

    mode: str
    name: str


def read_tree(content: bytes, length: int) -> dict[bytes, Entry]:
    """The entries of a tree, by their names.

    :raises ValueError: it is none.
    """
    found: dict[bytes, Entry] = {}
    place, size = 0, length // 2
    while place < len(content):
        space, end = content.index(b" ", place), content.index(b"\0", place)
        if not place < space < end or end + 1 + size > len(content):
            raise ValueError("a tree that is none")
        name = content[space + 1 : end]
        found[name] = Entry(content[place:space].decode("ascii"), content[end + 1 : end + 1 + size].hex())
        place = end + 1 + size
    return found


def write_tree(entries: t.Mapping[bytes, Entry]) -> Made:
    """The tree with *entries*, in the order that git wants."""
    order = sorted(entries, key=lambda name: name + (b"/" if entries[name].mode == FOLDER else b""))
    parts = [entries[name].mode.encode("ascii") + b" " + name + b"\0" + bytes.fromhex(entries[name].name) for name in order]
    return Made("tree", b"".join(parts))


def keep(objects: int, made: Made, length: int) -> None:
    """Put an object into the object folder of a repository, which the handle *objects* is of. One that is there stays.

    :raises OSError:
    """
    name = name_of(made, length)
    with contextlib.suppress(FileExistsError):
        os.mkdir(name[:2], 0o755, dir_fd=objects)
    folder = os.open(name[:2], _BELOW, dir_fd=objects)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.stat(name[2:], dir_fd=folder, follow_symlinks=False)
            return
        # As git names what it has not finished: its own cleaning removes what a killed process leaves.
        beside = f"tmp_obj_{os.urandom(6).hex()}"
        handle = os.open(beside, _NEW, 0o444, dir_fd=folder)
        try:
            view = memoryview(zlib.compress(_raw(made)))
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
            os.rename(beside, name[2:], src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside, dir_fd=folder)
            raise
        finally:
            os.close(handle)
        os.fsync(folder)
    finally:
        os.close(folder)


def bundle(commit: str, parent: str, ref: str, made: t.Sequence[Made]) -> bytes:
    """A git bundle with the objects *made*, for who has *parent*."""
    sha256 = len(commit) == 64
    head = "# v3 git bundle\n@object-format=sha256\n" if sha256 else "# v2 git bundle\n"
    return f"{head}-{parent} \n{commit} {ref}\n\n".encode("ascii") + _pack(made, len(commit))


def _pack(made: t.Sequence[Made], length: int) -> bytes:
    parts = [b"PACK" + (2).to_bytes(4, "big") + len(made).to_bytes(4, "big")]
    for item in made:
        size, first = len(item.content) >> 4, _TYPES[item.kind] << 4 | len(item.content) & 15
        numbers = [first]
        while size:
            numbers.append(size & 127)
            size >>= 7
        parts.append(bytes([number | 128 for number in numbers[:-1]] + numbers[-1:]) + zlib.compress(item.content))
    content = b"".join(parts)
    found = hasher(length)
    found.update(content)
    return content + t.cast(bytes, found.digest())
