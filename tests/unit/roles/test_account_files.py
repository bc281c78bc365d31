# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role account runs on a host looks without changing, and refuses what somebody besides root could change."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import subprocess
import sys
import types
import typing as t

import pytest

FILES = pathlib.Path(__file__).resolve().parents[3] / "roles/account/files"
COMMENT = "day2.codex,umask=0077"


def _loaded(name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    exec(compile((FILES / f"{name}.py").read_text("utf-8"), name, "exec"), module.__dict__)
    return module


def _look(*programs: str) -> dict[str, t.Any]:
    done = subprocess.run(
        [sys.executable, "-I", "-", COMMENT, *[json.dumps([path]) for path in programs]],
        input=(FILES / "look.py").read_bytes(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    return t.cast("dict[str, t.Any]", json.loads(done.stdout))


def test_an_old_python_can_at_least_say_that_it_is_too_old() -> None:
    ast.parse((FILES / "look.py").read_text("utf-8"), feature_version=(3, 6))


def test_a_program_of_roots_is_taken_and_every_other_is_named_with_a_code(tmp_path: pathlib.Path) -> None:
    own = tmp_path / "own"
    own.write_text("#!/bin/sh\n", "utf-8")
    own.chmod(0o777)
    link = tmp_path / "link"
    link.symlink_to("/bin/true")
    found = _look("/bin/true", "/bin/missing", str(own), str(link), "/usr")["programs"]
    assert [text.rsplit(" ", 1)[1] for text in found] == ["[sudo_missing]", "[sudo_writable]", *(["[sudo_writable]"] if os.geteuid() else []), "[sudo_missing]"]
    assert all(text.startswith(("/bin/missing is", str(own), str(link), "/usr is")) for text in found)


def test_an_argument_that_somebody_besides_root_could_change_is_named(tmp_path: pathlib.Path) -> None:
    look = _loaded("look")
    own = tmp_path / "own.conf"
    own.write_text("", "utf-8")
    own.chmod(0o666)
    for word in (str(own), f"--file={own}", f"-f{own}", f"/etc/passwd:{own}", f"a={own},/etc/passwd"):
        assert look.argument(word)[0] == "sudo_writable" and str(own) in look.argument(word)[1]
    for word in ("/etc/passwd", "--file=/etc/passwd", "inbox", "a/b", "/dev/null", "/etc/no-such-file", "-v", ""):
        assert look.argument(word) is None, word


def test_it_says_where_the_link_of_a_program_leads() -> None:
    assert _look("/bin/true")["real"] == {"/bin/true": os.path.realpath("/bin/true")}


def test_it_says_what_the_host_has() -> None:
    found = _look()
    assert (found["linux"], found["python"], found["version"]) == (True, True, f"{sys.version_info[0]}.{sys.version_info[1]}")
    assert set(found["missing"]) <= {"git", "sudo", "visudo", "ssh-keygen", "jsonschema"}
    assert found["accounts"] == [] or "codex-" in found["accounts"][0]
    assert set(found["files"]) == {"/etc/cron.allow", "/etc/cron.deny", "/etc/at.allow", "/etc/at.deny", "/etc/subuid", "/etc/subgid"}


class _Database(t.NamedTuple):
    """Users and groups, as pwd and grp know them."""

    users: list[types.SimpleNamespace]
    groups: list[types.SimpleNamespace]

    def getpwnam(self, name: str) -> types.SimpleNamespace:
        return {user.pw_name: user for user in self.users}[name]

    def getpwall(self) -> list[types.SimpleNamespace]:
        return self.users

    def getgrnam(self, name: str) -> types.SimpleNamespace:
        return {group.gr_name: group for group in self.groups}[name]

    def getgrgid(self, gid: int) -> types.SimpleNamespace:
        return {group.gr_gid: group for group in self.groups}[gid]


def _user(name: str = "codex-ops", uid: int = 990, gid: int = 990, shell: str = "/usr/sbin/nologin", comment: str = "", home: str = "/nonexistent") -> t.Any:
    return types.SimpleNamespace(pw_name=name, pw_uid=uid, pw_gid=gid, pw_shell=shell, pw_gecos=comment, pw_dir=home)


def _group(name: str = "codex-ops", gid: int = 990, *members: str) -> t.Any:
    return types.SimpleNamespace(gr_name=name, gr_gid=gid, gr_mem=list(members))


OTHERS: list[tuple[str | None, list[t.Any], list[t.Any]]] = [
    (None, [], []),
    (None, [_user()], [_group()]),
    (None, [_user(), _user("web", 1000, 1000)], [_group(), _group("web", 1000, "codex-ops")]),
    # Somebody gave ours a shell: that is put right.
    (None, [_user(comment=COMMENT, shell="/bin/bash")], [_group()]),
    ("root's number", [_user(uid=0)], [_group()]),
    ("root's number", [_user(gid=0)], [_group(gid=0)]),
    ("root's number", [_user(uid=0, comment=COMMENT)], [_group()]),
    ("can log in", [_user(shell="/bin/bash")], [_group()]),
    ("can log in", [_user(shell="")], [_group()]),
    ("has a home, /", [_user(home=str(FILES))], [_group()]),
    ("the user web has the same number", [_user(), _user("web", 990, 1000)], [_group()]),
    ("also the group of the user web", [_user(), _user("web", 1000, 990)], [_group()]),
    ("other members: web", [_user(comment=COMMENT)], [_group("codex-ops", 990, "web")]),
    ("a group of that name", [], [_group("codex-ops", 990, "web")]),
    ("a group of that name", [], [_group("codex-ops", 0)]),
]


@pytest.mark.parametrize(("why", "users", "groups"), OTHERS)
def test_an_account_that_is_somebody_elses_is_refused_with_the_reason(why: str | None, users: list[t.Any], groups: list[t.Any]) -> None:
    look = _loaded("look")
    look.pwd = look.grp = _Database(users, groups)
    said = look.people("codex-ops", COMMENT)
    assert said == why if why is None else why in said


STRANGERS: list[tuple[str | None, list[t.Any], list[t.Any]]] = [
    (None, [], []),
    (None, [], [_group()]),
    (None, [_user(comment=COMMENT)], [_group()]),
    ("the role did not make it", [_user()], [_group()]),
    ("the role did not make it", [_user(comment="Ops,,,")], [_group()]),
    ("can log in", [_user(shell="/bin/bash", home="/home/somebody")], [_group()]),
    ("the user web has the same number", [_user(comment=COMMENT), _user("web", 990, 1000)], [_group()]),
    ("other members: web", [_user(comment=COMMENT)], [_group("codex-ops", 990, "web")]),
]


@pytest.mark.parametrize(("why", "users", "groups"), STRANGERS)
def test_only_an_account_that_the_role_made_may_be_removed(why: str | None, users: list[t.Any], groups: list[t.Any]) -> None:
    look = _loaded("look")
    look.pwd = look.grp = _Database(users, groups)
    said = look.stranger("codex-ops", COMMENT)
    assert said == why if why is None else why in said


def test_what_an_account_runs_is_ended_only_where_the_role_made_it() -> None:
    away = _loaded("away")
    away.pwd = _Database([_user(uid=990, comment=COMMENT), _user("codex-agent", 991, 991, comment="Somebody")], [])
    assert away.numbers(COMMENT) == {990} and away.numbers("Somebody") == {991} and away.numbers("") == set()


@pytest.mark.parametrize(
    ("files", "stops"),
    [
        ({}, False),
        ({"journal.json": '{"state": "applying"}'}, False),
        ({"open": "", "journal.json": '{"state": "done"}'}, False),
        ({"open": ""}, False),
        ({"open": "", "journal.json": '{"state": "applying"}'}, True),
        ({"open": "", "journal.json": '{"state": "restoring"}'}, True),
        ({"open": "", "journal.json": '{"sta'}, True),
        ({"open": "", "journal.json": "[]"}, True),
    ],
)
def test_the_backup_of_an_interrupted_apply_is_not_taken_away(tmp_path: pathlib.Path, files: dict[str, str], stops: bool) -> None:
    away = _loaded("away")
    away.BACKUPS, away.ENGINE = str(tmp_path), str(tmp_path / "engine") + "/"
    (tmp_path / "run-1").mkdir()
    for name, text in files.items():
        (tmp_path / "run-1" / name).write_text(text, "utf-8")
    if not stops:
        return away.main(["busy"]) or away.main(["ended"])
    for word in ("busy", "ended"):
        with pytest.raises(SystemExit, match=r"run-1 was interrupted.*\[apply_interrupted\]"):
            away.main([word])
    return None


def test_an_apply_that_is_at_work_is_waited_for_but_not_for_ever(tmp_path: pathlib.Path) -> None:
    away = _loaded("away")
    away.BACKUPS, away.ENGINE, away.APPLIES = str(tmp_path / "none"), f"{tmp_path}/", 0.3
    helper = tmp_path / "helpers/apply"
    helper.parent.mkdir()
    helper.write_text("import sys\nsys.stdin.read()\n", "utf-8")
    # Whose processes count is root's; here, the caller's.
    away.ROOT = {os.geteuid()}
    with subprocess.Popen([sys.executable, "-I", str(helper)], stdin=subprocess.PIPE) as at_work:
        while at_work.pid not in away.engine(away.WORKING):
            assert at_work.poll() is None
        away.main(["wait", "--check"])
        with pytest.raises(SystemExit, match=rf"{at_work.pid}.*\[apply_at_work\]"):
            away.main(["wait"])
        away.APPLIES = 60.0
        at_work.terminate()
        at_work.wait()
        away.main(["wait"])
    assert away.engine(away.WORKING) == []


def test_only_what_the_given_users_run_is_ended() -> None:
    away = _loaded("away")
    assert os.getpid() in away.processes({os.geteuid()}) and away.processes(set()) == []
    dead = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    assert dead.pid not in away.processes({os.geteuid()}), "a zombie is no process"
    dead.wait()


def test_a_kept_log_is_its_owners_alone_and_check_mode_only_looks(tmp_path: pathlib.Path) -> None:
    away = _loaded("away")
    if os.geteuid() == 0:
        log = tmp_path / "log"
        log.mkdir()
        (log / "audit.jsonl").write_text("{}\n", "utf-8")
        os.chown(log / "audit.jsonl", 0, 4242)
        away.LOG = str(log)
        assert away.log(True, True) and (log / "audit.jsonl").stat().st_gid == 4242
        assert away.log(True, False) and not away.log(True, False)
        found = (log / "audit.jsonl").stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777, log.stat().st_mode & 0o777) == (0, 0, 0o600, 0o700)
    away.LOG = str(tmp_path / "missing")
    assert not away.log(True, False) and not away.log(False, False)
