# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets leave in no form, and ordinary text stays."""

from __future__ import annotations

import base64
import json
import typing as t
import urllib.parse

import pytest

from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor, find_markers, find_secrets

SECRET = 'S3cret/with+odd"chars=&\\end'
PEM = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps({"key": SECRET}),
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote(SECRET),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"x" + SECRET.encode()).decode(),
        base64.b64encode(b"user:" + SECRET.encode() + b"tail").decode(),
    ],
)
def test_a_known_secret_is_masked_in_every_common_form(form: str) -> None:
    text = Redactor([SECRET + "\n"]).text(f"before {form} after")
    assert form not in text and form[4:-4] not in text
    assert text.startswith("before ") and text.endswith(" after")
    assert find_markers(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("openai_key", "sk-" + "proj-" + "aB3_" * 10),
        ("anthropic_key", "sk-ant-" + "aB3_" * 10),
        ("aws_access_key", "AKIA" + "ABCD1234" * 2),
        ("github_token", "ghp_" + "a1B2" * 9),
        ("github_token", "github_pat_" + "a1B2_" * 13),
        ("gitlab_token", "glpat-" + "a1B2-" * 5),
        ("slack_token", "xoxb-" + "1234567890-" * 2),
        ("slack_token", "xapp-" + "1-A1B2C3D4-" * 2),
        ("stripe_key", "sk_live_" + "a1B2" * 6),
        ("npm_token", "npm_" + "a1B2" * 9),
        ("google_key", "AIza" + "a1B2c" * 7),
        ("vault_token", "hvs." + "a1B2" * 8),
        ("age_key", "AGE-SECRET-KEY-1" + "QPZR" * 14),
        ("password_hash", "$6$saltsalt$" + "aB./" * 20),
        ("password_hash", "$2b$12$" + "aB./5" * 10 + "abc"),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlc2ln"),
        ("basic_auth", "user:hunter2!"),
        ("authorization", "Bearer abc.def-123456"),
    ],
)
def test_a_token_of_a_known_format_is_masked(kind: str, text: str) -> None:
    around = {"basic_auth": "https://{}@example.com/", "authorization": "Authorization: {}"}.get(kind, "key = {};")
    shown = Redactor().text(around.format(text))
    assert text not in shown
    assert f"[redacted:{kind}:" in shown
    assert [found for found, _offset, _secret in find_secrets(around.format(text))] == [kind]


@pytest.mark.parametrize("header", ["authorization: bearer {}", '{{"Authorization": "Bearer {}"}}', "{{'authorization':'Basic {}'}}", "AUTHORIZATION:Token {}"])
def test_an_authorization_header_is_masked_however_it_is_written(header: str) -> None:
    assert "dXNlcjpwYXNz" not in Redactor().text(header.format("dXNlcjpwYXNz"))


@pytest.mark.parametrize(
    "key",
    [
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{PEM}\n{PEM}\n-----END OPENSSH PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\\n{PEM}\\n-----END PRIVATE KEY-----",
        f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n{PEM}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG-1\n\n{PEM}\n=aB3d\n-----END PGP PRIVATE KEY BLOCK-----",
        f"-----BEGIN RSA PRIVATE KEY-----\n{PEM}\n{PEM}",
        f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{PEM}\n{PEM}",
    ],
    ids=["openssh", "escaped", "legacy encrypted", "pgp", "cut off", "legacy cut off"],
)
def test_no_part_of_a_private_key_stays(key: str) -> None:
    shown = Redactor().text(f"a\n{key}\nthe rest, in words")
    assert PEM[:20] not in shown
    assert shown.startswith("a\n") and shown.endswith("\nthe rest, in words")


@pytest.mark.parametrize(
    "text",
    [
        "task-scheduler-and-some-more-words-behind-it",
        "https://example.com:8080/path@2x.png",
        "git@github.com:owner/repository.git",
        "-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----",
        "the authorization: nobody may",
        "price: $2, $5 and $6",
        "eyJust a word",
        "sha256: " + "0123456789abcdef" * 4,
        "AKIA is a prefix",
        # Base64 that ends in a telling word, as random text sometimes does.
        '"integrity": "sha512-Lj+4+4p0bR/AimMU9SPpwd==",',
        '["a/AimMU9SPpwd=","b"]',
        '{"digest": "a+AimMU9SPpwd="}',
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert Redactor(["short"]).text(text) == text


@pytest.mark.parametrize("value", ["'odd-Horse7'", " odd-Horse7", ",odd-Horse7", "odd-Horse7"])
def test_a_quoted_value_that_begins_oddly_is_masked(value: str) -> None:
    assert "Horse7" not in Redactor().text(f'export DB_PASSWORD="{value}"\n')


def test_data_is_masked_in_keys_and_values_at_any_depth() -> None:
    token = "ghp_" + "a1B2" * 9
    shown = json.dumps(Redactor().data({token: [{"a": (token, 1, None, True)}]}))
    assert token not in shown
    assert shown.count("[redacted:github_token:") == 2


def test_data_nested_without_end_is_cut_not_crashed_on() -> None:
    deep: t.Any = "x"
    for _level in range(100000):
        deep = [deep]
    assert "nested too deeply" in json.dumps(Redactor().data({"report": deep}))


@pytest.mark.parametrize("half", ["\ud800", "\udcff", "\udfff"])
def test_half_a_surrogate_pair_does_not_stop_it(half: str) -> None:
    assert "hunter2" not in Redactor(["known" + half]).text(f"https://user{half}:hunter2@example.com known{half}")


def test_equal_secrets_have_equal_marks_and_no_mark_tells_the_secret() -> None:
    first, second = "ghp_" + "a1B2" * 9, "ghp_" + "a1B3" * 9
    redactor = Redactor()
    assert redactor.text(first) == redactor.text(first) != redactor.text(second)
    assert redactor.text(redactor.text(first)) == redactor.text(first)
