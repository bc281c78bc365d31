#!/usr/bin/python
# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: job
short_description: Put work into the inbox of a host, or take it out again
version_added: 0.1.0
description:
  - A job says that a slice is to be worked on, and why. It waits in the inbox of the host, C(var/lib/codex-ops/inbox.sqlite3) under
    O(prefix), until a worker takes it.
  - Adding a job runs nothing and asks no model. What comes of it goes through the gates of the host.
  - What is asked for again while a job about the same is open makes no second job. It is counted in the first.
options:
  state:
    description:
      - V(present) adds a job, unless an open one has the same O(dedupe_key).
      - V(cancelled) ends an open job that no worker has taken.
      - V(retried) opens a job again that was rejected, failed, rolled back, expired or cancelled.
    type: str
    default: present
    choices:
      - present
      - cancelled
      - retried
  slice:
    description:
      - The name of a slice that is installed in C(etc/codex-ops/slices.d) under O(prefix), or a slice as a dictionary.
      - Required with O(state=present).
    type: raw
  signal:
    description:
      - What was found on the host, in the form of C(schemas/signal.schema.json) of the collection.
      - It reaches the model as a delimited block of untrusted data. Secrets in it are masked before it is kept.
    type: dict
  input:
    description: Any other data that the agent needs. It is treated like O(signal). Both together may have at most one megabyte of JSON.
    type: raw
  dedupe_key:
    description:
      - Of several open jobs no two have the same key.
      - Without it, jobs of one slice are the same that have the same signal with the same findings, whatever was measured. Without a
        signal, those are the same that have the same O(input).
      - With O(state=cancelled), the open job with this key is meant. It is no error where there is none.
    type: str
  priority:
    description: Jobs with a higher number go first, then older ones. From -1000 to 1000.
    type: int
    default: 0
  expires_in:
    description: After what time the job is of no use any more, such as V(24h), V(30m), V(7d) or seconds. Without it, it stays.
    type: str
  id:
    description: The job that is to be cancelled or retried.
    type: str
  reason:
    description: Why it is cancelled or retried, for people.
    type: str
    default: ''
  prefix:
    description: The folder under which everything of the collection lies on the host.
    type: path
    default: /
extends_documentation_fragment:
  - day2.codex._attributes
requirements:
  - Python 3.9 or newer on the host
  - jsonschema 3.2 or newer on the host, for O(signal) and for a O(slice) that is a dictionary
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - While the job is open. Where it was closed since, O(state=present) adds a new one.
      - That an open job is counted once more is not a change.
  action_group:
    description: Use C(group/day2.codex.codex) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - day2.codex.codex
notes:
  - A job is added while the kill switch is engaged too, since nothing is lost then. Nobody works on it.
seealso:
  - module: day2.codex.job_info
  - module: day2.codex.slice
author:
  - The day2.codex authors (@day2-codex)
"""

EXAMPLES = r"""
- name: Let a finding be looked at, once, however often it is found
  day2.codex.job:
    slice: disk-report
    signal:
      signal: disk
      host: "{{ inventory_hostname }}"
      collected_at: "2026-01-15T03:15:00Z"
      status: critical
      summary: /srv is almost full.
      findings:
        - {id: "space:/srv", severity: CRITICAL, resource: /srv, expected: below 90 %, observed: 97 %}
    priority: 10
    expires_in: 7d
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"
  register: disk

- name: Cancel it, since somebody made room
  day2.codex.job:
    state: cancelled
    id: "{{ disk.job.id }}"
    reason: Old exports were removed by hand
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"

- name: Try again what failed while the provider was down
  day2.codex.job:
    state: retried
    id: job-20260115T031500Z-9f86d081884c
"""

RETURN = r"""
msg:
  description: What was done, or why not.
  type: str
  returned: always
  sample: The job job-20260115T031500Z-9f86d081884c is pending.
outcome:
  description: V(completed) where something changed, and V(unchanged) where nothing had to. Anything else fails the task.
  type: str
  returned: always
  sample: completed
code:
  description: A stable word for what went wrong.
  type: str
  returned: on failure
  sample: slice_not_found
details:
  description: Where a slice or a signal is wrong.
  type: list
  elements: dict
  returned: on failure
  sample: [{data_path: status, schema_path: properties.status.enum, expected: 'one of "ok", "warning", "critical", "unknown"', found: '"bad"'}]
