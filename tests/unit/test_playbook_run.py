# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook day2.codex.run finds what it is given where the command was called, and says what is missing."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SLICE = """\
name: inbox-sender
category: configuration_change
workspace: {workspace}
scope: {{include: ["**"]}}
instructions: Put the right sender in place.
values: {{incorrect: [{{value: norply@inbox.example.com}}]}}
"""


def _run(folder: pathlib.Path, *given: str) -> subprocess.CompletedProcess[str]:
    collections = folder / "collections/ansible_collections/day2"
    if not collections.exists():
        collections.mkdir(parents=True)
        (collections / "codex").symlink_to(ROOT)
    environment = {
        "PATH": os.environ["PATH"],
        "PWD": str(folder),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    command = [str(pathlib.Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", "day2.codex.run"]
    for option in (*given, f"ansible_python_interpreter={sys.executable}", f"run_prefix={folder}/prefix"):
        command += ["-e", option]
    return subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)


def test_a_file_is_meant_from_where_the_command_was_called(tmp_path: pathlib.Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox/sender.yml").write_text("sender: noreply@inbox.example.com\n", "utf-8")
    (tmp_path / "slices").mkdir()
    (tmp_path / "slices/inbox.yml").write_text(SLICE.format(workspace=tmp_path / "inbox"), "utf-8")
    for path in ("./slices/inbox.yml", f"{tmp_path}/slices/inbox.yml", "~/slices/inbox.yml"):
        done = _run(tmp_path, f"slice={path}")
        assert done.returncode == 0 and "The goal holds already" in done.stdout, done.stdout + done.stderr


def test_without_a_slice_nothing_is_run_and_the_play_says_what_to_do(tmp_path: pathlib.Path) -> None:
    done = _run(tmp_path)
    assert done.returncode == 2 and "Say which slice: -e slice=NAME" in done.stdout, done.stdout + done.stderr
    assert not (tmp_path / "prefix").exists()
