# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that are known by the name before them: assignments in configuration, code, JSON, XML and on command lines. PRIVATE."""

from __future__ import annotations

import re
import typing as t

from .formats import compiled
from .names import FOREIGN, is_placeholder, judge, last_word, name_class, strength

#: start, end, kind, whether a change that adds it is to be refused
Found = tuple[int, int, str, bool]

#: No value is read further than this.
MAX_VALUE = 4096
#: Lower-case literals one of which is in every name that announces a secret.
KEYWORDS = ("pass", "pwd", "psk", "secret", "token", "key", "credential", "creds", "auth", "bearer") + FOREIGN
# Words that may stand before the last one of a name, with spaces between: "Secret Access Key".
_BEFORE = ("api", "access", "secret", "private", "account", "auth", "client", "signing", "encryption", "master", "shared")
_BEFORE_SPACE = tuple(f"{word} " for word in _BEFORE)
_BEFORE_NAME = rf"(?i:{'|'.join(_BEFORE)})(?: (?i:access|api|auth))?\Z"
_NAME_LETTERS = "\u00f1\u00d1ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
_MAX_NAME = 64
# What begins a value that does not simply follow.
_LEADING = frozenset("\r\n|>!&\\#[")
_JUDGED = 400

# From the keyword on, in lower case: the rest of the name, and what leads to a value. (The first group, matched once and for all by
# the reference to it, keeps a long name from being tried letter by letter.)
_LEAD = (
    r"(?=([a-z\u00f10-9_.-]{0,64}))\1"
    r"(?:"
    r"(?P<assign>(?:\\{0,7}[\"'`])?\]?(?:\[[0-9]{0,6}\])?[ \t]{0,16}(?:=>|:=|={1,3}|!={1,2}|:(?!:))[ \t]{0,64}(?=[^ \t]))"
    r"|(?P<pair>\\{0,7}[\"'],[ \t]{0,8}(?=\\{0,7}[\"']))"
    r"|(?P<call>\([ \t]{0,4}(?=\\{0,7}[\"']))"
    r"|(?P<element>>(?=[^<>\n]{1,4096}</))"
    r"|(?P<sql>[ \t]{1,8}(?='))"
    r")"
)
# --password VALUE, and what .netrc writes.
_OPTION = r"--([A-Za-z][A-Za-z0-9_.-]{1,63})[ \t]{1,8}(?=[^\s-])"
_NETRC = r"login[ \t\n]{1,8}\S{1,200}[ \t\n]{1,8}password[ \t]{1,8}(\S{1,4096})"
# Beside its name: {name: DB_PASSWORD, value: x}, {"option": "db_password", "value": "x"}, option=db_password value=x.
_VALUE = r"value\\{0,7}[\"']?[ \t]{0,4}[:=][ \t]{0,4}(?=\S)"
_BESIDE = (
    r"(?<![A-Za-z])(?:name|key|option|question|xpath|variable|property|parameter|setting|attribute)\\{0,7}[\"']?[ \t]{0,4}[:=][ \t]{0,4}"
    r"\\{0,7}[\"']?([A-Za-z_/][^\s\"',{}\\]{1,200})(?=\\{0,7}[\"']?(?:[,}\s]|\\{1,4}n|\Z))"
)
_AROUND = 300
# Parameters of an address: there a name tells that would mean too many things elsewhere.
_PARAMETERS = ("key", "token", "auth", "pass")
_PARAMETER = r"[^\s&\"'<>#;,\\|)\]}]{6,1024}"
# What stands between a sign and its value: a tag of YAML that changes nothing, an anchor, a line that goes on.
_BETWEEN = r"(?:(?:!!(?:str|binary)|!unsafe|&[\w-]{1,40})[ \t]{1,8}|\\\r?\n(?:[+\-](?=[ \t]))?[ \t]{0,64}|\[[ \t]{0,8}(?=[\"']))"
_QUOTE = r"(?:[bruBRUfFL@]{0,2})(\\{0,7}[\"'`])"
# A comma, a semicolon or an ampersand ends a value only where something follows that is not part of one.
_UNQUOTED = (
    r"(?:[^\s\"'`,;&<>(){}\[\]\\]{1,4096}|\\(?![nrt\"'\\])|[,;&](?!\s|\Z|[\"']|[\w.-]{1,40}[ \t]{0,2}[=:])"
    r"|\[redacted:[a-z_]{1,40}:[0-9a-f]{4}\]){1,200}"
)
# What stands behind a quote that closes something, and not behind one that opens a value.
_CLOSED = r"\Z|\r?\n|[,;)\]}]{1,4}(?:\s|\Z|\\{0,7}[\"'])"
_TEMPLATE = (
    r"\$\{[^}\n]{0,200}\}|\$\([^)\n]{0,200}\)|\{\{[^\n]{0,200}?\}\}|%\([^)\n]{0,64}\)[sd]"
    r"|<[^<>\n]{1,100}>|\{[A-Za-z0-9_.]{0,64}\}|\[[A-Za-z0-9_ .-]{0,64}\]"
)
_LINE_HEAD = r"[ \t]{0,200}(?:-[ \t]{1,8}|export[ \t]{1,8}|set[ \t]{1,8}|ENV[ \t]{1,8}|[#+;]{1,3}[ \t]{0,8}|[>\-][ \t]?)?[\"']?\Z"


