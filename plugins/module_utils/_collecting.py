# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""collect: look at the host, and put what is wrong into the inbox where somebody asked for it. PRIVATE.

Looking is reading: it leaves no record. A job that comes of it does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
import typing as t

from ._errors import CodexOpsError
from ._options import Options
from ._places import Places

if t.TYPE_CHECKING:
    from ._trail.redaction import Redactor

#: Bytes that a collector may remember.
_MEMORY = 4 << 20


@dataclasses.dataclass(frozen=True)
class Look:
    """What is to be looked at. With ``enqueue`` what is wrong becomes a job for ``slice``, which is as the module *job* takes it; without
    one, for those that the host's rules name.

    ``folders`` are those of the host's tools; ``None``: the usual ones. ``now`` is in seconds since the epoch.
    """

    collector: str
    options: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    enqueue: bool = False
    slice: str | dict[str, t.Any] | None = None
    folders: tuple[str, ...] | None = None
    now: float | None = None


def _redactors(places: Places, *, keyed: bool) -> tuple[Redactor, Redactor]:
    from ._secrets import known_secrets, redaction_key  # pylint: disable=import-outside-toplevel
    from ._trail.personal import PERSONAL  # pylint: disable=import-outside-toplevel
    from ._trail.redaction import Redactor  # pylint: disable=import-outside-toplevel

    known = known_secrets(places)
    key = redaction_key(places) if keyed else None
    return Redactor(known, key=key), Redactor(known, personal=PERSONAL, key=key)


def _memory_file(places: Places, name: str) -> str:
    return os.path.join(places.state, "signals", f"{name}.json")


def _remembered(places: Places, name: str) -> dict[str, t.Any]:
    """What the collector remembered. Without it, or with one that is damaged, it begins anew."""
    try:
        descriptor = os.open(_memory_file(places, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as handle:
            kept = json.loads(handle.read(_MEMORY))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _remember(places: Places, name: str, kept: dict[str, t.Any]) -> str | None:
    """Why it could not be remembered, if so. What was remembered before stays whole."""
    path = _memory_file(places, name)
    beside = f"{path}.{os.getpid()}.new"
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.dirname(path), 0o700)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as handle:
                json.dump(kept, handle)
            os.rename(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise
    except OSError as error:
        return f"What {name} measured is not remembered until the next time: {path}: {error.strerror}."
    return None


def collect(options: Options, look: Look) -> dict[str, t.Any]:
    """Run one collector.

    :returns: the result as the module *collect* documents it.
    :raises CodexOpsError: for bad options, or when a job could not be added; then ``details`` is empty and nothing was added.
    """
    # pylint: disable=import-outside-toplevel
    from ._signals import registry
    from ._signals.report import Seen
    from ._workspace.escape import escape

    places = Places(options.prefix)
    deadline = registry.deadline(look.collector, look.options)
    remembers = bool(getattr(registry.load(look.collector), "REMEMBERS", False))
    # Nothing is made on a host where nothing of ours is; a prefix of one's own is there to be used.
    if remembers and places.own and not options.check:
        places.prepare()
    settled = os.path.isdir(places.state)
    redactor, personal = _redactors(places, keyed=settled and not options.check)
    seen = Seen(
        now=time.time() if look.now is None else look.now,
        host=os.uname().nodename,
        deadline=deadline,
        escape=escape,
        redactor=redactor,
        personal=personal,
        memory=_remembered(places, look.collector) if remembers else {},
        writing=not options.check,
        **({} if look.folders is None else {"folders": look.folders}),
    )
    signal, report = registry.collect(look.collector, look.options, seen)
    warnings = []
    if remembers and settled and report.memory is not None and not options.check:
        warnings.append(_remember(places, look.collector, report.memory))
    result: dict[str, t.Any] = {
        "changed": report.written is not None,
        "failed": False,
        "outcome": "completed" if report.written is not None else "unchanged",
        "msg": f"{look.collector} is {signal['status']}. {signal['summary']}",
        "signal": signal,
        "job": None,
        "jobs": [],
        "audit": None,
        "run_id": None,
    }
    if report.written is not None:
        result["diff"] = {"before": {}, "after": {"baseline": report.written}}
    if look.enqueue:
        _enqueue(options, look, signal, seen.now, result)
    if any(warnings):
        result["warnings"] = [*result.get("warnings", ()), *(warning for warning in warnings if warning)]
    return result


def _enqueue(options: Options, look: Look, signal: dict[str, t.Any], now: float, result: dict[str, t.Any]) -> None:
    from ._canonical import digest  # pylint: disable=import-outside-toplevel
    from ._inbox.states import OPEN  # pylint: disable=import-outside-toplevel
    from ._ruling import Seen, hand_over  # pylint: disable=import-outside-toplevel

    try:
        done = hand_over(options, Seen(signal, digest(look.options)[:12], now, look.slice))
    except CodexOpsError as error:
        if look.slice is not None:
            raise
        # What was seen was seen: only nobody knows who is to work on it.
        result.update(failed=True, outcome=error.outcome, code=error.code, details=error.details, msg=f"{result['msg']} {error}")
        return
    if done["changed"] or done["jobs"] or done["failed"]:
        result.update({name: done[name] for name in ("failed", "outcome", "code", "audit", "run_id", "diff") if name in done})
    result["jobs"] = done["jobs"]
    result["job"] = next((job for job in done["jobs"] if job["state"] in OPEN), None)
    result["changed"] = result["changed"] or done["changed"]
    result["msg"] = " ".join([result["msg"], *done["said"]])
    if done["warnings"]:
        result["warnings"] = done["warnings"]
