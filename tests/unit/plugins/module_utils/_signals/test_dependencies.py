# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Updates that wait are what the host's own tools say, and no name of a package is more than a name."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest

from .conftest import HIDDEN

#: As apt-get of Debian 12 writes it.
SIMULATED = """\
Inst libssl3 [3.0.15-1~deb12u1] (3.0.17-1~deb12u2 Debian-Security:12/stable-security [amd64])
Inst tzdata [2024a-0+deb12u1] (2025b-0+deb12u2 Debian:12.12/oldstable [all])
Inst libnew (1.0 Debian-Security:12/stable-security [amd64])
Inst curl [7.88.1-10+deb12u8] (7.88.1-10+deb12u14 Debian:12.12/oldstable, Debian-Security:12/oldstable-security [amd64]) []
Conf libssl3 (3.0.17-1~deb12u2 Debian-Security:12/stable-security [amd64])
"""
UBUNTU = "Inst openssl [3.0.2-0ubuntu1.18] (3.0.2-0ubuntu1.19 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])\n"


def _apt(look_with: t.Any, text: str) -> None:
    look_with.tool("apt-get", f"cat <<'END'\n{text}END\n")


def test_security_updates_are_told_from_others(look_with: t.Any) -> None:
    _apt(look_with, SIMULATED + UBUNTU)
    looked = look_with("dependencies", max_list_age="1000w", critical=["libssl*"])
    wanted = {"security:libssl3": "CRITICAL", "security:curl": "WARNING", "security:openssl": "WARNING"}
    assert {name: severity for name, severity in looked.severities.items() if name.startswith("security:")} == wanted
    assert (looked.found["security:curl"]["observed"], looked.found["security:curl"]["expected"]) == ("7.88.1-10+deb12u8", "7.88.1-10+deb12u14")
    assert looked.metrics["updates"] == 4 and looked.metrics["security_updates"] == 3
    looked = look_with("dependencies", max_list_age="1000w", all_updates=True)
    assert looked.severities["update:tzdata"] == "INFO"


def test_what_waits_here_is_what_apt_says(look: t.Any) -> None:
    looked = look("dependencies", max_list_age="1000w", max_findings=500)
    if not shutil.which("apt-get"):
        assert looked.status in ("unknown", "ok", "warning")
        return
    argv = ["apt-get", "--simulate", "-qq", "-o", "Debug::NoLocking=true", "dist-upgrade"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}).stdout.splitlines()
    waiting = [line for line in said if line.startswith("Inst ") and line.split()[2].startswith("[")]
    assert looked.metrics["updates"] == len(waiting)
    assert looked.metrics["security_updates"] == sum("-Security:" in line or "-security" in line for line in waiting)


def test_a_host_of_dnf_is_asked_in_its_own_words(look_with: t.Any) -> None:
    lines = "FEDORA-2026-1 Important/Sec. openssl-libs-1:3.0.9-2.fc40.x86_64\nFEDORA-2026-2 Moderate/Sec. curl-8.6.0-7.fc40.x86_64 2026-01-01\nnoise\n"
    look_with.tool("dnf", f"cat <<'END'\n{lines}END\n")
    assert look_with("dependencies").severities == {"security:openssl-libs": "WARNING", "security:curl": "WARNING"}


def test_a_host_without_a_tool_is_unknown_with_the_reason(look_with: t.Any, tmp_path: pathlib.Path) -> None:
    looked = look_with("dependencies")
    assert looked.status == "unknown" and "Neither apt-get nor dnf is installed." in looked.signal["summary"]
    path = tmp_path / "requirements.txt"
    path.write_text("requests==2.0\n")
    assert "pip-audit is not installed." in look_with("dependencies", system=False, python=[str(path)]).signal["summary"]
    look_with.tool("apt-get", "echo E: Unable to read lists >&2; exit 100")
    assert "Unable to read lists" in look_with("dependencies").signal["summary"]


def test_names_of_packages_are_only_text(look_with: t.Any) -> None:
    _apt(look_with, f"Inst $(id){HIDDEN.replace(' ', '_')} [1] (2 Debian-Security:12/x [amd64])\n" + "Inst " + "x" * 10_000_000 + "\n")
    looked = look_with("dependencies", max_list_age="1000w")
    assert any(name.startswith("security:$(id)\\u{001b}") for name in looked.found)


# --- libraries ------------------------------------------------------------------------------------------------------------

AUDIT = {
    "dependencies": [
        {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"], "description": HIDDEN}]},
        {"name": "fine", "version": "1", "vulns": []},
        {"name": "local", "skip_reason": "not found"},
        "noise",
    ],
    "fixes": [],
}


def test_holes_that_pip_audit_knows_are_found(look_with: t.Any, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("jinja2==2.10\n")
    (tmp_path / "out.json").write_text(json.dumps(AUDIT))
    look_with.tool("pip-audit", f'echo "$@" >{tmp_path}/asked; cat {tmp_path}/out.json; exit 1\n')
    looked = look_with("dependencies", system=False, python=[str(path)])
    assert looked.severities == {f"pip:{path}: jinja2: PYSEC-2019-217": "WARNING", f"unknown:{path}: local": "INFO"}
    assert f"--requirement={path}" in (tmp_path / "asked").read_text()


NPM = {
    "vulnerabilities": {
        "lodash": {"severity": "critical", "via": [{"title": "Prototype Pollution in lodash"}, "other"]},
        "minor": {"severity": "low", "via": []},
        "odd": {"severity": 7},
    }
}


def test_holes_that_npm_knows_are_found_without_the_projects_own_configuration(look_with: t.Any, tmp_path: pathlib.Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / ".npmrc").write_text("registry=http://evil.example.com/\n")
    (project / "package-lock.json").write_text(json.dumps({"name": "x", "lockfileVersion": 3, "packages": {"": {"dependencies": {"lodash": "4.0.0"}}}}))
    (tmp_path / "out.json").write_text(json.dumps(NPM))
    look_with.tool("npm", f"ls -a >{tmp_path}/folder; cat {tmp_path}/out.json; exit 1\n")
    looked = look_with("dependencies", system=False, npm=[str(project)])
    assert looked.severities == {f"npm:{project}: lodash": "CRITICAL", f"npm:{project}: minor": "INFO", f"npm:{project}: odd": "WARNING"}
    assert (tmp_path / "folder").read_text().split() == [".", "..", "package-lock.json", "package.json"]


@pytest.mark.parametrize("text", ["", "no json", "[1]", "[" * 100000, '{"error": {"summary": "no network"}}', '{"message": "x"}'])
def test_what_is_no_answer_is_unknown(look_with: t.Any, tmp_path: pathlib.Path, text: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "package-lock.json").write_text('{"packages": {}}')
    (project / "requirements.txt").write_text("")
    (tmp_path / "out.json").write_text(text)
    for tool in ("npm", "pip-audit"):
        look_with.tool(tool, f"cat {tmp_path}/out.json; echo broken >&2; exit 1\n")
    looked = look_with("dependencies", system=False, npm=[str(project)], python=[str(project / "requirements.txt")])
    assert looked.status in ("unknown", "ok") and f"unknown:{project}" in looked.found
