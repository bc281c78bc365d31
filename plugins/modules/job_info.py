#!/usr/bin/python
# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: job_info
short_description: Look at the jobs of a host
version_added: 0.1.0
description:
  - Returns jobs of the inbox of a host, newest first.
  - A host without an inbox has no jobs. A damaged inbox fails the task and is left as it is.
options:
  prefix:
    description: The folder under which everything of the collection lies on the host.
    type: path
    default: /
  filter:
    description: Only jobs that are all of this.
    type: dict
    default: {}
    suboptions:
      id:
        description: With this name.
        type: str
      states:
        description: In one of these states.
        type: list
        elements: str
        choices:
          - pending
          - planned
          - awaiting_approval
          - approved
          - applied
          - unchanged
          - rejected
          - failed
          - rolled_back
          - expired
          - cancelled
      slice:
        description: Of the slice of this name.
        type: str
      dedupe_key:
        description: With this key.
        type: str
      plan:
        description: For which this plan was made.
        type: str
      since:
        description: Added at this time or later. A date or a time in the form of RFC 3339. Without a zone it is UTC.
        type: str
      until:
        description: Added earlier than this time.
        type: str
  query:
    description:
      - A JMESPath expression. It is evaluated on the controller over the list RV(jobs), and its value is returned as RV(query_result).
      - It sees what O(limit) leaves.
      - It cannot be used with C(async).
    type: str
  limit:
    description: How many jobs are returned at most, the newest.
    type: int
    default: 100
  history:
    description: Whether to say of each job what happened to it.
    type: bool
    default: false
  content:
    description:
      - Whether C(signal) and C(input) of each job are returned. Together they can be a megabyte.
      - With V(false), both are V(null).
    type: bool
    default: true
  plans:
    description: Whether RV(plans) is returned.
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
seealso:
  - module: day2.codex.job
author:
  - The day2.codex authors (@day2-codex)
"""

EXAMPLES = r"""
- name: See what waits for people
  day2.codex.job_info:
    filter:
      states: [awaiting_approval]
    query: "[].{job: id, slice: slice, plan: plan, since: updated}"
  register: waiting

- name: See who has to decide about what
  day2.codex.job_info:
    plans: true
    limit: 1
  register: decisions

- name: See what failed since a day, and what happened to it
  day2.codex.job_info:
    filter:
      states: [failed, rolled_back]
      since: "2026-01-15"
    history: true
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"
"""

RETURN = r"""
msg:
  description: How many jobs there are.
  type: str
  returned: always
  sample: 3 jobs are as wanted.
code:
  description: A stable word for what went wrong.
  type: str
  returned: on failure
  sample: inbox_damaged
jobs:
  description:
    - The newest jobs that are as O(filter) wants, newest first.
    - Control and bidirectional characters are written out, such as C(\u{202e}).
  type: list
  elements: dict
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
      description: What happened to it, oldest first, each with C(at), C(event), C(from), C(to), C(by) and C(why). It is empty without O(history).
      type: list
      elements: dict
    version:
      description: The version of this form.
      type: int
  sample:
    - id: job-20260115T031500Z-9f86d081884c
      state: pending
      slice: disk-report
      dedupe_key: disk-full-srv
      priority: 0
      count: 3
count:
  description: How many jobs are as O(filter) wants, those beyond O(limit) included.
  type: int
  returned: success
  sample: 3
states:
  description: How many jobs there are in each state, whatever O(filter) wants.
  type: dict
  returned: success
  sample: {pending: 2, planned: 0, awaiting_approval: 1, approved: 0, applied: 17}
kill_switch:
  description: The state of the kill switch, with C(engaged), C(path), C(reason), C(by) and C(since). While it is engaged no job is taken.
  type: dict
  returned: when O(prefix) is valid
  sample: {engaged: false, path: null, reason: "", by: "", since: ""}
plans:
  description:
    - The plans that wait for people's approval, those of jobs and others.
    - Of one slice and workspace there is only the newest plan, and those that jobs wait with.
    - Whether the files are still as a plan found them is not looked at.
  type: dict
  returned: with O(plans=true), when the inbox could be read
  contains:
    waiting:
      description: The plans, newest first, at most 50.
      type: list
      elements: dict
      contains:
        id:
          description: The name of the plan.
          type: str
        sha256:
          description: Its digest, which an approval is bound to.
          type: str
        slice:
          description: The name of its slice.
          type: str
        workspace:
          description: The folder that it would change.
          type: str
        created:
          description: When it was made.
          type: str
        requested_by:
          description: Who asked for it, under at most 10 names.
          type: list
          elements: str
        files:
          description: How many files it would change.
          type: int
        added:
          description: How many lines it would add.
          type: int
        removed:
          description: How many lines it would remove.
          type: int
        approvals_needed:
          description: How many approvals policy wants.
          type: int
        approved_by:
          description: Whose approvals count so far.
          type: list
          elements: str
        reason:
          description: Why it needs them.
          type: str
        replayed:
          description: Whether a cassette stood in for the model.
          type: bool
        job:
          description: The job that waits with it, or V(null).
          type: str
    left_off:
      description: How many more plans may wait.
      type: int
    unreadable:
      description: How many plans could not be read or judged.
      type: int
  sample: {waiting: [], left_off: 0, unreadable: 0}
query_result:
  description: The value of O(query).
  type: raw
  returned: when O(query) is given and the inbox could be read
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._jobs import info, kill_switch

STATES = ["pending", "planned", "awaiting_approval", "approved", "applied", "unchanged", "rejected", "failed", "rolled_back", "expired", "cancelled"]


def main() -> None:
    """Run the module."""
    text = {"type": "str"}
    module = AnsibleModule(
        argument_spec={
            "prefix": {"type": "path", "default": "/"},
            "filter": {
                "type": "dict",
                "default": {},
                "options": {
                    "id": text,
                    "states": {"type": "list", "elements": "str", "choices": STATES},
                    "slice": text,
                    # A name by which things are known again.
                    "dedupe_key": {"type": "str", "no_log": False},
                    "plan": text,
                    "since": text,
                    "until": text,
                },
            },
            "query": text,
            "limit": {"type": "int", "default": 100},
            "history": {"type": "bool", "default": False},
            "content": {"type": "bool", "default": True},
            "plans": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    wanted = {name: value for name, value in params["filter"].items() if value is not None}
    known: dict[str, t.Any] = {}
    try:
        # First: what is wrong with the inbox hides it from nobody.
        known["kill_switch"] = kill_switch(params["prefix"])
        extent = {name: params[name] for name in ("limit", "history", "content", "plans")}
        known.update(info(params["prefix"], wanted, **extent))
    except CodexOpsError as error:
        module.fail_json(msg=str(error), code=error.code, **known)
    module.exit_json(changed=False, **known)


if __name__ == "__main__":
    main()
