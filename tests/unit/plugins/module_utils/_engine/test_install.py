# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""At any moment one whole engine is in charge, and it is the one that was packed."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._engine import folder as folders
from ansible_collections.day2.codex.plugins.module_utils._engine import install, manifest
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._installing import absent, present
from ansible_collections.day2.codex.plugins.plugin_utils._pack import STATE, Pack, pack

MAIN = """
import sys


def main(argv, home, prefix):
    from . import late

    sys.stdout.write(" ".join([late.WORD, prefix, *argv]))
    return 7
"""


class Host:
    """A prefix, and small engines to install under it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.prefix = folder / "prefix"
        self.root = self.prefix / "opt/codex-ops"

    def pack(self, word: str) -> Pack:
        sources = self.folder / f"sources-{word}"
        (sources / "_cli").mkdir(parents=True, exist_ok=True)
        (sources / "_cli/__init__.py").write_text("", "utf-8")
        (sources / "_cli/main.py").write_text(MAIN, "utf-8")
        (sources / "_cli/late.py").write_text(f"WORD = {word!r}\n", "utf-8")
        made = pack(str(sources))
        self.file(word).write_bytes(made.content)
        return made

    def file(self, word: str) -> pathlib.Path:
        return self.folder / f"{word}.tar"

    def install(self, word: str, *, keep: int = 3, check: bool = False, send: bool = True) -> dict[str, t.Any]:
        made = self.pack(word)
        sent = str(self.file(word)) if send else None
        return present(str(self.prefix), made.manifest.text(), pack=sent, keep=keep, interpreter=sys.executable, check=check)

    def says(self) -> str:
        """What the installed command says."""
        done = subprocess.run([self.root / "bin/codex-ops", "status"], capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (7, "")
        return done.stdout.split()[0]

    def names(self) -> list[str]:
        return sorted(os.listdir(self.root))


@pytest.fixture(name="host")
def _host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path)


def test_an_engine_is_installed_once_and_runs(host: Host) -> None:
    first = host.install("one")
    assert first["changed"] and first["before"] == {}
    assert host.says() == "one"
    second = host.install("one", send=False)
    assert not second["changed"]
    assert (second["version"], second["digest"], second["folder"]) == (first["version"], first["digest"], first["folder"])


def test_check_mode_says_the_same_and_does_nothing(host: Host) -> None:
    would = host.install("one", check=True)
    assert would["changed"] and not host.prefix.exists()
    did = host.install("one")
    assert (would["after"], would["before"]) == (did["after"], did["before"])
    assert not host.install("one", check=True)["changed"]


def test_without_the_pack_nothing_is_done_but_to_ask_for_it(host: Host) -> None:
    asked = host.install("one", send=False)
    assert asked["needs_pack"] and not asked["changed"]
    assert not host.prefix.exists()


def test_another_engine_takes_over_and_the_old_one_stays_for_a_while(host: Host) -> None:
    one = host.install("one")
    two = host.install("two")
    assert two["before"]["digest"] == one["digest"]
    assert host.says() == "two"
    back = host.install("one", send=False)
    assert back["changed"] and back["folder"] == one["folder"]
    assert host.says() == "one"


def test_only_the_newest_engines_stay(host: Host) -> None:
    for word in ("one", "two", "three"):
        host.install(word, keep=2)
    assert len(install.installed(str(host.root))) == 2
    fewer = host.install("three", keep=1, send=False)
    assert fewer["changed"] and len(fewer["removed"]) == 1
    assert not host.install("three", keep=1, send=False)["changed"]
    assert host.says() == "three"


def test_a_command_that_runs_keeps_to_its_engine(host: Host) -> None:
    host.install("one")
    waiting = host.folder / "sources-slow"
    (waiting / "_cli").mkdir(parents=True)
    (waiting / "_cli/__init__.py").write_text("", "utf-8")
    (waiting / "_cli/main.py").write_text(MAIN.replace("    from . import late", "    sys.stdin.readline()\n    from . import late"), "utf-8")
    (waiting / "_cli/late.py").write_text("WORD = 'slow'\n", "utf-8")
    made = pack(str(waiting))
    host.file("slow").write_bytes(made.content)
    present(str(host.prefix), made.manifest.text(), pack=str(host.file("slow")), keep=3, interpreter=sys.executable, check=False)
    with subprocess.Popen([host.root / "bin/codex-ops"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        host.install("two")
        assert host.says() == "two"
        assert running.communicate("\n", timeout=30)[0].split()[0] == "slow"


# --- what nobody may change -----------------------------------------------------------------------------------------------


def _damage(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes() + b"#")


DAMAGES: dict[str, t.Callable[[pathlib.Path], object]] = {
    "a source": lambda home: _damage(home / "codex_ops/_cli/late.py"),
    "compiled code": lambda home: _damage(next((home / "codex_ops/_cli/__pycache__").glob("late.*.pyc"))),
    "the manifest": lambda home: _damage(home / "manifest.json"),
    "the list of compiled code": lambda home: _damage(home / "compiled.json"),
    "a file too many": lambda home: (home / "codex_ops/extra.py").write_text("", "utf-8"),
    "a file too few": lambda home: (home / "codex_ops/_cli/late.py").unlink(),
    "compiled code too few": lambda home: next((home / "codex_ops/_cli/__pycache__").glob("late.*.pyc")).unlink(),
    "a file that others can write": lambda home: (home / "codex_ops/_cli/late.py").chmod(0o666),
    "a folder that others can write": lambda home: (home / "codex_ops/_cli").chmod(0o777),
    "a link": lambda home: ((home / "codex_ops/_cli/late.py").rename(home / "x"), (home / "codex_ops/_cli/late.py").symlink_to(home / "x")),
    "a pipe": lambda home: os.mkfifo(home / "codex_ops/pipe.py"),
}


@pytest.mark.parametrize("what", sorted(DAMAGES))
def test_an_engine_that_was_tampered_with_is_noticed_and_replaced(host: Host, what: str) -> None:
    first = host.install("one")
    home = pathlib.Path(first["folder"])
    known = manifest.read((home / "manifest.json").read_text("ascii"))
    DAMAGES[what](home)
    assert folders.fault(str(home), known, {os.geteuid()}, None) is not None
    assert host.install("one", send=False).get("needs_pack")
    again = host.install("one")
    assert again["changed"] and again["folder"] != str(home)
    assert host.says() == "one"
    assert not host.install("one", send=False)["changed"]


def test_a_file_of_another_user_is_noticed(host: Host) -> None:
    home = pathlib.Path(host.install("one")["folder"])
    known = manifest.read((home / "manifest.json").read_text("ascii"))
    wrong = folders.fault(str(home), known, {os.geteuid() + 1}, None)
    assert wrong is not None and f"user {os.geteuid()}" in wrong


def test_a_command_that_was_changed_is_written_again(host: Host) -> None:
    host.install("one")
    command = host.root / "bin/codex-ops"
    for harm in (lambda: _damage(command), lambda: command.chmod(0o777), command.unlink):
        harm()
        assert host.install("one", send=False)["changed"]
        assert host.says() == "one" and command.stat().st_mode & 0o777 == 0o755


def test_another_python_gets_an_engine_that_is_compiled_for_it(host: Host) -> None:
    first = host.install("one")
    known = manifest.read((pathlib.Path(first["folder"]) / "manifest.json").read_text("ascii"))
    wrong = folders.fault(first["folder"], known, {os.geteuid()}, "cpython-300")
    assert wrong is not None and "cpython-300" in wrong


@pytest.mark.parametrize("mask", [0o000, 0o027, 0o077])
def test_modes_do_not_depend_on_the_umask(host: Host, mask: int) -> None:
    before = os.umask(mask)
    try:
        home = host.install("one")["folder"]
    finally:
        os.umask(before)
    for path in [pathlib.Path(home), *pathlib.Path(home).rglob("*")]:
        assert path.stat().st_mode & 0o7777 == (0o755 if path.is_dir() else 0o644), path
    assert (host.root / "bin/codex-ops").stat().st_mode & 0o7777 == 0o755


def test_compiled_code_is_used_as_it_is_and_nothing_is_written_beside_it(host: Host) -> None:
    home = pathlib.Path(host.install("one")["folder"])
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    # Another time, and it would be compiled anew if anybody looked.
    os.utime(home / "codex_ops/_cli/late.py", (1, 1))
    host.says()
    assert set(home.rglob("*")) == set(before)
    code = next((home / "codex_ops/_cli/__pycache__").glob("late.*.pyc")).read_bytes()
    assert code[4:8] == b"\x01\x00\x00\x00"  # by hash, unchecked
    assert str(home).encode() in code


def test_the_environment_of_the_caller_reaches_nothing(host: Host) -> None:
    host.install("one")
    trap = host.folder / "trap"
    trap.mkdir()
    for name in ("os", "site", "codex_ops", "sitecustomize"):
        (trap / f"{name}.py").write_text("raise SystemExit('trapped')\n", "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(trap), "PYTHONHOME": str(trap), "PYTHONSTARTUP": str(trap / "os.py"), "PYTHONINSPECT": "1"}
    done = subprocess.run([host.root / "bin/codex-ops", "x"], cwd=trap, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (7, "", f"one {host.prefix} x")


# --- packs that are wrong -------------------------------------------------------------------------------------------------


def test_a_pack_that_is_not_what_the_manifest_says_changes_nothing(host: Host) -> None:
    host.install("one")
    made, other = host.pack("two"), host.pack("three")
    whole = made.content
    for content in (b"", b"x" * 2000, whole[:-6000], whole.replace(b"WORD = 'two'", b"WORD = 'bad'"), other.content):
        host.file("two").write_bytes(content)
        with pytest.raises(CodexOpsError) as caught:
            present(str(host.prefix), made.manifest.text(), pack=str(host.file("two")), keep=3, interpreter=sys.executable, check=False)
        assert caught.value.code == "pack_damaged"
        assert host.says() == "one"
        assert not [name for name in host.names() if name.startswith(".new-")]


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": True},
        {"release": "../x"},
        {"release": 1},
        {"state": {"plan": 0}},
        {"state": []},
        {"files": {}},
        {"files": {"codex_ops/../x.py": "0" * 64}},
        {"files": {"/etc/passwd": "0" * 64}},
        {"files": {"codex_ops/x.sh": "0" * 64}},
        {"files": {"codex_ops/x.py": "0"}},
        {"more": 1},
    ],
    ids=str,
)
def test_a_manifest_that_is_wrong_is_refused(host: Host, change: dict[str, t.Any]) -> None:
    said = {**json.loads(host.pack("one").manifest.text()), **change}
    with pytest.raises(CodexOpsError) as caught:
        manifest.read(json.dumps(said))
    assert caught.value.code == ("newer_state" if change == {"version": 2} else "pack_damaged")


# --- state of a newer engine ----------------------------------------------------------------------------------------------


def _database(path: pathlib.Path, version: int) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE x (y)")
        database.execute(f"PRAGMA user_version = {version}")
    database.close()


STATES: dict[str, t.Callable[[Host, int], object]] = {
    "inbox": lambda host, version: _database(host.prefix / "var/lib/codex-ops/inbox.sqlite3", version),
    "budget": lambda host, version: _database(host.prefix / "var/lib/codex-ops/budget.sqlite3", version),
    "policy": lambda host, version: (host.prefix / "etc/codex-ops/policy.json").write_text(json.dumps({"version": version}), "utf-8"),
    "audit_record": lambda host, version: (host.prefix / "var/log/codex-ops/audit.jsonl").write_text(json.dumps({"version": version}) + "\n", "utf-8"),
}


@pytest.mark.parametrize("what", sorted(STATES))
def test_an_engine_is_not_put_in_charge_of_newer_state(host: Host, what: str) -> None:
    host.install("one")
    for folder in ("var/lib/codex-ops", "var/log/codex-ops", "etc/codex-ops"):
        (host.prefix / folder).mkdir(parents=True, mode=0o700)
    STATES[what](host, STATE[what])
    assert host.install("two")["changed"]
    for path in (host.prefix / "var/lib/codex-ops").iterdir():
        path.unlink()
    STATES[what](host, STATE[what] + 1)
    for check in (True, False):
        with pytest.raises(CodexOpsError) as caught:
            host.install("one", check=check)
        assert (caught.value.code, caught.value.outcome) == ("newer_state", "newer_state")
    assert host.says() == "two"


# --- interpreters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("python", ["/nowhere/python3", "python3", "/bin/true", "/tmp/a b", "/" + "x" * 200])
def test_what_is_no_python_is_refused(host: Host, python: str) -> None:
    with pytest.raises(CodexOpsError) as caught:
        present(str(host.prefix), host.pack("one").manifest.text(), pack=None, keep=3, interpreter=python, check=True)
    assert caught.value.code == "interpreter_unusable"


def test_a_python_that_somebody_else_could_replace_is_refused(tmp_path: pathlib.Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "python3").write_text("", "utf-8")
    link = tmp_path / "link"
    link.symlink_to("real/python3")
    owners = {0, os.geteuid()}
    install.check_interpreter(str(link), owners)
    for path, mode in ((real, 0o777), (real / "python3", 0o666), (tmp_path, 0o777)):
        before = path.stat().st_mode
        path.chmod(mode)
        with pytest.raises(CodexOpsError) as caught:
            install.check_interpreter(str(link), owners)
        assert caught.value.code == "interpreter_unsafe"
        path.chmod(before)
    with pytest.raises(CodexOpsError):
        install.check_interpreter(str(link), {os.geteuid() + 1})


# --- crashes --------------------------------------------------------------------------------------------------------------

CRASHING = """
import os, sys
sys.path[:0] = {path!r}
from ansible_collections.day2.codex.plugins.module_utils._engine import manifest
from ansible_collections.day2.codex.plugins.module_utils._installing import present
left = int(sys.argv[1])
writes = ("os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "os.chmod", "subprocess.Popen", "fcntl.flock")

def watch(event, arguments):
    global left
    if event in writes or (event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), 9)

