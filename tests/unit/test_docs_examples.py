# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guides and the modules show works: it parses, it loads, and one example is run for real."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap
import typing as t

import pytest
import yaml

from ansible_collections.day2.codex.plugins.module_utils._agent.cassette import load
from ansible_collections.day2.codex.plugins.module_utils._contract.slice import parse
from ansible_collections.day2.codex.plugins.plugin_utils._agent_action import load_document

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDES = sorted((ROOT / "docs/docsite/rst").glob("*.rst"))
_BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n((?:   +:.*\n)*)\n((?:(?:    .*)?\n)+)", re.MULTILINE)


class Example(t.NamedTuple):
    """A code block: its kind and name, as its caption says them."""

    kind: str
    name: str
    text: str


def _examples() -> list[Example]:
    found = []
    for guide in GUIDES:
        for _language, options, text in _BLOCK.findall(guide.read_text("utf-8")):
            kind, _colon, name = options.split(":caption:")[1].strip().partition(": ")
            found.append(Example(kind, name.strip(), textwrap.dedent(text)))
    return found


EXAMPLES = _examples()


def _of(kind: str) -> list[t.Any]:
    return [pytest.param(example, id=example.name) for example in EXAMPLES if example.kind == kind]


def _ansible(tmp_path: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    collections = tmp_path / "collections/ansible_collections/day2"
    collections.mkdir(parents=True)
    (collections / "codex").symlink_to(ROOT)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOWS": "1",
    }
    command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", *arguments]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    return subprocess.run(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)


def test_every_example_is_of_a_kind_that_is_tested() -> None:
    assert len(GUIDES) == 3
    assert {example.kind for example in EXAMPLES} == {"slice", "cassette", "playbook"}
    blocks = sum(guide.read_text("utf-8").count(".. code-block::") for guide in GUIDES)
    assert len(EXAMPLES) == blocks >= 9


@pytest.mark.parametrize("example", _of("slice"))
def test_a_slice_example_is_a_slice(tmp_path: pathlib.Path, example: Example) -> None:
    path = tmp_path / "slice.yml"
    path.write_text(example.text, "utf-8")
    parse(load_document(str(path)))


@pytest.mark.parametrize("example", _of("cassette"))
def test_a_cassette_example_is_a_cassette(example: Example) -> None:
    load(example.text, example.name)


@pytest.mark.parametrize("example", _of("playbook"))
def test_a_playbook_example_is_a_playbook_with_known_options(tmp_path: pathlib.Path, example: Example) -> None:
    (tmp_path / "playbook.yml").write_text("---\n" + example.text, "utf-8")
    done = _ansible(tmp_path, "--syntax-check", "playbook.yml")
    assert done.returncode == 0, done.stderr
    for task in [task for play in yaml.safe_load(example.text) for task in play["tasks"]]:
        _hold(task)


def _documentation(module: str) -> dict[str, t.Any]:
    """DOCUMENTATION and EXAMPLES of a module, read without importing it."""
    tree = ast.parse((ROOT / f"plugins/modules/{module}.py").read_text("utf-8"))
    return {
        node.targets[0].id: yaml.safe_load(ast.literal_eval(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in ("DOCUMENTATION", "EXAMPLES", "RETURN")
    }


def _hold(task: dict[str, t.Any]) -> None:
    for module in ("audit_info", "exec", "slice"):
        given = task.get(f"day2.codex.{module}")
        if given is None:
            continue
        known = set(_documentation(module)["DOCUMENTATION"]["options"])
        for fragment in ("_provider", "_prefix", "_limits"):
            text = (ROOT / f"plugins/doc_fragments/{fragment}.py").read_text("utf-8").split('r"""')[1].split('"""')[0]
            known |= set(yaml.safe_load(text)["options"])
        assert set(given) <= known
        if "slice" in given:
            document = json.loads(json.dumps(given["slice"]))
            if document["workspace"].startswith("{{"):
                document["workspace"] = "/srv/inbox"
            parse(document)


@pytest.mark.parametrize("module", ["audit_info", "exec", "slice"])
def test_the_examples_of_a_module_are_tasks_with_known_options(tmp_path: pathlib.Path, module: str) -> None:
    tasks = _documentation(module)["EXAMPLES"]
    assert tasks
    for task in tasks:
        _hold(task)
    (tmp_path / "playbook.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "tasks": tasks}]), "utf-8")
    done = _ansible(tmp_path, "--syntax-check", "playbook.yml")
    assert done.returncode == 0, done.stderr


def test_the_guide_lists_every_code_of_a_violation_and_no_other() -> None:
    listed = (ROOT / "docs/docsite/rst/guide_slices.rst").read_text("utf-8").split("What a violation means")[1].split("``validation_failed``")[0]
    in_guide = set(re.findall(r"``([a-z_]+)``", " ".join(re.findall(r"^   \* - (.*)$", listed, re.MULTILINE))))
    sources = [ROOT / "plugins/module_utils/_contract/checks.py", ROOT / "plugins/module_utils/_contract/values.py"]
    sources += sorted((ROOT / "plugins/module_utils/_workspace").glob("*.py"))
    in_code = {code for source in sources for code in re.findall(r'Violation\(\s*"([a-z_]+)"', source.read_text("utf-8"))}
    assert in_guide == in_code


def test_the_rehearsal_of_the_guide_runs_for_real(tmp_path: pathlib.Path) -> None:
    codex = os.environ.get("DAY2_CODEX_CLI", "")
    assert os.path.exists(codex), "DAY2_CODEX_CLI must name the real Codex CLI. 'make test' sets it."
    by_name = {example.name: example.text for example in EXAMPLES}
    (tmp_path / "rehearse.yml").write_text("---\n" + by_name["rehearse.yml"], "utf-8")
    (tmp_path / "tape.json").write_text(by_name["tape.json"], "utf-8")
    config = tmp_path / "inbox/config/inbox.yml"
    config.parent.mkdir(parents=True)
    config.write_text("sender: norply@inbox.example.com\n", "utf-8")
    arguments = ["-e", f"prefix={tmp_path}/prefix", "-e", f"workspace={tmp_path}/inbox"]
    (tmp_path / "prefix/opt/codex-ops/bin").mkdir(parents=True, mode=0o755)
    (tmp_path / "prefix/opt/codex-ops/bin/codex").symlink_to(codex)
    done = _ansible(tmp_path, *arguments, "rehearse.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=1" in done.stdout
    assert config.read_text("utf-8") == "sender: noreply@inbox.example.com\n"
