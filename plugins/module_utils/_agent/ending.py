# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was seen of Codex's process when it ended, and what to do about a sandbox that did not start. PRIVATE."""

from __future__ import annotations

import dataclasses

from .events import EventStream

SANDBOX_ADVICE = (
    "The sandbox needs unprivileged user namespaces: check user.max_user_namespaces and kernel.unprivileged_userns_clone, an AppArmor "
    "restriction (kernel.apparmor_restrict_unprivileged_userns), and in a container that its profile lets bubblewrap mount."
)

NAMESPACE_ADVICE = (
    "An engine that runs as root starts the agent as a user of its own in a mount namespace of its own, which takes CAP_SYS_ADMIN, "
    "CAP_SETUID, CAP_SETGID and CAP_CHOWN: give a container these, or run the engine as an ordinary user."
)


@dataclasses.dataclass
class Ending:
    """What was seen of the process."""

    events: EventStream
    exit_code: int | None = None
    timed_out: bool = False
    cancelled: str | None = None
    not_started: str = ""
    missing: bool = False
    not_entered: str = ""
    stderr: str = ""
    verdict: bool = False
    survivors: list[int] = dataclasses.field(default_factory=list)
