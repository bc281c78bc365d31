# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts an engine on a host: unpacked and compiled beside, renamed, then switched to. At any moment one whole engine is there. PRIVATE."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tarfile
import typing as t

from .._errors import CodexOpsError
from . import folder as folders
from .manifest import FILE, MAX_SOURCE, Manifest

#: The link to the engine that is in charge, and the command that people and cron call.
CURRENT = "current"
COMMAND = "bin/codex-ops"
_NEW = ".new-"
_LOCK = ".lock"
_COMPILE = """
import compileall, py_compile, sys
folder, final = sys.argv[1:]
done = compileall.compile_dir(folder, quiet=1, stripdir=folder, prependdir=final, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
sys.exit(0 if done else 1)
"""
_ASK = "import sys; sys.stdout.write('%s %d.%d' % (sys.implementation.cache_tag, *sys.version_info[:2]))"
_COMMAND = """\
#!{python} -ISB
# Written by day2.codex.engine. It takes one engine, and keeps to it while it runs.
# Isolated from the caller's environment; site-packages are added where they are needed.
import os
import sys

home = os.path.realpath({current!r})
sys.path.insert(0, home)

from codex_ops._cli.main import main

sys.exit(main(sys.argv[1:], home, {prefix!r}))
"""


def command_text(python: str, root: str, prefix: str) -> str:
    """The text of the command codex-ops."""
    return _COMMAND.format(python=python, current=os.path.join(root, CURRENT), prefix=prefix)


