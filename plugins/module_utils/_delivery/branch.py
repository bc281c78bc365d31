# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change of a plan as one commit on a branch: built from HEAD's tree and the plan's files, and from nothing else. PRIVATE.

Work tree, index and HEAD stay as they are. Git only reads objects, in a repository of our own that borrows them: no hook, filter or
setting of the other one is ever obeyed.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shlex
import typing as t

from . import files
from .objects import FILE, FOLDER, LINK, MODULE, PROGRAM, Entry, Made, bundle, name_of, read_tree, write_tree
from .repository import Opened, Repository, Unfit, find

__all__ = ["Proposal", "Unfit", "propose"]

#: Seconds for git, bytes of a commit, of a tree and of a file, and folders that are looked into.
TIMEOUT, MAX_COMMIT, MAX_TREE, MAX_BLOB, MAX_FOLDERS = 30.0, 1 << 20, 4 << 20, 4 << 20, 500
#: Kilobytes of memory and seconds of a processor that git may have: a hostile object can ask for any of both.
_LIMITED = 'ulimit -c 0; ulimit -v 2097152; ulimit -t 30; exec "$0" "$@"'
_CONFIG = "[core]\n\tbare = true\n\tpackedGitWindowSize = 32m\n\tpackedGitLimit = 256m\n\tdeltaBaseCacheLimit = 32m\n\trepositoryformatversion = "


class Output(t.Protocol):
    """How a program ended, and what it wrote."""

    @property
    def exit_code(self) -> int | None:
        """``None`` where a signal ended it."""

    @property
    def stdout(self) -> bytes:
        """The beginning of what it wrote."""

    @property
    def stdout_truncated(self) -> bool:
        """Whether there was more."""


class File(t.NamedTuple):
    """One file of a plan, its path relative to the workspace. ``old`` is its digest before, ``new`` its content; ``None``: it is not there."""

    path: str
    old: str | None
    old_size: int
    new: bytes | None
    executable: bool
    mode_changes: bool


class Proposal(t.NamedTuple):
    """What is wanted. ``when`` is in seconds since the epoch. ``writable``: a repository of the caller's own may get the branch itself."""

    workspace: str
    files: t.Sequence[File]
    branch: str
    message: str
    when: int
    host: str
    writable: bool
    scratch: str
    bundle: str


def branch_name(slice_: str, sha256: str) -> str:
    """The name of the branch for a plan of *slice_* with the digest *sha256*."""
    plain = re.sub(r"\.\.+", ".", re.sub(r"[^a-z0-9._-]", "-", slice_)).strip(".") or "slice"
    return f"codex-ops/{plain[: -len('.lock')] + '-lock' if plain.endswith('.lock') else plain}/{sha256[:12]}"


def propose(wanted: Proposal, run: t.Callable[..., Output]) -> dict[str, t.Any] | None:
    """The branch, in the repository or as a bundle beside the ticket, as a ticket tells of it; ``None`` where there is no repository.

    :arg run: Runs a program with a time limit, and leaves nothing of it behind.
    :raises Unfit: there can be none.
    :raises OSError: the bundle or a scratch file cannot be written.
    """
    repository = find(wanted.workspace)
    if repository is None or not wanted.files:
        return None
    ref = f"refs/heads/{wanted.branch}"
    with Opened(repository) as opened:
        made: dict[str, t.Any] = {"name": wanted.branch, "repository": repository.folder, "bundle": None, "fetch": None, "why_not": None}
        # In a handed-over repository somebody may work on it already; another look is not another commit.
        known = opened.ref(ref) if wanted.writable and opened.ours() else None
        if known is not None:
            return {**made, "commit": known}
        head = opened.head()
        commit, objects = _built(wanted, repository, head, run)
        if wanted.writable and opened.ours():
            opened.add(ref, commit, objects)
            return {**made, "commit": commit}
        files.write(wanted.bundle, bundle(commit, head, ref, objects))
        return {**made, "commit": commit, "bundle": wanted.bundle, "fetch": fetch_line(repository, wanted.bundle, ref)}


def fetch_line(repository: Repository, bundle_: str, ref: str) -> str | None:
    """The line by which root brings *ref* from a bundle into the repository; ``None`` where its owner is nobody whom this host knows.

    In the repository of somebody else, git would refuse to work as root, and would obey foreign settings where it did not: its owner
    runs it there, on a copy that the owner may read.
    """
    folder, refs = shlex.quote(repository.folder), shlex.quote(f"{ref}:{ref}")
    if repository.uid in (0, os.geteuid()):
        return f"git -C {folder} fetch {shlex.quote(bundle_)} {refs}"
    try:
        owner = pwd.getpwuid(repository.uid)
    except KeyError:
        return None
    copy = f'install -o {repository.uid} -m 0400 {shlex.quote(bundle_)} "$t/bundle"'
    fetch = f'runuser -u {shlex.quote(owner.pw_name)} -- env HOME={shlex.quote(owner.pw_dir)} git -C {folder} fetch "$t/bundle" {refs}'
    return f"""(t=$(mktemp -d) && trap 'rm -rf "$t"' EXIT && chmod 0711 "$t" && {copy} && {fetch})"""


