# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An agent that breaks its contract: every breach is rejected with its code, and the live tree stays byte for byte."""

from __future__ import annotations

import os
import typing as t

import pytest

from .conftest import CORRECT, Application

PRIVATE_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----"
TOKEN = "ghp_" + "a1B2" * 9

#: name, what the agent runs, the code that it must be rejected with
BREACHES = [
    ("outside the scope", "echo x > stray.txt", "out_of_scope"),
    ("an excluded file", "echo x > config/.env", "out_of_scope"),
    ("a do-not-touch path", "echo '# mine' >> config/api.yml", "do_not_touch_path"),
    ("a do-not-touch path removed", "rm config/api.yml", "do_not_touch_path"),
    ("a do-not-touch value", "sed -i s/api.example.com/api.example.net/ config/shared.yml", "do_not_touch_value"),
    ("a do-not-touch value built into another", "sed -i s/api.example.com/api.example.com.example.net/ config/shared.yml", "do_not_touch_value"),
    ("an incorrect value left", "sed -i s/norply@/noreply@/ config/inbox.yml", "incorrect_value_left"),
    ("a private key", f"printf -- '{PRIVATE_KEY}\n' > config/inbox.key", "secret_in_patch"),
    ("a token", f"echo 'token: {TOKEN}' >> config/inbox.yml", "secret_in_patch"),
    ("the text for a redacted secret", "echo 'key: [redacted:openai_key:4f2a]' >> config/inbox.yml", "redaction_marker_in_patch"),
    ("a symlink", "ln -s /etc/passwd config/link.yml", "symlink"),
    ("a file replaced by a symlink", "rm config/inbox.yml; ln -s /etc/passwd config/inbox.yml", "symlink"),
    ("a folder replaced by a symlink", "mv templates elsewhere; ln -s /tmp templates", "symlink"),
    ("a hard link", "ln config/inbox.yml config/twin.yml", "hard_link"),
    ("a FIFO", "mkfifo config/pipe", "special_file"),
    ("a set-uid file", "cp /bin/true config/tool; chmod 4755 config/tool", "mode_change"),
    ("a changed mode", "chmod 777 config/inbox.yml", "mode_change"),
    ("a new executable", "printf '#!/bin/sh\n' > config/run; chmod 755 config/run", "mode_change"),
    ("a binary", "head -c 3000 /bin/true > config/blob", "binary_file"),
    ("text that is not UTF-8", "printf 'caf\\351\n' >> config/inbox.yml", "binary_file"),
    ("500 files", "for i in $(seq 500); do echo x > config/f$i.yml; done", "too_many_files"),
    ("many lines", "seq 1000 >> config/inbox.yml", "too_many_lines"),
    ("one line of 2 MB", "head -c 2000000 /dev/zero | tr '\\0' x >> config/inbox.yml", "too_many_lines"),
    ("a hook in a nested repository", "mkdir -p config/.git/hooks; echo x > config/.git/hooks/pre-commit", "git_metadata"),
    ("git metadata in another case", "mkdir -p config/.GIT; echo x > config/.GIT/config", "git_metadata"),
    ("attributes that hide a change", "echo '* -diff' > config/.gitattributes; echo x >> config/api.yml", "git_metadata"),
    ("bidirectional text", "printf 'note: \\342\\200\\256live\n' >> config/inbox.yml", "hidden_characters"),
    ("a zero-width character", "printf 'note: a\\342\\200\\213b\n' >> config/inbox.yml", "hidden_characters"),
    ("a terminal escape", "printf 'note: \\033[2J\n' >> config/inbox.yml", "hidden_characters"),
    ("a name with a line break", "printf x > \"$(printf 'config/a\\nb')\"", "hidden_characters"),
    ("a name that is not UTF-8", "printf x > \"$(printf 'config/a\\377')\"", "hidden_characters"),
    ("what a validation runs", "echo 'exit 0' > config/check.sh", "touches_validation"),
    ("a helper beside what a validation runs", "echo 'exit 0' > config/lib.sh", "touches_validation"),
    ("a name that differs in case", "echo x > config/INBOX.yml", "out_of_scope"),
]


