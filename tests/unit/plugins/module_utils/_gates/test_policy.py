# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A policy that is not surely its owner's, or not surely right, closes every gate and says why."""

from __future__ import annotations

import copy
import json
import os
import pathlib
import random
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._canonical import digest
from ansible_collections.day2.codex.plugins.module_utils._contract.document import load_schema, problems
from ansible_collections.day2.codex.plugins.module_utils._contract.quick import misfit
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates import defaults
from ansible_collections.day2.codex.plugins.module_utils._gates.policy import Action, Cleanup, Limits, Pin, load, standing

OWNERS = frozenset({os.geteuid()})
EXAMPLE: dict[str, t.Any] = {
    "version": 1,
    "categories": {"configuration_change": {"autonomy": "approval", "approvals": 3}, "log_review": {"autonomy": "automatic"}},
    "slices": {"inbox-public-identity": {"sha256": "0" * 64, "workspace": "/srv/inbox"}},
    "ad_hoc": "category",
    "provider": {"base_url": "https://api.openai.com/v1", "api_key_file": "/etc/codex-ops/secrets/provider-key", "cassettes": True},
    "actions": {"restart-inbox": {"argv": ["/usr/bin/systemctl", "restart", "inbox"], "per_hour": 2, "critical": False}},
    "cleanup": [{"path": "/var/cache/app/", "older_than": "7d", "max_bytes": "2G"}],
    "limits": {"tokens_per_day": 5000, "runs_per_hour": 6},
    "forbidden_paths": ["/srv/inbox/keys", "*.pem"],
    "people": {"alice@example.com": ["unix:alice", "awx:alice"]},
    "approval": {"max_age": "2h"},
}


@pytest.fixture(name="path")
def _path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "policy.json"


def _write(path: pathlib.Path, document: t.Any) -> str:
    path.write_text(json.dumps(document))
    path.chmod(0o644)
    return str(path)


def _refused(path: str, owners: t.Collection[int] = OWNERS) -> CodexOpsError:
    with pytest.raises(CodexOpsError) as caught:
        load(path, owners)
    assert caught.value.hint and str(path) in str(caught.value.where)
    # What cannot be loaded closes the gates and raises nothing.
    rules = standing([(path, owners, True)])
    assert rules.closed is not None and rules.closed.code == caught.value.code and rules.sha256 is None
    return caught.value


def test_everything_that_a_policy_says_is_understood(path: pathlib.Path) -> None:
    policy = load(_write(path, EXAMPLE), OWNERS)
    assert policy.sha256 == digest(EXAMPLE)
    assert policy.categories == {**defaults.CATEGORIES, "configuration_change": ("approval", 3), "log_review": ("automatic", 0)}
    assert policy.slices == {"inbox-public-identity": Pin("0" * 64, "/srv/inbox")}
    assert policy.ad_hoc == "category" and policy.provider["cassettes"] is True
    assert policy.actions == {"restart-inbox": Action(("/usr/bin/systemctl", "restart", "inbox"), 2, 60, False)}
    assert policy.cleanup == (Cleanup("/var/cache/app", 7 * 86400, 2 * 1024**3),)
    assert policy.limits == Limits(5000, 6) and policy.max_age == 7200
    assert policy.people == {"alice@example.com": ("unix:alice", "awx:alice")}


def test_the_example_of_the_guide_is_a_policy(path: pathlib.Path) -> None:
    guide = (pathlib.Path(__file__).resolve().parents[5] / "docs/docsite/rst/guide_gates.rst").read_text("utf-8")
    policy = load(_write(path, json.loads(guide.split(":caption: config: policy.json")[1].split("\n\nOnly")[0])), OWNERS)
    assert policy.forbidden.meant_by("/srv/inbox/keys/a") and policy.actions["restart-inbox"].per_hour == 2


