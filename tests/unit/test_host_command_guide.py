# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guide on codex-ops shows works: each line is taken by the command, and the way from plan to rollback is gone for real."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import textwrap

import pytest

from ansible_collections.day2.codex.plugins.module_utils import _outcomes
from ansible_collections.day2.codex.plugins.module_utils._cli import ending
from ansible_collections.day2.codex.plugins.module_utils._cli.arguments import parse
from ansible_collections.day2.codex.plugins.module_utils._installing import present
from ansible_collections.day2.codex.plugins.plugin_utils._pack import packed

RST = pathlib.Path(__file__).resolve().parents[2] / "docs/docsite/rst"
GUIDE = (RST / "guide_host_command.rst").read_text("utf-8")
_BLOCK = re.compile(r"^ +:caption: (\w+): (.*)\n\n((?:(?:    .*)?\n)+)", re.MULTILINE)


def _blocks(text: str) -> dict[tuple[str, str], str]:
    return {(kind, name): textwrap.dedent(body) for kind, name, body in _BLOCK.findall(text)}


BLOCKS = _blocks(GUIDE)
LINES = [line.strip() for (kind, _name), body in BLOCKS.items() if kind == "host" for line in body.splitlines() if "codex-ops " in line]


@pytest.mark.parametrize("line", LINES)
def test_each_line_is_one_that_the_command_takes(line: str) -> None:
    words = shlex.split(re.sub(r"^.*?(?:/opt/codex-ops/bin/)?codex-ops (?=[a-z])", "", line).split(" >")[0])
    if words[0] != "-Y":
        assert parse(words, "/", None).part == words[0]


def test_the_table_of_the_guide_is_what_the_command_does() -> None:
    rows = re.findall(r"^   \* - (\d)\n     - .*\n     - ((?:.*\n)(?:       .*\n)*)", GUIDE, re.MULTILINE)
    assert [int(status) for status, _outcomes_ in rows] == list(range(8))
    listed = {int(status): set(re.findall(r"``([a-z_]+)``", text)) for status, text in rows}
    for outcome in _outcomes.ALL:
        assert outcome in listed[ending.status({"outcome": outcome})], outcome
    assert set().union(*listed.values()) == _outcomes.ALL


def _do(tmp_path: pathlib.Path, name: str, **names: str) -> str:
    """Run a block of the guide; what it wrote."""
    environment = {"PATH": f"{tmp_path}/prefix/opt/codex-ops/bin:{os.environ['PATH']}", "HOME": str(tmp_path), **names}
    command = ["/bin/bash", "-e", "-c", BLOCKS["host", name]]
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_way_from_plan_to_rollback_is_as_the_guide_says(tmp_path: pathlib.Path) -> None:
    codex = os.environ.get("DAY2_CODEX_CLI", "")
    assert os.path.exists(codex), "DAY2_CODEX_CLI must name the real Codex CLI. 'make test' sets it."
    prefix, config = tmp_path / "prefix", tmp_path / "inbox/config/inbox.yml"
    (tmp_path / "engine.tar").write_bytes(packed().content)
    present(str(prefix), packed().manifest.text(), pack=str(tmp_path / "engine.tar"), keep=1, interpreter=sys.executable, check=False)
    (prefix / "opt/codex-ops/bin/codex").symlink_to(codex)
    config.parent.mkdir(parents=True)
    config.write_text("sender: norply@inbox.example.com\n", "utf-8")
    (tmp_path / "inbox.json").write_text(BLOCKS["slice", "inbox.json"].replace("/srv/inbox", str(tmp_path / "inbox")), "utf-8")
    (tmp_path / "tape.json").write_text(_blocks((RST / "guide_rehearsal.rst").read_text("utf-8"))["cassette", "tape.json"], "utf-8")
    etc = prefix / "etc/codex-ops"
    etc.mkdir(parents=True)
    (etc / "policy.json").write_text(json.dumps({"version": 1, "ad_hoc": "category"}), "utf-8")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=30)
    public = (tmp_path / "key.pub").read_text("ascii")
    (etc / "allowed_signers").write_text(f'alice namespaces="codex-ops-approval" {public}', "utf-8")

    plan = re.findall(r"^plan +(\S+)$", _do(tmp_path, "plan"), re.MULTILINE)[0]
    assert config.read_text("utf-8") == "sender: norply@inbox.example.com\n"
    _do(tmp_path, "approve", PLAN=plan, KEY=str(key))
    run = re.findall(r"^run +(\S+)$", _do(tmp_path, "apply", PLAN=plan), re.MULTILINE)[0]
    assert config.read_text("utf-8") == "sender: noreply@inbox.example.com\n"
    _do(tmp_path, "rollback", RUN=run)
    assert config.read_text("utf-8") == "sender: norply@inbox.example.com\n"
    assert "applied" in _do(tmp_path, "looking around")
