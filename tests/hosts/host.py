# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Throw-away hosts: this machine's files below, memory above, in namespaces of their own. Whatever is done to one is gone with it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import tempfile
import typing as t

from ansible_collections.day2.codex.plugins.module_utils._helpers import launchers

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
WORKSPACE = "/srv/inbox"
FILES = {
    "config/inbox.yml": "sender: norply@inbox.example.com\nbase_url: https://inbox.example.com\n",
    "config/api.yml": "host: api.example.com\n",
    "config/.env": "TOKEN=placeholder\n",
    "templates/welcome.txt": "Write to norply@inbox.example.com for help.\n",
}
SLICE: dict[str, t.Any] = {
    "name": "inbox-public-identity",
    "category": "configuration_change",
    "workspace": WORKSPACE,
    "scope": {"include": ["config/**", "templates/**"], "exclude": ["**/.env"]},
    "instructions": "Inbox announces itself with a wrong sender. Put the correct one in place.",
    "values": {
        "correct": [{"name": "sender", "value": "noreply@inbox.example.com"}],
        "incorrect": [{"value": "norply@inbox.example.com"}],
    },
    "do_not_touch": {"values": ["api.example.com"], "paths": ["config/api.yml"]},
    "validation": {"must_fail": [{"name": "the old sender is gone", "argv": ["/usr/bin/grep", "-rq", "norply@", "config", "templates"]}]},
    "limits": {"timeout": 60, "files": 20, "changed_lines": 200},
}
POLICY: dict[str, t.Any] = {"version": 1, "provider": {"cassettes": True}}
FIX = "sed -i s/norply@/noreply@/ config/inbox.yml templates/welcome.txt"


class Done(t.NamedTuple):
    """How a command ended."""

    status: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """Everything it said, for a failing assertion."""
        return (self.out + self.err).decode("utf-8", "replace")


