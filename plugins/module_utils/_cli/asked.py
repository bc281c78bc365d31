# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a command line asks for, and the short way for the ones that are asked most. PRIVATE."""

from __future__ import annotations

import os
import types
import typing as t

from .._errors import CodexOpsError
from .._version import VERSION

#: What was asked for, one attribute for each argument.
Asked = types.SimpleNamespace


class Usage(Exception):
    """The command line cannot be carried out, or was only a question.

    :arg status: 2 where something is wrong, 0 where help or the version was asked for.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def version(home: str | None) -> str:
    """What ``--version`` says.

    :arg home: The folder that this engine was installed in.
    """
    digest = os.path.basename(home or "").partition("-")[2]
    return f"codex-ops {VERSION}" + (f" ({digest})" if digest else "")


def check_prefix(prefix: str) -> None:
    """:raises CodexOpsError: ``prefix_invalid``."""
    if not prefix.startswith("/"):
        raise CodexOpsError(f"expected an absolute path, found {prefix!r}.", code="prefix_invalid", outcome="rejected", where="--prefix")


def plain(argv: t.Sequence[str], prefix: str, home: str | None) -> Asked | None:
    """What ``status`` with nothing but ``--json`` and ``--prefix`` asks for; ``None`` for everything else.

    Monitoring calls it often, and argparse takes longer than all of its work.

    :raises Usage: for the version.
    """
    if list(argv) == ["--version"]:
        raise Usage(version(home), 0)
    words, json = list(argv), False
    found = []
    while words:
        word = words.pop(0)
        if word == "--json":
            json = True
        elif word == "--prefix" and words and not words[0].startswith("-"):
            prefix = words.pop(0)
        else:
            found.append(word)
    if found != ["status"]:
        return None
    check_prefix(prefix)
    return Asked(part="status", json=json, prefix=prefix, version=version(home), home=home)
