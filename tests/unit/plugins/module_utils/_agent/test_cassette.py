# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of cassettes."""

from __future__ import annotations

import copy
import json
import os

import jsonschema
import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent import cassette
from ansible_collections.day2.codex.plugins.module_utils._agent.ledger import Exchange, Ledger
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor

GOOD = {
    "version": 1,
    "strict": False,
    "note": "n",
    "codex_version": "0.163.0",
    "model": "m",
    "exchanges": [
        {
            "request": {"tools": ["a"], "input": [{"type": "message"}]},
            "response": {"items": [{"type": "message"}], "usage": {"input_tokens": 1, "total_tokens": 0}},
        },
        {"response": {"status": 500, "body": "x"}},
        {"response": {"hang": True}},
        {"response": {"drop": True}},
    ],
}


def changed(change):
    value = copy.deepcopy(GOOD)
    change(value)
    return value


def answer(**fields):
    return changed(lambda value: value["exchanges"][0]["response"].update(fields))


BAD = {
    "a list": [],
    "null": None,
    "no version": changed(lambda value: value.pop("version")),
    "version 2": changed(lambda value: value.update(version=2)),
    "version true": changed(lambda value: value.update(version=True)),
    "strict text": changed(lambda value: value.update(strict="yes")),
    "note number": changed(lambda value: value.update(note=1)),
    "unknown key": changed(lambda value: value.update(extra=1)),
    "no exchanges": changed(lambda value: value.pop("exchanges")),
    "empty exchanges": changed(lambda value: value.update(exchanges=[])),
    "exchange no object": changed(lambda value: value.update(exchanges=[1])),
    "no response": changed(lambda value: value["exchanges"][0].pop("response")),
    "empty response": changed(lambda value: value["exchanges"][0].update(response={})),
    "two kinds": answer(hang=True),
    "items no list": answer(items={}),
    "items empty": answer(items=[]),
    "item no object": answer(items=["x"]),
    "item no type": answer(items=[{"type": ""}]),
    "unknown usage": answer(usage={"tokens": 1}),
    "negative usage": answer(usage={"input_tokens": -1}),
    "true usage": answer(usage={"input_tokens": True}),
    "status 200": changed(lambda value: value["exchanges"][1]["response"].update(status=200)),
    "status text": changed(lambda value: value["exchanges"][1]["response"].update(status="500")),
    "body object": changed(lambda value: value["exchanges"][1]["response"].update(body={})),
    "hang false": changed(lambda value: value["exchanges"][2]["response"].update(hang=False)),
    "hang one": changed(lambda value: value["exchanges"][2]["response"].update(hang=1)),
    "drop and more": changed(lambda value: value["exchanges"][3]["response"].update(body="x")),
    "request list": changed(lambda value: value["exchanges"][0].update(request=[])),
    "request key": changed(lambda value: value["exchanges"][0]["request"].update(x=1)),
    "tools text": changed(lambda value: value["exchanges"][0]["request"].update(tools="a")),
    "input texts": changed(lambda value: value["exchanges"][0]["request"].update(input=["a"])),
}


@pytest.fixture(scope="module")
def schema():
    module_path = cassette.__file__
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(module_path))))
    with open(os.path.join(root, "schemas", "cassette.schema.json"), encoding="utf-8") as stream:
        value = json.load(stream)
    jsonschema.Draft202012Validator.check_schema(value)
    return jsonschema.Draft202012Validator(value)


def test_a_valid_cassette_is_valid_for_both(schema):
    assert cassette.check(GOOD) is GOOD
    assert list(schema.iter_errors(GOOD)) == []


@pytest.mark.parametrize("name", BAD)
def test_what_the_checks_refuse_the_schema_refuses_too(schema, name):
    assert list(schema.iter_errors(BAD[name]))
    with pytest.raises(CodexOpsError) as caught:
        cassette.check(BAD[name])
    assert caught.value.code == "cassette_invalid" and "expected" in str(caught.value) and caught.value.where