class Host:
    """One host. Use as a context manager."""

    def __init__(self) -> None:
        package = pathlib.Path(os.environ["DAY2_CODEX_CLI"]).resolve().parents[1]
        flags = ["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", "--propagation", "private"]
        self._folder = tempfile.mkdtemp(prefix="host.")
        self._unshare = subprocess.Popen(
            ["unshare", *flags, str(HERE / "first-process"), str(ROOT), str(package), self._folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert self._unshare.stdout is not None
        assert self._unshare.stdout.readline() == b"ready\n", "the host did not start"
        with open(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children", encoding="ascii") as stream:
            self.pid = int(stream.read().split()[0])

    #: The policy that was put into force last.
    policy_text = ""

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *args: object) -> None:
        self._unshare.kill()
        self._unshare.wait()
        # It was mounted over in the host's own namespace only.
        os.rmdir(self._folder)

    def argv(self, argv: t.Sequence[str], user: str = "root") -> list[str]:
        """The command line that runs *argv* on the host."""
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"] if user != "root" else []
        clean = ["env", "-i", "-C", "/", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", f"USER={user}", f"LOGNAME={user}"]
        return ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--uts", "--ipc", "--root", *become, *clean, *argv]

    def run(self, *argv: str, user: str = "root", data: bytes | None = None, timeout: float = 120) -> Done:
        """Run a command on the host, as *user*."""
        source: dict[str, t.Any] = {"stdin": subprocess.DEVNULL} if data is None else {"input": data}
        done = subprocess.run(self.argv(argv, user), capture_output=True, timeout=timeout, check=False, **source)
        return Done(done.returncode, done.stdout, done.stderr)

    def must(self, *argv: str, user: str = "root", data: bytes | None = None) -> str:
        """What a command wrote that has to go well."""
        done = self.run(*argv, user=user, data=data)
        assert done.status == 0, (argv, done.text)
        return done.out.decode()

    def path(self, path: str) -> str:
        """Where *path* of the host lies for this machine's root."""
        return f"/proc/{self.pid}/root{path}"

    def write(self, path: str, content: str, mode: int = 0o644, owner: str = "root:root") -> None:
        """Put a file on the host."""
        self.must("install", "-D", "-m", f"{mode:o}", "/dev/stdin", path, data=content.encode())
        self.must("chown", owner, path)

    def read(self, path: str) -> str:
        """A file of the host."""
        return self.must("cat", path)

    # --- provisioning ---------------------------------------------------------------------------------------------------

    def users(self, *names: str) -> None:
        """Make system users without a login."""
        for name in names:
            self.must("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name)

    def engine(self) -> None:
        """Install the engine of this checkout, and the Codex CLI."""
        self.must("mkdir", "-p", "/opt/codex-ops/test", "/opt/codex-ops/bin")
        self.must("cp", "-r", "/checkout/plugins/module_utils", "/opt/codex-ops/test/codex_ops")
        self.must("sh", "-c", "find /opt/codex-ops/test -name __pycache__ -prune -exec rm -rf {} +; touch /opt/codex-ops/test/codex_ops/__init__.py")
        self.must(PYTHON, "-I", "-m", "compileall", "-q", "/opt/codex-ops/test")
        self.must("ln", "-s", "test", "/opt/codex-ops/current")
        self.must("ln", "-s", "/opt/codex/bin/codex", "/opt/codex-ops/bin/codex")
        self.must("sh", "-c", "chown -R root:root /opt/codex-ops && chmod -R u=rwX,go=rX /opt/codex-ops")
        self.must("install", "-m", "0755", "/checkout/tests/hosts/drive", "/opt/codex-ops/drive")

    def helpers(self) -> None:
        """Install root's helpers, and let codex-ops call them."""
        for name in launchers.NAMES:
            self.write(f"{launchers.FOLDER}/{name}", launchers.text(name), 0o755)
        self.write("/etc/sudoers.d/codex-ops", launchers.sudoers(), 0o440)
        self.must("visudo", "-cq")

    def application(self) -> None:
        """The live tree and the policy."""
        for path, text in FILES.items():
            self.write(f"{WORKSPACE}/{path}", text)
        self.policy(POLICY)

    def policy(self, policy: dict[str, t.Any]) -> None:
        """Put the policy into force."""
        self.policy_text = json.dumps(policy)
        self.write("/etc/codex-ops/policy.json", self.policy_text)

    def provision(self) -> None:
        """Everything."""
        self.users("codex-ops", "codex-agent")
        self.engine()
        self.helpers()
        self.application()
        self.drive("prepare")

    # --- the engine -----------------------------------------------------------------------------------------------------

    def drive(self, what: str, user: str = "root", **given: t.Any) -> dict[str, t.Any]:
        """Have the engine do something as *user*; its result. See the program ``drive``."""
        done = self.run(PYTHON, "-IB", "/opt/codex-ops/drive", what, user=user, data=json.dumps(given).encode())
        assert done.status == 0, done.text
        return t.cast("dict[str, t.Any]", json.loads(done.out))

    def plan(self, *commands: str, user: str = "codex-ops", final: str = '{"status": "changed"}', **more: t.Any) -> dict[str, t.Any]:
        """Run the slice with an agent that runs *commands*."""
        given = {"slice": SLICE, "cassette": cassette(commands or (FIX,), final), "state": "planned", **more}
        return self.drive("slice", user, **given)

    def alive(self, user: str) -> list[str]:
        """The processes of *user* on the host."""
        done = self.run("ps", "-o", "pid=,args=", "-u", user)
        return [line for line in done.out.decode().splitlines() if line.strip()]

    def tree(self) -> dict[str, tuple[str, str]]:
        """Everything in the live tree: mode and owner, and content."""
        found = {}
        for line in self.must("find", WORKSPACE, "-printf", "%p\t%y %m %u\n").splitlines():
            path, shape = line.split("\t")
            found[path] = (shape, self.read(path) if shape.startswith("f") else "")
        return found


def cassette(commands: t.Sequence[str], final: str) -> dict[str, t.Any]:
    """A cassette in which the agent runs *commands*, then says *final*."""
    exchanges: list[dict[str, t.Any]] = []
    for number, command in enumerate(commands):
        arguments = json.dumps({"cmd": command, "yield_time_ms": 20000})
        exchanges.append({"response": {"items": [{"type": "function_call", "call_id": f"c{number}", "name": "exec_command", "arguments": arguments}]}})
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": final}]}
    exchanges.append({"response": {"items": [message], "usage": {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}}})
    return {"version": 1, "exchanges": exchanges}
