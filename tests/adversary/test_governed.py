# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a clever agent, an unlucky moment or a wrong pattern could get past the engine, and does not."""

from __future__ import annotations

import json
import os
import threading
import time
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._operation import ask, operate
from ansible_collections.day2.codex.plugins.module_utils._options import Order, Question

from .conftest import CORRECT, Application, cassette, lay_policy


def _write(application: Application, path: str, text: str) -> None:
    full = os.path.join(application.folder, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as handle:
        handle.write(text)


def test_what_a_validation_runs_in_place_can_change_nothing_and_tell_nobody(application: Application, tmp_path: t.Any) -> None:
    """A runner that finds its scripts by itself is not recognised; confined, the agent's script still gets nothing."""
    outside = tmp_path / "outside"
    outside.write_text("secret-of-the-host\n")
    spied, trap = tmp_path / "spied", os.path.join(application.folder, "config", "planted.txt")
    _write(application, "config/hooks.d/one", "true\n")
    loop = "for f in config/hooks.d/*; do sh $f; done"
    application.slice["validation"]["must_hold"].append({"name": "every hook runs", "argv": ["/bin/sh", "-c", loop]})
    dial = "python3 -c 'import socket; socket.socket(socket.AF_UNIX)' && echo connected"
    script = f"cat {outside} > {spied}; echo x > {trap}; {dial}; cat {outside} /etc/shadow; true".replace("'", '"')
    result = application.run(CORRECT, f"printf '%s\\n' '{script}' > config/hooks.d/one")
    assert result["outcome"] in ("applied", "rejected"), result
    assert not spied.exists()
    assert not os.path.exists(trap)
    assert "secret-of-the-host" not in json.dumps(result["validation"])


def test_marks_of_a_private_key_hide_no_changed_line(application: Application) -> None:
    # Each of the two marks alone is no secret; together they would mask everything that lies between.
    _write(application, "config/a.yml", "# -----BEGIN PRIVATE KEY----- goes here\nname: a\n")
    _write(application, "config/b.yml", "relay: mail.example.com\nallow: nobody\n")
    _write(application, "config/c.yml", "name: c\n")
    result = application.run(
        CORRECT,
        "sed -i s/name:.a/name:\\ A/ config/a.yml",
        "sed -i -e s/mail.example.com/mail.example.net/ -e s/nobody/everybody/ config/b.yml",
        "echo '# -----END PRIVATE KEY-----' >> config/c.yml",
        check=True,
    )
    assert result["outcome"] == "planned", result
    for line in ("+relay: mail.example.net", "+allow: everybody", "-allow: nobody", "+# -----END PRIVATE KEY-----"):
        assert line in result["patch"].splitlines(), result["patch"]


def test_files_that_come_while_the_agent_works_make_the_plan_stale(application: Application) -> None:
    runs = os.path.join(application.prefix, "var/lib/codex-ops/runs")
    known = set(os.listdir(runs)) if os.path.isdir(runs) else set()

    def interfere() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            fresh = set(os.listdir(runs)) - known if os.path.isdir(runs) else set()
            if any(os.path.exists(os.path.join(runs, name, "transcript.jsonl")) for name in fresh):
                _write(application, "config/late.yml", "sender: norply@inbox.example.com\n")
                return
            time.sleep(0.005)

    thread = threading.Thread(target=interfere)
    thread.start()
    result = application.run("sleep 1", CORRECT)
    thread.join()
    assert (result["outcome"], result["code"]) == ("stale_plan", "base_changed"), result
    assert result["usage"]["requests"] == 3, "what it cost is said all the same"
    with open(os.path.join(application.folder, "config/inbox.yml"), encoding="utf-8") as handle:
        assert "norply@" in handle.read()


def test_a_scope_that_matches_nothing_is_no_success(application: Application) -> None:
    application.slice["scope"]["include"] = ["conf/**"]
    result = application.run(CORRECT)
    assert (result["outcome"], result["code"], result["usage"]["requests"]) == ("rejected", "scope_empty", 0), result
    assert "scope.include" in result["msg"]


def test_links_and_patterns_that_hide_a_value_are_named(application: Application, tmp_path: t.Any) -> None:
    assert application.run(CORRECT)["outcome"] == "applied"
    outside = tmp_path / "outside.yml"
    outside.write_text("norply@inbox.example.com\n")
    os.symlink(outside, os.path.join(application.folder, "config", "hidden.yml"))
    application.slice["values"]["incorrect"].append({"value": "never-anywhere", "in": ["config/nowhere/**"]})
    result = application.run(CORRECT)
    assert result["outcome"] == "unchanged"
    assert any("config/hidden.yml" in warning for warning in result["warnings"])
    assert any("never-anywhere" in warning for warning in result["warnings"])


def test_a_change_that_cannot_be_remembered_is_still_reported_as_made(application: Application, tmp_path: t.Any) -> None:
    for key in ("values", "validation"):
        del application.slice[key]
    application.prefix = str(tmp_path / "prefix")
    lay_policy(application.prefix)
    application.run("true", check=True)
    memory = os.path.join(application.prefix, "var/lib/codex-ops/remembered")

    def spoil() -> None:
        # A folder in the way of every file: nothing can be remembered from now on, for root neither.
        until = time.monotonic() + 60
        while not os.path.exists(os.path.join(application.folder, "config/new.yml")) and time.monotonic() < until:
            time.sleep(0.0005)
        os.rename(memory, memory + ".gone")
        with open(memory, "w", encoding="utf-8"):
            pass

    thread = threading.Thread(target=spoil)
    thread.start()
    result = application.run("echo 'name: new' > config/new.yml")
    thread.join()
    assert (result["outcome"], result["changed"]) == ("applied", True), result


def test_the_intent_names_what_is_about_to_be_done(application: Application) -> None:
    result = application.run(CORRECT)
    with open(os.path.join(application.prefix, "var/log/codex-ops/audit.jsonl"), encoding="ascii") as handle:
        records = [record for record in map(json.loads, handle) if record["run_id"] == result["run_id"]]
    assert [record["phase"] for record in records] == ["intent", "intent", "outcome"]
    assert records[0]["input"]["slice"] == application.slice["name"]
    assert records[0]["input"]["workspace"] == application.folder
    assert records[1]["input"]["plan_sha256"] == result["plan"]["sha256"]
    assert records[1]["input"]["patch_sha256"] == result["plan"]["patch_sha256"]


def test_a_flood_of_violations_is_capped_and_counted(application: Application) -> None:
    for number in range(300):
        _write(application, f"config/many/{number}.yml", "sender: norply@inbox.example.com\n")
    result = application.run("true")
    assert result["outcome"] == "rejected", result["msg"]
    assert len(result["violations"]) <= 101
    assert "more" in result["violations"][-1]["detail"]


def test_copies_of_an_engine_that_died_are_swept_by_the_next_run(application: Application) -> None:
    runs = os.path.join(application.prefix, "var/lib/codex-ops/runs")
    child = os.fork()
    if child == 0:
        # An engine that is killed while its agent works.
        try:
            application.run("sleep 60", CORRECT)
        finally:
            os._exit(1)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        held = [name for name in os.listdir(runs) if os.path.isdir(os.path.join(runs, name, "workspace"))] if os.path.isdir(runs) else []
        if held:
            break
        time.sleep(0.005)
    assert held, "the copy appears"
    os.kill(child, 9)
    os.waitpid(child, 0)
    result = ask(application.options(cassette=cassette([], "hello"), cassette_mode="replay"), Question(prompt="hi"))
    assert result["outcome"] == "completed", result
    assert not os.path.exists(os.path.join(runs, held[0], "workspace"))
    assert not os.path.exists(os.path.join(runs, held[0], "agent"))


def test_a_proxy_with_a_password_is_refused(application: Application) -> None:
    from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
    from ansible_collections.day2.codex.plugins.module_utils._options import check_address

    for address in ("http://bob:pw@proxy.example.com:3128", "https://token@api.example.com/v1"):
        try:
            check_address(address, "proxy")
        except CodexOpsError as error:
            assert error.code == "option_invalid" and "pw" not in str(error)
        else:
            raise AssertionError(address)
    check_address("https://api.example.com/v1/a@b", "base_url")


def test_a_plan_can_be_applied_where_the_slice_has_no_checks(application: Application) -> None:
    del application.slice["validation"]
    planned = application.run(CORRECT, state="planned")
    applied = operate(application.options(codex_path=None), Order(plan=planned["plan"]["id"]))
    assert applied["outcome"] == "applied", applied


def test_a_report_that_goes_on_beyond_what_is_kept_is_no_report(application: Application) -> None:
    before = application.picture()
    result = application.run(CORRECT, final='{"status": "changed"}' + " " * (1 << 20) + "and then something else")
    assert (result["outcome"], application.picture()) == ("invalid_report", before)
    assert "longer than" in result["msg"]


def test_what_an_agent_types_into_a_shell_is_in_the_record(application: Application) -> None:
    tape = cassette(["unused", "unused"])
    start, typed = (exchange["response"]["items"][0] for exchange in tape["exchanges"][:2])
    start["arguments"] = json.dumps({"cmd": "cat | sh", "tty": True, "yield_time_ms": 500})
    line = "cat /etc/shadow; echo typed >config/typed.yml\n"
    typed.update(name="write_stdin", arguments=json.dumps({"session_id": 1000, "chars": line, "yield_time_ms": 1000}))
    first = operate(application.options(cassette=tape, cassette_mode="replay", rerun="always"), Order(document=application.slice, state="planned"))
    said = [command["command"] for command in first["commands"]]
    assert said == ["cat | sh", f"write_stdin {line}"], first["commands"]
    with open(os.path.join(application.prefix, "var/log/codex-ops/audit.jsonl"), "rb") as handle:
        assert json.loads(handle.readlines()[-1])["attempts"] == first["commands"]
