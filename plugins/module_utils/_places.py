# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where everything lies, under a prefix. The layout is the design's; no other file names a path of ours. PRIVATE."""

from __future__ import annotations

import os
import stat

from ._errors import CodexOpsError


class Places:
    """The paths of one installation.

    :arg prefix: ``/`` on a provisioned host; any folder of the caller's own for a demo, a test or an ordinary user.
    :raises CodexOpsError: ``prefix_invalid``.
    """

    def __init__(self, prefix: str) -> None:
        if not prefix.startswith("/") or "\0" in prefix:
            raise CodexOpsError(
                f"expected an absolute path, found {prefix!r}.", code="prefix_invalid", outcome="rejected", where="prefix"
            )
        self.prefix = os.path.realpath(prefix)
        self.etc = self._join("etc/codex-ops")
        self.slices = os.path.join(self.etc, "slices.d")
        self.provider_key = os.path.join(self.etc, "secrets/provider-key")
        self.state = self._join("var/lib/codex-ops")
        self.runs = os.path.join(self.state, "runs")
        self.backups = os.path.join(self.state, "backups")
        self.remembered = os.path.join(self.state, "remembered")
        self.stamps = os.path.join(self.state, "preflight")
        self.log = self._join("var/log/codex-ops/audit.jsonl")
        self.locks = self._join("run/lock/codex-ops")
        self.codex = [self._join("opt/codex-ops/bin/codex"), "/opt/codex-ops/bin/codex"]

    def _join(self, path: str) -> str:
        return os.path.join(self.prefix, path)

    @property
    def own(self) -> bool:
        """Whether this is a prefix of the caller's own, not the host's."""
        return self.prefix != "/"

    def prepare(self) -> None:
        """Make the folders that a run needs, for their owner alone.

        :raises CodexOpsError: ``prefix_not_writable``; nothing of the live system was touched.
        """
        for folder in (self.runs, self.backups, self.remembered, self.stamps, os.path.dirname(self.log), self.locks):
            try:
                os.makedirs(folder, mode=0o700, exist_ok=True)
                self._check_above(folder)
                found = os.stat(folder, follow_symlinks=False)
            except OSError as error:
                raise CodexOpsError(
                    f"cannot make the folder: {error.strerror}.",
                    code="prefix_not_writable",
                    outcome="rejected",
                    where=folder,
                    hint="Run as the owner of the prefix, or set 'prefix' to a folder of your own.",
                ) from None
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
                raise CodexOpsError(
                    "expected a folder of the caller's (or root's) own that nobody else can write.",
                    code="prefix_unsafe",
                    outcome="rejected",
                    where=folder,
                    hint="Correct its owner and mode, or set 'prefix' to a folder of your own.",
                )

    def _check_above(self, folder: str) -> None:
        """Nobody else may own, or be able to swap, a folder between the prefix and *folder*."""
        while self.own and folder != self.prefix:
            folder = os.path.dirname(folder)
            found = os.stat(folder, follow_symlinks=False)
            open_to_all = found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (0, os.geteuid()) or open_to_all:
                raise CodexOpsError(
                    "expected a folder of the caller's (or root's) own that not everybody can write.",
                    code="prefix_unsafe",
                    outcome="rejected",
                    where=folder,
                    hint="Correct its owner and mode, or set 'prefix' to a folder of your own.",
                )

    def run_dir(self, run_id: str) -> str:
        """The folder of one run."""
        return os.path.join(self.runs, run_id)

    def check_workspace(self, workspace: str) -> None:
        """Under a prefix of one's own, a workspace lies beneath the prefix's parent or belongs to the caller.

        :raises CodexOpsError: ``workspace_invalid``.
        """
        try:
            found = os.lstat(workspace)
        except OSError as error:
            raise CodexOpsError(
                f"cannot be read: {error.strerror}.",
                code="workspace_invalid",
                outcome="rejected",
                where=workspace,
                hint="The workspace must be an existing folder on the host.",
            ) from None
        if not stat.S_ISDIR(found.st_mode):
            raise CodexOpsError(
                "expected a folder, not a link or a file.", code="workspace_invalid", outcome="rejected", where=workspace
            )
        real = os.path.realpath(workspace)
        for ours in (self.etc, self.state, os.path.dirname(self.log), self.locks):
            holds_ours = ours.startswith(real.rstrip("/") + "/") and os.path.lexists(ours)
            if real == "/" or holds_ours or (real + "/").startswith(ours + "/"):
                raise CodexOpsError(
                    f"this folder can never be a workspace: the engine's own folder {ours} is the same, above it or below it.",
                    code="workspace_invalid",
                    outcome="rejected",
                    where=workspace,
                    hint="Name a folder of the application alone, and keep the prefix outside it.",
                )
        if self.own and found.st_uid != os.geteuid():
            parent = os.path.dirname(self.prefix)
            if parent == "/" or not real.startswith(parent + "/"):
                raise CodexOpsError(
                    f"under the prefix {self.prefix} a workspace lies below {parent} or belongs to the caller.",
                    code="workspace_invalid",
                    outcome="rejected",
                    where=workspace,
                )


def host_id() -> str:
    """A name for this host that plans are bound to: a digest of its machine ID, or of its host name where it has none."""
    import hashlib  # pylint: disable=import-outside-toplevel

    text = os.uname().nodename
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            with open(path, encoding="ascii") as handle:
                text = handle.read().strip() or text
            break
        except (OSError, ValueError):
            continue
    return hashlib.sha256(b"codex-ops host " + text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
