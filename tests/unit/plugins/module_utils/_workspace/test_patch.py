# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read is what will be written, and shows what a screen would hide."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.day2.codex.plugins.module_utils._contract.model import Change, FileState
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._workspace import patch


def change(path: str, old: bytes | None, new: bytes | None, old_mode: int = 0o644, new_mode: int = 0o644) -> Change:
    def state(content: bytes | None, mode: int) -> FileState | None:
        return None if content is None else FileState("file", mode, len(content), "0" * 64)

    return Change(path, state(old, old_mode), state(new, new_mode), old, new)


def test_a_patch_reads_like_any_other() -> None:
    rendered = patch.render([change("config/a b.yml", b"one\ntwo\nthree\n", b"one\n2\nthree\n")])
    assert rendered.text == (
        "diff --git a/config/a b.yml b/config/a b.yml\n--- a/config/a b.yml\t\n+++ b/config/a b.yml\t\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"
    )
    assert (rendered.added, rendered.removed) == (1, 1)
    assert rendered.per_file == [{"path": "config/a b.yml", "operation": "modify", "added": 1, "removed": 1}]


def test_git_apply_takes_the_patch_and_makes_the_same_tree(world: t.Any, look: t.Any) -> None:
    world.edit(
        {
            "config/inbox.yml": "sender: noreply@example.com",
            "templates/mail/bye.txt": None,
            "new folder/a\nb\u202e": "odd\n",
            "empty": "",
            "caf\udce9": "latin\n",
        }
    )
    target = world.root / "target"
    shutil.copytree(world.live, target)
    text = patch.render(world.changes()).text
    subprocess.run(["git", "apply", "--unsafe-paths", "-"], cwd=target, input=text.encode(), check=True, env={**os.environ, "GIT_DIR": "/nonexistent"})
    assert look(target) == look(world.copy)


def test_modes_are_shown_in_full() -> None:
    rendered = patch.render([change("a", b"x", b"x", 0o644, 0o4755), change("b", None, b"", new_mode=0o600), change("c", b"", None)])
    assert "old mode 100644\nnew mode 104755\n" in rendered.text
    assert "new file mode 100600\n" in rendered.text
    assert "deleted file mode 100644\n" in rendered.text


def test_lines_that_look_like_headers_stay_lines() -> None:
    tricky = b"-- a/x\n++ b/y\ndiff --git old/000000 new/000000\n@@ -1 +1 @@\n"
    rendered = patch.render([change("a", b"", tricky), change("b", tricky, b"plain\n")])
    assert [(item["added"], item["removed"]) for item in rendered.per_file] == [(4, 0), (1, 4)]
    assert rendered.text.count("\ndiff --git ") + rendered.text.startswith("diff --git ") == 2


def test_binary_and_oversized_are_one_line() -> None:
    huge = Change("huge", None, FileState("file", 0o644, 1 << 30, "0" * 64), None, None)
    rendered = patch.render([change("bin", b"a\0b", b"a\0c"), huge, change("late", b"x" * 9000, b"x" * 9000 + b"\0")])
    for name in ("bin", "huge", "late"):
        assert f"Binary file {name} differs\n" in rendered.text
    assert (rendered.added, rendered.removed) == (0, 0)


def test_what_is_no_file_is_named_by_its_kind() -> None:
    link = Change("l", FileState("file", 0o644, 1, "0" * 64), FileState("symlink", 0o777, 1, None), b"x", None)
    assert "Special file l: file became symlink\n" in patch.render([link]).text


def test_bytes_that_are_not_utf8_are_replaced_and_the_rest_kept() -> None:
    assert "+caf\ufffd g\u00fcltig\n" in patch.render([change("a", b"", b"caf\xe9 g\xc3\xbcltig\n")]).text