def python_kind(python: str) -> str:
    """The cache tag of the interpreter *python*, for example ``cpython-311``.

    :raises CodexOpsError: ``interpreter_unusable``.
    """
    why = "it is not an absolute path of one word" if not python.startswith("/") or any(char.isspace() for char in python) else ""
    if not why and len(python) > 120:
        # Linux cuts the first line of a script.
        why = "its path is too long for the first line of a script"
    if not why:
        try:
            done = subprocess.run([python, "-I", "-c", _ASK], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
            tag, version = done.stdout.decode("ascii").split()
            if tuple(map(int, version.split("."))) >= (3, 9):
                return tag
            why = f"it is Python {version}"
        except (OSError, subprocess.SubprocessError) as error:
            why = getattr(error, "strerror", None) or "it did not answer"
        except ValueError:
            why = "it is no Python"
    raise CodexOpsError(
        f"{python} cannot run the engine: {why}.", code="interpreter_unusable", outcome="rejected", where="interpreter", hint="Name a Python 3.9 or newer."
    )


def check_interpreter(python: str, owners: t.Collection[int]) -> None:
    """Nobody but *owners* may be able to put something else in the place of the interpreter: looked at part by part, links too.

    :raises CodexOpsError: ``interpreter_unsafe``.
    """
    here, parts, steps = "/", [part for part in reversed(python.split("/")) if part], 0
    while True:
        found = os.lstat(here)
        link = stat.S_ISLNK(found.st_mode)
        steps += 1
        if found.st_uid not in owners or (found.st_mode & 0o022 and not link and not found.st_mode & stat.S_ISVTX) or steps > 200:
            raise CodexOpsError(
                f"The engine must not be run by {python}: {here} belongs to user {found.st_uid} and has mode {stat.S_IMODE(found.st_mode):04o}.",
                code="interpreter_unsafe",
                outcome="rejected",
                where="interpreter",
                hint="Name the system's Python, such as /usr/bin/python3.",
            )
        if link:
            target = os.readlink(here)
            parts += [part for part in reversed(target.split("/")) if part not in ("", ".")]
            here = "/" if target.startswith("/") else os.path.dirname(here)
        if not parts:
            return
        part = parts.pop()
        here = os.path.dirname(here) if part == ".." else os.path.join(here, part)


@contextlib.contextmanager
def locked(root: str) -> t.Iterator[None]:
    """While the context is open, nobody else installs here."""
    handle = os.open(os.path.join(root, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def in_charge(root: str) -> str | None:
    """The folder that ``current`` names; ``None`` where there is none."""
    try:
        name = os.readlink(os.path.join(root, CURRENT))
    except OSError:
        return None
    return os.path.join(root, name) if name and "/" not in name and not name.startswith(".") else None


def find(root: str, manifest: Manifest, owners: t.Collection[int], python: str) -> str | None:
    """The folder in which *manifest* is installed, whole and compiled."""
    now = in_charge(root)
    for path in ([now] if now else []) + [os.path.join(root, name) for name in installed(root) if _is_of(name, manifest)]:
        if folders.fault(path, manifest, owners, python) is None:
            return path
    return None


def _is_of(name: str, manifest: Manifest) -> bool:
    return name == manifest.folder or name.startswith(manifest.folder + ".")


def installed(root: str) -> list[str]:
    """The names of the engines' folders, the newest last."""
    try:
        names = [name for name in os.listdir(root) if name[:1].isdigit() and os.path.isdir(os.path.join(root, name))]
    except FileNotFoundError:
        return []
    return sorted(names, key=lambda name: (os.lstat(os.path.join(root, name)).st_mtime_ns, name))


def unpack(root: str, pack: str, manifest: Manifest, python: str, kind: str) -> str:
    """Unpack and compile *pack* into a folder of its own; its path. Nothing uses it yet.

    :raises CodexOpsError: ``pack_damaged`` or ``compile_failed``.
    """
    final = os.path.join(root, manifest.folder)
    repair = 0
    while os.path.lexists(final):
        # One that is damaged may be in use, so it stays until the new one is.
        repair += 1
        final = os.path.join(root, f"{manifest.folder}.{repair}")
    beside = os.path.join(root, f"{_NEW}{os.urandom(6).hex()}")
    os.mkdir(beside, 0o755)
    try:
        _write(os.path.join(beside, FILE), manifest.text().encode("ascii"))
        for path, content in _contents(pack, manifest):
            _write(os.path.join(beside, path), content)
        _compile(beside, final, python, kind)
        _settle(beside)
        os.rename(beside, final)
        _sync(root)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return final


def _damaged(why: str, where: str) -> CodexOpsError:
    return CodexOpsError(f"The pack of the engine is damaged: {why}.", code="pack_damaged", outcome="rejected", where=where, hint="Run this again.")


def _contents(pack: str, manifest: Manifest) -> t.Iterator[tuple[str, bytes]]:
    seen = set()
    try:
        with tarfile.open(pack, "r:") as archive:
            for member in archive:
                if member.name == FILE:
                    continue
                stream = archive.extractfile(member) if member.isreg() and member.size <= MAX_SOURCE else None
                content = stream.read() if stream else b""
                if member.name in seen or hashlib.sha256(content).hexdigest() != manifest.files.get(member.name):
                    raise _damaged(f"{member.name[:80]!r} is not what the manifest says", pack)
                seen.add(member.name)
                yield member.name, content
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _damaged(str(error), pack) from None
    if len(seen) != len(manifest.files):
        raise _damaged("files are missing", pack)


def _write(path: str, content: bytes) -> None:
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)


def _compile(beside: str, final: str, python: str, kind: str) -> None:
    done = subprocess.run([python, "-I", "-c", _COMPILE, beside, final], stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)
    if done.returncode:
        raise CodexOpsError(
            f"The engine could not be compiled by {python}: {done.stdout.decode('utf-8', 'replace')[-500:]}", code="compile_failed", outcome="rejected"
        )
    files = {}
    for here, _below, names in os.walk(beside):
        for name in names:
            if name.endswith(".pyc"):
                full = os.path.join(here, name)
                with open(full, "rb") as stream:
                    files[os.path.relpath(full, beside)] = hashlib.sha256(stream.read()).hexdigest()
    text = json.dumps({"python": kind, "files": files}, sort_keys=True, indent=1) + "\n"
    _write(os.path.join(beside, folders.COMPILED), text.encode("ascii"))


def _settle(beside: str) -> None:
    """Modes that do not depend on the umask, and everything on disk."""
    for here, _below, names in os.walk(beside, topdown=False):
        for name in names:
            handle = os.open(os.path.join(here, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            os.fchmod(handle, 0o644)
            os.fsync(handle)
            os.close(handle)
        os.chmod(here, 0o755)
        _sync(here)


def _sync(path: str) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def switch(root: str, path: str) -> None:
    """Put the engine in *path* in charge, at once."""
    beside = os.path.join(root, f"{_NEW}{os.urandom(6).hex()}")
    os.symlink(os.path.basename(path), beside)
    os.replace(beside, os.path.join(root, CURRENT))
    _sync(root)


def write_program(root: str, name: str, text: str) -> None:
    """Put the command, or another program below *root*, in its place, all of it or nothing."""
    target = os.path.join(root, name)
    beside = os.path.join(root, f"{_NEW}{os.urandom(6).hex()}")
    _write(beside, text.encode("utf-8", "surrogateescape"))
    handle = os.open(beside, os.O_RDONLY | os.O_CLOEXEC)
    os.fchmod(handle, 0o755)
    os.fsync(handle)
    os.close(handle)
    os.replace(beside, target)
    _sync(os.path.dirname(target))


def sweep(root: str, keep: int) -> list[str]:
    """Remove what interrupted installs left, and all engines but the *keep* newest and the one in charge. The names of the engines."""
    for name in os.listdir(root):
        if name.startswith(_NEW):
            _remove(os.path.join(root, name))
    now = os.path.basename(in_charge(root) or "")
    others = [name for name in installed(root) if name != now]
    gone = others[: max(0, len(others) - (keep - 1))]
    for name in gone:
        _remove(os.path.join(root, name))
    return gone


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        os.unlink(path)


def clear(root: str, programs: t.Collection[str]) -> None:
    """Remove *programs*, the link and every engine. What else lies there stays."""
    for name in (*programs, CURRENT):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(root, name))
    for name in [*installed(root), *(name for name in os.listdir(root) if name.startswith(_NEW))]:
        _remove(os.path.join(root, name))
    os.unlink(os.path.join(root, _LOCK))
    for path in (*sorted({os.path.dirname(os.path.join(root, name)) for name in programs}), root):
        with contextlib.suppress(OSError):
            os.rmdir(path)
