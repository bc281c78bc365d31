# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tells whether a validation would run a file that the agent changed. PRIVATE.

Running such a file would hand the agent the judge's chair, so a change to it is a breach by itself.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import typing as t

from .model import Change

_SCRIPTS = (
    ".sh", ".bash", ".py", ".pyc", ".so", ".pl", ".pm", ".rb", ".js", ".mjs", ".cjs", ".ts", ".php", ".lua", ".tcl", ".awk", ".mk", ".cmake", ".gradle",
)  # fmt: skip
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"})
_INTERPRETERS = _SHELLS | {
    "python", "pypy", "perl", "ruby", "node", "nodejs", "deno", "bun", "php", "lua", "luajit", "tclsh", "expect",
    "awk", "gawk", "mawk", "nawk", "Rscript", "pwsh",
}  # fmt: skip
# Options of an interpreter that take the next argument, so that what follows it may still be the script.
_TAKES_VALUE = {
    "python": "WXQ", "perl": "I", "ruby": "IrCE", "node": "r", "nodejs": "r", "php": "dcz", "lua": "l", "awk": "Fv", "gawk": "Fv", "mawk": "Fv", "nawk": "Fv",
    **dict.fromkeys(_SHELLS, "oO"),
}  # fmt: skip
# Options whose value is the text of a program. For -e that is not true of a shell, nor for -c of most others.
_TAKES_CODE = {"python": "c", "perl": "eE", "ruby": "e", "node": "ep", "nodejs": "ep", "php": "r", "lua": "e", **dict.fromkeys(_SHELLS, "c")}
# Programs that run another one which is named in their arguments.
_WRAPPERS = frozenset({
    "env", "timeout", "nice", "ionice", "nohup", "setsid", "stdbuf", "chrt", "taskset", "sudo", "doas", "runuser", "setpriv", "xargs", "flock", "busybox",
    "time", "strace", "ltrace", "unshare", "prlimit", "systemd-run", "script", "parallel", "find", "uv", "poetry", "pipenv", "bundle",
})  # fmt: skip
# Programs that run what they find in the tree, and the files besides scripts that tell them what.
_TREE_RUNNERS = {
    "make": ("makefile", "gnumakefile"),
    "gmake": ("makefile", "gnumakefile"),
    "cmake": ("cmakelists.txt",),
    "ninja": ("build.ninja",),
    "npm": ("package.json", ".npmrc"),
    "npx": ("package.json", ".npmrc"),
    "yarn": ("package.json", ".yarnrc", ".yarnrc.yml"),
    "pnpm": ("package.json", ".npmrc"),
    "tox": ("tox.ini", "pyproject.toml", "setup.cfg"),
    "nox": (),
    "pytest": ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"),
    "py.test": ("pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"),
    "cargo": ("cargo.toml", "config.toml"),
    "rake": ("rakefile",),
    "mvn": ("pom.xml",),
    "gradle": (),
    "composer": ("composer.json",),
    "ansible-playbook": ("ansible.cfg",),
}
# Programs whose -f names a file that they obey.
_OBEYS_FILE = frozenset({"make", "gmake", "sed", "psql", "awk", "gawk", "mawk", "nawk", "php"})
# Programs, and modules of an isolated Python, that only read what their arguments name.
_READERS = frozenset({
    "grep", "egrep", "fgrep", "test", "[", "cat", "head", "tail", "diff", "cmp", "stat", "wc", "sha256sum", "ls", "shellcheck", "jq", "yamllint",
})  # fmt: skip
_READER_MODULES = frozenset({"json.tool", "py_compile", "ast", "tokenize", "tabnanny"})
_WORD = re.compile(r"[^\s\"'<>]+")


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


def _program(argument: str) -> str:
    """The name of the program *argument*, without the version that often ends it: ``python`` for ``/usr/bin/python3.11``."""
    name = posixpath.basename(argument)
    plain = name.rstrip("0123456789.-")
    return plain if plain in _INTERPRETERS else name


def _runs_others(argument: str) -> bool:
    name = _program(argument)
    return name in _INTERPRETERS or name in _WRAPPERS or name in _TREE_RUNNERS


@dataclasses.dataclass
class _Parsed:
    """What an interpreter's command line says: a script's place in argv, or code, or a module."""

    script: int | None = None
    code: str | None = None
    module: str | None = None
    tail: int = 0
    isolated: bool = False
    only_reads: bool = False


def _parse(program: str, argv: t.Sequence[str]) -> _Parsed:
    parsed = _Parsed()
    number = 1
    while number < len(argv):
        argument = argv[number]
        if argument == "--":
            number += 1
            break
        if argument[:1] not in ("-", "+") or argument in ("-", "+"):
            break
        number += 1
        if argument.startswith("--"):
            continue
        for place, letter in enumerate(argument[1:], 1):
            attached = argument[place + 1 :]
            if program in ("python", "pypy") and letter in "IP":
                parsed.isolated = True
            if program in _SHELLS and letter == "n" and argument[0] == "-":
                parsed.only_reads = True
            is_module = program in ("python", "pypy") and letter == "m"
            if not is_module and letter not in _TAKES_CODE.get(program, "") and letter not in _TAKES_VALUE.get(program, ""):
                continue
            if program in _SHELLS and letter == "c":
                # sh -ce CODE: the rest are letters too, and the code is the first argument that is no option.
                while number < len(argv) and argv[number][:1] in ("-", "+"):
                    number += 1
                attached = ""
            value = attached or (argv[number] if number < len(argv) else "")
            number += 0 if attached else 1
            if is_module:
                parsed.module, parsed.tail = value, number
                parsed.only_reads = parsed.isolated and value in _READER_MODULES
                return parsed
            if letter in _TAKES_CODE.get(program, ""):
                parsed.code, parsed.tail = value, number
                return parsed
            break
    parsed.script = number if number < len(argv) else None
    parsed.tail = number
    return parsed


