# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of a run on a disk that is full."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent import disk

_FULL = """
import json, os, sys
from ansible_collections.day2.codex.plugins.module_utils._agent import sandbox
from ansible_collections.day2.codex.plugins.module_utils._agent.request import AgentRequest
from ansible_collections.day2.codex.plugins.module_utils._agent.run import run_agent
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor
what, left, fields = json.load(sys.stdin)
place = os.path.dirname(fields["run_dir"])
os.makedirs(fields["workspace"], 0o700)
os.chmod(fields["run_dir"], 0o700)
with open(place + "/filler", "wb") as stream:
    try:
        while True:
            os.write(stream.fileno(), bytes(4096))
    except OSError:
        os.truncate(place + "/filler", os.path.getsize(place + "/filler") - left * 4096)
try:
    if what == "preflight":
        sandbox.preflight(fields["codex_path"], fields["run_dir"], fields["run_dir"])
        sys.stdout.write("held")
    else:
        result = run_agent(AgentRequest(**fields), Redactor(), lambda: None)
        sys.stdout.write(" ".join((result.outcome, result.code, result.msg)))
except CodexOpsError as error:
    sys.stdout.write(" ".join((error.outcome, error.code, str(error))))
"""


@pytest.mark.parametrize("left", [0, 8, 20])
@pytest.mark.parametrize("what", ["preflight", "run"])
def test_a_full_disk_is_called_one(one_codex, make_request, model, tmp_path, what, left):
    small = tmp_path / "small"
    small.mkdir()
    fields = {**make_request(one_codex, model.cassette()).__dict__, "run_dir": str(small / "run"), "workspace": str(small / "run" / "workspace")}
    root = disk.__file__.split("/ansible_collections/", maxsplit=1)[0]
    inner = 'mount -t tmpfs -o size=512k,mode=0700 small "$1" && exec "$2" -c "$3"'
    done = subprocess.run(
        ["unshare", *(["-m"] if os.geteuid() == 0 else ["-rm"]), "sh", "-c", inner, "sh", str(small), sys.executable, _FULL],
        input=json.dumps([what, left, fields]), env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("agent_error disk_full "), done.stdout + done.stderr
    assert "disk is full" in done.stdout and str(small) in done.stdout


def test_the_limit_on_namespaces_is_no_full_disk():
    assert not disk.says_full("bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (No space left on device)")
    assert disk.says_full("Error: No space left on device (os error 28)")
