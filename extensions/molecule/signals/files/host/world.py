# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host on which all is well, and what its collectors look at. Called as root."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pathlib
import subprocess
import tarfile
import time
import typing as t

WORLD, LOOKS, SRV = pathlib.Path("/srv/world"), pathlib.Path("/srv/looks"), pathlib.Path("/srv")
TLS, INBOX_TLS = SRV / "tls", pathlib.Path("/etc/inbox/tls")
BASELINE = "/var/lib/codex-ops/baseline"
NAME = "inbox.example.com"
ZONE = {f"{NAME} A": ["192.0.2.10"], f"{NAME} TXT": ["v=spf1 -all"]}
#: What the clock looks at. Load, pressure and clock are those of the machine that all throw-away hosts share.
OPTIONS: dict[str, dict[str, t.Any]] = {
    "health": {
        "load_warning": 100000, "load_critical": 100000, "memory_warning": 0, "memory_critical": 0, "pressure_warning": 100, "pressure_critical": 100,
        "clock": False, "process_age": "1s",
    },
    "disk": {"paths": ["/srv/full"], "deleted_size": "2M"},
    "services": {"units": ["inbox-app.service"], "processes": [{"name": "inbox-worker", "min": 2, "max": 4}], "restarts": True},
    "logs": {"files": ["/srv/log/*.log"], "journal": True, "units": ["logged.service"]},
    "certificates": {
        "paths": [str(TLS), str(INBOX_TLS)], "names": [{"path": str(TLS / "web.crt"), "name": NAME}],
        "endpoints": [{"address": "127.0.0.1:18002", "name": NAME}], "authorities": str(WORLD / "authority.pem"),
    },
    "endpoints": {
        "urls": [{"url": "http://127.0.0.1:18001/health", "contains": "all is well"}], "servers": ["127.0.0.1:18005"],
        "records": [{"name": NAME, "type": "A", "values": ["192.0.2.10"]}, {"name": NAME, "type": "TXT", "has": ["v=spf1 -all"]}],
        # The machine may be busy.
        "latency_warning": 60, "latency_critical": 60, "connect_timeout": "60s",
    },
    "backups": {
        "sets": [
            {"name": name, "path": f"/srv/backups/{name}-*.tar.gz", "checksum": True, "sentinel": "inbox/marker", "contains": "all of Inbox"}
            for name in ("inbox", "mail")
        ]
    },
    "cleanup": {"rules": [{"path": "/srv/cache/app", "older_than": "7d"}], "warning": "1M"},
    "dependencies": {"critical": ["inbox-tls*"]},
    "drift": {"baseline": BASELINE, "critical": ["/srv/inbox/config/secret*"]},
}  # fmt: skip


