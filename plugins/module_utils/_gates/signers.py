# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may sign: the host's allowed_signers, read strictly, and signatures held against it by ssh-keygen. PRIVATE.

The file is OpenSSH's (ssh-keygen(1), ALLOWED SIGNERS), but only lines that name exactly one person and one key, and nothing else.
What ssh-keygen gets is never the file itself but one line made anew from what was read here.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import shutil
import stat
import tempfile
import typing as t

from .._errors import CodexOpsError
from . import sshkeys

#: What every signature is made for: one that was made for anything else (git, files) is none here.
NAMESPACE = "codex-ops-approval"
#: Bytes of allowed_signers, or of the revoked keys, that are read.
MAX_FILE = 1024 * 1024
#: Seconds that ssh-keygen may take.
TIMEOUT = 20.0
#: A name as allowed_signers and statements have it: no pattern, no list, no option.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")

_OPTION = f'namespaces="{NAMESPACE}"'
_KRL = b"SSHKRL\n\0"


@dataclasses.dataclass(frozen=True)
class Signer:
    """One person's key. ``line`` is where it stands, from 1."""

    name: str
    key: sshkeys.PublicKey
    line: int


def _closed(message: str, code: str, where: str, hint: str) -> CodexOpsError:
    return CodexOpsError(message, code=code, outcome="forbidden", where=where, hint=hint)


def _read(path: str, owners: t.Collection[int], what: str, code: str) -> bytes | None:
    """The content of a file that nobody but *owners* can have written; ``None`` where there is none."""
    hint = "It must be a plain file of root's (under a prefix of your own: yours), writable by nobody else."
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _closed(f"The {what} cannot be opened: {error.strerror}.", code, path, hint) from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise _closed(f"The {what} is not a plain file.", code, path, hint)
        if found.st_uid not in owners:
            raise _closed(f"The {what} belongs to user {found.st_uid}.", code, path, hint)
        if found.st_mode & 0o022:
            raise _closed(f"Others can write the {what} (mode {stat.S_IMODE(found.st_mode):04o}).", code, path, hint)
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise _closed(f"The {what} cannot be read: {error.strerror}.", code, path, hint) from None
    finally:
        os.close(handle)
    if len(content) > MAX_FILE:
        raise _closed(f"The {what} is larger than {MAX_FILE} bytes.", code, path, "Remove what is not needed.")
    return content


def load(path: str, owners: t.Collection[int]) -> list[Signer]:
    """Everybody who may sign. One wrong line closes the whole file: nobody can tell what it was to mean.

    :arg owners: The user IDs that the file may belong to.
    :raises CodexOpsError: ``signers_missing``, ``signers_unsafe`` or ``signers_invalid``, outcome ``forbidden``.
    """
    content = _read(path, owners, "list of signers", "signers_unsafe")
    if content is None:
        raise _closed(
            "There is no list of signers on this host, so nobody can approve anything.",
            "signers_missing",
            path,
            f"Write one line for each person: NAME {_OPTION} KEYTYPE BASE64",
        )
    return parse(content, path)


def parse(content: bytes, where: str) -> list[Signer]:
    """The signers in *content*.

    :raises CodexOpsError: ``signers_invalid``, naming the line.
    """
    found: list[Signer] = []
    owner_of: dict[str, Signer] = {}
    for number, raw in enumerate(content.split(b"\n"), 1):
        try:
            signer = _signer(raw, number)
            if signer is None:
                continue
            other = owner_of.setdefault(signer.key.material, signer)
            if other is not signer:
                if other.name != signer.name:
                    raise ValueError(f"the key of {signer.name} is also that of {other.name} in line {other.line}. One key is one person's")
                raise ValueError(f"this key of {signer.name} stands in line {other.line} already")
        except ValueError as error:
            raise _closed(
                f"Line {number} is not taken: {error}.", "signers_invalid", where, f"Each line is: NAME {_OPTION} KEYTYPE BASE64 [COMMENT]"
            ) from None
        found.append(signer)
    return found


def _signer(raw: bytes, number: int) -> Signer | None:
    try:
        text = raw.decode("utf-8").strip(" \t\r")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    if not text or text.startswith("#"):
        return None
    if "\0" in text or not text.replace("\t", " ").isprintable():
        raise ValueError("it holds characters that cannot be seen")
    parts = re.split(r"[ \t]+", text, maxsplit=3)
    name = parts[0]
    if not NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is not one plain name. Patterns, negations, lists and quotes are not taken")
    if len(parts) < 4 or parts[1] != _OPTION:
        if "cert-authority" in text:
            raise ValueError("a certificate authority is not taken")
        raise ValueError(f"after the name, {_OPTION} is expected and no other option")
    try:
        return Signer(name, sshkeys.read_key(parts[2], re.split(r"[ \t]+", parts[3], maxsplit=1)[0]), number)
    except ValueError as error:
        raise ValueError(f"the key of {name} is not taken, since {error}") from None


