# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of noticing that the caller is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent.caller import CallerWatch

_WATCHER = """
import sys, time
from ansible_collections.day2.codex.plugins.module_utils._agent.caller import CallerWatch
with CallerWatch(ansible=sys.argv[2] == "ansible") as watch:
    with open(sys.argv[1], "w") as stream:
        stream.write("ready\\n")
        stream.flush()
        until = time.monotonic() + 20
        while time.monotonic() < until:
            reason = watch.lost()
            if reason:
                stream.write(reason)
                break
            time.sleep(0.02)
        else:
            stream.write("kept")
"""


@pytest.fixture
def watcher(tmp_path, wait_for):
    """Starts a process that watches its caller; gives its command line, and how to read what it noticed."""
    module = sys.modules["ansible_collections.day2.codex.plugins.module_utils._agent.caller"]
    environment = {**os.environ, "PYTHONPATH": module.__file__.split("/ansible_collections/")[0]}
    environment.pop("ANSIBLE_ASYNC_DIR", None)
    path = tmp_path / "said"

    class Watcher:
        env = environment

        @staticmethod
        def argv(kind="plain"):
            return [sys.executable, "-c", _WATCHER, str(path), kind]

        @staticmethod
        def ready():
            wait_for(lambda: path.exists() and path.read_text().startswith("ready"))

        @staticmethod
        def noticed():
            return wait_for(lambda: path.read_text().partition("\n")[2])

    return Watcher


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noticed_and_the_handlers_come_back(number):
    def mine(*args):
        raise AssertionError("not while watching")

    before = signal.signal(number, mine)
    try:
        with CallerWatch() as watch:
            assert watch.lost() is None
            os.kill(os.getpid(), number)
            assert number.name in watch.lost()
        assert signal.getsignal(number) is mine
    finally:
        signal.signal(number, before)


def test_a_parent_that_ends_is_noticed(watcher):
    middle = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys, time; subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL); time.sleep(60)", *watcher.argv()],
        env=watcher.env,
    )
    watcher.ready()
    middle.kill()
    middle.wait()
    assert watcher.noticed() == "the caller ended"


def test_a_reader_that_goes_away_is_noticed(watcher):
    process = subprocess.Popen(watcher.argv(), env=watcher.env, stdout=subprocess.PIPE)
    watcher.ready()
    process.stdout.close()
    assert watcher.noticed() == "nobody reads the output any more"
    process.wait()


@pytest.mark.parametrize(("kind", "asynchronous", "noticed"), [("ansible", False, True), ("plain", False, False), ("ansible", True, False)])
def test_a_killed_ansible_playbook_is_noticed_through_its_worker(watcher, kind, asynchronous, noticed, tmp_path):
    """playbook -> worker -> sh -> module: the worker outlives a killed playbook."""
    env = {**watcher.env, **({"ANSIBLE_ASYNC_DIR": "/x"} if asynchronous else {})}
    worker = "import subprocess, sys; subprocess.run(['/bin/sh', '-c', '\"$@\"; true', 'sh', *sys.argv[1:]], stdout=subprocess.DEVNULL)"
    starter = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {worker!r}, *sys.argv[1:]]); time.sleep(60)"
    playbook = subprocess.Popen([sys.executable, "-c", starter, *watcher.argv(kind)], env=env)
    watcher.ready()
    playbook.kill()
    playbook.wait()
    if noticed:
        assert watcher.noticed() == "ansible-playbook ended"
    else:
        with pytest.raises(AssertionError):
            _soon(watcher, tmp_path)
        _end(watcher)


def _soon(watcher, tmp_path):
    import time

    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        if (tmp_path / "said").read_text().partition("\n")[2]:
            return
        time.sleep(0.02)
    raise AssertionError("nothing was noticed")


def _end(watcher):
    """End the watcher that keeps on watching."""
    own = watcher.argv()[3].encode()
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as stream:
                    if own in stream.read().split(b"\0"):
                        os.kill(int(name), signal.SIGKILL)
            except OSError:
                pass