def _quoted(text: str, at: int, quote: str) -> int:
    """Where the value that begins at *at* ends: before its closing *quote*, or with the line where that is missing."""
    limit = min(len(text), at + MAX_VALUE)
    line = text.find("\n", at, limit)
    line = limit if line < 0 else line
    plain = len(quote) == 1
    end = at
    while True:
        end = text.find(quote, end, line)
        if end < 0:
            return line
        backslashes = 0
        while end - backslashes > at and text[end - backslashes - 1] == "\\":
            backslashes += 1
        if backslashes % 2 == 0 or not plain:
            return end
        end += 1


def _is_pair(text: str, name: str, lead: re.Match[str], value: str, end: int) -> bool:
    """Whether two texts with a comma between them are a name and its value, and not two of a list."""
    opening = lead.start("pair") - len(name) - 1
    if opening < 0 or text[opening] not in "\"'" or compiled(r"[ \t]{0,8}:").match(text, end):
        return False
    power = strength(value)
    # define('DB_PASSWORD', 'x'), and not f('password', 'salt').
    called = text[max(0, opening - 1) : opening].strip("\\") == "(" and (power or not name.isalpha())
    return name.startswith("-") or power == 2 or bool(called)


class _Place(t.NamedTuple):
    name: str
    start: int
    end: int
    quoted: bool
    plain: bool


class _Runs:
    """Where values without quotes end. Names inside such a value are many in hostile text; each text is read once for all of them."""

    def __init__(self) -> None:
        self._begin = self._end = 0

    def end(self, text: str, at: int) -> int:
        """The end of the value that begins at *at*, which is *at* where none does."""
        if not self._begin <= at < self._end:
            self._begin = end = at
            match = compiled(_UNQUOTED).match(text, at)
            while match is not None:
                end = match.end()
                match = compiled(_UNQUOTED).match(text, end)
            self._end = end
            return end
        return self._end


def _begins_line(text: str, start: int) -> bool:
    """Whether nothing but what may lead to a name stands before *start* in its line."""
    low = max(0, start - 210)
    line = text.rfind("\n", low, start) + 1
    return (line > 0 or low == 0) and compiled(_LINE_HEAD).match(text, line or low, start) is not None


