# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes secrets out of text that leaves the engine. PRIVATE.

Every door uses this one room: transcript, report, record, result, patch check. A text is read once; what was found, by whatever
means, is put together and replaced in one go, so that no replacement is read again.
"""

from __future__ import annotations

import hashlib
import os
import typing as t

from . import assignments, commands, encoded, formats, headers
from .formats import compiled

#: Known values shorter than this are not masked by value: they would blot out ordinary words.
MIN_KNOWN = 6
#: Data nested more deeply than this is cut: an agent may write thousands of brackets.
MAX_DEPTH = 120
#: Bytes that a stream is read in, and how much of them is held back for what may begin there.
CHUNK = 1024 * 1024
CARRY = 128 * 1024
#: How much of what was written already is looked at again, for the names before values.
_CONTEXT = 1024

# One key for the life of the process: equal values stay equal within a run, and nobody can look a short digest up.
_KEY = os.urandom(16)

_MARKER = r"\[redacted:[a-z_]{1,40}:[0-9a-f]{4}\]"
#: start, end, kind, what the digest is made from (``None``: the text itself)
_Mask = tuple[int, int, str, t.Optional[str]]
# Where findings overlap, the most telling kind names the whole.
_GENERAL = frozenset(("password", "secret", "token", "key", "authorization", "cookie", "basic_auth", "connection_string", "api_key"))


def marker(kind: str, value: str, key: bytes | None = None) -> str:
    """The text that stands for a redacted value: ``[redacted:KIND:4f2a]``, the last part a short keyed digest."""
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), key=(key or _KEY)[:64], digest_size=2)
    return f"[redacted:{kind}:{digest.hexdigest()}]"


def _lower(text: str) -> str:
    """*text* in lower case with every character in its place: one capital becomes two characters otherwise."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text.replace("\u0130", "i").lower()


def _merge(masks: list[_Mask]) -> list[_Mask]:
    """*masks* in order, those that overlap made one."""
    masks.sort(key=lambda mask: (mask[0], -mask[1]))
    merged: list[_Mask] = []
    for mask in masks:
        if not merged or mask[0] >= merged[-1][1]:
            merged.append(mask)
            continue
        start, end, kind, value = merged[-1]
        if mask[1] > end:
            end, value = mask[1], None
        elif (mask[0], mask[1]) != (start, end):
            # The larger one holds more than the known value.
            mask = (*mask[:3], None) if value is None else mask
        if kind in _GENERAL and mask[2] not in _GENERAL or mask[2] == "known_value":
            kind, value = mask[2], mask[3] if (mask[0], mask[1]) == (start, end) else None
        merged[-1] = (start, end, kind, value)
    return merged


def _found(text: str) -> t.Iterator[assignments.Found]:
    for start, end, kind in formats.find(text):
        yield start, end, kind, True
    for start, end, kind in encoded.find(text):
        yield start, end, kind, True
    lower = _lower(text)
    yield from headers.find(text, lower)
    yield from commands.find(text, lower)
    yield from assignments.find(text, lower)


def find_secrets(text: str) -> list[tuple[str, int, str]]:
    """What is surely a secret in *text*, as (kind, offset, secret): tokens of a known format, and values behind telling names that look random."""
    return _certain(text, ())


def _certain(text: str, known: t.Iterable[_Mask]) -> list[tuple[str, int, str]]:
    masks = _merge([*known, *((start, end, kind, None) for start, end, kind, certain in _found(text) if certain)])
    return [(kind, start, text[start:end]) for start, end, kind, _value in masks]


def find_markers(text: str) -> list[tuple[str, int]]:
    """What this room once put in the place of a secret, as (marker, offset)."""
    if "[redacted:" not in text:
        return []
    return [(match.group(), match.start()) for match in compiled(_MARKER).finditer(text)]