def revoked(path: str | None, owners: t.Collection[int]) -> bytes | None:
    """The revoked keys: OpenSSH's binary list (KRL), or public keys, one in a line. ``None`` where there is no such file.

    :raises CodexOpsError: ``revoked_unsafe`` or ``revoked_invalid``, outcome ``forbidden``: ssh-keygen would pass over a line that
        it cannot read, and the key on it would be as good as before.
    """
    content = _read(path, owners, "list of revoked keys", "revoked_unsafe") if path else None
    if content is None or content.startswith(_KRL):
        return content
    for number, raw in enumerate(content.split(b"\n"), 1):
        text = raw.decode("utf-8", "replace").strip(" \t\r")
        if not text or text.startswith("#"):
            continue
        parts = re.split(r"[ \t]+", text)
        try:
            if len(parts) < 2:
                raise ValueError("a type and base64 are expected")
            sshkeys.read_key(parts[0], parts[1])
        except ValueError as error:
            raise _closed(
                f"Line {number} is not taken: {error}.", "revoked_invalid", str(path), "Each line is a public key, as in a .pub file, or the file is a KRL."
            ) from None
    return content


def verify(
    message: bytes,
    signature: t.Any,
    name: str,
    *,
    signers: str,
    revoked_keys: str | None,
    owners: t.Collection[int],
    scratch: str | None = None,
) -> Signer:
    """The signer *name*, whose key made *signature* over exactly *message*.

    :arg signers: The path of allowed_signers.
    :arg revoked_keys: The path of the revoked keys, which need not exist.
    :arg scratch: The folder to make a short-lived, private folder in. Default is the system's place for such.
    :raises CodexOpsError: outcome ``forbidden``: ``signature_invalid``, ``namespace_wrong``, ``signer_unknown``, ``signer_mismatch``,
        ``key_revoked``, ``ssh_keygen_missing``, ``disk_full``, ``verification_failed``, and what :func:`load` and :func:`revoked` raise.
    """
    known = load(signers, owners)
    withdrawn = revoked(revoked_keys, owners)
    try:
        read = sshkeys.read_signature(signature)
    except ValueError as error:
        raise CodexOpsError(
            f"The signature is not taken: {error}.",
            code="signature_invalid",
            outcome="forbidden",
            hint=f"Sign with: ssh-keygen -Y sign -n {NAMESPACE} -f KEY",
        ) from None
    if read.namespace != NAMESPACE:
        raise CodexOpsError(
            f"The signature was made for {read.namespace[:80]!r}, not for {NAMESPACE!r}.", code="namespace_wrong", outcome="forbidden"
        )
    signer = next((each for each in known if each.key.blob == read.key.blob), None)
    if signer is None:
        raise CodexOpsError(
            f"The key {read.key.fingerprint} is nobody's in the list of signers.",
            code="signer_unknown",
            outcome="forbidden",
            where=signers,
            hint="Whoever administers the host adds the key there, or signs with a key that is there.",
        )
    if signer.name != name:
        raise CodexOpsError(
            f"The key {read.key.fingerprint} is that of {signer.name}, not of {name[:80]}.", code="signer_mismatch", outcome="forbidden", where=signers
        )
    said = _ask(message, read, signer, withdrawn, scratch)
    if said is None:
        return signer
    if withdrawn is not None and _ask(message, read, signer, None, scratch) is None:
        # ssh-keygen does not tell why; without the list it would have been good.
        raise CodexOpsError(
            f"The key {read.key.fingerprint} of {name} is revoked.",
            code="key_revoked",
            outcome="forbidden",
            where=str(revoked_keys),
            hint="If it should not be, see whether ssh-keygen can read this list (ssh-keygen -Q -l -f FILE).",
        )
    raise CodexOpsError(
        f"The signature is not that of {name} over this statement.",
        code="signature_invalid",
        outcome="forbidden",
        hint="The statement must be signed as it is, byte for byte.",
    )


def _ask(message: bytes, signature: sshkeys.Signature, signer: Signer, withdrawn: bytes | None, scratch: str | None) -> str | None:
    """What ssh-keygen has against *signature*; ``None`` when it is good."""
    import subprocess  # only needed when there is something to verify

    program = shutil.which("ssh-keygen", path="/usr/bin:/bin:/usr/local/bin")
    if program is None:
        raise CodexOpsError(
            "ssh-keygen is missing on this host; signatures are verified by it.",
            code="ssh_keygen_missing",
            outcome="forbidden",
            hint="Install OpenSSH's client (8.1 or newer).",
        )
    try:
        with tempfile.TemporaryDirectory(prefix="codex-ops-verify-", dir=scratch) as folder:
            files = {"signers": f"{signer.name} {_OPTION} {signer.key.text}\n".encode("ascii"), "signature": signature.text.encode("ascii")}
            if withdrawn is not None:
                files["revoked"] = withdrawn
            for file_name, content in files.items():
                with open(os.path.join(folder, file_name), "xb") as file:
                    file.write(content)
            argv = [program, "-Y", "verify", "-n", NAMESPACE, "-I", signer.name, "-f", "signers", "-s", "signature"]
            if withdrawn is not None:
                argv += ["-r", "revoked"]
            done = subprocess.run(
                argv,
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": folder},
                input=message,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
    except subprocess.TimeoutExpired:
        return "ssh-keygen did not answer"
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise CodexOpsError(
            f"The signature cannot be verified: {error.strerror}.",
            code="disk_full" if full else "verification_failed",
            outcome="forbidden",
            where=str(error.filename or scratch),
            hint="Make room and try again." if full else None,
        ) from None
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    if done.returncode == 0 and said.startswith(f'Good "{NAMESPACE}" signature for {signer.name} with '):
        return None
    return said or f"exit code {done.returncode}"
