# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change that adds a real secret is refused; a change of ordinary settings with telling names is not."""

from __future__ import annotations

import base64
import importlib.util
import pathlib
import types

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.checks import Find, check_change
from ansible_collections.day2.codex.plugins.module_utils._contract.model import Change, FileState
from ansible_collections.day2.codex.plugins.module_utils._contract.slice import parse
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor, find_secrets

ROOT = pathlib.Path(__file__).resolve().parents[5]


def _corpus() -> types.ModuleType:
    """The bench's texts, so that both speak of the same."""
    spec = importlib.util.spec_from_file_location("corpus", ROOT / "tests/bench/corpus.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


corpus = _corpus()
SLICE = parse(
    {
        "name": "inbox",
        "category": "configuration_change",
        "workspace": "/srv/inbox",
        "scope": {"include": ["**"]},
        "instructions": "Set it up.",
        "limits": {"changed_lines": 50000},
    }
)


def _codes(old: str, new: str, find: Find = find_secrets) -> set[str]:
    """The codes of the breaches that a change of one file makes."""
    states = [FileState("file", 0o644, len(text), "0" * 64) for text in (old, new)]
    change = Change("config/app.yml", *states, old.encode(), new.encode())
    return {violation.code for violation in check_change(SLICE, [change], (), 1, find)}


ORDINARY = [
    "password_min_length: 12",
    "password_policy: strict",
    "password_file: /run/secrets/db_password",
    "password: '{{ vault_db_password }}'",
    "password: ${DB_PASSWORD}",
    'password = os.environ["DB_PASSWORD"]',
    "password:",
    "password: null",
    "password_hash_algorithm: argon2id",
    "PasswordAuthentication no",
    "token_url: https://login.example.com/oauth2/v2.0/token",
    "token_ttl: 3600",
    "token_endpoint_auth_method: client_secret_basic",
    "max_tokens: 4096",
    "secret_name: foo",
    "secretName: inbox-tls",
    "secretKeyRef: {name: app, key: password}",
    "secret_store: vault",
    "secret: ref://vault/app#db",
    "existingSecret: inbox-credentials-2024",
    "api_key_header: X-Api-Key",
    "api_key_path: /etc/inbox/api.key",
    "ssl_certificate_key /etc/nginx/tls/inbox.example.com.key;",
    "key_size: 4096",
    "public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Qw7wJmYyW1Jv3fQd0l3P0zKf8mWcV2pZr5sT9uXyE deploy@example.com",
    "primary_key: inbox_message_id",
    "sort_key: created_at_desc_2024",
    "partition_key: tenant-0042-region-eu1",
    "authorization_endpoint: https://login.example.com/authorize",
    "auth: basic",
    "auth_backend: django.contrib.auth.backends.ModelBackend2",
    "base_url: https://inbox.example.com:8443/v1",
    "sender: noreply@inbox.example.com",
    "image: registry.example.com/inbox@sha256:" + "0123456789abcdef" * 4,
    "commit: " + "0123456789abcdef01234567" + "89abcdef01234567",
    "request_id: 123e4567-e89b-12d3-a456-426614174000",
    "integrity: sha512-" + "Aa1+" * 21 + "Zz==",
    "-----BEGIN CERTIFICATE-----\nMIIB" + "Aa1+" * 15 + "\n-----END CERTIFICATE-----",
    "database_url: postgres://app@db1:5432/app",
    "credentials: include",
    "session_cookie_name: inbox_session_v2",
]


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_change_is_not_taken_for_a_secret(line: str) -> None:
    assert "secret_in_patch" not in _codes("a: 1\n", f"a: 1\n{line}\n")


REAL = sorted(corpus.tokens(corpus.Dice(7)).items())


@pytest.mark.parametrize(("kind", "token"), REAL, ids=[kind for kind, _token in REAL])
@pytest.mark.parametrize("form", ["x: {}", '  "value": "{}",', "curl https://example.com/?k={}", "# was {}"])
def test_a_real_token_is_refused_wherever_it_is_written(kind: str, token: str, form: str) -> None:
    assert "secret_in_patch" in _codes("a: 1\n", f"a: 1\n{form.format(token)}\n"), kind


@pytest.mark.parametrize("name", corpus.NAMES)
def test_a_random_value_behind_a_telling_name_is_refused(name: str) -> None:
    value = corpus.Dice(8).mixed(32)
    assert "secret_in_patch" in _codes("a: 1\n", f'a: 1\n{name} = "{value}"\n')


@pytest.mark.parametrize("form", ["{}", "x: {}", "https://example.com/{}/x"])
def test_a_secret_that_the_host_keeps_is_refused_though_nothing_gives_it_away(form: str) -> None:
    known = "four plain words here"
    written = form.format(known)
    assert "secret_in_patch" not in _codes("a: 1\n", f"a: 1\n{written}\n")
    assert "secret_in_patch" in _codes("a: 1\n", f"a: 1\n{written}\n", Redactor([known]).find)
    assert "secret_in_patch" in _codes("a: 1\n", f"a: {base64.b64encode(written.encode()).decode()}\n", Redactor([known]).find)
    assert "secret_in_patch" not in _codes(f"{written}\n", f"{written}\nb: 2\n", Redactor([known]).find), "it was there before"


def test_every_planted_secret_is_masked() -> None:
    redactor = Redactor()
    left = [case for case in corpus.cases() if any(secret in redactor.text(case.text) for secret in case.secrets)]
    assert left == []


def test_ordinary_logs_stay_as_they_are_and_could_be_added_by_a_change() -> None:
    text = corpus.ordinary(2_000_000)
    assert Redactor().text(text) == text
    assert "secret_in_patch" not in _codes("", text)
