# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may happen without a person, after approval, or not at all: the default policy row by row, and that nothing loosens it."""

from __future__ import annotations

import json
import os
import pathlib
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.slice import Slice, build
from ansible_collections.day2.codex.plugins.module_utils._gates import defaults
from ansible_collections.day2.codex.plugins.module_utils._gates.autonomy import Decision
from ansible_collections.day2.codex.plugins.module_utils._gates.forbidden import Forbidden, built_in
from ansible_collections.day2.codex.plugins.module_utils._gates.policy import standing
from ansible_collections.day2.codex.plugins.module_utils._gates.rules import Rules

OWNERS = frozenset({os.geteuid()})
EDIT = [("config/inbox.yml", "modify", 10)]
HOLDS = {"must_hold": [{"name": "it works", "argv": ["/bin/true"]}]}
UNCRITICAL = {"argv": ["/usr/bin/systemctl", "restart", "inbox"], "per_hour": 2, "critical": False}


def _slice(category: str, workspace: str = "/srv/inbox", **more: t.Any) -> Slice:
    document = {"name": "inbox", "category": category, "workspace": workspace, "scope": {"include": ["**"]}, "instructions": "Do it.", **more}
    return build(document)


def _rules(tmp_path: pathlib.Path, *documents: dict[str, t.Any]) -> Rules:
    policies = []
    for number, document in enumerate(documents):
        path = tmp_path / f"policy-{number}.json"
        path.write_text(json.dumps({"version": 1, **document}))
        path.chmod(0o644)
        policies.append((str(path), OWNERS, number == 0))
    return standing(policies)


def _pin(*slices: Slice) -> dict[str, t.Any]:
    return {"slices": {one.name: {"sha256": one.sha256, "workspace": one.workspace} for one in slices}}


def _decide(rules: Rules, slice_: Slice, files: t.Any = None, actions: t.Sequence[str] = ()) -> Decision:
    return rules.decide(slice_, slice_.workspace, EDIT if files is None else files, actions)


def _said(decision: Decision) -> tuple[str, int, str]:
    assert decision.reason.endswith(".") and (decision.autonomy == "automatic" or decision.opens.endswith("."))
    return decision.autonomy, decision.approvals, decision.code


# --- the default policy -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", ["health_check", "backup_report", "dependency_audit", "certificate_renewal", "service_restart"])
def test_a_listed_slice_of_an_automatic_category_is_automatic(tmp_path: pathlib.Path, category: str) -> None:
    slice_ = _slice(category, validation=HOLDS)
    assert _said(_decide(_rules(tmp_path, _pin(slice_)), slice_)) == ("automatic", 0, "automatic")


@pytest.mark.parametrize(("category", "approvals"), [("configuration_change", 1), ("database_migration", 2)])
def test_what_is_riskier_needs_people(tmp_path: pathlib.Path, category: str, approvals: int) -> None:
    slice_ = _slice(category, rollback={"strategy": "snapshot"})
    decision = _decide(_rules(tmp_path, _pin(slice_)), slice_)
    assert _said(decision) == ("approval", approvals, "category_approval")
    assert ("One person" if approvals == 1 else "2 people") in decision.opens


@pytest.mark.parametrize("category", ["backup_report", "certificate_renewal"])
@pytest.mark.parametrize("checks", [{}, {"must_fail": [{"name": "old one", "argv": ["/bin/false"]}]}])
def test_what_is_verified_afterwards_is_automatic_only_with_a_validation(tmp_path: pathlib.Path, category: str, checks: dict[str, t.Any]) -> None:
    slice_ = _slice(category, validation=checks)
    assert _said(_decide(_rules(tmp_path, _pin(slice_)), slice_)) == ("approval", 1, "validation_missing")


@pytest.mark.parametrize("category", ["health_check", "backup_report", "dependency_audit"])
def test_what_only_reports_runs_no_action_by_itself(tmp_path: pathlib.Path, category: str) -> None:
    slice_ = _slice(category, validation=HOLDS, actions=["restart-inbox"])
    rules = _rules(tmp_path, {**_pin(slice_), "actions": {"restart-inbox": UNCRITICAL}})
    assert _said(_decide(rules, slice_, [], ["restart-inbox"])) == ("approval", 1, "action_in_report")


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (UNCRITICAL, ("automatic", 0, "automatic")),
        ({**UNCRITICAL, "critical": True}, ("approval", 1, "action_critical")),
        ({key: value for key, value in UNCRITICAL.items() if key != "critical"}, ("approval", 1, "action_critical")),
        (None, ("forbidden", 0, "action_unknown")),
    ],
)
def test_a_restart_is_automatic_for_what_policy_calls_uncritical(tmp_path: pathlib.Path, action: t.Any, said: tuple[str, int, str]) -> None:
    slice_ = _slice("service_restart", actions=["restart-inbox"])
    rules = _rules(tmp_path, {**_pin(slice_), "actions": {"restart-inbox": action} if action else {}})
    assert _said(_decide(rules, slice_, [], ["restart-inbox"])) == said
    # Before the plan nobody knows whether it will be proposed.
    assert rules.decide(slice_, slice_.workspace, None, ["restart-inbox"]).autonomy == "automatic"