sys.addaudithook(watch)
present({prefix!r}, {text!r}, pack={pack!r}, keep=1, interpreter=sys.executable, check=False)
"""


def test_killed_at_any_point_the_old_or_the_new_engine_is_whole_and_the_next_run_ends_it(host: Host) -> None:
    made = host.pack("two")
    script = CRASHING.format(
        path=[path for path in sys.path if path], prefix=str(host.prefix), text=made.manifest.text(), pack=str(host.file("two"))
    )
    seen: list[str] = []
    for point in range(1, 200):
        shutil.rmtree(host.root, ignore_errors=True)
        host.install("one", keep=1)
        host.pack("two")
        done = subprocess.run([sys.executable, "-c", script, str(point)], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in (0, -9), done.stderr
        seen.append(host.says())
        assert host.install("two", keep=1)["folder"] == os.path.realpath(host.root / "current")
        assert host.says() == "two"
        assert not [name for name in host.names() if name.startswith(".new-")]
        assert len(install.installed(str(host.root))) == 1
        if done.returncode == 0:
            break
    assert done.returncode == 0 and len(seen) > 15
    assert seen == sorted(seen) and {"one", "two"} == set(seen)


# --- away with it ---------------------------------------------------------------------------------------------------------


def test_it_is_removed_without_what_is_not_its_own(host: Host) -> None:
    host.install("one")
    host.install("two")
    (host.root / "bin/codex").write_text("", "utf-8")
    would = absent(str(host.prefix), check=True)
    assert would["changed"] and host.says() == "two"
    assert absent(str(host.prefix), check=False)["changed"]
    assert host.names() == ["bin"] and os.listdir(host.root / "bin") == ["codex"]
    assert not absent(str(host.prefix), check=False)["changed"]
    (host.root / "bin/codex").unlink()
    host.install("one")
    absent(str(host.prefix), check=False)
    assert not host.root.exists()
