# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that are known by the place they stand in: headers of HTTP, and addresses. PRIVATE."""

from __future__ import annotations

import typing as t

from .assignments import Found
from .formats import compiled
from .names import is_placeholder, matches, strength

# "Authorization: x", 'authorization': 'x', ("Authorization", "x"), -H "Authorization: x", also inside quoted JSON.
_COLON = r"\\{0,7}[\"']?[ \t]{0,4}(?:[:=,]|=>|\\u003[aA]|%3[aA])[ \t+]{0,8}(?:\\{0,7}[\"'])?(?:%20|\+)?"
_SCHEME = r"(?i:Bearer|Basic|Token|Digest|ApiKey|Negotiate|NTLM|Key|Splunk|GenieKey|PVEAPIToken|OAuth|Snowflake)"
_AUTHORIZATION = (
    rf"(?i:uthorization){_COLON}(?P<value>{_SCHEME}(?: |\+|%20|=){{1,4}}[^\s\"'\\,;<>]{{4,4096}}"
    r"|(?![A-Za-z]{1,16}[ ,.;:])[A-Za-z0-9._~+/=:-]{12,4096})"
)
_SIGNED = rf"(?i:uthorization){_COLON}AWS4-HMAC-SHA256[^\r\n\"']{{0,400}}?Signature=(?P<value>[0-9a-f]{{64}})"
_DIGEST = rf"(?i:uthorization){_COLON}Digest [^\r\n]{{0,600}}?response=\\?\"(?P<value>[0-9a-f]{{32,64}})"
_API_KEY = (
    r"(?i:x-(?:api-key|auth-token|auth-key|access-token|vault-token|amz-security-token|goog-api-key|functions-key|gitlab-token|consul-token)"
    r"|private-token|job-token|api-key)"
    rf"{_COLON}(?P<value>[^\s\"'\\,;<>]{{4,4096}})"
)
_COOKIE = rf"(?i:cookie){_COLON}(?P<value>[A-Za-z0-9_.!#$%&*+^`|~-]{{1,100}}=[^\r\n\"'\\]{{1,4096}})"
_BEARER = r"(?i:bearer)(?: |\+|%20)(?P<value>[A-Za-z0-9._~+/=-]{16,4096})"

# user:password@, up to the last @ before a slash, since people do not escape one.
_USERINFO = r"[^\s/:@\"'`<>\\]{0,128}:(?!\d{1,5}[/?#,])[^\s/\"'`<>\\]{1,256}(?=@)"
_WEB = ("http", "https", "ftp", "ftps", "sftp", "ssh", "git", "ws", "wss", "smtp", "smtps", "imap", "imaps", "svn", "socks5", "socks5h", "socks", "")
# Encoded once more, as a parameter of another address.
_ENCODED = r"%3[Aa]%2[Ff]%2[Ff](?P<value>[A-Za-z0-9._-]{0,128}%3[Aa][^\s&\"'%@]{1,256}(?:%(?!40)[0-9A-Fa-f]{2}[^\s&\"'%]{0,128}){0,32})%40"

# A token alone before the host.
_TOKEN = r"[A-Za-z0-9._~+=-]{16,256}(?=@[A-Za-z0-9\[])"
# An "auth" of Docker's or npm's configuration is user:password in base64.
_AUTH = r"auth(?:\\{0,7}[\"'])?[ \t]{0,4}[:=][ \t]{0,4}(?:\\{0,7}[\"'])?(?P<value>[A-Za-z0-9+/]{8,1024}={0,2})"


def _ending(text: str, sign: str, low: int) -> int:
    at = text.find(sign, low)
    return len(text) if at < 0 else at