def _value(text: str, name: str, begin: int | None, lead: re.Match[str], runs: _Runs, line_start: bool = False) -> t.Sequence[_Place]:
    """Where the value behind *lead* stands, line by line. *begin* is where the name begins, if it may be the first in its line."""
    at = lead.end()
    kind = lead.lastgroup
    if kind == "element":
        return (_Place(name, at, text.find("<", at), True, True),)
    if kind == "sql" and (name_class(name) or ("",))[0] != "password":
        return ()
    if text[at : at + 1] in _LEADING:
        lines, at, line_start = _below(text, lead, lead.start() if begin is None else begin, at, line_start)
        if lines is not None:
            return [_Place(name, start, end, own, True) for start, end, own in lines]
    quote = compiled(_QUOTE).match(text, at)
    if quote is not None:
        # Base64 may end in a telling word, its padding and a closing quote.
        if text[at - 1] == "=" and compiled(_CLOSED).match(text, quote.end()):
            return ()
        start = quote.end()
        if kind != "pair" and text.startswith(quote[1], start):
            from .blocks import tripled  # pylint: disable=import-outside-toplevel

            return [_Place(name, *line, True) for line in tripled(text, start, quote[1]) or ()]
        end = _quoted(text, start, quote[1])
        if kind == "pair" and not _is_pair(text, name, lead, text[start:end], end + len(quote[1])):
            return ()
        return (_Place(name, start, end, True, True),)
    place = _bare(text, name, begin, lead, at, runs.end(text, at), line_start)
    return () if place is None else (place,)


def _sign(lead: re.Match[str]) -> str:
    """What stands between a name and its value."""
    return lead[lead.lastgroup] if lead.lastgroup else lead[0]


def _below(text: str, lead: re.Match[str], begin: int, at: int, line_start: bool) -> tuple[list[t.Any] | None, int, bool]:
    """The lines below, if the value stands there; else where it begins, and whether nothing else can stand before it."""
    from . import blocks  # pylint: disable=import-outside-toplevel

    between = compiled(_BETWEEN).match(text, at)
    if between is not None:
        line_start = line_start or "\n" in between.group()
        at = between.end()
    if ":" in _sign(lead) or "=>" in _sign(lead):
        sign = blocks.indicator(text, at)
        if sign >= 0:
            return blocks.block(text, sign, begin), at, line_start
        if between is None and compiled(r"\r?\n|#[ \t]").match(text, at):
            return blocks.below(text, at, begin, _sign(lead)[:1] in ("'", '"')), at, line_start
    return ([] if text[at : at + 1] in ("\r", "\n") else None), at, line_start


def _bare(text: str, name: str, begin: int | None, lead: re.Match[str], start: int, end: int, line_start: bool) -> _Place | None:
    """The value from *start* to *end*, which stands in no quotes."""
    if compiled(_TEMPLATE).match(text, start) or end == start:
        return None
    following = text[end : end + 1]
    if following == "(" or (following == "[" and end - start <= _MAX_NAME and text[start:end].isidentifier()):
        return None  # a call
    while end > start and text[end - 1] in ".:" and (end == len(text) or text[end] in " \t\n"):
        end -= 1
    assign = _sign(lead)
    line_start = line_start or (begin is not None and _begins_line(text, begin))
    line_end = compiled(r"[ \t]{0,64}(?:\r?\n|\Z|\\[rn]|#|\})").match(text, end) is not None
    if "=" in assign:
        # In code a word on the right is another variable.
        plain = not (" = " in assign or "==" in assign or "!=" in assign or ":=" in assign) or line_start
    else:
        # A number behind a name in quotes is one of JSON.
        plain = lead.re.pattern == _OPTION or (line_start and line_end) or (assign[:1] in "\"'" and text[start:end].isdigit())
    if line_start and line_end is False and "passphrase" in name.lower():
        rest = text.find("\n", end, end + MAX_VALUE)
        end, plain = rest if rest >= 0 else min(len(text), end + MAX_VALUE), True
    return _Place(name, start, end, False, plain)


def _name(text: str, at: int) -> int:
    """Where the name around *at* begins."""
    low = at - _MAX_NAME if at > _MAX_NAME else 0
    start = low + len(text[low:at].rstrip(_NAME_LETTERS))
    before = text[start - 1] if start else ""
    # An escape of JSON before the name is not its first letter.
    if before == "\\":
        return start + 1 if start < at and text[start] in "nrt" else start
    if before == "%":
        return start + 2 if start + 2 <= at and compiled(r"[0-9A-F]{2}").match(text, start) else start
    if start == at and before == " " and text[max(0, at - 11) : at].lower().endswith(_BEFORE_SPACE):
        for width in (24, 16):
            found = compiled(_BEFORE_NAME).search(text, max(0, at - 1 - width), at - 1)
            if found:
                return found.start()
    return start


