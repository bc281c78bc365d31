# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prepare a home folder in which ansible-test works with nothing but a package registry.

usage: ansible_test_home.py FOLDER

ansible-test hides PIP_* variables from pip, and a new home folder has no pip configuration: it is carried over.
It also downloads pip's bootstrap script from a host of its own: a stub does the same with pip from the registry.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

STUB = """\
import sys

sys.path.insert(0, {wheel!r})
from pip._internal.cli.main import main

arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", "--upgrade", "--force-reinstall"] + arguments))
"""
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def pip_configuration() -> str:
    """Return pip's whole configuration, of files and environment, as one file. Later entries win, as they do for pip."""
    listed = subprocess.run([*PIP, "config", "list"], check=True, stdout=subprocess.PIPE, text=True).stdout
    sections: dict[str, dict[str, str]] = {}
    for line in listed.splitlines():
        name, _sign, value = line.partition("=")
        section, _dot, key = name.rpartition(".")
        if section and key != "config-file":
            sections.setdefault("global" if section == ":env:" else section, {})[key] = ast.literal_eval(value)
    lines = []
    for section, values in sections.items():
        lines.append(f"[{section}]")
        # A value of several lines goes on where lines are indented.
        lines += [f"{key} = " + "\n    ".join(value.split("\n")).replace("%", "%%") for key, value in values.items()]
    return "\n".join(lines) + "\n"


def wanted_pip() -> str:
    """Return the version of pip that the installed ansible-test asks for."""
    spec = importlib.util.find_spec("ansible_test")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        source = pathlib.Path(folder, "_internal", "python_requirements.py").read_text(encoding="utf-8")
        found = re.search(r"""\bpip=['"]([0-9.]+)['"]""", source)
        if found:
            return found.group(1)
    raise SystemExit("The installed ansible-test does not say which pip it wants: scripts/ansible_test_home.py does not know this version.")


def main(home: pathlib.Path) -> None:
    """Write both files."""
    configuration = home / ".config" / "pip" / "pip.conf"
    configuration.parent.mkdir(parents=True, exist_ok=True)
    # It may hold a password for a registry.
    with open(os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as written:
        written.write(pip_configuration())

    version = wanted_pip()
    stub = home / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    wheels = home / "wheels"
    wheel = wheels / f"pip-{version}-py3-none-any.whl"
    if not wheel.exists():
        subprocess.run([*PIP, "download", "--quiet", "--no-deps", "--dest", str(wheels), f"pip=={version}"], check=True)
    stub.parent.mkdir(parents=True, exist_ok=True)
    stub.write_text(STUB.format(wheel=str(wheel)), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(pathlib.Path(sys.argv[1]).resolve())