def _forms(value: str) -> t.Iterator[str]:
    """The ways in which *value* is commonly written: as it is, in JSON, in a URL, hexadecimal, base64 at any offset."""
    import base64  # pylint: disable=import-outside-toplevel
    import json  # pylint: disable=import-outside-toplevel
    import urllib.parse  # pylint: disable=import-outside-toplevel

    raw = value.encode("utf-8", "surrogatepass")
    yield value
    once = json.dumps(value)[1:-1]
    yield once
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield json.dumps(once)[1:-1]
    yield urllib.parse.quote(raw, safe="")
    yield urllib.parse.quote(raw)
    yield urllib.parse.quote_plus(raw)
    yield raw.hex()
    yield raw.hex().upper()
    for offset in range(3):
        # The characters that hold bits of nothing but the value, wherever it begins in a group of three bytes.
        padded = b"\0" * offset + raw
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded).decode("ascii")[(offset * 8 + 5) // 6 : len(padded) * 8 // 6]


class Redactor:
    """Masks known values (also base64, hexadecimal and URL-encoded), the common token formats, and values behind telling names.

    :arg known: Exact secret values, such as the provider's key.
    :arg personal: Kinds of personal data to mask too, of :data:`personal.PERSONAL`.
    :arg key: Key of the digests in the markers (at least one byte). Without it they are equal within this process only.
    :raises ValueError: for an unknown kind of personal data.
    """

    def __init__(self, known: t.Iterable[str] = (), personal: t.Iterable[str] = (), key: bytes | None = None) -> None:
        forms: dict[str, str] = {}
        for value in known:
            for secret in (value, value.strip()):
                if len(secret) >= MIN_KNOWN:
                    forms.update((form, value.strip()) for form in _forms(secret) if len(form) >= MIN_KNOWN)
        self._forms = forms
        self._key = key
        self._personal = tuple(sorted(set(personal)))
        if self._personal:
            from .personal import PERSONAL  # pylint: disable=import-outside-toplevel

            unknown = [kind for kind in self._personal if kind not in PERSONAL]
            if unknown:
                raise ValueError(f"unknown kind of personal data {unknown[0]!r}: expected {', '.join(PERSONAL)}")

    def _known(self, text: str) -> t.Iterator[_Mask]:
        for form, value in self._forms.items():
            at = text.find(form)
            while at >= 0:
                yield at, at + len(form), "known_value", value
                at = text.find(form, at + len(form))

    def find(self, text: str) -> list[tuple[str, int, str]]:
        """What :func:`find_secrets` finds in *text*, and the known values in all of their forms."""
        return _certain(text, self._known(text))

    def secrets(self, text: str) -> list[str]:
        """All that :meth:`text` would mask in *text*."""
        return [text[start:end] for start, end, _kind, _value in self._masks(text)]

    def _masks(self, text: str) -> list[_Mask]:
        masks = list(self._known(text))
        masks.extend((start, end, kind, None) for start, end, kind, _certain in _found(text))
        if self._personal:
            from .personal import find  # pylint: disable=import-outside-toplevel

            masks.extend((start, end, kind, None) for start, end, kind in find(text, self._personal))
        merged = _merge(masks)
        markers = find_markers(text)
        return _outside(merged, markers) if markers else merged

    def mark(self, kind: str, value: str) -> str:
        """The marker of *value*, made with this redactor's key."""
        return marker(kind, value, self._key)

    def text(self, text: str) -> str:
        """*text* with every secret replaced by its marker. Doing it twice changes nothing."""
        if len(text) < 5:
            return text
        masks = self._masks(text)
        return self._cut(text, masks, 0, len(text)) if masks else text

    def lines(self, text: str) -> list[str]:
        """The lines of *text*, each with those secrets masked that stand within it, whatever line gives them away."""
        masks = [mask for mask in self._masks(text) if "\n" not in text[mask[0] : mask[1]]]
        return self._cut(text, masks, 0, len(text)).split("\n")

    def _cut(self, text: str, masks: t.Iterable[_Mask], begin: int, end: int) -> str:
        pieces, done = [], begin
        for start, stop, kind, value in masks:
            if stop <= begin or start >= end:
                continue
            start = max(start, begin)
            pieces.append(text[done:start])
            pieces.append(self.mark(kind, text[start:stop] if value is None else value))
            done = stop
        pieces.append(text[done:end])
        return "".join(pieces)

    def data(self, value: t.Any) -> t.Any:
        """A copy of a JSON-like *value* with every string in it, keys included, redacted; cut where it is nested too deeply.

        What stands under a telling name is masked with it: texts and numbers, also in lists and dictionaries.
        """
        from .values import redacted  # pylint: disable=import-outside-toplevel

        return redacted(self, value, MAX_DEPTH)

    def under(self, name: str, value: t.Any) -> t.Any:
        """:meth:`data` of *value*, which is kept under *name*."""
        return self.data({name: value})[self.text(name)]


def _outside(masks: list[_Mask], markers: list[tuple[str, int]]) -> list[_Mask]:
    """*masks* without those that hold nothing but a part of a marker."""
    import bisect  # pylint: disable=import-outside-toplevel

    starts = [offset for _text, offset in markers]
    kept = []
    for mask in masks:
        before = bisect.bisect_right(starts, mask[0]) - 1
        if before >= 0 and mask[1] <= starts[before] + len(markers[before][0]):
            continue
        kept.append(mask)
    return kept


def redact_stream(redactor: Redactor, read: t.Callable[[int], bytes], write: t.Callable[[bytes], t.Any]) -> None:
    """Redact what *read* (of a binary file, say) gives, in bounded memory, and hand it to *write*. Secrets over borders are found.

    Bytes that are no UTF-8 pass as they are.
    """
    import codecs  # pylint: disable=import-outside-toplevel

    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text, begin, final = "", 0, False
    while not final:
        chunk = read(CHUNK)
        final = not chunk
        text += decoder.decode(chunk, final)
        if not final and len(text) - begin < CARRY + CHUNK // 2:
            continue
        masks = redactor._masks(text)
        cut = len(text) if final else _border(text, masks, begin)
        if cut > begin:
            write(redactor._cut(text, masks, begin, cut).encode("utf-8", "surrogateescape"))
            drop = max(0, cut - _CONTEXT)
            text, begin = text[drop:], cut - drop


def _border(text: str, masks: t.Sequence[_Mask], begin: int) -> int:
    """Where *text* may be cut: behind a line if there is one, in no secret, and far enough from the end for all that begins before."""
    limit = len(text) - CARRY
    line = text.rfind("\n", begin, limit) + 1
    cut = line if line > begin else limit
    for start, stop, _kind, _value in masks:
        if start < cut < stop:
            return max(start, begin)
    return cut
