# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What codex-agent can do on a provisioned host, sandbox or not: nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import typing as t

import pytest

from .host import FILES, PYTHON, SLICE, WORKSPACE, Host, cassette

CLOSED = ["/etc/shadow", "/etc/codex-ops/secrets/provider-key"]
#: Everybody may read some of them; the agent does not see them at all.
COVERED = ["/home/other/note", "/home/other/for-everybody", "/srv/inbox/config/api.yml", "/opt/codex-ops/current"]
COVERED += ["/var/lib/codex-ops", "/var/log/codex-ops", "/var/log/codex-ops/audit.jsonl"]
SOCKETS = ["/run/database.socket", "/var/lib/database.socket", "/srv/database.socket"]
WRITABLE = ["/tmp", "/var/tmp", "/dev/shm"]
NUMBER = [0]


@pytest.fixture(scope="module", name="open_host")
def _open_host(host: Host) -> t.Iterator[Host]:
    """A host on which something else is installed as Codex."""
    host.write("/etc/codex-ops/secrets/provider-key", "placeholder-key\n", 0o640, "root:codex-ops")
    host.write("/home/other/note", "private\n", 0o600, "games:games")
    host.write("/home/other/for-everybody", "public\n", 0o644, "games:games")
    # As a program: its first line is written here.
    place = "/opt/codex-ops/in-place-of-codex"
    host.must("sh", "-c", f"{{ echo '#!/usr/bin/python3 -IB'; cat /checkout/tests/hosts/in-place-of-codex; }} >{place} && chmod 0755 {place}")
    host.must("ln", "-sfn", "/opt/codex-ops/in-place-of-codex", "/opt/codex-ops/bin/codex")
    yield host
    host.must("ln", "-sfn", "/opt/codex/bin/codex", "/opt/codex-ops/bin/codex")


def new_id() -> str:
    """The ID of a run that was not there before."""
    NUMBER[0] += 1
    return f"20260101T000000Z-{NUMBER[0]:08x}"


def jail(host: Host, *parts: str, make: str = "true", **given: t.Any) -> dict[str, t.Any]:
    """Have agent-run run the thing in the place of Codex."""
    prompt = {"parts": parts, "closed": CLOSED + COVERED, "writable": WRITABLE, "pids": [], "addresses": [], **given}
    result = host.drive("jail", "codex-ops", run_id=new_id(), make=make, prompt=json.dumps(prompt))
    assert result.get("exit_code") == 0, result
    return {**result, "found": json.loads(result["out"])}


def test_codex_agent_holds_nothing_and_reaches_nothing(open_host: Host) -> None:
    server = "import os,socket;s=socket.create_server(('127.0.0.1',4711));u=socket.socket(socket.AF_UNIX);"
    server += "u.bind('\\0day2-abstract');u.listen();kept=[];os.umask(0);"
    server += f"[(kept.append(socket.socket(socket.AF_UNIX)),kept[-1].bind(p),kept[-1].listen()) for p in {SOCKETS}];print(1,flush=True);s.accept()"
    with subprocess.Popen(open_host.argv([PYTHON, "-c", server]), stdout=subprocess.PIPE) as listener:
        assert listener.stdout is not None and listener.stdout.readline()
        engine = open_host.run("pgrep", "-f", "day2-abstract").out.split()
        found = jail(open_host, "look", pids=[1, int(engine[0])], addresses=[["127.0.0.1", 4711], ["192.0.2.1", 80]], sockets=SOCKETS)["found"]
        # There is something to be reached.
        reach = "import socket,sys; [socket.socket(socket.AF_UNIX).connect(path) for path in sys.argv[1:]]"
        open_host.must(PYTHON, "-c", reach, *SOCKETS, user="codex-agent")
        assert open_host.must("cat", "/home/other/for-everybody", user="codex-agent") == "public\n"
        listener.kill()
    agent = open_host.must("id", "-u", "codex-agent").strip()
    group = open_host.must("id", "-g", "codex-agent").strip()
    assert found["users"] == [agent] * 4 and found["groups"] == [group] * 4 and found["all_groups"] in ([], [group])
    assert set(found["capabilities"]) == {"0" * 16} and found["no_new_privileges"] == "1"
    assert found["environment"] == ["CODEX_HOME", "CODEX_RELAY_TOKEN", "HOME", "LANG", "PATH", "RUST_LOG", "TMPDIR"]
    assert found["descriptors"] == [0, 1, 2]
    assert len(found["processes"]) == 2, found["processes"]
    for path in CLOSED:
        assert found[f"read {path}"] == "Permission denied", path
    for path in (*COVERED, *SOCKETS):
        assert found.get(f"read {path}", found.get(f"connect {path}")) == "No such file or directory", path
    # In /mnt is the agent's own folder; in /tmp and /var, too, is nothing of anybody else's.
    assert set(found["full"]) <= {"bin", "dev", "etc", "lib", "lib32", "lib64", "libx32", "mnt", "proc", "sbin", "sys", "tmp", "usr", "var"}
    for path in WRITABLE:
        # They are its own, and gone with it.
        assert found[f"write {path}"] == "written" and open_host.run("test", "-e", f"{path}/left-by-the-agent").status == 1
    assert found["signal 1"] == "Operation not permitted" and found["trace 1"] == "Operation not permitted"
    assert found[f"signal {int(engine[0])}"] in ("No such process", "Operation not permitted")
    assert found["interfaces"] == ["lo"] and len(found["listening"]) == 1 and found["unix"] == []
    assert found["connect ['127.0.0.1', 4711]"] == "Connection refused"
    assert found["connect ['192.0.2.1', 80]"] == "Network is unreachable"
    assert "no new privileges" in found["sudo"]
    assert found["fill"] in ("No space left on device", "File too large")