def _judged(text: str, places: t.Iterable[_Place]) -> t.Iterator[Found]:
    for place in places:
        if place.start >= place.end:
            continue
        # The beginning tells enough.
        verdict = judge(place.name, text[place.start : min(place.end, place.start + _JUDGED)], place.quoted, place.plain)
        if verdict is not None:
            yield place.start, place.end, verdict[0], verdict[1]


def _beside(text: str, lower: str, runs: _Runs) -> t.Iterator[Found]:
    """Every value with a telling name beside it. What is around a value is looked at up to the next one, so once."""
    leads = list(compiled(_VALUE).finditer(lower))
    for number, lead in enumerate(leads):
        low = max(leads[number - 1].end() if number else 0, lead.start() - _AROUND)
        high = min(leads[number + 1].start() if number + 1 < len(leads) else len(text), lead.end() + _AROUND)
        before = text[max(low, text.rfind("}", low, lead.start()) + 1, text.rfind("\n\n", low, lead.start()) + 1) : lead.start()]
        names = compiled(_BESIDE).findall(before)
        if not names:
            ends = [end for end in (text.find(sign, lead.end(), high) for sign in ("}", "\n\n", "\n-")) if end >= 0]
            names = compiled(_BESIDE).findall(text[lead.end() : min([high, *ends])])[:1]
        name = last_word(names[-1]) if names else ""
        if name and name_class(name) is not None:
            yield from _judged(text, _value(text, name, None, lead, runs, True))


def _parameter(text: str, name: str, at: int) -> t.Iterator[Found]:
    """The value at *at* of the parameter *name* of an address."""
    match = compiled(_PARAMETER).match(text, at)
    if match is not None and not is_placeholder(match.group()):
        power = strength(match.group())
        # Anything may be the key of something.
        if power == 2 or (power == 1 and name not in ("key", "auth")):
            yield match.start(), match.end(), "token", power == 2 and len(match.group()) >= 20


def find(text: str, lower: str) -> t.Iterator[Found]:
    """Every value in *text* that the name before it makes a secret. *lower* is *text* in lower case, character by character."""
    done, runs, plain = set(), _Runs(), lower.isascii()
    for keyword in KEYWORDS:
        if plain and not keyword.isascii():
            continue
        until = 0
        for lead in compiled(keyword + _LEAD).finditer(lower):
            at, end = lead.span()
            # What is inside a value is no name; and one name may hold two keywords.
            if at < until or end in done:
                continue
            done.add(end)
            start = _name(text, at)
            name = text[start : lead.start(lead.lastgroup or 0)]
            if name in _PARAMETERS and start and text[start - 1] in "?&;":
                yield from _parameter(text, name, end)
            if name_class(name) is None:
                continue
            for secret in _judged(text, _value(text, name, start, lead, runs)):
                until = secret[1]
                yield secret
    for option in compiled(_OPTION).finditer(text):
        if name_class(option[1]) is not None:
            yield from _judged(text, _value(text, option[1], None, option, runs))
    yield from _beside(text, lower, runs)
    for match in compiled(_NETRC).finditer(lower):
        yield from _judged(text, [_Place("password", match.start(1), match.end(1), True, True)])


def named(name: str, value: str) -> str | None:
    """The kind of secret that *value* is because it is kept under *name*, as in a dictionary or behind an option."""
    if len(name) > 2 * _MAX_NAME:
        return None
    verdict = judge(name, value[:_JUDGED], True, True)
    return verdict[0] if verdict else None


def telling(name: str) -> bool:
    """Whether *name* announces a secret."""
    return len(name) <= 2 * _MAX_NAME and name_class(name) is not None
