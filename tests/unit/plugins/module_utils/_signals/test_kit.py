# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wrong options are refused in words; tools of the host get no more than their time, their output and their words."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import time
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._signals import files, registry, tools
from ansible_collections.day2.codex.plugins.module_utils._signals.options import COMMON, Option, checked
from ansible_collections.day2.codex.plugins.module_utils._signals.report import Report

from .conftest import HIDDEN


@pytest.mark.parametrize("name", registry.NAMES)
def test_every_collector_describes_itself_and_its_defaults_are_good(name: str) -> None:
    found = registry.options_of(name)
    assert registry.load(name).WHAT.endswith(".") and set(COMMON) <= set(found)

    def hold(options: t.Mapping[str, Option]) -> None:
        for option_name, option in options.items():
            assert option.what.endswith("."), option_name
            assert not (option.required and option.default is not None)
            if option.keys:
                hold(option.keys)

    hold(found)
    checked({key: option for key, option in found.items() if not option.required}, {})


def test_a_collector_that_is_none_is_an_error() -> None:
    with pytest.raises(CodexOpsError, match="there is no collector 'disks'.*There are: health, disk"):
        registry.load("disks")


OPTIONS = {
    "bool": Option("bool", True, "x."), "int": Option("int", 1, "x.", minimum=1), "percent": Option("percent", 1, "x."),
    "path": Option("path", None, "x."),
    "span": Option("span", "1d", "x."), "size": Option("size", "1G", "x."), "texts": Option("texts", [], "x."),
    "one": Option("text", "a", "x.", choices=("a", "b")),
    "rules": Option("tables", [], "x.", keys={"path": Option("path", None, "x.", required=True), "count": Option("int", 3, "x.")}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"bool": "yes"}, True), ({"int": "7"}, 7), ({"percent": "12.5"}, 12.5), ({"span": "15m"}, 900), ({"span": 90}, 90), ({"size": "64K"}, 65536),
        ({"texts": ["a"]}, ["a"]), ({"rules": [{"path": "/a"}]}, [{"path": "/a", "count": 3}]), ({"path": None}, None), ({"span": None}, 86400),
    ],
)  # fmt: skip
def test_values_are_taken_as_people_write_them(given: dict[str, t.Any], wanted: t.Any) -> None:
    assert checked(OPTIONS, given)[next(iter(given))] == wanted


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "options: expected a dictionary"),
        ({"spam": 1}, "there is no option 'spam'.*There are: bool, int"),
        ({"percnt": 1}, "Did you mean 'percent'"),
        ({"bool": "perhaps"}, r"options.bool: expected true or false, found 'perhaps'"),
        ({"bool": 1}, "options.bool"),
        ({"int": 1.5}, "options.int: expected a whole number"),
        ({"int": True}, "options.int"),
        ({"int": 0}, "options.int: expected at least 1"),
        ({"percent": 101}, "from 0 to 100"),
        ({"percent": float("nan")}, "from 0 to 100"),
        ({"path": "relative"}, "options.path: expected an absolute path"),
        ({"path": "/a\0b"}, "options.path"),
        ({"span": "soon"}, "a time such as 90, 15m"),
        ({"span": -1}, "a time such as"),
        ({"size": "1 GB"}, "a size such as"),
        ({"texts": "a"}, "options.texts: expected a list"),
        ({"texts": [1]}, r"options.texts\[0\]: expected text"),
        ({"texts": ["a"] * 1001}, "at most 1000"),
        ({"one": "c"}, "options.one: expected one of a, b"),
        ({"rules": [{}]}, r"options.rules\[0\].path: it is required"),
        ({"rules": [{"path": "/a", "more": 1}]}, r"options.rules\[0\]: there is no option 'more'"),
    ],
)
def test_a_wrong_option_says_where_and_what(given: t.Any, message: str) -> None:
    with pytest.raises(CodexOpsError, match=message) as raised:
        checked(OPTIONS, given)
    assert (raised.value.code, raised.value.outcome) == ("option_invalid", "rejected")


# --- tools ----------------------------------------------------------------------------------------------------------------


def _run(look_with: t.Any, script: str, **more: t.Any) -> tuple[bytes, tools.Ended]:
    look_with.tool("tool", script)
    pieces: list[bytes] = []
    ended = tools.run(look_with.seen("disk", {}), ["tool", "a b", "$(id)"], pieces.append, **more)
    return b"".join(pieces), ended


def test_a_tool_gets_its_words_a_clean_environment_and_no_input(look_with: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "never")
    monkeypatch.setenv("LD_PRELOAD", "/nothing.so")
    said, ended = _run(look_with, 'printf "%s|" "$@"; cat; env; echo words >&2; exit 3')
    assert said.startswith(b"a b|$(id)|") and b"LC_ALL=C\n" in said
    assert b"never" not in said and b"LD_PRELOAD" not in said
    assert (ended.code, ended.words, ended.cut) == (3, "words", False)


def test_more_than_was_wanted_is_cut_off(look_with: t.Any) -> None:
    began = time.monotonic()
    said, ended = _run(look_with, "yes", max_output=100_000)
    assert len(said) == 100_000 and ended.cut and time.monotonic() - began < 10


def test_what_a_tool_left_behind_does_not_hold_it(look_with: t.Any) -> None:
    began = time.monotonic()
    said, ended = _run(look_with, "sleep 3073 & echo done")
    assert said == b"done\n" and ended.code == 0 and time.monotonic() - began < 10


