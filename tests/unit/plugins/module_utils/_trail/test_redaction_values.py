# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands behind a telling name is a secret whatever it begins with; what only stands for a secret, or speaks of one, stays."""

from __future__ import annotations

import pytest

from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor

ODD = [
    "!Hunter2Zq", "!vaultHunter2", "$Tr0ub4dor3", "$ecret-Horse7", "$Winter2024!", "<Tr0ub4dor&3>", "[Tr0ub4dor3]", "{Tr0ub4dor3}", "(Tr0ub4dor3)",
    "%Tr0ub4dor3%", "@Tr0ub4dor3@", "ENC[Tr0ub4dor3", "process.Tr0ub4dor3", "data.Winter2024x",
]  # fmt: skip


@pytest.mark.parametrize("value", ODD)
def test_a_password_that_begins_like_a_placeholder_is_masked(value: str) -> None:
    assert Redactor().data({"password": value})["password"].startswith("[redacted:")
    assert value not in Redactor().text(f"export DB_PASSWORD='{value}'\n")


@pytest.mark.parametrize("value", ["leave it to the fox", "XHunter2Zq with space", "not for your eyes", "the", "correct horse and battery"])
def test_a_passphrase_of_common_words_is_masked_where_it_is_a_value_of_its_own(value: str) -> None:
    assert Redactor().data({"password": value})["password"].startswith("[redacted:")
    assert value not in Redactor().text(f"export DB_PASSWORD='{value}'\n")
    assert value not in Redactor().text(f'{{"db_password": "{value}", "port": 1}}')


@pytest.mark.parametrize(
    "value",
    [
        "!vault |", "!Ref DbPassword", "!Sub '${Db}'", "!GetAtt Db.Password", "!env_var DB_PASSWORD", "!secret smtp_password", "$DB_PASSWORD",
        "$dbPassword", "$db_password2", "${DB_PASSWORD}", "{{ vault_password }}", "<your password here>", "<none>", "[hidden]", "%DB_PASSWORD%",
        "@DB_PASSWORD@", "ENC[AES256_GCM,data:aB3dEf6h,iv:Zz9=,type:str]", "process.env.DB_PASSWORD", "os.environ['DB_PASSWORD2']", "<%= ENV['X1Y2z3'] %>",
        "This field is required.", "must be at least 12 characters", "is too short", "required", "expired", None, True, "",
    ],
)  # fmt: skip
def test_what_stands_for_a_password_or_speaks_of_one_stays(value: object) -> None:
    assert Redactor().data({"password": value}) == {"password": value}


@pytest.mark.parametrize("line", ["the password: is wrong", "Password for root was changed", "password=required by policy", "secret: must not be empty"])
def test_free_text_about_a_secret_stays(line: str) -> None:
    assert Redactor().text(line) == line
