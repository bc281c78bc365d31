# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of who Codex runs as. Most of them matter to an engine that runs as root."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent import identity, probe, process, walk
from ansible_collections.day2.codex.plugins.module_utils._agent.run import cleanup, run_agent
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor

ROOT = os.geteuid() == 0


@pytest.fixture
def without_identity(monkeypatch):
    """As it was once: Codex runs as the user of the engine, whoever that is."""
    monkeypatch.setattr(identity, "_free_number", lambda: None)


def test_no_command_runs_as_root_nor_can_write_the_settings_of_the_kernel(codex, make_request, model):
    request = make_request(codex, model.cassette("id -u > who; id -G >> who; ( : >> /proc/sys/kernel/core_pattern ) && echo open >> who; true"))
    result = run_agent(request, Redactor(), process.never)
    with open(os.path.join(request.workspace, "who"), encoding="ascii") as stream:
        said = stream.read().split()
    assert result.outcome == "completed" and "open" not in said
    assert "0" not in said
    if ROOT:
        assert len(said) == 2 and said[0] == said[1] and identity.is_throw_away(int(said[0]))


def test_a_sandbox_started_by_root_as_root_does_not_pass_the_probe(one_codex, tmp_path, without_identity):
    broken = probe.probe(one_codex, str(tmp_path))
    assert ("it can write the kernel's settings in /proc/sys" in broken) is ROOT
    assert os.listdir(tmp_path) == []


def test_the_probe_passes(codex, tmp_path):
    assert probe.probe(codex, str(tmp_path)) == []
    assert os.listdir(tmp_path) == []


def test_the_copy_is_ours_again_with_the_modes_and_contents_that_it_had(one_codex, make_request, model, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("x")
    request = make_request(one_codex, model.cassette("echo more >> plain; mkdir closed; echo x > closed/new; chmod 0 closed/new closed; umask > mask"))
    work = request.workspace
    modes = {"plain": 0o640, "suid": 0o4755, "sgid": 0o2711, "none": 0o000}
    for name, mode in modes.items():
        with open(os.path.join(work, name), "w", encoding="ascii") as stream:
            stream.write(name)
        os.chmod(os.path.join(work, name), mode)
    os.symlink(outside, os.path.join(work, "link"))
    result = run_agent(request, Redactor(), process.never)
    assert result.commands[0]["status"] == "completed", result
    for name, mode in modes.items():
        found = os.lstat(os.path.join(work, name))
        assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (mode, os.geteuid(), os.getegid()), name
    assert os.lstat(os.path.join(work, "closed")).st_uid == os.geteuid() and stat.S_IMODE(os.lstat(os.path.join(work, "closed")).st_mode) == 0
    assert os.lstat(outside).st_uid == os.geteuid()
    with open(os.path.join(work, "mask"), encoding="ascii") as stream:
        mask = os.umask(0)
        os.umask(mask)
        assert int(stream.read(), 8) == mask
    with open(os.path.join(work, "plain"), encoding="ascii") as stream:
        assert stream.read() == "plainmore\n"
    cleanup(request.run_dir)
    assert os.listdir(request.run_dir) == ["work"]


def test_nothing_of_a_throw_away_user_is_left_on_the_host(codex, make_request, model):
    request = make_request(codex, model.cassette("true"))
    assert run_agent(request, Redactor(), process.never).outcome == "completed"
    owner = os.lstat(os.path.join(request.run_dir, "agent")).st_uid
    assert (owner != os.geteuid()) is ROOT
    for place in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/mnt"):
        assert [entry.name for entry in os.scandir(place) if ROOT and entry.stat(follow_symlinks=False).st_uid == owner] == []


def test_the_paths_of_the_agent_are_recorded_as_places(one_codex, make_request, model, tmp_path):
    transcript = tmp_path / "transcript"
    request = make_request(one_codex, model.cassette("cat @workspace@/file @run@/agent/codex/config.toml; echo $HOME"))
    with open(os.path.join(request.workspace, "file"), "w", encoding="ascii") as stream:
        stream.write("content-of-file")
    run_agent(request, Redactor(), process.never, str(transcript))
    text = transcript.read_text()
    seen = "/codex-ops/workspace/file" if ROOT else request.workspace + "/file"
    assert seen in text and "content-of-file" in text and "/agent/home" in text and "@workspace@" not in text


_ENGINE = """
import json, sys
from ansible_collections.day2.codex.plugins.module_utils._agent.request import AgentRequest
from ansible_collections.day2.codex.plugins.module_utils._agent.run import run_agent
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor
result = run_agent(AgentRequest(**json.load(sys.stdin)), Redactor(), lambda: None)
sys.stdout.write(json.dumps([result.outcome, result.code, result.msg]))
"""


@pytest.mark.parametrize("missing", ["sys_admin", "setuid", "chown"])
def test_root_without_the_power_to_become_somebody_else_says_so(one_codex, make_request, model, missing):
    request = make_request(one_codex, model.cassette())
    root = identity.__file__.split("/ansible_collections/", maxsplit=1)[0]
    reduced = ["setpriv", "--bounding-set", f"-{missing}", "--inh-caps", f"-{missing}"] if ROOT else []
    done = subprocess.run(
        [*reduced, sys.executable, "-c", _ENGINE],
        input=json.dumps(request.__dict__), env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    outcome, code, msg = json.loads(done.stdout)
    if ROOT:
        assert (outcome, code) == ("sandbox_unavailable", "identity_failed") and "CAP_SYS_ADMIN" in msg
    else:
        assert outcome == "completed"


def test_a_tree_of_any_depth_can_be_walked_and_removed(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    for _level in range(3000):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    seen = []
    walk.contents_first(str(tmp_path / "d"), lambda parent, name, status: seen.append(name))
    assert len(seen) == 3000
    (tmp_path / "agent").mkdir()
    os.rename(tmp_path / "d", tmp_path / "agent" / "d")
    cleanup(str(tmp_path))
    assert os.listdir(tmp_path) == []
