# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line of codex-ops, and its help. PRIVATE."""

from __future__ import annotations

import argparse
import re
import typing as t

from . import texts
from .asked import Asked, Usage, check_prefix, version

_SPAN = re.compile(r"([1-9][0-9]{0,8})([smhdw]?)")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,14})([KMG]?)")
_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of writing and ending."""

    def __init__(self, **kwargs: t.Any) -> None:
        # Abbreviations would change their meaning with the next option.
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, add_help=False, **kwargs)

    def error(self, message: str) -> t.NoReturn:
        raise Usage(f"{message}. See '{self.prog} --help'.", 2)


class _Help(argparse.Action):
    def __init__(self, option_strings: t.Sequence[str], dest: str, **kwargs: t.Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: t.Any, option_string: str | None = None) -> None:
        raise Usage(parser.format_help(), 0)


def _whole(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,15}", text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return int(text)


def span(text: str) -> int:
    """Seconds in ``90``, ``15m``, ``8h`` or ``2d``."""
    found = _SPAN.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected a time such as 90, 15m, 8h or 2d, found {text!r}")
    return int(found.group(1)) * _SECONDS[found.group(2)]


def size(text: str) -> int:
    """Bytes in ``4096``, ``512K``, ``64M`` or ``2G``."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"expected a size such as 4096, 512K, 64M or 2G, found {text!r}")
    return int(found.group(1)) << _SHIFTS[found.group(2)]


def _anchor(text: str) -> dict[str, t.Any]:
    seq, _colon, digest = text.partition(":")
    if not re.fullmatch(r"[1-9][0-9]{0,15}", seq) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise argparse.ArgumentTypeError(f"expected SEQ:HASH, a number and 64 lower-case hexadecimal digits, found {text!r}")
    return {"seq": int(seq), "hash": digest}


def _shared(parser: argparse.ArgumentParser) -> None:
    """The options that stand before or behind the name of a part."""
    group = parser.add_argument_group("everywhere")
    suppress = argparse.SUPPRESS
    group.add_argument("--prefix", metavar="FOLDER", default=suppress, help="where everything of codex-ops lies, / on a provisioned host")
    group.add_argument("--json", action="store_true", default=suppress, help="one JSON object on standard output, for programs")
    group.add_argument("-h", "--help", action=_Help, default=suppress, help="this text")


def _part(parts: t.Any, name: str) -> argparse.ArgumentParser:
    text = texts.PARTS[name]
    parser: argparse.ArgumentParser = parts.add_parser(name, description=text.what, epilog=text.examples)
    _shared(parser)
    return parser


def _agent(parser: argparse.ArgumentParser) -> None:
    """The options of a part that may run the agent."""
    group = parser.add_argument_group("the agent")
    group.add_argument("--cassette", metavar="FILE", help="rehearse: replay the model's side from this file, without key or tokens")
    group.add_argument("--model", metavar="NAME", help="the model; without it, Codex's own default")
    group.add_argument("--reasoning-effort", metavar="WORD", choices=("minimal", "low", "medium", "high", "xhigh"), help="minimal, low, medium, high or xhigh")
    group.add_argument("--timeout", metavar="TIME", type=span, help="narrower than the slice's, such as 90 or 5m")
    group.add_argument("--tokens", metavar="NUMBER", type=_whole, help="narrower than the slice's")
    group.add_argument("--api-key-file", metavar="FILE", help="the provider's key, where the host has none of its own")
    group.add_argument("--rerun", action="store_true", help="ask the model although an identical task was done before")


def _host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--codex", metavar="FILE", dest="codex_path", help="the Codex CLI; without it, the prefix's, the host's, then PATH")


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="only say what would be done; a plan is shown and thrown away")


def _parser(said: str) -> _Parser:
    parser = _Parser(prog="codex-ops", description=texts.WHAT, epilog=texts.EXAMPLES)
    parser.add_argument("--version", action="version", version=said, help="the version of this engine")
    _shared(parser)
    # Without metavar and help: the description names the parts, in an order that helps.
    parts = parser.add_subparsers(dest="part", metavar="PART", help=argparse.SUPPRESS)
    _part(parts, "status")
    _host(_part(parts, "selftest"))
    _planning(parts)
    _deciding(parts)
    _looking(parts)
    return parser


