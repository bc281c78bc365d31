# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kill switch: a file whose presence stops all work. PRIVATE.

Whatever is at its path counts, an empty file, a folder or a link to nowhere too, and so does a path that cannot be looked at.
Only a path at which there is surely nothing is a released switch.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import typing as t

from .._errors import CodexOpsError

#: Bytes of the file that are read, and characters of a word in it that are shown.
MAX_FILE = 65536
MAX_TEXT = 1000
# Line breaks and whatever a screen would obey or hide.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")
#: The reason of a switch that the role day2.codex.guardrails engaged after a failed self-test, and releases again by itself.
UNTIL_FIT = "The self-test of the role day2.codex.guardrails failed. Repair this host and run the role again."
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Switch(t.NamedTuple):
    """The state of the kill switches. ``path`` is the engaged one; ``by`` and ``since`` are empty where nobody wrote them down."""

    engaged: bool
    path: str | None = None
    reason: str = ""
    by: str = ""
    since: str = ""

    def sentence(self) -> str:
        """What a person reads when work stops here."""
        if not self.engaged:
            return "The kill switch is released."
        said = f": {self.reason}" if self.reason else ""
        whence = "".join((f" by {self.by}" if self.by else "", f" since {self.since}" if self.since else ""))
        return f"The kill switch {self.path} is engaged{whence}{said}".rstrip(".") + "."


def _plain(value: t.Any) -> str:
    return _UNSEEN.sub(" ", value).strip()[:MAX_TEXT] if isinstance(value, str) else ""


def _nothing_there(path: str) -> tuple[bool, str]:
    """Whether there is surely nothing at *path*, and why not."""
    try:
        os.lstat(path)
        return False, ""
    except FileNotFoundError:
        pass
    except OSError as error:
        return False, f"it cannot be looked at ({error.strerror})"
    # A folder on the way that is a link to nowhere (a disk that is not mounted) hides the switch.
    folder = os.path.dirname(path)
    while True:
        try:
            os.stat(folder)
            return True, ""
        except FileNotFoundError:
            if os.path.islink(folder):
                return False, f"the link {folder} leads nowhere"
            if folder == os.path.dirname(folder):
                return True, ""
            folder = os.path.dirname(folder)
        except OSError as error:
            return False, f"it cannot be looked at ({error.strerror})"


def _read(path: str) -> tuple[str, str, str]:
    """Reason, by and since of an engaged switch, as far as they can be read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return "it is not a regular file", "", ""
            text = os.read(handle, MAX_FILE).decode("utf-8", "replace")
        finally:
            os.close(handle)
    except OSError as error:
        return f"it cannot be read ({error.strerror})", "", ""
    try:
        known = json.loads(text)
    except (ValueError, RecursionError):
        # Somebody in a hurry: echo why > disabled
        return _plain(text), "", ""
    if not isinstance(known, dict):
        return _plain(text), "", ""
    return _plain(known.get("reason")), _plain(known.get("by")), _plain(known.get("since"))


def state(paths: t.Sequence[str]) -> Switch:
    """The first engaged one of the switches at *paths*, or a released one."""
    for path in paths:
        nothing, why = _nothing_there(path)
        if nothing:
            continue
        if why:
            return Switch(True, path, why)
        return Switch(True, path, *_read(path))
    return Switch(False)


def engaged_reason(paths: t.Sequence[str]) -> str | None:
    """That a switch at *paths* is engaged, as a sentence, or ``None``. Two looks at the file system for each while none is."""
    found = state(paths)
    return found.sentence() if found.engaged else None


def _cannot(path: str, what: str, error: OSError) -> CodexOpsError:
    full = error.errno in _FULL
    return CodexOpsError(
        f"The kill switch cannot be {what}: {error.strerror}.",
        code="disk_full" if full else "kill_switch_unwritable",
        outcome="rejected",
        where=path,
        hint="Make room and run this again." if full else "Run as the owner of the prefix (root under /).",
    )


def _sync(folder: str) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def gives_way(found: Switch, reason: str) -> bool:
    """Whether *found* was engaged by the self-test alone, and somebody with a *reason* of their own takes its place."""
    return found.engaged and found.reason == UNTIL_FIT and _plain(reason) != UNTIL_FIT


def engage(path: str, reason: str, by: str, since: str, folder_mode: int = 0o755) -> bool:
    """Engage the switch at *path*. An engaged one stays as it is, with its first reason, unless that is ``UNTIL_FIT``.

    The empty file comes first: from then on all work stops, even if the disk is too full for the reason.

    :arg since: The time, as people and records write it.
    :arg folder_mode: Of folders that have to be made. A host's users must be able to enter: they cannot work past a switch that they cannot see.
    :returns: Whether it was released before, or now has another reason.
    :raises CodexOpsError: ``kill_switch_unwritable`` or ``disk_full``: it is not engaged, or only until the host is fit.
    """
    content = json.dumps({"reason": _plain(reason), "by": _plain(by), "since": _plain(since)}, ensure_ascii=True).encode("ascii") + b"\n"
    if not _nothing_there(path)[0]:
        return _take_over(path, reason, content)
    folder = os.path.dirname(path)
    try:
        _make(folder, folder_mode)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return _take_over(path, reason, content)
    except OSError as error:
        raise _cannot(path, "engaged", error) from None
    with contextlib.suppress(OSError):
        _fill(handle, content)
    _sync(folder)
    return True


def _fill(handle: int, content: bytes) -> None:
    """Write *content*, which everybody whom it stops may read, whatever the umask says. Closes *handle*."""
    try:
        os.fchmod(handle, 0o644)
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)


def _take_over(path: str, reason: str, content: bytes) -> bool:
    """Put *content* in the place of what the self-test wrote, if that is all there is. At no time is the switch released."""
    if not gives_way(state([path]), reason):
        return False
    fresh = path + ".new"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        _fill(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644), content)
        os.replace(fresh, path)
    except OSError as error:
        # Of two at once the other one's reason may be there by now. Else: without any reason it is not the self-test's either, and that takes no room.
        if gives_way(state([path]), reason):
            _emptied(path, error)
        with contextlib.suppress(OSError):
            os.unlink(fresh)
    _sync(os.path.dirname(path))
    return True


def _emptied(path: str, why: OSError) -> None:
    try:
        os.truncate(path, 0)
    except OSError:
        raise _cannot(path, "kept engaged beyond the next self-test", why) from None


def _make(folder: str, mode: int) -> None:
    """*folder* and those above it, as far as they are missing."""
    if os.path.isdir(folder):
        return
    _make(os.path.dirname(folder), mode)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, mode)
        # Whatever the umask took away.
        os.chmod(folder, mode)
        _sync(os.path.dirname(folder))


def release(path: str) -> bool:
    """Release the switch at *path*.

    :returns: Whether it was engaged before.
    :raises CodexOpsError: ``kill_switch_unwritable``: it is still engaged.
    """
    nothing, why = _nothing_there(path)
    if nothing:
        return False
    try:
        os.unlink(path)
    except FileNotFoundError:
        if not why:
            return False
        raise CodexOpsError(
            f"The kill switch cannot be released: {why}.",
            code="kill_switch_unwritable",
            outcome="rejected",
            where=path,
            hint="Repair the folder, then run this again.",
        ) from None
    except OSError as error:
        # What unlink says of a folder differs between systems.
        folder = os.path.isdir(path) and not os.path.islink(path)
        raise _cannot(path, "released", IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) if folder else error) from None
    _sync(os.path.dirname(path))
    return True
