# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one exception of the engine. PRIVATE: an implementation detail of the collection.

Whoever finds something wrong raises :class:`CodexOpsError`; the fronts turn it into a result in one place.
"""

from __future__ import annotations

import typing as t


class CodexOpsError(Exception):
    """Something a person has to know about.

    :arg message: What is wrong, and what was expected, in one or two sentences.
    :arg code: A stable, lower-case word for programs (for example ``slice_invalid``).
    :arg outcome: The outcome of the operation that this error ends, from the design's closed list.
    :arg hint: What to do about it.
    :arg where: The file, and the path in it, that is wrong.
    :arg details: More places, each a dictionary that can be written as JSON.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        outcome: str = "agent_error",
        hint: str | None = None,
        where: str | None = None,
        details: t.Sequence[dict[str, t.Any]] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.outcome = outcome
        self.hint = hint
        self.where = where
        self.details = list(details)

    def __str__(self) -> str:
        text = self.message if not self.where else f"{self.where}: {self.message}"
        return text if not self.hint else f"{text} {self.hint}"
