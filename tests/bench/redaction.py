# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints how fast secrets are taken out of a log, how many are found and how many alarms are false, against detect-secrets.

Nothing here passes or fails. detect-secrets gets an environment of its own in BENCH_FOLDER. It only names what it finds, and counts as right
with any finding in a text that holds a secret; ours only when nothing of the secret is left.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

import corpus

from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor, find_markers, redact_stream

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
#: Characters of ordinary logs in which an alarm is false.
LOG = 20_000_000
#: What detect-secrets gets of them for its speed: it takes seconds for each megabyte.
SHARE = 2_000_000
ROUNDS = 3

SCAN = """
import json, sys, time
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings
log, cases = sys.argv[1], json.load(open(sys.argv[2]))
with default_settings():
    right = [any(True for _found in scan_file(path)) for path in cases]
    began = time.process_time()
    false = sum(1 for _found in scan_file(log))
    print(json.dumps({"seconds": time.process_time() - began, "false": false, "right": right}))
"""


def _python() -> str:
    """The Python of an environment that has detect-secrets."""
    folder = pathlib.Path(os.environ.get("BENCH_FOLDER", tempfile.gettempdir()), "detect-secrets")
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print("Installing detect-secrets into an environment of its own ...", flush=True)
        wanted = [line for line in (ROOT / "requirements/bench.txt").read_text("utf-8").splitlines() if line.startswith("detect-secrets")]
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        subprocess.run(pip, check=True, stdin=subprocess.DEVNULL)
        (folder / "complete").touch()
    return str(python)


def _ours(log: pathlib.Path, redactor: Redactor) -> tuple[float, int]:
    """MB/s of processor time, and alarms."""
    shown: list[bytes] = []
    with log.open("rb") as handle:
        began = time.process_time()
        redact_stream(redactor, handle.read, shown.append)
        seconds = time.process_time() - began
    return log.stat().st_size / 1e6 / seconds, len(find_markers(b"".join(shown).decode()))


def _theirs(python: str, log: pathlib.Path, cases: pathlib.Path) -> dict[str, t.Any]:
    done = subprocess.run([python, "-c", SCAN, str(log), str(cases)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    return t.cast("dict[str, t.Any]", json.loads(done.stdout))


def redaction_against_detect_secrets(folder: pathlib.Path) -> None:
    """Speed, recall and false alarms of both on the same texts."""
    python = _python()
    log, share = folder / "ordinary.log", folder / "share.log"
    text = corpus.ordinary(LOG)
    log.write_text(text, "utf-8")
    share.write_text(text[: text.index("\n", SHARE) + 1], "utf-8")
    planted, paths = corpus.cases(), []
    for number, case in enumerate(planted):
        path = folder / str(number) / case.name
        path.parent.mkdir()
        path.write_text(case.text + "\n", "utf-8")
        paths.append(str(path))
    (folder / "cases.json").write_text(json.dumps(paths), "utf-8")
    redactor = Redactor()
    redactor.text("what is compiled at its first use is compiled now " * 10)
    speeds, others = [], []
    for _round in range(ROUNDS):
        other = _theirs(python, share, folder / "cases.json")
        others.append(share.stat().st_size / 1e6 / other["seconds"])
        speed, false = _ours(log, redactor)
        speeds.append(speed)
    shown = [redactor.text(case.text) for case in planted]
    right = [not any(secret in text for secret in case.secrets) for case, text in zip(planted, shown)]
    mine, theirs = statistics.median(speeds), statistics.median(others)
    _line("redaction of a log : detect-secrets", f"{mine:.1f} MB/s", f"{theirs:.2f} MB/s", f"{mine / theirs:.0f}", "50 or more")
    _line(f"{len(planted)} planted secrets found", str(sum(right)), str(sum(other["right"])), f"{sum(right) / sum(other['right']):.2f}", "1.00 or more")
    megabytes = (f"{LOG / 1e6:.0f} MB", f"{SHARE / 1e6:.0f} MB")
    _line("false alarms in ordinary logs", f"{false} in {megabytes[0]}", f"{other['false']} in {megabytes[1]}", "", "0")
    for case, found in zip(planted, right):
        if not found:
            print(f"  not found: {case.kind}, in {case.name}")


def _line(name: str, ours: str, theirs: str, ratio: str, aim: str) -> None:
    print(f"{name:<62} {ours:>13} {theirs:>14} {ratio:>6}   aim {aim}", flush=True)


def main() -> None:
    """Run it."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as folder:
        redaction_against_detect_secrets(pathlib.Path(folder))


if __name__ == "__main__":
    main()
