# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells whether a validation would run a file that the agent changed. PRIVATE.

Running such a file would hand the agent the judge's chair, so a change to it is a breach by itself.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from .model import Change

_SCRIPTS = (".sh", ".bash", ".py", ".pyc", ".pl", ".pm", ".rb", ".js", ".mjs", ".cjs", ".ts", ".php", ".lua", ".tcl", ".awk", ".mk")
_INTERPRETERS = (
    "sh", "bash", "dash", "zsh", "ksh", "python", "perl", "ruby", "node", "php", "lua", "tclsh", "awk", "gawk", "env",
)  # fmt: skip
_BUILD_FILES = {
    "make": ("makefile", "gnumakefile"),
    "gmake": ("makefile", "gnumakefile"),
    "npm": ("package.json", ".npmrc"),
    "npx": ("package.json", ".npmrc"),
    "yarn": ("package.json", ".yarnrc", ".yarnrc.yml"),
    "tox": ("tox.ini", "pyproject.toml", "setup.cfg", "setup.py"),
    "pytest": ("pytest.ini", "conftest.py", "pyproject.toml", "tox.ini", "setup.cfg"),
    "ansible-playbook": ("ansible.cfg",),
}


def _relative(argument: str, workspace: str) -> str | None:
    """The path in the workspace that *argument* names, or ``None``."""
    path = posixpath.normpath(posixpath.join(workspace, argument))
    return path[len(workspace) + 1 :] if path.startswith(workspace + "/") else None


def _is_script(change: Change) -> bool:
    states = [state for state in (change.old, change.new) if state is not None and state.kind == "file"]
    contents = [content for content in (change.old_content, change.new_content) if content is not None]
    return (
        change.path.endswith(_SCRIPTS) or any(state.mode & 0o111 for state in states) or any(content.startswith(b"#!") for content in contents)
    )


def _interpreter(program: str) -> str | None:
    name = posixpath.basename(program)
    return next((known for known in _INTERPRETERS if name == known or name.rstrip("0123456789.") == known), None)


def _module_run(argv: t.Sequence[str], change: Change) -> bool:
    """Whether ``python -m NAME`` (without -I or -P) could import what was changed from the workspace's top folder."""
    for number, argument in enumerate(argv[1:], 1):
        if not argument.startswith("-"):
            return False
        letters = "" if argument.startswith("--") else argument[1:]
        if "I" in letters or "P" in letters:
            return False
        if letters.endswith(("m", "c")) and number + 1 < len(argv):
            return change.path.endswith((".py", ".pyc", ".so")) and change.path.count("/") <= 1
    return False


def runs_by(argv: t.Sequence[str], workspace: str, change: Change) -> bool:
    """Whether running *argv* in *workspace* would run what *change* changed: a program, a script, a build file, a module."""
    name = posixpath.basename(argv[0])
    interpreter = _interpreter(argv[0])
    if interpreter == "python" and _module_run(argv, change):
        return True
    if posixpath.basename(change.path).casefold() in _BUILD_FILES.get(name, ()):
        return True
    first = next((number for number, argument in enumerate(argv[1:], 1) if not argument.startswith("-")), None)
    inline = interpreter is not None and any(argument in ("-c", "-e", "-m", "-r") for argument in argv[1:first])
    script = _is_script(change)
    if interpreter is not None and inline and first is not None:
        # A command line in an argument: each of its words may be a file that it runs.
        words = re.split(r"[\s;&|()<>\"']+", argv[first])
        if any(_relative(word, workspace) == change.path for word in words if word) and script:
            return True
    for number, argument in enumerate(argv):
        target = _relative(argument, workspace)
        if target is None:
            continue
        run_here = number == 0 or (interpreter is not None and not inline and number == first)
        if target == change.path and (run_here or script):
            return True
        # A script's own helpers, which it sources or imports, stand beside or below it.
        folder = posixpath.dirname(target)
        if script and target.endswith(_SCRIPTS) and (change.path.startswith(folder + "/") or not folder):
            return True
    return False
