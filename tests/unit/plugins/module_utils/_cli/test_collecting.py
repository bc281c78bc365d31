# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""codex-ops looks at the host, says what is wrong, and puts it into the inbox where it is asked to."""

from __future__ import annotations

import json
import pathlib

import pytest

from ansible_collections.day2.codex.plugins.module_utils._cli.main import main

WELL = '{"paths": ["/"], "space_warning": 100, "space_critical": 100, "inodes_warning": 100, "inodes_critical": 100, "deleted_size": "100T"}'
FULL = WELL.replace('"space_warning": 100', '"space_warning": 0')


def test_a_look_says_what_is_wrong(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    prefix = f"--prefix={tmp_path / 'prefix'}"
    assert main(["collect", "disk", "--options", WELL, prefix]) == 0
    assert capsys.readouterr().out.startswith("disk is ok.")
    (tmp_path / "options.json").write_text(FULL)
    assert main(["collect", "disk", "--options", str(tmp_path / "options.json"), prefix]) == 0
    assert capsys.readouterr().out.startswith("WARNING   space:/: observed ")
    assert main(["collect", "disk", "--options", FULL, prefix, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["signal"]["status"] == "warning"


def test_trouble_is_put_into_the_inbox_for_a_slice(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    prefix = tmp_path / "prefix"
    slices = prefix / "etc/codex-ops/slices.d"
    slices.mkdir(parents=True, mode=0o755)
    (slices / "disk-report.json").write_text("{}")
    for count in (1, 2):
        assert main(["collect", "disk", "--options", FULL, "--slice", "disk-report", f"--prefix={prefix}", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["job"]["count"] == count


@pytest.mark.parametrize(
    "words",
    [["disks"], ["disk", "--options", "{}x"], ["disk", "--options", "/no/such/file"], ["disk", "--options", '{"spam": 1}'], ["disk", "--options", "{" * 99999]],
)
def test_what_makes_no_sense_is_wrong_usage(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert main(["collect", *words, f"--prefix={tmp_path / 'prefix'}"]) == 2
    assert capsys.readouterr().err.startswith("codex-ops: ")


def test_with_enqueue_the_rules_are_asked_and_wrong_ones_end_with_a_word(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    etc = tmp_path / "prefix/etc/codex-ops"
    (etc / "slices.d").mkdir(parents=True, mode=0o755)
    (etc / "slices.d/disk-report.json").write_text("{}")
    words = ["collect", "disk", "--options", FULL, "--enqueue", f"--prefix={tmp_path / 'prefix'}"]
    assert main(words) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith("WARNING   space:/") and "There is no table of rules" in shown.err
    (etc / "rules.json").write_text('{"version": 1, "rules": [{"name": "full", "signal": "disk", "slice": "disk-report"}]}')
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["jobs"][0]["input"] == {"rule": "full"}
    (etc / "rules.json").write_text("[")
    assert main([*words, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["code"] == "rules_invalid"
