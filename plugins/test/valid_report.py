# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test day2.codex.valid_report."""

from __future__ import annotations

import math
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.module_utils._contract.document import problems, short
from ansible_collections.day2.codex.plugins.module_utils._contract.report import MAX_DEPTH, check_schema, known_schema, local_form
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.plugin_utils._plain import plain

# Schemas may be nested more deeply than reports, in their own words.
_SCHEMA_DEPTH = 200


def _is_json(value: t.Any) -> bool:
    """Whether *value* could have come out of JSON, and is nested no more deeply than a report may be."""
    depth, level = 0, [value]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return False
        below: list[t.Any] = []
        for part in level:
            if isinstance(part, dict):
                if not all(isinstance(key, str) for key in part):
                    return False
                below.extend(part.values())
            elif isinstance(part, list):
                below.extend(part)
            elif isinstance(part, float):
                if not math.isfinite(part):
                    return False
            elif part is not None and not isinstance(part, (str, int)):
                return False
        level = below
    return True


def valid_report(report: t.Any, schema: t.Any = "slice-report") -> bool:
    """Whether *report* fits *schema*.

    :raises AnsibleFilterError: where *schema* is none, or jsonschema is missing.
    """
    try:
        given = plain(schema, _SCHEMA_DEPTH)
        if isinstance(given, str):
            law = known_schema(given)
        elif isinstance(given, dict):
            law = check_schema(given)
        else:
            raise CodexOpsError(f"expected a schema, or the name of one, found {short(given)}.", code="schema_invalid", where="schema")
        found = plain(report, MAX_DEPTH)
        return isinstance(found, dict) and _is_json(found) and not problems(found, local_form(law), limit=1)
    except CodexOpsError as error:
        # The engine names the option of its modules.
        error.where = "schema" if error.where == "report_schema" else error.where
        raise AnsibleFilterError(f"day2.codex.valid_report: {error}") from None


class TestModule:
    """What Ansible asks for the test."""

    # Not one of pytest's.
    __test__ = False

    def tests(self) -> dict[str, t.Callable[..., bool]]:
        """The test, by name."""
        return {"valid_report": valid_report}
