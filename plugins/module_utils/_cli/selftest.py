# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""codex-ops selftest: is this host fit for the work? Each answer says what to repair. PRIVATE."""

from __future__ import annotations

import os
import shutil
import sys
import time
import typing as t

from .._errors import CodexOpsError
from .._places import Places
from . import as_agent, ending, guarded, progress, show
from .asked import Asked
from .guarded import BAD, OK, WARN, Answer

#: Free bytes below which a run is likely to fail, and below which a person should know.
_TOO_FULL = 100 * 1024 * 1024
_FULL = 1024 * 1024 * 1024
#: Seconds by which the newest record may lie ahead of the clock.
_AHEAD = 60


def selftest(given: Asked) -> dict[str, t.Any]:
    """The result of ``selftest``: ``checks``, each with ``name``, ``result`` and ``why``."""
    from .._dropping import for_good  # pylint: disable=import-outside-toplevel

    # What only root can try; then, on a provisioned host, it is codex-ops that has to be fit for the work.
    seen = as_agent.tried(Places(given.prefix))
    for_good(given.prefix)
    places = Places(given.prefix)
    checks: list[tuple[str, t.Callable[[], Answer]]] = [
        ("places", lambda: _places(places)),
        ("disk", lambda: _disk(places)),
        ("clock", lambda: _clock(places)),
        ("log", lambda: _log(places)),
        ("kill switch", lambda: _kill_switch(places)),
        ("policy", lambda: _policy(places)),
        ("rules", lambda: _rules(places)),
        ("delivery", lambda: _delivery(places)),
        ("signers", lambda: _signers(places)),
        ("engine", lambda: _engine(given)),
        ("python", _python),
        ("git", _git),
        ("ssh-keygen", _ssh_keygen),
        ("codex", lambda: _codex(given, places)),
        ("sandbox", lambda: _sandbox(given, places)),
        # Under a prefix of the caller's own there is no host to guard.
        *([] if places.own else guarded.Guards(given, places, seen).checks()),
    ]
    found = []
    with progress.shown("Testing this host", quiet=given.json):
        for name, check in checks:
            result, why = _asked(check)
            found.append({"name": name, "result": result, "why": why})
    bad = [item["name"] for item in found if item["result"] == BAD]
    return {
        "outcome": "completed",
        "changed": False,
        "failed": bool(bad),
        "exit": ending.FAILED if bad else ending.DONE,
        "code": "selftest_failed" if bad else None,
        "checks": found,
        "msg": f"Not fit for the work: {', '.join(bad)}." if bad else "This host is fit for the work.",
        "shown": lambda: _text(found),
    }


def _text(found: list[dict[str, str]]) -> str:
    """One check to a block: what to do about it is never cut."""
    return show.table(("check", "result", "what"), [(item["name"], item["result"], item["why"]) for item in found], show.UNKNOWN)


def _asked(check: t.Callable[[], Answer]) -> Answer:
    try:
        return check()
    except CodexOpsError as error:
        return BAD, str(error)
    except OSError as error:
        return BAD, f"{error.filename or ''}: {error.strerror}".lstrip(": ")


def _places(places: Places) -> Answer:
    places.prepare()
    return OK, f"everything below {places.prefix} is {'the caller' if places.own else 'root'}'s to write, and nobody else's"


def _disk(places: Places) -> Answer:
    found = os.statvfs(places.state)
    free = found.f_bavail * found.f_frsize
    said = f"{free // (1024 * 1024):,} MB free for {places.state}"
    if free < _TOO_FULL or (found.f_files and not found.f_favail):
        return BAD, f"{said}; make room"
    return (WARN if free < _FULL else OK), said


def _clock(places: Places) -> Answer:
    from .._trail.log import head, records  # pylint: disable=import-outside-toplevel

    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + _AHEAD))
    last = head(places.log)
    newest = next((record for record in records(places.log, after_seq=last["seq"] - 1)), None) if last else None
    said = str(newest.get("time")) if newest else ""
    if said[:19] > now:
        return BAD, f"it says {now[:16]} UTC, and the newest record is of {said[:16]}: set it; approvals and budgets go by it"
    return OK, f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC"


def _log(places: Places) -> Answer:
    from .._trail.verify import verify  # pylint: disable=import-outside-toplevel

    found = verify(places.log)
    if found.first_bad is not None:
        return BAD, f"not as it was written from record {found.first_bad['seq']} on: {found.first_bad['reason']}"
    return OK, f"the chain of {found.records:,} records holds"


def _kill_switch(places: Places) -> Answer:
    from .._gates.kill_switch import state  # pylint: disable=import-outside-toplevel

    found = state(places.kill_switches)
    return (WARN if found.engaged else OK), found.sentence()