def test_a_critical_action_needs_a_person_in_every_category(tmp_path: pathlib.Path) -> None:
    slice_ = _slice("configuration_change", actions=["restart-inbox"])
    document = {**_pin(slice_), "categories": {"configuration_change": {"autonomy": "automatic"}}}
    rules = _rules(tmp_path, {**document, "actions": {"restart-inbox": {**UNCRITICAL, "critical": True}}})
    assert _said(_decide(rules, slice_)) == ("automatic", 0, "automatic")
    assert _said(_decide(rules, slice_, EDIT, ["restart-inbox"])) == ("approval", 1, "action_critical")


def test_a_migration_without_a_way_back_is_forbidden(tmp_path: pathlib.Path) -> None:
    slice_ = _slice("database_migration")
    assert _said(_decide(_rules(tmp_path, _pin(slice_)), slice_)) == ("forbidden", 0, "rollback_missing")


# --- never ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", sorted(defaults.NEVER))
@pytest.mark.parametrize("files", [None, EDIT])
def test_what_is_never_unattended_stays_forbidden_whatever_policy_says(tmp_path: pathlib.Path, category: str, files: t.Any) -> None:
    slice_ = _slice(category, validation=HOLDS)
    for autonomy in ("automatic", "approval"):
        rules = _rules(tmp_path, {**_pin(slice_), "ad_hoc": "category", "categories": {category: {"autonomy": autonomy}}})
        decision = rules.decide(slice_, slice_.workspace, files, ())
        assert _said(decision) == ("forbidden", 0, "never_unattended") and category in decision.reason
    assert _said(_decide(_rules(tmp_path, {}), slice_))[2] == "never_unattended"


def test_the_never_list_has_all_ten_and_shares_nothing_with_the_defaults() -> None:
    assert set(defaults.NEVER) == {
        "production_data_deletion",
        "firewall_change",
        "credential_rotation",
        "destructive_migration",
        "user_permissions",
        "untested_deployment",
        "billing",
        "email_campaign",
        "critical_service_restart",
        "external_command",
    }
    assert not set(defaults.NEVER) & set(defaults.CATEGORIES)


def test_an_unknown_category_is_forbidden_and_one_that_policy_names_is_not(tmp_path: pathlib.Path) -> None:
    slice_ = _slice("log_review")
    assert _said(_decide(_rules(tmp_path, _pin(slice_)), slice_)) == ("forbidden", 0, "category_unknown")
    rules = _rules(tmp_path, {**_pin(slice_), "categories": {"log_review": {"autonomy": "automatic"}}})
    assert _said(_decide(rules, slice_)) == ("automatic", 0, "automatic")


def test_policy_can_forbid_what_is_automatic(tmp_path: pathlib.Path) -> None:
    slice_ = _slice("health_check")
    rules = _rules(tmp_path, {**_pin(slice_), "categories": {"health_check": {"autonomy": "forbidden"}}})
    assert _said(_decide(rules, slice_)) == ("forbidden", 0, "category_forbidden")


# --- a category is only a word ----------------------------------------------------------------------------------------

