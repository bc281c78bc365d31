# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints how the collection compares with plain commands, as ratios in one run. Nothing here passes or fails."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t

import callback
import collectors
import host_command
import inbox
import provider
import redaction
import ticks
import trail

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ENGINE = "ansible_collections.day2.codex.plugins.module_utils"
CODEX = os.environ["DAY2_CODEX_CLI"]
ROUNDS = 9


def _line(name: str, ours: float, theirs: float, aim: float, unit: str = "s") -> None:
    print(f"{name:<66} {ours:9.3f} {unit:<2} {theirs:9.3f} {unit:<2} {ours / theirs:6.2f}   aim {aim:.2f}", flush=True)


def _codex_home(folder: pathlib.Path, base_url: str) -> dict[str, str]:
    """The environment of a plain codex exec with the configuration that the engine would write."""
    from ansible_collections.day2.codex.plugins.module_utils._agent import config
    from ansible_collections.day2.codex.plugins.module_utils._agent import folder as folders
    from ansible_collections.day2.codex.plugins.module_utils._agent.binary import package_dir
    from ansible_collections.day2.codex.plugins.module_utils._agent.request import AgentRequest

    folder.chmod(0o700)
    workspace = folder / "workspace"
    workspace.mkdir()
    request = AgentRequest(
        run_dir=str(folder), workspace=str(workspace), writable=False, prompt="What is here?", contract="Answer.", output_schema=None,
        codex_path=CODEX, model=None, reasoning_effort=None, timeout=600, tokens=None, provider=None, cassette=None,
    )  # fmt: skip
    layout = folders.prepare(request)
    text = config.config_toml(layout, port=1, writable=False, install=[package_dir(CODEX) or CODEX])
    text = text.replace("http://127.0.0.1:1/v1", base_url)
    pathlib.Path(layout.codex_home, "config.toml").write_text(text, "utf-8")
    argv = config.command_line(CODEX, layout, str(workspace), schema=False)
    return {**config.environment(layout, "token"), "BENCH_WORKSPACE": str(workspace), "BENCH_ARGV": json.dumps(argv)}


