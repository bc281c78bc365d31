# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people signed about a plan counts for exactly that plan, here and now, once for each person."""

from __future__ import annotations

import json
import os
import pathlib
import re
import resource
import subprocess
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._canonical import canonical
from ansible_collections.day2.codex.plugins.module_utils._contract.document import problems
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates import approval

ROOT = pathlib.Path(__file__).resolve().parents[5]
NOW = 1_800_000_000.0
HOUR = 3600.0
PEOPLE = ("alice", "bob", "carol")


def _plan(**other: t.Any) -> dict[str, t.Any]:
    plan = {
        "id": "20260115T031500Z-9f86d081",
        "sha256": "a" * 64,
        "patch_sha256": "b" * 64,
        "base_sha256": "c" * 64,
        "slice_sha256": "d" * 64,
        "policy_sha256": "e" * 64,
        "host_id": "f" * 32,
        "nonce": "0" * 32,
        "requested_by": ["unix:dave"],
    }
    return {**plan, **other}


@pytest.fixture(name="keys", scope="module")
def _keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    folder = tmp_path_factory.mktemp("keys")
    for name in (*PEOPLE, "mallory", "alice2"):
        command = ["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", str(folder / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return {name: folder / name for name in (*PEOPLE, "mallory", "alice2")}


class Host:
    """A host with a plan, and people who decide about it."""

    def __init__(self, folder: pathlib.Path, keys: dict[str, pathlib.Path]) -> None:
        self.keys = keys
        self.run = folder / "run"
        self.run.mkdir()
        self.signers = folder / "allowed_signers"
        self.terms: dict[str, t.Any] = {
            "signers": str(self.signers),
            "revoked": str(folder / "revoked_signers"),
            "owners": {os.geteuid()},
            "people": {},
            "max_age": 7 * 24 * HOUR,
            "now": NOW,
        }
        self.plan = _plan()
        self.allow({name: [name] for name in PEOPLE})

    def allow(self, who: t.Mapping[str, t.Sequence[str]]) -> None:
        lines = [f'{name} namespaces="codex-ops-approval" {self.keys[key].with_suffix(".pub").read_text()}' for name, keys in who.items() for key in keys]
        self.signers.write_text("".join(lines))
        self.signers.chmod(0o644)

    def says(self, approver: str, decision: str = "approve", plan: t.Mapping[str, t.Any] | None = None, **more: t.Any) -> str:
        return approval.statement(plan or self.plan, decision=decision, approver=approver, **{"now": NOW, **more})

    def sign(self, text: str, key: str) -> str:
        command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "codex-ops-approval", "-f", str(self.keys[key])]
        return subprocess.run(command, input=text.encode(), check=True, capture_output=True).stdout.decode()

    def record(self, text: str, key: str, **terms: t.Any) -> tuple[approval.Approval, bool]:
        return approval.record(str(self.run), self.plan, text, self.sign(text, key), **{**self.terms, **terms})

    def decide(self, name: str, decision: str = "approve", **more: t.Any) -> tuple[approval.Approval, bool]:
        return self.record(self.says(name, decision, **more), name)

    def standing(self, needed: int = 1, **terms: t.Any) -> approval.Standing:
        return approval.standing(str(self.run), self.plan, needed=needed, **{**self.terms, **terms})

    def refuses(self, code: str, text: str, key: str, outcome: str = "forbidden", **terms: t.Any) -> CodexOpsError:
        before = sorted(self.run.rglob("*"))
        with pytest.raises(CodexOpsError) as caught:
            self.record(text, key, **terms)
        assert (caught.value.code, caught.value.outcome) == (code, outcome), caught.value
        assert sorted(self.run.rglob("*")) == before, "a refused decision was kept"
        return caught.value


@pytest.fixture(name="host")
def _host(tmp_path: pathlib.Path, keys: dict[str, pathlib.Path]) -> Host:
    return Host(tmp_path, keys)


# --- what counts ------------------------------------------------------------------------------------------------------


def test_a_signed_approval_is_kept_and_counts(host: Host) -> None:
    given, new = host.decide("alice", comment="Looks right.\nÄ \u202e")
    assert new and (given.approver, given.decision, given.comment) == ("alice", "approve", "Looks right.\nÄ \u202e")
    found = host.standing()
    assert (found.granted, found.rejected, found.missing, found.reasons) == ([given], [], 0, [])
    assert set(given.as_dict()) == {"sha256", "plan", "decision", "approver", "key", "issued", "expires", "comment"}
    kept = list((host.run / "approvals").iterdir())
    assert [path.name for path in kept] == [f"{given.sha256}.json"] and kept[0].stat().st_mode & 0o777 == 0o600


def test_the_same_statement_again_is_nothing_new(host: Host) -> None:
    text = host.says("alice")
    assert [host.record(text, "alice")[1], host.record(text, "alice")[1], host.record(text + "\n", "alice")[1]] == [True, False, False]
    assert len(list((host.run / "approvals").iterdir())) == 1


def test_two_approvals_need_two_people(host: Host) -> None:
    host.allow({"alice": ["alice", "alice2"], "bob": ["bob"]})
    host.decide("alice")
    host.decide("alice", now=NOW + 1)
    host.record(host.says("alice", now=NOW + 2), "alice2")
    found = host.standing(2, now=NOW + 5)
    assert ([one.approver for one in found.granted], found.missing) == (["alice"], 1)
    host.decide("bob")
    found = host.standing(2, now=NOW + 5)
    assert (sorted(one.approver for one in found.granted), found.missing) == (["alice", "bob"], 0)


def test_two_names_that_policy_or_spelling_gives_one_person_are_one(host: Host) -> None:
    for names, people in (
        (("alice", "bob"), {"alice": ["unix:al"], "bob": ["unix:al"]}),
        (("alice", "Alice"), {}),
        (("alice@laptop", "alice@desk"), {}),
        (("alice", "bob"), {"bob": ["alice"]}),
    ):
        host.allow({names[0]: ["alice"], names[1]: ["bob"]})
        host.record(host.says(names[0]), "alice")
        host.record(host.says(names[1]), "bob")
        found = host.standing(2, people=people)
        assert found.missing == 1 and "same person" in found.reasons[0], names
        for path in (host.run / "approvals").iterdir():
            path.unlink()


def test_one_key_under_two_names_opens_nothing(host: Host) -> None:
    host.decide("alice")
    host.allow({"alice": ["alice"], "bob": ["alice"]})
    host.refuses("signers_invalid", host.says("bob"), "alice")
    with pytest.raises(CodexOpsError) as caught:
        host.standing(2)
    assert caught.value.code == "signers_invalid"


@pytest.mark.parametrize(
    ("approver", "asked", "people"),
    [
        ("alice", "unix:alice", {}),
        ("alice", "awx:Alice", {}),
        ("alice", "alice", {}),
        ("alice@example.com", "unix:alice", {}),
        ("alice", "ssh:alice@example.com", {}),
        ("alice", "awx:a.smith", {"alice": ["awx:a.smith"]}),
        ("alice", "unix:a.smith", {"ALICE": ["a.smith"]}),
        ("alice", "sudo:a.smith", {"alice": ["x", "A.Smith"]}),
    ],
)
def test_nobody_approves_their_own_request(host: Host, approver: str, asked: str, people: dict[str, list[str]]) -> None:
    host.allow({approver: ["alice"], "bob": ["bob"]})
    host.plan = _plan(requested_by=["unix:root", asked])
    assert asked in str(host.refuses("own_request", host.says(approver), "alice", people=people))
    with pytest.raises(CodexOpsError) as caught:
        approval.offer(host.plan, decision="approve", approver=approver, people=people, max_age=HOUR * 24, now=NOW)
    assert caught.value.code == "own_request"
    # Another person may, and whoever asked may take it back.
    assert host.record(host.says("bob"), "bob", people=people)[1]
    assert host.record(host.says(approver, "reject"), "alice", people=people)[1]


def test_a_name_that_came_another_way_is_somebody_else_where_policy_says_the_way(host: Host) -> None:
    host.plan = _plan(requested_by=["unix:smith"])
    assert host.record(host.says("alice"), "alice", people={"alice": ["awx:smith"]})[1]


def test_who_asked_is_looked_at_again_when_it_is_used(host: Host) -> None:
    host.decide("alice")
    found = host.standing(people={"alice": ["unix:dave"]})
    assert found.missing == 1 and "own request" in found.reasons[0]


def test_a_line_feed_that_got_lost_behind_what_was_signed_does_not_matter(host: Host) -> None:
    text = host.says("alice")
    given, new = approval.record(str(host.run), host.plan, text, host.sign(text + "\n", "alice"), **host.terms)
    assert new and host.standing().granted == [given]


# --- what is bound ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("id", "20260115T031500Z-00000000", "plan_mismatch"),
        ("sha256", "1" * 64, "plan_mismatch"),
        ("patch_sha256", "1" * 64, "plan_mismatch"),
        ("base_sha256", "1" * 64, "plan_mismatch"),
        ("slice_sha256", "1" * 64, "plan_mismatch"),
        ("nonce", "1" * 32, "plan_mismatch"),
        ("policy_sha256", "1" * 64, "policy_changed"),
        ("policy_sha256", None, "policy_changed"),
        ("host_id", "1" * 32, "host_mismatch"),
    ],
)
def test_a_statement_about_anything_else_is_refused_when_it_is_kept_and_when_it_is_used(host: Host, key: str, value: t.Any, code: str) -> None:
    text = host.says("alice", plan=_plan(**{key: value}))
    host.refuses(code, text, "alice")
    host.decide("alice")
    assert host.standing().missing == 0
    host.plan = _plan(**{key: value})
    found = host.standing()
    assert found.missing == 1 and len(found.reasons) == 1


