# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In data, a telling name covers all that stands under it or beside it, and nothing that only describes it."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.filter.redact import FilterModule
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor
from ansible_collections.day2.codex.plugins.plugin_utils._audit_plain import Plain

#: The three that walk through data.
WALKS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "room": Redactor().data,
    "filter": FilterModule().filters()["redact"],
    "callback": lambda value: Plain(Redactor()).data(value),
}
HIDDEN = [
    {"password": 12345678},
    {"passcode": 1234},
    {"pin_secret": 98765.25},
    {"db_password": ["Tr0ub4dor"]},
    {"db_password": [["x", "Tr0ub4dor"], 123456]},
    {"passwords": ["Tr0ub4dor"]},
    {"password": {"value": "Tr0ub4dor"}},
    {"password": {"value": 12345678}},
    {"password": {"root": {"new": ["Tr0ub4dor"]}}},
    {"api_key": {"current": "Tr0ub4dorXY12"}},
    {"client_secret": ["Tr0ub4dorXY12"]},
]
PAIRS = [
    {"path": "/etc/app.ini", "section": "db", "option": "db_password", "value": "Tr0ub4dor"},
    {"name": "mysql-server", "question": "mysql-server/root_password", "value": "Tr0ub4dor", "vtype": "password"},
    {"key": "DB_PASSWORD", "value": "Tr0ub4dor"},
    {"xpath": "/config/password", "value": "Tr0ub4dor"},
    {"xpath": "/config/user[@id='1']/password/text()", "value": "Tr0ub4dor"},
    {"xpath": "/config/user/@password", "value": "Tr0ub4dor"},
    {"variable": "smtp_password", "value": "Tr0ub4dor"},
    {"property": "spring.datasource.password", "value": "Tr0ub4dor"},
    {"name": "DB_PASSWORD", "value": 12345678},
    {"value": "Tr0ub4dor", "option": "db_password"},
]
PLAIN: list[t.Any] = [
    {"token": 5, "tokens": 4096, "max_tokens": 4096, "total_tokens": 123456, "input_tokens": 99999},
    {"password_min_length": 12345, "password": {"min_length": 1234, "required": True, "type": "str", "description": "Who opens the door."}},
    {"password": True, "secret": None, "client_secret": False, "passcode": 12},
    {"password": {"secretKeyRef": {"name": "inbox-database", "key": "password"}}},
    {"password": [], "secret": {}},
    {"name": "inbox", "value": "Tr0ub4dor-of-the-inbox"},
    {"option": "password_file", "value": "/run/secrets/db"},
    {"key": "app", "value": 12345678},
    {"token": {"scopes": ["read_only"], "user": "john.smith", "expires": 1700000000}},
]


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
@pytest.mark.parametrize("value", [*HIDDEN, *PAIRS], ids=str)
def test_what_stands_under_a_telling_name_is_masked(walk: t.Callable[[t.Any], t.Any], value: t.Any) -> None:
    shown = json.dumps(walk({"before": [value]}))
    assert "[redacted:" in shown
    assert not any(part in shown for part in ("Tr0ub4dor", "123456", "98765", "1234"))


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS)
@pytest.mark.parametrize("value", PLAIN, ids=str)
def test_what_describes_a_secret_or_counts_stays(walk: t.Callable[[t.Any], t.Any], value: t.Any) -> None:
    assert walk(value) == value
