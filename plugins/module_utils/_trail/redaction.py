# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Takes secrets out of text that leaves the engine. PRIVATE.

Every door uses this one room: transcript, report, record, result, patch check.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import typing as t
import urllib.parse

#: Known values shorter than this are not masked by value: they would blot out ordinary words.
MIN_KNOWN = 6
#: Data nested more deeply than this is cut: an agent may write thousands of brackets.
MAX_DEPTH = 120

# One key for the life of the process: equal values stay equal within a run, and nobody can look a short digest up.
_KEY = os.urandom(16)

# What a key's text is made of where its end is missing: header lines and lines of base64, with real or written line breaks.
_KEY_LINES = r"(?:(?:\s|\\[rn]){1,8}(?:[A-Za-z-]{4,20}: [^\r\n\\]{1,100}|[A-Za-z0-9+/=]{16,})){0,400}"
_KEY_NAME = r"(?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"

# kind, expression. Each expression begins with a literal or at the beginning of a word and has bounded repetition, so a scan
# stays linear whatever the text.
_FORMATS: tuple[tuple[str, str], ...] = (
    ("private_key", rf"-----BEGIN {_KEY_NAME}(?:(?:[^-]|-(?!----)){{0,16384}}-----END {_KEY_NAME}|{_KEY_LINES})"),
    ("anthropic_key", r"\bsk-ant-[A-Za-z0-9_-]{16,256}"),
    ("openai_key", r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,256}"),
    ("aws_access_key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("github_token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})"),
    ("gitlab_token", r"\bgl(?:pat|ptt|rt|dt|cbt)-[A-Za-z0-9_-]{20,64}"),
    ("slack_token", r"\bx(?:ox[abposr]|app)-[A-Za-z0-9-]{10,250}"),
    ("stripe_key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}"),
    ("npm_token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("pypi_token", r"\bpypi-AgE[A-Za-z0-9_-]{50,500}"),
    ("google_key", r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    ("vault_token", r"\bhv[sbr]\.[A-Za-z0-9_-]{20,300}"),
    ("age_key", r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,100}"),
    ("password_hash", r"\$(?:5|6|7|y|gy)\$[A-Za-z0-9./$=,]{20,256}|\$2[abxy]\$[0-9]{2}\$[A-Za-z0-9./]{53}"),
    ("jwt", r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,4096}\.eyJ[A-Za-z0-9_-]{10,8192}\.[A-Za-z0-9_-]{10,1024}"),
    ("basic_auth", r"(?<=://)[^\s/:@]{0,128}:[^\s/@]{1,256}(?=@)"),
    (
        "authorization",
        r"(?i:(?<=authorization: )|(?<=authorization:)|(?<=authorization: [\"'])|(?<=authorization[\"']: [\"'])|(?<=authorization[\"']:[\"']))"
        r"(?i:Bearer|Basic|Token) {1,4}[A-Za-z0-9._~+/=-]{8,4096}",
    ),
)
# None of the expressions can match a text that holds none of these. Looking for them first is much faster.
_SIGNS = (
    "PRIVATE KEY", "sk-", "sk_", "rk_", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "glptt-", "glrt-", "gldt-",
    "glcbt-", "xox", "xapp-", "npm_", "pypi-", "AIza", "hvs.", "hvb.", "hvr.", "AGE-", "$5$", "$6$", "$7$", "$y$", "$gy$", "$2", "eyJ", "://",
    "uthorization", "UTHORIZATION",
)  # fmt: skip
_FORMAT_RE = re.compile("|".join(f"(?P<{kind}>{expression})" for kind, expression in _FORMATS))
_MARKER_RE = re.compile(r"\[redacted:[a-z_]+:[0-9a-f]{4}\]")


def marker(kind: str, value: str) -> str:
    """The text that stands for a redacted value: ``[redacted:KIND:4f2a]``, the last part a short keyed digest."""
    return f"[redacted:{kind}:{hmac.new(_KEY, value.encode('utf-8', 'surrogatepass'), hashlib.sha256).hexdigest()[:4]}]"


def _may_hold(text: str) -> bool:
    return any(sign in text for sign in _SIGNS)


def find_secrets(text: str) -> list[tuple[str, int, str]]:
    """The secrets of a known format in *text*, as (kind, offset, secret)."""
    if not _may_hold(text):
        return []
    return [(str(match.lastgroup), match.start(), match.group()) for match in _FORMAT_RE.finditer(text)]


def find_markers(text: str) -> list[tuple[str, int]]:
    """What this room once put in the place of a secret, as (marker, offset)."""
    return [(match.group(), match.start()) for match in _MARKER_RE.finditer(text)]


def _forms(value: str) -> t.Iterator[str]:
    """The ways in which *value* is commonly written: as it is, in JSON, in a URL, hexadecimal, base64 at any offset."""
    raw = value.encode("utf-8", "surrogatepass")
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield urllib.parse.quote(raw, safe="")
    yield urllib.parse.quote(raw)
    yield raw.hex()
    yield raw.hex().upper()
    for offset in range(3):
        # The characters that hold bits of nothing but the value, wherever it begins in a group of three bytes.
        padded = b"\0" * offset + raw
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(padded).decode("ascii")[(offset * 8 + 5) // 6 : len(padded) * 8 // 6]


class Redactor:
    """Masks known values (also base64, hexadecimal and URL-encoded) and the common token formats.

    :arg known: Exact secret values, such as the provider's key.
    """

    def __init__(self, known: t.Iterable[str] = ()) -> None:
        forms: dict[str, str] = {}
        for value in known:
            for secret in {value, value.strip()}:
                if len(secret) >= MIN_KNOWN:
                    forms.update((form, value.strip()) for form in _forms(secret) if len(form) >= MIN_KNOWN)
        self._forms = forms
        alternatives = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        self._known_re = re.compile(alternatives) if alternatives else None

    def text(self, text: str) -> str:
        """*text* with every secret replaced by its marker."""
        if self._known_re is not None:
            text = self._known_re.sub(lambda match: marker("known_value", self._forms[match.group()]), text)
        if not _may_hold(text):
            return text
        return _FORMAT_RE.sub(lambda match: marker(str(match.lastgroup), match.group()), text)

    def data(self, value: t.Any, depth: int = 0) -> t.Any:
        """A copy of a JSON-like *value* with every string in it, keys included, redacted; cut where it is nested too deeply."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (dict, list, tuple)) and depth >= MAX_DEPTH:
            return "(nested too deeply)"
        if isinstance(value, dict):
            return {self.text(key) if isinstance(key, str) else key: self.data(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(item, depth + 1) for item in value]
        return value
