# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A value that begins on the line after its name, or stands beside it, is a secret, too."""

from __future__ import annotations

import json

import pytest

from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor, find_secrets

SECRET = "Tr0ub4dor&3x"
BELOW = {
    "literal": "db:\n  password: |\n    {}\n  port: 5432\n",
    "literal, stripped": "password: |-\n  {}\nport: 5432\n",
    "literal, indented by number": "password: |2\n    {}\nport: 5432\n",
    "folded": "password: >-\n  {}\nport: 5432\n",
    "with a comment": "password: | # of the staging host\n  {}\nport: 5432\n",
    "with a tag": "password: !!str |\n  {}\nport: 5432\n",
    "in a list": "users:\n  - password: |\n      {}\n    port: 5432\n",
    "after a blank line": "password: |\n\n  {}\nport: 5432\n",
    "below, plain": "db:\n  password:\n    {}\n  port: 5432\n",
    "below, quoted": "db:\n  password:\n    '{}'\n  port: 5432\n",
    "below, with a comment": "db:\n  password:  # of the staging host\n    {}\n  port: 5432\n",
    "below, in a list": "db:\n  password:\n    - {}\n  port: 5432\n",
    "shell": "DB_PASSWORD=\\\n{}\nPORT=5432\n",
    "shell, option": "tool --password \\\n    {} \\\n  --port 5432\n",
    "json": '{{"password":\n    "{}",\n "port": 5432}}\n',
    "json, list": '{{"password": ["{}"], "port": 5432}}\n',
    "tag": "password: !!str {}\nport: 5432\n",
    "anchor": "password: &db {}\nport: 5432\n",
    "python": 'password = """\n{}\n"""\nport = 5432\n',
    "python, one line": 'password = """{}"""\nport = 5432\n',
    "toml": "password = '''\n{}'''\nport = 5432\n",
    "returns": "password: |\r\n  {}\r\nport: 5432\r\n",
}
BESIDE = [
    "- name: DB_PASSWORD\n  value: {}\n- name: PORT\n  value: 5432\n",
    '{{"option": "db_password", "path": "/etc/app.ini", "section": "db", "value": "{}"}}, {{"option": "port", "value": "5432"}}',
    "ini_file: path=/etc/app.ini section=db option=db_password value={} mode=5432",
    "question: mysql-server/root_password\nvalue: {}\nvtype: password # 5432\n",
    '{{"key": "DB_PASSWORD", "value": "{}"}} 5432',
    '{{"value": "{}", "xpath": "/config/password"}} 5432',
    '{{\\"property\\": \\"db.password\\", \\"value\\": \\"{}\\"}} 5432',
]


def _diff(text: str, sign: str) -> str:
    return "--- a/app.yml\n+++ b/app.yml\n@@ -1,9 +1,9 @@\n" + "".join(f"{sign}{line}\n" for line in text.splitlines())


@pytest.mark.parametrize("form", [*BELOW.values(), *BESIDE], ids=[*BELOW, *BESIDE])
def test_the_value_is_masked_and_the_next_one_stays(form: str) -> None:
    shown = Redactor().text(form.format(SECRET))
    assert SECRET not in shown and "Tr0ub4dor" not in shown and "5432" in shown
    assert "[redacted:password:" in shown


@pytest.mark.parametrize("sign", ["+", "-", " "])
@pytest.mark.parametrize("form", BELOW.values(), ids=BELOW)
def test_it_is_masked_in_a_diff(form: str, sign: str) -> None:
    shown = Redactor().text(_diff(form.format(SECRET), sign))
    assert "Tr0ub4dor" not in shown and "5432" in shown


@pytest.mark.parametrize("form", [BELOW[name] for name in ("literal", "folded", "in a list", "below, plain")])
def test_it_is_masked_in_a_text_inside_json(form: str) -> None:
    for text in (json.dumps({"content": form.format(SECRET)}), json.dumps({"out": json.dumps({"content": form.format(SECRET)})})):
        if "|" in form or ">" in form:
            assert "Tr0ub4dor" not in Redactor().text(text)
    assert "Tr0ub4dor" not in json.dumps(Redactor().data({"content": form.format(SECRET)}))


@pytest.mark.parametrize("form", BELOW.values(), ids=BELOW)
def test_a_change_that_adds_it_is_refused(form: str) -> None:
    text = form.format(SECRET)
    assert [secret for _kind, _offset, secret in find_secrets(text)] == [SECRET]
    assert all(text[offset:].startswith(SECRET) for _kind, offset, _secret in find_secrets(text))


def test_all_lines_of_a_block_are_masked_and_each_by_itself() -> None:
    text = "secret_key: |\n  aB3dEfGh1jKlMnOp\n  qR5tUvWx7zAbCdEf\n\n  gH9jKlMnOpQr1tUv\nport: 5432\n"
    shown = Redactor().text(text)
    assert shown.count("[redacted:") == 3 and shown.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        "password: |\nport: 5432\n",
        "password:\nport: 5432\n",
        "password:\n  min_length: 12\n  required: true\n",
        "password:\n  - The password of the database.\n  - It is required.\n",
        "password:\n    description: Tr0ub4dor in words.\n",
        "password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162636465666768696a6b6c\n",
        "password: |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162636465666768696a6b6c\n",
        "password: >-\n  {{ lookup('env',\n  'DB_PASSWORD2') }}\n",
        "Enter the password:\n  Tr0ub4dor&3x\n",
        "if not password:\n    raise_it2Now()\n",
        "secretKeyRef:\n  name: app\n  key: password\n",
        "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: {name: app, key: password}\n- name: PORT\n  value: 5432\n",
        "{name: password_file, value: /run/secrets/db2}\n",
        '{"name": "reset password"}, {"value": "x-7Yz"}',
        'password = ""\nport = "5432"\n',
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert Redactor().text(text) == text
