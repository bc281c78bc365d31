# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reaches a throw-away host in podman with one process for each task: what is to be run goes in by standard input (pipelining)."""

from __future__ import annotations

import shlex
import subprocess

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = r"""
name: throw_away
short_description: Reach a throw-away host in podman
description:
  - Runs what is asked for by C(podman exec), as root, in the container that has the host's name.
author:
  - The day2.codex authors (@day2-codex)
options: {}
"""


class Connection(ConnectionBase):
    """One host, which is a container of its name."""

    transport = "throw_away"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def _exec(self, argv: list[str], data: bytes | None = None) -> tuple[int, bytes, bytes]:
        call = ["podman", "exec", "--interactive", self.host, *argv]
        done = subprocess.run(call, input=data or b"", capture_output=True, check=False)
        # Podman's own word for a host that is not up.
        if done.returncode == 125:
            raise AnsibleConnectionFailure(f"podman exec {self.host}: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.returncode, done.stdout, done.stderr

    @property
    def host(self) -> str:
        """The name of the container."""
        return str(self._play_context.remote_addr)

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        return self._exec(["/bin/sh", "-c", cmd], in_data)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Send a file."""
        super().put_file(in_path, out_path)
        call = ["podman", "exec", "--interactive", self.host, "/bin/sh", "-c", f"cat >{shlex.quote(out_path)}"]
        with open(in_path, "rb") as stream:
            done = subprocess.run(call, stdin=stream, capture_output=True, check=False)
        if done.returncode:
            raise AnsibleConnectionFailure(f"{out_path} could not be written on {self.host}: {done.stderr.decode('utf-8', 'replace').strip()}")

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Fetch a file."""
        super().fetch_file(in_path, out_path)
        status, content, said = self._exec(["cat", in_path])
        if status:
            raise AnsibleConnectionFailure(f"{in_path} could not be read on {self.host}: {said.decode('utf-8', 'replace').strip()}")
        with open(out_path, "wb") as stream:
            stream.write(content)

    def close(self) -> None:
        """Nothing is held."""
        self._connected = False
