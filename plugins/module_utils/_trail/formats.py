# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats by which a secret is known wherever it stands: provider tokens and private keys. PRIVATE.

One cheap scan per *sign* (a short literal, and what must follow it) finds the few places where a token may stand. Only there is
its expression tried. Every expression has bounded repetition, so that the whole stays linear.
"""

from __future__ import annotations

import functools
import re
import typing as t

#: start, end, kind
Span = tuple[int, int, str]

# What a key's text is made of where its end is missing: header lines and lines of base64, with real or written line breaks.
_KEY_LINES = r"(?:(?:\s|\\{1,4}[rn]){1,8}(?:[A-Za-z-]{4,20}: [^\r\n\\]{1,100}|[A-Za-z0-9+/=]{16,1024})){0,700}"
_GAP = r"(?: |%20|\+)"
_KEY_NAME = rf"(?:[A-Z0-9]{{1,20}}{_GAP}){{0,3}}PRIVATE{_GAP}KEY(?:{_GAP}BLOCK)?-----"
_PEM = rf"-----BEGIN{_GAP}{_KEY_NAME}(?:(?:[^-]|-(?!----)){{0,49152}}-----END{_GAP}{_KEY_NAME}|{_KEY_LINES})"
# The same in base64, as Kubernetes keeps it: "-----BEGIN " and the name of a private key.
_PEM_BASE64 = r"LS0tLS1CRUdJTi(?:BQUklWQVRF|BSU0EgUFJJ|BFQyBQUk|BPUEVOU1NI|BFTkNSWVBURUQg|BEU0EgUFJJ|BQR1AgUFJJ)[A-Za-z0-9+/=]{16,65536}"

# kind, the texts with which it begins, what follows. A kind that stands in words too begins with "<": it must begin a word.
_UNDERSCORE = (
    ("github_token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"[A-Za-z0-9]{36,255}"),
    ("github_token", ("github_pat_",), r"[A-Za-z0-9_]{60,255}"),
    ("stripe_key", ("sk_live_", "sk_test_", "rk_live_", "rk_test_"), r"[A-Za-z0-9]{16,250}"),
    ("stripe_key", ("<whsec_",), r"[A-Za-z0-9+/=]{24,100}"),
    ("npm_token", ("npm_",), r"[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    ("huggingface_token", ("<hf_",), r"[A-Za-z0-9]{30,64}(?![A-Za-z0-9_])"),
    ("digitalocean_token", ("dop_v1_", "doo_v1_", "dor_v1_"), r"[0-9a-f]{64}"),
    ("docker_token", ("dckr_pat_", "dckr_oat_"), r"[A-Za-z0-9_-]{20,64}"),
    ("shopify_token", ("shpat_", "shpca_", "shppa_", "shpss_"), r"[0-9a-fA-F]{32}"),
    ("grafana_token", ("glsa_",), r"[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),
    ("linear_key", ("lin_api_",), r"[A-Za-z0-9]{32,64}"),
    ("rubygems_key", ("rubygems_",), r"[0-9a-f]{48}"),
    ("planetscale_token", ("pscale_tkn_", "pscale_pw_", "pscale_oauth_"), r"[A-Za-z0-9_.=-]{32,64}"),
)
_DASH = (
    ("anthropic_key", ("sk-ant-",), r"[A-Za-z0-9_-]{16,256}"),
    # Words with dashes look alike (style sheets have such names): here one part is long.
    ("openai_key", ("<sk-",), r"(?!ant-)(?=[A-Za-z0-9_-]{0,64}?(?:[A-Za-z0-9]{20}|(?=[A-Za-z_]{0,15}[0-9])[A-Za-z0-9_]{16}))[A-Za-z0-9_-]{20,256}"),
    (
        "gitlab_token",
        ("glpat-", "glptt-", "glrt-", "gldt-", "glcbt-", "glft-", "glsoat-", "glimt-", "glagent-", "gloas-", "glffct-"),
        r"[A-Za-z0-9_.=-]{20,128}",
    ),
    ("slack_token", tuple(f"xox{letter}-" for letter in "abcdeoprs") + ("xapp-", "xoxe.xoxp-", "xoxe.xoxb-"), r"[A-Za-z0-9%/+=-]{10,400}"),
    ("pypi_token", ("pypi-",), r"AgE[A-Za-z0-9_-]{50,500}"),
    ("google_secret", ("GOCSPX-",), r"[A-Za-z0-9_-]{20,64}"),
    ("newrelic_key", ("NRAK-",), r"[A-Z0-9]{27}"),
    ("postman_key", ("PMAK-",), r"[0-9a-f]{24}-[0-9a-f]{34}"),
    ("square_token", ("sq0csp-", "sq0atp-"), r"[A-Za-z0-9_-]{22,64}"),
    ("tailscale_key", ("tskey-",), r"[a-z]{2,10}-[A-Za-z0-9-]{16,80}"),
    ("age_key", ("AGE-SECRET-KEY-",), r"1[A-Z0-9]{50,100}"),
)
_DOT = (
    ("vault_token", ("<hvs.", "<hvb.", "<hvr."), r"[A-Za-z0-9_-]{20,300}"),
    ("sendgrid_key", ("<SG.",), r"[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),
    ("google_token", ("<ya29.",), r"[A-Za-z0-9_-]{20,1024}"),
    ("doppler_token", ("<dp.pt.", "<dp.st.", "<dp.ct.", "<dp.sa."), r"[A-Za-z0-9._-]{40,80}"),
)
_PLAIN = (
    ("private_key", ("-----BEGIN",), _PEM[len("-----BEGIN") :]),
    ("private_key", ("LS0tLS1CRUdJTi",), _PEM_BASE64[len("LS0tLS1CRUdJTi") :]),
    ("aws_access_key", ("AKIA", "ASIA"), r"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("google_key", ("<AIza",), r"[A-Za-z0-9_-]{35}(?![A-Za-z0-9_+/-])"),
    ("jwt", ("<eyJ",), r"[A-Za-z0-9_-]{8,8192}\.eyJ[A-Za-z0-9_-]{8,16384}\.(?:[A-Za-z0-9_-]{10,2048})?"),
    # Encrypted (five parts, the second often empty).
    ("jwt", ("<eyJ",), r"[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{0,2048}\.[A-Za-z0-9_-]{10,200}\.[A-Za-z0-9_-]{10,16384}\.[A-Za-z0-9_-]{16,200}"),
    (
        "password_hash",
        ("$",),
        r"(?:(?:5|6|7|y|gy)\$[A-Za-z0-9./$=,]{20,256}|2[abxy]\$[0-9]{2}\$[A-Za-z0-9./]{53}|argon2(?:id|i|d)\$v=[0-9]{1,3}\$[A-Za-z0-9+/=,$]{20,256})",
    ),
    ("telegram_token", (":AA",), r"[A-Za-z0-9_-]{32,33}(?![A-Za-z0-9_-])"),
    ("twilio_key", ("<SK",), r"[0-9a-f]{32}(?![0-9A-Za-z])"),
    ("databricks_token", ("<dapi",), r"[0-9a-f]{32}(?:-[0-9])?(?![0-9A-Za-z])"),
    ("azure_signature", ("sig=",), r"(?:[A-Za-z0-9+/]|%2[BbFf]){43}(?:=|%3[Dd])"),
    ("webhook", ("://hooks.slack.com/", "://hooks.slack-gov.com/"), r"(?:services|workflows|triggers)/[A-Za-z0-9/_-]{20,200}"),
    ("webhook", ("://discord.com/api/webhooks/", "://discordapp.com/api/webhooks/"), r"[0-9]{15,22}/[A-Za-z0-9_-]{40,100}"),
    ("webhook", (".webhook.office.com/",), r"webhookb2/[A-Za-z0-9@/_-]{40,300}"),
)
# sign, how many characters of it belong to a token's beginning, the formats.
_SIGNS: tuple[tuple[str, int, tuple[tuple[str, tuple[str, ...], str], ...]], ...] = (
    (r"_(?=[A-Za-z0-9][A-Za-z0-9+/_-]{15})", 1, _UNDERSCORE),
    (r"-(?=[A-Za-z0-9_][A-Za-z0-9%_-]{9})", 1, _DASH),
    (r"\.(?=[A-Za-z0-9_-]{16})", 1, _DOT),
    (r"-----BEGIN", 10, _PLAIN[0:1]),
    (r"LS0tLS1CRUdJTi", 14, _PLAIN[1:2]),
    (r"AKIA", 4, _PLAIN[2:3]),
    (r"ASIA", 4, _PLAIN[2:3]),
    (r"AIza", 4, _PLAIN[3:4]),
    (r"eyJ(?=[A-Za-z0-9_-]{8})", 3, _PLAIN[4:6]),
    (r"\$(?=[2567yga])", 1, _PLAIN[6:7]),
    (r":AA(?=[A-Za-z0-9_-]{32})", 3, _PLAIN[7:8]),
    (r"SK(?=[0-9a-f]{32})", 2, _PLAIN[8:9]),
    (r"dapi(?=[0-9a-f]{32})", 4, _PLAIN[9:10]),
    (r"sig=(?=[A-Za-z0-9+/%]{30})", 4, _PLAIN[10:11]),
    (r"://hooks\.slack(?:-gov)?\.com/", 0, _PLAIN[11:12]),
    (r"://discord(?:app)?\.com/api/webhooks/", 0, _PLAIN[12:13]),
    (r"\.webhook\.office\.com/", 0, _PLAIN[13:14]),
)
# Of these the beginning is only a name or an address, and stays.
_NAMED = frozenset(("webhook", "azure_signature"))
# What may stand directly before a word although it looks like a part of it: an escape of JSON, of a URL, of a terminal.
_ESCAPE_BEFORE = r"(?:\\[nrtbfv]|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|%[0-9A-Fa-f]{2}|\x1b\[[0-9;]{0,12}m)\Z"
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+")


@functools.cache
def compiled(expression: str, flags: int = 0) -> re.Pattern[str]:
    """*expression*, compiled at its first use: importing this costs nothing."""
    return re.compile(expression, flags)


class _Sign(t.NamedTuple):
    """A sign: its expression, how much of it belongs to a beginning (0: all), the beginnings by text, and their lengths, the longest first."""

    pattern: re.Pattern[str]
    length: int
    heads: tuple[str, ...]
    rows: dict[str, list[tuple[bool, str, re.Pattern[str]]]]
    lengths: list[int]


@functools.lru_cache(maxsize=1)
def _signs() -> list[_Sign]:
    signs = []
    for expression, length, formats in _SIGNS:
        rows: dict[str, list[tuple[bool, str, re.Pattern[str]]]] = {}
        for kind, begins, rest in formats:
            for begin in begins:
                rows.setdefault(begin.lstrip("<"), []).append((begin[0] == "<", kind, compiled(rest)))
        lengths = sorted({len(head) for head in rows}, reverse=True)
        if lengths[-1] > 2 and length == 1:
            # Dashes and dots are everywhere: the two characters before one tell nearly all of them from a token's.
            sign, ahead = expression.split("(?=", 1)
            expression = f"{sign}(?<={'|'.join(sorted({re.escape(head[-3:]) for head in rows}))})(?={ahead}"
        signs.append(_Sign(compiled(expression), length, tuple(rows), rows, lengths))
    return signs


def begins_word(text: str, at: int) -> bool:
    """Whether nothing that belongs to the same word stands before *at*."""
    if at == 0 or text[at - 1] not in _WORD:
        return True
    low = max(0, at - 16)
    before = text[low:at]
    return ("\\" in before or "%" in before or "\x1b" in before) and compiled(_ESCAPE_BEFORE).search(text, low, at) is not None


def _at(text: str, sign: _Sign, end: int) -> Span | None:
    """The token whose beginning ends at *end*."""
    for length in sign.lengths:
        start = end - length
        # The longest beginning first: sk-ant- before sk-.
        for whole, kind, rest in sign.rows.get(text[start:end], ()) if start >= 0 else ():
            if whole and not begins_word(text, start):
                continue
            match = rest.match(text, end)
            if match is None:
                continue
            if kind in _NAMED:
                return end, match.end(), kind
            if kind == "telegram_token":
                before = compiled(r"(?<![0-9])[0-9]{8,10}\Z").search(text, max(0, start - 11), start)
                if before is None:
                    continue
                start = before.start()
            return start, match.end(), kind
    return None


def find(text: str) -> t.Iterator[Span]:
    """Every token of a known format in *text*, sign by sign."""
    for sign in _signs():
        done = 0
        for found in sign.pattern.finditer(text):
            start = found.start()
            # Without a length the sign is the whole beginning.
            end = start + sign.length if sign.length else found.end()
            if start < done or not text.endswith(sign.heads, max(0, end - 40), end):
                continue
            span = _at(text, sign, end)
            if span is not None:
                done = span[1]
                yield span