def test_a_changed_byte_of_the_statement_voids_it(host: Host) -> None:
    text = host.says("alice")
    signature = host.sign(text, "alice")
    for other in (host.says("alice", comment="x"), host.says("alice", expires_in=25 * HOUR), text.replace("approve", "reject")):
        with pytest.raises(CodexOpsError) as caught:
            approval.record(str(host.run), host.plan, other, signature, **host.terms)
        assert caught.value.code in ("signature_invalid", "statement_invalid")
    assert not (host.run / "approvals").exists()


def test_a_self_made_and_a_borrowed_signature_are_refused(host: Host) -> None:
    host.refuses("signer_unknown", host.says("alice"), "mallory")
    host.refuses("signer_mismatch", host.says("alice"), "bob")
    host.refuses("signer_unknown", host.says("mallory"), "mallory")


def test_a_signature_over_another_plan_is_refused(host: Host) -> None:
    other = host.sign(host.says("alice", plan=_plan(sha256="1" * 64)), "alice")
    with pytest.raises(CodexOpsError) as caught:
        approval.record(str(host.run), host.plan, host.says("alice"), other, **host.terms)
    assert caught.value.code == "signature_invalid"


def test_who_is_taken_out_of_the_file_or_revoked_counts_no_longer(host: Host) -> None:
    host.decide("alice")
    host.decide("bob")
    assert host.standing(2).missing == 0
    host.allow({"bob": ["bob"]})
    found = host.standing(2)
    assert (found.missing, len(found.reasons)) == (1, 1)
    revoked = pathlib.Path(host.terms["revoked"])
    revoked.write_text(host.keys["bob"].with_suffix(".pub").read_text())
    revoked.chmod(0o600)
    found = host.standing(2)
    assert found.missing == 2 and any("revoked" in reason for reason in found.reasons)
    host.refuses("key_revoked", host.says("bob", comment="again"), "bob")
    host.signers.chmod(0o666)
    with pytest.raises(CodexOpsError) as caught:
        host.standing(2)
    assert caught.value.code == "signers_unsafe"