POWERFUL = """
/etc/sudoers /etc/sudoers.d/90-inbox /etc/doas.conf /etc/polkit-1/rules.d/50.rules /usr/share/polkit-1/rules.d/1.rules /etc/pam.d/sshd
/etc/pam.conf /etc/security/limits.conf /etc/cron.d/inbox /etc/crontab /etc/cron.daily/inbox /etc/anacrontab /etc/cron.allow
/var/spool/cron/crontabs/root /var/spool/cron/root /var/spool/at/a00001 /var/spool/cron/atjobs/a0001 /etc/at.allow
/etc/systemd/system/inbox.service /etc/systemd/system/inbox.service.d/override.conf /usr/lib/systemd/system/x.timer /run/systemd/system/x.socket
/home/u/.config/systemd/user/x.service /srv/app/inbox.service /srv/app/inbox.timer /etc/init.d/inbox /etc/rc.local /etc/rc3.d/S01inbox /etc/inittab
/etc/passwd /etc/passwd- /etc/shadow /etc/shadow- /etc/group /etc/gshadow /etc/subuid /etc/subgid- /etc/login.defs /etc/nsswitch.conf
/etc/ssh/sshd_config /etc/ssh/sshd_config.d/10.conf /etc/ssh/ssh_host_ed25519_key /root/.ssh/authorized_keys /home/u/.ssh/config
/home/u/.ssh/authorized_keys2 /etc/nftables.conf /etc/nftables/main.nft /etc/iptables/rules.v4 /etc/sysconfig/iptables /etc/sysconfig/ip6tables
/etc/ufw/user.rules /etc/default/ufw /etc/firewalld/zones/public.xml /etc/fail2ban/jail.conf /etc/ld.so.preload /etc/ld.so.conf.d/x.conf
/etc/profile /etc/profile.d/x.sh /etc/environment /etc/environment.d/x.conf /home/u/.bashrc /root/.profile /etc/bash.bashrc /etc/skel/.bashrc
/etc/logrotate.d/inbox /etc/logrotate.conf /boot/grub/grub.cfg /etc/default/grub /etc/grub.d/40_custom /etc/modprobe.d/x.conf /etc/modules
/etc/modules-load.d/x.conf /etc/sysctl.conf /etc/sysctl.d/99.conf /etc/apparmor.d/usr.bin.x /etc/selinux/config /etc/fstab /etc/crypttab
/etc/udev/rules.d/99.rules /etc/tmpfiles.d/x.conf /etc/sysusers.d/x.conf /etc/apt/sources.list /etc/yum.repos.d/x.repo /etc/update-motd.d/00
/etc/NetworkManager/dispatcher.d/x /etc/network/if-up.d/x /etc/aliases /etc/rsyslog.d/x.conf /etc/docker/daemon.json /etc/ansible/facts.d/x.fact
/etc/codex-ops/policy.json /etc/codex-ops/disabled /etc/codex/requirements.toml /opt/codex-ops/bin/codex-ops /var/lib/codex-ops/budget.sqlite3
/var/log/codex-ops/audit.jsonl /run/lock/codex-ops/x.lock /home/u/.codex/config.toml /home/u/.codex-ops/etc/codex-ops/policy.json
/bin/sh /sbin/init /usr/bin/sudo /usr/sbin/sshd /usr/lib/x.so /lib/x.so /lib64/x.so /usr/local/bin/x /usr/local/sbin/x /proc/sys/kernel/core_pattern
/sys/kernel/x /dev/sda /var/lib/dpkg/status
""".split()
ORDINARY = """
/srv/inbox/config/inbox.yml /srv/inbox/bin/start /srv/inbox/lib/x.py /etc/inbox/inbox.conf /etc/nginx/nginx.conf /etc/letsencrypt/live/x/cert.pem
/etc/hosts /var/cache/app/x /home/u/app/sudo/readme /srv/app/shadow/box.css /srv/app/profile /srv/app/passwd.html /srv/app/cron/readme /opt/app/etc/app.yml
/srv/app/group /var/www/html/index.html /usr/share/app/x /srv/codex-ops-demo/inbox.yml /srv/app/service /srv/app/my.services /srv/app/ssh/readme
/srv/app/environment /srv/app/sys/x /srv/app/dev/x /srv/app/usr/bin/x
""".split()


@pytest.mark.parametrize("path", POWERFUL)
@pytest.mark.parametrize("category", ["health_check", "configuration_change"])
def test_a_category_that_understates_what_is_done_is_forbidden_by_path(tmp_path: pathlib.Path, category: str, path: str) -> None:
    policy = {"ad_hoc": "category", "categories": {category: {"autonomy": "automatic"}}}
    # From the root folder, from the file's own, and from one in between.
    above = path.split("/")
    for depth in sorted({1, 2, len(above) - 1}):
        workspace = "/".join(above[:depth])
        slice_ = _slice(category, workspace or "/x")
        for operation in ("create", "modify", "delete"):
            files = [("harmless.txt", "modify", 1), ("/".join(above[depth:]), operation, 5)]
            decision = _rules(tmp_path, policy).decide(slice_, workspace, files, ())
            assert _said(decision) == ("forbidden", 0, "path_forbidden"), workspace


