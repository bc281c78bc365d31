# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret is known by its place: in a command as text or word by word, in an address, behind a name in another language, in base64."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor, find_secrets

SECRET = "Tr0ub4dor-3x"
TOKEN = "ghp_" + "a1B2" * 9
WORDS = [
    ["mysql", "-u", "root", "-p{}"],
    ["mysql", "-u", "root", "-p{};3 x'y"],
    ["/usr/bin/mysqldump", "-uroot", "-p{}", "app"],
    ["ldapsearch", "-x", "-w", "{}", "-b", "dc=example"],
    ["redis-cli", "-h", "cache", "-a", "{}", "ping"],
    ["sshpass", "-p", "{}", "ssh", "root@h"],
    ["curl", "-u", "admin:{}", "https://example.com/"],
    ["docker", "login", "-u", "bob", "-p", "{}", "registry.example.com"],
    ["openssl", "rsa", "-passin", "pass:{}"],
    ["keytool", "-storepass", "{}", "-list"],
    ["tool", "-password", "{}", "run"],
]
TEXTS = [
    "echo 'root:{}' | chpasswd",
    'printf "%s\\n" "root:{}" | sudo chpasswd',
    "chpasswd <<< 'root:{}'",
    "echo {} | passwd --stdin root",
    "echo '{}' | docker login -u bob --password-stdin",
    "echo {} | sudo -S true",
    "requirepass {}",
    "redis-cli config set requirepass {}",
    "masterauth {}",
    "java -jar x.jar -password {} -verbose",
    "keytool -storepass {} -list",
    "GET https://api.example.com/v1?a=b&token={} 200",
    "GET https://api.example.com/v1?key={}&a=b 200",
    "git clone https://{}aB3dEf@git.example.com/x.git",
    "db1.example.com:5432:app:bob:{}",
    "*:*:*:bob:{}",
    "sshpass -p {}; ssh root@h",
    "mysql -u root -p'{}' app",
    '["ldapsearch", "-w", "{}", "-b", "x"]',
    "argv: [ldapsearch, -w, {}]",
    "argv: [mysql, -u, root, -p{}]",
    "kennwort={}",
    "contrasena: {}",
    "contrase\u00f1a: {}",
    "mot_de_passe={}",
    "motdepasse={}",
    "senha={}",
    "parola={}",
    "db_lozinka={}",
    "\u043f\u0430\u0440\u043e\u043b\u044c: {}",
]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words[0])
def test_a_command_is_masked_word_by_word_as_it_is_in_text(words: list[str]) -> None:
    given = [word.format(SECRET) for word in words]
    shown = Redactor().data({"argv": given})["argv"]
    assert SECRET not in json.dumps(shown) and "3 x" not in json.dumps(shown) and len(shown) == len(given)
    assert [one for one, word in zip(shown, words) if "{}" not in word] == [word for word in words if "{}" not in word]
    if not any(" " in word for word in given):
        assert SECRET not in Redactor().text(" ".join(given))
        assert SECRET not in Redactor().text(json.dumps(given))


@pytest.mark.parametrize("text", TEXTS)
def test_its_place_gives_it_away(text: str) -> None:
    shown = Redactor().text(f"before\n{text.format(SECRET)}\nafter")
    assert SECRET not in shown and shown.startswith("before\n") and shown.endswith("\nafter")


@pytest.mark.parametrize(
    "name", ["kennwort", "contrase\u00f1a", "motDePasse", "mot_de_passe", "senha", "parola", "Lozinka", "wachtwoord", "has\u0142o", "salasana"]
)
def test_a_name_in_another_language_tells_in_data(name: str) -> None:
    assert SECRET not in json.dumps(Redactor().data({name: SECRET}))


def test_the_same_secret_has_the_same_mark_wherever_it_stands() -> None:
    redactor = Redactor()
    marks = {redactor.text(text)[at:-1] for text, at in ((f"sshpass -p {SECRET};", 11), (f"password={SECRET};", 9), (f"mysql -u root -p{SECRET};", 16))}
    assert marks == {redactor.mark("password", SECRET)}


@pytest.mark.parametrize("before", ["", "x", "xy", "GITHUB_TOKEN=", '{"auth": "', "user:"])
@pytest.mark.parametrize("form", ["{}", "data: {}\n", '{{"content": "{}"}}', "/v1/{}/x", "echo {} | base64 -d", "\\n{}\\n"])
def test_a_token_in_base64_is_masked(before: str, form: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        run = encode(f"{before}{TOKEN}".encode()).decode()
        shown = Redactor().text(form.format(run))
        assert "[redacted:github_token:" in shown and run[8:-8] not in shown
        assert len(find_secrets(form.format(run))) == 1


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(b"only words and more words, for a page in base64").decode(),
        "requirepass is not set, masterauth is missing",
        "root:x:0:0:root:/root:/bin/bash",
        "10.0.0.1:5432: connection refused",
        "src/main.c:5432:12:error:expected an expression",
        "https://bob@git.example.com/x.git",
        "https://first.last@git.example.com/x.git",
        "GET /items?key=created_at&page=2",
        "echo y | sudo -S true",
        "find . -passive x",
        "openssl rsa -passin env:KEY_PASSWORD",
        "mysql -u root -p app",
        '["mysql", "-u", "root", "-p", "app"]',
        "the parole board met",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize("words", [["ls", "-w", "80"], ["mysql", "-p", "app"], ["tar", "-C", "/srv", "-p"], ["-x", "y"]], ids=str)
def test_an_ordinary_command_stays(words: list[str]) -> None:
    assert Redactor().data(words) == words
