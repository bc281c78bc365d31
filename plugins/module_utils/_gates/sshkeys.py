# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SSH public keys and signatures as OpenSSH writes them, read strictly: one key has one form here. PRIVATE.

Forms: RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709, and OpenSSH's PROTOCOL.sshsig and PROTOCOL.u2f.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import re
import typing as t

#: Bits of an RSA key that is taken.
MIN_RSA_BITS = 2048
#: Characters of a signature that are read. One by a security key with a long application name has about 1,000.
MAX_SIGNATURE = 16 * 1024

_CURVES = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_ARMOR = re.compile(_BEGIN + r"\r?\n((?:[A-Za-z0-9+/=]{1,76}\r?\n)+)" + _END + r"(?:\r?\n)?")
_MAGIC = b"SSHSIG"


@dataclasses.dataclass(frozen=True)
class PublicKey:
    """One public key. ``text`` is its type and its base64; ``fingerprint`` is what ``ssh-keygen -l`` says.

    ``material`` is a digest of what makes the key secret alone, so that the same key in another wrapping is known again.
    """

    kind: str
    blob: bytes
    material: str

    @property
    def text(self) -> str:
        return f"{self.kind} {base64.b64encode(self.blob).decode('ascii')}"

    @property
    def fingerprint(self) -> str:
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii").rstrip("=")


@dataclasses.dataclass(frozen=True)
class Signature:
    """What a signature says of itself; nothing of it is verified. ``text`` is its only armoured form."""

    key: PublicKey
    namespace: str
    text: str


class _Reader:
    """The fields of a blob, one after the other."""

    def __init__(self, blob: bytes) -> None:
        self._blob = blob
        self._at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._blob) - self._at:
            raise ValueError("it is cut off")
        self._at += count
        return self._blob[self._at - count : self._at]

    def string(self) -> bytes:
        return self.take(int.from_bytes(self.take(4), "big"))

    def number(self) -> int:
        """A positive integer in its shortest form."""
        raw = self.string()
        if not raw or raw[0] & 0x80 or (raw[0] == 0 and (len(raw) == 1 or not raw[1] & 0x80)):
            raise ValueError("a number in it is not in its shortest form")
        return int.from_bytes(raw, "big")

    def end(self) -> None:
        if self._at != len(self._blob):
            raise ValueError("something follows it")


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise ValueError("it is not base64") from None
    if base64.b64encode(raw).decode("ascii") != text:
        raise ValueError("its base64 is not in its usual form")
    return raw


def read_blob(blob: bytes) -> PublicKey:
    """The key in *blob*.

    :raises ValueError: in words that go on after the name of the key: an unknown type, a certificate, a weak or a damaged key.
    """
    fields = _Reader(blob)
    kind = fields.string().decode("ascii", "replace")
    material: bytes
    if kind in ("ssh-ed25519", "sk-ssh-ed25519@openssh.com"):
        material = fields.string()
        if len(material) != 32:
            raise ValueError("it is damaged")
    elif kind.startswith("ecdsa-sha2-") or kind == "sk-ecdsa-sha2-nistp256@openssh.com":
        curve = fields.string().decode("ascii", "replace")
        material = fields.string()
        named = "nistp256" if kind.startswith("sk-") else kind[len("ecdsa-sha2-") :]
        if curve != named or _CURVES.get(curve) != len(material) or material[0] != 4:
            raise ValueError("it is damaged, or of an unknown kind")
    elif kind == "ssh-rsa":
        fields.number()
        modulus = fields.number()
        if modulus.bit_length() < MIN_RSA_BITS:
            raise ValueError(f"it is an RSA key of {modulus.bit_length()} bits; at least {MIN_RSA_BITS} are wanted")
        material = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    elif "-cert-" in kind:
        raise ValueError("it is a certificate; only plain keys are taken")
    else:
        raise ValueError(f"keys of the type {kind[:40]!r} are not taken")
    if kind.startswith("sk-"):
        fields.string()
    fields.end()
    return PublicKey(kind, blob, hashlib.sha256(material).hexdigest())


def read_key(kind: str, text: str) -> PublicKey:
    """The key that stands in a file as *kind* and base64 *text*.

    :raises ValueError: as :func:`read_blob`.
    """
    key = read_blob(_decoded(text))
    if key.kind != kind:
        raise ValueError(f"it is called {kind[:40]!r}, but it is of the type {key.kind!r}")
    return key


def read_signature(text: t.Any) -> Signature:
    """The signature in *text*, which must be that and nothing else.

    :raises ValueError: in words that go on after "the signature".
    """
    if not isinstance(text, str) or len(text) > MAX_SIGNATURE:
        raise ValueError(f"it is longer than {MAX_SIGNATURE} characters" if isinstance(text, str) else "it is not a text")
    found = _ARMOR.fullmatch(text.strip(" \t\r\n") + "\n")
    if found is None:
        raise ValueError(f"it must begin with {_BEGIN}, end with {_END} and have nothing around it")
    blob = _decoded(re.sub(r"\s", "", found.group(1)))
    fields = _Reader(blob)
    if fields.take(6) != _MAGIC or int.from_bytes(fields.take(4), "big") != 1:
        raise ValueError("it is not a signature that ssh-keygen -Y sign makes")
    key = read_blob(fields.string())
    namespace = fields.string().decode("utf-8", "replace")
    if fields.string():
        raise ValueError("a field that must be empty is not")
    if fields.string() not in (b"sha256", b"sha512"):
        raise ValueError("its hash algorithm is unknown")
    fields.string()
    fields.end()
    body = base64.b64encode(blob).decode("ascii")
    lines = [body[at : at + 70] for at in range(0, len(body), 70)]
    return Signature(key, namespace, "\n".join([_BEGIN, *lines, _END, ""]))
