# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

r"""How a record is written as a line of a log, and how a line is known to be one. Pure. PRIVATE.

A line is ASCII and ends in ``\n``::

    {"hash":"<64 hex>","prev":"<64 hex>","seq":<n>,<the rest of the record as canonical JSON, without its opening brace>

``hash`` is the SHA-256 of the line's bytes, without the newline and with its first 75 bytes (``{"hash":"<64 hex>",``) replaced
by ``{``: a verifier hashes what is there and serialises nothing. ``prev`` is the hash of the record before, 64 zeros in the first;
``seq`` begins at 1 and grows by 1.

A line that a crash or a full disk cut off is closed by appending ``#torn\n``, and the record after it carries
``healed: {"bytes": n, "sha256": ...}`` of all bytes between it and the record before. Bytes that are neither a record nor closed
in this way come from no writer of ours.
"""

from __future__ import annotations

import collections.abc
import hashlib
import math
import re
import typing as t

from .._canonical import canonical

VERSION = 1
ZERO = "0" * 64
#: Bytes of the longest record. Nothing longer is written, so no reader has to hold more.
MAX_LINE = 64 * 1024 * 1024
#: A torn line is closed with this. It can be torn itself, so a line may grow by some of it.
TORN = b"#torn\n"
MAX_PIECE = MAX_LINE + 4096
#: What ``hash`` covers begins here, with a brace in the place of what stands before.
COVERED = 75
#: Levels of lists and dictionaries in a record. Any reader of JSON can take them.
MAX_DEPTH = 130

_BEGINNING = re.compile(rb'\{"hash":"([0-9a-f]{64})","prev":"([0-9a-f]{64})","seq":([1-9][0-9]{0,17}),')
_WRITTEN_HERE = ("hash", "prev", "seq", "healed", "version", "time")


class Link(t.NamedTuple):
    """What binds a record: its number, its own hash and that of the record before."""

    seq: int
    hash: str
    prev: str


def beginning(line: bytes) -> Link | None:
    """What *line* says that it is; its hash is not looked at."""
    match = _BEGINNING.match(line)
    return Link(int(match[3]), match[1].decode("ascii"), match[2].decode("ascii")) if match else None


def link(line: bytes) -> Link | None:
    """What *line* (without its newline) is, if it is a whole record by its own hash."""
    found = beginning(line)
    if found is None or hashlib.sha256(b"{" + line[COVERED:]).hexdigest() != found.hash:
        return None
    return found


def plain(value: t.Any, depth: int = MAX_DEPTH) -> t.Any:
    """*value* as something that JSON can carry and any reader can take, whatever it is."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        # Python refuses to write an integer of thousands of digits.
        return value if -(2**63) <= value < 2**63 else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if depth <= 0:
        return "[nested too deeply]"
    if isinstance(value, collections.abc.Mapping):
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, depth - 1) for item in value]
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def render(record: t.Mapping[str, t.Any], *, seq: int, prev: str, time: str, healed: dict[str, t.Any] | None) -> tuple[bytes, Link]:
    """*record* as a line with its newline, and what binds it. What this package writes itself is not taken from *record*."""
    rest = {str(key): plain(value) for key, value in record.items() if str(key) not in _WRITTEN_HERE}
    rest.update({"version": VERSION, "time": time})
    if healed is not None:
        rest["healed"] = healed
    covered = b'"prev":"%s","seq":%d,' % (prev.encode("ascii"), seq) + canonical(rest)[1:]
    found = Link(seq, hashlib.sha256(b"{" + covered).hexdigest(), prev)
    return b'{"hash":"%s",' % found.hash.encode("ascii") + covered + b"\n", found
