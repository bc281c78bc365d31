# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the secret files hold is masked in whatever form they are written, and nothing harmless is."""

from __future__ import annotations

import json
import pathlib

import pytest

from ansible_collections.day2.codex.plugins.module_utils import _outcomes
from ansible_collections.day2.codex.plugins.module_utils._places import Places
from ansible_collections.day2.codex.plugins.module_utils._secrets import MAX_SECRET_FILE, known_secrets, secrets_and_warnings
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor

SECRET = "four plain words here"
ODD = "gr\u00fcner Tisch mit Stuhl"


def _places(tmp_path: pathlib.Path, content: str | bytes, name: str = "app") -> Places:
    places = Places(str(tmp_path))
    file = pathlib.Path(places.provider_key).parent / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return places


FORMS = [
    "{}", "{}\n", "first-value-here\n{}\n", "DB_PASSWORD={}", "export DB_PASSWORD='{}'\n", 'export DB_PASSWORD="{}" \n', "db_password: {}\n",
    "db:\n  host: localhost\n  password: '{}'  # of the staging host\n", "password: |\n  {}\nhost: localhost\n", "- password: {}\n",
    '{{"db": {{"host": "localhost", "password": "{}"}}}}', '["{}"]', '{{"password": {{"value": ["{}"]}}}}', "[db]\npassword = {}\nhost = localhost\n",
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_whatever_form_its_file_is_written(tmp_path: pathlib.Path, form: str) -> None:
    known = known_secrets(_places(tmp_path, form.format(SECRET)))
    assert SECRET in known and "localhost" not in known
    assert SECRET not in Redactor(known).text(f"said: {SECRET}.")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", ["{}\n", "DB_PASSWORD={}\n", '{{"password": "{}"}}'])
def test_any_common_encoding_is_read(tmp_path: pathlib.Path, encoding: str, form: str) -> None:
    assert ODD in known_secrets(_places(tmp_path, form.format(ODD).encode(encoding)))


def test_folders_are_read_one_level_deep(tmp_path: pathlib.Path) -> None:
    places = _places(tmp_path, f"PASSWORD={SECRET}", "app/db")
    _places(tmp_path, "PASSWORD=another one below", "app/deep/db")
    assert known_secrets(places) == [SECRET]


@pytest.mark.parametrize(
    "text",
    [
        "ON_ERROR=rejected\nDB_HOST=localhost\n",
        "MODE=awaiting_approval\n",
        "PASSWORD=rejected\n",
        "on_error: rejected\ndb_host: db1.prod.example.com\n",
        '{"on_error": "rejected", "db": {"host": "localhost", "user": "deploy"}}',
        "DB_URL=https://db1.example.com/app\nPASSWORD_FILE=/run/secrets/database\nPASSWORD=${OTHER}\n",
        *sorted(_outcomes.ALL),
    ],
)
def test_a_harmless_value_and_the_engines_own_words_are_not_masked(tmp_path: pathlib.Path, text: str) -> None:
    assert known_secrets(_places(tmp_path, text)) == []


def test_random_text_is_masked_whatever_it_is_called(tmp_path: pathlib.Path) -> None:
    assert "aB3dEfGh1jKlMnOp" in known_secrets(_places(tmp_path, "SERVICE=aB3dEfGh1jKlMnOp\nDB_HOST=localhost\n"))


def test_a_file_that_cannot_be_masked_whole_is_told_once(tmp_path: pathlib.Path) -> None:
    _places(tmp_path, f"DB_PASSWORD={SECRET}\n" + "# filling\n" * MAX_SECRET_FILE, "large")
    _places(tmp_path, b"\x00\x01\x02\xff" * 64, "binary")
    _places(tmp_path, "abc", "short")
    known, warnings = secrets_and_warnings(_places(tmp_path, json.dumps({"password": ODD}), "good"))
    assert SECRET in known and ODD in known
    assert [[name in warning for name in ("binary", "large", "short")].count(True) for warning in warnings] == [1, 1, 1]
    assert SECRET not in "".join(warnings) and "good" not in "".join(warnings)
