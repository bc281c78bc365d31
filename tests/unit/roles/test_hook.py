# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hook that Codex asks before each tool call says yes only when it is sure, and no by status 2 whatever else happens."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import time

import pytest

from ansible_collections.day2.codex.plugins.filter.hook_patterns import hook_patterns

FILES = pathlib.Path(__file__).resolve().parents[3] / "roles/guardrails/files"
PATTERNS = [{"pattern": r"\bwget\b", "reason": "no network"}]


@pytest.fixture(name="hook")
def _hook(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "hooks"
    folder.mkdir()
    for name in ("pre-tool-use", "pre-tool-use.py"):
        shutil.copy(FILES / name, folder / name)
    (folder / "pre-tool-use.json").write_text(hook_patterns(PATTERNS, kill_switch=str(tmp_path / "disabled")))
    return folder / "pre-tool-use"


def asked(hook: pathlib.Path, said: bytes | dict[str, object]) -> tuple[int, str]:
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    done = subprocess.run([str(hook)], input=data, capture_output=True, check=False, timeout=20)
    assert done.stdout == b""
    return done.returncode, done.stderr.decode()


def test_an_ordinary_call_is_made(hook: pathlib.Path) -> None:
    assert asked(hook, {"tool_name": "Bash", "tool_input": {"command": "ls -la"}}) == (0, "")


@pytest.mark.parametrize(
    "tool_input",
    [{"command": "wget x"}, {"argv": ["sh", "-c", "wget x"]}, {"edits": [{"text": "a"}, {"deep": {"text": "ls; wget"}}]}, "wget"],
)
def test_a_pattern_is_found_in_every_text_of_a_call(hook: pathlib.Path, tool_input: object) -> None:
    status, why = asked(hook, {"tool_input": tool_input})
    assert status == 2 and "no network" in why


def test_nothing_is_run_while_the_kill_switch_is_engaged(hook: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "disabled").symlink_to("nowhere")
    status, why = asked(hook, {"tool_input": {"command": "ls"}})
    assert status == 2 and "kill switch" in why


@pytest.mark.parametrize("said", [b"", b"not JSON", b"[]", b"{}", b"\xff\xfe", b'{"tool_input": {}}', b'{"tool_input": 5}', b"[" * 100000])
def test_what_cannot_be_judged_is_not_run(hook: pathlib.Path, said: bytes) -> None:
    status, why = asked(hook, said)
    assert status == 2 and why


def test_a_call_that_is_too_large_is_not_run(hook: pathlib.Path) -> None:
    status, why = asked(hook, {"tool_input": {"command": "x" * (4 * 1024 * 1024)}})
    assert status == 2 and "larger" in why


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pre-tool-use.json", "x"),
        ("pre-tool-use.json", "{}"),
        ("pre-tool-use.py", "raise SystemExit(0)"),
        ("pre-tool-use.py", "print('yes, but'); raise SystemExit(0)"),
        ("pre-tool-use.py", "import os; os.kill(os.getpid(), 11)"),
        ("pre-tool-use.py", "syntax error"),
        ("pre-tool-use.py", None),
        ("pre-tool-use.json", None),
    ],
)
def test_a_hook_that_is_broken_says_no(hook: pathlib.Path, name: str, content: str | None) -> None:
    path = hook.parent / name
    path.unlink() if content is None else path.write_text(content)
    status, why = asked(hook, {"tool_input": {"command": "ls"}})
    assert status == 2 and "could not judge" in why


def test_a_hook_that_hangs_says_no_before_codex_gives_it_up(hook: pathlib.Path) -> None:
    (hook.parent / "pre-tool-use.py").write_text("import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)")
    began = time.monotonic()
    assert asked(hook, {"tool_input": {"command": "ls"}})[0] == 2
    assert time.monotonic() - began < 8