def test_what_it_leaves_out_takes_the_default(path: pathlib.Path) -> None:
    policy = load(_write(path, {"version": 1}), OWNERS)
    assert policy.categories == defaults.CATEGORIES and policy.limits == Limits(2000000, 600)
    assert policy.ad_hoc == "approval" and policy.provider == {"cassettes": False} and policy.max_age == 7 * 86400
    assert not policy.slices and not policy.actions and not policy.cleanup and not policy.people


def test_a_category_keeps_its_number_of_approvals_and_an_action_is_critical_until_it_is_said_not_to_be(path: pathlib.Path) -> None:
    document = {"version": 1, "categories": {name: {"autonomy": "approval"} for name in ("database_migration", "health_check", "new_one")}}
    document["actions"] = {"a": {"argv": ["/bin/true"], "per_hour": 1}}
    policy = load(_write(path, document), OWNERS)
    assert [policy.categories[name] for name in ("database_migration", "health_check", "new_one")] == [("approval", 2), ("approval", 1), ("approval", 1)]
    assert policy.actions["a"].critical


# --- whose it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o622, 0o777, 0o1666])
def test_a_file_that_others_can_write_is_refused(path: pathlib.Path, mode: int) -> None:
    _write(path, EXAMPLE)
    path.chmod(mode)
    assert _refused(str(path)).code == "policy_unsafe"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444])
def test_a_file_that_only_its_owner_can_write_is_taken(path: pathlib.Path, mode: int) -> None:
    _write(path, EXAMPLE)
    path.chmod(mode)
    assert load(str(path), OWNERS).max_age == 7200


def test_a_file_of_somebody_else_is_refused(path: pathlib.Path) -> None:
    error = _refused(_write(path, EXAMPLE), frozenset({4711}))
    assert error.code == "policy_unsafe" and "4711" in error.message and str(os.geteuid()) in error.message


@pytest.mark.parametrize("kind", ["link", "dangling", "folder", "fifo", "circle"])
def test_what_is_no_file_is_refused_at_once(path: pathlib.Path, kind: str) -> None:
    if kind in ("link", "dangling", "circle"):
        target = path.with_name("real.json")
        if kind == "link":
            _write(target, EXAMPLE)
        path.symlink_to(path if kind == "circle" else target)
    elif kind == "folder":
        path.mkdir(mode=0o755)
    else:
        os.mkfifo(path, 0o644)
    assert _refused(str(path)).code == "policy_unsafe"


def test_a_missing_file_closes_the_gates_and_reading_goes_on_under_built_in_limits(path: pathlib.Path) -> None:
    assert _refused(str(path)).code == "policy_missing"
    assert _refused(str(path / "below/policy.json")).code == "policy_missing"
    rules = standing([(str(path), OWNERS, True)])
    assert rules.limits == Limits(2000000, 600) and not rules.cassettes and rules.provider == {"cassettes": False}
    assert rules.action("any") is None and rules.people == {} and rules.max_age > 0


# --- what it says -----------------------------------------------------------------------------------------------------

MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "cut off": b'{"version": 1',
    "not UTF-8": b'{"version": 1, "ad_hoc": "\xff"}',
    "UTF-16": '{"version": 1}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"version": 1}',
    "a key twice": b'{"version": 1, "ad_hoc": "forbidden", "ad_hoc": "category"}',
    "a key twice, deep": b'{"version": 1, "limits": {"runs_per_hour": 1, "runs_per_hour": 1000}}',
    "a key twice, escaped": b'{"version": 1, "ad_hoc": "forbidden", "ad\\u005fhoc": "category"}',
    "NaN": b'{"version": 1, "limits": {"runs_per_hour": NaN}}',
    "infinity": b'{"version": 1, "limits": {"runs_per_hour": Infinity}}',
    "1e999": b'{"version": 1, "limits": {"runs_per_hour": 1e999}}',
    "a huge number": b'{"version": ' + b"1" * 500000 + b"}",
    "deep": b'{"version": 1, "x": ' + b"[" * 100000 + b"]" * 100000 + b"}",
    "deep objects": b'{"a":' * 50000 + b"1" + b"}" * 50000,
    "too large": b'{"version": 1, "x": "' + b"a" * 2**20 + b'"}',
    "a list": b"[]",
    "null": b"null",
    "a text": b'"version"',
    "two documents": b'{"version": 1}{"version": 1}',
    "comments": b'{"version": 1} // yes',
    "single quotes": b"{'version': 1}",
    "NUL": b'{"version": 1, "forbidden_paths": ["a\\u0000b"]}',
    "half a surrogate pair": b'{"version": 1, "forbidden_paths": ["a\\ud800b"]}',
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_bytes_are_refused_quickly_and_without_a_traceback(path: pathlib.Path, name: str) -> None:
    path.write_bytes(MALFORMED[name])
    path.chmod(0o644)
    error = _refused(str(path))
    assert error.code == "policy_invalid" and error.outcome == "forbidden" and len(str(error)) < 3000


def _with(**parts: t.Any) -> dict[str, t.Any]:
    return {"version": 1, **parts}


WRONG: list[tuple[dict[str, t.Any], str]] = [
    ({}, "version"),
    ({"version": 0}, "version"),
    ({"version": "1"}, "version"),
    ({"version": True}, "version"),
    (_with(categorys={}), "did you mean 'categories'"),
    (_with(categories={"Health": {"autonomy": "automatic"}}), "categories"),
    (_with(categories={"health_check\n": {"autonomy": "automatic"}}), "categories"),
    (_with(categories={"health_check": {"autonomy": "auto"}}), "categories.health_check.autonomy"),
    (_with(categories={"health_check": {}}), "autonomy"),
    (_with(categories={"health_check": {"autonomy": "approval", "approvals": 0}}), "at least 1"),
    (_with(categories={"health_check": {"autonomy": "approval", "approvals": True}}), "approvals"),
    (_with(slices={"inbox": {"sha256": "0" * 64}}), "workspace"),
    (_with(slices={"inbox": {"sha256": "0" * 63, "workspace": "/srv"}}), "sha256"),
    (_with(slices={"inbox": {"sha256": "0" * 64 + "\n", "workspace": "/srv"}}), "sha256"),
    (_with(slices={"inbox": {"sha256": "0" * 64, "workspace": "srv"}}), "workspace"),
    (_with(slices={"inbox": {"sha256": "0" * 64, "workspace": "/srv/../etc"}}), "slices.inbox.workspace"),
    (_with(slices={"inbox": {"sha256": "0" * 64, "workspace": "//srv"}}), "slices.inbox.workspace"),
    (_with(ad_hoc="automatic"), "ad_hoc"),
    (_with(provider={"base_url": "ftp://x"}), "base_url"),
    (_with(provider={"base_url": "https://user:secret@example.com"}), "base_url"),
    (_with(provider={"cassettes": "yes"}), "cassettes"),
    (_with(provider={"api_key_file": "key"}), "api_key_file"),
    (_with(actions={"a": {"argv": [], "per_hour": 1}}), "argv"),
    (_with(actions={"a": {"argv": ["systemctl"], "per_hour": 1}}), "absolute path"),
    (_with(actions={"a": {"argv": "/bin/true", "per_hour": 1}}), "argv"),
    (_with(actions={"a": {"argv": ["/bin/true"]}}), "per_hour"),
    (_with(actions={"a": {"argv": ["/bin/true"], "per_hour": 1, "timeout": 0}}), "timeout"),
    (_with(actions={"a": {"argv": ["/bin/true", "\0"], "per_hour": 1}}), "NUL"),
    (_with(cleanup=[{"path": "/var/cache", "older_than": "7", "max_bytes": "1G"}]), "older_than"),
    (_with(cleanup=[{"path": "/var/cache", "older_than": "0d", "max_bytes": "1G"}]), "older_than"),
    (_with(cleanup=[{"path": "/var/cache", "older_than": -5, "max_bytes": "1G"}]), "older_than"),
    (_with(cleanup=[{"path": "/", "older_than": "7d", "max_bytes": "1G"}]), "path"),
    (_with(cleanup=[{"path": "///", "older_than": "7d", "max_bytes": "1G"}]), "cleanup[0].path"),
    (_with(cleanup=[{"path": "/var", "older_than": "7d", "max_bytes": "1GB"}]), "max_bytes"),
    (_with(limits={"tokens_per_day": -1}), "tokens_per_day"),
    (_with(limits={"tokens_per_day": 1.5}), "tokens_per_day"),
    (_with(forbidden_paths=["a/../b"]), "forbidden_paths[0]"),
    (_with(forbidden_paths=["a//b"]), "forbidden_paths[0]"),
    (_with(forbidden_paths=["[a"]), "forbidden_paths[0]"),
    (_with(forbidden_paths=["a\\b"]), "forbidden_paths[0]"),
    (_with(forbidden_paths=["ok", "/"]), "forbidden_paths[1]"),
    (_with(people={"alice": "unix:alice"}), "people.alice"),
    (_with(people={"al ice": []}), "people"),
    (_with(approval={"max_age": "forever"}), "max_age"),
]


