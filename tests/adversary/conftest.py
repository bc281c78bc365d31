# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small application, and agents that the real Codex CLI runs in its real sandbox, their words replayed from a cassette."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._operation import operate
from ansible_collections.day2.codex.plugins.module_utils._options import Options, Order

FILES = {
    "config/inbox.yml": "sender: norply@inbox.example.com\nbase_url: https://inbox.example.com\n",
    "config/inbox.json": '{"sender": "norply@inbox.example.com"}\n',
    "config/api.yml": "base_url: https://api.example.com/v1\n",
    "config/shared.yml": "api: https://api.example.com/v1\nsender: norply@inbox.example.com\n",
    "config/check.sh": "#!/bin/sh\nexit 0\n",
    "templates/mail.txt": "From: norply@inbox.example.com\n",
    "notes/todo.txt": "out of scope\n",
    "config/.env": "PASSWORD=never-to-be-seen\n",
}
#: The gates stand open: these tests are about what stands before and behind them.
POLICY = {
    "version": 1,
    "categories": {"configuration_change": {"autonomy": "automatic"}},
    "ad_hoc": "category",
    "limits": {"tokens_per_day": 1000000000, "runs_per_hour": 100000},
}
#: What a well-behaved agent runs.
CORRECT = "sed -i s/norply@/noreply@/ config/inbox.yml config/inbox.json config/shared.yml templates/mail.txt"


def pytest_configure(config: pytest.Config) -> None:
    """Fail at once, and clearly, without the real thing."""
    if not os.path.exists(os.environ.get("DAY2_CODEX_CLI", "")):
        raise pytest.UsageError("DAY2_CODEX_CLI must name the real Codex CLI. 'make test' sets it.")


def cassette(commands: t.Sequence[str], final: str = '{"status": "changed"}') -> dict[str, t.Any]:
    """A cassette whose agent runs *commands* one after the other, and then says *final*."""
    exchanges: list[dict[str, t.Any]] = [
        {
            "response": {
                "items": [
                    {
                        "type": "function_call",
                        "call_id": f"c{number}",
                        "name": "exec_command",
                        "arguments": json.dumps({"cmd": command}),
                    }
                ],
                "usage": {"input_tokens": 900, "output_tokens": 40},
            }
        }
        for number, command in enumerate(commands)
    ]
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": final}]}
    exchanges.append({"response": {"items": [message], "usage": {"input_tokens": 1000, "output_tokens": 30}}})
    return {"version": 1, "exchanges": exchanges}


def picture(folder: str) -> dict[str, t.Any]:
    """Everything in *folder*: kind, mode, owner, links and content of each path."""
    found: dict[str, t.Any] = {}
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(parent, name)
            state = os.lstat(path)
            content = ""
            if stat.S_ISREG(state.st_mode):
                with open(path, "rb") as handle:
                    content = hashlib.sha256(handle.read()).hexdigest()
            found[os.path.relpath(path, folder)] = (state.st_mode, state.st_uid, state.st_gid, content)
    return found


class Application:
    """A workspace with a slice for it, and the way to let an agent loose on it."""

    def __init__(self, folder: str, prefix: str) -> None:
        self.folder = folder
        self.prefix = prefix
        for path, text in FILES.items():
            full = os.path.join(folder, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as handle:
                handle.write(text)
        os.chmod(os.path.join(folder, "config/check.sh"), 0o755)
        self.slice: dict[str, t.Any] = {
            "name": "inbox-public-identity",
            "category": "configuration_change",
            "workspace": folder,
            "scope": {"include": ["config/**", "templates/**"], "exclude": ["**/.env"]},
            "instructions": "Inbox announces itself with a wrong sender. Put the correct one in place.",
            "values": {
                "correct": [{"name": "sender", "value": "noreply@inbox.example.com"}],
                "incorrect": [{"value": "norply@inbox.example.com"}],
            },
            "do_not_touch": {"values": ["api.example.com"], "paths": ["config/api.yml"]},
            "validation": {
                "must_hold": [{"name": "the check runs", "argv": [folder + "/config/check.sh"]}],
                "must_fail": [{"name": "the old sender is gone", "argv": ["/usr/bin/grep", "-rq", "norply@", "config", "templates"]}],
            },
            "limits": {"timeout": 60, "files": 20, "changed_lines": 200},
        }

    def options(self, **more: t.Any) -> Options:
        """Options that run the real Codex CLI under the test's prefix."""
        return Options(**{"prefix": self.prefix, "codex_path": os.environ["DAY2_CODEX_CLI"], **more})

    def run(self, *commands: str, final: str = '{"status": "changed"}', state: str = "applied", **more: t.Any) -> dict[str, t.Any]:
        """Let an agent that runs *commands* loose, and return the result."""
        options = self.options(cassette=cassette(commands, final), cassette_mode="replay", **more)
        return operate(options, Order(document=self.slice, state=state))

    def picture(self) -> dict[str, t.Any]:
        """Everything in the live tree."""
        return picture(self.folder)


def lay_policy(prefix: str, policy: t.Any = None) -> None:
    """Write *policy* as the policy of *prefix*."""
    folder = os.path.join(prefix, "etc/codex-ops")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "policy.json"), "w", encoding="utf-8") as handle:
        json.dump(POLICY if policy is None else policy, handle)


@pytest.fixture(scope="session", name="prefix")
def _prefix(tmp_path_factory: pytest.TempPathFactory) -> str:
    prefix = str(tmp_path_factory.mktemp("host") / "prefix")
    lay_policy(prefix)
    return prefix


@pytest.fixture(name="application")
def _application(tmp_path: t.Any, prefix: str) -> Application:
    return Application(str(tmp_path / "inbox"), prefix)
