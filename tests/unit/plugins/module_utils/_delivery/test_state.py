# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered is read back whole or not at all; what is damaged is put aside and said."""

from __future__ import annotations

import json
import pathlib

import pytest

from ansible_collections.day2.codex.plugins.module_utils._delivery.state import MOST_HELD, Sending, State, load, save, set_aside
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError

ENTRY = {"ticket": "job-1", "job": "job-1", "created": 1.0, "mark": "x.y", "open": True, "at": 1.0}


@pytest.mark.parametrize(
    "state",
    [
        State(seen=5.0, tickets={"k": dict(ENTRY)}, told={"w": {"at": 1.0, "severity": "WARNING"}}),
        Sending(sent=[1.0], done={"msg_1": 1.0}, tries={"msg_2": {"calls": 1, "refused": 1, "at": 1.0, "why": "no"}}, why="no", refused="msg_2"),
    ],
)
def test_what_is_saved_is_loaded(tmp_path: pathlib.Path, state: State | Sending) -> None:
    assert load(str(tmp_path), type(state)) is None and set_aside(str(tmp_path), type(state)) is None
    save(str(tmp_path), state)
    assert load(str(tmp_path), type(state)) == state
    assert set_aside(str(tmp_path), type(state)) is None


@pytest.mark.parametrize("kind", [State, Sending])
@pytest.mark.parametrize("damage", ["", "[]", "{", "5", '{"version": 1}', '{"tickets": {"a": {}}}', '{"tries": {"a": 1}}', '{"done": {"a": "x"}, "seen": "x"}'])
def test_what_is_damaged_is_put_aside_and_said(tmp_path: pathlib.Path, kind: type[State] | type[Sending], damage: str) -> None:
    path = tmp_path / ("state.json" if kind is State else "sending.json")
    path.write_text(damage)
    assert load(str(tmp_path), kind) is None  # type: ignore[type-var]
    said = set_aside(str(tmp_path), kind)
    assert said and f"{path} was damaged" in said and not path.exists()
    assert (tmp_path / f"{path.name}.damaged").read_text() == damage


def test_what_a_newer_engine_wrote_stays_where_it_is(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "sending.json"
    path.write_text('{"version": 2, "done": {}}')
    for work in (lambda: load(str(tmp_path), Sending), lambda: set_aside(str(tmp_path), Sending)):
        with pytest.raises(CodexOpsError) as caught:
            work()
        assert caught.value.code == "newer_state"
    assert json.loads(path.read_text())["version"] == 2


def test_of_what_is_held_the_worst_stays(tmp_path: pathlib.Path) -> None:
    state = Sending(held=[{"severity": "CRITICAL"}, *[{"severity": "WARNING"}] * (2 * MOST_HELD)])
    save(str(tmp_path), state)
    assert len(state.held) == MOST_HELD and {"severity": "CRITICAL"} in state.held
