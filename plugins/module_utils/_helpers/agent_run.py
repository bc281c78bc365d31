# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The helper agent-run: runs Codex as codex-agent for the engine, which is codex-ops. PRIVATE.

Standard input is one end of a pair of sockets. The ID of a run comes on it; back go first ``R`` with the relay's listening
socket (or ``E`` and why not), and ``D`` with how Codex ended. Anything else that comes, or its end, ends the run. Of the run's
folder only data are taken, read by a process of codex-ops: the copy, and ``request.json``. Codex' command line, environment,
configuration and permissions are made here.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import time
import typing as t

from .._agent import binary, config, process
from .._errors import CodexOpsError
from .._gates.kill_switch import engaged_reason
from .._identities import Account, foreign_part
from .._places import Places
from . import carry, jail, limits, start

#: What the engine asks of a run, in its folder; and where the copy comes back to.
REQUEST, RETURNED = "request.json", "returned"
_MAX_REQUEST = 16 * 1024 * 1024
_TOKEN = re.compile(r"[0-9a-f]{16,128}")
_MAX_SECONDS = 7 * 86400
#: Seconds beyond its own time after which a run is ended here, should the engine not do it; and for the way back of the copy.
_SPARE, _WAY_BACK = 60, 120
_SHAPE: dict[str, t.Any] = {
    "contract": (str, type(None)),
    "model": (str, type(None)),
    "output_schema": (dict, type(None)),
    "prompt": str,
    "reasoning_effort": (str, type(None)),
    "timeout": (int, float),
    "token": str,
    "writable": bool,
}


def main(argv: t.Sequence[str]) -> int:
    """The helper's exit status."""
    return start.main(_work, argv)


def _work() -> int:
    run_id = start.identifier(start.RUN)
    ops, agent = start.accounts()
    control = start.control(ops)
    # Only the engine's end may hold standard input: it is not Codex'.
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(null, 0)
    try:
        return _run(run_id, ops, agent, control)
    except (start.Refused, jail.Stopped, CodexOpsError, OSError) as error:
        why = carry.reason(error) if isinstance(error, OSError) else str(error)
        _tell(control, b"E" + why.encode("utf-8", "replace")[:2000])
        raise start.Refused(why, start.FAILED) from None


def _run(run_id: str, ops: Account, agent: Account, control: socket.socket) -> int:
    places = Places("/")

    def stopped() -> str | None:
        return engaged_reason(places.kill_switches)

    watch = jail.Watch(control, stopped, time.monotonic() + _SPARE)
    watch.check()
    folder = os.path.join(places.plans, run_id)
    program, install = _codex(places.codex[0])
    with start.only_one(run_id):
        request = _request(_read(folder, ops, watch))
        where = jail.base(folder)
        if where is None:
            raise start.Refused("There is no /mnt, /media or /srv in which the agent's folder could be mounted.", start.FAILED)
        jail.enter(where, install, agent)
        home = os.path.join(where, "codex-ops")
        watch = jail.Watch(control, stopped, time.monotonic() + request["timeout"] + _SPARE)
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            _carry(os.path.join(folder, "workspace"), ops, os.path.join(home, "workspace"), agent, watch)
            _prepare(home, request, listener.getsockname()[1], install, agent, watch)
            socket.send_fds(control, [b"R" + json.dumps({"home": home}).encode()], [listener.fileno()])
        with limits.limited(run_id.replace("/", ".")) as groups:
            status = _codex_run(home, program, install, request, agent, watch, groups)
        answer: dict[str, t.Any] = {**status, "returned": False, "missing": ""}
        try:
            late = jail.Watch(control, stopped, time.monotonic() + _WAY_BACK)
            _carry(os.path.join(home, "workspace"), agent, os.path.join(folder, RETURNED), ops, late)
            answer["returned"] = True
        except (start.Refused, OSError) as error:
            answer["missing"] = str(error)
        _tell(control, b"D" + json.dumps(answer).encode())
    return 0


def _tell(control: socket.socket, message: bytes) -> None:
    try:
        control.sendall(message)
    except OSError:
        pass


def _codex(path: str) -> tuple[str, str]:
    """(program, its package or itself): root's, every part of it.

    :raises Refused: for what somebody else could change.
    """
    try:
        foreign = foreign_part(path)
        if foreign is None:
            program = os.path.realpath(path)
            install = binary.package_dir(path) or program
            foreign = foreign_part(install)
            for above, folders, files in os.walk(install):
                for name in (*folders, *files):
                    foreign = foreign or foreign_part(os.path.join(above, name))
            if foreign is None:
                return program, install
    except OSError as error:
        raise start.Refused(f"The Codex CLI {path} cannot be used: {error.strerror}. Install it there.", start.FAILED) from None
    raise start.Refused(f"The Codex CLI {path} cannot be trusted: {foreign} is not root's alone.", start.FAILED)


