# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter takes secrets out, leaves the rest, and refuses bad options in words that hold no secret."""

from __future__ import annotations

import collections
import json
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.filter.redact import FilterModule

redact = FilterModule().filters()["redact"]
TOKEN = "ghp_" + "a1B2" * 9


def test_data_keeps_its_shape_and_loses_its_secrets() -> None:
    data = {"a": [f"got {TOKEN}", 1, 2.5, None, True], "password": "correct-Horse7", TOKEN: {"deep": (TOKEN,)}}
    shown = redact(data)
    assert TOKEN not in json.dumps(shown) and "Horse7" not in json.dumps(shown)
    assert shown["a"][1:] == [1, 2.5, None, True]
    assert shown["a"][0].startswith("got [redacted:github_token:")
    assert [type(item) for item in shown.values()] == [list, str, dict]
    assert data["a"][0] == f"got {TOKEN}", "what was given stays as it is"


@pytest.mark.parametrize("data", [None, 7, True, "", "nothing to see", [], {}, {"a": [1, "b"]}])
def test_what_holds_no_secret_comes_back_equal(data: t.Any) -> None:
    shown = redact(data)
    assert shown == data and type(shown) is type(data)


def test_known_values_go_whatever_they_look_like() -> None:
    assert "plain words" not in redact("these are plain words here", known=["plain words", "", None])
    assert "31337042" not in redact("number 31337042", known=[31337042])


@pytest.mark.parametrize(("personal", "left"), [(None, 2), (False, 2), ([], 2), (["email"], 1), (True, 0)])
def test_personal_data_goes_only_on_request(personal: t.Any, left: int) -> None:
    shown = redact("bob@example.com from 192.0.2.7", personal=personal)
    assert ("bob@example.com" in shown) + ("192.0.2.7" in shown) == left


def test_a_key_makes_marks_that_are_the_same_in_every_run() -> None:
    # Written down once: a change of the digest would separate old marks from new ones.
    assert redact(TOKEN, key="a key") == redact([TOKEN], key="a key")[0] == "[redacted:github_token:5c78]"
    assert redact(TOKEN, key="a key") != redact(TOKEN, key="another key")
    assert redact(TOKEN, key="k" * 64 + "1") != redact(TOKEN, key="k" * 64 + "2"), "all of a key counts"


def test_without_a_key_equal_secrets_are_equal_in_one_run() -> None:
    assert redact(TOKEN) == redact({"x": TOKEN})["x"]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"known": "one-string-9"}, "known: expected a list"),
        ({"known": {"a": "dictionary"}}, "known: expected a list"),
        ({"known": 5}, "known: expected a list"),
        ({"known": ["long enough", "sh0rt"]}, "known[1]: it is too short"),
        ({"known": [["nested-value"]]}, "known[0]: expected a text"),
        ({"personal": ["email", "shoe size"]}, "personal: expected true, or a list of kinds. The kinds are: card, email, iban, ip, phone."),
        ({"personal": "email"}, "personal: expected true"),
        ({"personal": [["email"]]}, "personal: expected true"),
        ({"key": ""}, "key: expected a text"),
        ({"key": 5}, "key: expected a text"),
    ],
)
def test_a_bad_option_is_named_and_its_value_is_not_shown(options: dict[str, t.Any], part: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        redact("x", **options)
    message = str(caught.value)
    assert message.startswith(f"day2.codex.redact: {part}")
    for value in ("one-string-9", "sh0rt", "nested-value"):
        assert value not in message


class Mapping(collections.UserDict[str, t.Any]):
    """A mapping that is no dictionary, as the variables of a host are."""


class Vaulted:
    """What older versions of Ansible hand over for a vaulted variable."""

    __ENCRYPTED__ = True

    def __str__(self) -> str:
        return TOKEN


def test_mappings_sets_bytes_and_vaulted_values_are_looked_into() -> None:
    shown = redact({"m": Mapping(x=TOKEN), "s": {TOKEN}, "b": TOKEN.encode(), "v": [Vaulted()]})
    assert TOKEN not in repr(shown)
    assert str(shown).count("[redacted:github_token:") == 4
    assert [type(shown[key]) for key in "msb"] == [dict, list, str]


def test_data_nested_without_end_is_cut_not_crashed_on() -> None:
    deep: t.Any = TOKEN
    for _level in range(5000):
        deep = [deep]
    assert "nested too deeply" in json.dumps(redact(deep))
