# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody does to a log who wants to hide something. It knows the published form, and nothing of the collection.

usage: tamper.py word LOG SEQ         change one word of a record
       tamper.py rewrite LOG SEQ      change one word of a record, and compute its hash and those of all that follow anew
       tamper.py cut LOG COUNT        cut so many records off the end
       tamper.py replace LOG          write the whole log anew: one record that says nothing
"""

from __future__ import annotations

import hashlib
import json
import sys


def chain(bodies):
    """The lines of a log whose records have these bodies: (what stands behind ``seq``)."""
    found, prev = [], b"0" * 64
    for seq, body in enumerate(bodies, 1):
        covered = b'"prev":"%s","seq":%d,%s' % (prev, seq, body)
        prev = hashlib.sha256(b"{" + covered).hexdigest().encode()
        found.append(b'{"hash":"%s",%s\n' % (prev, covered))
    return found


def body(line):
    """What stands behind ``seq``."""
    return line.rstrip(b"\n").split(b",", 3)[3]


def main(verb, path, number="0"):
    """Do one of them."""
    with open(path, "rb") as handle:
        lines = handle.readlines()
    at = int(number) - 1
    if chain([body(line) for line in lines]) != lines:
        raise SystemExit("this log is not what the published form says")
    if verb in ("word", "rewrite"):
        changed = lines[at].replace(b'"check_mode":false', b'"check_mode":true ' if verb == "word" else b'"check_mode":true')
        if changed == lines[at]:
            raise SystemExit("there is no such word in this record")
        lines[at] = changed
    if verb == "rewrite":
        lines = chain([body(line) for line in lines])
    elif verb == "cut":
        lines = lines[: -int(number)]
    elif verb == "replace":
        record = json.loads(lines[0])
        for name in ("hash", "prev", "seq"):
            del record[name]
        lines = chain([json.dumps(record, sort_keys=True, separators=(",", ":")).encode()[1:]])
    with open(path, "wb") as handle:
        handle.writelines(lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