def test_no_configuration_attribute_or_program_of_the_caller_has_a_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = patch.render([change("a.txt", b"one\n", b"two\n")])
    marker = tmp_path / "ran"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {marker}\n")
    evil.chmod(0o755)
    (tmp_path / ".gitconfig").write_text(f"[diff]\nexternal = {evil}\nnoprefix = true\nalgorithm = patience\n[color]\nui = always\n")
    (tmp_path / ".gitattributes").write_text("* -diff\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    # An order file that is missing stops every git that reads this configuration.
    with open(tmp_path / ".git/config", "a", encoding="ascii") as config:
        config.write("[diff]\norderFile = /nonexistent/order\n")
    for key, value in {
        "HOME": str(tmp_path),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "diff.orderFile",
        "GIT_CONFIG_VALUE_0": "/nonexistent/order",
        "GIT_EXTERNAL_DIFF": str(evil),
        "GIT_DIFF_OPTS": "-u0",
        "GIT_CONFIG_GLOBAL": str(tmp_path / ".gitconfig"),
        "GIT_PAGER": str(evil),
        "LC_ALL": "de_DE.UTF-8",
    }.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    assert patch.render([change("a.txt", b"one\n", b"two\n")], scratch=str(tmp_path)) == plain
    assert not marker.exists()


def test_many_files_keep_their_order_and_counts() -> None:
    many = [change(f"f{number:03d}", b"a\n" * number, b"b\n" * (number + 1)) for number in range(300)]
    rendered = patch.render(many)
    assert rendered == patch.render(many)
    assert [item["path"] for item in rendered.per_file] == [one.path for one in many]
    assert all(item["added"] == number + 1 and item["removed"] == number for number, item in enumerate(rendered.per_file))


def test_nothing_to_render_needs_no_git_and_a_missing_git_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    assert patch.render([]).text == ""
    assert "new mode 100600" in patch.render([change("a", b"x", b"x", 0o644, 0o600)]).text
    with pytest.raises(CodexOpsError) as caught:
        patch.render([change("a", b"x", b"y")])
    assert caught.value.code == "git_missing" and caught.value.hint


def test_nothing_is_left_in_the_scratch_folder(tmp_path: Path) -> None:
    patch.render([change("a", b"x", b"y")], scratch=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_kill_while_rendering_leaves_nothing_outside_the_scratch_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    scratch.mkdir()
    elsewhere.mkdir()
    for name in ("TMPDIR", "TEMP", "TMP", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(elsewhere))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(elsewhere)
    left = 0
    for place in range(1, 60):
        child = os.fork()
        if child == 0:
            calls = iter(range(1, 10_000))

            def profile(_frame: t.Any, event: str, function: t.Any, calls: t.Any = calls, place: int = place) -> None:
                if event == "c_call" and getattr(function, "__module__", "") in ("posix", "_posixsubprocess") and next(calls) == place:
                    os.kill(os.getpid(), signal.SIGKILL)

            try:
                sys.setprofile(profile)
                patch.render([change("a", b"x\n", b"y\n"), change("b", b"", b"new\n")], scratch=str(scratch))
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        left += list(scratch.iterdir()) != []
        for folder in scratch.iterdir():
            shutil.rmtree(folder)
        assert list(elsewhere.iterdir()) == []
    # The kills really did come in the middle.
    assert left > 5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \u00e9 \u4e2d\ttab\n", "plain \u00e9 \u4e2d\ttab\n"),
        ("a\u202eb", "a\\u{202e}b"),
        ("a\u200bb\ufeff", "a\\u{200b}b\\u{feff}"),
        ("\x1b[31m\r\x00\x7f\x9b", "\\u{001b}[31m\\u{000d}\\u{0000}\\u{007f}\\u{009b}"),
        ("\U000e0041\u2066\u00ad\u3164", "\\u{e0041}\\u{2066}\\u{00ad}\\u{3164}"),
        ("\udcff", "\\u{dcff}"),
    ],
)
def test_hidden_characters_are_shown(text: str, shown: str) -> None:
    assert patch.escape(text) == shown
