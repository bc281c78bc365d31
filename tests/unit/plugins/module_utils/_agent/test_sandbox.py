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

    def run(script, **options):
        place = live if options.get("everything") else copy
        argv = sandbox.confine(["/bin/sh", "-c", script], copy=str(place), live=str(live), codex_path=one_codex, **options)
        done = process.run_limited(argv, cwd="/", env={"PATH": "/usr/bin:/bin", "SECRET": "environment-secret"}, timeout=20)
        return done.exit_code, done.stdout.decode(), done.stderr.decode()

    run.live, run.copy = live, copy
    return run


def test_absolute_paths_of_the_live_workspace_mean_the_copy(confined):
    code, out, err = confined(f"cat {confined.live}/file; pwd; echo written > {confined.live}/new; ls {confined.copy}", writable=True)
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
        "TMPDIR=/tmp",
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


_WRITE = "for place in / /usr /usr/bin /etc /etc/ssl/certs /dev/shm /tmp .; do touch $place/x 2>/dev/null && echo $place; done; true"


@pytest.mark.parametrize(("options", "more"), [({}, set()), ({"writable": True}, {"."}), ({"everything": True}, set())])
def test_only_tmp_and_where_asked_for_the_copy_can_be_written(confined, options, more):
    _code, out, err = confined(_WRITE + "; (echo x > file) 2>/dev/null && echo file", **options)
    assert set(out.split()) == {"/tmp", "/dev/shm"} | more | ({"file"} if more else set()), err
    assert not os.path.exists("/tmp/x") and (confined.live / "file").read_text() == "live" and os.listdir(confined.live) == ["file"]


@pytest.mark.parametrize("options", [{}, {"everything": True}])
def test_no_setting_of_the_kernel_can_be_written(confined, options):
    names = "/proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/self/oom_score_adj"
    _code, out, _err = confined(f"for name in {names}; do ( : >> $name ) 2>/dev/null && echo $name; done; cat /proc/sys/kernel/ostype; true", **options)
    assert out.split() == ["Linux"]


_BY_HANDLE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
handle = (ctypes.c_char * 136)()
ctypes.c_uint.from_buffer(handle).value = 128
mount = ctypes.c_int()
assert libc.name_to_handle_at(-100, b"file", handle, ctypes.byref(mount), 0) == 0, ctypes.get_errno()
print(libc.open_by_handle_at(os.open(".", os.O_RDONLY), handle, os.O_RDONLY), ctypes.get_errno(), libc.syscall(250, 0, -4, 0), ctypes.get_errno())
"""


def test_in_place_root_reads_the_files_of_others_and_changes_nothing(confined, tmp_path):
    root = os.geteuid() == 0
    private = confined.live / "private"
    private.write_text("private content")
    private.chmod(0o600)
    (tmp_path / "neighbour").write_text("neighbour content")
    if root:
        os.chown(private, 12345, 12345)
    code, out, err = confined(f"cat private {confined.live}/file; cat {tmp_path}/neighbour /etc/passwd; ls {tmp_path}", everything=True)
    assert "private contentlive" in out and "neighbour" not in out and "root:" not in out, err
    assert confined("echo x >> private", everything=True)[0] != 0 and private.read_text() == "private content"
    assert confined("rm -f private || chmod 0 file", everything=True)[0] != 0 and private.exists()
    assert confined("cat", everything=True)[:2] == (0, "")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code, _out, err = confined(f"python3 -I -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 2)'", everything=True)
        assert code == 1 and "refused" in err.lower()
    code, out, err = confined(f"python3 -I - <<'E'\n{_BY_HANDLE}\nE\n", everything=True)
    assert code == 0 and out.split()[:2] == ["-1", "1"], out + err
    if root:
        assert out.split()[2:] == ["-1", "1"]
    _code, out, _err = confined("grep -E 'CapEff|CapBnd|NoNewPrivs|^Seccomp:' /proc/self/status; ls /proc | grep -cE '^[0-9]+$'", everything=True)
    assert out.split()[:2] == ["CapEff:", f"{4 if root else 0:016x}"] and int(out.split()[-1]) < 8
    assert "NoNewPrivs:\t1" in out


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
