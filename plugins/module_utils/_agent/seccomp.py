# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A system call filter for validations that may read the files of others. PRIVATE.

Whoever has CAP_DAC_READ_SEARCH may also open any file of a mounted file system by its handle (open_by_handle_at), outside of
what is mounted for it too. And user 0 has a kernel keyring that no namespace hides. Both are closed here.
"""

from __future__ import annotations

import struct

_ALLOW, _EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
# open_by_handle_at, add_key, request_key, keyctl on the two machines that Codex exists for.
_CALLS = {0xC000003E: (304, 248, 249, 250), 0xC00000B7: (265, 217, 218, 219)}
_X32 = 0x40000000


def program() -> bytes:
    """The filter as bwrap takes it: an array of struct sock_filter. Any other kind of system call ends the program."""
    lines: list[tuple[int, int, int, int]] = [(_LOAD, 0, 0, 4)]
    for machine, calls in _CALLS.items():
        block = [(_LOAD, 0, 0, 0), (_AT_LEAST, len(calls) + 1, 0, _X32)]
        block += [(_EQUAL, len(calls) - place, 0, number) for place, number in enumerate(calls)]
        block += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _EPERM)]
        lines += [(_EQUAL, 0, len(block), machine), *block]
    lines.append((_RETURN, 0, 0, _KILL))
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def shell() -> str:
    """A line for /bin/sh that runs its arguments with the filter to be read on descriptor 3 and everything else as it was."""
    octal = "".join(f"\\{byte:03o}" for byte in program())
    return f"exec 4<&0; printf '{octal}' | {{ exec 3<&0 0<&4 4<&-; exec \"$@\"; }}"
