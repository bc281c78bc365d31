# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Approvals: the signed decisions about one plan, and which of them count. PRIVATE.

The names of who asked are in the plan (``requested_by``): ``unix:alice``, ``sudo:alice``, ``ssh:...``, ``awx:alice``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import re
import stat
import typing as t

from .._canonical import canonical
from .._errors import CodexOpsError
from . import signers as signatures
from .statement import BOUND, DECISIONS, DEFAULT_EXPIRY, bound, read_statement, seconds_of, statement

__all__ = ["DECISIONS", "DEFAULT_EXPIRY", "Approval", "Standing", "check", "offer", "read_statement", "record", "rejection", "standing", "statement"]

#: Seconds that an approval may hold at most where policy says nothing.
MAX_AGE = 7 * 24 * 3600
#: Seconds by which the clock of whoever issued a statement may go ahead.
CLOCK = 300
#: Decisions that are kept of one plan.
MAX_KEPT = 100

_FOLDER = "approvals"
_NAME = re.compile(r"([0-9a-f]{64})\.json")
_MAX_RECORD = 64 * 1024
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclasses.dataclass(frozen=True)
class Approval:
    """One decision of one person, verified. ``key`` is the fingerprint of the key, ``material`` tells keys apart."""

    sha256: str
    plan: str
    decision: str
    approver: str
    key: str
    material: str
    issued: str
    expires: str
    comment: str

    def as_dict(self) -> dict[str, t.Any]:
        """What results and records say of it."""
        return {key: value for key, value in dataclasses.asdict(self).items() if key != "material"}


@dataclasses.dataclass(frozen=True)
class Standing:
    """What the decisions about a plan come to.

    ``granted`` are approvals that count, each of another person with another key. ``rejected`` are rejections: one is enough, for ever.
    ``missing`` approvals are still wanted. ``reasons`` says in sentences why the other decisions do not count.
    """

    granted: list[Approval]
    rejected: list[Approval]
    missing: int
    reasons: list[str]


def _no(message: str, code: str, outcome: str = "forbidden", hint: str | None = None, where: str | None = None) -> CodexOpsError:
    return CodexOpsError(message, code=code, outcome=outcome, hint=hint, where=where)


def _fits(said: t.Mapping[str, t.Any], plan: t.Mapping[str, t.Any]) -> None:
    """Whether the statement is about exactly this plan."""
    wanted = {"plan": plan["id"], **bound(plan)}
    if said["host_id"] != wanted["host_id"]:
        raise _no("The statement was made for another host.", "host_mismatch")
    if said["plan"] != wanted["plan"]:
        raise _no(f"The statement is about the plan {said['plan']}, not about {wanted['plan']}.", "plan_mismatch")
    for key in BOUND:
        if said[key] != wanted[key]:
            word = "another policy" if key == "policy_sha256" else "another version of the plan"
            code = "policy_changed" if key == "policy_sha256" else "plan_mismatch"
            raise _no(f"The statement was made for {word} ({key} differs).", code, hint="Look at the plan again and sign what is there now.")


def _timely(said: t.Mapping[str, t.Any], now: float, max_age: float) -> None:
    issued, expires = seconds_of(said["issued"]), seconds_of(said["expires"])
    if issued > now + CLOCK:
        raise _no(f"The statement was issued at {said['issued']}, which is yet to come.", "approval_future", hint="Set the clocks right.")
    if expires <= issued or expires - issued > max_age:
        raise _no(
            f"The approval would hold from {said['issued']} to {said['expires']}; policy lets one hold for {_span(max_age)} at most.",
            "approval_too_long",
            hint="Set a shorter expires_in.",
        )
    if now >= expires:
        raise _no(f"The approval of {said['approver']} expired at {said['expires']}.", "approval_expired", hint="Look at the plan again and sign anew.")


