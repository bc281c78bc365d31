# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module returns."""

from __future__ import annotations

import json

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._outcomes import ALL, DONE, FAILED, QUIET, WAITING
from ansible_collections.day2.codex.plugins.module_utils._result import failure, finished


def test_the_diff_is_shown_only_when_asked_for_and_there_is_one() -> None:
    assert "diff" not in finished({"patch": "x"})
    assert "diff" not in finished({"patch": ""}, diff=True)
    assert finished({"patch": "x"}, diff=True) == {"patch": "x", "diff": {"prepared": "x"}}


def test_a_failure_says_what_where_and_what_to_do() -> None:
    error = CodexOpsError("It is wrong.", code="slice_invalid", outcome="rejected", where="slice.yml", hint="Mend it.", details=[{"a": 1}])
    result = failure(error, "slice")
    assert (result["failed"], result["changed"], result["outcome"], result["code"]) == (True, False, "rejected", "slice_invalid")
    assert result["msg"] == "slice.yml: It is wrong. Mend it."
    json.dumps(result)


def test_every_outcome_is_of_exactly_one_kind() -> None:
    assert len(ALL) == len(QUIET) + len(WAITING) + len(DONE) + len(FAILED) == 22