# --- when -------------------------------------------------------------------------------------------------------------


def test_an_approval_ends_to_the_second(host: Host) -> None:
    host.decide("alice", expires_in=HOUR)
    assert host.standing(now=NOW + HOUR - 1).missing == 0
    found = host.standing(now=NOW + HOUR)
    assert found.missing == 1 and "expired" in found.reasons[0]
    host.refuses("approval_expired", host.says("bob", now=NOW - 2 * HOUR, expires_in=HOUR), "bob")


def test_an_approval_from_the_future_or_for_too_long_is_refused(host: Host) -> None:
    host.refuses("approval_future", host.says("alice", now=NOW + 2 * approval.CLOCK), "alice")
    assert "7d" in str(host.refuses("approval_too_long", host.says("alice", expires_in=8 * 24 * HOUR), "alice"))
    backwards = json.loads(host.says("alice"))
    backwards["issued"], backwards["expires"] = backwards["expires"], backwards["issued"]
    host.refuses("approval_future", canonical(backwards).decode(), "alice")
    backwards = json.loads(host.says("alice", now=NOW - HOUR))
    backwards["issued"], backwards["expires"] = backwards["issued"], backwards["issued"]
    host.refuses("approval_too_long", canonical(backwards).decode(), "alice")
    with pytest.raises(CodexOpsError) as caught:
        approval.offer(host.plan, decision="approve", approver="alice", expires_in=HOUR * 25, people={}, max_age=HOUR * 24, now=NOW)
    assert caught.value.code == "approval_too_long"


