# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the targets of tests/integration/targets, each with its own ansible-playbook, folder and process family.

usage: integration_targets.py [TARGET...]

scripts/integration calls it, in the environment that it needs.
"""

from __future__ import annotations

import concurrent.futures
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGETS = ROOT / "tests" / "integration" / "targets"
SCRATCH = ROOT / ".cache" / "integration"
AT_ONCE = 2
#: Seconds for one target.
LIMIT = 300
PR_SET_CHILD_SUBREAPER = 36

PLAY = """\
- name: Integration target {target}
  hosts: localhost
  connection: local
  gather_facts: false
  vars:
    output_dir: {output}
  roles:
    - role: {target}
"""


def adopt_orphans() -> None:
    """Whatever a descendant leaves behind becomes a child of this process, so that it can be found."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(ancestor: int) -> list[int]:
    """The processes that *ancestor* started, at any depth, but those that have ended."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                state, parent = pathlib.Path("/proc", entry, "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
            except (OSError, ValueError):
                continue
            if state not in "ZX":
                children.setdefault(int(parent), []).append(int(entry))
    found: list[int] = []
    waiting = [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def end_descendants() -> None:
    """End everything that this process started, whatever it does about a TERM."""
    for _round in range(50):
        alive = descendants(os.getpid())
        if not alive:
            return
        for pid in alive:
            try:
                os.kill(pid, signal.SIGTERM if _round == 0 else signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.2)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


def supervise(target: str) -> int:
    """Run one target in this process' own family, its output in a log; return the exit status of ansible-playbook."""
    scratch = SCRATCH / target
    shutil.rmtree(scratch, ignore_errors=True)
    output = scratch / "output"
    output.mkdir(parents=True)
    play = scratch / "play.yml"
    play.write_text(PLAY.format(target=target, output=output), encoding="utf-8")
    adopt_orphans()
    environment = {
        **os.environ,
        "ANSIBLE_ROLES_PATH": str(TARGETS),
        "ANSIBLE_INVENTORY": str(ROOT / "scripts" / "inventory.yml"),
        "ANSIBLE_NOCOLOR": "1",
    }
    with open(scratch / "log", "wb") as log:
        playbook = subprocess.Popen(
            [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), str(play)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=scratch,
        )

        def interrupted(number: int, frame: object) -> None:
            raise SystemExit(128 + number)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, interrupted)
        try:
            return playbook.wait(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            log.write(f"\nNo end within {LIMIT} s.\n".encode())
            return 1
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            end_descendants()


def run(target: str) -> tuple[str, bool, float]:
    """(target, whether it passed, seconds)."""
    began = time.monotonic()
    # A session of its own: an interrupt at the terminal reaches this process alone, which then ends the others in order.
    supervisor = subprocess.run([sys.executable, __file__, "--supervise", target], stdin=subprocess.DEVNULL, check=False, start_new_session=True)
    return target, supervisor.returncode == 0, time.monotonic() - began


def chosen(names: list[str]) -> list[str]:
    """The targets to run, checked."""
    known = sorted(path.name for path in TARGETS.iterdir() if (path / "tasks").is_dir() and not path.name.startswith("setup_"))
    for name in names:
        if name not in known:
            raise SystemExit(f"There is no target called {name!r}. There are: {', '.join(known)}.")
    return names or known


def main(names: list[str]) -> int:
    """Run all of them, say how each went, and return an exit status."""
    targets = chosen(names)
    if not os.path.exists(os.environ.get("DAY2_CODEX_CLI", "")):
        raise SystemExit("DAY2_CODEX_CLI must name the real Codex CLI. 'make test' sets it.")

    def interrupted(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    adopt_orphans()
    failed = 0
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    try:
        for future in concurrent.futures.as_completed([pool.submit(run, target) for target in targets]):
            target, passed, seconds = future.result()
            print(f"{target:24} {'ok' if passed else 'FAILED':6} {seconds:6.1f} s", flush=True)
            if not passed:
                failed += 1
                log = SCRATCH / target / "log"
                print(log.read_text(encoding="utf-8", errors="replace") if log.exists() else "It could not be started.", flush=True)
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        for pid in descendants(os.getpid()):
            # The supervisors end what they started; what they cannot is ended below.
            try:
                if os.getsid(pid) == pid:
                    os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        time.sleep(1)
        end_descendants()
        print("Interrupted; everything that was started has been ended.", file=sys.stderr)
        return 130
    print(f"{len(targets) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--supervise"]:
        sys.exit(supervise(sys.argv[2]))
    sys.exit(main(sys.argv[1:]))