class _Reader:
    """Objects of a repository, read by git in an empty one that borrows them."""

    def __init__(self, repository: Repository, scratch: str, length: int, run: t.Callable[..., Output]) -> None:
        self._run = run
        self._length = length
        self._folder = os.path.join(scratch, "git")
        for name in ("", "refs", "objects", "objects/info"):
            files.make(os.path.join(self._folder, name))
        sha256 = length == 64
        config = _CONFIG + ("1\n[extensions]\n\tobjectformat = sha256\n" if sha256 else "0\n")
        for name, text in (("HEAD", "ref: refs/heads/none\n"), ("config", config), ("objects/info/alternates", f"{repository.git}/objects\n")):
            files.write(os.path.join(self._folder, name), os.fsencode(text))

    def _git(self, question: str, names: t.Sequence[str], limit: int) -> bytes:
        environment = {
            "PATH": "/usr/bin:/bin:/usr/local/bin",
            "LC_ALL": "C",
            "HOME": self._folder,
            "XDG_CONFIG_HOME": self._folder,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_SYSTEM": "/dev/null",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_DIR": self._folder,
        }
        given = "".join(f"{name}\n" for name in names).encode("ascii")
        argv = ["/bin/sh", "-c", _LIMITED, "git", "cat-file", question]
        done = self._run(argv, cwd=self._folder, env=environment, timeout=TIMEOUT, stdin=given, max_output=limit)
        if done.exit_code != 0 or done.stdout_truncated:
            raise Unfit("git cannot read its objects" if not done.stdout_truncated else "its objects are too large")
        return bytes(done.stdout)

    def looked(self, names: t.Sequence[str]) -> dict[str, tuple[str, str, int]]:
        """Name, kind and size of each of *names* that there is."""
        lines = self._git("--batch-check", names, 512 * (len(names) + 1)).decode("ascii", "replace").splitlines()
        if len(lines) != len(names):
            raise Unfit("git cannot read its objects")
        found = {}
        for asked, line in zip(names, lines):
            words = line.split(" ")
            if len(words) == 3 and words[2].isdigit() and len(words[0]) == self._length:
                found[asked] = (words[0], words[1], int(words[2]))
        return found

    def contents(self, names: t.Sequence[str], kind: str, limit: int) -> dict[str, bytes]:
        """The contents of the objects *names*, each of that kind and no larger than *limit* bytes."""
        names = sorted(set(names))
        if not names:
            return {}
        looked = self.looked(names)
        wrong = [name for name in names if name not in looked or looked[name][1] != kind or looked[name][2] > limit]
        if wrong:
            raise Unfit(f"the {kind} {wrong[0][:12]} is missing, too large or something else")
        data = self._git("--batch", names, sum(size + 200 for _name, _kind, size in looked.values()))
        found, place = {}, 0
        for name in names:
            end = data.find(b"\n", place) + 1
            size = looked[name][2]
            found[name] = data[end : end + size]
            place = end + size + 1
            if not end or len(found[name]) != size:
                raise Unfit("git cannot read its objects")
        return found


def _built(wanted: Proposal, repository: Repository, head: str, run: t.Callable[..., Output]) -> tuple[str, list[Made]]:
    """The commit, and the objects of which it is made."""
    length = len(head)
    reader = _Reader(repository, wanted.scratch, length, run)
    top = reader.looked([f"{head}^{{tree}}", head])
    if top.get(head, ("", "", 0))[1:2] != ("commit",) or top[head][2] > MAX_COMMIT or f"{head}^{{tree}}" not in top:
        raise Unfit("HEAD is no commit that can be read")
    root = top[f"{head}^{{tree}}"][0]
    try:
        inside = os.path.relpath(os.path.realpath(wanted.workspace), repository.folder)
        begin = b"" if inside == "." else os.fsencode(inside) + b"/"
        paths = {begin + os.fsencode(file.path): file for file in wanted.files}
        trees = _trees(reader, root, paths)
        _held_against(reader, trees, paths)
        made: list[Made] = []
        changed = _changed(trees, paths, made, length)
    except ValueError:
        raise Unfit("a tree of HEAD is broken") from None
    who = f"codex-ops <codex-ops@{re.sub(r'[^A-Za-z0-9.-]', '-', wanted.host)}> {wanted.when} +0000"
    text = f"tree {changed}\nparent {head}\nauthor {who}\ncommitter {who}\n\n{wanted.message}"
    commit = Made("commit", text.encode("utf-8", "backslashreplace"))
    return name_of(commit, length), [*made, commit]