def test_a_shorter_age_in_policy_binds_what_was_signed_before(host: Host) -> None:
    host.decide("alice", expires_in=24 * HOUR)
    assert host.standing(max_age=HOUR).missing == 1


# --- rejections -------------------------------------------------------------------------------------------------------


def test_a_rejection_voids_the_plan_for_ever(host: Host) -> None:
    host.decide("alice")
    host.decide("bob")
    given, new = host.decide("carol", "reject", comment="Not on a Friday.", expires_in=HOUR)
    assert new and given.decision == "reject"
    found = host.standing(2)
    assert [one.approver for one in found.rejected] == ["carol"]
    host.refuses("plan_rejected", host.says("alice", comment="all the same"), "alice")
    # Not even when it expires, or when whoever rejected goes.
    host.allow({"alice": ["alice"], "bob": ["bob"]})
    assert host.standing(2, now=NOW + 2 * HOUR).rejected
    kept = approval.rejection(str(host.run), host.plan)
    assert kept is not None and (kept.approver, kept.comment) == ("carol", "Not on a Friday.")


def test_a_rejection_must_be_signed_as_well(host: Host) -> None:
    host.refuses("signer_unknown", host.says("mallory", "reject"), "mallory")
    host.refuses("approval_expired", host.says("alice", "reject", now=NOW - 2 * HOUR, expires_in=HOUR), "alice")
    host.refuses("plan_mismatch", host.says("alice", "reject", plan=_plan(sha256="1" * 64)), "alice")
    assert approval.rejection(str(host.run), host.plan) is None


# --- hostile input ----------------------------------------------------------------------------------------------------


def _statements(host: Host) -> t.Iterator[t.Any]:
    good = json.loads(host.says("alice"))
    yield from (None, 7, [], {}, "", "{}", "[]", "null", "1", "x" * 100, b"\xff\xfe", "\ufeff{}", "[" * 100000, '{"a":' * 5000, "9" * 16000, "NaN")
    yield json.dumps(good)
    yield json.dumps(good, indent=1)
    yield " " + host.says("alice")
    yield host.says("alice") + "\n\n"
    yield host.says("alice") + " "
    yield host.says("alice") + host.says("alice")
    yield host.says("alice").replace('{"approver"', '{"approver":"bob","approver"')
    yield host.says("alice").replace('"version":1', '"version":1,"version":1')
    for key in good:
        yield canonical({name: value for name, value in good.items() if name != key}).decode()
        for value in (None, 1, True, 1.0, [], {}, "", "x\n", "\0", "*", "-x", "a b", "x" * 20000):
            changed = {**good, key: value}
            fine = (key == "policy_sha256" and value is None) or (key == "version" and value == 1 and not isinstance(value, (bool, float)))
            fine = fine or (key == "comment" and isinstance(value, str) and len(value) < 1000) or (key in ("host_id",) and value in ("-x",))
            fine = fine or (key == "plan" and value == "-x")
            if not fine:
                yield canonical(changed).decode()
    yield canonical({**good, "more": 1}).decode()
    yield canonical({**good, "comment": "\udcff"}).decode()
    yield canonical({**good, "issued": "2027-02-31T00:00:00Z"}).decode()
    yield canonical({**good, "issued": "0000-01-01T00:00:00Z"}).decode()
    yield canonical({**good, "expires": "2027-01-01T24:00:00Z"}).decode()


def test_a_hostile_statement_is_refused_in_words(host: Host) -> None:
    count = 0
    for text in _statements(host):
        with pytest.raises(CodexOpsError) as caught:
            approval.check(host.plan, text, "", **host.terms)
        assert (caught.value.code, caught.value.outcome) == ("statement_invalid", "rejected"), text
        assert len(str(caught.value)) < 600
        count += 1
    assert count > 150


def test_a_statement_of_a_newer_engine_is_said_to_be_that(host: Host) -> None:
    host.refuses("newer_state", canonical({**json.loads(host.says("alice")), "version": 2}).decode(), "alice", "newer_state")