def _policy(places: Places) -> Answer:
    from .._gates.policy import standing  # pylint: disable=import-outside-toplevel

    rules = standing(places.policies)
    if rules.closed is not None:
        return BAD, str(rules.closed)
    return OK, f"{places.policy}, sha256 {str(rules.sha256)[:12]}"


def _rules(places: Places) -> Answer:
    """A table that is wrong makes no job of anything; nothing becomes unsafe by it, so the host stays fit for the work."""
    from .._ruling import standing  # pylint: disable=import-outside-toplevel
    from .._signals.registry import NAMES  # pylint: disable=import-outside-toplevel

    try:
        table = standing(places)
    except CodexOpsError as error:
        return WARN, f"no job is made of what is found: {error}"
    if table is None:
        return OK, f"{places.rules} is not there: 'collect --enqueue' needs it, or --slice"
    unknown = next((rule for rule in table.rules if rule.signal not in NAMES), None)
    if unknown is not None:
        return WARN, f"there is no collector {unknown.signal!r}, so the rule {unknown.name!r} never takes anything: correct {table.where(unknown, 'signal')}"
    return OK, f"{len(table.rules)} in {table.path}"


def _delivery(places: Places) -> Answer:
    """Nothing here stops an agent: what is wrong is to be looked at."""
    from .._delivering import hook_problem  # pylint: disable=import-outside-toplevel
    from .._delivery.settings import load  # pylint: disable=import-outside-toplevel

    try:
        alert = load(places.delivery, places.owners, places.alert_key).alert
        wrong = None if alert is None else hook_problem(places, alert)
    except CodexOpsError as error:
        return WARN, str(error)
    if alert is None:
        return OK, "tickets are written, and nobody is alerted"
    return (WARN, wrong) if wrong else (OK, f"alerts go by {alert.where}")


def _signers(places: Places) -> Answer:
    from .._gates.signers import load  # pylint: disable=import-outside-toplevel

    if not os.path.lexists(places.signers):
        return WARN, f"{places.signers} is not there, so nobody can approve a plan"
    found = load(places.signers, places.owners)
    return (OK if found else WARN), f"{len(found)} in {places.signers}"


def _engine(given: Asked) -> Answer:
    if not given.home:
        return WARN, "it runs from its sources; day2.codex.engine installs it"
    from .._installing import health  # pylint: disable=import-outside-toplevel

    wrong, what = health(given.installed_prefix, given.home)
    return (BAD, f"{what}: {wrong}. Run day2.codex.engine") if wrong else (OK, what)


def _python() -> Answer:
    said = f"{sys.version.split()[0]}, {sys.executable}"
    try:
        import jsonschema  # pylint: disable=import-outside-toplevel
    except ImportError:
        return BAD, f"{said} has no jsonschema: install python3-jsonschema 3.2 or newer"
    return OK, f"{said}, with jsonschema in {os.path.dirname(str(jsonschema.__spec__.origin))}"


def _git() -> Answer:
    from .._workspace.patch import check_git  # pylint: disable=import-outside-toplevel

    check_git()
    return OK, str(shutil.which("git"))


def _ssh_keygen() -> Answer:
    found = shutil.which("ssh-keygen", path="/usr/bin:/bin:/usr/local/bin")
    if found is None:
        return WARN, "it is not there, so no approval can be verified: install OpenSSH 8.1 or newer"
    from .._agent.process import run_limited  # pylint: disable=import-outside-toplevel

    done = run_limited([found, "-Y", "find-principals"], cwd="/", env={"PATH": "/usr/bin:/bin"}, timeout=5, max_output=4096)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    # One that knows -Y misses the rest of its arguments; an older one does not know the option.
    return (BAD, "it is older than OpenSSH 8.1, so no approval can be verified") if "unknown option" in said or "illegal option" in said else (OK, found)


def _codex(given: Asked, places: Places) -> Answer:
    from .._agent.binary import codex_version, find_codex  # pylint: disable=import-outside-toplevel

    path = find_codex(given.codex_path, places.codex)
    return OK, f"{codex_version(path)}, {path}"


def _sandbox(given: Asked, places: Places) -> Answer:
    from .._agent.sandbox import preflight  # pylint: disable=import-outside-toplevel
    from .._gates.kill_switch import state  # pylint: disable=import-outside-toplevel

    with guarded.agents(given, places) as (path, scratch, helpers):
        if helpers is not None and state(places.kill_switches).engaged:
            return WARN, guarded.ENGAGED
        # Among stamps of its own, so that it is proved now and not remembered.
        os.mkdir(os.path.join(scratch, "stamps"), 0o700)
        preflight(path, scratch, os.path.join(scratch, "stamps"), helpers)
    if helpers is not None:
        return OK, "a command in it, run as codex-agent by the helpers, reached no network, no secret, and no file but its own"
    return OK, "a command in it reached no network, no secret, and no file but its own"
