# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fault for every collector: planted, found, one job, repaired, resolved."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import world
from driver import bad, begin, end, hold, jobs, tick, until
from world import SRV, background, call, write

#: A line of about 300 bytes, and how many of 14000 lines make more than 1 GB.
STORM = "2 error: connection 0x{:x} to 192.0.2.{} lost after {} ms" + " at worker.queue.process" * 10
LINES, BLOCKS = 14000, 256


class Fault(t.NamedTuple):
    """``found`` maps the ID of each finding, a digest of log lines aside, to its severity and to expressions for what was expected and observed."""

    slice: str
    status: str
    found: dict[str, tuple[str, str, str]]
    plant: t.Callable[[], object]
    repair: t.Callable[[], object]


def _sick() -> None:
    world.unit("nightly", "/bin/false", "Type=oneshot\n")
    call("systemctl", "daemon-reload")
    call("systemctl", "start", "nightly", check=False)
    background("parent", "import subprocess, time; a = subprocess.Popen(['true']); time.sleep(9999)")
    background("stopped", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
    write("/run/reboot-required", "")
    write("/run/reboot-required.pkgs", "linux-image-amd64\n")
    time.sleep(2)


def _well() -> None:
    world.unit("nightly", "/bin/true", "Type=oneshot\n")
    call("systemctl", "daemon-reload")
    call("systemctl", "start", "nightly")
    call("systemctl", "kill", "--signal=KILL", "stopped", "parent")
    until("the processes end", lambda: "active" not in call("systemctl", "is-active", "stopped", "parent", check=False).split())
    call("systemctl", "reset-failed")
    for path in ("/run/reboot-required", "/run/reboot-required.pkgs"):
        os.unlink(path)


def _full() -> None:
    for number in range(190):
        write(SRV / f"full/{number}", "")
    with open("/srv/full/big", "wb") as stream:
        try:
            while True:
                stream.write(b"x" * 65536)
                stream.flush()
        except OSError:
            pass
    code = "import os, time; f = open('/tmp/held', 'wb'); f.write(os.urandom(4 << 20)); f.flush(); os.unlink('/tmp/held'); time.sleep(9999)"
    background("holder", code, "codex-ops")
    until("the deleted file is held", lambda: not os.path.exists("/tmp/held") and "holder" in call("systemctl", "is-active", "holder") + "holder")
    time.sleep(0.5)


def _room() -> None:
    for path in pathlib.Path("/srv/full").iterdir():
        path.unlink()
    call("systemctl", "stop", "holder")


def _restarts() -> int:
    return int(call("systemctl", "show", "--property=NRestarts", "--value", "flapping"))


def _down() -> None:
    call("systemctl", "stop", "inbox-app")
    world.unit("flapping", "/bin/false", "Restart=always\nRestartSec=100ms\n")
    call("systemctl", "daemon-reload")
    call("systemctl", "restart", "flapping", check=False)
    until("a service restarts again and again", lambda: _restarts() >= 12)


def _up() -> None:
    world.unit("flapping", "/bin/sleep 100000", "Restart=always\nRestartSec=100ms\n")
    call("systemctl", "daemon-reload")
    call("systemctl", "stop", "flapping")
    call("systemctl", "start", "flapping", "inbox-app")


def _line(number: int) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {STORM.format(number * 7919, number % 250, number)}\n"


def _storm() -> None:
    block = "".join(map(_line, range(LINES))).encode()
    with open("/srv/log/app.log", "ab") as stream:
        for _number in range(BLOCKS):
            stream.write(block)

    script = 'for i in $(seq 20); do echo "<3>error: queue $i is lost"; done'
    call("systemd-run", "--collect", "--wait", "--unit=logged", "/bin/sh", "-c", script.replace("$", "$$"))
    call("journalctl", "--sync")


def _calm() -> None:
    write("/srv/log/app.log", "all is well\n")
    time.sleep(1.1)
    call("journalctl", "--rotate")
    call("journalctl", "--vacuum-time=1s")


def _ended() -> None:
    for name, days in (("expired", -3.5), ("soon", 5.5), ("later", 20.5), ("mentioned", 60.5)):
        world.certificate(world.TLS / f"{name}.crt", days)
    world.endpoint("other.example.com")


def _renewed() -> None:
    for name in ("expired", "soon", "later", "mentioned"):
        (world.TLS / f"{name}.crt").unlink()
    world.endpoint()


def _dead() -> None:
    call("systemctl", "stop", "servers-web")
    write(world.WORLD / "zone.json", "{}")


def _alive() -> None:
    call("systemctl", "start", "servers-web")
    import json

    write(world.WORLD / "zone.json", json.dumps(world.ZONE))
    until("the page is there again", lambda: subprocess.run(["python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 18001), 1)"],
                                                            check=False, capture_output=True).returncode == 0)  # fmt: skip


def _unrestorable() -> None:
    path = pathlib.Path("/srv/backups/inbox-1.tar.gz")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    world.backup("/srv/backups/mail-1.tar.gz", "nothing\n", age=3 * 86400 + 60)


def _restorable() -> None:
    world.backup()
    world.backup("/srv/backups/mail-1.tar.gz")


def _old() -> None:
    for number in range(2):
        write(f"/srv/cache/app/old-{number}", os.urandom(2 << 20))
        os.utime(f"/srv/cache/app/old-{number}", (0, time.time() - 8 * 86400))


def _clean() -> None:
    for number in range(2):
        os.unlink(f"/srv/cache/app/old-{number}")


def _waiting() -> None:
    for name in ("inbox-tls", "inbox-tool"):
        world.package("main", name, "1.0", install=True)
        world.package("security", name, "1.1")
    call("apt-get", "update", "--quiet=2")


def _updated() -> None:
    call("apt-get", "install", "--yes", "--quiet=2", "inbox-tls", "inbox-tool")


def _drifted() -> None:
    write("/srv/inbox/config/app.yml", "sender: changed@example.com\n")
    os.chmod("/srv/inbox/config/inbox.yml", 0o666)
    write("/srv/inbox/config/secret.yml", "new\n")
    world.package("main", "inbox-extra", "2.0", install=True)


def _as_written() -> None:
    write("/srv/inbox/config/app.yml", "sender: noreply@inbox.example.com\n")
    os.chmod("/srv/inbox/config/inbox.yml", 0o644)
    os.unlink("/srv/inbox/config/secret.yml")
    call("dpkg", "--purge", "inbox-extra")


FAULTS = {
    "health": Fault("health-report", "critical", {
        "unit:nightly.service": ("CRITICAL", "not failed", "failed"),
        "zombie:true of python3": ("WARNING", "none", "1"),
        "stopped:python3 of systemd": ("WARNING", "none", "1"),
        "reboot:host": ("WARNING", "no reboot is due", "/run/reboot-required is there"),
    }, _sick, _well),
    "disk": Fault("disk-report", "critical", {
        "space:/srv/full": ("CRITICAL", "less than 95 % used", "100.0 % used, 0 B available"),
        "inodes:/srv/full": ("CRITICAL", "less than 95 % used", r"9\d\.\d % used, \d available"),
        "deleted:/tmp/held": ("WARNING", "less than 2.0 MiB", "4.0 MiB"),
    }, _full, _room),
    "services": Fault("service-report", "critical", {
        "unit:inbox-app.service": ("CRITICAL", "active", r"inactive \(dead\)"),
        "process:inbox-worker": ("CRITICAL", "at least 2", "0"),
        "restarts:flapping.service": ("CRITICAL", "less than 3 restarts in 3600 s", r"\d\d+ restarts, now .*"),
    }, _down, _up),
    "logs": Fault("log-report", "critical", {
        "log:<digest>:/srv/log/app.log": ("CRITICAL", "less than 1000 times", f"{LINES * BLOCKS} times"),
        "log:<digest>:journal:logged.service": ("WARNING", "less than 10 times", "20 times"),
    }, _storm, _calm),
    "certificates": Fault("certificate-report", "critical", {
        "expiry:/srv/tls/expired.crt": ("CRITICAL", "valid for more than 7 days", "it ended on 20.*"),
        "expiry:/srv/tls/soon.crt": ("CRITICAL", "valid for more than 7 days", "it ends on 20.*, in 5 days"),
        "expiry:/srv/tls/later.crt": ("WARNING", "valid for more than 30 days", "it ends on 20.*, in 20 days"),
        "name:127.0.0.1:18002": ("CRITICAL", "it is for inbox.example.com", r"\['other.example.com'\]"),
    }, _ended, _renewed),
    "endpoints": Fault("endpoint-report", "critical", {
        "http:http://127.0.0.1:18001/health": ("CRITICAL", "status 200", "It does not take a connection: Connection refused."),
        "dns:inbox.example.com A": ("CRITICAL", r"\['192.0.2.10'\]", "no such record"),
        "dns:inbox.example.com TXT": ("CRITICAL", r"\['v=spf1 -all'\]", "no such record"),
    }, _dead, _alive),
    "backups": Fault("backup-report", "critical", {
        "checksum:inbox": ("CRITICAL", "sha256 [0-9a-f]{64}", "sha256 [0-9a-f]{64}"),
        "restore:inbox": ("CRITICAL", "it can be restored", ".+"),
        "age:mail": ("CRITICAL", "at most 26 h old", "3 d old"),
        "sentinel:mail": ("CRITICAL", "'all of Inbox' in inbox/marker", "it is not in it"),
    }, _unrestorable, _restorable),
    "cleanup": Fault("cleanup-report", "warning", {
        "cleanup:/srv/cache/app": ("WARNING", "less than 1.0 MiB in files older than 7 d", "4.0 MiB in 2 files"),
    }, _old, _clean),
    "dependencies": Fault("dependency-report", "critical", {
        "security:inbox-tls": ("CRITICAL", "1.1", "1.0"), "security:inbox-tool": ("WARNING", "1.1", "1.0"),
    }, _waiting, _updated),
    "drift": Fault("drift-report", "critical", {
        "content:/srv/inbox/config/app.yml": ("WARNING", "[0-9a-f]{64}", "[0-9a-f]{64}"),
        "mode:/srv/inbox/config/inbox.yml": ("WARNING", "0644", "0666"),
        "new:/srv/inbox/config/secret.yml": ("CRITICAL", "not there", "mode 0644, owner 0:0, 4 bytes"),
        "package:inbox-extra:all": ("WARNING", "not installed", "2.0"),
    }, _drifted, _as_written),
}  # fmt: skip


def _judge(name: str, fault: Fault, signal: dict[str, t.Any]) -> None:
    hold(signal["status"] == fault.status, f"the status of {name} is {fault.status}", signal["status"])
    found = {re.sub("^log:[0-9a-f]{12}:", "log:<digest>:", one): finding for one, finding in bad(signal).items()}
    hold(set(found) == set(fault.found), f"{name} finds exactly what was planted, {sorted(fault.found)}", sorted(found))
    for one, (severity, expected, observed) in fault.found.items():
        here = found.get(one)
        if here is not None:
            hold(here["severity"] == severity, f"{one} is {severity}", here["severity"])
            for key, wanted in (("expected", expected), ("observed", observed)):
                hold(re.fullmatch(wanted, str(here.get(key)), re.DOTALL), f"{one} says {key} {wanted}", here)


def through(name: str) -> None:
    """One fault, from healthy to healthy."""
    fault = FAULTS[name]
    began = time.monotonic()
    tick(name)
    hold(not jobs(fault.slice), f"a healthy host has no job of {name}", [job["signal"] for job in jobs(fault.slice)])
    fault.plant()
    tick(name)
    opened = jobs(fault.slice)
    hold(len(opened) == 1, f"what {name} finds is exactly one job", len(opened))
    if opened:
        _judge(name, fault, opened[0]["signal"])
        hold(opened[0]["input"] == {"rule": name}, f"the job of {name} came by its rule", opened[0]["input"])
    tick(name)
    again = jobs(fault.slice)
    hold([job["id"] for job in again] == [job["id"] for job in opened], f"{name}, found twice, is still one job", len(again))
    hold(all(job["count"] == 2 for job in again), f"the second look of {name} is counted in the job", [job["count"] for job in again])
    fault.repair()
    tick(name)
    left = jobs(fault.slice)
    hold(not left, f"{name}, repaired, leaves no job open", [bad(job["signal"]) for job in left])
    done = [job for job in jobs(fault.slice, ["unchanged"]) if job["id"] in [job["id"] for job in opened]]
    hold([job["code"] for job in done] == ["resolved"], f"the job of {name} closed itself as resolved", done)
    hold(not any(job["run_ids"] for job in done), f"nobody worked on the job of {name}", done)
    print(f"{name}: {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    begin()
    wanted = sys.argv[1:] or [name for name in FAULTS if name != "drift"]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(through, wanted))
    if not sys.argv[1:]:
        # It looks at packages, which another fault was about.
        world.baseline()
        through("drift")
    end()
