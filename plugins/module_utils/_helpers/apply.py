# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The helper apply: applies a plan of codex-ops as root, after every question was asked again. PRIVATE."""

from __future__ import annotations

import json
import os
import typing as t

from .._errors import CodexOpsError
from . import start


def main(argv: t.Sequence[str]) -> int:
    """The helper's exit status: 0 when there is a result, whatever it says."""
    return start.main(_work, argv)


def _work() -> int:
    plan_id = start.identifier(start.PLAN)
    start.accounts()
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0)
    from .._operation import operate  # pylint: disable=import-outside-toplevel
    from .._options import Options, Order  # pylint: disable=import-outside-toplevel
    from .._result import failure  # pylint: disable=import-outside-toplevel

    try:
        result = operate(Options(prefix="/"), Order(plan=plan_id), helper=True)
    except CodexOpsError as error:
        result = failure(error, "slice")
    view = memoryview(json.dumps(result, ensure_ascii=True, default=str).encode("ascii") + b"\n")
    while view:
        view = view[os.write(1, view) :]
    return 0
