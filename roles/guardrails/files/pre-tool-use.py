# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judges one tool call of Codex, given as JSON on standard input: ``yes`` and status 0, or a reason and status 3.

Every other end is a no, too; see ``pre-tool-use``, which calls this. What it may not do is taken from ``pre-tool-use.json`` beside it.
It runs as the agent's user, outside the sandbox of the agent's commands, and holds nothing that the agent does not. Written by the role
day2.codex.guardrails.
"""

from __future__ import annotations

import json
import os
import re
import sys

# Bytes of one call that are judged. A larger one is not made.
MOST = 4 * 1024 * 1024


def texts(value: object) -> list[str]:
    """Every text in *value*."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return []


def stopped(path: str) -> bool:
    """Whether the kill switch is engaged. One that cannot be looked at is."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def judged(call: bytes, rules: dict[str, object]) -> str:
    """Why *call* is not made; empty when it may be.

    :raises Exception: for whatever is not as it must be. Then it is not made either.
    """
    if stopped(str(rules["kill_switch"])):
        return "The kill switch of this host is engaged: nothing is run"
    if len(call) > MOST:
        return f"This call is larger than {MOST // 1048576} MiB, so it is not judged, and not made"
    said = json.loads(call)["tool_input"]
    found = texts(said)
    if not isinstance(said, (dict, str)) or not found:
        return "This call holds nothing that could be judged, so it is not made"
    # A command that is cut up into words means the same as in one text.
    found.append(" ".join(found))
    for rule in rules["patterns"]:  # type: ignore[attr-defined]
        if any(re.search(rule["pattern"], text) for text in found):
            return f"This host does not let agents do this: {rule['reason']}"
    return ""


def main() -> int:
    """The status."""
    with open(os.path.join(os.path.dirname(os.path.realpath(sys.argv[0])), "pre-tool-use.json"), encoding="utf-8") as stream:
        rules = json.load(stream)
    reason = judged(sys.stdin.buffer.read(MOST + 1), rules)
    sys.stdout.write(reason or "yes")
    return 3 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
