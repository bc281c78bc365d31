# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The query of audit_info is checked before anything is sent to a host, and its errors are for people."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._trail.log import append

ROOT = pathlib.Path(__file__).resolve().parents[4]


def _audit_info(tmp_path: pathlib.Path, options: dict[str, t.Any], **environment: str) -> dict[str, t.Any]:
    folder = tmp_path / "collections/ansible_collections/day2"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "codex").exists():
        (folder / "codex").symlink_to(ROOT)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        **environment,
    }
    command = [str(pathlib.Path(sys.executable).parent / "ansible"), "localhost", "-i", "localhost,", "-c", "local"]
    command += ["-m", "day2.codex.audit_info", "-a", json.dumps(options), "-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert "=> {" in done.stdout, done.stdout + done.stderr
    answer: dict[str, t.Any] = json.loads(done.stdout[done.stdout.index("=> {") + 3 :])
    answer["failed"] = "FAILED!" in done.stdout
    assert bool(done.returncode) == answer["failed"]
    assert "Traceback" not in done.stdout + done.stderr
    return answer


@pytest.fixture
def log(tmp_path: pathlib.Path) -> str:
    path = str(tmp_path / "audit.jsonl")
    for number in range(3):
        append(path, {"usage": {"total_tokens": number}, "result": {"msg": "\u202esk-proj-" + "a1B2" * 12}})
    return path


def test_a_query_is_evaluated_over_the_records(tmp_path: pathlib.Path, log: str) -> None:
    answer = _audit_info(tmp_path, {"path": log, "query": "{sum: sum([].usage.total_tokens), messages: [].result.msg | [0]}", "limit": 2})
    assert answer["query_result"]["sum"] == 3
    assert len(answer["records"]) == 2 and answer["verified"] and not answer["changed"]
    # Nothing secret and nothing invisible comes back, wherever it came from.
    assert answer["query_result"]["messages"].startswith("\\u{202e}[redacted:")
    assert "a1B2a1B2" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("[?a==]", "at character 6 of '[?a==]': ']' was not expected here."),
        ("a b", "at character 3 of 'a b': 'b' was not expected here."),
        ("[", "at character 2 of '[': the expression ends too early."),
        ("a.#", "at character 3 of 'a.#': Unknown token #."),
        ("", "cannot be empty"),
        ("nosuch(@)", "'nosuch(@)' cannot be evaluated over these records: Unknown function: nosuch()"),
        ("sum([].result.msg)", "cannot be evaluated over these records: In function sum(), invalid type"),
    ],
)
def test_a_bad_query_is_named_with_its_place(tmp_path: pathlib.Path, log: str, query: str, said: str) -> None:
    answer = _audit_info(tmp_path, {"path": log, "query": query})
    assert answer["failed"] and answer["code"] == "option_invalid"
    assert answer["msg"].startswith("query: ") and said in answer["msg"]


def test_without_jmespath_only_a_query_fails_and_says_what_to_install(tmp_path: pathlib.Path, log: str) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without/jmespath.py").write_text("raise ImportError('none here')\n")
    answer = _audit_info(tmp_path, {"path": log, "query": "[]"}, PYTHONPATH=str(tmp_path / "without"))
    assert answer["failed"] and "needs the Python library jmespath on the controller" in answer["msg"] and sys.executable in answer["msg"]
    assert _audit_info(tmp_path, {"path": log}, PYTHONPATH=str(tmp_path / "without"))["verified"]