@pytest.mark.parametrize("path", POWERFUL)
def test_power_is_seen_through_case_and_detours(path: str) -> None:
    found = built_in()
    for trick in (path, path.upper(), path.title(), path.replace("/", "//"), path.replace("/", "/./"), path + "/", path + "/below", "/x/.." + path):
        assert found.meant_by(trick), trick
    # Fullwidth letters and the like, as a file system that folds them would read it.
    assert found.meant_by("".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in path))


@pytest.mark.parametrize("path", [path for path in POWERFUL if not path.startswith(tuple(f"{one}/" for one in defaults.FORBIDDEN if one[0] == "/"))])
def test_power_is_seen_in_every_folder(path: str) -> None:
    assert built_in().meant_by("/srv/chroot" + path) and built_in().meant_by("/var/lib/machines/a/b" + path)


@pytest.mark.parametrize("path", ORDINARY)
def test_ordinary_files_stay_open(path: str) -> None:
    assert built_in().meant_by(path) is None


@pytest.mark.parametrize("path", ["relative/x", "", "/a/../b", "/a/\0b", "/a/‥/b"])
def test_a_path_that_is_no_plain_one_is_forbidden(path: str) -> None:
    assert built_in().meant_by(path) == ".."


def test_a_workspace_inside_a_forbidden_folder_is_refused_before_a_model_is_asked(tmp_path: pathlib.Path) -> None:
    slice_ = _slice("health_check", "/etc/systemd/system")
    assert _said(_rules(tmp_path, _pin(slice_)).decide(slice_, slice_.workspace, None, ())) == ("forbidden", 0, "path_forbidden")
    # The real path counts, whatever the slice calls it.
    slice_ = _slice("health_check", "/srv/harmless")
    assert _said(_rules(tmp_path, _pin(slice_)).decide(slice_, "/etc/pam.d", None, ())) == ("forbidden", 0, "path_forbidden")


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("/srv/inbox/keys", ["/srv/inbox/keys", "/srv/inbox/keys/a/b", "/SRV/Inbox/KEYS/a"], ["/srv/inbox/keys2", "/x/srv/inbox/keys/a"]),
        ("*.pem", ["/a/b.pem", "/b.pem", "/a/b.PEM"], ["/a/b.pem2"]),
        ("secrets", ["/secrets/x", "/srv/a/secrets", "/srv/a/Secrets/b"], ["/srv/a/secrets2"]),
        ("/srv/*/private", ["/srv/a/private/x"], ["/srv/a/b/private/x"]),
        ("/srv/**/private", ["/srv/a/private/x", "/srv/a/b/private/x"], ["/opt/private"]),
    ],
)
def test_the_policys_own_patterns(pattern: str, inside: list[str], outside: list[str]) -> None:
    found = Forbidden([pattern])
    assert all(found.meant_by(path) == pattern for path in inside)
    assert not any(found.meant_by(path) for path in outside)


def test_policy_forbids_paths_of_its_own_and_says_so(tmp_path: pathlib.Path) -> None:
    slice_ = _slice("health_check")
    decision = _decide(_rules(tmp_path, {**_pin(slice_), "forbidden_paths": ["/srv/inbox/config"]}), slice_)
    assert _said(decision) == ("forbidden", 0, "path_forbidden") and "policy-0.json" in decision.opens


# --- pinned slices ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ad_hoc", "category", "said"),
    [
        (None, "health_check", ("approval", 1, "slice_not_pinned")),
        ("approval", "health_check", ("approval", 1, "slice_not_pinned")),
        ("approval", "configuration_change", ("approval", 1, "category_approval")),
        ("approval", "database_migration", ("approval", 2, "category_approval")),
        ("forbidden", "health_check", ("forbidden", 0, "ad_hoc_forbidden")),
        ("category", "health_check", ("automatic", 0, "automatic")),
        ("category", "configuration_change", ("approval", 1, "category_approval")),
        ("category", "unheard_of", ("forbidden", 0, "category_unknown")),
    ],
)
def test_a_slice_that_is_not_listed_gets_ad_hoc(tmp_path: pathlib.Path, ad_hoc: str | None, category: str, said: tuple[str, int, str]) -> None:
    slice_ = _slice(category, rollback={"strategy": "snapshot"})
    assert _said(_decide(_rules(tmp_path, {"ad_hoc": ad_hoc} if ad_hoc else {}), slice_)) == said