def test_everything_in_the_schema_is_described(schema):
    def look(node, where):
        if isinstance(node, dict):
            for name, child in {**node.get("properties", {}), **node.get("$defs", {})}.items():
                assert "description" in child or "$ref" in child, f"{where}/{name}"
                look(child, f"{where}/{name}")

    look(schema.schema, "")


def test_text_that_is_no_json_is_told():
    with pytest.raises(CodexOpsError) as caught:
        cassette.load("{", "demo.json")
    assert caught.value.code == "cassette_invalid" and caught.value.where == "demo.json"


def body(*texts, tools=("b", "a")):
    messages = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]} for text in texts]
    return {"input": messages, "tools": [{"type": "function", "name": name} for name in tools]}


def test_a_request_is_reduced_to_what_matters():
    request = body("<environment_context>\n/tmp</environment_context>", "the prompt")
    request["input"].insert(0, {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "framing"}]})
    request["input"].append({"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "out"}]})
    assert cassette.asked(request, 0) == {
        "tools": ["a", "b"],
        "input": [{"type": "message", "role": "user", "text": "the prompt"}, {"type": "function_call_output", "call_id": "c1", "output": "out"}],
    }
    assert cassette.asked(request, 3)["input"][0]["type"] == "function_call_output"


def replay(recorded_request, strict=True):
    tape = {"version": 1, "strict": strict, "exchanges": [{"request": recorded_request, "response": {"items": [{"type": "message", "text": "@workspace@/x"}]}}]}
    ledger = Ledger(None, 10)
    return cassette.Replay(tape, cassette.Places("/run/1/work", "/run/1"), Redactor(["hunter2-secret"]), ledger), ledger


@pytest.mark.parametrize(
    ("recorded", "same"),
    [
        ({"input": [{"type": "message", "text": "in @workspace@ and @run@/b"}], "tools": ["a", "b"]}, True),
        ({"input": [{"type": "message", "text": "in @workspace@ and @run@/c"}]}, False),
        ({"input": [{"type": "message", "text": "in @workspace@ and @run@/b"}, {"type": "message", "text": "more"}]}, False),
        ({"tools": ["b"]}, False),
        ({}, True),
    ],
)
def test_a_strict_cassette_holds_the_run_to_its_prompt_and_tools(recorded, same):
    for strict in (True, False):
        player, ledger = replay(recorded, strict)
        response = player.next(Exchange(body("in /run/1/work and /run/1/b")))
        assert (response is not None) is (same or not strict)
        if response is None:
            assert ledger.verdict.code == "cassette_mismatch"
        else:
            assert response["items"][0]["text"] == "/run/1/work/x"
        ledger.close()


def test_markers_of_another_process_do_not_make_a_difference():
    player, ledger = replay({"input": [{"type": "message", "text": "use [redacted:known_value:0000]"}]})
    assert player.next(Exchange(body("use hunter2-secret"))) is not None
    ledger.close()


def test_a_recording_keeps_items_and_faults_but_no_secret():
    recorder = cassette.Recorder(cassette.Places("/run/1/work", "/run/1"), Redactor(["hunter2-secret"]), "0.163.0", "m")
    assert recorder.cassette() is None
    done = Exchange(body("hunter2-secret"), completed=True, usage={"input_tokens": 1, "cached_input_tokens": 0, "output_tokens": 2, "total_tokens": 3})
    done.items = [{"type": "reasoning", "encrypted_content": "e"}, {"type": "function_call", "id": "x", "arguments": "cat /run/1/work/f hunter2-secret"}]
    recorder.add(done)
    recorder.add(Exchange(body("b"), completed=False))
    recorder.add(Exchange(body("b"), fault={"status": 401, "body": "no"}))
    made = cassette.check(recorder.cassette())
    assert len(made["exchanges"]) == 2 and made["exchanges"][1]["response"] == {"status": 401, "body": "no"}
    assert "hunter2" not in json.dumps(made) and "@workspace@/f" in made["exchanges"][0]["response"]["items"][0]["arguments"]
