# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promises of the reader of Codex's event stream."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent.events import MAX_LINE, EventStream


def read(*chunks):
    stream = EventStream()
    for chunk in chunks:
        stream.feed(chunk)
    stream.close()
    return stream


def line(**event):
    return json.dumps(event).encode() + b"\n"


WHOLE = (
    line(type="thread.started", thread_id="t1")
    + line(type="turn.started")
    + line(type="item.completed", item={"type": "agent_message", "text": "first"})
    + line(type="item.completed", item={"type": "agent_message", "text": "läst"})
    + line(type="turn.completed", usage={"input_tokens": 3, "output_tokens": 4})
)


@pytest.mark.parametrize("size", [1, 2, 7, 100000])
def test_chunks_of_any_size_mean_the_same(size):
    stream = read(*(WHOLE[start : start + size] for start in range(0, len(WHOLE), size)))
    assert (stream.thread_id, stream.message, stream.turn_completed, stream.usage["output_tokens"]) == ("t1", "läst", True, 4)
    assert (stream.lines, stream.broken, stream.unknown, stream.too_long) == (5, 0, 0, 0)


def test_what_is_odd_is_counted_and_the_rest_is_read():
    odd = [
        b"not json\n", b"\xff\xfe\x00\n", b"[1,2]\n", b"{\"no\":\"type\"}\n", b"[" * 100000 + b"\n", b"\n", b"   \n",
        line(type="new.kind", x=1), line(type="item.completed", item="odd"), b'{"type":"item.completed","item":{"type":"agent_message","text":"caf\xe9"}}\n',
    ]  # fmt: skip
    stream = read(b"".join(odd) + WHOLE)
    assert stream.message == "läst" and stream.broken == 6 and stream.unknown == 1
    assert read(odd[-1]).message == "caf\ufffd"


def test_a_line_that_is_too_long_is_skipped_to_its_end():
    long = b'{"type":"item.completed","item":{"type":"agent_message","text":"' + b"x" * (MAX_LINE + 1) + b'"}}\n'
    stream = read(long + WHOLE)
    assert stream.too_long == 1 and stream.message == "läst"
    assert read(WHOLE + long[:-1]).too_long == 1


def test_failures_are_kept_in_their_words():
    stream = read(
        line(type="error", message="net"),
        line(type="turn.failed", error={"message": "quota"}),
        line(type="item.completed", item={"type": "error", "message": "odd"}),
    )
    assert (stream.errors, stream.turn_failed, stream.warnings, stream.turn_completed) == (["net"], "quota", ["odd"], False)
    assert len(read(*[line(type="error", message="e" * 5000)] * 100).errors) == 20


def test_the_last_line_needs_no_newline():
    assert read(WHOLE.rstrip(b"\n")).turn_completed


_FLOOD = """
import resource, sys
from ansible_collections.day2.codex.plugins.module_utils._agent.events import EventStream
stream = EventStream()
stream.feed(b"")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small = (b'{"type":"item.updated","item":{"type":"todo_list","text":"' + b"y" * 400 + b'"}}\\n') * 150
for _ in range(1600):
    stream.feed(small)
stream.feed(b'{"type":"x","text":"')
for _ in range(1600):
    stream.feed(b"x" * 65536)
stream.feed(b'"}\\n{"type":"turn.completed"}\\n')
stream.close()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sys.stdout.write(f"{after - before} {stream.turn_completed} {stream.too_long} {stream.lines}")
"""


def test_two_hundred_megabytes_of_events_need_little_memory():
    import os

    module = sys.modules["ansible_collections.day2.codex.plugins.module_utils._agent.events"]
    environment = {**os.environ, "PYTHONPATH": module.__file__.split("/ansible_collections/")[0]}
    done = subprocess.run([sys.executable, "-c", _FLOOD], env=environment, capture_output=True, text=True, check=True)
    grown, completed, too_long, lines = done.stdout.split()
    assert (completed, too_long, lines) == ("True", "1", "240001")
    assert int(grown) < 16 * 1024, "kilobytes"
