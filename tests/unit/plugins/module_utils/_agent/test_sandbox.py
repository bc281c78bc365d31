# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of the confinement of validations, and of the proof that Codex's sandbox holds."""

from __future__ import annotations

import os
import socket
import time

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent import process, sandbox, stamp
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError


@pytest.fixture
def confined(one_codex, tmp_path):
    """Runs a shell script in a copy, at the path of the live workspace."""
    live, copy = tmp_path / "live", tmp_path / "copy"
    live.mkdir()
    copy.mkdir()
    (live / "file").write_text("live")
    (copy / "file").write_text("copy")

    def run(script):
        argv = sandbox.confine(["/bin/sh", "-c", script], copy=str(copy), live=str(live), codex_path=one_codex)
        done = process.run_limited(argv, cwd="/", env={"PATH": "/usr/bin:/bin", "SECRET": "environment-secret"}, timeout=20)
        return done.exit_code, done.stdout.decode(), done.stderr.decode()

    run.live, run.copy = live, copy
    return run


def test_absolute_paths_of_the_live_workspace_mean_the_copy(confined):
    code, out, err = confined(f"cat {confined.live}/file; pwd; echo written > {confined.live}/new; ls {confined.copy}")
    assert out == f"copy{confined.live}\n" and code == 2 and "No such file" in err
    assert (confined.copy / "new").read_text() == "written\n" and not (confined.live / "new").exists()


def test_nothing_of_the_host_is_there_but_what_programs_need(confined, tmp_path):
    (tmp_path / "secret").write_text("file-secret")
    code, out, err = confined(f"cat /etc/passwd /etc/shadow {tmp_path}/secret; ls /home /root /srv /var /run; env; cat /proc/1/environ")
    assert code == 0 or err
    for word in ("root:", "file-secret", "environment-secret"):
        assert word not in out
    code, out, _err = confined("env | sort")
    assert [line for line in out.splitlines() if not line.startswith(("PWD=", "OLDPWD=", "SHLVL=", "_="))] == [
        "HOME=/tmp",
        "LANG=C.UTF-8",
        f"PATH={sandbox._PATH}",
    ]


def test_it_has_no_network_no_power_and_no_other_processes(confined):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        code, _out, err = confined(f"python3 -I -c 'import socket; socket.create_connection((\"127.0.0.1\", {listener.getsockname()[1]}), 2)'")
        assert code == 1 and "refused" in err.lower()
        with pytest.raises(BlockingIOError):
            listener.accept()
    _code, out, _err = confined("grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs' /proc/self/status; ls /proc | grep -cE '^[0-9]+$'")
    lines = out.split()
    assert lines[:6] == ["CapPrm:", "0" * 16, "CapEff:", "0" * 16, "CapBnd:", "0" * 16] and lines[6:8] == ["NoNewPrivs:", "1"] and int(lines[8]) < 8


def test_only_the_copy_and_tmp_can_be_written(confined):
    _code, out, _err = confined("for place in / /usr /usr/bin /etc /etc/ssl/certs /dev/shm /tmp .; do touch $place/x 2>/dev/null && echo $place; done; true")
    assert set(out.split()) <= {"/tmp", ".", "/dev/shm"} and "/tmp" in out and not os.path.exists("/tmp/x")


def test_ordinary_programs_work(confined):
    code, out, err = confined("python3 -I -m json.tool <<'E'\n{}\nE\ngrep -rq copy . && find . -type f | wc -l")
    assert code == 0, err
    assert out.split() == ["{}", "1"]


@pytest.mark.parametrize("live", ["/", "/usr", "/etc", "/tmp", "/proc", "relative"])
def test_a_workspace_over_the_system_is_refused(one_codex, live, tmp_path):
    with pytest.raises(CodexOpsError) as caught:
        sandbox.confine(["true"], copy=str(tmp_path), live=live, codex_path=one_codex)
    assert caught.value.outcome == "sandbox_unavailable"


def test_without_bwrap_it_says_so(stub, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CodexOpsError) as caught:
        sandbox.find_bwrap(stub("true"))
    assert (caught.value.outcome, caught.value.code) == ("sandbox_unavailable", "bwrap_missing")


def test_the_preflight_proves_the_sandbox_once_a_day(codex, tmp_path, monkeypatch):
    stamps, scratch = tmp_path / "stamps", tmp_path / "scratch"
    stamps.mkdir()
    scratch.mkdir(mode=0o700)
    sandbox.preflight(codex, str(scratch), str(stamps))
    (name,) = os.listdir(stamps)
    assert os.listdir(scratch) == []
    # With the proof, not even the binary is started.
    key = stamp.key_of(codex)
    assert name == f"sandbox-{key}" and stamp.is_fresh(str(stamps), key)
    os.utime(stamps / name, (time.time() - stamp.VALID - 1,) * 2)
    assert not stamp.is_fresh(str(stamps), key)
    os.utime(stamps / name)
    os.chmod(stamps / name, 0o666)
    assert not stamp.is_fresh(str(stamps), key)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ('":minimal" = "read"', "outside"),
        ('"/etc" = "none"\n', "/etc/"),
        ('"." = "write"', "did not run"),
        ("enabled = false", "loopback"),
    ],
)
def test_the_preflight_names_what_does_not_hold(one_codex, tmp_path, monkeypatch, change, word):
    """The configuration is weakened at one place at a time, and the real Codex shows what that opens."""
    from ansible_collections.day2.codex.plugins.module_utils._agent import config

    weaker = {
        '":minimal" = "read"': '":minimal" = "read"\n":root" = "read"',
        '"/etc" = "none"\n': "",
        '"." = "write"': '"." = "read"',
        "enabled = false": "enabled = true",
    }
    real = config.config_toml
    monkeypatch.setattr(config, "config_toml", lambda *args, **kwargs: real(*args, **kwargs).replace(change, weaker[change], 1))
    with pytest.raises(CodexOpsError) as caught:
        sandbox.preflight(one_codex, str(tmp_path), str(tmp_path))
    assert caught.value.outcome == "sandbox_unavailable" and word in str(caught.value)