def _planning(parts: t.Any) -> None:
    part = _part(parts, "plan")
    part.add_argument("slice", metavar="SLICE", help="the name of an installed slice, or a JSON file (with a / or .json in it)")
    _check(part)
    _host(part)
    _agent(part)
    part = _part(parts, "run")
    which = part.add_mutually_exclusive_group(required=True)
    which.add_argument("job", metavar="JOB", nargs="?", help="the ID of a job")
    which.add_argument("--next", action="store_true", help="the job that is due: highest priority first, then the oldest")
    which.add_argument("--slice", metavar="NAME", help="a slice, without a job")
    _check(part)
    _host(part)
    _agent(part)
    part = _part(parts, "apply")
    part.add_argument("plan", metavar="PLAN", help="the ID of a plan")
    _check(part)
    _host(part)
    part = _part(parts, "rollback")
    part.add_argument("run", metavar="RUN", help="the ID of the run that applied a plan")
    _check(part)


def _deciding(parts: t.Any) -> None:
    for name in ("approve", "reject"):
        part = _part(parts, name)
        part.add_argument("plan", metavar="PLAN", help="the ID of a plan")
        part.add_argument("--signature", metavar="FILE", help="the signature of the statement, as ssh-keygen -Y sign writes it; - is standard input")
        part.add_argument("--statement", metavar="FILE", help="the statement that was signed; without it, FILE of --signature without its .sig")
        part.add_argument("--approver", metavar="NAME", help="without --signature: print the statement for this person to sign")
        part.add_argument("--expires-in", metavar="TIME", type=span, help="without --signature: for how long it is valid, such as 8h")
        part.add_argument("--comment", metavar="TEXT", default="", help="without --signature: a word about the decision")
    part = _part(parts, "kill-switch")
    part.add_argument("action", metavar="engage|release|status", choices=("engage", "release", "status"), help="what to do; status changes nothing")
    part.add_argument("--reason", metavar="TEXT", default="", help="why it is engaged; everybody who is stopped reads it")


def _looking(parts: t.Any) -> None:
    part = _part(parts, "collect")
    part.add_argument("collector", metavar="NAME", help="the collector")
    part.add_argument("--options", metavar="JSON|FILE", help="its options as a JSON object, or a file with one")
    part.add_argument("--enqueue", action="store_true", help="put what is wrong into the inbox, as etc/codex-ops/rules.json says")
    part.add_argument("--slice", metavar="NAME", help="put a warning or worse into the inbox, as a job for this slice")
    _check(part)
    part = _part(parts, "inbox")
    actions = ("list", "show", "cancel", "tickets", "close", "deliver")
    part.add_argument("action", metavar="|".join(actions), choices=actions, help="what to do")
    part.add_argument("job", metavar="JOB", nargs="?", help="the ID of a job, for show, cancel, tickets and close; a ticket has the ID of its first job")
    part.add_argument("--state", metavar="STATE", action="append", default=[], help="list: only these, such as pending; may stand several times")
    part.add_argument("--slice", metavar="NAME", help="list: only jobs of this slice")
    part.add_argument("--limit", metavar="NUMBER", type=_whole, default=50, help="list: at most so many (50)")
    part.add_argument("--resolved", action="store_true", help="tickets: those that are resolved, too")
    part.add_argument("--reason", metavar="TEXT", default="", help="cancel, close: why")
    part = _part(parts, "audit")
    part.add_argument("action", metavar="verify|show|rotate", choices=("verify", "show", "rotate"), help="what to do")
    part.add_argument("--log", metavar="FILE", help="another log than the host's own")
    part.add_argument("--anchor", metavar="SEQ:HASH", type=_anchor, action="append", default=[], help="verify: a record that somebody remembered must be in it")
    for name, what in texts.FILTERS:
        part.add_argument(f"--{name}", metavar=name.upper(), help=f"show: {what}")
    part.add_argument("--limit", metavar="NUMBER", type=_whole, default=20, help="show: at most so many, the newest (20)")
    part.add_argument("--larger-than", metavar="SIZE", type=size, default=0, help="rotate: only a log larger than this, such as 64M")


def parse(argv: t.Sequence[str], prefix: str, home: str | None) -> Asked:
    """What *argv* asks for.

    :raises Usage: when it cannot be done, or asks for help or the version only.
    """
    said = version(home)
    if "--version" in argv[:3]:
        raise Usage(said, 0)
    parser = _parser(said)
    given = parser.parse_args(list(argv), argparse.Namespace(json=False, prefix=prefix, version=said))
    if given.part is None:
        raise Usage(parser.format_help(), 2 if argv else 0)
    if given.part == "inbox" and given.action in ("show", "cancel", "close") and not given.job:
        where = "tickets" if given.action == "close" else "list"
        raise Usage(f"inbox {given.action} needs the ID of a job. 'codex-ops inbox {where}' shows them.", 2)
    check_prefix(given.prefix)
    return Asked(**vars(given), home=home, installed_prefix=prefix)