def _span(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def known_as(approver: str, people: t.Mapping[str, t.Sequence[str]]) -> set[str]:
    """The names of *approver*: as given, what stands before an ``@``, and what policy says; small letters only.

    A name with a prefix (``awx:alice``) is known by that way alone, a bare one by every way.
    """
    names = {approver, approver.partition("@")[0]}
    for name, more in people.items():
        if name.casefold() == approver.casefold():
            names.update(str(each) for each in more)
    return {name.casefold() for name in names if name}


def _bare(approver: str, people: t.Mapping[str, t.Sequence[str]]) -> set[str]:
    """The names of *approver* by whatever way: who has one of them in common with somebody else may be the same person."""
    return {name.partition(":")[2] or name for name in known_as(approver, people)}


def asked_by(approver: str, requested_by: t.Sequence[str], people: t.Mapping[str, t.Sequence[str]]) -> str | None:
    """The name under which *approver* asked for the plan themself, or ``None``."""
    mine = known_as(approver, people)
    for name in requested_by:
        bare = name.partition(":")[2] or name
        if {name.casefold(), bare.casefold(), bare.partition("@")[0].casefold()} & mine:
            return name
    return None


def _may_approve(approver: str, plan: t.Mapping[str, t.Any], people: t.Mapping[str, t.Sequence[str]]) -> None:
    asked = asked_by(approver, plan.get("requested_by") or [], people)
    if asked is not None:
        raise _no(f"{approver} asked for this plan (as {asked}), and nobody approves their own request.", "own_request", hint="Ask somebody else.")


def offer(
    plan: t.Mapping[str, t.Any],
    *,
    decision: str,
    approver: str,
    expires_in: float = DEFAULT_EXPIRY,
    comment: str = "",
    people: t.Mapping[str, t.Sequence[str]],
    max_age: float,
    now: float,
) -> str:
    """The statement for *approver* to sign, if it could count: what is refused anyway is refused before anybody signs.

    :raises CodexOpsError: ``statement_invalid``, ``approval_too_long`` or ``own_request``.
    """
    text = statement(plan, decision=decision, approver=approver, expires_in=expires_in, comment=comment, now=now)
    if decision == "approve":
        _timely(read_statement(text), now, max_age)
        _may_approve(approver, plan, people)
    return text


def rejection(run_dir: str, plan: t.Mapping[str, t.Any]) -> Approval | None:
    """The rejection of *plan* that is kept in its run folder, if there is one. No key is looked at.

    :raises CodexOpsError: ``approvals_damaged``, outcome ``forbidden``.
    """
    for text, _signature in _kept(run_dir).values():
        said = read_statement(text)
        if said["decision"] == "reject" and said["plan_sha256"] == plan["sha256"]:
            return _approval(text, said, "", "")
    return None


def check(
    plan: t.Mapping[str, t.Any],
    statement_text: str,
    signature: t.Any,
    *,
    signers: str,
    revoked: str | None,
    owners: t.Collection[int],
    people: t.Mapping[str, t.Sequence[str]],
    max_age: float,
    now: float,
    scratch: str | None = None,
) -> Approval:
    """The decision that *signature* makes of *statement_text*, if it counts for *plan* here and now.

    A rejection needs a good signature of somebody who may sign; whoever asked may reject as well, and policy's age is not its limit.

    :arg signers: The path of allowed_signers; *revoked* that of the revoked keys, which need not exist.
    :arg owners: The user IDs that these two may belong to.
    :arg people: Policy's names of people: ``{approver: [names under which they ask]}``.
    :arg max_age: Seconds for which an approval may hold at most. *now* is in seconds since the epoch.
    :raises CodexOpsError: outcome ``rejected`` (``statement_invalid``) or ``forbidden``: ``plan_mismatch``, ``host_mismatch``,
        ``policy_changed``, ``approval_future``, ``approval_too_long``, ``approval_expired``, ``own_request``, and what
        :func:`signers.verify` raises.
    """
    said = read_statement(statement_text)
    _fits(said, plan)
    _timely(said, now, max_age if said["decision"] == "approve" else 10 * 366 * 86400 + 1)
    if said["decision"] == "approve":
        _may_approve(said["approver"], plan, people)
    message = statement_text.encode("ascii")
    asked: dict[str, t.Any] = {"signers": signers, "revoked_keys": revoked, "owners": owners, "scratch": scratch}
    try:
        signer = signatures.verify(message, signature, said["approver"], **asked)
    except CodexOpsError as error:
        if error.code != "signature_invalid" or message.endswith(b"\n"):
            raise
        # A file that was signed ends in a line feed more often than not, and gets lost where it is read.
        signer = signatures.verify(message + b"\n", signature, said["approver"], **asked)
    return _approval(statement_text, said, signer.key.fingerprint, signer.key.material)


def _approval(text: str, said: t.Mapping[str, t.Any], fingerprint: str, material: str) -> Approval:
    keys = ("plan", "decision", "approver", "issued", "expires", "comment")
    return Approval(sha256=_name_of(text), key=fingerprint, material=material, **{key: said[key] for key in keys})


def _name_of(text: str) -> str:
    return hashlib.sha256(text.rstrip("\n").encode("ascii")).hexdigest()


def record(run_dir: str, plan: t.Mapping[str, t.Any], statement_text: str, signature: str, **terms: t.Any) -> tuple[Approval, bool]:
    """Verify one decision and keep it with the plan, on disk when this returns. The decision, and whether it is new.

    :arg run_dir: The plan's run folder.
    :arg terms: As :func:`check` takes them.
    :raises CodexOpsError: what :func:`check` raises; ``plan_rejected`` for an approval after a rejection; ``approvals_too_many``,
        ``approvals_damaged``, ``disk_full`` or ``state_unwritable``.
    """
    given = check(plan, statement_text, signature, **terms)
    kept = _kept(run_dir)
    if given.sha256 in kept:
        return given, False
    by = rejection(run_dir, plan) if given.decision == "approve" else None
    if by is not None:
        raise _no(f"{by.approver} rejected this plan; nobody can approve it any more.", "plan_rejected", hint="Make a new plan.")
    if len(kept) >= MAX_KEPT and given.decision == "approve":
        raise _no(f"{len(kept)} decisions about this plan are kept already.", "approvals_too_many", hint="Make a new plan.")
    _keep(run_dir, given.sha256, canonical({"version": 1, "statement": statement_text, "signature": signature}))
    return given, True


def standing(run_dir: str, plan: t.Mapping[str, t.Any], *, needed: int, **terms: t.Any) -> Standing:
    """What the kept decisions about *plan* come to now: each is verified again.

    A rejection counts whatever became of it: it was verified when it was kept, and a key that is withdrawn since makes no plan good.

    :arg needed: How many approvals policy wants.
    :arg terms: As :func:`check` takes them.
    :raises CodexOpsError: ``approvals_damaged``, outcome ``forbidden``; ``signers_...`` and ``revoked_...`` as :func:`signers.verify`.
    """
    granted: list[Approval] = []
    rejected: list[Approval] = []
    reasons: list[str] = []
    people = terms["people"]
    for text, signature in _kept(run_dir).values():
        said = read_statement(text)
        if said["decision"] == "reject" and said["plan_sha256"] == plan["sha256"]:
            rejected.append(_approval(text, said, "", ""))
            continue
        try:
            given = check(plan, text, signature, **terms)
        except CodexOpsError as error:
            if error.code.startswith(("signers_", "revoked_", "ssh_keygen_", "disk_", "verification_")):
                raise
            reasons.append(f"{said['approver']}: {error.message}")
            continue
        same = next((one for one in granted if one.material == given.material or _bare(one.approver, people) & _bare(given.approver, people)), None)
        if same is None:
            granted.append(given)
        elif same.approver != given.approver:
            reasons.append(f"{given.approver}: {same.approver} is the same person, or has the same key.")
    return Standing(granted, rejected, max(0, needed - len(granted)), reasons)


def _damaged(why: str, where: str) -> CodexOpsError:
    return _no(f"What is kept of the decisions about this plan is damaged: {why}.", "approvals_damaged", hint="Make a new plan.", where=where)


def _kept(run_dir: str) -> dict[str, tuple[str, str]]:
    """``{digest: (statement, signature)}`` of the decisions in *run_dir*, in the order of their digests."""
    where = os.path.join(run_dir, _FOLDER)
    try:
        folder = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _damaged(str(error.strerror), where) from None
    try:
        names = sorted(name for name in os.listdir(folder) if _NAME.fullmatch(name))
        if len(names) > 2 * MAX_KEPT:
            raise _damaged(f"there are {len(names)} files", where)
        return {name[:64]: _one(folder, name, where) for name in names}
    except OSError as error:
        raise _damaged(str(error.strerror), where) from None
    finally:
        os.close(folder)


def _one(folder: int, name: str, where: str) -> tuple[str, str]:
    handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=folder)
    try:
        raw = b""
        if stat.S_ISREG(os.fstat(handle).st_mode):
            with os.fdopen(handle, "rb", closefd=False) as file:
                raw = file.read(_MAX_RECORD + 1)
    finally:
        os.close(handle)
    try:
        document = json.loads(raw[:_MAX_RECORD])
        text, signature = document["statement"], document["signature"]
        if set(document) != {"version", "statement", "signature"} or not isinstance(signature, str):
            raise ValueError("wrong keys")
        read_statement(text)
    except (ValueError, KeyError, TypeError, RecursionError, CodexOpsError):
        raise _damaged(f"{name} is no decision", where) from None
    if _name_of(text) != name[:64]:
        raise _damaged(f"{name} holds another decision", where)
    return text, signature


def _keep(run_dir: str, sha256: str, content: bytes) -> None:
    """Write one decision, all or nothing, and on disk when this returns."""
    where = os.path.join(run_dir, _FOLDER)
    beside = f".{os.urandom(6).hex()}"
    above = folder = -1
    try:
        above = os.open(run_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with contextlib.suppress(FileExistsError):
            os.mkdir(_FOLDER, 0o700, dir_fd=above)
            os.fsync(above)
        folder = os.open(_FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        try:
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(handle)
            os.rename(beside, sha256 + ".json", src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside, dir_fd=folder)
            raise
        os.fsync(folder)
    except OSError as error:
        code = "disk_full" if error.errno in _NO_SPACE else "state_unwritable"
        raise _no(f"The decision could not be kept: {error.strerror}.", code, "rejected", "Make room, or check rights there.", where) from None
    finally:
        for handle in (above, folder):
            if handle >= 0:
                os.close(handle)
