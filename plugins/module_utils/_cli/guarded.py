# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of the self-test that looks at what the role guardrails put up, and tries it. PRIVATE."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import stat
import tempfile
import typing as t

from .._errors import CodexOpsError
from .._identities import AGENT, foreign_part
from .._places import Places
from . import as_agent
from .asked import Asked

OK, WARN, BAD = "ok", "look at it", "BAD"
Answer = tuple[str, str]

#: What the role writes for this test: one word that a rule forbids, and one that the hook blocks.
_USE_SUDO = "sudo -n true"
_BY_RULE, _BY_HOOK = "codex-ops-selftest-forbidden", ": codex-ops-selftest-blocked"
_REQUIREMENTS, _EGRESS = "/etc/codex/requirements.toml", "egress.nft"
#: Why something was not tried.
ENGAGED = "not tried, since the kill switch is engaged and nothing may be started"
_MISSING = "not installed; the role day2.codex.guardrails does that"
_AGAIN = "run the role day2.codex.guardrails again"
_MOST = 4 * 1024 * 1024


class Guards:
    """The checks of one host.

    :arg seen: What root found out before it became codex-ops.
    """

    def __init__(self, given: Asked, places: Places, seen: as_agent.Tried | None) -> None:
        self._given = given
        self._places = places
        self._seen = seen

    def checks(self) -> list[tuple[str, t.Callable[[], Answer]]]:
        """The checks by name, in the order in which they help most."""
        return [
            ("guardrails", self._written),
            ("requirements", self._requirements),
            ("hook", self._hook),
            ("secrets", self._secrets),
            ("egress", self._egress),
            ("sudo", self._sudo),
        ]

    @functools.cached_property
    def _files(self) -> dict[str, str]:
        """Path and SHA-256 of what the role wrote; empty where it did not.

        :raises CodexOpsError: for a list that is none.
        """
        path = os.path.join(self._places.etc, "guardrails.json")
        try:
            with open(path, "rb") as stream:
                found = json.loads(stream.read(_MOST))
            return {str(name): str(value) for name, value in found["files"].items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, AttributeError, TypeError):
            raise CodexOpsError("not a list of what the role wrote.", code="guardrails_changed", where=path, hint=f"To repair it, {_AGAIN}.") from None

    def _written(self) -> Answer:
        if not self._files:
            return WARN, _MISSING
        wrong = [f"{path} {why}" for path, sha256 in sorted(self._files.items()) for why in [_changed(path, sha256)] if why]
        if wrong:
            return BAD, "; ".join(wrong) + f": find out who did that, and {_AGAIN}"
        return OK, f"{len(self._files)} files are as the role wrote them, and root's"

    def _requirements(self) -> Answer:
        if _REQUIREMENTS not in self._files:
            return WARN, _MISSING
        from .._agent.binary import find_codex  # pylint: disable=import-outside-toplevel
        from .._agent.denials import without_sandbox  # pylint: disable=import-outside-toplevel

        with tempfile.TemporaryDirectory(prefix="selftest-", dir=self._places.runs if self._places.divided else self._places.state) as scratch:
            done = without_sandbox(find_codex(self._given.codex_path, self._places.codex), scratch)
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        if done.exit_code and "requirements do not allow" in said:
            return OK, "Codex refuses to run without its sandbox"
        return BAD, f"Codex did not refuse to run without its sandbox: {_REQUIREMENTS} is not in force; {_AGAIN}"

    def _hook(self) -> Answer:
        if _REQUIREMENTS not in self._files:
            return WARN, _MISSING
        if self._engaged:
            return WARN, ENGAGED
        wrong = []
        for command, by in ((_BY_HOOK, "hook"), (_BY_RULE, "rule")):
            found = self._tried[command]
            if found["status"] != "denied" or (by == "hook") != ("hook" in found["reason"]):
                wrong.append(f"no {by} denied a command that it has to deny ({found['status']})")
        if wrong:
            return BAD, "; ".join(wrong) + f": {_AGAIN}"
        return OK, "of what an agent tried, the hook denied one command and a rule the other, and the transcript says so"

    def _secrets(self) -> Answer:
        if not self._places.divided:
            return WARN, _not_divided()
        folder = os.path.dirname(self._places.provider_key)
        for path in as_agent.secrets(self._places):
            mode = _mode(path) if (path + "/").startswith(folder + "/") else 0
            if mode & 0o007:
                return BAD, f"everybody may use {path} (mode {mode:04o}): chmod o= {path}"
        if self._seen is not None and self._seen.read:
            return BAD, f"{AGENT} could open {', '.join(self._seen.read)}: correct owner and mode"
        if not self._engaged and self._tried[self._reading]["status"] == "completed":
            return BAD, "an agent's command could read the host's secrets"
        by = f"{AGENT} itself could open none of {self._seen.closed}" if self._seen else "by their modes; as root, this tries it as " + AGENT
        return OK, by + ("" if self._engaged else ", and an agent's command none")

    def _egress(self) -> Answer:
        if os.path.join(self._places.etc, _EGRESS) not in self._files:
            return WARN, f"no table of nftables is installed; {AGENT} has a network namespace of its own, and codex-ops reaches everything"
        again = "its table is not loaded: systemctl restart codex-ops-egress"
        if self._seen is not None and self._seen.reached:
            return BAD, f"{AGENT} reached {' and '.join(self._seen.reached)}; {again}"
        with as_agent.listening() as addresses:
            reached = as_agent.reached(addresses) if self._places.divided else []
        if reached:
            return BAD, f"codex-ops reached a port of this host that is not listed, at {' and '.join(reached)}; {again}"
        new = unlisted_servers(_text(os.path.join(self._places.etc, _EGRESS)), _text("/etc/resolv.conf"))
        if new:
            return WARN, f"codex-ops cannot ask {' and '.join(new)}, new in /etc/resolv.conf: {_AGAIN}"
        return OK, f"this host's own ports were closed to codex-ops{f' and {AGENT}' if self._seen else ''}"

    def _sudo(self) -> Answer:
        if not self._places.divided:
            return WARN, _not_divided()
        if self._seen is not None and self._seen.sudo:
            return BAD, f"{AGENT} may use sudo (look: sudo -l -U {AGENT}): remove what lets it from /etc/sudoers and /etc/sudoers.d"
        if not self._engaged and self._tried[_USE_SUDO]["status"] == "completed":
            return BAD, "an agent's command could use sudo"
        if self._seen is None and self._engaged:
            return WARN, ENGAGED
        return OK, f"denied to {f'{AGENT} itself' if self._seen else 'a command of an agent'}"

    @functools.cached_property
    def _engaged(self) -> bool:
        from .._gates.kill_switch import state  # pylint: disable=import-outside-toplevel

        return state(self._places.kill_switches).engaged

    @property
    def _reading(self) -> str:
        paths = [os.path.join(os.path.dirname(self._places.provider_key), "*"), self._places.log, self._places.inbox]
        return f'for path in {" ".join(paths)}; do head -c 1 "$path" && exit 0; done; exit 7'

    @functools.cached_property
    def _tried(self) -> dict[str, dict[str, t.Any]]:
        """How each of the commands ended that an agent tried."""
        from .._agent.denials import tried  # pylint: disable=import-outside-toplevel

        commands = [self._reading, _USE_SUDO, *([_BY_HOOK, _BY_RULE] if _REQUIREMENTS in self._files else [])]
        with agents(self._given, self._places) as (path, scratch, helpers):
            return dict(zip(commands, tried(path, scratch, helpers, commands)))


