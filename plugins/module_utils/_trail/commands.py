# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that are known by their place in a command line, in SQL, or in a file of settings that has no equals sign. PRIVATE."""

from __future__ import annotations

import re
import typing as t

from .assignments import Found
from .formats import compiled
from .names import is_placeholder, judge, strength

# What ends a word of a shell or of a list belongs to the word only where something else follows.
_BARE = r"(?:[^\s\"'\\;|&,)\]]|[;|&,)\]](?![\s\"';|&,)\]]|\Z)){1,256}"
_WORD = rf"(?:\\{{0,7}}[\"'])?(?P<value>(?<=\")(?:[^\"\\\n]|\\(?![\"'\\])){{1,256}}|(?<=')(?:[^'\\\n]|\\(?![\"'\\])){{1,256}}|{_BARE})"
_GAP = r"[\"']?,?[ \t=]{1,4}"
_SHORT = r"-p(?![ \\]|[\"'](?:[\s,\]]|\Z))"
# literal, expression on the line from there on
_COMMANDS = (
    ("mysql", rf"mysql[a-z_-]{{0,16}}(?=[ \"',])[^\n|;]{{0,400}}?[ \"']{_SHORT}{_WORD}"),
    ("mariadb", rf"mariadb[a-z_-]{{0,16}}(?=[ \"',])[^\n|;]{{0,400}}?[ \"']{_SHORT}{_WORD}"),
    ("redis-cli", rf"redis-cli(?=[ \"',])[^\n|;]{{0,200}}?[ \"'](?:-a|--pass){_GAP}{_WORD}"),
    ("ldap", rf"ldap(?:search|modify|add|delete|passwd|whoami|bind)(?=[ \"',])[^\n|;]{{0,400}}?[ \"']-w(?:{_GAP})?{_WORD}"),
    (
        "curl",
        r"curl(?=[ \"',])[^\n|;]{0,600}?[ \"'](?:-u|--user|--proxy-user|-U)[\"']?,?[ =]{0,2}(?:\\{0,7}[\"'])?"
        rf"(?P<value>[^\s\"':\\]{{1,128}}:{_BARE})",
    ),
    (
        "identified",
        r"(?i:identified[ \t]{1,4}(?:with[ \t]{1,4}[\w\"'`]{1,40}[ \t]{1,4})?by[ \t]{1,4}(?:password[ \t]{1,4})?)"
        r"\\?[\"'](?P<value>[^\s\"']{1,256})(?=\\?[\"'])",
    ),
    ("docker", rf"docker[\"']?,? [\"']?login(?=[ \"',])[^\n|;]{{0,200}}?[ \"']-p{_GAP}(?!-){_WORD}"),
)


def _word(name: str) -> str:
    return _WORD.replace("<value>", f"<{name}>")


# All that "pass" is a part of, which is looked for once.
_PASS = (
    rf"pass(?:(?<=sshpass)[\"']?,? {{1,4}}[\"']?-p[\"']?,? {{0,4}}{_word('sshpass')}"
    rf"|(?<=[ \"']-pass)(?:word|wd|phrase)?{_GAP}(?!-|(?:pass|env|file|fd):|stdin){_word('option')}"
    rf"|(?<=-pass)(?:in|out)?[\"']?,? {{0,4}}[\"']?pass:(?P<openssl>{_BARE})"
    rf"|(?:(?<=requirepass)|(?<=storepass)|(?<=keypass)|(?<=auth_pass)|(?<=insecure-pass)word)[\"']?,?[ \t]{{1,8}}(?!-){_word('setting')}"
    r"|(?<=chpass)wd[^\n|;<]{0,60}<<(?:<[ \t]{0,4}|-?[ \t]{0,4}[\"']?\w{1,20}[\"']?\n)[\"']?[\w.-]{1,64}:(?P<here>[^\s\"']{1,256})"
    r"|(?<=chpass)(?P<piped>wd))"
)
_MASTERAUTH = rf"(?i:masterauth)[\"']?,?[ \t]{{1,8}}{_word('setting')}"
_LINE_END = r"\\{0,7}[\"']?[,\]]?[ \t]{0,64}(?:\r?\n|\Z|#)"
# What is written into a program: echo X | passwd --stdin, echo 'root:X' | chpasswd.
_PIPED = ("-stdin", "sudo -s")
_ECHO = (
    r"(?:echo|printf)[ \t]{1,4}(?:-[neE]{1,3}[ \t]{1,4}){0,2}(?:[\"'](?:%s(?:\\{1,4}n)?)[\"'][ \t]{1,4})?(?:\\{0,7}[\"'])?(?P<user>[\w.-]{1,64}:)?"
    r"(?P<value>[^\n\"'|]{4,256}?)(?:\\{1,4}n)?(?:\\{0,7}[\"'])?[ \t]{0,4}\Z"
)
_BEFORE_PIPE = 400
# host:port:database:user:password
_PGPASS = (
    r"(?P<head>[\w.*/\[\]-]{1,255}:(?:\d{2,5}|\*):(?:[^:\\\s\"']|\\.){1,64}:(?:[^:\\\s\"']|\\.){1,64}:)"
    r"(?P<value>[^\s\"':]{4,256})(?=[\"']|[ \t]{0,8}(?:\r?\n|\Z))"
)
_PGPASS_SIGNS = (":5432:", ":*:")


