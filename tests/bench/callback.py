# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints what an audit callback adds to a play of 1,000 task results (100 tasks on 10 hosts): ours and ARA's. Nothing here passes or fails.

All of them run in one environment of this bench's own, which requirements/bench.txt makes in BENCH_FOLDER, or in the one whose Python
BENCH_ARA names. Rounds alternate, so that a busy machine is busy for all of them; BENCH_ROUNDS says how many there are.
"""

from __future__ import annotations

import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HOSTS = 10
TASKS = 100


def _python() -> str:
    """The Python of an environment that has Ansible and ARA."""
    if os.environ.get("BENCH_ARA"):
        return os.environ["BENCH_ARA"]
    folder = pathlib.Path(os.environ.get("BENCH_FOLDER", tempfile.gettempdir()), "ara")
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print("Installing ARA into an environment of its own ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        wanted = [line for line in (ROOT / "requirements/bench.txt").read_text("utf-8").splitlines() if line.startswith(("ansible-core", "ara"))]
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        subprocess.run(pip, check=True, stdin=subprocess.DEVNULL)
        (folder / "complete").touch()
    return str(python)


def _play(folder: pathlib.Path) -> None:
    tasks = [{"name": f"Task {number}", "ansible.builtin.debug": {"msg": f"{number}: {{{{ inventory_hostname }}}}"}} for number in range(TASKS)]
    (folder / "play.json").write_text(json.dumps([{"name": "Bench", "hosts": "all", "gather_facts": False, "tasks": tasks}]), "utf-8")
    hosts = {f"host{number}": {"ansible_connection": "local"} for number in range(HOSTS)}
    (folder / "ansible.cfg").touch()
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}), "utf-8")


def _variants(folder: pathlib.Path, python: str) -> dict[str, dict[str, str]]:
    collections = folder / "collections/ansible_collections/day2"
    collections.mkdir(parents=True)
    (collections / "codex").symlink_to(ROOT)
    found = subprocess.run([python, "-m", "ara.setup.callback_plugins"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "ARA_", "DAY2_CODEX_AUDIT", "PYTHON"))}
    base = {
        **kept,
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_FORKS": "10",
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
        "LC_ALL": "C.UTF-8",
    }
    ours = {"ANSIBLE_CALLBACKS_ENABLED": "day2.codex.audit", "DAY2_CODEX_AUDIT_LOG": str(folder / "audit.jsonl"), "DAY2_CODEX_AUDIT_INCLUDE": "all"}
    ara = {"ANSIBLE_CALLBACK_PLUGINS": found, "ARA_BASE_DIR": str(folder / "ara")}
    return {"no callback": base, "day2.codex.audit": {**base, **ours}, "ARA": {**base, **ara}}


def _run(folder: pathlib.Path, python: str, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of one run by the clock, and by its processors."""
    playbook = str(pathlib.Path(python).parent / "ansible-playbook")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with open(folder / "output", "wb") as output:
        argv = [playbook, "-i", str(folder / "hosts.json"), str(folder / "play.json")]
        subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True)
    clock = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def callback_against_none_and_ara(folder: pathlib.Path) -> None:
    """Run the variants in turn and print their medians, and the added time as a share of the run without a callback."""
    rounds, of_ara = int(os.environ.get("BENCH_ROUNDS", "7")), 1
    python = _python()
    _play(folder)
    variants = _variants(folder, python)
    for variant in ("no callback", "day2.codex.audit"):
        _run(folder, python, variants[variant])
    times: dict[str, list[tuple[float, float]]] = {variant: [] for variant in variants}
    for number in range(rounds):
        for variant, environment in variants.items():
            if variant != "ARA" or number < of_ara:
                times[variant].append(_run(folder, python, environment))
    log = (folder / "audit.jsonl").read_bytes()
    records, size = log.count(b"\n"), len(log)
    if records != (rounds + 1) * (HOSTS * TASKS + 2):
        raise SystemExit(f"The log has {records} records, not one for each result.")
    print(f"{HOSTS * TASKS} task results on {HOSTS} hosts, medians of {rounds} rounds ({of_ara} with ARA); {size / records:.0f} bytes a record")
    alone = [statistics.median(column) for column in zip(*times["no callback"])]
    for variant, seen in times.items():
        if seen:
            clock, processors = (statistics.median(column) for column in zip(*seen))
            print(f"{variant:<18} {clock:8.2f} s  x {clock / alone[0]:6.3f}   processors {processors:8.2f} s  x {processors / alone[1]:6.3f}", flush=True)
    # Neighbours in time are compared with each other: what slows the machine down slows both.
    pairs = [ours[0] / without[0] for ours, without in zip(times["day2.codex.audit"], times["no callback"])]
    print(f"day2.codex.audit : no callback, median of the {rounds} rounds' ratios: {statistics.median(pairs):.3f}   aim 1.02")
