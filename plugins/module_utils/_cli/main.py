# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where codex-ops begins: reads the command line, calls the part that it names, and ends with a status. PRIVATE."""

from __future__ import annotations

import os
import sys
import typing as t

from .._errors import CodexOpsError
from . import ending
from .asked import Asked, Usage, plain


def main(argv: t.Sequence[str], home: str | None = None, prefix: str = "/") -> int:
    """Run codex-ops with the arguments *argv*, and return its exit status.

    :arg home: The folder that this engine was installed in.
    :arg prefix: The prefix for which it was installed, where the command line names none.
    """
    try:
        return _main(argv, home, prefix)
    except BrokenPipeError:
        # Nobody reads the rest. Python would say so once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), 1)
        return ending.FAILED


def _main(argv: t.Sequence[str], home: str | None, prefix: str) -> int:
    json_wanted = "--json" in argv
    try:
        given = plain(argv, prefix, home) or _parsed(argv, prefix, home)
        json_wanted = given.json
        result = _work(given)
        status = ending.status(result)
        _say(given, result)
        return status
    except Usage as error:
        if error.status:
            return _failed({"outcome": "rejected", "code": "usage", "msg": str(error)}, json_wanted, error.status)
        _write(sys.stdout, str(error))
        return ending.DONE
    except CodexOpsError as error:
        found: dict[str, t.Any] = {"outcome": error.outcome, "code": error.code, "msg": str(error)}
        if error.details:
            found["details"] = error.details
        return _failed(found, json_wanted, ending.status(found))
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return _failed({"outcome": "killed", "code": "interrupted", "msg": "Interrupted."}, json_wanted, ending.FAILED)
    except Exception as error:  # pylint: disable=broad-except
        message = f"codex-ops met something it did not expect: {type(error).__name__}: {error}. Please report it."
        return _failed({"outcome": "agent_error", "code": "internal_error", "msg": message}, json_wanted, ending.FAILED)


def _parsed(argv: t.Sequence[str], prefix: str, home: str | None) -> Asked:
    from .arguments import parse  # pylint: disable=import-outside-toplevel

    given = parse(argv, prefix, home)
    _catch_signals()
    return given


def _catch_signals() -> None:
    """End in order, with a record, from the first moment on. While an agent runs the engine looks after signals itself."""
    import signal  # pylint: disable=import-outside-toplevel

    def ended(number: int, frame: t.Any) -> t.NoReturn:
        del frame
        # Not a KeyboardInterrupt: an operation that has begun records how it ended.
        raise CodexOpsError(f"Ended by {signal.Signals(number).name}.", code="interrupted", outcome="killed")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup and the like ignore HUP on purpose.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, ended)


def _work(given: Asked) -> dict[str, t.Any]:
    """The result of the part that the command line names. Each part is read only when it is used."""
    # pylint: disable=import-outside-toplevel
    if given.part == "status":
        from .._dropping import for_good
        from .status import status

        for_good(given.prefix)

        return status(given)
    if given.part == "audit":
        from .audit import audit

        return audit(given)
    if sys.flags.no_site:
        # The command leaves site-packages out, since finding them takes longer than status itself. From here on jsonschema may be needed.
        import site

        site.main()
    if given.part == "selftest":
        from .selftest import selftest

        return selftest(given)
    if given.part in ("plan", "apply", "rollback"):
        from . import slices

        return slices.work(given)
    if given.part == "collect":
        from . import collecting

        return collecting.work(given)
    if given.part in ("inbox", "run"):
        from . import jobs

        return jobs.work(given)
    from . import gates

    return gates.work(given)


def _say(given: Asked, result: dict[str, t.Any]) -> None:
    """Show *result*: all of it as JSON, or what a person wants to know of it."""
    shown, aside = result.pop("shown", None), result.pop("aside", False)
    if given.json:
        _json(result)
        return
    failed = ending.status(result) not in (ending.DONE, ending.WAITING)
    text = shown() if shown is not None else ""
    if text:
        _write(sys.stdout, text)
    for warning in result.get("warnings", ()):
        _write(sys.stderr, f"codex-ops: warning: {warning}")
    message = str(result.get("msg", ""))
    if failed:
        _write(sys.stderr, f"codex-ops: {message}")
    elif message:
        # What a person saves to a file stands alone on standard output.
        _write(sys.stderr if aside else sys.stdout, message)


def _failed(found: dict[str, t.Any], json_wanted: bool, status: int) -> int:
    if json_wanted:
        _json(found)
    else:
        _write(sys.stderr, f"codex-ops: {found['msg']}")
    return status


def _json(value: dict[str, t.Any]) -> None:
    import json  # pylint: disable=import-outside-toplevel

    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True, default=str) + "\n")
    sys.stdout.flush()


def _write(stream: t.TextIO, text: str) -> None:
    """Write *text*, in which nothing is hidden, as far as the stream's encoding can say it."""
    from .._workspace.escape import escape  # pylint: disable=import-outside-toplevel

    line = escape(text.rstrip("\n")) + "\n"
    encoding = stream.encoding or "ascii"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()
