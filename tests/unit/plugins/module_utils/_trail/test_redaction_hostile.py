# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that is made to be slow to redact is read in time that grows with its length, and within a factor of ordinary text.

Times are those of this process's processor, and are only compared with each other.
"""

from __future__ import annotations

import functools
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._trail import formats
from ansible_collections.day2.codex.plugins.module_utils._trail.assignments import KEYWORDS
from ansible_collections.day2.codex.plugins.module_utils._trail.personal import PERSONAL
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor

SMALL, LARGE = 20_000, 80_000
#: Four times the text takes four times as long; sixteen times, where time grows with the square.
GROWTH = 8
#: How much dearer than an ordinary log the worst text may be, character for character. A square would be thousands of times as dear.
DEARER = 600
PEM = "-----BEGIN RSA PRIVATE KEY-----"
ORDINARY = 'Mar 02 10:11:12 web1 sshd[4242]: Failed password for root from 192.0.2.7 port 4242 ssh2: token "none", key 12\n'
LEADS = ("", "=", ": ", "='", '="\\', '=\\"', '","', "('", ">", ">a", "=${", "={{", "=a,", "=a;b", "=a&", "=\\", "=a\\", "=[redacted:", " = x # ", "phrase: a ")


@functools.cache
def _redactor() -> Redactor:
    redactor = Redactor(["hunter2-Aa/+=", "aaaaaaab", "ababababac"], PERSONAL)
    redactor.text("warm " * 100)
    return redactor


def _seconds(text: str) -> float:
    began = time.process_time()
    _redactor().text(text)
    return time.process_time() - began


@functools.cache
def _ordinary() -> float:
    """What LARGE characters of an ordinary log take."""
    text = ORDINARY * (LARGE // len(ORDINARY))
    return max(_seconds(text) for _try in range(3))


def _hold(make: t.Callable[[int], str], small: int = SMALL, large: int = LARGE) -> None:
    some, many = make(small), make(large)
    # What other processes do to the caches can make one try slow, hardly three.
    few = max(_seconds(some), _ordinary() / 4)
    for _try in range(3):
        took = _seconds(many)
        if took < few * GROWTH * large / small / 4 and took < _ordinary() * DEARER * large / LARGE:
            return
    raise AssertionError(f"{large} characters took {took:.3f} s, {small} of the same {few:.3f} s, and {LARGE} of an ordinary log {_ordinary():.3f} s")


def _repeated(seed: str) -> t.Callable[[int], str]:
    return lambda size: seed * (size // len(seed))


def _behind(begin: str, seed: str) -> t.Callable[[int], str]:
    return lambda size: begin + seed * (size // len(seed))


HEADS = sorted({begin.lstrip("<") for _sign, _length, rows in formats._SIGNS for _kind, begins, _rest in rows for begin in begins})


@pytest.mark.parametrize("head", HEADS)
def test_beginnings_of_tokens(head: str) -> None:
    _hold(_repeated(head))
    _hold(_repeated(head + "a1B2c3D4e5"))
    _hold(_repeated(f" {head}{'a' * 17}"))
    _hold(_behind(head, "a1B2"))


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_names_before_values(keyword: str) -> None:
    for lead in LEADS:
        _hold(_repeated(keyword + lead))


@pytest.mark.parametrize("seed", ["a,b;c&d", 'a\\"', "\\", "[redacted:", "a.", " a"])
def test_values_without_end(seed: str) -> None:
    for begin in ("password=", 'password="', "x: token: ", "passphrase: ", "password>"):
        _hold(_behind(begin, seed))


@pytest.mark.parametrize("lead", ["password: |\n", "password:\n", "password: |\\n", 'password="""', "password=\\\n", '"password":\n', "- password:\n"])
def test_values_below_their_names(lead: str) -> None:
    _hold(_repeated(lead))
    for seed in ("\n", " a\n", " - a\n", "  password: |\n", " a\\n", "".join(" " * depth + "password: |\n" for depth in range(30))):
        _hold(_behind(lead, seed))
        _hold(_repeated(lead + seed))


