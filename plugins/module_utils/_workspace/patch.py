# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The patch as people read it, rendered by git from neutral names. The truth of a change is its bytes, not this. PRIVATE."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import tempfile
import typing as t

from .._contract.model import Change, FileState
from .._errors import CodexOpsError
from .escape import escape, quote
from .handles import NO_SPACE
from .removal import remove_tree

__all__ = ["Patch", "escape", "render"]

#: Seconds that git may take.
TIMEOUT = 30.0

_HEADER_RE = re.compile(rb"diff --git \S+/(\d{6}) \S+\Z")
_OPTIONS = (
    "--no-index",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--no-prefix",
    "--text",
    "--unified=3",
    "--inter-hunk-context=0",
    "--diff-algorithm=histogram",
    "--indent-heuristic",
    "--ignore-submodules=none",
    "--submodule=short",
    "--ws-error-highlight=none",
)


@dataclasses.dataclass(frozen=True)
class Patch:
    """A unified diff.

    ``per_file`` holds one ``{path, operation, added, removed}`` per change, in the order of the changes; ``added`` and
    ``removed`` are lines.
    """

    text: str
    added: int
    removed: int
    per_file: list[dict[str, t.Any]]


def render(changes: t.Sequence[Change], *, scratch: str | None = None) -> Patch:
    """*changes* as a unified diff; the same changes give the same text.

    Text holds the contents as they are (bytes that are not UTF-8 replaced): whoever shows it uses :func:`escape`. A binary
    file, or one too large to show, is one line.

    :arg scratch: The folder to make a short-lived, private folder in. Default is the system's place for such.
    :raises CodexOpsError: ``git_missing``, ``patch_timeout``, ``patch_failed``, ``disk_full``.
    """
    hunks = _hunks({place: change for place, change in enumerate(changes) if _is_text(change)}, scratch)
    sections: list[str] = []
    per_file: list[dict[str, t.Any]] = []
    for place, change in enumerate(changes):
        lines = hunks.get(place, [])
        added = sum(1 for line in lines if line.startswith(b"+"))
        removed = sum(1 for line in lines if line.startswith(b"-"))
        body = "".join(line.decode("utf-8", "replace") + "\n" for line in lines)
        sections.append(_header(change, bool(lines)) + body)
        per_file.append({"path": change.path, "operation": change.operation, "added": added, "removed": removed})
    return Patch(
        "".join(sections), sum(item["added"] for item in per_file), sum(item["removed"] for item in per_file), per_file
    )


def _is_text(change: Change) -> bool:
    """Whether git is to render the contents."""
    if change.old_content == change.new_content or not _is_plain(change):
        return False
    return not (_is_binary(change.old, change.old_content) or _is_binary(change.new, change.new_content))


def _is_plain(change: Change) -> bool:
    return all(state is None or state.kind == "file" for state in (change.old, change.new))


def _is_binary(state: FileState | None, content: bytes | None) -> bool:
    return state is not None and (content is None or b"\0" in content)


def _header(change: Change, has_lines: bool) -> str:
    old, new = change.old, change.new
    before, after = quote(f"a/{change.path}"), quote(f"b/{change.path}")
    text = f"diff --git {before} {after}\n"
    if not _is_plain(change):
        was, now = (state.kind if state is not None else "nothing" for state in (old, new))
        return text + f"Special file {quote(change.path)}: {was} became {now}\n"
    if old is None and new is not None:
        text += f"new file mode {0o100000 | new.mode:06o}\n"
    elif old is not None and new is None:
        text += f"deleted file mode {0o100000 | old.mode:06o}\n"
    elif old is not None and new is not None and old.mode != new.mode:
        text += f"old mode {0o100000 | old.mode:06o}\nnew mode {0o100000 | new.mode:06o}\n"
    if has_lines:
        text += f"--- {_named(before) if old else '/dev/null'}\n+++ {_named(after) if new else '/dev/null'}\n"
    elif _is_binary(old, change.old_content) or _is_binary(new, change.new_content):
        text += f"Binary file {quote(change.path)} differs\n"
    return text


def _named(name: str) -> str:
    # git and patch take the tab as the end of a name with spaces in it.
    return name + "\t" if " " in name else name


def _hunks(wanted: t.Mapping[int, Change], scratch: str | None) -> dict[int, list[bytes]]:
    """What git writes below the header of each change, by its place."""
    if not wanted:
        return {}
    folder = tempfile.mkdtemp(prefix="codex-ops-patch-", dir=scratch)
    try:
        for side in ("old", "new"):
            os.mkdir(os.path.join(folder, side), 0o700)
        for place, change in wanted.items():
            for side, content in (("old", change.old_content), ("new", change.new_content)):
                if content is not None:
                    with open(os.path.join(folder, side, f"{place:06d}"), "xb") as file:
                        file.write(content)
        return _sections(_run_git(folder), wanted)
    except OSError as exc:
        full = exc.errno in NO_SPACE
        raise CodexOpsError(
            f"The patch could not be written: {exc.strerror}.",
            code="disk_full" if full else "patch_failed",
            outcome="rejected",
            where=folder,
        ) from exc
    finally:
        remove_tree(folder)


def check_git() -> None:
    """See early that git is there, before any token is spent. :raises CodexOpsError: ``git_missing``."""
    _git()


def _git() -> str:
    found = shutil.which("git", path="/usr/bin:/bin:/usr/local/bin") or shutil.which("git")
    if not found:
        raise CodexOpsError(
            "git is missing on this host; the patch is rendered by it.",
            code="git_missing",
            outcome="rejected",
            hint="Install the package git.",
        )
    return found


def _run_git(folder: str) -> bytes:
    import subprocess  # only needed when there is something to render

    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin",
        "LC_ALL": "C",
        "HOME": folder,
        "XDG_CONFIG_HOME": folder,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        # Whatever repository the folder may lie in, it is not asked.
        "GIT_DIR": os.path.join(folder, "none"),
        "GIT_CEILING_DIRECTORIES": os.path.dirname(folder),
        "GIT_PAGER": "cat",
        "GIT_TERMINAL_PROMPT": "0",
    }
    argv = [_git(), "--no-pager", "diff", *_OPTIONS, "old", "new"]
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CodexOpsError(
            f"git needed more than {TIMEOUT:.0f} s to render the patch.",
            code="patch_timeout",
            outcome="rejected",
            hint="Give the agent a smaller task.",
        ) from None
    if done.returncode not in (0, 1):
        said = escape(done.stderr.decode("utf-8", "replace").strip())[:500]
        raise CodexOpsError(f"git could not render the patch: {said}", code="patch_failed", outcome="rejected")
    return done.stdout


def _sections(output: bytes, wanted: t.Mapping[int, Change]) -> dict[int, list[bytes]]:
    """Split git's *output* by file. Lines of content begin with a sign, so only a header can begin with ``diff``."""
    hunks: dict[int, list[bytes]] = {}
    lines: list[bytes] | None = None
    in_hunk = False
    for line in output.split(b"\n"):
        header = _HEADER_RE.match(line)
        if header:
            lines, in_hunk = hunks.setdefault(int(header.group(1)), []), False
        elif lines is not None:
            in_hunk = in_hunk or line.startswith(b"@@ ")
            if in_hunk and line:
                lines.append(line)
    for place, change in wanted.items():
        # Only an empty file made or taken away has no line to show.
        if not hunks.get(place) and (change.old_content or change.new_content):
            raise CodexOpsError(
                "git shows nothing for a file that differs.", code="patch_failed", outcome="rejected", where=change.path
            )
    return hunks