def _owned(host: Host) -> set[bytes]:
    """Files of codex-agent's on the host. On the machine below it, somebody else may have its number."""
    return set(host.run("find", "/", "-xdev", "-user", "codex-agent").out.splitlines())


def test_what_the_agent_leaves_is_shown_to_the_engine_and_cleared_by_it(open_host: Host) -> None:
    before = _owned(open_host)
    result = jail(open_host, "leave", make="printf kept > kept; chmod 640 kept; mkdir sub; chmod 500 sub")
    listing = result["listing"]
    for wanted in ("d---------", "-rwsr-sr-x", "link -> /etc/shadow", "folder-link -> /etc", "prw", "-rw-r----- 1 codex-ops codex-ops", "dr-x------"):
        assert wanted in listing, (wanted, listing)
    # A further name stays one, wherever it is.
    assert listing.count("-rw------- 2 codex-ops") + listing.count("-rw-r--r-- 2 codex-ops") == 3, listing
    runs = "/var/lib/codex-ops/runs"
    assert open_host.must("find", runs, "!", "-user", "codex-ops") == ""
    assert _owned(open_host) - before == set()
    # The engine can remove all of it.
    removal = "import sys; sys.path.insert(0, '/opt/codex-ops/current'); from codex_ops._agent.folder import remove; remove(sys.argv[1])"
    for name in open_host.must("ls", runs).split():
        open_host.must(PYTHON, "-IB", "-c", removal, f"{runs}/{name}", user="codex-ops")
    assert open_host.must("ls", runs) == ""
    assert open_host.must("stat", "-c", "%a %U", "/etc/shadow").split()[1] == "root"


def test_nothing_lives_on_when_codex_ended(open_host: Host) -> None:
    assert jail(open_host, "linger")["found"]["lingers"]
    assert open_host.alive("codex-agent") == []


def test_an_agent_that_multiplies_is_stopped_at_its_limit_and_ended(open_host: Host) -> None:
    found = jail(open_host, "multiply")["found"]
    assert found["multiply"] == "Resource temporarily unavailable"
    groups = open_host.run("test", "-d", "/sys/fs/cgroup/pids").status == 0 or b"pids" in open_host.run("cat", "/sys/fs/cgroup/cgroup.controllers").out
    assert found["started"] < (512 if groups else 2048), found
    assert open_host.alive("codex-agent") == []
    # Other hosts of these tests share the kernel, and may have agents of their own just now.
    _until(lambda: open_host.must("find", "/sys/fs/cgroup", "-name", "day2-codex-agents") == "", 90)