@pytest.mark.parametrize("seed", ["-", "\n" + "A" * 64, "\nAAAA: bbb", "\\\\\\\\n", "\n", "-----END ", "-----END RSA PRIVATE KEY----", PEM, PEM + "\nA: b\n"])
def test_private_keys_without_end(seed: str) -> None:
    _hold(_behind(PEM, seed))
    _hold(_repeated(PEM + seed))


@pytest.mark.parametrize(
    "seed",
    ["://", "://a:", "://a:b", "://" + "a" * 127 + ":", "://a:" + "b" * 256, "%3A%2F%2Fa%3A", "%3A%2F%2Fa%3A" + "%20a" * 40, "%2f%2f"],
)
def test_addresses(seed: str) -> None:
    _hold(_repeated(seed))
    _hold(_repeated(seed + "@"))
    _hold(lambda size: seed * (size // len(seed)) + "@")


@pytest.mark.parametrize(
    "name",
    [
        "authorization: ",
        "authorization: bearer ",
        "authorization: AWS4-HMAC-SHA256 ",
        "Authorization: Digest ",
        "cookie: a=",
        "x-api-key:",
    ],
)
def test_headers(name: str) -> None:
    _hold(_repeated(name))
    for seed in ("A", "a=;", " ", "response=", "Signature="):
        _hold(_behind(name, seed))


@pytest.mark.parametrize("name", ["mysql", "mariadb", "sshpass", "redis-cli", "ldapsearch", "curl", "wget", "identified", "docker login", "openssl"])
def test_command_lines(name: str) -> None:
    for seed in ("", " ", " -p", " -a ", " -w", " -u a", " -pass", " by ", " --password ", '",'):
        _hold(_repeated(name + seed))
        _hold(_behind(name, seed or "x"))


@pytest.mark.parametrize(
    "seed",
    [
        "name:",
        "name: a,\n" + " " * 60,
        "name: DB_PASSWORD\nvalue",
        "name: DB_PASSWORD\nvalue: ",
        "value: ",
        "value: a name: a_password ",
        "login ",
        "login a password ",
        "--",
        "--password ",
        "_auth=",
        '"auth":"QUFB',
    ],
)
def test_other_places(seed: str) -> None:
    _hold(_repeated(seed))


@pytest.mark.parametrize(
    "seed",
    [
        "echo chpasswd",
        "echo 'a:b | chpasswd ",
        "chpasswd << a",
        " -pass",
        " -password ",
        "requirepass ",
        "masterauth ",
        "sudo -S",
        "| --stdin",
        ":5432:",
        "a:5432:b:c:",
        ":*:",
        "?key=",
        "&token=a1",
        "://aB3dEfGh1jKlMnOp",
    ],
)
def test_places_in_commands_and_settings(seed: str) -> None:
    _hold(_repeated(seed))


@pytest.mark.parametrize("seed", ["QUFB", "Z2hwX2Ex", "A" * 26 + " ", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB/", "Z2hwXw+", "aaaQ" * 9 + "-"])
def test_base64(seed: str) -> None:
    _hold(_repeated(seed))


@pytest.mark.parametrize("seed", ["a@b.", "@" + "a." * 8, "!" * 64 + "@a.bc", "4111 ", "4111-1111-", "2" * 19 + " ", "DE89 3704", "A1" * 17 + " "])
def test_personal_data(seed: str) -> None:
    _hold(_repeated(seed))


@pytest.mark.parametrize("seed", ["+1 ", "+1-2-3-4-5-6", "+1" + " ." * 20, "212-", "1.2.3.", "255.255.255.", ":", "::1 ", "a" * 39 + ":", "f:" * 19 + " "])
def test_personal_numbers(seed: str) -> None:
    _hold(_repeated(seed))


@pytest.mark.parametrize("seed", ["a", "ab", "aaaaaaa-", "hunter2-Aa/+", "\\", '"', "{", "[redacted:password:12", "\u0130", "\ud800", "\n", " "])
def test_known_values_and_marks(seed: str) -> None:
    _hold(_repeated(seed))


@pytest.mark.parametrize("seed", ["A", "eyJ-", "sk-", "$6$", "://a:", "eyJaaaaaaaaaaa.", "authorization: ", "-----BEGIN PRIVATE KEY-----"])
def test_megabytes(seed: str) -> None:
    _hold(_repeated(seed), 1_000_000, 2_000_000)
