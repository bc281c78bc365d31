# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statement that a person signs about one plan: one canonical JSON text, and no other. PRIVATE.

It is bound to the plan by every digest that the plan has, to the host, and to the nonce that is used up once.
"""

from __future__ import annotations

import datetime
import json
import re
import typing as t

from .._canonical import canonical
from .._errors import CodexOpsError
from .signers import NAME

VERSION = 1
DECISIONS = ("approve", "reject")
#: Seconds for which an approval holds where nobody says how long.
DEFAULT_EXPIRY = 24 * 3600
#: Characters of a statement, and of the comment in it.
MAX_STATEMENT = 16 * 1024
MAX_COMMENT = 2000
#: What binds it to a plan, under the names that plans have for it too; ``plan_sha256`` is the plan's ``sha256``.
BOUND = ("plan_sha256", "patch_sha256", "base_sha256", "slice_sha256", "policy_sha256", "host_id", "nonce")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SHAPE: dict[str, re.Pattern[str]] = {
    "plan": re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}"),
    "decision": re.compile("|".join(DECISIONS)),
    "approver": NAME,
    "plan_sha256": _DIGEST,
    "patch_sha256": _DIGEST,
    "base_sha256": _DIGEST,
    "slice_sha256": _DIGEST,
    "policy_sha256": _DIGEST,
    "host_id": re.compile(r"[0-9A-Za-z._:-]{1,128}"),
    "nonce": re.compile(r"[0-9a-f]{32}"),
    "issued": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
    "expires": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
}


def _stamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).strftime(_TIME)


def seconds_of(text: str) -> float:
    """A time in a statement as seconds since the epoch. :raises ValueError: when it is none."""
    return datetime.datetime.strptime(text, _TIME).replace(tzinfo=datetime.timezone.utc).timestamp()


def bound(plan: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What a statement about *plan* repeats of it."""
    return {key: plan["sha256" if key == "plan_sha256" else key] for key in BOUND}


def statement(plan: t.Mapping[str, t.Any], *, decision: str, approver: str, expires_in: float = DEFAULT_EXPIRY, comment: str = "", now: float) -> str:
    """What *approver* signs to *decision* the *plan*: the very characters.

    :arg expires_in: Seconds from *now* on.
    :raises CodexOpsError: ``statement_invalid``, outcome ``rejected``.
    """
    document = {
        "version": VERSION,
        "plan": plan["id"],
        "decision": decision,
        "approver": approver,
        **bound(plan),
        "issued": _stamp(now),
        "expires": _stamp(now + max(1.0, min(expires_in, 10 * 366 * 86400))),
        "comment": comment,
    }
    text = canonical(document).decode("ascii")
    read_statement(text)
    return text


def _malformed(why: str) -> CodexOpsError:
    return CodexOpsError(
        f"The statement is not taken: {why}.",
        code="statement_invalid",
        outcome="rejected",
        hint="Take the statement that day2.codex.approval returns for the plan, as it is.",
    )


def read_statement(text: t.Any) -> dict[str, t.Any]:
    """The statement in *text*, which must be its one canonical form (a line feed may follow).

    :raises CodexOpsError: ``statement_invalid``, outcome ``rejected``.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("ascii")
        except UnicodeDecodeError:
            raise _malformed("it holds bytes that no statement has") from None
    if not isinstance(text, str) or len(text) > MAX_STATEMENT:
        raise _malformed(f"a text of at most {MAX_STATEMENT} characters is expected")
    text = text[:-1] if text.endswith("\n") else text
    try:
        document = json.loads(text)
        same = isinstance(document, dict) and canonical(document).decode("ascii") == text
    except (ValueError, RecursionError):
        raise _malformed("it is not JSON") from None
    if not same:
        # A key that stands twice, other spaces or another order: two readers could read two things.
        raise _malformed("it is not in the one form that is signed (sorted keys, each once, no spaces, ASCII)")
    if set(document) != {*_SHAPE, "version", "comment"}:
        wrong = sorted(set(document) ^ {*_SHAPE, "version", "comment"})
        raise _malformed(f"the key {wrong[0][:40]!r} is missing or unknown")
    if isinstance(document["version"], (bool, float)) or document["version"] != VERSION:
        if isinstance(document["version"], int) and document["version"] > VERSION:
            raise CodexOpsError(
                f"The statement has version {document['version']}; this engine knows {VERSION}.",
                code="newer_state",
                outcome="newer_state",
                hint="Update the engine.",
            )
        raise _malformed("its version is unknown")
    for key, pattern in _SHAPE.items():
        value = document[key]
        if key == "policy_sha256" and value is None:
            continue
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise _malformed(f"{key} is {_short(value)}, which is not what {key} looks like")
    for key in ("issued", "expires"):
        try:
            seconds_of(document[key])
        except (ValueError, OverflowError):
            raise _malformed(f"{key} is no time") from None
    comment = document["comment"]
    if not isinstance(comment, str) or len(comment) > MAX_COMMENT or re.search("[\ud800-\udfff]", comment):
        raise _malformed(f"the comment must be a text of at most {MAX_COMMENT} characters")
    return t.cast("dict[str, t.Any]", document)


def _short(value: t.Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else text[:77] + "..."
