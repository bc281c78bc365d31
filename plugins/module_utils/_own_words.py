# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine's own words in what it says: they hold no secret, and mean something to programs. PRIVATE.

A known secret that happens to be such a word (``MODE=rejected`` in a secret file) must not turn a refusal into something else.
"""

from __future__ import annotations

import typing as t

_PLAN = dict.fromkeys(("id", "sha256", "patch_sha256", "base_sha256", "slice_sha256", "policy_sha256", "added", "removed"), True)
_COMMANDS = [{"status": True, "exit_code": True}]
_CHECKS = [{"kind": True, "stage": True, "ok": True, "exit_code": True}]
_GATE = {"autonomy": True, "approvals": True, "code": True}
_ACTIONS = [{"ok": True, "exit_code": True, "way_back": True}]
_FLAGS = dict.fromkeys(("outcome", "code", "changed", "cached", "rolled_back", "isolation"), True)

#: Where they stand in a result ...
RESULT: dict[str, t.Any] = {
    **_FLAGS,
    "run_id": True,
    "fingerprint": True,
    "codex_version": True,
    "replayed": True,
    "usage": True,
    "plan": _PLAN,
    "gate": _GATE,
    "commands": _COMMANDS,
    "validation": _CHECKS,
    "violations": [{"code": True, "line": True}],
    "actions": _ACTIONS,
}
#: ... and in a record.
RECORD: dict[str, t.Any] = {
    "phase": True,
    "run_id": True,
    "host": True,
    "anchor": True,
    "input": {**_PLAN, **dict.fromkeys(("state", "plan", "plan_sha256", "prompt_sha256", "fingerprint"), True)},
    "command": dict.fromkeys(("operation", "check_mode", "codex_version", "cassette_mode", "sandbox", "timeout", "tokens"), True),
    "attempts": _COMMANDS,
    "result": {**_FLAGS, "gate": _GATE, "violations": [{"code": True, "line": True}], "actions": _ACTIONS},
    "diff": {"sha256": True, "added": True, "removed": True},
    "kept": [{"sha256": True}],
    "usage": True,
    "validation": _CHECKS,
}


def restored(masked: t.Any, plain: t.Any, shape: t.Any) -> t.Any:
    """*masked*, which was made of *plain*, with the engine's own words as they were.

    :arg shape: Where they stand: ``True`` for a value, a dictionary by key, a list of one shape for all its items.
    """
    if shape is True:
        return plain
    if isinstance(shape, list):
        fits = isinstance(masked, list) and isinstance(plain, list) and len(masked) == len(plain)
        return [restored(one, other, shape[0]) for one, other in zip(masked, plain)] if fits else masked
    if not isinstance(masked, dict) or not isinstance(plain, dict):
        return masked
    return {**masked, **{key: restored(masked.get(key), plain[key], inner) for key, inner in shape.items() if key in plain}}
