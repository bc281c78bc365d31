#!/usr/bin/python
# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_info
short_description: Read the audit log and tell whether it is as it was written
version_added: 0.1.0
description:
  - Returns records of the audit log of a host, and verifies its chain with all files that were rotated away.
  - A log that was tampered with does not fail the task, so that it can still be read. See RV(verified), RV(first_bad) and O(fail_on_tampering).
  - A chain alone cannot show that its end was cut off, or that all of it was written anew. Heads that somebody else remembered can.
    Give them as O(anchors).
options:
  prefix:
    description: The folder under which everything of the collection lies on the host.
    type: path
    default: /
  path:
    description:
      - The log to read, such as one that the callback P(day2.codex.audit#callback) keeps.
      - Without it, C(var/log/codex-ops/audit.jsonl) under O(prefix).
    type: path
  filter:
    description: Only records that are all of this.
    type: dict
    default: {}
    suboptions:
      run_id:
        description: Of this run.
        type: str
      job_id:
        description: Of this job.
        type: str
      phase:
        description: Written before an operation (V(intent)) or after it (V(outcome)).
        type: str
        choices:
          - intent
          - outcome
      outcome:
        description: With this outcome, such as V(applied) or V(rejected).
        type: str
      since:
        description: At this time or later. A date or a time in the form of RFC 3339. Without a zone it is UTC.
        type: str
      until:
        description: Earlier than this time.
        type: str
      user:
        description: Of this user, by name or number, or by a name that the user came through, such as that of the caller of sudo or of the user in AWX.
        type: str
      slice:
        description: Of the slice of this name.
        type: str
  query:
    description:
      - A JMESPath expression. It is evaluated on the controller over the list RV(records), and its value is returned as RV(query_result).
      - It sees what O(limit) leaves.
      - It cannot be used with C(async).
    type: str
  limit:
    description: How many records are returned at most, the newest. With V(0), none.
    type: int
    default: 100
  remembered:
    description: Whether RV(remembered) is returned. It has no limit; use it with O(limit=0) where the records themselves are not needed.
    type: bool
    default: false
  summary:
    description:
      - Whether RV(summary) is returned, which adds up all records that are as O(filter) wants, whatever O(limit) says.
        Use it with O(limit=0) where the records themselves are not needed.
      - It is small however long the log is.
    type: bool
    default: false
  verify:
    description: Whether to verify the chain. A log is read at about a hundred megabytes a second.
    type: bool
    default: true
  anchors:
    description: Records that somebody else remembered. Each must stand in the log.
    type: list
    elements: dict
    default: []
    suboptions:
      seq:
        description: The number of the record.
        type: int
        required: true
      hash:
        description: Its hash, 64 hexadecimal digits.
        type: str
        required: true
      first:
        description: The hash of record 1 of the log in which it stood.
        type: str
      by:
        description: Who remembers it. RV(first_bad) names who does where not all remember the same.
        type: str
  fail_on_tampering:
    description: Whether the task fails when the log is not as it was written. It returns the same then, and verifies whatever O(verify) says.
    type: bool
    default: false
extends_documentation_fragment:
  - day2.codex._attributes
requirements:
  - Python 3.9 or newer on the host
  - jmespath on the controller, for O(query)
attributes:
  check_mode:
    support: full
    details:
      - Nothing is changed in any mode.
  diff_mode:
    support: none
  idempotent:
    support: full
  action_group:
    description: Use C(group/day2.codex.codex) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - day2.codex.codex
notes:
  - A log that ends in a torn line, after a crash or on a full disk, is not RV(verified) until the next record has healed it.
seealso:
  - module: day2.codex.slice
  - plugin: day2.codex.audit
    plugin_type: callback
author:
  - The day2.codex authors (@day2-codex)
"""

EXAMPLES = r"""
- name: See what happened last, and whether the log is whole
  day2.codex.audit_info:
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"
    limit: 20
  register: audit

- name: List every command that was denied since a day
  day2.codex.audit_info:
    filter:
      phase: outcome
      since: "2026-01-15"
    query: "[].{run: run_id, denied: attempts[?status == 'denied'].[command, reason]} | [?denied]"
    limit: 1000
  register: denied

- name: Add up the tokens of one slice
  day2.codex.audit_info:
    filter:
      phase: outcome
      slice: inbox-public-identity
    query: sum([].usage.total_tokens)
    limit: 10000
  register: tokens

- name: See the newest report of each slice, and what was spent on it
  day2.codex.audit_info:
    summary: true
    limit: 0
    filter:
      phase: outcome
      since: "2026-01-15"
  register: month

- name: Stop here when the log is not the one that an earlier task saw
  day2.codex.audit_info:
    anchors:
      - "{{ audit.head }}"
    fail_on_tampering: true
  when: audit.head is not none
"""

RETURN = r"""
msg:
  description: Whether the log is right and, where it is not, what is wrong.
  type: str
  returned: always
  sample: The chain of 128 records holds.
code:
  description: A stable word for what went wrong.
  type: str
  returned: on failure
  sample: log_tampered
log:
  description: The log that was read.
  type: str
  returned: when it could be read
  sample: /var/log/codex-ops/audit.jsonl
exists:
  description: Whether there is a file at all. A log that is not there has no records and no mistake in it.
  type: bool
  returned: when it could be read
  sample: true
first:
  description: The hash of the first record, by which a log is known wherever it lies, or V(null) where there is none.
  type: str
  returned: when it could be read
  sample: 7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730
records:
  description:
    - The newest records that are as O(filter) wants, oldest first. They are not verified one by one. See RV(first_bad).
    - Control and bidirectional characters are written out, such as C(\u{202e}).
  type: list
  elements: dict
  returned: when it could be read
  contains:
    seq:
      description: The number of the record.
      type: int
    time:
      description: When it was written, in UTC.
      type: str
    phase:
      description: Before the operation (V(intent)) or after it (V(outcome)).
      type: str
    run_id:
      description: The run.
      type: str
    job_id:
      description: The job, where there is one.
      type: str
    host:
      description: The host that wrote it.
      type: str
    user:
      description: Who ran it, and through whom.
      type: dict
    input:
      description: What it was about, with digests.
      type: dict
    command:
      description: What exactly ran.
      type: dict
    attempts:
      description: Every tool call of the agent with its outcome, denied ones included.
      type: list
      elements: dict
    result:
      description: How it ended.
      type: dict
    diff:
      description: Digest, size and files of the patch, and where it is kept.
      type: dict
    approval:
      description: Who approved it.
      type: dict
    rollback:
      description: Whether it was or can be taken back.
      type: dict
    usage:
      description: What the model's side counted.
      type: dict
    validation:
      description: What was checked.
      type: list
      elements: dict
    prev:
      description: The hash of the record before.
      type: str
    hash:
      description: The hash of this record.
      type: str
  sample:
    - seq: 2
      time: "2026-01-15T03:15:04.118402+00:00"
      phase: outcome
      run_id: 20260115T031500Z-9f86d081
      result: {outcome: applied}
count:
  description: How many records are as O(filter) wants, those beyond O(limit) included.
  type: int
  returned: when it could be read
  sample: 128
verified:
  description: Whether the chain holds and every one of O(anchors) stands in it. V(null) with O(verify=false).
  type: bool
  returned: when it could be read
  sample: true
head:
  description: The last record of the part that is right, or V(null) where there is none. With O(verify=false), the newest record.
  type: dict
  returned: when it could be read
  contains:
    seq:
      description: Its number.
      type: int
    hash:
      description: Its hash.
      type: str
  sample: {seq: 128, hash: b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9}
first_bad:
  description: Where the log is wrong first. V(null) where it is right.
  type: dict
  returned: when it could be read
  contains:
    seq:
      description: The number of the record that should stand there, or that O(anchors) names.
      type: int
    file:
      description: The file.
      type: str
    line:
      description: The line, from 1.
      type: int
    offset:
      description: Where the line begins, in bytes.
      type: int
    reason:
      description: What is wrong, in a sentence.
      type: str
    by:
      description: Who remembers another record there, where O(anchors[].by) is given.
      type: list
      elements: str
    agree:
      description: Who else remembers this record or one behind it as it stands in the log.
      type: list
      elements: str
  sample: null
healed:
  description:
    - The records before which torn lines stand, which a crash or a full disk left. V(null) with O(verify=false).
    - Nobody can tell what a torn line would have said. More of them than there were crashes are worth a look.
  type: list
  elements: dict
  returned: when it could be read
  contains:
    seq:
      description: The number of the record.
      type: int
    bytes:
      description: How many bytes of torn lines stand before it.
      type: int
  sample: [{seq: 8, bytes: 217}]
remembered:
  description:
    - What the records that are as O(filter) wants remember of other logs, each once. A host's remember the controller's, a controller's the hosts'.
    - Of what has not the right form, there is only C(record) and C(malformed).
  type: list
  elements: dict
  returned: with O(remembered=true), when it could be read
  contains:
    record:
      description: The number of the record in this log.
      type: int
    log:
      description: The other log. Of a host, its path; of a controller, the first 16 digits of the hash of its record 1.
      type: str
    seq:
      description: The number of a record of the other log.
      type: int
    hash:
      description: Its hash.
      type: str
    first:
      description: The hash of record 1 of the other log, where it is known.
      type: str
    host:
      description: The host that has the other log.
      type: str
    malformed:
      description: The name of the field that is malformed.
      type: str
  sample: [{log: 7d865e959b246691, seq: 41, hash: b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9, record: 7}]
summary:
  description:
    - What the agent's runs among the records come to. Of a text that is long there is the beginning, and how long it is.
    - Control and bidirectional characters are written out.
  type: dict
  returned: with O(summary=true), when the log could be read
  contains:
    records:
      description: How many records are as O(filter) wants.
      type: int
    slices:
      description: At most 64 slices, that with the latest run first.
      type: list
      elements: dict
      contains:
        slice:
          description: The name of the slice. V(null) stands for M(day2.codex.exec), which has none.
          type: str
        runs:
          description: How many runs there were, dry runs included.
          type: int
        requests:
          description: How many requests were made to the model.
          type: int
        tokens:
          description: How many tokens were used.
          type: int
        outcomes:
          description: How many runs had each outcome.
          type: dict
        last:
          description: The latest run that was no dry run, with C(run_id), C(job_id), C(time), C(outcome), C(code), C(msg) and C(tokens). V(null) without one.
          type: dict
        report:
          description:
            - The latest report of such a run, with C(run_id), C(time), C(status), C(summary), C(findings) (how many of each severity),
              C(worst) (at most 5 of them) and C(needs_human). V(null) without one.
          type: dict
        days:
          description:
            - The days that had runs, at most 92, oldest first, each with C(day), C(runs), C(tokens), and C(bad), the runs that went badly.
          type: list
          elements: dict
    slices_left_off:
      description: How many more slices there are.
      type: int
    denied:
      description:
        - The tool calls of agents that were denied. C(count) is how many, C(newest) the newest 25, oldest first, each with C(time), C(run_id), C(slice),
          C(command) and C(reason).
      type: dict
  sample: {records: 12, slices: [], slices_left_off: 0, denied: {count: 0, newest: []}}
query_result:
  description: The value of O(query).
  type: raw
  returned: when O(query) is given and the log could be read
  sample: 48210
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._places import Places
from ansible_collections.day2.codex.plugins.module_utils._trail.query import info
from ansible_collections.day2.codex.plugins.module_utils._workspace.escape import escape


def _shown(value: t.Any) -> t.Any:
    """*value* with everything visible: agents and their output are in it."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {escape(key): _shown(item) for key, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, list) else value


def main() -> None:
    """Run the module."""
    text = {"type": "str"}
    module = AnsibleModule(
        argument_spec={
            "prefix": {"type": "path", "default": "/"},
            "path": {"type": "path"},
            "filter": {
                "type": "dict",
                "default": {},
                "options": {
                    "run_id": text,
                    "job_id": text,
                    "phase": {"type": "str", "choices": ["intent", "outcome"]},
                    "outcome": text,
                    "since": text,
                    "until": text,
                    "user": text,
                    "slice": text,
                },
            },
            "query": text,
            "limit": {"type": "int", "default": 100},
            "remembered": {"type": "bool", "default": False},
            "summary": {"type": "bool", "default": False},
            "verify": {"type": "bool", "default": True},
            "anchors": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"seq": {"type": "int", "required": True}, "hash": {"type": "str", "required": True}, "first": text, "by": text},
            },
            "fail_on_tampering": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        result = _shown(
            info(
                params["path"] or Places(params["prefix"]).log,
                wanted={name: value for name, value in params["filter"].items() if value is not None},
                limit=params["limit"],
                check=params["verify"] or params["fail_on_tampering"],
                anchors=params["anchors"],
                memory=params["remembered"],
                summary=params["summary"],
            )
        )
    except CodexOpsError as error:
        module.fail_json(msg=str(error), code=error.code)
    if params["fail_on_tampering"] and not result["verified"]:
        module.fail_json(code="log_tampered", **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
