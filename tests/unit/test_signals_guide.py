# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guide on signals and the module describe every collector and every option, as the engine has them; its playbook runs."""

from __future__ import annotations

import ast
import os
import pathlib
import re
import subprocess
import sys
import textwrap
import typing as t

import pytest
import yaml

from ansible_collections.day2.codex.plugins.module_utils._signals import registry
from ansible_collections.day2.codex.plugins.module_utils._signals.options import COMMON, Option, checked

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/docsite/rst/guide_signals.rst").read_text("utf-8")
TYPES = {
    "bool": "true or false", "int": "number", "ints": "list of numbers", "number": "number", "percent": "percent", "text": "text", "texts": "list of texts",
    "path": "path", "paths": "list of paths", "span": "time", "size": "size", "tables": "list of dictionaries",
}  # fmt: skip


def _default(option: Option) -> str:
    if option.required:
        return "required"
    if option.default is None:
        return "none"
    if isinstance(option.default, bool):
        return f"``{str(option.default).lower()}``"
    if isinstance(option.default, list):
        return ", ".join(f"``{item}``" for item in option.default) or "none"
    return f"``{option.default}``"


def _rows(options: t.Mapping[str, Option], before: str = "") -> t.Iterator[tuple[str, str, str, str]]:
    for name, option in options.items():
        kind = " or ".join(f"``{choice}``" for choice in option.choices) if option.choices else TYPES[option.kind]
        yield f"``{before}{name}``", kind, _default(option), re.sub(r"(?<!\w)'?\*'? and '?\?'?", "``*`` and ``?``", option.what)
        if option.keys:
            yield from _rows(option.keys, f"{before}{name}[].")


def table(options: t.Mapping[str, Option]) -> str:
    """The options as the guide shows them."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (("Option", "Type", "Default", "Meaning"), *_rows(options)):
        lines += [f"   {'* -' if number == 0 else '  -'} {cell}" for number, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", registry.NAMES)
def test_the_guide_lists_every_option_of_a_collector_as_it_is(name: str) -> None:
    options = registry.load(name).OPTIONS
    assert f"\n{name}\n{'-' * len(name)}\n" in GUIDE
    assert table(options) in GUIDE


def test_the_guide_lists_what_all_collectors_take() -> None:
    assert table(COMMON) in GUIDE
    assert GUIDE.count(".. list-table::") == len(registry.NAMES) + 1


def _module(name: str) -> t.Any:
    tree = ast.parse((ROOT / "plugins/modules/collect.py").read_text("utf-8"))
    return next(node.value for node in tree.body if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name)


def test_the_module_names_every_collector_and_no_other() -> None:
    documented = yaml.safe_load(ast.literal_eval(_module("DOCUMENTATION")))["options"]["collector"]
    assert documented["choices"] == list(registry.NAMES) == ast.literal_eval(_module("COLLECTORS"))
    assert re.findall(r"^V\((\w+)\)", "\n".join(documented["description"]), re.MULTILINE) == list(registry.NAMES)


def _tasks(text: str) -> t.Iterator[dict[str, t.Any]]:
    for entry in yaml.safe_load(text):
        yield from (task["day2.codex.collect"] for task in entry.get("tasks", [entry]) if "day2.codex.collect" in task)


def _examples() -> list[str]:
    blocks = re.findall(r"^\.\. code-block:: yaml\n   :caption: playbook: .*\n\n((?:(?:    .*)?\n)+)", GUIDE, re.MULTILINE)
    return [ast.literal_eval(_module("EXAMPLES")), *map(textwrap.dedent, blocks)]


def test_every_example_has_options_that_its_collector_takes() -> None:
    given = [task for text in _examples() for task in _tasks(text)]
    assert {task["collector"] for task in given} >= set(registry.NAMES)
    for task in given:
        checked(registry.options_of(task["collector"]), task.get("options", {}))


def test_the_playbook_of_the_guide_runs(tmp_path: pathlib.Path) -> None:
    text = next(text for text in _examples() if "Look at a host" in text)
    (tmp_path / "look.yml").write_text("---\n" + text, "utf-8")
    folder = tmp_path / "collections/ansible_collections/day2"
    folder.mkdir(parents=True)
    (folder / "codex").symlink_to(ROOT)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections")}
    command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", "look.yml"]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r'"msg": "disk is (ok|warning|critical|unknown)', done.stdout)
