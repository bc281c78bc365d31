# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signs a statement on the controller with a person's SSH key. PRIVATE."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates.signers import NAMESPACE
from ansible_collections.day2.codex.plugins.module_utils._workspace.escape import escape

#: Seconds for a signature. A security key waits that long to be touched.
TIMEOUT = 60.0

_KEPT = ("HOME", "LOGNAME", "PATH", "SSH_AUTH_SOCK", "SSH_SK_PROVIDER", "USER", "XDG_RUNTIME_DIR")


def _wrong(message: str, where: str, hint: str | None = None) -> CodexOpsError:
    return CodexOpsError(message, code="signing_failed", outcome="rejected", where=where, hint=hint)


def sign(statement: str, key: str) -> str:
    """The signature of exactly *statement* by the key in the file *key*, or by an agent that holds the key of the public file *key*.

    Nobody is asked for a passphrase: there may be nobody.

    :raises CodexOpsError: ``signing_failed``.
    """
    try:
        found = os.stat(key)
    except OSError as error:
        raise _wrong(f"The signing key cannot be read: {error.strerror}.", key, "It is a file on the controller.") from None
    if not stat.S_ISREG(found.st_mode):
        raise _wrong("The signing key is not a file.", key)
    program = shutil.which("ssh-keygen")
    if program is None:
        raise _wrong("ssh-keygen is missing on the controller.", key, "Install OpenSSH's client (8.1 or newer).")
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # Without a terminal, a display or a helper, ssh-keygen does not wait for an answer.
    environment.update(LC_ALL="C", SSH_ASKPASS="/bin/false", SSH_ASKPASS_REQUIRE="never")
    try:
        done = subprocess.run(
            [program, "-Y", "sign", "-n", NAMESPACE, "-f", os.path.abspath(key)],
            input=statement.encode("ascii"),
            env=environment,
            capture_output=True,
            timeout=TIMEOUT,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _wrong(f"ssh-keygen gave no signature within {TIMEOUT:.0f} s.", key, "A security key may be waiting to be touched.") from None
    except OSError as error:
        raise _wrong(f"ssh-keygen cannot be run: {error.strerror}.", key) from None
    if done.returncode == 0 and done.stdout:
        return done.stdout.decode("ascii", "replace")
    said = escape(" ".join(done.stderr.decode("utf-8", "replace").split()))
    raise _explained(said, key)


def _explained(said: str, key: str) -> CodexOpsError:
    low = said.lower()
    if "permissions" in low or "unprotected" in low:
        return _wrong("Others can read this private key, so ssh-keygen does not use it.", key, "Take the rights of the others away (chmod 600).")
    if "passphrase" in low or "agent" in low or "no private key" in low or (key.endswith(".pub") and ("invalid format" in low or "load key" in low)):
        return _wrong(
            "The key needs a passphrase, or only its public part is here, and no SSH agent offers it.",
            key,
            f"Add it to an agent (ssh-add) that SSH_AUTH_SOCK names, and run this again; or sign elsewhere and give statement and signature. "
            f"ssh-keygen says: {said[-200:]}",
        )
    return _wrong(f"ssh-keygen could not sign: {said[-300:] or 'it says nothing'}", key)