def test_a_tool_that_floods_its_errors_is_read_to_its_end(look_with: t.Any) -> None:
    said, ended = _run(look_with, "yes error | head -c 5000000 >&2; echo done")
    assert said == b"done\n" and len(ended.words) <= 2000


def test_a_tool_that_cannot_run_is_missing(look_with: t.Any) -> None:
    seen = look_with.seen("disk", {})
    with pytest.raises(tools.Missing, match="tool is not installed"):
        tools.run(seen, ["tool"], bytes)
    look_with.tool("tool", "")
    (look_with.tools / "tool").write_text("#!/no/such/interpreter\n")
    with pytest.raises(tools.Missing, match="cannot be run"):
        tools.run(seen, ["tool"], bytes)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_are_whole_however_they_arrive(size: int) -> None:
    data = b"one\n\ntwo" + b"x" * (tools.MAX_LINE * 2) + b"\nlast"
    got: list[bytes] = []
    split = tools.Lines(got.append)
    for at in range(0, len(data), size):
        split(data[at : at + size])
    split.close()
    assert got == [b"one", b"", (b"two" + b"x" * tools.MAX_LINE)[: tools.MAX_LINE], b"last"]


# --- reports --------------------------------------------------------------------------------------------------------------


def test_an_id_is_short_plain_and_its_own(look: t.Any) -> None:
    report = Report("disk", look.seen("disk", {}))
    long = "/srv/" + "a" * 5000
    ids = {report.identify("space", path) for path in (long, long + "b", "/srv", "/srv\n", os.fsdecode(b"/srv\xff"), HIDDEN)}
    assert len(ids) == 6 and max(map(len, ids)) <= 200
    assert report.identify("x", "token=" + "Zx9" * 12) == Report("disk", look.seen("disk", {})).identify("x", "token=" + "Zx9" * 12)


def test_the_worst_findings_stay_and_the_others_are_counted(look: t.Any) -> None:
    report = Report("disk", look.seen("disk", {}))
    for number in range(300):
        report.add("INFO" if number % 3 else "CRITICAL", "x", f"{number:03}", detail="d" * 100_000)
    signal = report.signal(50)
    assert [found["severity"] for found in signal["findings"]] == ["CRITICAL"] * 49 + ["INFO"]
    assert signal["findings"][-1]["detail"] == "There are 251 more findings." and signal["truncated"]
    assert len(json.dumps(signal)) < 450_000


def test_a_signal_of_the_most_hostile_text_stays_small(look: t.Any) -> None:
    report = Report("disk", look.seen("disk", {}))
    for number in range(520):
        report.add("WARNING", "x", f"{number}" + "\u202e" * 5000, expected="\U000e0001" * 5000, observed=["\x1b" * 5000] * 500, detail="\x00" * 100_000)
        report.measure("m", "\ud800" * 5000, of=str(number))
    signal = report.signal(500)
    assert len(json.dumps(signal)) < 410_000 and len(signal["findings"]) > 300
    assert signal["status"] == "warning" and signal["truncated"]


def test_secrets_are_masked_wherever_they_stand(look: t.Any) -> None:
    report = Report("disk", look.seen("disk", {}))
    secret = "ghp_" + "a1B2" * 9
    report.add("WARNING", "x", f"/srv/{secret}", expected=secret, observed=[secret], detail=f"token {secret}")
    report.missed(secret, secret)
    report.measure("m", secret, of=secret)
    assert secret not in json.dumps(report.signal(100))


def test_what_could_not_be_seen_does_not_hide_what_was_found(look: t.Any) -> None:
    report = Report("disk", look.seen("disk", {}))
    report.missed("/mnt", "It does not answer.")
    assert report.signal(10)["status"] == "unknown"
    report.add("INFO", "x", "a")
    assert report.signal(10)["status"] == "unknown"
    report.add("WARNING", "x", "b")
    signal = report.signal(10)
    assert signal["status"] == "warning" and "Not looked at: /mnt: It does not answer." in signal["summary"]


# --- folders --------------------------------------------------------------------------------------------------------------


def test_a_walk_sees_what_is_there_in_its_order_and_leaves_nothing_open(tmp_path: pathlib.Path) -> None:
    for name in ("b/2", "b/1", "a/x/y", "c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    before = len(os.listdir("/proc/self/fd"))
    walk = files.Walk(time.monotonic() + 60, 1000)
    seen = [(folder[len(str(tmp_path)) :], [entry.name for entry in entries]) for folder, entries in walk.files(str(tmp_path))]
    assert seen == [("", ["c"]), ("/a", []), ("/a/x", ["y"]), ("/b", ["1", "2"])]
    half = files.Walk(time.monotonic() + 60, 1000).files(str(tmp_path))
    next(half)
    half.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_that_becomes_a_link_is_not_entered(tmp_path: pathlib.Path) -> None:
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("x")
    walk = files.Walk(time.monotonic() + 60, 1000)
    seen = []
    for folder, entries in walk.files(str(tmp_path / "tree")):
        seen += [entry.name for entry in entries]
        if folder.endswith("tree"):
            with contextlib.suppress(OSError):
                (tmp_path / "tree/sub").rmdir()
            (tmp_path / "tree/sub").symlink_to(tmp_path / "secret")
    assert seen == [] and walk.failures == 1