def _folders(path: bytes) -> list[bytes]:
    """The folders above *path*, the top one, ``b""``, first."""
    parts = path.split(b"/")[:-1]
    return [b"/".join(parts[:count]) for count in range(len(parts) + 1)]


def _trees(reader: _Reader, root: str, paths: t.Iterable[bytes]) -> dict[bytes, dict[bytes, Entry]]:
    """The entries of every folder above one of *paths*, as HEAD has it; empty where HEAD has none. Level by level, one question each."""
    wanted = sorted({folder for path in paths for folder in _folders(path)})
    if len(wanted) > MAX_FOLDERS:
        raise Unfit(f"the change is in more than {MAX_FOLDERS} folders")
    found: dict[bytes, dict[bytes, Entry]] = {}
    names = {b"": root}
    for depth in range(max((folder.count(b"/") + 1 for folder in wanted if folder), default=0) + 1):
        level = [folder for folder in wanted if (folder.count(b"/") + 1 if folder else 0) == depth]
        contents = reader.contents([names[folder] for folder in level if folder in names], "tree", MAX_TREE)
        for folder in level:
            found[folder] = read_tree(contents[names[folder]], len(root)) if folder in names else {}
        for folder in wanted:
            above, _slash, name = folder.rpartition(b"/")
            entry = found[above].get(name) if folder and above in level else None
            if entry is None:
                continue
            if entry.mode.lstrip("0") != FOLDER:
                what = "a submodule" if entry.mode == MODULE else "no folder"
                raise Unfit(f"{os.fsdecode(folder)!r} is {what} in HEAD")
            names[folder] = entry.name
    return found


def _held_against(reader: _Reader, trees: t.Mapping[bytes, t.Mapping[bytes, Entry]], paths: t.Mapping[bytes, File]) -> None:
    """:raises Unfit: HEAD has not what the plan was made from."""
    entries: dict[bytes, Entry] = {}
    for path, file in paths.items():
        folder, _slash, name = path.rpartition(b"/")
        entry = trees[folder].get(name)
        if (entry is None) != (file.old is None):
            raise Unfit(f"{file.path!r} is {'not ' if entry is None else ''}in HEAD: HEAD is not what the plan was made from")
        if entry is not None:
            if entry.mode.lstrip("0") == FOLDER or entry.mode in (LINK, MODULE):
                raise Unfit(f"{file.path!r} is no file in HEAD")
            entries[path] = entry
    looked = reader.looked([entry.name for entry in entries.values()]) if entries else {}
    for path, entry in entries.items():
        if looked.get(entry.name, ("", "", -1))[2] != paths[path].old_size:
            raise Unfit(f"{paths[path].path!r} differs in HEAD: HEAD is not what the plan was made from")
    contents = reader.contents([entry.name for entry in entries.values()], "blob", MAX_BLOB)
    for path, entry in entries.items():
        if hashlib.sha256(contents[entry.name]).hexdigest() != paths[path].old:
            raise Unfit(f"{paths[path].path!r} differs in HEAD: HEAD is not what the plan was made from")


def _changed(trees: dict[bytes, dict[bytes, Entry]], paths: t.Mapping[bytes, File], made: list[Made], length: int) -> str:
    """The name of the new top tree. What is new is added to *made*."""
    for path, file in paths.items():
        folder, _slash, name = path.rpartition(b"/")
        before = trees[folder].pop(name, None)
        if file.new is not None:
            blob = Made("blob", file.new)
            made.append(blob)
            mode = before.mode if before is not None and not file.mode_changes else PROGRAM if file.executable else FILE
            trees[folder][name] = Entry(mode, name_of(blob, length))
    for folder in sorted(trees, key=lambda one: -one.count(b"/") if one else 1):
        tree = write_tree({name: entry._replace(mode=entry.mode.lstrip("0")) for name, entry in trees[folder].items()})
        if not folder:
            made.append(tree)
            return name_of(tree, length)
        above, _slash, name = folder.rpartition(b"/")
        # Git knows no empty folders.
        trees[above].pop(name, None)
        if trees[folder]:
            made.append(tree)
            trees[above][name] = Entry(FOLDER, name_of(tree, length))
    raise Unfit("there is no top tree")
