# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine works in both of its packagings: shipped by Ansible, and as a package of its own under another name."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent.cassette import check as check_cassette
from ansible_collections.day2.codex.plugins.module_utils._contract.document import load_schema, problems
from ansible_collections.day2.codex.plugins.module_utils._contract.report import check_schema
from ansible_collections.day2.codex.plugins.module_utils._contract.slice import build, parse
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENGINE = ROOT / "plugins/module_utils"
FILES = sorted(ENGINE.rglob("*.py"))
#: What a stage may know of the rest.
FOR_STAGES = {"_errors", "_canonical", "_contract", "_trail.redaction"}
FORBIDDEN = {"ansible", "ansible_collections", "importlib", "pkgutil"}


def _name(path: pathlib.Path) -> str:
    return str(path.relative_to(ENGINE))


def _imports(path: pathlib.Path) -> t.Iterator[tuple[int, str]]:
    """(level, dotted name) of every import, functions included; a relative one is written from the engine's top folder."""
    package = path.relative_to(ENGINE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield 0, alias.name
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0:
                yield 0, node.module or ""
                continue
            above = package[: len(package) - node.level + 1]
            for alias in node.names:
                target = ".".join([*above, *([node.module] if node.module else [])])
                inner = ENGINE.joinpath(*target.split("."), alias.name) if target else ENGINE / alias.name
                is_module = inner.with_suffix(".py").exists() or inner.is_dir()
                yield node.level, f"{target}.{alias.name}".strip(".") if is_module else target


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_the_engine_imports_only_itself_and_the_standard_library(path: pathlib.Path) -> None:
    known = set(sys.stdlib_module_names) | {"jsonschema", "__future__"}
    for level, name in _imports(path):
        top = name.split(".")[0]
        assert level > 0 or (top in known and top not in FORBIDDEN), name
        if level:
            target = ENGINE.joinpath(*name.split("."))
            assert target.is_dir() or target.with_suffix(".py").exists(), f"{name} leads out of the engine"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_nothing_in_the_engine_looks_for_its_own_file_or_speaks_past_its_caller(path: pathlib.Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        assert not isinstance(node, ast.Assert)
        if isinstance(node, ast.Name):
            assert node.id not in ("__file__", "__import__", "print", "exec", "eval"), node.lineno
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("sys", "exit"), node.lineno


#: Folders that are no stage: they put stages together, as the files beside them do.
FRONTS = {"_cli", "_helpers", "_engine"}


@pytest.mark.parametrize("path", [path for path in FILES if path.parent != ENGINE and path.relative_to(ENGINE).parts[0] not in FRONTS], ids=_name)
def test_a_stage_knows_no_other_stage(path: pathlib.Path) -> None:
    own = path.relative_to(ENGINE).parts[0]
    allowed = FOR_STAGES | ({"_schemas"} if own == "_contract" else set())
    for level, name in _imports(path):
        if level:
            assert name.split(".")[0] == own or any(name == known or name.startswith(known + ".") for known in allowed), name


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_too_long_to_read(path: pathlib.Path) -> None:
    """What stands in a text of its own is documentation, which may be long: the bulk of a module is."""
    if path.name == "_schemas.py":
        return  # generated
    text = path.read_text("utf-8")
    documentation = sum(
        node.end_lineno - node.lineno
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) and node.end_lineno
    )
    assert len(text.splitlines()) - documentation <= 400


# --- Ansible's packaging ----------------------------------------------------------------------------------------------


def _slice(workspace: pathlib.Path) -> dict[str, t.Any]:
    return {
        "name": "inbox",
        "category": "configuration_change",
        "workspace": str(workspace),
        "scope": {"include": ["**"]},
        "instructions": "Correct the sender.",
        "values": {"incorrect": [{"value": "norply@example.com"}]},
    }


def _workspace(tmp_path: pathlib.Path) -> pathlib.Path:
    workspace = tmp_path / "inbox"
    workspace.mkdir()
    (workspace / "inbox.yml").write_text("sender: noreply@example.com\n")
    return workspace


def _exec_arguments(tmp_path: pathlib.Path) -> dict[str, t.Any]:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": '{"status": "ok"}'}]}
    tape = tmp_path / "tape.json"
    tape.write_text(json.dumps({"version": 1, "exchanges": [{"response": {"items": [message]}}]}))
    schema = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    return {"prompt": "Is it well?", "workspace": str(_workspace(tmp_path)), "cassette": str(tape), "output_schema": schema}


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py")))
def test_ansible_ships_everything_that_a_module_needs(tmp_path: pathlib.Path, module: str) -> None:
    codex = os.environ.get("DAY2_CODEX_CLI", "")
    assert os.path.exists(codex), "DAY2_CODEX_CLI must name the real Codex CLI. 'make test' sets it."
    # What a module is given, and what only its engine can answer.
    given: dict[str, tuple[t.Callable[[pathlib.Path], dict[str, t.Any]], str]] = {
        "approval": (lambda _path: {"plan": "20260115T031500Z-9f86d081"}, '"code": "plan_not_found"'),
        "audit_info": (lambda _path: {}, '"verified": true'),
        "collect": (lambda _path: {"collector": "disk"}, '"signal": {'),
        "engine": (lambda _path: {}, '"msg": "Would install the engine'),
        "exec": (_exec_arguments, '"outcome": "completed"'),
        "job": (lambda _path: {"slice": "inbox"}, '"code": "slice_not_found"'),
        "job_info": (lambda _path: {}, '"jobs": []'),
        "kill_switch": (lambda _path: {"state": "released"}, '"engaged": false'),
        "slice": (lambda path: {"slice": _slice(_workspace(path))}, '"outcome": "unchanged"'),
    }
    assert module in given, "a new module needs a line here"
    make, answer = given[module]
    arguments = {**make(tmp_path), "prefix": str(tmp_path / "prefix")}
    if module in ("exec", "slice"):
        arguments["codex_path"] = codex
    folder = tmp_path / "collections/ansible_collections/day2"
    folder.mkdir(parents=True)
    (folder / "codex").symlink_to(ROOT)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
    }
    command = [str(pathlib.Path(sys.executable).parent / "ansible"), "localhost", "-i", "localhost,", "-c", "local", "--check"]
    command += ["-m", f"day2.codex.{module}", "-a", json.dumps(arguments), "-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode == 0) is ('"code"' not in answer), done.stdout + done.stderr
    assert answer in done.stdout, done.stdout


# --- a package of its own ---------------------------------------------------------------------------------------------

IMPORT_ALL = """
import importlib, pkgutil, sys
import host_engine
names = [found.name for found in pkgutil.walk_packages(host_engine.__path__, "host_engine.")]
for name in names:
    importlib.import_module(name)
sys.stdout.write(str(len(names)))
"""
GOAL_HOLDS = """
import json, sys
from host_engine._operation import operate
from host_engine._options import Options, Order
order = json.load(sys.stdin)
result = operate(Options(prefix=order["prefix"]), Order(document=order["slice"]))
sys.stdout.write(json.dumps(result))
"""


def _copied(tmp_path: pathlib.Path) -> pathlib.Path:
    shutil.copytree(ENGINE, tmp_path / "lib/host_engine", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "lib/host_engine/__init__.py").touch()
    return tmp_path / "lib"


def _runs(command: t.Sequence[str]) -> bool:
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False).returncode == 0
    except OSError:
        return False


