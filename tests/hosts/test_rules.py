# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On a provisioned host root looks and codex-ops keeps the jobs; the rules are root's alone, and whoever else wrote them makes none."""

from __future__ import annotations

import json
import typing as t

import pytest

from .host import PYTHON, SLICE, Host

RULES = "/etc/codex-ops/rules.json"
LOG = "/srv/app.log"
OPTIONS = {"files": [LOG], "warning": 1}
TABLE = {"version": 1, "rules": [{"name": "errors", "signal": "logs", "slice": SLICE["name"], "dedupe_window": 0}]}


@pytest.fixture(autouse=True)
def _rules(host: Host) -> None:
    host.write(f"/etc/codex-ops/slices.d/{SLICE['name']}.json", json.dumps(SLICE))
    host.write(RULES, json.dumps(TABLE))
    host.write(LOG, "all is well\n")


def _command(host: Host, user: str, *words: str) -> dict[str, t.Any]:
    program = "import sys; sys.path.insert(0, '/opt/codex-ops/current'); from codex_ops._cli.main import main;"
    program += "sys.exit(main(sys.argv[1:], '/opt/codex-ops/test'))"
    done = host.run(PYTHON, "-IB", "-c", program, *words, "--json", user=user)
    return {**json.loads(done.out), "status": done.status}


def _collect(host: Host, user: str) -> dict[str, t.Any]:
    return _command(host, user, "collect", "logs", "--options", json.dumps(OPTIONS), "--enqueue")


@pytest.mark.parametrize(("first", "second"), [("root", "codex-ops"), ("codex-ops", "root")])
def test_whoever_looks_the_job_is_one_in_the_inbox_of_codex_ops(host: Host, first: str, second: str) -> None:
    assert _collect(host, first)["jobs"] == []
    host.write(LOG, "error: one\n")
    made, again = _collect(host, first), _collect(host, second)
    assert made["changed"] and made["job"]["state"] == "pending", made
    assert (again["changed"], again["job"]["id"], again["job"]["count"]) == (False, made["job"]["id"], 2), again
    assert host.must("stat", "-c", "%U", "/var/lib/codex-ops/inbox.sqlite3") == "codex-ops\n"
    host.write(LOG, "all is well\n")
    closed = _collect(host, second)
    assert [(job["id"], job["state"], job["code"]) for job in closed["jobs"]] == [(made["job"]["id"], "unchanged", "resolved")], closed


def test_ansible_s_module_started_as_root_asks_the_rules_too(host: Host) -> None:
    host.write(LOG, "error: one\n")
    settings = ("ANSIBLE_COLLECTIONS_PATH=/checkout/.cache/collections", "ANSIBLE_HOME=/root/ansible", "LC_ALL=C.UTF-8")
    given = json.dumps({"collector": "logs", "options": OPTIONS, "enqueue": True})
    words = ("-m", "ansible", "adhoc", "localhost", "-m", "day2.codex.collect", "-a", given, "-e", f"ansible_python_interpreter={PYTHON}")
    done = host.run("env", *settings, "/checkout/.venv/bin/python", *words)
    result = json.loads(done.out[done.out.index(b"{") :])
    assert result["changed"] and result["job"]["input"] == {"rule": "errors"}, done.text
    host.write(LOG, "all is well\n")
    assert _collect(host, "codex-ops")["jobs"][0]["state"] == "unchanged"


@pytest.mark.parametrize(("owner", "mode"), [("codex-ops:codex-ops", 0o644), ("root:codex-ops", 0o664), ("root:root", 0o646)])
def test_rules_that_codex_ops_may_have_written_make_no_job(host: Host, owner: str, mode: int) -> None:
    host.write(RULES, json.dumps(TABLE), mode, owner)
    host.write(LOG, "error: one\n")
    for user in ("root", "codex-ops"):
        result = _collect(host, user)
        assert (result["status"], result["code"], result["jobs"], result["signal"]["status"]) == (1, "rules_unsafe", [], "warning"), result


def test_codex_ops_can_write_neither_the_rules_nor_their_folder(host: Host) -> None:
    for command in (f"echo >> {RULES}", f"rm -f {RULES}", f"mv {RULES} /tmp/x", "touch /etc/codex-ops/x"):
        assert host.run("sh", "-c", command, user="codex-ops").status != 0, command
    assert json.loads(host.read(RULES)) == TABLE
