# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A codex-ops that was taken over: no live file written, no action run, no approval made up, no record rewritten, nothing else of root's reached."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import typing as t

import pytest

from .host import FILES, POLICY, PYTHON, ROOT, SLICE, WORKSPACE, Host
from .test_whole_way import _signer, decide

OPS = "codex-ops"
NOBODY = "65534"
HELPERS = "/opt/codex-ops/helpers"
RUNS = "/var/lib/codex-ops/runs"
LOG = "/var/log/codex-ops/audit.jsonl"
MARK = "/root/reached"
ACTION = {"argv": ["/usr/bin/touch", MARK], "per_hour": 100, "timeout": 10}


@pytest.fixture(autouse=True)
def _as_it_was(host: Host) -> t.Iterator[None]:
    """Whatever a test does, the live tree, the policy and the log's beginning are afterwards as they were."""
    for path, text in FILES.items():
        host.write(f"{WORKSPACE}/{path}", text)
    host.policy(POLICY)
    before, log = host.tree(), host.read(LOG)
    yield
    assert host.tree() == before
    assert host.run("test", "-e", MARK).status == 1
    assert host.read("/etc/codex-ops/policy.json") == host.policy_text
    assert host.read(LOG).startswith(log)
    assert host.alive("codex-agent") == []


def _call(host: Host, helper: str, data: bytes, *arguments: str) -> t.Any:
    return host.run("sudo", "-n", f"{HELPERS}/{helper}", *arguments, user=OPS, data=data)


def _apply(host: Host, plan: str) -> dict[str, t.Any]:
    done = _call(host, "apply", plan.encode() + b"\n")
    assert done.status == 0, done.text
    return t.cast("dict[str, t.Any]", json.loads(done.out))


def _plan(host: Host) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(host.read(f"{RUNS}/{host.plan()['plan']['id']}/plan.json")))