job:
  description:
    - The job as it is now. V(null) where there is none.
    - Control and bidirectional characters are written out, such as C(\u{202e}).
  type: dict
  returned: success
  contains:
    id:
      description: The name of the job.
      type: str
    state:
      description:
        - Where it stands. V(pending), V(planned), V(awaiting_approval) and V(approved) are open.
        - The others are V(applied), V(unchanged), V(rejected), V(failed), V(rolled_back), V(expired) and V(cancelled).
      type: str
    slice:
      description: The name of its slice.
      type: str
    slice_sha256:
      description: The digest of the slice, once it is known.
      type: str
    dedupe_key:
      description: The key by which the same is known again.
      type: str
    priority:
      description: A job with a higher one goes first.
      type: int
    count:
      description: How often it was asked for while it was open.
      type: int
    first_seen:
      description: When it was asked for first, in UTC.
      type: str
    last_seen:
      description: When it was asked for last.
      type: str
    updated:
      description: When its state or its outcome changed last.
      type: str
    expires:
      description: When it is of no use any more, or V(null).
      type: str
    not_before:
      description: When it can be taken again, where it waits after an attempt that may go better later. V(null) otherwise.
      type: str
    attempts:
      description: How often a worker took it.
      type: int
    claimed_by:
      description: The worker that has it now, with C(worker), C(pid), C(since) and C(until), or V(null).
      type: dict
    signal:
      description: The signal that it came from.
      type: dict
    input:
      description: What else the agent is told.
      type: raw
    plan:
      description: The plan that was made for it.
      type: str
    run_ids:
      description: The runs that worked on it, oldest first.
      type: list
      elements: str
    outcome:
      description: The outcome of the last of them.
      type: str
    code:
      description: A stable word for what went wrong.
      type: str
    msg:
      description: The same for people.
      type: str
    approvals_needed:
      description: How many approvals its plan still needs.
      type: int
    requested_by:
      description: Who asked for it, under all names that are known. None of them may approve its plan.
      type: list
      elements: str
    history:
      description: What happened to it, oldest first, each with C(at), C(event), C(from), C(to), C(by) and C(why). It is empty here. See M(day2.codex.job_info).
      type: list
      elements: dict
    version:
      description: The version of this form.
      type: int
  sample:
    id: job-20260115T031500Z-9f86d081884c
    state: pending
    slice: disk-report
    dedupe_key: disk-full-srv
    priority: 0
    count: 3
run_id:
  description: The ID of this operation, which its records in the audit log carry. V(null) where nothing was recorded.
  type: str
  returned: always
  sample: 20260115T031500Z-9f86d081
audit:
  description: The record of this in the audit log. V(null) where nothing changed.
  type: dict
  returned: always
  contains:
    seq:
      description: Its number.
      type: int
    hash:
      description: Its hash.
      type: str
    first:
      description: The hash of the first record of that log, by which the log is known.
      type: str
  sample: {seq: 2, hash: b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._jobs import Request, change, failed, seconds
from ansible_collections.day2.codex.plugins.module_utils._options import Options


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "default": "present", "choices": ["present", "cancelled", "retried"]},
            "slice": {"type": "raw"},
            "signal": {"type": "dict"},
            "input": {"type": "raw"},
            # A name by which things are known again.
            "dedupe_key": {"type": "str", "no_log": False},
            "priority": {"type": "int", "default": 0},
            "expires_in": {"type": "str"},
            "id": {"type": "str"},
            "reason": {"type": "str", "default": ""},
            "prefix": {"type": "path", "default": "/"},
        },
        required_if=[("state", "present", ["slice"]), ("state", "retried", ["id"]), ("state", "cancelled", ["id", "dedupe_key"], True)],
        supports_check_mode=True,
    )
    params = module.params
    try:
        request = Request(
            state=params["state"],
            slice=params["slice"],
            signal=params["signal"],
            input=params["input"],
            dedupe_key=params["dedupe_key"],
            priority=params["priority"],
            expires_in=seconds(params["expires_in"]),
            id=params["id"],
            why=params["reason"],
        )
        result = change(Options(prefix=params["prefix"], check=module.check_mode, ansible=True), request)
    except CodexOpsError as error:
        result = failed(error)
    if not module._diff:
        result.pop("diff", None)
    (module.fail_json if result.pop("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