def _shell_runs(code: str, workspace: str, change: Change) -> bool:
    """Whether a shell's command line *code* would run what was changed. Where it changes folders, the end of the path decides."""
    moves = re.search(r"\b(?:cd|pushd)\b", code) is not None
    commands = [_WORD.findall(command) for command in re.split(r"[;&|()`\n{}]+|\$\(", code)]
    bare_shell = any(words and _program(words[-1]) in _INTERPRETERS for words in commands)
    for words in commands:
        for number, word in enumerate(words):
            before = words[number - 1] if number else ""
            target = _relative(word, workspace)
            names = target == change.path or (moves and target is not None and change.path.endswith("/" + target))
            if names and (bare_shell or _is_script(change) or before in (".", "source")):
                return True
            if _runs_others(word) and runs_by(words[number:], workspace, change):
                return True
            if _runs_others(word) and moves and any(change.path.endswith("/" + posixpath.normpath(later)) for later in words[number + 1 :]):
                return True
    return False


def _python_imports(parsed: _Parsed, change: Change) -> bool:
    """Whether ``python -m NAME`` or ``-c`` (without -I or -P) could import what was changed from the workspace's top folder."""
    if parsed.isolated or not change.path.endswith((".py", ".pyc", ".so")):
        return False
    top = change.path.split("/")[0].split(".")[0]
    named = re.findall(r"\w+", parsed.module or parsed.code or "")
    return change.path.count("/") <= 1 or top in named


def _interpreter_runs(program: str, argv: t.Sequence[str], workspace: str, change: Change) -> bool:
    parsed = _parse(program, argv)
    if parsed.module is not None or (program in ("python", "pypy") and parsed.code is not None):
        if _python_imports(parsed, change):
            return True
    if parsed.module is not None:
        return parsed.module in _TREE_RUNNERS and runs_by([parsed.module, *argv[parsed.tail :]], workspace, change)
    if parsed.code is not None:
        if program in _SHELLS:
            return _shell_runs(parsed.code, workspace, change)
        words = re.split(r"[\s;&|()<>\"'`,]+", parsed.code)
        return any(_relative(word, workspace) == change.path for word in words if word) and _is_script(change)
    return parsed.script is not None and _run_by_path(argv[parsed.script], workspace, change)


def _run_by_path(argument: str, workspace: str, change: Change) -> bool:
    """Whether running the file *argument* runs what was changed: itself, or a helper beside or below it."""
    target = _relative(argument, workspace)
    if target is None:
        return False
    folder = posixpath.dirname(target)
    return target == change.path or (_is_script(change) and (not folder or change.path.startswith(folder + "/")))


def _tree_runs(name: str, argv: t.Sequence[str], change: Change) -> bool:
    if _is_script(change) or posixpath.basename(change.path).casefold() in _TREE_RUNNERS[name]:
        return True
    looks_only = {"--syntax-check", "--list-tasks", "--list-tags", "--list-hosts"} & set(argv)
    return name == "ansible-playbook" and not looks_only and change.path.endswith((".yml", ".yaml", ".j2"))


def _named(argv: t.Sequence[str], workspace: str, change: Change) -> bool:
    """Whether an argument names a changed script, a script beside it, or a file that the program obeys."""
    obeys = _program(argv[0]) in _OBEYS_FILE
    for number, argument in enumerate(argv[1:], 1):
        value = argument.split("=", 1)[1] if "=" in argument else (argument[2:] if argument.startswith("-") else argument)
        named = argument.startswith(("-f", "--file", "--makefile")) or argv[number - 1] in ("-f", "--file")
        if obeys and named and _relative(value, workspace) == change.path:
            return True
        if not _is_script(change):
            continue
        for text in {argument, value} - {""}:
            target = _relative(text, workspace)
            if target == change.path or (target is not None and target.endswith(_SCRIPTS) and _run_by_path(text, workspace, change)):
                return True
    return False


def runs_by(argv: t.Sequence[str], workspace: str, change: Change) -> bool:
    """Whether running *argv* in *workspace* would run what *change* changed: a program, a script, a build file, a module.

    In doubt it says yes for scripts and programs, and no for what is only read.
    """
    program = _program(argv[0])
    # A bare name is looked for on PATH, never in the workspace.
    if "/" in argv[0] and _run_by_path(argv[0], workspace, change):
        return True
    if program in _READERS or (program in _INTERPRETERS and _parse(program, argv).only_reads):
        return False
    if _named(argv, workspace, change):
        return True
    if program in _TREE_RUNNERS and _tree_runs(program, argv, change):
        return True
    if program in _INTERPRETERS and _interpreter_runs(program, argv, workspace, change):
        return True
    if program in _WRAPPERS:
        return any(_runs_others(argument) and runs_by(argv[number:], workspace, change) for number, argument in enumerate(argv[1:], 1))
    return False
