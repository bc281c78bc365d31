# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's own log is copied to the host's syslog; that below a prefix is not.

A root folder of the test's own, in a mount namespace: there, it is the engine of a host, and its syslog is a socket of the test's.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[4]
#: What the host has of its own; all else is that of the machine.
OWN = ("dev", "etc", "run", "srv", "var")

ENTER = """
set -eu
new=$1
shift
mount -t tmpfs -o mode=0755 tmpfs "$new"
for path in /*; do
    name=${path#/}
    if [ -L "$path" ]; then
        cp -P "$path" "$new/$name"
    elif [ -d "$path" ]; then
        mkdir "$new/$name"
        case " $OWN " in
            *" $name "*) ;;
            *) mount --rbind "$path" "$new/$name" ;;
        esac
    fi
done
mkdir -m 1777 "$new/dev/shm"
for path in null urandom; do
    touch "$new/dev/$path"
    mount --bind "/dev/$path" "$new/dev/$path"
done
mkdir -p "$new/var/log" "$new/var/lib" "$new/run/lock" "$new/srv/inbox"
echo 'sender: noreply@example.com' >"$new/srv/inbox/inbox.yml"
exec chroot "$new" "$@"
"""

OPERATE = """
import json, socket, sys
sys.path[:0] = json.loads(sys.argv[2])
from ansible_collections.day2.codex.plugins.module_utils._operation import operate
from ansible_collections.day2.codex.plugins.module_utils._options import Options, Order
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("/dev/log")
listener.settimeout(0)
document = {
    "name": "inbox", "category": "configuration_change", "workspace": "/srv/inbox", "scope": {"include": ["**"]},
    "instructions": "Correct the sender.", "values": {"incorrect": [{"value": "norply@example.com"}]},
}
result = operate(Options(prefix=sys.argv[1]), Order(document=document))
copies = []
try:
    while True:
        copies.append(listener.recv(100000).decode("ascii"))
except BlockingIOError:
    pass
log = sys.argv[1].rstrip("/") + "/var/log/codex-ops/audit.jsonl"
sys.stdout.write(json.dumps({"result": result, "copies": copies, "log": open(log).read().splitlines()}))
"""


@pytest.mark.parametrize("prefix", ["/", "/srv/prefix"])
def test_each_record_of_the_hosts_own_log_goes_to_the_syslog_too(tmp_path: pathlib.Path, prefix: str) -> None:
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ENTER, "sh", str(tmp_path)]
    command += [sys.executable, "-c", OPERATE, prefix, json.dumps([path for path in sys.path if path])]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "OWN": " ".join(OWN)}
    done = subprocess.run(command, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["result"]["outcome"] == "unchanged", found["result"]
    assert [json.loads(line)["phase"] for line in found["log"]] == ["intent", "outcome"]
    assert [copy.partition("]: ")[2] for copy in found["copies"]] == (found["log"] if prefix == "/" else [])
    assert not os.listdir(tmp_path)


ASK = """
import json, os, socket, subprocess, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind("/dev/log")
listener.settimeout(0)
os.symlink("/proc/self/fd", "/dev/fd")
for module, arguments in json.loads(sys.argv[1]):
    command = [sys.argv[2], "localhost", "-i", "localhost,", "-c", "local", "-m", module, "-a", json.dumps(arguments)]
    command += ["-e", "ansible_python_interpreter=" + sys.executable]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr, check=False)
said = b""
try:
    while True:
        said += listener.recv(1000000) + b"\\n"
except BlockingIOError:
    pass
sys.stdout.write(json.dumps(said.decode("utf-8", "replace")))
"""


def test_no_option_of_a_task_reaches_the_hosts_syslog(tmp_path: pathlib.Path) -> None:
    secret = "tulip-harbour-" + os.urandom(8).hex()
    slice_ = {"name": "inbox", "category": secret, "workspace": "/srv/inbox", "scope": {"include": ["**"]}, "instructions": secret}
    own: list[tuple[str, dict[str, object]]] = [
        ("day2.codex.exec", {"prompt": secret, "inputs": {"a": secret}}),
        ("day2.codex.slice", {"slice": slice_}),
        ("day2.codex.job", {"slice": "inbox", "input": {"a": secret}}),
        ("day2.codex.kill_switch", {"state": "engaged", "reason": "drill"}),
        ("day2.codex.approval", {"plan": "20260115T031500Z-9f86d081", "comment": secret}),
    ]
    # Ansible's own modules do tell it: so the test would see.
    modules = [*own, ("ansible.builtin.stat", {"path": "/seen-by-the-test"})]
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ENTER, "sh", str(tmp_path)]
    command += [sys.executable, "-c", ASK, json.dumps(modules), str(pathlib.Path(sys.executable).parent / "ansible")]
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "OWN": " ".join(OWN),
        "HOME": "/srv",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache/collections"),
        "ANSIBLE_LOCAL_TEMP": "/srv/tmp",
        "ANSIBLE_REMOTE_TEMP": "/srv/tmp",
    }
    done = subprocess.run(command, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert "/seen-by-the-test" in said, done.stderr
    assert secret not in said
    assert "codex-ops" in said, "the trail's own copies"
