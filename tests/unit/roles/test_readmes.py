# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The READMEs of the roles say what their argument specs say, and the variables bear the role's name."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/argument_specs.yml"))


def test_no_readme_differs_from_its_specs() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "scripts/role_readmes"), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.name))
def test_every_readme_ends_with_a_play_that_uses_the_role(role: pathlib.Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (role / "README.md").read_text("utf-8").partition("\n## Example\n")[2], re.DOTALL | re.MULTILINE)
    plays = [play for block in blocks for play in yaml.safe_load(block)]
    used = [entry for play in plays for entry in play["roles"] if entry["role"] == f"day2.codex.{role.name}"]
    assert used, "the example is missing"
    known = yaml.safe_load((role / "meta/argument_specs.yml").read_text("utf-8"))["argument_specs"]["main"]["options"]
    for entry in used:
        assert entry.get("vars") and set(entry["vars"]) <= set(known), entry


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.name))
def test_every_variable_has_the_roles_prefix_a_description_and_its_documented_default(role: pathlib.Path) -> None:
    options = yaml.safe_load((role / "meta/argument_specs.yml").read_text("utf-8"))["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text("utf-8"))
    assert f"{role.name}_state" in options
    for name, option in options.items():
        assert name.startswith(f"{role.name}_") and option["description"], name
        assert defaults.get(name) == option.get("default"), name
    assert set(defaults) <= set(options)
    internal = yaml.safe_load((role / "vars/main.yml").read_text("utf-8")) if (role / "vars/main.yml").exists() else {}
    assert all(name.startswith(f"__{role.name}_") for name in internal)