def _closed(plan: dict[str, t.Any]) -> dict[str, t.Any]:
    """*plan* with its digests made right again: whoever made it knows how."""
    plan = {key: value for key, value in plan.items() if key != "sha256"}
    plan["patch_sha256"] = hashlib.sha256(plan["patch"].encode()).hexdigest()
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return {**plan, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _store(host: Host, plan: dict[str, t.Any], plan_id: str | None = None) -> str:
    """Keep a forged plan as codex-ops can; its ID."""
    plan_id = plan_id or f"20260202T000000Z-{random.getrandbits(32):08x}"
    text = json.dumps(_closed({**plan, "id": plan_id}), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    host.must("sh", "-c", f"mkdir -pm 700 {RUNS}/{plan_id} && umask 077 && cat > {RUNS}/{plan_id}/plan.json", user=OPS, data=text.encode())
    return plan_id


def _entry(path: str, text: str) -> dict[str, t.Any]:
    content = text.encode()
    new = {"sha256": hashlib.sha256(content).hexdigest(), "mode": 0o644, "size": len(content), "content": base64.b64encode(content).decode()}
    return {"path": path, "operation": "create", "old": None, "new": new}


def _automatic(host: Host, plan: dict[str, t.Any]) -> None:
    """From now on the slice is applied without asking."""
    pins = {SLICE["name"]: {"sha256": plan["slice_sha256"], "workspace": WORKSPACE}}
    host.policy({**POLICY, "categories": {"configuration_change": {"autonomy": "automatic"}}, "slices": pins, "actions": {"touch": ACTION}})


# --- files and commands of root's -----------------------------------------------------------------------------------------


def _writable(host: Host, user: str) -> set[str]:
    """What *user* may write, below /: not what the tests themselves brought along, nor what everybody shares."""
    brought = ["/proc", "/sys", "/tmp", "/checkout", str(ROOT)]
    prune = [word for path in brought for word in ("-path", path, "-o")]
    found = host.run("find", "/", "-xdev", "(", *prune[:-1], ")", "-prune", "-o", "!", "-type", "l", "-writable", "-print", user=user)
    return set(found.out.decode("utf-8", "surrogateescape").splitlines())


def test_no_file_but_its_own_is_writable(host: Host, bare: Host) -> None:
    host.plan()
    # What this machine lets everybody write is none of ours.
    own = _writable(host, OPS) - _writable(bare, NOBODY)
    allowed = ("/var/lib/codex-ops/", "/run/lock/codex-ops")
    assert [path for path in sorted(own) if not path.startswith(allowed) and path not in ("/var/lib/codex-ops", LOG)] == []
    assert LOG in own
    for path in ("backups", "root"):
        full = f"/var/lib/codex-ops/{path}"
        for argv in (("ls", full), ("mv", full, full + "-moved"), ("rmdir", full), ("touch", full + "/x"), ("chmod", "777", full)):
            assert host.run(*argv, user=OPS).status != 0, argv


def test_no_record_is_rewritten(host: Host) -> None:
    host.plan()
    before = host.read(LOG)
    assert host.must("lsattr", LOG).split()[0].count("a") == 1, "this file system has the append-only attribute"
    for command in (f": > {LOG}", f"truncate -s 0 {LOG}", f"dd if=/dev/zero of={LOG} conv=notrunc bs=1 count=9", f"rm -f {LOG}", f"mv {LOG} {LOG}.1",
                    f"chattr -a {LOG}", f"chmod 666 {LOG}", f"sed -i d {LOG}", f"ln -f /dev/null {LOG}", f"touch {LOG}.2"):  # fmt: skip
        host.run("sh", "-c", command, user=OPS)
        assert host.read(LOG) == before, command
    assert host.run("test", "-e", f"{LOG}.2").status == 1
    mapped = "import mmap,os,sys;h=os.open(sys.argv[1],os.O_RDWR|os.O_APPEND);m=mmap.mmap(h,4096);m[0:1]=b'x';m.flush()"
    assert host.run(PYTHON, "-c", mapped, LOG, user=OPS).status != 0
    assert host.read(LOG) == before


@pytest.mark.parametrize(
    "argv",
    [
        ("-i",), ("-s",), ("id",), ("/usr/bin/id",), ("-u", "codex-agent", "id"), ("-u", "nobody", "id"), ("-e", "/etc/shadow"), ("-l", "-U", "root"),
        ("PYTHONPATH=/tmp", f"{HELPERS}/apply"), ("LD_PRELOAD=/tmp/x.so", f"{HELPERS}/apply"), ("-E", f"{HELPERS}/apply"),
        (f"{HELPERS}/../bin/codex",), (f"{HELPERS}/apply", "x"), (f"{HELPERS}/apply", ""), (f"{HELPERS}/agent-run", "-c", "x"),
        (f"{HELPERS}/agent-stop", "--help"), ("-g", "root", f"{HELPERS}/apply"), ("-R", "/tmp", f"{HELPERS}/apply"), ("-D", "/tmp", f"{HELPERS}/apply"),
        ("-C", "9", f"{HELPERS}/apply"), ("-u", "codex-agent", f"{HELPERS}/agent-run"), ("/bin/sh", "-c", f"{HELPERS}/apply"),
    ],
)  # fmt: skip
def test_sudo_gives_three_helpers_without_arguments_and_nothing_else(host: Host, argv: tuple[str, ...]) -> None:
    done = host.run("sudo", "-n", *argv, user=OPS, data=b"20260101T000000Z-00000000\n")
    assert done.status == 1 and b"uid=" not in done.out and b"codex-ops helper" not in done.err, done


def test_a_helper_takes_nothing_of_its_callers_environment(host: Host) -> None:
    files = "/tmp/evil/codex_ops/__init__.py /tmp/evil/sitecustomize.py /tmp/evil/json.py"
    host.must("sh", "-c", f'mkdir -p /tmp/evil/codex_ops && echo \'open("{MARK}","w")\' | tee {files}', user=OPS)
    evil = {"PYTHONPATH": "/tmp/evil", "PYTHONSTARTUP": "/tmp/evil/json.py", "PYTHONHOME": "/tmp/evil", "HOME": "/tmp/evil", "BASH_ENV": "/tmp/evil/json.py"}
    words = [f"{key}={value}" for key, value in evil.items()]
    for helper in ("agent-run", "agent-stop", "apply"):
        command = f"cd /tmp/evil/codex_ops; ulimit -f 0; ulimit -n 20; sudo -n {HELPERS}/{helper}"
        done = host.run("env", *words, "sh", "-c", command, user=OPS, data=b"nothing\n")
        assert done.status == 2, done


# --- the helpers' one line ------------------------------------------------------------------------------------------------

LINES = [
    b"", b"\n", b" \n", b"\0\n", b"x\n", b"../../../etc\n", b"..\n", b"/\n", b"20260101T000000Z-00000000", b"20260101T000000Z-00000000 \n",
    b"20260101T000000Z-00000000\0\n", b"20260101T000000Z-00000000\r\n", b" 20260101T000000Z-00000000\n", b"20260101T000000Z-0000000G\n",
    b"20260101T000000Z-00000000/..\n", b"20260101T000000Z-00000000/probe-../../..\n", b"20260101T000000Z-00000000/probe-abc\n",
    b"20260101t000000z-00000000\n", "２0260101T000000Z-00000000\n".encode(), b"\xff\xfe\n", b"-h\n", b"$(touch /root/reached)\n", b"`id`\n",
    b"A" * 64, b"A" * 65 + b"\n", b"A" * (4 << 20), b"\n" * 100000, b"\n20260101T000000Z-00000000\n",
]  # fmt: skip


@pytest.mark.parametrize("helper", ["agent-run", "agent-stop", "apply"])
def test_only_an_id_on_one_line_is_understood(host: Host, helper: str) -> None:
    rounds = random.Random(20260101)
    lines = LINES + [bytes(rounds.randrange(256) for _byte in range(rounds.randrange(80))) + b"\n" for _round in range(40)]
    for line in lines:
        try:
            done = _call(host, helper, line)
        except BrokenPipeError:
            continue
        assert done.status == 2 and not done.out, (line[:100], done)
        assert done.err.startswith(b"codex-ops helper: ") and b"Traceback" not in done.err and done.err.count(b"\n") == 1, (line[:100], done.err)


def test_an_id_of_nothing_is_answered_and_does_nothing(host: Host) -> None:
    nothing = b"20260101T000000Z-ffffffff\n"
    assert json.loads(_call(host, "apply", nothing).out)["code"] == "plan_not_found"
    assert _call(host, "agent-stop", nothing).status == 0
    # Without the engine's socket it runs nothing.
    assert _call(host, "agent-run", nothing).status == 2


HOSTILE = {
    "no folder": "true",
    "a link to root's": "ln -s /root $R",
    "a link to another run": "mkdir -m 700 $R.real && ln -s $R.real $R",
    "open to others": "mkdir -m 755 $R && echo '{}' > $R/request.json",
    "no request": "mkdir -m 700 $R",
    "a link as request": "mkdir -m 700 $R && ln -s /etc/shadow $R/request.json",
    "a FIFO as request": "mkdir -m 700 $R && mkfifo $R/request.json",
    "a folder as request": "mkdir -m 700 $R && mkdir $R/request.json",
    "an endless request": "mkdir -m 700 $R && truncate -s 20M $R/request.json",
    "a deep request": "mkdir -m 700 $R && python3 -c 'print(\"[\"*200000)' > $R/request.json",
    "other keys": 'mkdir -m 700 $R && echo \'{"argv": ["/bin/sh"]}\' > $R/request.json',
    "a token that is none": 'mkdir -m 700 $R && echo \'{"contract":null,"model":null,"output_schema":null,"prompt":"","reasoning_effort":null,'
    '"timeout":9,"token":"x\\ny","writable":true}\' > $R/request.json',
    "a time without end": 'mkdir -m 700 $R && echo \'{"contract":null,"model":null,"output_schema":null,"prompt":"","reasoning_effort":null,'
    '"timeout":Infinity,"token":"abababababababababababab","writable":true}\' > $R/request.json',
    "a link as copy": 'mkdir -m 700 $R && ln -s /root $R/workspace && echo \'{"contract":null,"model":null,"output_schema":null,"prompt":"",'
    '"reasoning_effort":null,"timeout":9,"token":"abababababababababababab","writable":true}\' > $R/request.json',
}
SPEAK = """
import socket, subprocess, sys
ours, theirs = socket.socketpair()
child = subprocess.Popen(["sudo", "-n", sys.argv[1]], stdin=theirs)
theirs.close()
ours.sendall(sys.argv[2].encode() + b"\\n")
data = b""
while True:
    piece = ours.recv(65536)
    if not piece:
        break
    data += piece
sys.stdout.buffer.write(data)
sys.exit(child.wait())
"""


@pytest.mark.parametrize("shape", sorted(HOSTILE))
def test_agent_run_refuses_a_folder_that_is_no_run_of_the_engine(host: Host, shape: str) -> None:
    run_id = f"20260303T000000Z-{random.getrandbits(32):08x}"
    host.must("sh", "-c", f"R={RUNS}/{run_id}; {HOSTILE[shape]}", user=OPS)
    done = host.run(PYTHON, "-c", SPEAK, f"{HELPERS}/agent-run", run_id, user=OPS)
    assert done.status == 1 and done.out.startswith(b"E"), done
    assert b"Traceback" not in done.err and b"root:" not in done.out + done.err


def test_agent_run_refuses_a_codex_that_is_not_roots(host: Host) -> None:
    host.must("sh", "-c", "mkdir -p /srv/ops && cp /bin/true /srv/ops/codex && chown -R codex-ops /srv/ops && ln -sfn /srv/ops/codex /opt/codex-ops/bin/codex")
    try:
        run_id = f"20260303T000000Z-{random.getrandbits(32):08x}"
        done = host.run(PYTHON, "-c", SPEAK, f"{HELPERS}/agent-run", run_id, user=OPS)
        assert done.status == 1 and b"/srv/ops is not root's alone" in done.out, done
    finally:
        host.must("ln", "-sfn", "/opt/codex/bin/codex", "/opt/codex-ops/bin/codex")


# --- plans and approvals ----------------------------------------------------------------------------------------------------


def test_a_plan_that_needs_approval_is_not_applied_without_one(host: Host) -> None:
    plan = _plan(host)
    assert _apply(host, plan["id"])["outcome"] == "awaiting_approval"
    # What it writes down as approvals is none.
    folder = f"{RUNS}/{plan['id']}/approvals"
    statement = {"version": 1, "plan": plan["id"], "decision": "approve", "approver": "alice", "plan_sha256": plan["sha256"], "comment": ""}
    text = json.dumps({"version": 1, "statement": json.dumps(statement), "signature": "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"})
    for name in (hashlib.sha256(json.dumps(statement).encode()).hexdigest(), "0" * 64):
        host.must("sh", "-c", f"mkdir -pm 700 {folder} && cat > {folder}/{name}.json", user=OPS, data=text.encode())
        assert _apply(host, plan["id"])["outcome"] in ("awaiting_approval", "forbidden")


def test_its_own_key_counts_for_nothing(host: Host) -> None:
    plan = _plan(host)
    host.must("sh", "-c", "cd /tmp && rm -f mallory* && ssh-keygen -q -t ed25519 -N '' -f mallory", user=OPS)
    ballot = {"plan": plan["id"], "decision": "approve", "approver": "mallory", "expires_in": 3600}
    statement = host.drive("approval", OPS, ballot=ballot)["statement"]
    sign = "cd /tmp && rm -f statement* && cat > statement && ssh-keygen -q -Y sign -n codex-ops-approval -f mallory statement"
    host.must("sh", "-c", sign, user=OPS, data=statement.encode())
    result = host.drive("approval", OPS, ballot={**ballot, "statement": statement, "signature": host.read("/tmp/statement.sig")})
    assert result["failed"], result
    assert _apply(host, plan["id"])["outcome"] == "awaiting_approval"


@pytest.mark.parametrize("change", ["a byte", "another ID", "a name on the way", "a link", "no plan", "nonsense"])
def test_a_plan_that_was_tampered_with_is_refused(host: Host, change: str) -> None:
    plan = _plan(host)
    _automatic(host, plan)
    path = f"{RUNS}/{plan['id']}/plan.json"
    commands = {
        "a byte": f"sed -i 's/noreply/n0reply/' {path}",
        "another ID": f"mv {RUNS}/{plan['id']} {RUNS}/20260101T000000Z-12345678",
        "a name on the way": f"mv {RUNS}/{plan['id']} {RUNS}/real && ln -s real {RUNS}/{plan['id']}",
        "a link": f"mv {path} {path}.real && ln -s plan.json.real {path}",
        "no plan": f"rm {path} && mkdir {path}",
        "nonsense": f"echo '{{\"id\": 1' > {path}",
    }
    host.must("sh", "-c", commands[change], user=OPS)
    for plan_id in (plan["id"], "20260101T000000Z-12345678"):
        result = _apply(host, plan_id)
        assert result["failed"] and not result["changed"], result
    host.must("sh", "-c", f"rm -rf {RUNS}/20260101T000000Z-12345678 {RUNS}/real", user=OPS)


FORGED: dict[str, t.Callable[[dict[str, t.Any]], dict[str, t.Any]]] = {
    "outside the scope": lambda plan: {**plan, "files": [_entry("other/new.txt", "x\n")]},
    "above the workspace": lambda plan: {**plan, "files": [_entry("../new.txt", "x\n")]},
    "an absolute path": lambda plan: {**plan, "files": [_entry("/etc/cron.d/x", "x\n")]},
    "a protected path": lambda plan: {**plan, "files": [{**_entry("config/api.yml", "x\n")}]},
    "a secret": lambda plan: {**plan, "files": [_entry("config/new.yml", "password: " + "kX9vQ2mZ7pL4wR8t" + "\n")]},
    "a set-uid file": lambda plan: {**plan, "files": [{**_entry("config/new", "x\n"), "new": {**_entry("config/new", "x\n")["new"], "mode": 0o4755}}]},
    "hidden characters": lambda plan: {**plan, "files": [_entry("config/new.txt", "x\u202ey\n")]},
    "another slice": lambda plan: {**plan, "slice": {**plan["slice"], "scope": {"include": ["**"]}}, "files": [_entry("other/new.txt", "x\n")]},
    "a slice that is none": lambda plan: {**plan, "slice": {"name": "inbox-public-identity", "workspace": "/etc"}},
    "another workspace": lambda plan: {**plan, "workspace": "/etc", "files": [_entry("config/new.txt", "x\n")]},
    "an action": lambda plan: {**plan, "actions": ["touch"]},
    "an action by argv": lambda plan: {**plan, "actions": [f"/usr/bin/touch {MARK}"]},
    "another host": lambda plan: {**plan, "host_id": "0" * 32, "files": [_entry("config/new.txt", "x\n")]},
    "another policy": lambda plan: {**plan, "policy_sha256": "0" * 64, "files": [_entry("config/new.txt", "x\n")]},
}


@pytest.mark.parametrize("what", sorted(FORGED))
def test_a_plan_that_no_engine_makes_is_refused_even_where_nobody_is_asked(host: Host, what: str) -> None:
    _automatic(host, _plan(host))
    plan = _plan(host)
    plan_id = _store(host, FORGED[what](plan))
    result = _apply(host, plan_id)
    assert result["failed"] and not result["changed"], result
    assert result["outcome"] in ("rejected", "stale_plan", "forbidden"), result


def test_a_plan_is_used_once_and_a_rejection_stays_whatever_is_removed(host: Host) -> None:
    key = _signer(host, "carol")
    plan = _plan(host)
    assert not decide(host, key, plan["id"], "carol", "reject", user="root")["failed"]
    host.must("sh", "-c", f"rm -rf {RUNS}/{plan['id']}/approvals {RUNS}/{plan['id']}/spent", user=OPS)
    result = _apply(host, plan["id"])
    assert (result["outcome"], result["code"]) == ("rejected", "approval_rejected"), result
    plan = _plan(host)
    assert not decide(host, key, plan["id"], "carol")["failed"]
    applied = _apply(host, plan["id"])
    assert applied["outcome"] == "applied", applied
    assert host.drive("slice", "root", state="rolled_back", run_id=applied["run_id"])["outcome"] == "restored"
    # The same plan, made fresh again.
    host.must("sh", "-c", f"rm -rf {RUNS}/{plan['id']}/spent", user=OPS)
    assert _apply(host, plan["id"])["code"] == "plan_spent"
    _store(host, {**plan, "nonce": "0" * 32}, plan["id"])
    assert _apply(host, plan["id"])["code"] == "plan_spent"


def test_the_kill_switch_and_an_unsafe_policy_close_the_helper(host: Host) -> None:
    plan = _plan(host)
    _automatic(host, plan)
    plan = _plan(host)
    host.write("/etc/codex-ops/disabled", "")
    assert _apply(host, plan["id"])["outcome"] == "kill_switch_engaged"
    host.must("rm", "/etc/codex-ops/disabled")
    host.must("chmod", "0666", "/etc/codex-ops/policy.json")
    assert _apply(host, plan["id"])["outcome"] == "forbidden"
    assert host.run("sh", "-c", "touch /etc/codex-ops/x || rm /etc/codex-ops/policy.json", user=OPS).status != 0


def test_what_codex_ops_lays_in_the_place_of_a_file_of_roots_is_not_followed(host: Host) -> None:
    plan = _plan(host)
    for name in ("spent", "approvals", "patch.diff", "report.json", "error.txt"):
        host.must("sh", "-c", f"rm -rf {RUNS}/{plan['id']}/{name}; ln -s /root/reached {RUNS}/{plan['id']}/{name}", user=OPS)
    for name in ("pruned", "redaction-key", "budget.sqlite3-wal", "budget.sqlite3", "inbox.sqlite3"):
        host.must("sh", "-c", f"cd /var/lib/codex-ops; rm -f {name}; ln -s /root/reached {name}", user=OPS)
    try:
        assert _apply(host, plan["id"])["outcome"] in ("awaiting_approval", "rejected")
        host.drive("slice", "root", plan=plan["id"])
    finally:
        host.must("sh", "-c", "cd /var/lib/codex-ops; find . -maxdepth 1 -type l -delete", user=OPS)
