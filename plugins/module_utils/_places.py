# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where everything lies, under a prefix. The layout is the design's; no other file names a path of ours. PRIVATE."""

from __future__ import annotations

import errno
import os
import pwd
import stat
import typing as t

from ._errors import CodexOpsError
from ._identities import OPS, Account, account

if t.TYPE_CHECKING:
    from ._layout import Correction

_LINKS_AT_MOST = 40
_HOST_KILL_SWITCH = "/etc/codex-ops/disabled"
_HOST_POLICY = "/etc/codex-ops/policy.json"


def _suggested() -> str:
    """A prefix that is the caller's own."""
    try:
        return os.path.join(pwd.getpwuid(os.geteuid()).pw_dir, ".codex-ops")
    except KeyError:
        return "~/.codex-ops"


def _private_group(found: os.stat_result) -> bool:
    """Whether the group of a folder is its owner's own, with nobody else in it, as systems with umask 002 give each user one."""
    import grp  # pylint: disable=import-outside-toplevel
    import pwd  # pylint: disable=import-outside-toplevel

    try:
        owner, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    return owner.pw_gid == found.st_gid and group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}


def _unsafe(path: str, wrong: str) -> CodexOpsError:
    return CodexOpsError(
        wrong,
        code="prefix_unsafe",
        outcome="rejected",
        where=path,
        hint=f"Correct its owner and mode, or set 'prefix' to a folder of the caller's own, for example {_suggested()}.",
    )


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
        self.given = prefix
        self.prefix = os.path.realpath(prefix)
        self.etc = self._join("etc/codex-ops")
        self.slices = os.path.join(self.etc, "slices.d")
        self.provider_key = os.path.join(self.etc, "secrets/provider-key")
        self.policy = os.path.join(self.etc, "policy.json")
        self.rules = os.path.join(self.etc, "rules.json")
        self.delivery = os.path.join(self.etc, "delivery.json")
        self.alert_key = os.path.join(self.etc, "secrets/alert-key")
        self.signers = os.path.join(self.etc, "allowed_signers")
        self.revoked_signers = os.path.join(self.etc, "revoked_signers")
        self.kill_switch = os.path.join(self.etc, "disabled")
        #: The user as whom the engine works on a provisioned host; ``None`` elsewhere.
        self.ops: Account | None = None if self.own else account(OPS)
        self.common = self._join("var/lib/codex-ops")
        # On a provisioned host root works with plans and counts of its own, which nobody else can have changed.
        self.state = os.path.join(self.common, "root") if self.privileged else self.common
        self.plans = os.path.join(self.common, "runs")
        self.runs = os.path.join(self.state, "runs")
        self.backups = os.path.join(self.common, "backups")
        self.remembered = os.path.join(self.state, "remembered")
        self.stamps = os.path.join(self.state, "preflight")
        self.budget = os.path.join(self.state, "budget.sqlite3")
        # Always codex-ops' own: root opens it as that user only (see _dropping).
        self.inbox = os.path.join(self.common, "inbox.sqlite3")
        self.tickets = os.path.join(self.common, "tickets")
        self.outbox = os.path.join(self.common, "outbox")
        self.log = self._join("var/log/codex-ops/audit.jsonl")
        self.locks = os.path.join(self.state, "locks") if self.privileged else self._join("run/lock/codex-ops")
        self.helpers = self._join("opt/codex-ops/helpers")
        self.engine = self._join("opt/codex-ops")
        self.codex = [os.path.join(self.engine, "bin/codex"), "/opt/codex-ops/bin/codex"]

    def _join(self, path: str) -> str:
        return os.path.join(self.prefix, path)

    @property
    def own(self) -> bool:
        """Whether this is a prefix of the caller's own, not the host's."""
        return self.prefix != "/"

    @property
    def privileged(self) -> bool:
        """Whether this is root on a provisioned host: it applies, takes back and decides; everything else is codex-ops'."""
        return self.ops is not None and os.geteuid() == 0

    @property
    def divided(self) -> bool:
        """Whether this is codex-ops on a provisioned host, to whom no live file is writable."""
        return self.ops is not None and os.geteuid() == self.ops.uid

    @property
    def owners(self) -> frozenset[int]:
        """Whose the files in :attr:`etc` may be: root's, and under a prefix of one's own the caller's too."""
        return frozenset({0, os.geteuid()} if self.own else {0})

    @property
    def kill_switches(self) -> tuple[str, ...]:
        """The kill switches that stop a run here: a host's own stops those under every other prefix too."""
        return (self.kill_switch, _HOST_KILL_SWITCH) if self.own else (self.kill_switch,)

    @property
    def policies(self) -> tuple[tuple[str, frozenset[int], bool], ...]:
        """(path, whose it may be, whether it must be there) of the policies that bind a run here: a host's own binds all."""
        mine = (self.policy, self.owners, True)
        return (mine, (_HOST_POLICY, frozenset({0}), False)) if self.own else (mine,)

    @property
    def host_is_governed(self) -> bool:
        """Whether the host has a policy of its own, beside what lies under this prefix."""
        return os.path.lexists(_HOST_POLICY)

    def prepare(self) -> None:
        """Make the folders that a run needs, for their owner alone, and check that nobody else can write or swap one.

        :raises CodexOpsError: ``prefix_not_writable``, ``disk_full`` or ``prefix_unsafe``; nothing of the live system was touched.
        """
        try:
            # As it was given, so that a link on the way is nobody else's either.
            if self._walk(self.given, links=True) != self.prefix:
                raise _unsafe(self.given, "The prefix leads elsewhere than a moment ago.")
            if os.path.lexists(self.etc):
                # Whoever could swap it would decide about policy, signers and kill switch.
                self._walk(self.etc, links=not self.own)
            self._lay(check=False)
            # On a divided host backups and the log's folder are root's alone.
            roots = () if self.divided else (self.backups, os.path.dirname(self.log))
            for folder in (self.runs, self.remembered, self.stamps, *roots, self.locks):
                # A host's administrator may have moved /var/log to another disk; in a prefix of one's own nothing is a link.
                self._walk(folder, links=not self.own)
                found = os.lstat(folder)
                if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
                    raise _unsafe(folder, "Expected a folder of the caller's (or root's) own that nobody else can write.")
                if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), folder)
        except OSError as error:
            raise self.explain(error, str(error.filename or self.prefix)) from None

    def corrections(self, *, check: bool) -> list[Correction]:
        """Lay the folders of a provisioned host, or only look, as root; elsewhere nothing.

        :returns: What was not as it must be.
        :raises CodexOpsError: as :meth:`prepare` does.
        """
        try:
            return self._lay(check=check)
        except OSError as error:
            raise self.explain(error, str(error.filename or self.prefix)) from None

    def _lay(self, *, check: bool) -> list[Correction]:
        if not self.privileged or self.ops is None:
            return []
        from ._layout import lay  # pylint: disable=import-outside-toplevel

        locks = self._join("run/lock/codex-ops")
        for above in {os.path.dirname(path) for path in (self.common, os.path.dirname(self.log), locks)} if not check else ():
            self._walk(above, links=True)
        return lay(self.common, self.log, locks, self.ops, check=check)

    def prepare_engine(self, *, helpers: bool = False) -> None:
        """Make the folders in which engines lie, for everybody to read, and check that nobody else can write or swap one.

        :arg helpers: That of root's helpers, too.
        :raises CodexOpsError: ``prefix_not_writable``, ``disk_full`` or ``prefix_unsafe``.
        """
        try:
            if self._walk(self.given, links=True) != self.prefix:
                raise _unsafe(self.given, "The prefix leads elsewhere than a moment ago.")
            for folder in (self.engine, os.path.join(self.engine, "bin"), *([self.helpers] if helpers else [])):
                self._walk(folder, links=not self.own)
                found = os.stat(folder)
                if found.st_uid == os.geteuid() and found.st_mode & 0o555 != 0o555:
                    os.chmod(folder, stat.S_IMODE(found.st_mode) | 0o555)
        except OSError as error:
            raise self.explain(error, str(error.filename or self.prefix)) from None

    def _walk(self, path: str, *, links: bool) -> str:
        """Go down to *path*, part by part, and make what is missing; each folder must be safe before the next is looked at.

        :arg links: Follow symbolic links of root and of the caller.
        :returns: The real path.
        """
        here = "/"
        self._check(here, os.lstat(here))
        parts = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        followed = 0
        while parts:
            part = parts.pop()
            below = os.path.dirname(here) if part == ".." else os.path.join(here, part)
            try:
                found = os.lstat(below)
            except FileNotFoundError:
                self._make(below)
                found = os.lstat(below)
            if links and stat.S_ISLNK(found.st_mode):
                followed += 1
                if found.st_uid not in (0, os.geteuid()) or followed > _LINKS_AT_MOST:
                    raise _unsafe(below, "This link belongs to somebody else, or leads in a circle.")
                target = os.readlink(below)
                here = "/" if target.startswith("/") else here
                parts.extend(name for name in reversed(target.split("/")) if name not in ("", "."))
                continue
            if not stat.S_ISDIR(found.st_mode) and not stat.S_ISLNK(found.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), below)
            self._check(below, found)
            here = below
        return here

    def _make(self, path: str) -> None:
        """One new folder. On a host, folders that others need too (``/run/lock``) are theirs to enter."""
        mode = 0o700 if self.own or "codex-ops" in path.split("/") else 0o755
        try:
            os.mkdir(path, mode)
        except FileExistsError:
            return
        # Whatever the umask took away, and whatever the folder above hands down.
        os.chmod(path, mode)

    def _check(self, path: str, found: os.stat_result) -> None:
        """Nobody but root and the caller may own a folder on the way, or swap what is in it."""
        # On a host, the distribution decides about its own folders (/var/log belongs to a group of its own on some).
        others = stat.S_IWGRP | stat.S_IWOTH if self.own or "codex-ops" in path.split("/") else stat.S_IWOTH
        if not stat.S_ISDIR(found.st_mode):
            raise _unsafe(path, "Expected a folder, not a link.")
        if found.st_uid not in (0, os.geteuid()):
            raise _unsafe(path, f"This folder belongs to user {found.st_uid}, who could put something else in the place of what is below it.")
        if others & stat.S_IWGRP and found.st_mode & stat.S_IWGRP and _private_group(found):
            others &= ~stat.S_IWGRP
        if found.st_mode & others and not found.st_mode & stat.S_ISVTX:
            raise _unsafe(path, f"Others can write this folder (mode {stat.S_IMODE(found.st_mode):04o}), so they could swap what is below it.")

    def explain(self, error: OSError, path: str) -> CodexOpsError:
        """What a person should read when one of our places cannot be used.

        :arg path: The folder or file.
        """
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return CodexOpsError(
                f"cannot be written: {error.strerror}.", code="disk_full", outcome="rejected", where=path, hint="Make room and run this again."
            )
        owner = "Run as the owner of the prefix" if self.own else "Run as root" if self.ops is None else f"Run as root or {OPS}"
        return CodexOpsError(
            f"cannot be made, opened or written: {error.strerror}.",
            code="prefix_not_writable",
            outcome="rejected",
            where=path,
            hint=f"{owner}, or set 'prefix' to a folder of your own, for example {_suggested()}.",
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
        for ours in (self.etc, self.common, os.path.dirname(self.log), self.locks, self.engine):
            # Whether or not it is there yet: it will be.
            holds_ours = ours.startswith(real.rstrip("/") + "/")
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