def _commands(text: str, lower: str) -> t.Iterator[Found]:
    for literal, expression in _COMMANDS:
        if literal not in lower:
            continue
        done = 0
        for found in compiled(literal).finditer(lower):
            if found.start() < done:
                continue
            match = compiled(expression).match(text, found.start())
            if match is None:
                # What the expression looked through is not looked through again.
                stop = compiled(r"[\n|;]").search(text, found.end(), found.start() + 300)
                done = stop.start() if stop else found.start() + 300
                continue
            value = match["value"]
            secret = value.partition(":")[2] if literal == "curl" else value
            done = match.end()
            if not is_placeholder(secret):
                yield match.start("value"), match.end("value"), "password", strength(secret) == 2


def _settings(text: str, lower: str) -> t.Iterator[Found]:
    yield from _set(text, compiled(_PASS).finditer(text))
    if "masterauth" in lower:
        yield from _set(text, compiled(_MASTERAUTH).finditer(text))


def _set(text: str, found: t.Iterable[re.Match[str]]) -> t.Iterator[Found]:
    for match in found:
        kind = str(match.lastgroup)
        if kind == "piped":
            yield from _echoed(text, match.start(), True)
            continue
        value, (start, end) = match[kind], match.span(kind)
        if kind in ("option", "setting"):
            # In a sentence more words follow.
            verdict = judge("password", value, False, kind == "option" or compiled(_LINE_END).match(text, end) is not None)
            if verdict is not None:
                yield start, end, *verdict
        elif not is_placeholder(value):
            yield start, end, "password", strength(value) == 2


def _piped(text: str, lower: str) -> t.Iterator[Found]:
    for literal in _PIPED:
        for found in compiled(literal).finditer(lower):
            yield from _echoed(text, found.start(), False)


def _echoed(text: str, end: int, user: bool) -> t.Iterator[Found]:
    """What is echoed into the program before *end*, in its line: a password, or a user's name with one."""
    low = max(0, end - _BEFORE_PIPE)
    low = max(low, text.rfind("\n", low, end) + 1)
    pipe = text.rfind("|", low, end)
    at = max(text.rfind("echo ", low, pipe), text.rfind("printf ", low, pipe)) if pipe >= 0 else -1
    match = compiled(_ECHO).match(text, at, pipe) if at >= 0 else None
    if match is not None and user == (match["user"] is not None) and not is_placeholder(match["value"]):
        yield match.start("value"), match.end("value"), "password", strength(match["value"]) == 2


def _pgpass(text: str) -> t.Iterator[Found]:
    for sign in _PGPASS_SIGNS:
        at = text.find(sign)
        while at >= 0:
            low = max(0, at - 256)
            start = at - (len(before := text[low:at]) - len(before.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.*/[]-")))
            match = compiled(_PGPASS).match(text, start) if start < at else None
            if match is not None and match["head"].find(sign) == at - start and strength(match["value"]) and not is_placeholder(match["value"]):
                yield match.start("value"), match.end("value"), "password", strength(match["value"]) == 2
            at = text.find(sign, at + len(sign) - 1)


def find(text: str, lower: str) -> t.Iterator[Found]:
    """Every secret in *text* that a command or a file of settings gives away. *lower* is *text* in lower case, character by character."""
    yield from _commands(text, lower)
    yield from _settings(text, lower)
    if "|" in text:
        yield from _piped(text, lower)
    yield from _pgpass(text)


# Characters that would end a word.
_INERT = str.maketrans(dict.fromkeys(" \t\r\n\f\v\u0085\u00a0\"'`\\;|&", "\u00b7"))


def words(items: t.Sequence[str]) -> dict[int, tuple[int, int, str]]:
    """The secrets in a command that is given word by word, as (start, end, kind) by the number of the word."""
    line = " ".join(item.translate(_INERT) for item in items)
    found: dict[int, tuple[int, int, str]] = {}
    for start, end, kind, _certain in (*_commands(line, line.lower()), *_settings(line, line.lower())) if len(line.lower()) == len(line) else ():
        at = 0
        for number, item in enumerate(items):
            if at <= start < at + len(item):
                found[number] = (start - at, min(end - at, len(item)), kind)
            at += len(item) + 1
    return found