@pytest.mark.parametrize(("document", "says"), WRONG, ids=range(len(WRONG)))
def test_what_does_not_fit_is_refused_with_its_place(path: pathlib.Path, document: dict[str, t.Any], says: str) -> None:
    error = _refused(_write(path, document))
    assert error.code == "policy_invalid" and says in str(error)


@pytest.mark.parametrize("version", [2, 1000])
def test_a_newer_policy_is_refused_as_newer(path: pathlib.Path, version: int) -> None:
    error = _refused(_write(path, {"version": version, "something": "new"}))
    assert (error.outcome, error.code) == ("newer_state", "newer_state")


# --- the quick check and jsonschema -----------------------------------------------------------------------------------


def _places(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _places(item, (*path, number))


JUNK: list[t.Any] = [None, True, False, 0, 1, -1, 2.0, 1.5, 10**12, 10**16, [], ["/x"], [[]], {}, {"a": 1}]
JUNK += ["", "a", "/", "/x", "7d", "2G", "0" * 64, "automatic", "x\n"]


def test_the_quick_check_takes_exactly_what_jsonschema_takes() -> None:
    schema, chance = load_schema("policy"), random.Random(20260115)
    assert misfit(EXAMPLE, schema) is None and problems(EXAMPLE, schema) == []
    refused = 0
    for _number in range(600):
        document = copy.deepcopy(EXAMPLE)
        for _change in range(chance.randrange(1, 3)):
            place = chance.choice(list(_places(document)))
            inner: t.Any = document
            for part in place[:-1]:
                inner = inner[part]
            if place and chance.random() < 0.2:
                del inner[place[-1]]
            elif place and chance.random() < 0.8:
                inner[place[-1]] = copy.deepcopy(chance.choice(JUNK))
            elif isinstance(inner, dict):
                inner[chance.choice(["a", "B", "version", "argv", "x y"])] = copy.deepcopy(chance.choice(JUNK))
        slow = bool(problems(document, schema))
        assert (misfit(document, schema) is not None) == slow, document
        refused += slow
    assert 200 < refused < 600


def test_the_quick_check_knows_its_limits() -> None:
    with pytest.raises(ValueError, match="oneOf"):
        misfit({}, {"oneOf": []})


def test_a_mistake_is_found_where_the_host_has_no_jsonschema(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jsonschema", None)
    assert load(_write(path, EXAMPLE), OWNERS).max_age == 7200
    assert "limits.runs_per_hour" in str(_refused(_write(path, _with(limits={"runs_per_hour": "x"}))))
