# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints what collectors take in time and memory against the plain commands on the same files. Nothing here passes or fails."""

from __future__ import annotations

import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time
import typing as t

LOG = 1_000_000_000
FILES = 100_000
CERTIFICATES = 1_000
ROUNDS = 5
WORDS = "error|fatal|critical|panic|exception|traceback|segfault|out of memory|failed"

# A process of its own, so that its start and its memory count.
LOOK = """
import json, resource, sys, time
from ansible_collections.day2.codex.plugins.module_utils._collecting import Look, collect
from ansible_collections.day2.codex.plugins.module_utils._options import Options
began = time.perf_counter()
signal = collect(Options(prefix=sys.argv[1]), Look(sys.argv[2], json.loads(sys.argv[3])))["signal"]
usage = resource.getrusage(resource.RUSAGE_SELF)
sys.stdout.write(json.dumps([signal["status"], signal["metrics"], max(usage.ru_maxrss, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)]))
"""


def _seconds(work: t.Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _look(folder: pathlib.Path, name: str, options: dict[str, t.Any]) -> list[t.Any]:
    argv = [sys.executable, "-c", LOOK, str(folder / "prefix"), name, json.dumps(options)]
    return t.cast("list[t.Any]", json.loads(subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout))


def _compare(name: str, folder: pathlib.Path, collector: str, options: dict[str, t.Any], theirs: t.Callable[[], object], aim: float, rounds: int) -> None:
    """Both in turn, and so under the same load."""
    ours, others, seen = [], [], None
    for _round in range(rounds):
        others.append(_seconds(theirs))
        began = time.perf_counter()
        seen = _look(folder, collector, options)
        ours.append(time.perf_counter() - began)
    mine, other = statistics.median(ours), statistics.median(others)
    memory = f"{seen[2] / 1024:.0f} MB" if seen else ""
    print(f"{name:<66} {mine:9.3f} s  {other:9.3f} s  {mine / other:6.2f}   aim {aim:.2f}   {memory}", flush=True)


def _journal(path: pathlib.Path, every: int) -> None:
    """What journalctl --output=short-iso writes of a host on which one line of *every* is an error."""
    chance = random.Random(1)
    lines = []
    for number in range(20_000):
        stamp = f"2026-01-15T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}+0000 web1 inbox[{chance.randrange(9999)}]: "
        text = f"request {number} of client {chance.randrange(255)} took {chance.randrange(900)} ms and returned {chance.randrange(99999)} bytes"
        if number % every == 0:
            text = f"ERROR connection to 192.0.2.{chance.randrange(255)} for user{chance.randrange(99)}@example.com refused, attempt {number}"
        lines.append(f"{stamp}{text}\n")
    block = "".join(lines).encode()
    with path.open("wb") as handle:
        for _number in range(LOG // len(block)):
            handle.write(block)


def logs_against_grep(folder: pathlib.Path) -> None:
    """A gigabyte with one error in a hundred lines, and one of nothing but errors."""
    for name, every in (("logs, 1 GB, an error in 100 lines", 100), ("logs, 1 GB, nothing but errors", 1)):
        path = folder / "journal.log"
        _journal(path, every)
        argv = ["grep", "-c", "-a", "-i", "-E", WORDS, str(path)]
        options = {"files": [str(path)], "since": "5200w", "timeout": 3600}
        # Into a pipe: grep ends at the first match where nobody reads.
        environment = {**os.environ, "LC_ALL": "C"}
        _compare(
            f"{name} : grep -c",
            folder,
            "logs",
            options,
            lambda argv=argv, env=environment: subprocess.run(argv, env=env, stdout=subprocess.PIPE, check=True),
            3,
            3,
        )
        path.unlink()


def files_against_find(folder: pathlib.Path) -> None:
    """Candidates by age and size, and files against a baseline, among 100,000."""
    tree = folder / "tree"
    for number in range(FILES):
        path = tree / f"{number // 1000:03}" / f"{number:06}.cache"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * (number % 500))
        if number % 2:
            os.utime(path, (1, 1))
    rule = {"path": str(tree), "older_than": "7d", "min_size": "100"}
    argv = ["find", str(tree), "-type", "f", "-mtime", "+6", "-size", "+99c", "-printf", "%b %p\n"]
    _compare("cleanup, 100,000 files : find -printf", folder, "cleanup", {"rules": [rule]}, lambda: subprocess.run(argv, stdout=-3, check=True), 2, ROUNDS)
    baseline = str(folder / "baseline")
    _look(folder, "drift", {"baseline": baseline, "paths": [str(tree)], "packages": False, "make_baseline": True, "timeout": 3600})
    listing = ["find", str(tree), "-printf", "%m %U %G %s %i %T@ %C@ %p\n"]
    _compare("drift, 100,000 files : find -printf", folder, "drift", {"baseline": baseline}, lambda: subprocess.run(listing, stdout=-3, check=True), 2, ROUNDS)


def certificates_against_openssl(folder: pathlib.Path) -> None:
    """A thousand certificates, each read by openssl in a process of its own, as scripts do."""
    certificates = folder / "certificates"
    certificates.mkdir()
    key, first = folder / "key.pem", certificates / "0000.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-out", str(key)], check=True, stderr=-3)
    subprocess.run(["openssl", "req", "-x509", "-key", str(key), "-subj", "/CN=bench", "-days", "200", "-out", str(first)], check=True)
    for number in range(1, CERTIFICATES):
        (certificates / f"{number:04}.pem").write_bytes(first.read_bytes())
    paths = sorted(map(str, certificates.iterdir()))

    def each() -> None:
        for path in paths:
            subprocess.run(["openssl", "x509", "-in", path, "-noout", "-enddate", "-subject", "-issuer"], stdout=-3, check=True)

    _compare("certificates, 1,000 : openssl x509", folder, "certificates", {"paths": [str(certificates)]}, each, 1, 3)