def _play(folder: pathlib.Path, tasks: list[dict[str, t.Any]]) -> dict[str, list[float]]:
    """Run *tasks* in one play; the seconds of each, by name."""
    playbook, times = folder / "play.json", folder / "times"
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    playbook.write_text(json.dumps(play), "utf-8")
    environment = {
        **os.environ,
        "BENCH_TIMES": str(times),
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/bench/callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "timing",
    }
    done = subprocess.run(["ansible-playbook", str(playbook)], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
    found: dict[str, list[float]] = {}
    for line in times.read_text("utf-8").splitlines():
        name, seconds = json.loads(line)
        found.setdefault(name, []).append(seconds)
    return found


def _compare(folder: pathlib.Path, ours: dict[str, t.Any], theirs: dict[str, t.Any]) -> tuple[float, float]:
    tasks = [{"name": name, **task} for _round in range(ROUNDS) for name, task in (("theirs", theirs), ("ours", ours))]
    times = _play(folder, tasks)
    # The first of each warms caches up, and the sandbox's proof.
    return statistics.median(times["ours"][1:]), statistics.median(times["theirs"][1:])


def exec_against_command(folder: pathlib.Path) -> None:
    """An exec task, and the same codex exec by ansible.builtin.command: one that ends at once, and one that works for a while."""
    port = provider.start()
    # More runs than a host that has no policy may have in an hour.
    policy = folder / "prefix/etc/codex-ops/policy.json"
    policy.parent.mkdir(parents=True)
    policy.write_text('{"version": 1, "limits": {"runs_per_hour": 100000, "tokens_per_day": 1000000000}}', "utf-8")
    for commands in (1, 10):
        base_url = f"http://127.0.0.1:{port}/{commands}/v1"
        home = folder / str(commands)
        home.mkdir()
        environment = _codex_home(home, base_url)
        argv = json.loads(environment.pop("BENCH_ARGV"))
        workspace = environment.pop("BENCH_WORKSPACE")
        ours = {
            "day2.codex.exec": {
                "prompt": "What is here?", "prefix": str(folder / "prefix"), "codex_path": CODEX, "rerun": "always", "base_url": base_url,
            }
        }  # fmt: skip
        theirs = {"ansible.builtin.command": {"argv": argv, "stdin": "What is here?", "chdir": workspace}, "environment": environment}
        name = f"exec task : ansible.builtin.command, the same codex exec, {commands} command{'s' if commands > 1 else ''}"
        _line(name, *_compare(home, ours, theirs), aim=1.10)


def goal_against_true(folder: pathlib.Path) -> None:
    """A slice whose goal holds, and ansible.builtin.command: /bin/true."""
    workspace = folder / "app"
    (workspace / "config").mkdir(parents=True)
    for number in range(20):
        (workspace / "config" / f"{number}.yml").write_text("sender: noreply@inbox.example.com\n" * 50, "utf-8")
    document = {
        "name": "bench", "category": "configuration_change", "workspace": str(workspace), "scope": {"include": ["config/**"]},
        "instructions": "Nothing is left to do.", "values": {"incorrect": [{"value": "norply@inbox.example.com"}]},
    }  # fmt: skip
    ours = {"day2.codex.slice": {"slice": document, "prefix": str(folder / "prefix"), "codex_path": CODEX}}
    _line("slice whose goal holds : ansible.builtin.command: /bin/true", *_compare(folder, ours, {"ansible.builtin.command": "/bin/true"}), aim=1.30)


def _tree(folder: pathlib.Path) -> pathlib.Path:
    """10,000 files and 100 MB."""
    root = folder / "tree"
    for number in range(10000):
        path = root / f"d{number % 100}" / f"f{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        line = hashlib.sha256(str(number).encode()).hexdigest() + "\n"
        path.write_text(line * (10486 // len(line)), "utf-8")
    return root


def tree_against_git(folder: pathlib.Path) -> None:
    """Copy, digest and diff of a tree, and git add and commit of the same."""
    from ansible_collections.day2.codex.plugins.module_utils._contract.globs import Scope
    from ansible_collections.day2.codex.plugins.module_utils._workspace import change, patch, tree

    root = _tree(folder)
    ours, theirs = [], []
    person = {f"GIT_{role}_{part}": "bench@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    quiet = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", **person}
    for number in range(3):
        began = time.perf_counter()
        copy = str(folder / f"copy{number}")
        base = tree.copy(str(root), Scope(["**"]), copy)
        with open(os.path.join(copy, "d1/f1.txt"), "a", encoding="utf-8") as handle:
            handle.write("changed\n")
        patch.render(change.changes(base, str(root), copy))
        ours.append(time.perf_counter() - began)
        tree.remove_tree(copy)
        clone = folder / f"clone{number}"
        shutil.copytree(root, clone)
        began = time.perf_counter()
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
            subprocess.run(["git", *command], cwd=clone, env=quiet, check=True)
        theirs.append(time.perf_counter() - began)
        shutil.rmtree(clone)
    _line("copy + digest + diff, 10,000 files, 100 MB : git add, git commit", statistics.median(ours), statistics.median(theirs), aim=1.50)


FLOOD = """#!{python}
import os, sys
line = b'{{"type":"item.completed","item":{{"id":"i","type":"command_execution","aggregated_output":"' + b"x" * 100000 + b'"}}}}\n'
os.write(1, b'{{"type":"thread.started","thread_id":"t"}}\n{{"type":"turn.started"}}\n')
out = sys.stdout.buffer
for number in range(1500):
    out.write(line)
out.write(b"y" * 50000000 + b"\n")
out.flush()
"""

MEASURE = f"""
import sys, os
sys.path[:0] = {{path!r}}
from {ENGINE}._agent.request import AgentRequest
from {ENGINE}._agent.run import run_agent
from {ENGINE}._trail.redaction import Redactor
run = sys.argv[1]
os.makedirs(run + "/workspace", mode=0o700)
request = AgentRequest(
    run_dir=run, workspace=run + "/workspace", writable=False, prompt="p", contract="c", output_schema=None, codex_path=sys.argv[2], model=None,
    reasoning_effort=None, timeout=300, tokens=None, provider=None, cassette_mode="replay",
    cassette={{{{"version": 1, "exchanges": [{{{{"response": {{{{"hang": True}}}}}}}}]}}}},
)
result = run_agent(request, Redactor(), lambda: None)
# Not ru_maxrss, which begins with the peak of the process that started this one.
print(result.outcome, open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


def memory_of_events(folder: pathlib.Path) -> None:
    """Peak memory of the engine while a stub of Codex, which no real one can be made to do, emits 200 MB of events."""
    stub = folder / "bin" / "codex"
    stub.parent.mkdir()
    stub.write_text(FLOOD.format(python="/usr/bin/python3"), "utf-8")
    stub.chmod(0o755)
    (folder / "codex-package.json").write_text('{"version": "0.163.0"}', "utf-8")
    run = folder / "run"
    run.mkdir(mode=0o700)
    script = MEASURE.format(path=[path for path in sys.path if path])
    done = subprocess.run([sys.executable, "-c", script, str(run), str(stub)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    _outcome, peak = done.stdout.split()
    print(f"{'peak memory of the engine while the agent emits 200 MB of events':<66} {int(peak) / 1024:9.1f} MB{'':>21}   aim 100 MB", flush=True)


BENCHES = (
    exec_against_command,
    goal_against_true,
    tree_against_git,
    memory_of_events,
    redaction.redaction_against_detect_secrets,
    trail.verification_against_sha256sum,
    trail.append_against_fsync,
    host_command.status_against_python,
    callback.callback_against_none_and_ara,
    inbox.inbox_many_against_few,
    collectors.logs_against_grep,
    collectors.files_against_find,
    collectors.certificates_against_openssl,
    ticks.tokens_of_a_thousand_ticks,
)


def main() -> None:
    """Run them all, or those that the arguments name."""
    benches = {bench.__name__: bench for bench in BENCHES}
    print(f"{'ours : theirs (medians)':<66} {'ours':>12} {'theirs':>12} {'ratio':>6}")
    for name in sys.argv[1:] or benches:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as folder, contextlib.suppress(BrokenPipeError):
            benches[name](pathlib.Path(folder))


if __name__ == "__main__":
    main()