def _python(code: str) -> str:
    """The oldest Python that a host may have, where there is one that can run *code*; else this one."""
    places = [shutil.which("python3.9") or "", *map(str, sorted(pathlib.Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9")))]
    return next((place for place in places if place and _runs([place, "-c", code])), sys.executable)


def _run(python: str, code: str, lib: pathlib.Path, given: str = "") -> str:
    # Not isolated: PYTHONPATH is how the copy is found. The collection is not on it.
    environment = {"PYTHONPATH": str(lib), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    done = subprocess.run(
        [python, "-W", "error::SyntaxWarning", "-c", code], input=given, env=environment, cwd=lib, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{python}: {done.stderr}"
    return done.stdout


def test_every_file_of_a_copied_engine_imports_with_the_oldest_python(tmp_path: pathlib.Path, record_property: t.Callable[[str, object], None]) -> None:
    python = _python("pass")
    record_property("python", python)
    assert int(_run(python, IMPORT_ALL, _copied(tmp_path))) >= len(FILES) - 1


def test_a_copied_engine_knows_a_goal_that_holds(tmp_path: pathlib.Path, record_property: t.Callable[[str, object], None]) -> None:
    lib = _copied(tmp_path)
    given = json.dumps({"prefix": str(tmp_path / "prefix"), "slice": _slice(_workspace(tmp_path))})
    # The first one needs jsonschema, which a bare Python 3.9 does not have. Once the slice was found valid, the second does without.
    for python in (_python("import jsonschema"), _python("pass")):
        record_property("python", python)
        print(f"run by {python}")
        result = json.loads(_run(python, GOAL_HOLDS, lib, given))
        assert (result["outcome"], result["changed"], result["usage"]["requests"]) == ("unchanged", False, 0), result


# --- the published contracts ------------------------------------------------------------------------------------------


def test_every_published_schema_is_a_schema_and_closed() -> None:
    import jsonschema

    paths = sorted((ROOT / "schemas").glob("*.schema.json"))
    assert {path.name.split(".")[0] for path in paths} >= {"slice", "report", "cassette"}
    for path in paths:
        schema = json.loads(path.read_text("utf-8"))
        jsonschema.validators.validator_for(schema).check_schema(schema)
        assert schema["additionalProperties"] is False, path.name


def _published(name: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads((ROOT / f"schemas/{name}.schema.json").read_text("utf-8")))


def test_the_engine_carries_the_published_slice_and_report() -> None:
    assert load_schema("slice") == _published("slice")
    assert load_schema("report") == _published("report")
    assert check_schema(_published("report"))


def test_a_slice_with_every_published_key_is_read() -> None:
    full = {
        **_slice(pathlib.Path("/srv/inbox")),
        "title": "x",
        "scope": {"include": ["**"], "exclude": ["x"]},
        "values": {"correct": [{"name": "a", "value": "b"}], "incorrect": [{"value": "c", "in": ["d"]}]},
        "do_not_touch": {"values": ["e"], "paths": ["f"], "services": ["g"]},
        "validation": {"must_hold": [{"name": "h", "argv": ["/i"], "timeout": 1, "exit_codes": [0]}], "must_fail": []},
        "actions": ["restart-inbox"],
        "rollback": {"strategy": "snapshot"},
        "limits": {"timeout": 1, "tokens": 1, "files": 0, "changed_lines": 0},
        "report_schema": {"type": "object"},
    }
    schema = _published("slice")
    assert set(full) == set(schema["properties"])
    for key in ("scope", "values", "do_not_touch", "validation", "limits", "rollback"):
        assert set(full[key]) == set(schema["properties"][key]["properties"])
    assert parse(full).sha256 == build(full).sha256


ITEM = {"type": "message"}
CASSETTES: list[t.Any] = [
    {"version": 1, "exchanges": [{"response": {"items": [ITEM]}}]},
    {
        "version": 1,
        "strict": True,
        "note": "",
        "codex_version": "",
        "model": "",
        "exchanges": [{"request": {"input": [{}], "tools": ["a"]}, "response": {"hang": True}}],
    },
    {
        "version": 1,
        "exchanges": [{"response": {"items": [ITEM], "usage": {"input_tokens": 0, "cached_input_tokens": 0, "output_tokens": 0, "total_tokens": 0}}}],
    },
    {"version": 1, "exchanges": [{"response": {"drop": True}}, {"response": {"status": 400}}, {"response": {"status": 599, "body": ""}}]},
    {"version": 2, "exchanges": [{"response": {"items": [ITEM]}}]},
    {"version": True, "exchanges": [{"response": {"items": [ITEM]}}]},
    {"version": 1, "exchanges": []},
    {"version": 1},
    {"version": 1, "exchanges": [{}]},
    {"version": 1, "more": 1, "exchanges": [{"response": {"hang": True}}]},
    {"version": 1, "strict": 1, "exchanges": [{"response": {"hang": True}}]},
    {"version": 1, "exchanges": [{"response": {"hang": False}}]},
    {"version": 1, "exchanges": [{"response": {"hang": True, "drop": True}}]},
    {"version": 1, "exchanges": [{"response": {"items": []}}]},
    {"version": 1, "exchanges": [{"response": {"items": [{}]}}]},
    {"version": 1, "exchanges": [{"response": {"items": [ITEM], "usage": {"tokens": 1}}}]},
    {"version": 1, "exchanges": [{"response": {"items": [ITEM], "usage": {"input_tokens": -1}}}]},
    {"version": 1, "exchanges": [{"response": {"status": 200}}]},
    {"version": 1, "exchanges": [{"response": {"status": "500"}}]},
    {"version": 1, "exchanges": [{"response": {"status": 500, "body": 5}}]},
    {"version": 1, "exchanges": [{"request": {"more": 1}, "response": {"hang": True}}]},
    [],
    None,
]


#: The first of them are good.
GOOD = 4


@pytest.mark.parametrize("number", range(len(CASSETTES)))
def test_a_cassette_is_taken_exactly_when_its_published_schema_takes_it(number: int) -> None:
    cassette = CASSETTES[number]
    try:
        check_cassette(cassette)
        taken = True
    except CodexOpsError:
        taken = False
    assert taken == (not problems(cassette, _published("cassette")))
    assert taken == (number < GOOD)