def _addresses(text: str) -> t.Iterator[Found]:
    if "@" not in text:
        return
    done, sign = 0, -1
    userinfo = compiled(_USERINFO)
    for found in compiled("://").finditer(text):
        start = found.end()
        if start < done:
            continue
        if sign < start:
            sign = _ending(text, "@", start)
        # Far from any @ there is nothing to look at: this keeps a text of nothing but "://" cheap.
        if sign - start > 400:
            continue
        match = userinfo.match(text, start)
        if match is None:
            token = compiled(_TOKEN).match(text, start)
            if token is not None and strength(token.group()) == 2:
                done = token.end()
                yield start, done, "token", not matches(r"[0-9a-f]{32}", token.group())
            continue
        done = match.end()
        user, _colon, password = match.group().partition(":")
        if is_placeholder(password) and (is_placeholder(user) or strength(user) < 2):
            continue
        before = text[max(0, found.start() - 24) : found.start()]
        scheme = compiled(r"[A-Za-z][A-Za-z0-9+.-]{0,23}\Z").search(before)
        name = scheme.group().lower() if scheme else ""
        kind = "basic_auth" if name in _WEB else "connection_string"
        certain = not is_placeholder(password) and not matches(r"(?i:pass(?:word|wd)?|pw|secret|token)", password)
        yield start, match.end(), kind, certain


def _headers(text: str, lower: str) -> t.Iterator[Found]:
    for literal, expression, kind in (
        ("uthorization", _SIGNED, "authorization"),
        ("uthorization", _DIGEST, "authorization"),
        ("uthorization", _AUTHORIZATION, "authorization"),
        ("cookie", _COOKIE, "cookie"),
        ("bearer", _BEARER, "authorization"),
        ("x-", _API_KEY, "api_key"),
        ("private-token", _API_KEY, "api_key"),
        ("api-key", _API_KEY, "api_key"),
    ):
        if (expression is _SIGNED and "AWS4-HMAC" not in text) or (expression is _DIGEST and "response=" not in text):
            continue
        pattern, until = compiled(expression), 0
        for found in compiled(literal).finditer(lower):
            match = pattern.match(text, found.start()) if found.start() >= until else None
            if match is None:
                continue
            start, end = match.span("value")
            value = match["value"]
            if kind == "cookie":
                crumb = value.partition("=")[2].split(";")[0].strip()
                if is_placeholder(crumb) or (lower.startswith("cookie=", found.start()) and strength(crumb) < 2):
                    continue
                until = end
                yield start, end, kind, False
                continue
            word = compiled(_SCHEME + r"(?: |\+|%20|=){1,4}").match(value)
            bare = value[word.end() :] if word else value
            if is_placeholder(bare):
                continue
            if kind == "api_key" or (word is None and literal == "uthorization") or literal == "bearer":
                if strength(bare) < (2 if literal == "bearer" else 1):
                    # Its beginning was judged; names in there are not looked at again.
                    until = min(end, start + 100)
                    continue
            elif matches(r"[a-z]{1,20}", bare) and len(bare) < 8:
                continue
            until = end
            yield start, end, kind, strength(bare) == 2 or kind == "authorization" and word is not None


def _auths(text: str, lower: str) -> t.Iterator[Found]:
    import base64  # pylint: disable=import-outside-toplevel

    for found in compiled("auth").finditer(lower):
        match = compiled(_AUTH).match(text, found.start())
        if match is None or text[found.start() - 1 : found.start()] not in ("_", '"', "'"):
            continue
        try:
            plain = base64.b64decode(match["value"] + "==").decode("utf-8")
        except ValueError:
            continue
        if ":" in plain and plain.isprintable():
            yield match.start("value"), match.end("value"), "basic_auth", True


def find(text: str, lower: str) -> t.Iterator[Found]:
    """Every secret in *text* that its place gives away. *lower* is *text* in lower case, character by character."""
    yield from _addresses(text)
    yield from _headers(text, lower)
    if "auth" in lower:
        yield from _auths(text, lower)
    if "%2f%2f" in lower:
        for match in compiled(_ENCODED).finditer(text):
            yield match.start("value"), match.end("value"), "basic_auth", True
