# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Personal data, masked only where somebody asks for it: e-mail, phone, IBAN, payment cards, IP addresses. PRIVATE."""

from __future__ import annotations

import re
import typing as t

from .formats import Span, compiled

#: What :class:`Redactor` takes as *personal*.
PERSONAL = ("card", "email", "iban", "ip", "phone")

_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\U0010ffff-]{1,64}\Z"
_DOMAIN = r"(?:[A-Za-z0-9\x80-\U0010ffff](?:[A-Za-z0-9\x80-\U0010ffff-]{0,62})\.){1,8}[A-Za-z\x80-\U0010ffff][A-Za-z0-9\x80-\U0010ffff-]{1,62}(?![A-Za-z0-9])"
_IBAN = r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]){11,30}(?![A-Za-z0-9])"
# A card's number begins with 2 to 6, and a number of 13 to 19 digits that is none rarely passes the check.
_CARD = r"(?<![0-9A-Za-z_.-])[2-6][0-9]{3}(?:[ -]?[0-9]{2,6}){2,5}(?![0-9A-Za-z_-]|\.[0-9])"
# International, or as North America writes it. Other national forms cannot be told from other numbers.
_PHONE = (
    r"(?<![0-9A-Za-z_+.=/-])(?:\+[1-9][0-9]{0,2}[ .()/-]{0,2}(?:[0-9][ .()/-]{0,2}){5,12}[0-9](?![0-9A-Za-z_])"
    r"|\([2-9][0-9]{2}\) ?[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9A-Za-z_-])|[2-9][0-9]{2}([.-])[2-9][0-9]{2}\1[0-9]{4}(?![0-9A-Za-z_.-]))"
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?<![0-9A-Za-z_.-])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9A-Za-z_-]|\.[0-9A-Za-z])"
_IPV6 = r"(?<![0-9A-Za-z_:.])[0-9A-Fa-f:]{2,39}(?:[0-9.]{7,15})?(?:%[0-9A-Za-z]{1,15})?(?![0-9A-Za-z_:])"


def _emails(text: str) -> t.Iterator[Span]:
    local, domain = compiled(_LOCAL), compiled(_DOMAIN)
    done = 0
    for found in compiled("@").finditer(text):
        at = found.start()
        after = domain.match(text, at + 1)
        if after is None:
            continue
        before = local.search(text, max(done, at - 64), at)
        if before is None:
            continue
        start = before.start() + len(before.group()) - len(before.group().lstrip(".'=`{|&?/#*+"))
        if start < at:
            done = after.end()
            yield start, done, "email"


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _cards(text: str) -> t.Iterator[Span]:
    for match in compiled(_CARD, re.ASCII).finditer(text):
        digits = match.group().replace(" ", "").replace("-", "")
        if 13 <= len(digits) <= 19 and len(set(digits)) > 1 and _luhn(digits):
            yield match.start(), match.end(), "card"


def _ibans(text: str) -> t.Iterator[Span]:
    for match in compiled(_IBAN).finditer(text):
        # What follows may be a word of capitals; the longest part that passes the check is the number.
        for end in range(match.end(), match.start() + 14, -1):
            digits = text[match.start() : end].replace(" ", "")
            if not 15 <= len(digits) <= 34 or text[end - 1] == " " or (end < match.end() and text[end] != " "):
                continue
            if int("".join(str(int(letter, 36)) for letter in digits[4:] + digits[:4])) % 97 == 1:
                yield match.start(), end, "iban"
                break


def _phones(text: str) -> t.Iterator[Span]:
    for match in compiled(_PHONE).finditer(text):
        if 8 <= sum(letter.isdigit() for letter in match.group()) <= 15:
            yield match.start(), match.end(), "phone"


def _addresses(text: str) -> t.Iterator[Span]:
    for match in compiled(_IPV4).finditer(text):
        yield match.start(), match.end(), "ip"
    if text.count(":") < 2:
        return
    import ipaddress  # pylint: disable=import-outside-toplevel

    for match in compiled(_IPV6).finditer(text):
        written = match.group()
        if written.count(":") < 2 or not any(letter.isalnum() for letter in written):
            continue
        try:
            ipaddress.IPv6Address(written.partition("%")[0])
        except ValueError:
            continue
        yield match.start(), match.end(), "ip"


_FINDERS: dict[str, t.Callable[[str], t.Iterator[Span]]] = {"card": _cards, "email": _emails, "iban": _ibans, "ip": _addresses, "phone": _phones}


def find(text: str, kinds: t.Iterable[str]) -> t.Iterator[Span]:
    """The personal data of these *kinds* in *text*."""
    for kind in kinds:
        yield from _FINDERS[kind](text)