def _read(folder: str, ops: Account, watch: jail.Watch) -> bytes:
    """``request.json`` as codex-ops can read it, in a folder that is its own."""

    def read() -> None:
        above = os.open(os.path.dirname(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        here = os.open(os.path.basename(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        for handle in (above, here):
            found = os.fstat(handle)
            if found.st_uid != ops.uid or found.st_mode & 0o077:
                raise PermissionError(1, "The folder of the run is not the engine's own")
        handle = os.open(REQUEST, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=here)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(22, "The request is not a regular file")
        with os.fdopen(handle, "rb") as stream:
            data = stream.read(_MAX_REQUEST + 1)
        with os.fdopen(says, "wb") as pipe:
            pipe.write(data)

    heard, says = os.pipe2(os.O_CLOEXEC)
    broken, complains = os.pipe2(os.O_CLOEXEC)
    with os.fdopen(heard, "rb") as stream, os.fdopen(broken, "rb") as complaints:
        child = jail.fork(ops, read, complains)
        os.close(says)
        os.close(complains)
        data = stream.read(_MAX_REQUEST + 1)
        _ended(watch.wait(child), complaints.read(1000), "The request cannot be read")
    return data


def _request(data: bytes) -> dict[str, t.Any]:
    """What the engine asks, in the one shape that there is.

    :raises Refused: for any other.
    """
    try:
        found = json.loads(data) if len(data) <= _MAX_REQUEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or set(found) != set(_SHAPE):
        raise start.Refused("The request is not of the form that this helper knows: engine and helpers must be of one version.", start.FAILED)
    for key, kinds in _SHAPE.items():
        if not isinstance(found[key], kinds) or (isinstance(found[key], bool) and kinds is not bool):
            raise start.Refused(f"In the request {key} is of the wrong type.", start.FAILED)
    if not _TOKEN.fullmatch(found["token"]) or not 0 < found["timeout"] <= _MAX_SECONDS or len(found["model"] or "") > 200:
        raise start.Refused("In the request token, timeout or model is out of range.", start.FAILED)
    return found


def _prepare(home: str, request: dict[str, t.Any], port: int, install: str, agent: Account, watch: jail.Watch) -> None:
    """The agent's own folder and its configuration, made by codex-agent itself."""
    from .._agent import folder  # pylint: disable=import-outside-toplevel
    from .._agent.request import AgentRequest  # pylint: disable=import-outside-toplevel

    layout = config.Layout(os.path.join(home, "agent"))
    plain = {key: request[key] for key in ("contract", "model", "output_schema", "prompt", "reasoning_effort", "timeout", "writable")}
    asked = AgentRequest(run_dir=home, workspace=os.path.join(home, "workspace"), codex_path="", tokens=None, **plain)
    text = config.config_toml(
        layout,
        port=port,
        writable=request["writable"],
        install=[os.path.join(home, "codex")],
        model=request["model"],
        reasoning_effort=request["reasoning_effort"],
        timeout=request["timeout"],
    )

    def prepare() -> None:
        folder.prepare(asked)
        folder.write(os.path.join(layout.codex_home, "config.toml"), text.encode())

    broken, complains = os.pipe2(os.O_CLOEXEC)
    with os.fdopen(broken, "rb") as complaints:
        child = jail.fork(agent, prepare, complains)
        os.close(complains)
        _ended(watch.wait(child), complaints.read(1000), "The agent's folder cannot be made")


def _carry(source: str, giver: Account, target: str, taker: Account, watch: jail.Watch) -> None:
    """Copy the tree *source* of *giver* to *target* of *taker*. :raises Refused:"""
    out, into = os.pipe2(os.O_CLOEXEC)
    broken, complains = os.pipe2(os.O_CLOEXEC)

    def give() -> None:
        os.close(out)
        carry.pack(source, into)

    def take() -> None:
        os.close(into)
        carry.unpack(target, out)

    with os.fdopen(broken, "rb") as complaints:
        children = [jail.fork(giver, give, complains), jail.fork(taker, take, complains)]
        for handle in (out, into, complains):
            os.close(handle)
        _ended(watch.wait(*children), complaints.read(1000), "The copy cannot be carried")


def _ended(statuses: list[int], complaint: bytes, what: str) -> None:
    if any(statuses):
        raise start.Refused(f"{what}: {complaint.decode('utf-8', 'replace') or 'a process was killed'}.", start.FAILED)


def _codex_run(home: str, program: str, install: str, request: dict[str, t.Any], agent: Account, watch: jail.Watch, groups: list[str]) -> dict[str, t.Any]:
    """Run Codex. ``exit_code`` or ``signal``, and ``not_started`` with why. Nothing of it is alive afterwards."""
    layout, workspace = config.Layout(os.path.join(home, "agent")), os.path.join(home, "workspace")
    inside = os.path.join(home, "codex") if install == program else os.path.join(home, "codex", os.path.relpath(program, install))
    argv = config.command_line(inside, layout, workspace, schema=request["output_schema"] is not None)
    environment = config.environment(layout, request["token"])
    prompt = process.input_file(request["prompt"].encode("utf-8", "replace"))
    heard, says = os.pipe2(os.O_CLOEXEC)
    with os.fdopen(heard, "rb") as stream:

        def first() -> None:
            limits.enter(groups)
            jail.first(argv, environment, workspace, prompt, agent, says)

        child = jail.fork_first(first, says)
        os.close(says)
        os.close(prompt)
        # Codex has them; who reads them waits for the end of every copy.
        for number in (1, 2):
            os.dup2(0, number)
        watch.wait(child)
        said = stream.read(4096)
    try:
        found = json.loads(said)
        status, why = int(found["status"]), str(found["why"])
    except (ValueError, KeyError, TypeError):
        why, status = said.decode("utf-8", "replace") or "it was killed", -1
    if why or status < 0:
        return {"exit_code": None, "signal": None, "not_started": why}
    code = os.waitstatus_to_exitcode(status)
    return {"exit_code": max(code, 0), "signal": -code if code < 0 else None, "not_started": ""}
