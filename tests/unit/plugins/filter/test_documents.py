# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices, report schemas and skills are held against their contracts before anything is written; a wrong one names file, place and fix."""

from __future__ import annotations

import base64
import json
import pathlib
import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.day2.codex.plugins.filter.skill_documents import FilterModule as Skills
from ansible_collections.day2.codex.plugins.filter.slice_documents import FilterModule as Slices
from ansible_collections.day2.codex.plugins.module_utils._contract.slice import parse

slices = Slices().filters()["slice_documents"]
skills = Skills().filters()["skill_documents"]
SLICE = """
name: inbox
category: configuration_change
workspace: /srv/inbox
scope: {include: ["**"]}
instructions: Put {{ this }} right.
"""
SCHEMA = "type: object\nproperties: {status: {type: string}}\nrequired: [status]\n"
SKILL = "---\nname: read\ndescription: How to read.\n---\nRead it.\n"


def put(folder: pathlib.Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def content(found: dict[str, t.Any]) -> t.Any:
    return json.loads(base64.b64decode(found["content_b64"]))


def test_yaml_becomes_the_json_of_the_same_slice_and_no_template(tmp_path: pathlib.Path) -> None:
    found = slices([put(tmp_path, "inbox.yml", SLICE)])[0]
    assert content(found)["instructions"] == "Put {{ this }} right."
    assert found["sha256"] == parse(content(found)).sha256


def test_a_report_schema_is_written_out_so_that_the_digest_covers_it(tmp_path: pathlib.Path) -> None:
    path = put(tmp_path, "inbox.yml", SLICE + "report_schema: own\n")
    first = slices([path], report_schemas=[put(tmp_path, "own.yml", SCHEMA)])[0]
    assert content(first)["report_schema"]["required"] == ["status"]
    second = slices([path], report_schemas=[put(tmp_path, "own.yml", SCHEMA.replace("string", "integer"))])[0]
    assert first["sha256"] != second["sha256"]


def test_relative_paths_are_looked_for_in_order(tmp_path: pathlib.Path) -> None:
    put(tmp_path, "a/inbox.yml", SLICE)
    put(tmp_path, "b/inbox.yml", SLICE.replace("name: inbox", "name: other"))
    assert slices(["inbox.yml"], search=[str(tmp_path / "none"), str(tmp_path / "a"), str(tmp_path / "b")])[0]["name"] == "inbox"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SLICE.replace("include", "includes"), r"inbox.yml.*scope.*did you mean 'include'"),
        (SLICE + "name: twice\n", "inbox.yml.*stands twice"),
        ("a: [", "inbox.yml.*line 1"),
        (SLICE + "report_schema: unknown\n", "inbox.yml at report_schema.*Known here: slice-report.*runbooks_report_schemas"),
        (SLICE + "report_schema: {type: object, if: {}}\n", "inbox.yml at report_schema.*'if'"),
        (SLICE.replace("/srv/inbox", "srv"), "inbox.yml.*workspace"),
    ],
)
def test_a_wrong_slice_names_file_place_and_fix(tmp_path: pathlib.Path, text: str, words: str) -> None:
    with pytest.raises(AnsibleFilterError, match=words):
        slices([put(tmp_path, "inbox.yml", text)])


def test_a_wrong_report_schema_names_file_and_place(tmp_path: pathlib.Path) -> None:
    path = put(tmp_path, "inbox.yml", SLICE)
    for name, text, words in (
        ("own.json", "{", "own.json.*not valid"),
        ("own.yml", SCHEMA + "not: {}\n", "own.yml at not"),
        ("report.yml", SCHEMA, "whose name is free"),
    ):
        with pytest.raises(AnsibleFilterError, match=words):
            slices([path], report_schemas=[put(tmp_path, name, text)])


def test_two_slices_of_one_name_and_a_file_that_is_not_there_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(AnsibleFilterError, match="two.yml at name: another file"):
        slices([put(tmp_path, "one.yml", SLICE), put(tmp_path, "two.yml", SLICE)])
    with pytest.raises(AnsibleFilterError, match="three.yml: it is not there"):
        slices([str(tmp_path / "three.yml")])


def test_a_skill_comes_with_its_files_and_their_modes(tmp_path: pathlib.Path) -> None:
    put(tmp_path, "read/SKILL.md", SKILL)
    pathlib.Path(put(tmp_path, "read/scripts/look", "#!/bin/sh\n")).chmod(0o755)
    found = skills([str(tmp_path / "read")])[0]
    assert found["folders"] == ["read", "read/scripts"]
    assert [(one["path"], one["mode"]) for one in found["files"]] == [("read/SKILL.md", "0644"), ("read/scripts/look", "0755")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Read it.\n", "no front matter"),
        (SKILL.replace("name: read", "name: other"), "'read' and 'other'"),
        (SKILL.replace("How to read.", ""), "description"),
        (SKILL + "a\u202eb\n", r"SKILL.md:6: a line holds hidden"),
        (SKILL + "a\u200bb\n", "hidden"),
    ],
)
def test_a_wrong_skill_names_file_and_fix(tmp_path: pathlib.Path, text: str, words: str) -> None:
    put(tmp_path, "read/SKILL.md", text)
    with pytest.raises(AnsibleFilterError, match=words):
        skills([str(tmp_path / "read")])


def test_a_link_in_a_skill_is_refused(tmp_path: pathlib.Path) -> None:
    put(tmp_path, "read/SKILL.md", SKILL)
    (tmp_path / "read/passwd").symlink_to("/etc/passwd")
    with pytest.raises(AnsibleFilterError, match="no links"):
        skills([str(tmp_path / "read")])
