# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host with an inbox, for the tests of delivery."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import pathlib
import sys
import time
import typing as t

from ansible_collections.day2.codex.plugins.module_utils import _delivering as delivering
from ansible_collections.day2.codex.plugins.module_utils._contract.document import problems
from ansible_collections.day2.codex.plugins.module_utils._delivery.overview import overview
from ansible_collections.day2.codex.plugins.module_utils._inbox.store import Inbox
from ansible_collections.day2.codex.plugins.module_utils._options import Options
from ansible_collections.day2.codex.plugins.module_utils._places import Places
from ansible_collections.day2.codex.plugins.module_utils._trail import log

SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[4] / "schemas/ticket.schema.json").read_text("utf-8"))
RAW = bytes(range(32))
KEY = "whsec_" + base64.b64encode(RAW).decode()
#: Keeps what it is given, one line each, and what it finds around it.
KEEPER = """#!{python}
import json, os, sys
with open({out!r}, "a") as out:
    out.write(json.dumps({{"stdin": sys.stdin.read(), "argv": sys.argv, "env": dict(os.environ), "cwd": os.getcwd()}}) + "\\n")
"""
NOW = float(int(time.time()))


class Host:
    """A prefix with an inbox, a hook that keeps what it is given, and a clock that stands still."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.prefix = folder / "prefix"
        self.places = Places(str(self.prefix))
        (self.prefix / "etc/codex-ops/secrets").mkdir(parents=True, mode=0o700)
        slices = pathlib.Path(self.places.slices)
        slices.mkdir()
        (slices / "disk-report.json").write_text("{}")
        self.places.prepare()
        self.inbox = Inbox(self.places.inbox)
        self.out = folder / "alerts"
        self.now = NOW
        self.command = self.program(KEEPER.format(python=sys.executable, out=str(self.out)))
        self.key(KEY)

    def program(self, text: str, name: str = "hook") -> str:
        path = self.folder / name
        path.write_text(text, "utf-8")
        path.chmod(0o755)
        return str(path)

    def key(self, text: str, mode: int = 0o600) -> None:
        path = pathlib.Path(self.places.alert_key)
        path.unlink(missing_ok=True)
        path.write_text(text + "\n")
        path.chmod(mode)

    def wants(self, **more: t.Any) -> None:
        pathlib.Path(self.places.delivery).write_text(json.dumps({"version": 1, **more}), "utf-8")

    def alerts(self, **more: t.Any) -> None:
        self.wants(alert={"command": [self.command], **more})

    def job(self, outcome: str = "agent_error", *, key: str | None = None, report: t.Any = None, **more: t.Any) -> str:
        """A job that a run ended with *outcome*."""
        kept = {name: more.pop(name) for name in ("signal", "input_") if name in more}
        job, _new = self.inbox.enqueue("disk-report", dedupe_key=key, now=self.now, **kept)
        run = more.pop("run_id", f"20260115T031500Z-{os.urandom(4).hex()}")
        if report is not None:
            (pathlib.Path(self.places.runs) / run).mkdir()
            (pathlib.Path(self.places.runs) / run / "report.json").write_text(json.dumps(report), "utf-8")
        self.inbox.claim_id(job.id, "w", now=self.now)
        self.inbox.finish(job.id, "w", None, outcome, run_id=run, now=self.now, **{"msg": "It did not work.", **more})
        return job.id

    def deliver(self, *named: str, **more: t.Any) -> dict[str, t.Any]:
        return delivering.deliver(Options(prefix=str(self.prefix)), named, clock=lambda: self.now, **more)

    def tickets(self) -> list[dict[str, t.Any]]:
        return list(delivering.tickets(str(self.prefix), resolved=True)["tickets"])

    def ticket(self) -> dict[str, t.Any]:
        (one,) = self.tickets()
        assert problems(one, SCHEMA) == []
        return one

    def given(self) -> list[dict[str, t.Any]]:
        """What the hook was given, each line verified against the key."""
        found = []
        for line in self.out.read_text("utf-8").splitlines() if self.out.exists() else []:
            kept = json.loads(line)
            message = json.loads(kept["stdin"])
            signed = f"{message['webhook-id']}.{message['webhook-timestamp']}.{message['body']}".encode()
            wanted = "v1," + base64.b64encode(hmac.new(RAW, signed, hashlib.sha256).digest()).decode()
            assert hmac.compare_digest(message["webhook-signature"], wanted)
            assert json.loads(message["body"]) == {name: message[name] for name in ("type", "timestamp", "data")}
            assert kept["argv"] == [self.command] and kept["cwd"] == "/" and set(kept["env"]) <= {"PATH", "LC_ALL", "HOME", "LC_CTYPE"}
            found.append(message)
        return found

    def overview(self) -> dict[str, t.Any]:
        return overview(self.places.delivery, self.places.owners, self.places.alert_key, self.places.outbox)

    def records(self) -> list[dict[str, t.Any]]:
        return [record for record in log.records(self.places.log) if record["command"]["operation"] == "delivery"]

    def delivered(self) -> bytes:
        """All that delivery may have written under the prefix."""
        folders = [self.places.tickets, self.places.outbox, os.path.dirname(self.places.log)]
        files = [path for folder in folders for path in pathlib.Path(folder).rglob("*") if path.is_file()]
        return b"\n".join([str(files).encode(), *(path.read_bytes() for path in files)])
