# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets planted where they can come from are in nothing that an operation leaves: result, records, transcripts, run folders, memory."""

from __future__ import annotations

import base64
import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._operation import ask, operate
from ansible_collections.day2.codex.plugins.module_utils._options import Order, Question

from .conftest import CORRECT, Application, cassette

# The gates stand open: these tests are about what comes out, not about who lets it.
POLICY = {"version": 1, "categories": {"configuration_change": {"autonomy": "automatic"}}, "ad_hoc": "category"}
# Nothing but the file that holds it gives the first away, in whatever form it is written; the second has a known format, as it is.
KEPT = "violet harbour under glass"
TOKEN = "ghp_" + "a1B2" * 9
FINAL = json.dumps({"status": "changed", "summary": f"I saw {TOKEN} and {KEPT}."})


@pytest.fixture(name="host")
def _host(application: Application, tmp_path: pathlib.Path) -> Application:
    """The application under a prefix of its own, whose secrets' folder holds one."""
    application.prefix = str(tmp_path / "host" / "prefix")
    folder = pathlib.Path(application.prefix, "etc/codex-ops/secrets")
    folder.mkdir(parents=True, mode=0o700)
    folder.with_name("policy.json").write_text(json.dumps(POLICY), "utf-8")
    (folder / "database").write_text(KEPT + "\n", "utf-8")
    pathlib.Path(application.folder, "config/leak.txt").write_text(f"a: {TOKEN}\nb: {KEPT}\n", "utf-8")
    return application


def _forms(secret: str) -> list[bytes]:
    raw = secret.encode()
    return [raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"="), base64.b64encode(b"b: " + raw)[4:-4]]


def _leaks(host: Application, result: t.Any) -> list[str]:
    """Where one of the secrets can be read."""
    found = []
    places = {"the result": json.dumps(result, default=str).encode()}
    kept = os.path.join(host.prefix, "etc/codex-ops/secrets")
    for parent, _folders, names in os.walk(host.prefix):
        if not parent.startswith(kept):
            places.update({os.path.join(parent, name): pathlib.Path(parent, name).read_bytes() for name in names})
    assert any(name.endswith("audit.jsonl") for name in places) and len(places) > 3
    for name, content in places.items():
        found += [f"the token in {name}"] if TOKEN.encode() in content else []
        found += [f"the kept secret in {name}" for form in _forms(KEPT) if form in content]
    return sorted(set(found))


def test_what_the_agent_reads_runs_and_says(host: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_PASSWORD", TOKEN)
    commands = ["cat config/leak.txt", "env", f"echo {TOKEN} {KEPT}", "sed -n 2p config/leak.txt | base64", f"rm -rf /{TOKEN}"]
    for check in (True, False):
        result = host.run(CORRECT, *commands, final=FINAL, check=check)
        assert result["outcome"] == ("planned" if check else "applied"), result
        assert "[redacted:" in json.dumps(result["report"])
        assert _leaks(host, result) == []


@pytest.mark.parametrize(
    "command",
    [
        "cp config/leak.txt config/copy.txt",
        "sed -n 2p config/leak.txt >> config/inbox.yml",
        "sed -n 1p config/leak.txt >> config/inbox.yml",
        "sed -n 2p config/leak.txt | base64 > config/copy.txt",
    ],
)
def test_what_a_patch_would_add(host: Application, command: str) -> None:
    result = host.run(CORRECT, command)
    assert (result["outcome"], result["code"]) == ("rejected", "secret_in_patch"), result
    assert _leaks(host, result) == []


def test_what_a_validation_prints(host: Application) -> None:
    host.slice["validation"]["must_hold"].append({"name": "it talks", "argv": ["/bin/sh", "-c", "cat config/leak.txt >&2; exit 1"]})
    result = host.run(CORRECT)
    assert result["outcome"] == "rejected", result
    assert _leaks(host, result) == []


@pytest.mark.parametrize("status", [400, 401, 500])
def test_what_the_provider_answers_in_an_error(host: Application, status: int) -> None:
    body = json.dumps({"error": {"message": f"Incorrect key provided: {TOKEN} or {KEPT}"}})
    tape = {"version": 1, "exchanges": [{"response": {"status": status, "body": body}}] * 12}
    result = operate(host.options(cassette=tape, cassette_mode="replay"), Order(document=host.slice))
    assert result["outcome"] in ("provider_error", "agent_error"), result
    assert _leaks(host, result) == []


@pytest.mark.parametrize("final", [f"no report but {TOKEN} and {KEPT}", json.dumps({"status": f"{TOKEN} {KEPT}"})])
def test_what_the_message_of_an_error_quotes(host: Application, final: str) -> None:
    result = host.run(CORRECT, final=final)
    assert result["outcome"] == "invalid_report", result
    assert _leaks(host, result) == []


def test_what_an_answer_says_and_what_is_remembered_of_it(host: Application) -> None:
    schema = {"type": "object", "properties": {"status": {"type": "string"}, "summary": {"type": "string"}}, "required": ["status"]}
    question = Question(prompt=f"Is {TOKEN} in use? {KEPT}?", workspace=host.folder, output_schema=schema)
    for cached in (False, True):
        result = ask(host.options(cassette=cassette(["cat config/leak.txt"], FINAL), cassette_mode="replay"), question)
        assert (result["outcome"], result["cached"]) == ("completed", cached), result
        assert _leaks(host, result) == []


def test_what_an_unforeseen_error_says(host: Application) -> None:
    # A folder stands where a file belongs, and its name is a secret.
    host.slice["workspace"] = os.path.join(host.folder, TOKEN)
    result = host.run(CORRECT)
    assert result["outcome"] in ("rejected", "agent_error"), result
    assert _leaks(host, result) == []