@pytest.mark.parametrize(("command", "code"), [pytest.param(command, code, id=name) for name, command, code in BREACHES])
def test_breach_is_rejected_with_its_code_and_the_tree_stays(application: Application, command: str, code: str) -> None:
    before = application.picture()
    result = application.run(CORRECT if code != "incorrect_value_left" else "true", command)
    codes = {violation["code"] for violation in result["violations"]}
    assert result["outcome"] == "rejected", result
    assert code in codes, result["violations"]
    assert result["failed"] and not result["changed"] and "plan" not in result
    assert application.picture() == before
    assert result["audit"]["seq"] > 0


def test_git_in_the_workspace_is_out_of_the_agents_reach(application: Application) -> None:
    result = application.run(CORRECT, "mkdir -p .git/hooks && echo x > .git/hooks/pre-commit")
    assert result["outcome"] == "applied", result
    assert result["commands"][1]["status"] == "failed"
    assert not os.path.exists(os.path.join(application.folder, ".git"))


def test_nothing_of_the_agents_is_executed(application: Application, tmp_path: t.Any) -> None:
    """Hooks, filters and attributes in the tree run nothing on our side."""
    mark = tmp_path / "ran"
    trap = f"#!/bin/sh\ntouch {mark}\n"
    hooks = os.path.join(application.folder, ".git", "hooks")
    os.makedirs(hooks)
    for name in ("pre-commit", "post-checkout", "post-index-change", "fsmonitor-watchman"):
        with open(os.path.join(hooks, name), "w", encoding="utf-8") as handle:
            handle.write(trap)
        os.chmod(os.path.join(hooks, name), 0o755)
    with open(os.path.join(application.folder, ".git", "config"), "w", encoding="utf-8") as handle:
        handle.write(f'[core]\nfsmonitor = touch {mark}\n[filter "x"]\nclean = touch {mark}\nsmudge = touch {mark}\n[diff "x"]\ntextconv = touch {mark}\n')
    with open(os.path.join(application.folder, ".gitattributes"), "w", encoding="utf-8") as handle:
        handle.write("* filter=x diff=x -text\n*.yml -diff\n")
    result = application.run(CORRECT)
    assert result["outcome"] == "applied", result
    assert "config/inbox.yml" in result["patch"]
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["hard_link", "special_file"])
def test_a_workspace_with_traps_in_scope_is_refused_by_name(application: Application, kind: str) -> None:
    path = os.path.join(application.folder, "config", "trap")
    if kind == "hard_link":
        os.link(os.path.join(application.folder, "config", "inbox.yml"), path)
    else:
        os.mkfifo(path)
    before = application.picture()
    result = application.run(CORRECT)
    assert result["outcome"] == "rejected"
    assert kind in {violation["code"] for violation in result["violations"]}
    assert application.picture() == before


def test_symlinks_in_the_workspace_are_neither_followed_nor_changed(application: Application, tmp_path: t.Any) -> None:
    outside = tmp_path / "outside.yml"
    outside.write_text("norply@inbox.example.com\n")
    os.symlink(outside, os.path.join(application.folder, "config", "link.yml"))
    result = application.run("cat config/link.yml", CORRECT)
    assert result["outcome"] == "applied", result
    assert result["commands"][0]["status"] == "failed"
    assert outside.read_text() == "norply@inbox.example.com\n"
    assert os.readlink(os.path.join(application.folder, "config", "link.yml")) == str(outside)


def test_what_is_excluded_is_never_seen(application: Application) -> None:
    result = application.run(f"cat {application.folder}/config/.env config/.env notes/todo.txt", CORRECT)
    assert result["outcome"] == "applied", result
    assert "never-to-be-seen" not in str(result)
    assert result["commands"][0]["status"] == "failed"
