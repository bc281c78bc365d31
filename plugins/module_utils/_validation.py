# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the validations of a slice: in a copy, confined like the agent, or in place. PRIVATE."""

from __future__ import annotations

import os
import typing as t

from ._contract.slice import Check

#: Characters of a validation's output that a result carries: its end.
OUTPUT_LIMIT = 2000
#: What a program that the engine runs for a slice finds in its environment, beside HOME.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
#: Exit statuses with which a shell or env says that a program could not be run at all.
_NOT_RUN = (126, 127)


# The sandbox answers 1 for a program that is not there, which is what a must_fail waits for; a shell answers 127.
_EXEC = ("/bin/sh", "-c", 'exec "$@"', "sh")


def _verdict(check: Check, finished: t.Any) -> tuple[bool, str]:
    if finished.stderr.startswith(b"bwrap: "):
        return False, "the sandbox for validations could not start"
    if finished.cancelled:
        return False, "stopped"
    if finished.timed_out:
        return False, f"no end within {check.timeout} s"
    if finished.signal is not None:
        return False, f"ended by signal {finished.signal}"
    if finished.exit_code in _NOT_RUN:
        return False, "the program could not be run"
    if finished.exit_code in check.exit_codes:
        return True, ""
    wanted = " or ".join(str(code) for code in check.exit_codes)
    if check.kind == "must_fail" and finished.exit_code == 0:
        return False, f"it succeeded; it must stay rejected (exit code {wanted})"
    return False, f"exit code {finished.exit_code}, expected {wanted}"


def run_checks(
    checks: t.Sequence[Check],
    *,
    stage: str,
    folder: str,
    confine: t.Callable[[t.Sequence[str]], list[str]],
    cancelled: t.Callable[[], str | None],
    stop_early: bool = False,
) -> list[dict[str, t.Any]]:
    """Run *checks* one after the other; one dictionary each: name, kind, stage, ok, exit_code, output, reason.

    :arg stage: ``goal`` (does it hold already), ``copy`` (in the patched copy) or ``live`` (in place).
    :arg folder: Where they run.
    :arg confine: Makes the confined command line.
    :arg stop_early: Leave out what comes after the first that is not ok.
    """
    from ._agent.process import run_limited  # pylint: disable=import-outside-toplevel
    from ._workspace.escape import escape  # pylint: disable=import-outside-toplevel

    results: list[dict[str, t.Any]] = []
    for check in checks:
        argv = confine([*_EXEC, *check.argv])
        environment = {**ENVIRONMENT, "HOME": os.environ.get("HOME", "/")}
        outcome: dict[str, t.Any] = {"name": check.name, "kind": check.kind, "stage": stage}
        try:
            finished = run_limited(
                argv, cwd=folder, env=environment, timeout=check.timeout, stdin=None, max_output=65536, cancelled=cancelled
            )
        except OSError as error:
            outcome.update(ok=False, exit_code=None, output="", reason=f"{check.argv[0]} cannot be run: {error.strerror}")
        else:
            good, reason = _verdict(check, finished)
            # In place a program sees the host's files: what it prints is kept only where it explains a failure.
            text = "" if good and stage == "live" else (finished.stdout + finished.stderr).decode("utf-8", "replace")
            outcome.update(ok=good, exit_code=finished.exit_code, output=escape(text[-OUTPUT_LIMIT:]), reason=reason)
        results.append(outcome)
        if stop_early and not outcome["ok"]:
            break
    return results


def failures(results: t.Sequence[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Those that were not ok."""
    return [result for result in results if not result["ok"]]


def describe(results: t.Sequence[dict[str, t.Any]]) -> str:
    """The first that was not ok, as a clause."""
    first = failures(results)[0]
    return f"{first['kind']} {first['name']!r}: {first['reason']}"