def test_a_listed_slice_that_differs_in_a_byte_or_a_tree_is_not_that_slice(tmp_path: pathlib.Path) -> None:
    slice_ = _slice("health_check")
    rules = _rules(tmp_path, _pin(slice_))
    other = _slice("health_check", instructions="Do it!")
    decision = _decide(rules, other)
    assert _said(decision) == ("approval", 1, "slice_not_pinned") and other.sha256 in decision.reason
    decision = rules.decide(slice_, "/srv/elsewhere", EDIT, ())
    assert _said(decision) == ("approval", 1, "slice_not_pinned") and "/srv/elsewhere" in decision.reason
    assert _said(_decide(rules, slice_)) == ("automatic", 0, "automatic")


# --- cleanup ----------------------------------------------------------------------------------------------------------

DAY = 86400


@pytest.fixture(name="cache")
def _cache(tmp_path: pathlib.Path) -> pathlib.Path:
    cache = tmp_path / "cache"
    (cache / "app").mkdir(parents=True)
    for name, days, size in (("old", 8, 600), ("older", 30, 500), ("young", 6, 1), ("future", -1, 1)):
        (cache / "app" / name).write_bytes(b"x" * size)
        os.utime(cache / "app" / name, (time.time() - days * DAY,) * 2)
    (cache / "beside").write_bytes(b"x")
    os.utime(cache / "beside", (0, 0))
    return cache


def _cleanup(tmp_path: pathlib.Path, cache: pathlib.Path, files: t.Any, **more: t.Any) -> Decision:
    slice_ = _slice("cache_cleanup", str(cache))
    listed = [{"path": str(cache / "app"), "older_than": "7d", "max_bytes": 1000}]
    return _rules(tmp_path, {**_pin(slice_), "cleanup": listed, **more}).decide(slice_, str(cache), files, ())


@pytest.mark.parametrize("names", [["old"], ["older"], []])
def test_a_cleanup_inside_path_age_and_size_is_automatic(tmp_path: pathlib.Path, cache: pathlib.Path, names: list[str]) -> None:
    assert _said(_cleanup(tmp_path, cache, [(f"app/{name}", "delete", 1) for name in names])) == ("automatic", 0, "automatic")


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([("app/young", "delete", 1)], "less than"),
        ([("app/future", "delete", 1)], "less than"),
        ([("app/old", "delete", 1), ("app/older", "delete", 1)], "more than 1000 bytes"),
        ([("beside", "delete", 1)], "none of the folders"),
        ([("app/../beside", "delete", 1)], ""),
        ([("app/old", "modify", 1)], "changed"),
        ([("app/new", "create", 1)], "made"),
        ([("app/old", "delete", 1), ("app/new", "create", 1)], "made"),
        ([("app/gone", "delete", 1)], "cannot be looked at"),
        ([("app", "delete", 1)], "none of the folders"),
    ],
)
def test_a_cleanup_beyond_them_needs_a_person(tmp_path: pathlib.Path, cache: pathlib.Path, files: t.Any, why: str) -> None:
    decision = _cleanup(tmp_path, cache, files)
    assert decision.autonomy != "automatic" and why in decision.reason
    if why:
        assert _said(decision) == ("approval", 1, "cleanup_outside")


def test_a_link_is_not_taken_for_what_it_leads_to(tmp_path: pathlib.Path, cache: pathlib.Path) -> None:
    (cache / "app/link").symlink_to("old")
    os.utime(cache / "app/link", (0, 0), follow_symlinks=False)
    assert "regular file" in _cleanup(tmp_path, cache, [("app/link", "delete", 1)]).reason


def test_the_innermost_listed_folder_decides(tmp_path: pathlib.Path, cache: pathlib.Path) -> None:
    listed = [{"path": str(cache), "older_than": "1s", "max_bytes": "1G"}, {"path": str(cache / "app"), "older_than": "52w", "max_bytes": "1G"}]
    assert "less than" in _cleanup(tmp_path, cache, [("app/older", "delete", 1)], cleanup=listed).reason
    assert _cleanup(tmp_path, cache, [("beside", "delete", 1)], cleanup=listed).autonomy == "automatic"


def test_a_cleanup_where_nothing_is_listed_is_known_before_a_model_is_asked(tmp_path: pathlib.Path, cache: pathlib.Path) -> None:
    assert _said(_cleanup(tmp_path, cache, None)) == ("automatic", 0, "automatic")
    assert _said(_cleanup(tmp_path, cache, None, cleanup=[])) == ("approval", 1, "cleanup_outside")