def call(*argv: str, check: bool = True, data: bytes | None = None) -> str:
    """What a command says on standard output."""
    source: dict[str, t.Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
    done = subprocess.run(argv, capture_output=True, check=False, timeout=300, **source)
    if check and done.returncode:
        raise SystemExit(f"The test's own command {argv} failed: {done.stderr.decode('utf-8', 'replace')[-2000:]}")
    return done.stdout.decode("utf-8", "replace")


def write(path: pathlib.Path | str, text: str | bytes, mode: int = 0o644) -> None:
    """Put a file in its place, with all folders above it."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)


def certificate(path: pathlib.Path, days: float, name: str = NAME, *, signed: bool = False, key: pathlib.Path | None = None, subject: str = "") -> None:
    """A certificate that ends in *days*, or ended before; *signed* by the authority of this world."""
    path.parent.mkdir(parents=True, exist_ok=True)
    begin, end = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400 - ahead)) for ahead in (400 * 86400, 0))
    key = key or WORLD / "some.key"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key), "-out", str(path)]
    argv += ["-subj", subject or f"/CN={name}", "-utf8", "-addext", f"subjectAltName=DNS:{name}", "-not_before", begin, "-not_after", end]
    if signed:
        argv += ["-CA", str(WORLD / "authority.pem"), "-CAkey", str(WORLD / "authority.key"), "-addext", "basicConstraints=critical,CA:FALSE"]
    call(*argv)
    path.chmod(0o644)


def endpoint(name: str = NAME, days: float = 365) -> None:
    """What the TLS server shows."""
    certificate(WORLD / "server.pem", days, name, signed=True, key=WORLD / "server.key")


def backup(path: str = "/srv/backups/inbox-1.tar.gz", text: str = "all of Inbox\n", age: float = 0) -> None:
    """A backup that can be restored, and its check sum."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in (("inbox/marker", text.encode()), ("inbox/data", os.urandom(200_000))):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    write(path, made.getvalue())
    sums(path)
    os.utime(path, (time.time() - age, time.time() - age))


def sums(path: str) -> None:
    """The check sum beside a backup."""
    write(f"{path}.sha256", f"{hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()}  {os.path.basename(path)}\n")


def unit(name: str, command: str, more: str = "") -> None:
    """A service of this host."""
    write(f"/etc/systemd/system/{name}.service", f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart={command}\n{more}")


def background(name: str, code: str, user: str = "root") -> None:
    """A process of this host, which runs Python *code* until somebody ends it."""
    quoted = code.replace("$", "$$").replace("%", "%%")
    call("systemd-run", "--collect", f"--unit={name}", f"--uid={user}", "--property=Type=exec", "/usr/bin/python3", "-c", quoted)


def package(folder: str, name: str, version: str, install: bool = False) -> None:
    """A package in one of the two repositories, security and main, that lie on this host."""
    root = SRV / "build" / name
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\nDescription: {name}\n"
    write(root / "DEBIAN/control", control)
    deb = SRV / "apt" / folder / f"{name}_{hashlib.sha256(version.encode()).hexdigest()[:8]}_all.deb"
    deb.parent.mkdir(parents=True, exist_ok=True)
    call("dpkg-deb", "--root-owner-group", "--build", str(root), str(deb))
    if install:
        call("dpkg", "--install", str(deb))
    repository(folder)


def repository(folder: str) -> None:
    """The lists of a repository."""
    place = SRV / "apt" / folder
    place.mkdir(parents=True, exist_ok=True)
    listed = ""
    for deb in sorted(place.glob("*.deb")):
        data = deb.read_bytes()
        listed += call("dpkg-deb", "--field", str(deb)).strip() + f"\nFilename: ./{deb.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    write(place / "Packages", listed)
    suite, label = ("stable-security", "Debian-Security") if folder == "security" else ("stable", "Debian")
    date = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime())
    digest = f" {hashlib.sha256(listed.encode()).hexdigest()} {len(listed.encode())} Packages"
    write(place / "Release", f"Origin: Debian\nLabel: {label}\nSuite: {suite}\nCodename: trixie\nDate: {date}\nSHA256:\n{digest}\n")


def as_codex_ops(*argv: str, check: bool = True) -> str:
    """What a command says that codex-ops runs, with the group that the units of the schedule have for a look."""
    return call("setpriv", "--reuid=codex-ops", "--regid=codex-ops", "--groups=systemd-journal", "--", *argv, check=check)


def baseline() -> None:
    """Write down files and packages as they are."""
    options = {"baseline": BASELINE, "make_baseline": True, "paths": ["/srv/inbox/config"], "packages": True}
    as_codex_ops("/opt/codex-ops/bin/codex-ops", "collect", "drift", "--options", json.dumps(options))


def build() -> None:
    """Make all of it."""
    for name, options in OPTIONS.items():
        write(LOOKS / f"{name}.json", json.dumps(options))
    for folder in ("full", "cache/app"):
        (SRV / folder).mkdir(parents=True, exist_ok=True)
    call("mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=200,mode=0777", "none", "/srv/full")
    write("/srv/renew", f"#!/bin/sh\nexec /usr/bin/python3 -c 'import sys; sys.path.insert(0, \"{pathlib.Path(__file__).parent}\"); "
          "import world; world.certificate(world.INBOX_TLS / \"inbox.crt\", 365)'\n", 0o755)  # fmt: skip
    (WORLD / "asked").parent.mkdir(parents=True, exist_ok=True)
    write(WORLD / "asked", "")
    write(WORLD / "page", "200\nall is well\n")
    write(WORLD / "zone.json", json.dumps(ZONE))
    authority = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "4000", "-subj", "/CN=Authority"]
    call(*authority, "-keyout", str(WORLD / "authority.key"), "-out", str(WORLD / "authority.pem"))
    endpoint()
    for path in (TLS / "web.crt", INBOX_TLS / "inbox.crt"):
        certificate(path, 365)
    write("/srv/log/app.log", "2026-01-01T00:00:00Z all is well\n")
    write("/srv/cache/app/young", os.urandom(2_000_000))
    for name in ("inbox", "app"):
        write(f"/srv/inbox/config/{name}.yml", "sender: noreply@inbox.example.com\n")
    backup()
    backup("/srv/backups/mail-1.tar.gz")
    for which in ("web", "others"):
        unit(f"servers-{which}", f"/usr/bin/python3 {pathlib.Path(__file__).parent / 'servers.py'} {which}")
    write("/usr/local/bin/inbox-worker", "#!/bin/sh\nwhile :; do sleep 100; done\n", 0o755)
    unit("inbox-app", "/bin/sh -c 'inbox-worker & inbox-worker & wait'", "Environment=PATH=/usr/local/bin:/usr/bin:/bin\n")
    unit("flapping", "/bin/sleep 100000", "Restart=always\nRestartSec=100ms\n")
    unit("nightly", "/bin/true", "Type=oneshot\n")
    call("systemctl", "daemon-reload")
    call("systemctl", "start", "servers-web", "servers-others", "inbox-app", "flapping", "nightly")
    # Only what lies on this host itself can be reached.
    for path in ("/etc/apt/sources.list", *map(str, pathlib.Path("/etc/apt/sources.list.d").glob("*"))):
        pathlib.Path(path).unlink(missing_ok=True)
    write("/etc/apt/sources.list.d/here.list", "".join(f"deb [trusted=yes] file:/srv/apt/{name} ./\n" for name in ("main", "security")))
    for name in ("main", "security"):
        repository(name)
    for name in ("inbox-tls", "inbox-tool"):
        package("main", name, "1.0", install=True)
    call("apt-get", "update", "--quiet=2")
    baseline()


if __name__ == "__main__":
    build()
