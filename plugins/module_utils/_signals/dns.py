# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks a DNS server (RFC 1035): one question, over UDP, and over TCP where the answer is cut. PRIVATE."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
import time

from .files import read_kernel
from .net import Unreachable, address, ending

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28, "CAA": 257}
_CODES = {1: "the server does not understand the question", 2: "the server failed", 3: "there is no such name", 5: "the server refuses to answer"}
#: Records of one answer, and bytes of it over TCP.
_RECORDS = 200
_BYTES = 65535


class NoName(Exception):
    """The server says that there is no such name."""


def servers() -> list[str]:
    """The servers that /etc/resolv.conf names."""
    found = []
    for line in read_kernel("/etc/resolv.conf", 65536).decode("utf-8", "replace").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            found.append(words[1].partition("%")[0])
    return found[:3] or ["127.0.0.1"]


def _encode(name: str) -> bytes:
    """:raises Unreachable: when it is no name."""
    made = b""
    try:
        labels = name.rstrip(".").encode("idna" if not name.isascii() else "ascii").split(b".")
    except UnicodeError:
        labels = [b""]
    for label in labels:
        if not 0 < len(label) < 64:
            raise Unreachable("It is no DNS name.")
        made += bytes([len(label)]) + label
    if len(made) > 254:
        raise Unreachable("It is no DNS name.")
    return made + b"\0"


def _name(data: bytes, at: int) -> tuple[str, int]:
    """(name, what comes behind it)"""
    labels: list[str] = []
    behind = -1
    for _jump in range(128):
        length = data[at]
        if length & 0xC0 == 0xC0:
            behind = at + 2 if behind < 0 else behind
            at = (length & 0x3F) << 8 | data[at + 1]
        elif length == 0:
            return ".".join(labels).lower(), at + 1 if behind < 0 else behind
        else:
            labels.append(data[at + 1 : at + 1 + length].decode("latin-1"))
            at += 1 + length
    raise ValueError("a name without an end")


def _value(kind: int, data: bytes, at: int, length: int) -> str:
    part = data[at : at + length]
    if kind in (1, 28):
        return str(ipaddress.ip_address(part))
    if kind in (2, 5):
        return _name(data, at)[0]
    if kind == 15:
        return f"{struct.unpack_from('>H', part)[0]} {_name(data, at + 2)[0]}"
    if kind == 257:
        return f'{part[0]} {part[2 : 2 + part[1]].decode("latin-1")} "{part[2 + part[1] :].decode("utf-8", "backslashreplace")}"'
    texts, place = [], 0
    while place < len(part):
        texts.append(part[place + 1 : place + 1 + part[place]])
        place += 1 + part[place]
    return b"".join(texts).decode("utf-8", "backslashreplace")


def _parse(data: bytes, number: int, kind: int, question: bytes) -> tuple[list[str], bool]:
    """(values, cut)

    :raises ValueError: when it is no answer to the question. :raises NoName: when there is no such name.
    """
    found, flags, questions, answers = struct.unpack_from(">HHHH", data)
    if found != number or not flags & 0x8000 or questions != 1 or data[12 : 12 + len(question)].lower() != question.lower():
        raise ValueError("an answer to another question")
    code = flags & 0xF
    if code == 3:
        raise NoName
    if code:
        raise Unreachable(f"No DNS answer: {_CODES.get(code, f'code {code}')}.")
    at = 12 + len(question)
    values = []
    for _record in range(min(answers, _RECORDS)):
        _owner, at = _name(data, at)
        answered, _class, _ttl, length = struct.unpack_from(">HHIH", data, at)
        at += 10
        if at + length > len(data):
            break
        if answered == kind:
            values.append(_value(kind, data, at, length))
        at += length
    return sorted(values), bool(flags & 0x0200)


def _over_tcp(family: int, where: tuple[str, int], packet: bytes, seconds: float) -> bytes:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(where)
        with ending(connection, seconds):
            connection.sendall(struct.pack(">H", len(packet)) + packet)
            data = b""
            while len(data) < 2 or len(data) < 2 + struct.unpack_from(">H", data)[0]:
                piece = connection.recv(_BYTES)
                if not piece:
                    raise ValueError("half an answer")
                data += piece
            return data[2:]


def ask(name: str, kind: str, server: str, seconds: float) -> list[str]:
    """The values of the records of *name*, sorted. None is an answer too.

    :arg kind: One of :data:`TYPES`.
    :arg server: An address, with a port where it is not 53.
    :raises NoName: when there is no such name.
    :raises Unreachable: when there is no answer within *seconds*.
    """
    try:
        where = (str(ipaddress.ip_address(server)), 53)
    except ValueError:
        where = address(server, 53)
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    until = time.monotonic() + seconds
    question = _encode(name) + struct.pack(">HH", TYPES[kind], 1)
    for share in (3, 2, 1):
        # What was lost on the way is asked for again.
        number = int.from_bytes(os.urandom(2), "big")
        packet = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + question
        patience = time.monotonic() + max(0.01, (until - time.monotonic()) / share)
        with contextlib.suppress(OSError, ValueError, IndexError, struct.error), socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect(where)
            asked.send(packet)
            while time.monotonic() < patience:
                asked.settimeout(max(0.001, patience - time.monotonic()))
                data = asked.recv(_BYTES)
                with contextlib.suppress(ValueError, IndexError, struct.error):
                    values, cut = _parse(data, number, TYPES[kind], question)
                    if cut:
                        values, _cut = _parse(_over_tcp(family, where, packet, max(0.1, until - time.monotonic())), number, TYPES[kind], question)
                    return values
        if time.monotonic() >= until:
            break
    raise Unreachable(f"The DNS server {server} does not answer within {seconds:.0f} s.")
