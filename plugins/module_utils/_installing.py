# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""engine: what is installed on this host, and what would have to be. PRIVATE."""

from __future__ import annotations

import os
import sys
import typing as t

from ._engine import folder as folders
from ._engine import install, manifest
from ._places import Places

_HELPERS = "helpers"


def kept_state(places: Places) -> dict[str, tuple[str, str]]:
    """Where each kind of state lies, and how it says its version."""
    return {
        "audit_record": (places.log, "log"),
        "budget": (places.budget, "database"),
        "inbox": (places.inbox, "database"),
        "policy": (places.policy, "document"),
    }


def _described(path: str | None, owners: t.Collection[int]) -> dict[str, t.Any]:
    """``version``, ``digest`` and ``folder`` of an installed engine, as its manifest says."""
    if path is None:
        return {}
    known = folders.manifest_of(path, owners)
    return {"version": known.release, "digest": known.digest, "folder": path} if known else {"version": None, "digest": None, "folder": path}


def _text(path: str, owners: t.Collection[int]) -> str | None:
    """What stands in a program of ours; ``None`` where it is not one that only *owners* can change."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as handle:
            found = os.fstat(handle.fileno())
            ours = not os.path.islink(path) and found.st_mode & 0o7777 == 0o755 and found.st_uid in owners
            return handle.read(65536) if ours else None
    except OSError:
        return None


def _programs(places: Places, python: str) -> dict[str, str]:
    """The text of every program that belongs below the engines, by its path there: the command, and on a provisioned host root's helpers."""
    from ._helpers import launchers  # pylint: disable=import-outside-toplevel

    programs = {install.COMMAND: install.command_text(python, places.engine, places.prefix)}
    if places.privileged:
        programs.update({f"{_HELPERS}/{name}": launchers.text(name, python) for name in launchers.NAMES})
    return programs


def _installed_programs(root: str) -> list[str]:
    from ._helpers import launchers  # pylint: disable=import-outside-toplevel

    names = [install.COMMAND, *(f"{_HELPERS}/{name}" for name in launchers.NAMES)]
    return [name for name in names if os.path.lexists(os.path.join(root, name))]


def _corrections(places: Places, altered: t.Collection[str], *, check: bool) -> list[dict[str, t.Any]]:
    """Lay the folders of a provisioned host, or only look; what was not as it must be, the programs *altered* too.

    :returns: ``path``, ``before`` (``None`` where there was nothing) and ``after`` of each.
    """
    programs = [{"path": os.path.join(places.engine, name), "before": "altered", "after": "as installed"} for name in altered]
    return programs + [found._asdict() for found in places.corrections(check=check)]


def present(prefix: str, text: str, *, pack: str | None, keep: int, interpreter: str | None, check: bool) -> dict[str, t.Any]:
    """Put the engine of the manifest *text* in charge.

    :arg pack: The pack, on this host. Without it, ``needs_pack`` in the result says that nothing was done and it is needed.
    :arg keep: How many engines stay, the one in charge included.
    :arg interpreter: The Python that runs it; the one that runs this, where it is ``None``.
    :arg check: Only say what would be done.
    :raises CodexOpsError: ``newer_state``, ``interpreter_unusable``, ``interpreter_unsafe``, ``pack_damaged``, or what is wrong with the prefix.
    """
    from ._engine.state import check as check_state  # pylint: disable=import-outside-toplevel

    wanted = manifest.read(text, "the manifest that the controller sent")
    places = Places(prefix)
    root, owners = places.engine, places.owners
    python = interpreter or sys.executable
    kind = install.python_kind(python)
    if not places.own:
        install.check_interpreter(python, owners)
    check_state(kept_state(places), wanted.state)
    before = _described(install.in_charge(root), owners)
    programs = _programs(places, python)
    there = _installed_programs(root)
    wrong = [name for name, program in programs.items() if _text(os.path.join(root, name), owners) != program]
    altered = [name for name in wrong if name in there]
    path = install.find(root, wanted, owners, kind)
    right = path is not None and path == install.in_charge(root) and not wrong
    too_many = max(0, len(install.installed(root)) + (path is None) - keep)
    after = {"version": wanted.release, "digest": wanted.digest, "folder": path or os.path.join(root, wanted.folder)}
    result: dict[str, t.Any] = {**after, "changed": not right or too_many > 0, "before": before, "after": after, "corrected": [], "removed": []}
    result["command"] = os.path.join(root, install.COMMAND)
    if check or not result["changed"]:
        result["corrected"] = _corrections(places, altered, check=check)
        word = "Would install" if result["changed"] else "Installed is" if check or not result["corrected"] else "Installed"
        return {**result, "changed": result["changed"] or bool(result["corrected"]), "msg": _said(result, word)}
    if path is None and pack is None:
        return {**result, "changed": False, "needs_pack": True, "msg": "The pack is needed: use day2.codex.engine as a task of its own, not as a bare module."}
    try:
        places.prepare_engine(helpers=places.privileged)
        with install.locked(root):
            # Somebody else may have been here meanwhile.
            path = install.find(root, wanted, owners, kind) or install.unpack(root, str(pack), wanted, python, kind)
            if path != install.in_charge(root):
                install.switch(root, path)
            for name, program in programs.items():
                if _text(os.path.join(root, name), owners) != program:
                    install.write_program(root, name, program)
            result["removed"] = install.sweep(root, keep)
    except OSError as error:
        raise places.explain(error, str(error.filename or root)) from None
    after["folder"] = result["folder"] = path
    result["corrected"] = _corrections(places, altered, check=False)
    return {**result, "msg": _said(result, "Installed")}


def _said(result: dict[str, t.Any], word: str) -> str:
    before, after = result["before"], result["after"]
    was = f" in the place of {before['version']} ({before['digest'][:12]})" if before.get("digest") and before["digest"] != after["digest"] else ""
    count = len(result["corrected"])
    more = f" {'Put' if word == 'Installed' else 'Would put'} {count} files or folders right." if count else ""
    return f"{word} the engine {after['version']} ({after['digest'][:12]}){was}.{more}"


def absent(prefix: str, *, check: bool) -> dict[str, t.Any]:
    """Remove the command, root's helpers and all engines; policy, state and log stay.

    :raises CodexOpsError: for what is wrong with the prefix.
    """
    places = Places(prefix)
    root = places.engine
    now = install.in_charge(root)
    before = _described(now, places.owners)
    programs = _installed_programs(root)
    there = [*install.installed(root), *programs]
    changed = bool(there) or now is not None
    result: dict[str, t.Any] = {"changed": changed, "before": before, "after": {}, "corrected": [], "removed": install.installed(root)}
    result.update(version=None, digest=None, folder=None)
    if changed and not check:
        try:
            places.prepare_engine()
            with install.locked(root):
                install.clear(root, [install.COMMAND, *programs])
        except OSError as error:
            raise places.explain(error, str(error.filename or root)) from None
    return {**result, "msg": ("Would remove" if check else "Removed") + " the engine." if changed else "There is no engine."}


def health(prefix: str, home: str) -> tuple[str | None, str]:
    """(what is wrong, what it is) of the engine in the folder *home*, from which this runs.

    :raises CodexOpsError: never; what is wrong is said.
    """
    places = Places(prefix)
    known = folders.manifest_of(home, places.owners)
    if known is None:
        return "it has no manifest that can be used", home
    return folders.fault(home, known, places.owners, sys.implementation.cache_tag), f"{known.release} ({known.digest[:12]}) in {home}"
