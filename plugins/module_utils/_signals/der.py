# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a certificate says: its time, its names, and whether it may sign others (RFC 5280). PRIVATE.

It judges no signature: that is the work of the TLS library, when an endpoint is asked.
"""

from __future__ import annotations

import binascii
import calendar
import dataclasses
import ipaddress
import re

#: Bytes of one certificate at most, and names that are kept of it.
MAX_BYTES = 256 * 1024
MAX_NAMES = 200
_PEM = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]{1,400000}?)-----END (?:TRUSTED |X509 )?CERTIFICATE-----")
_COMMON_NAME, _ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"
_ALT_NAMES, _CONSTRAINTS = b"\x55\x1d\x11", b"\x55\x1d\x13"
_TIMES = {0x17: re.compile(rb"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})Z"), 0x18: re.compile(rb"([0-9]{4})" + rb"([0-9]{2})" * 5 + rb"Z")}


class Malformed(Exception):
    """These bytes are no certificate."""


@dataclasses.dataclass(frozen=True)
class Certificate:
    """``begins`` and ``ends`` are seconds since the epoch. ``subject`` and ``issuer`` are the exact bytes of the names."""

    begins: int
    ends: int
    subject: bytes
    issuer: bytes
    name: str
    issuer_name: str
    dns: tuple[str, ...]
    addresses: tuple[str, ...]
    authority: bool

    @property
    def self_signed(self) -> bool:
        """Whether it names itself as its issuer."""
        return self.subject == self.issuer

    def names(self, host: str) -> bool:
        """Whether it is for *host*, a DNS name or an address (RFC 6125: a wildcard stands for one whole leftmost label)."""
        try:
            return str(ipaddress.ip_address(host)) in self.addresses
        except ValueError:
            pass
        wanted = host.rstrip(".").lower()
        if not wanted.isascii():
            try:
                wanted = wanted.encode("idna").decode("ascii")
            except UnicodeError:
                return False
        for name in self.dns:
            name = name.lower()
            if name == wanted:
                return True
            _label, _dot, rest = wanted.partition(".")
            if name.startswith("*.") and "." in rest and name[2:] == rest:
                return True
        return False


def _read(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """(tag, where its content begins, where it ends) of the element at *at*."""
    if at + 2 > end:
        raise Malformed
    tag, length = data[at], data[at + 1]
    at += 2
    if tag & 0x1F == 0x1F or length == 0x80:
        raise Malformed
    if length & 0x80:
        count = length & 0x7F
        if count > 4 or at + count > end:
            raise Malformed
        length = int.from_bytes(data[at : at + count], "big")
        at += count
    if at + length > end:
        raise Malformed
    return tag, at, at + length


def _expect(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    found, begin, stop = _read(data, at, end)
    if found != tag:
        raise Malformed
    return begin, stop


def _time(data: bytes, at: int, end: int) -> tuple[int, int]:
    tag, begin, stop = _read(data, at, end)
    match = _TIMES[tag].fullmatch(data[begin:stop]) if tag in _TIMES else None
    if match is None:
        raise Malformed
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    if tag == 0x17:
        year += 2000 if year < 50 else 1900
    try:
        return calendar.timegm((year, month, day, hour, minute, second)), stop
    except (ValueError, OverflowError):
        raise Malformed from None


def _text(tag: int, raw: bytes) -> str:
    encoding = {0x1E: "utf-16-be", 0x1C: "utf-32-be", 0x14: "latin-1"}.get(tag, "utf-8")
    return raw[:1024].decode(encoding, "replace")


def _name(data: bytes, begin: int, end: int) -> str:
    """The common name in a name, or the organization, or nothing."""
    found: dict[bytes, str] = {}
    while begin < end:
        inner, stop = _expect(data, begin, end, 0x31)
        begin = stop
        while inner < stop:
            pair, inner_stop = _expect(data, inner, stop, 0x30)
            inner = inner_stop
            kind, kind_stop = _expect(data, pair, inner_stop, 0x06)
            tag, value, value_stop = _read(data, kind_stop, inner_stop)
            found[data[kind:kind_stop]] = _text(tag, data[value:value_stop])
    return found.get(_COMMON_NAME) or found.get(_ORGANIZATION) or ""


def _extensions(data: bytes, at: int, end: int) -> tuple[list[str], list[str], bool]:
    dns: list[str] = []
    addresses: list[str] = []
    authority = False
    begin, end = _expect(data, at, end, 0x30)
    while begin < end:
        inner, stop = _expect(data, begin, end, 0x30)
        begin = stop
        kind, kind_stop = _expect(data, inner, stop, 0x06)
        tag, value, value_stop = _read(data, kind_stop, stop)
        if tag == 0x01:
            tag, value, value_stop = _read(data, value_stop, stop)
        name = data[kind:kind_stop]
        if name == _ALT_NAMES:
            at, last = _expect(data, value, value_stop, 0x30)
            while at < last:
                tag, first, at = _read(data, at, last)
                if len(dns) + len(addresses) >= MAX_NAMES:
                    break
                if tag == 0x82:
                    dns.append(data[first:at].decode("ascii", "replace")[:255])
                elif tag == 0x87 and at - first in (4, 16):
                    addresses.append(str(ipaddress.ip_address(data[first:at])))
        elif name == _CONSTRAINTS:
            at, last = _expect(data, value, value_stop, 0x30)
            if at < last:
                tag, first, _stop = _read(data, at, last)
                authority = tag == 0x01 and data[first] != 0
    return dns, addresses, authority


def parse(data: bytes) -> Certificate:
    """The certificate in *data* (DER).

    :raises Malformed: where there is none.
    """
    if len(data) > MAX_BYTES:
        raise Malformed
    try:
        return _parse(data)
    except (IndexError, ValueError):
        raise Malformed from None


def _parse(data: bytes) -> Certificate:
    at, end = _expect(data, 0, len(data), 0x30)
    at, end = _expect(data, at, end, 0x30)
    tag, _begin, stop = _read(data, at, end)
    if tag == 0xA0:
        at = stop
    # Serial number and algorithm.
    at = _expect(data, at, end, 0x02)[1]
    at = _expect(data, at, end, 0x30)[1]
    issuer = _expect(data, at, end, 0x30)
    validity = _expect(data, issuer[1], end, 0x30)
    begins, later = _time(data, *validity)
    ends, _stop = _time(data, later, validity[1])
    subject = _expect(data, validity[1], end, 0x30)
    at = _expect(data, subject[1], end, 0x30)[1]
    found: tuple[list[str], list[str], bool] = ([], [], False)
    while at < end:
        tag, begin, at = _read(data, at, end)
        if tag == 0xA3:
            found = _extensions(data, begin, at)
    return Certificate(
        begins, ends, data[subject[0] : subject[1]], data[issuer[0] : issuer[1]], _name(data, *subject), _name(data, *issuer),
        tuple(found[0]), tuple(found[1]), found[2],
    )  # fmt: skip


def certificates(data: bytes, at_most: int = 1000) -> list[Certificate]:
    """Every certificate in a file's bytes, PEM or DER, in its order.

    :raises Malformed: where one is broken, or the file says that there is one and there is none.
    """
    if data[:1] == b"\x30":
        return [parse(data)]
    found: list[Certificate] = []
    for match in _PEM.finditer(data):
        if len(found) >= at_most:
            break
        try:
            found.append(parse(binascii.a2b_base64(match.group(1))))
        except binascii.Error:
            raise Malformed from None
    if not found and b"CERTIFICATE-----" in data:
        raise Malformed
    return found
