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
import os
import re
import typing as t
import urllib.parse

#: Known values shorter than this are not masked by value: they would blot out ordinary words.
MIN_KNOWN = 6

# One key for the life of the process: equal values stay equal within a run, and nobody can look a short digest up.
_KEY = os.urandom(16)

# kind, expression. Each expression is anchored on a literal prefix and has bounded repetition, so a scan stays linear.
_FORMATS: tuple[tuple[str, str], ...] = (
    ("private_key", r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----(?:[^-]{0,16384}-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----)?"),
    ("anthropic_key", r"\bsk-ant-[A-Za-z0-9_-]{16,256}"),
    ("openai_key", r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,256}"),
    ("aws_access_key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("github_token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})"),
    ("gitlab_token", r"\bglpat-[A-Za-z0-9_-]{20,64}"),
    ("slack_token", r"\bxox[abposr]-[A-Za-z0-9-]{10,250}"),
    ("stripe_key", r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}"),
    ("npm_token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("pypi_token", r"\bpypi-AgE[A-Za-z0-9_-]{50,500}"),
    ("google_key", r"\bAIza[A-Za-z0-9_-]{35}\b"),
    ("jwt", r"\beyJ[A-Za-z0-9_-]{10,4096}\.eyJ[A-Za-z0-9_-]{10,8192}\.[A-Za-z0-9_-]{10,1024}"),
    ("basic_auth", r"(?<=://)[^\s/:@]{1,128}:[^\s/@]{1,256}(?=@)"),
    ("authorization", r"(?i:(?<=authorization: ))(?:Bearer|Basic|Token) [A-Za-z0-9._~+/=-]{8,4096}"),
)
_FORMAT_RE = re.compile("|".join(f"(?P<{kind}>{expression})" for kind, expression in _FORMATS))
_MARKER_RE = re.compile(r"\[redacted:[a-z_]+:[0-9a-f]{4}\]")


def marker(kind: str, value: str) -> str:
    """The text that stands for a redacted value: ``[redacted:KIND:4f2a]``, the last part a short keyed digest."""
    return f"[redacted:{kind}:{hmac.new(_KEY, value.encode('utf-8', 'surrogateescape'), hashlib.sha256).hexdigest()[:4]}]"


def find_secrets(text: str) -> list[tuple[str, int]]:
    """The secrets of a known format in *text*, as (kind, offset)."""
    return [(str(match.lastgroup), match.start()) for match in _FORMAT_RE.finditer(text)]


def has_marker(text: str) -> bool:
    """Whether *text* holds something that this room once put in the place of a secret."""
    return _MARKER_RE.search(text) is not None


class Redactor:
    """Masks known values (also base64, hexadecimal and URL-encoded) and the common token formats.

    :arg known: Exact secret values, such as the provider's key.
    """

    def __init__(self, known: t.Iterable[str] = ()) -> None:
        forms: dict[str, str] = {}
        for value in known:
            if len(value) < MIN_KNOWN:
                continue
            raw = value.encode("utf-8", "surrogateescape")
            for form in (
                value,
                base64.b64encode(raw).decode().rstrip("="),
                base64.urlsafe_b64encode(raw).decode().rstrip("="),
                raw.hex(),
                urllib.parse.quote(value, safe=""),
            ):
                forms[form] = value
        self._forms = forms
        alternatives = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        self._known_re = re.compile(alternatives) if alternatives else None

    def text(self, text: str) -> str:
        """*text* with every secret replaced by its marker."""
        if self._known_re is not None:
            text = self._known_re.sub(lambda match: marker("known_value", self._forms[match.group()]), text)
        return _FORMAT_RE.sub(lambda match: marker(str(match.lastgroup), match.group()), text)

    def data(self, value: t.Any) -> t.Any:
        """A copy of a JSON-like *value* with every string in it, keys included, redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key) if isinstance(key, str) else key: self.data(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(item) for item in value]
        return value