def _waiting(host: Host, run_id: str) -> subprocess.Popen[bytes]:
    """An engine of codex-ops whose agent waits."""
    given = {"run_id": run_id, "prompt": json.dumps({"parts": ["linger", "wait"]})}
    engine = subprocess.Popen(host.argv([PYTHON, "-IB", "/opt/codex-ops/drive", "jail"], "codex-ops"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert engine.stdin is not None
    engine.stdin.write(json.dumps(given).encode())
    engine.stdin.close()
    _until(lambda: len(host.alive("codex-agent")) >= 2)
    return engine


def _until(held: t.Callable[[], bool], seconds: float = 20) -> float:
    """Wait until it holds; how many seconds passed until somebody looked and it held."""
    began = looked = time.monotonic()
    while not held():
        assert looked - began < seconds
        time.sleep(0.02)
        looked = time.monotonic()
    return looked - began


def _pids(host: Host, pattern: str) -> list[str]:
    return host.run("pgrep", "-f", pattern).out.decode().split()


@pytest.mark.parametrize("killed", ["engine", "helper", "sudo", "stop", "kill switch"])
def test_within_a_second_nothing_of_the_agent_is_alive(open_host: Host, killed: str) -> None:
    run_id = new_id()
    engine = _waiting(open_host, run_id)
    try:
        if killed == "engine":
            open_host.must("pkill", "-KILL", "-f", "/opt/codex-ops/drive jail")
        elif killed == "helper":
            # The first of them is sudo.
            open_host.must("kill", "-KILL", *[pid for pid in _pids(open_host, "helpers/agent-run") if "sudo" not in open_host.read(f"/proc/{pid}/comm")][:1])
        elif killed == "sudo":
            open_host.must("pkill", "-KILL", "-x", "sudo", user="codex-ops")
        elif killed == "stop":
            assert open_host.run("sudo", "-n", "/opt/codex-ops/helpers/agent-stop", user="codex-ops", data=run_id.encode() + b"\n").status == 0
            assert open_host.alive("codex-agent") == []
        else:
            open_host.write("/etc/codex-ops/disabled", "")
        assert _until(lambda: not open_host.alive("codex-agent")) < 1.0
        engine.wait(timeout=20)
        assert _until(lambda: not _pids(open_host, "helpers/agent-run")) < 5
    finally:
        open_host.must("rm", "-f", "/etc/codex-ops/disabled")
        engine.kill()
        engine.wait()


@pytest.mark.parametrize("slow", [False, True], ids=["an engine", "an engine that looks too late"])
def test_the_kill_switch_ends_a_real_codex_and_stops_the_next(bare: Host, slow: bool) -> None:
    bare.provision()
    bare.plan()
    tape = cassette(("sleep 300",), "{}")
    given = {"slice": SLICE, "cassette": tape, "state": "planned"}
    with subprocess.Popen(bare.argv([PYTHON, "-IB", "/opt/codex-ops/drive", "slice"], "codex-ops"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
        assert engine.stdin is not None and engine.stdout is not None
        engine.stdin.write(json.dumps(given).encode())
        engine.stdin.close()
        _until(lambda: any("sleep 300" in line for line in bare.alive("codex-agent")))
        if slow:
            # Root's helper ends the agent by itself, before the engine knows why.
            bare.must("pkill", "-STOP", "-f", "/opt/codex-ops/drive slice")
        bare.write("/etc/codex-ops/disabled", "")
        assert _until(lambda: not bare.alive("codex-agent")) < 1.0
        bare.run("pkill", "-CONT", "-f", "/opt/codex-ops/drive slice")
        # What waits for it out here has stopped with it.
        engine.send_signal(signal.SIGCONT)
        result = json.loads(engine.stdout.read())
    assert result["outcome"] == "killed", result
    assert bare.plan()["outcome"] == "kill_switch_engaged"
    assert {path: text for path, text in FILES.items() if bare.read(f"{WORKSPACE}/{path}") == text} == FILES


def test_signals_that_codex_ops_can_send_do_not_free_the_agent(open_host: Host) -> None:
    engine = _waiting(open_host, new_id())
    try:
        for line in open_host.must("ps", "-eo", "pid=,user=,comm=").splitlines():
            pid, user, command = line.split(None, 2)
            # sudo itself it may kill, which another test does.
            if pid != "1" and user in ("root", "codex-agent") and command not in ("ps", "sudo"):
                assert open_host.run("kill", "-KILL", pid, user="codex-ops").status != 0, line
        assert open_host.alive("codex-agent")
    finally:
        open_host.must("pkill", "-KILL", "-f", "/opt/codex-ops/drive jail")
        engine.wait()
    _until(lambda: not open_host.alive("codex-agent"))
