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

#: Statuses of which a job is made. Of what could not be looked at, nobody knows whether there is anything to do.
ENQUEUED = ("warning", "critical")
#: Bytes that a collector may remember.
_MEMORY = 4 << 20


@dataclasses.dataclass(frozen=True)
class Look:
    """What is to be looked at. ``slice`` is who works on what is wrong, as the module *job* takes it; it is needed with ``enqueue``.

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

    if look.enqueue and look.slice is None:
        raise CodexOpsError("a job needs a slice.", code="option_invalid", outcome="rejected", where="slice", hint="Name the one that is to work on findings.")
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
        "audit": None,
        "run_id": None,
    }
    if report.written is not None:
        result["diff"] = {"before": {}, "after": {"baseline": report.written}}
    if look.enqueue and signal["status"] in ENQUEUED:
        _enqueue(options, look, signal, result)
    if any(warnings):
        result["warnings"] = [warning for warning in warnings if warning]
    return result


def _enqueue(options: Options, look: Look, signal: dict[str, t.Any], result: dict[str, t.Any]) -> None:
    from ._canonical import digest  # pylint: disable=import-outside-toplevel
    from ._inbox.job import slice_name  # pylint: disable=import-outside-toplevel
    from ._jobs import Request, change  # pylint: disable=import-outside-toplevel

    # What is only mentioned comes and goes: the same trouble is the same without it.
    bad = sorted(found["id"] for found in signal["findings"] if found["severity"] != "INFO")
    key = f"{slice_name(look.slice or '')}:{look.collector}:{digest(bad)[:32]}"
    added = change(options, Request(slice=look.slice, signal=signal, dedupe_key=key))
    result.update({name: added[name] for name in ("failed", "outcome", "code", "job", "audit", "run_id", "diff", "warnings") if name in added})
    result["changed"] = result["changed"] or added["changed"]
    result["msg"] += f" {added['msg']}"
