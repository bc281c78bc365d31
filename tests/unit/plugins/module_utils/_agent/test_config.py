# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of the configuration that Codex is given."""

from __future__ import annotations

import json
import os

import pytest
import tomllib

from ansible_collections.day2.codex.plugins.module_utils._agent import config, process
from ansible_collections.day2.codex.plugins.module_utils._agent.run import run_agent
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor

HOSTILE = '/run/a "quoted" \\ back\\slash\nnew = "line"\t\x7f\x01 ünï 🎛 \u2028 {x} #'


def parsed(root="/run/agent", **changes):
    fields = {"port": 8123, "writable": True, "install": ["/opt/codex"], **changes}
    return tomllib.loads(config.config_toml(config.Layout(root), **fields))


def test_the_permission_profile_is_narrow():
    profile = parsed()["permissions"]["ops"]
    assert profile["filesystem"] == {
        ":minimal": "read", "/opt/codex": "read", "/run/agent/codex/tmp": "read", "/etc": "none", "/run/agent/scratch": "write",
        ":workspace_roots": {".": "write"},
    }  # fmt: skip
    assert list(profile["filesystem"]).index("/etc") > list(profile["filesystem"]).index(":minimal")
    assert profile["network"] == {"enabled": False}
    assert parsed(writable=False)["permissions"]["ops"]["filesystem"][":workspace_roots"] == {".": "read"}


def test_nothing_is_asked_nothing_is_searched_nothing_is_inherited():
    settings = parsed()
    assert (settings["approval_policy"], settings["web_search"], settings["default_permissions"]) == ("never", "disabled", "ops")
    assert settings["shell_environment_policy"]["inherit"] == "none"
    assert set(settings["shell_environment_policy"]["set"]) == {"PATH", "HOME", "TMPDIR", "LANG", "SHLVL"}
    assert settings["model_providers"]["relay"]["base_url"] == "http://127.0.0.1:8123/v1"
    assert settings["features"]["view_image"] is False and "hooks" not in settings["features"]


def test_a_silent_stream_is_never_given_up_before_the_run():
    assert parsed(timeout=7200)["model_providers"]["relay"]["stream_idle_timeout_ms"] > 7200 * 1000


def test_hostile_paths_stay_text():
    settings = parsed(HOSTILE, install=[HOSTILE + "/install"])
    assert HOSTILE + "/install" in settings["permissions"]["ops"]["filesystem"]
    assert settings["shell_environment_policy"]["set"]["HOME"] == HOSTILE + "/home"
    assert "new" not in settings


def test_a_path_that_is_no_utf8_is_told():
    with pytest.raises(CodexOpsError) as caught:
        config.toml_string(os.fsdecode(b"/run/\xff"))
    assert caught.value.code == "path_not_utf8"


@pytest.mark.parametrize("name", ["a*b", "a?b", "[ab]"])
def test_a_path_that_codex_would_take_for_a_pattern_is_told(name):
    with pytest.raises(CodexOpsError) as caught:
        parsed(f"/run/{name}/agent")
    assert caught.value.code == "path_is_pattern"


def test_an_unknown_effort_is_told():
    with pytest.raises(CodexOpsError, match="extreme"):
        parsed(reasoning_effort="extreme")


def test_the_catalogue_names_the_model_and_no_code_mode():
    entry = json.loads(config.model_catalogue("my-model"))["models"][0]
    assert entry["slug"] == "my-model" and "tool_mode" not in entry
    assert parsed(model="my-model")["model"] == "my-model" and parsed()["model"] == config.DEFAULT_MODEL


def test_neither_prompt_nor_token_is_on_the_command_line():
    layout = config.Layout("/run/agent")
    argv = config.command_line("/opt/codex", layout, "/run/work", schema=True)
    assert argv[-1] == "-" and argv[-3:-1] == ["--output-schema", layout.schema] and "--strict-config" in argv
    environment = config.environment(layout, "token")
    assert environment[config.TOKEN_VARIABLE] == "token" and "token" not in config.config_toml(layout, port=1, writable=True, install=[])
    assert set(environment) == {"PATH", "HOME", "CODEX_HOME", "TMPDIR", "LANG", "RUST_LOG", config.TOKEN_VARIABLE}


def test_the_real_codex_works_in_a_folder_with_a_hostile_name(codex, make_request, model, tmp_path):
    folder = tmp_path / 'a "b" \\ c ü # {x} , !'
    folder.mkdir(mode=0o700)
    (folder / "work space").mkdir()
    request = make_request(codex, model.cassette('echo hi > file; echo hi > "$TMPDIR/file"'), run_dir=str(folder), workspace=str(folder / "work space"))
    result = run_agent(request, Redactor(), process.never)
    assert [entry["status"] for entry in result.commands] == ["completed"], result
    assert os.listdir(folder / "work space") == ["file"]