def _not_divided() -> str:
    return f"not tried: {AGENT} is tried on a host that the role day2.codex.account provisioned"


@contextlib.contextmanager
def agents(given: Asked, places: Places) -> t.Iterator[tuple[str, str, t.Any]]:
    """The Codex CLI, a folder for a trial, and who runs it (``None`` for the caller).

    :raises CodexOpsError: when there is no Codex CLI, or nobody who may run it.
    """
    from .._agent.binary import find_codex  # pylint: disable=import-outside-toplevel
    from .._options import Options  # pylint: disable=import-outside-toplevel
    from .._run import Run  # pylint: disable=import-outside-toplevel
    from .._workspace.removal import remove_tree  # pylint: disable=import-outside-toplevel

    path = find_codex(given.codex_path, places.codex)
    # No key is needed here.
    run = Run(Options(prefix=given.prefix, cassette_mode="replay"), "selftest")
    helpers = run.helpers()
    if helpers is None:
        scratch = tempfile.mkdtemp(prefix="selftest-", dir=places.state)
    else:
        scratch = places.run_dir(run.id)
        os.mkdir(scratch, 0o700)
    try:
        yield path, scratch, helpers
    finally:
        remove_tree(scratch)


def _mode(path: str) -> int:
    try:
        # A credential of systemd is a link to where it was decrypted.
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return 0


def _changed(path: str, sha256: str) -> str:
    """What is wrong with a file of the role's; empty when nothing is."""
    try:
        foreign = foreign_part(path)
        if foreign is not None:
            return f"can be changed by others ({foreign})"
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return "is not a file"
            return "" if hashlib.sha256(stream.read(_MOST)).hexdigest() == sha256 else "is not as the role wrote it"
    except FileNotFoundError:
        return "is gone"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _text(path: str) -> str:
    """What is in a file; nothing where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(_MOST)
    except OSError:
        return ""


def unlisted_servers(rules: str, resolv_conf: str) -> list[str]:
    """Name servers in *resolv_conf* that the text *rules* of the role's table was not made for. None where it lets nobody ask them anyway."""
    made_for = re.search(r"^# Name servers: *(.*)$", rules, re.MULTILINE)
    now = re.findall(r"^[ \t]*nameserver[ \t]+([^\s#;]+)", resolv_conf, re.MULTILINE)
    return [name for name in now if name not in made_for[1].split()] if made_for else []
