# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key of alerts, and their signature as Standard Webhooks has it. PRIVATE."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import stat
import typing as t

from .._errors import CodexOpsError

#: How a key begins, as that convention wants it.
PREFIX = "whsec_"
#: Bytes that a key has.
SHORTEST, LONGEST = 24, 64
_MAKE_ONE = "Make one with: printf 'whsec_%s\\n' \"$(openssl rand -base64 32)\""
_MAX_FILE = 4096


class Key(t.NamedTuple):
    """A key as it stands in its file, and its bytes. Neither is ever shown."""

    text: str
    raw: bytes

    def __repr__(self) -> str:
        return "Key(...)"

    def forms(self) -> tuple[str, ...]:
        """The texts that must not appear anywhere."""
        return (self.text, self.text[len(PREFIX) :], self.raw.hex())


def read(path: str, owners: t.Collection[int]) -> Key:
    """The key in the file *path*.

    A link is followed: it leads to a secret that the host decrypts into memory. Whoever made it may write its folder.

    :arg owners: The users to whom the file may belong.
    :raises CodexOpsError: ``alert_key_invalid``.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise _wrong(path, f"The key of alerts cannot be read: {error.strerror}.", f"Let the engine read it. {_MAKE_ONE}") from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise _wrong(path, "The key of alerts is not a regular file.", _MAKE_ONE)
        if found.st_uid not in owners:
            raise _wrong(path, f"The key of alerts belongs to user {found.st_uid}, expected {' or '.join(map(str, sorted(owners)))}.", "chown it.")
        if found.st_mode & 0o027:
            mode = f"{stat.S_IMODE(found.st_mode):04o}"
            raise _wrong(path, f"Others can read or write the key of alerts (mode {mode}).", "chmod 0640 it, and make another one: this one may be known.")
        data = os.read(handle, _MAX_FILE + 1)
    except OSError as error:
        raise _wrong(path, f"The key of alerts cannot be read: {error.strerror}.", _MAKE_ONE) from None
    finally:
        os.close(handle)
    return parse(data, path)


def parse(data: bytes, path: str) -> Key:
    """The key in *data*.

    :raises CodexOpsError: ``alert_key_invalid``. The message never holds a part of it.
    """
    try:
        text = data.decode("ascii").strip() if len(data) <= _MAX_FILE else ""
        raw = base64.b64decode(text[len(PREFIX) :], validate=True) if text.startswith(PREFIX) else b""
    except (UnicodeDecodeError, binascii.Error, ValueError):
        raw = b""
    if not SHORTEST <= len(raw) <= LONGEST:
        message = f"The key of alerts must be one line: {PREFIX} and {SHORTEST} to {LONGEST} bytes as base64."
        raise _wrong(path, message, _MAKE_ONE)
    return Key(text, raw)


def _wrong(path: str, message: str, hint: str) -> CodexOpsError:
    return CodexOpsError(message, code="alert_key_invalid", outcome="rejected", where=path, hint=hint)


def signed(key: Key, message: str, body: bytes, now: float) -> dict[str, str]:
    """The three headers of one attempt.

    :arg message: The ID of the message, the same however often it is sent.
    :arg now: Seconds since the epoch.
    """
    moment = str(int(now))
    digest = hmac.new(key.raw, b".".join((message.encode("ascii"), moment.encode("ascii"), body)), hashlib.sha256).digest()
    return {"webhook-id": message, "webhook-timestamp": moment, "webhook-signature": "v1," + base64.b64encode(digest).decode("ascii")}