@pytest.mark.parametrize("name", ["", "-f", "--help", "al ice", "alice\n", "alice\nbob", "*", "a" * 200, "älice", "alice,bob", "!bob", "a\0"])
def test_no_strange_name_gets_a_statement(host: Host, name: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        host.says(name)
    assert caught.value.code == "statement_invalid"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"{}", b'{"version":1,"statement":"{}","signature":""}', b"x" * 100000])
def test_what_cannot_be_read_again_closes(host: Host, content: bytes) -> None:
    host.decide("alice")
    (host.run / "approvals" / ("0" * 64 + ".json")).write_bytes(content)
    for ask in (host.standing, lambda: approval.rejection(str(host.run), host.plan), lambda: host.decide("bob")):
        with pytest.raises(CodexOpsError) as caught:
            ask()
        assert (caught.value.code, caught.value.outcome) == ("approvals_damaged", "forbidden")


def test_a_decision_under_another_name_and_special_files_close(host: Host, tmp_path: pathlib.Path) -> None:
    host.decide("alice")
    kept = next((host.run / "approvals").iterdir())
    other = kept.with_name("1" * 64 + ".json")

    def closed() -> None:
        with pytest.raises(CodexOpsError) as caught:
            host.standing()
        assert caught.value.code == "approvals_damaged"

    os.link(kept, other)
    closed()
    other.unlink()
    other.symlink_to(kept)
    closed()
    other.unlink()
    os.mkfifo(other)
    closed()
    other.unlink()
    other.mkdir()
    closed()
    other.rmdir()
    assert host.standing().missing == 0
    (host.run / "approvals").rename(tmp_path / "elsewhere")
    (host.run / "approvals").symlink_to(tmp_path / "elsewhere")
    closed()


def test_what_a_crash_left_half_written_is_nothing(host: Host) -> None:
    host.decide("alice")
    (host.run / "approvals" / ".a1b2c3").write_bytes(b'{"vers')
    assert host.standing().missing == 0


def test_on_a_full_disk_a_decision_is_kept_whole_or_not_at_all(host: Host) -> None:
    text = host.says("alice")
    signature = host.sign(text, "alice")
    given = approval.check(host.plan, text, signature, **host.terms)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size, ask in (
        (64, lambda: approval.record(str(host.run), host.plan, text, signature, **host.terms)),
        (64, lambda: approval._keep(str(host.run), given.sha256, b"x" * 1000)),
    ):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(CodexOpsError) as caught:
                ask()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.code == "disk_full", caught.value
        assert not [path for path in host.run.rglob("*") if path.is_file()]
    assert approval.record(str(host.run), host.plan, text, signature, **host.terms)[1]


def test_an_approval_written_past_the_engine_does_not_count(host: Host) -> None:
    """Whoever can write the folder still cannot sign."""
    import hashlib

    for text, key in ((host.says("mallory"), "mallory"), (host.says("alice"), "mallory")):
        name = hashlib.sha256(text.encode()).hexdigest()
        (host.run / "approvals").mkdir(exist_ok=True)
        (host.run / "approvals" / f"{name}.json").write_bytes(canonical({"version": 1, "statement": text, "signature": host.sign(text, key)}))
    found = host.standing()
    assert found.missing == 1 and len(found.reasons) == 2


# --- the published form -----------------------------------------------------------------------------------------------


def test_a_statement_has_the_published_form_and_no_other(host: Host) -> None:
    schema = json.loads((ROOT / "schemas/approval.schema.json").read_text())
    good = json.loads(host.says("alice", comment="x"))
    assert not problems(good, schema) and set(schema["required"]) == set(schema["properties"]) == set(good)
    for key in good:
        for value in (None, 1, True, 2, [], "", "x", "-x", "x" * 3000, "approve", "2027-01-15T08:00:00Z", "2027-01-15T08:00:60Z", "a" * 64, "a" * 32):
            document = {**good, key: value}
            try:
                approval.read_statement(canonical(document))
                taken = True
            except CodexOpsError:
                taken = False
            assert taken == (not problems(document, schema)), (key, value)


def test_the_texts_of_refusals_show_no_path_of_a_temporary_folder(host: Host) -> None:
    assert not re.search("codex-ops-verify-", str(host.refuses("signer_mismatch", host.says("alice"), "bob")))