# --- several policies -------------------------------------------------------------------------------------------------


def test_the_strictest_of_two_policies_decides(tmp_path: pathlib.Path) -> None:
    slice_ = _slice("configuration_change")
    open_ = {**_pin(slice_), "categories": {"configuration_change": {"autonomy": "automatic"}}}
    three = {"categories": {"configuration_change": {"autonomy": "approval", "approvals": 3}}}
    closed = {"categories": {"configuration_change": {"autonomy": "forbidden"}}}
    for first, second in ((open_, {}), ({}, open_)):
        assert _said(_decide(_rules(tmp_path, first, second), slice_))[:2] == ("approval", 1)
    for first, second in ((open_, three), (three, open_), ({}, three)):
        assert _said(_decide(_rules(tmp_path, first, second), slice_))[:2] == ("approval", 3)
    for first, second in ((open_, closed), (closed, three)):
        assert _said(_decide(_rules(tmp_path, first, second), slice_))[0] == "forbidden"
    assert _said(_decide(_rules(tmp_path, open_, open_), slice_))[0] == "automatic"


def test_everything_else_of_two_policies_is_the_strictest_too(tmp_path: pathlib.Path) -> None:
    one = {
        "limits": {"tokens_per_day": 10, "runs_per_hour": 20},
        "actions": {"a": {**UNCRITICAL, "per_hour": 9}, "b": UNCRITICAL, "c": UNCRITICAL},
        "provider": {"cassettes": True, "base_url": "https://own.example.com", "api_key_file": "/own"},
        "people": {"alice": ["unix:alice"]},
        "approval": {"max_age": "3h"},
    }
    two = {
        "limits": {"tokens_per_day": 30, "runs_per_hour": 5},
        "actions": {"a": {**UNCRITICAL, "timeout": 5, "critical": True}, "b": {**UNCRITICAL, "argv": ["/bin/other"]}},
        "provider": {"base_url": "https://host.example.com", "api_key_file": "/host"},
        "people": {"alice": ["awx:alice"], "bob": []},
    }
    rules = _rules(tmp_path, one, two)
    assert (rules.limits.tokens_per_day, rules.limits.runs_per_hour) == (10, 5)
    action = rules.action("a")
    assert action is not None and (action.per_hour, action.timeout, action.critical) == (2, 5, True)
    assert rules.action("b") is None and rules.action("c") is None and rules.action("d") is None
    assert rules.provider == {"cassettes": False, "base_url": "https://host.example.com", "api_key_file": "/own"}
    assert rules.people == {"alice": ("unix:alice", "awx:alice"), "bob": ()} and rules.max_age == 3 * 3600
    slice_ = _slice("service_restart")
    for name in ("b", "c", "d"):
        assert _decide(rules, slice_, [], [name]).code == "action_unknown"


def test_a_plan_is_bound_to_every_policy_that_counts(tmp_path: pathlib.Path) -> None:
    alone, both = _rules(tmp_path, {}).sha256, _rules(tmp_path, {}, {}).sha256
    changed = _rules(tmp_path, {}, {"ad_hoc": "category"}).sha256
    assert alone and both and changed and len({alone, both, changed}) == 3
    assert _rules(tmp_path, {"ad_hoc": "category"}, {}).sha256 != changed


def test_a_hosts_policy_that_cannot_be_used_closes_a_prefixed_run_and_one_that_is_not_there_does_not(tmp_path: pathlib.Path) -> None:
    slice_ = _slice("health_check")
    _rules(tmp_path, _pin(slice_))
    mine, host = (str(tmp_path / "policy-0.json"), OWNERS, True), tmp_path / "host.json"
    assert _decide(standing([mine, (str(host), OWNERS, False)]), slice_).autonomy == "automatic"
    host.write_text("{")
    host.chmod(0o644)
    for files in (None, EDIT):
        decision = standing([mine, (str(host), OWNERS, False)]).decide(slice_, slice_.workspace, files, ())
        assert _said(decision) == ("forbidden", 0, "policy_invalid") and str(host) in decision.reason


def test_without_any_policy_nothing_is_changed(tmp_path: pathlib.Path) -> None:
    decision = _decide(standing([(str(tmp_path / "none.json"), OWNERS, True)]), _slice("health_check"))
    assert _said(decision) == ("forbidden", 0, "policy_missing") and "none.json" in decision.reason
    assert _said(_decide(standing([]), _slice("health_check"))) == ("forbidden", 0, "policy_missing")
