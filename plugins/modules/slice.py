#!/usr/bin/python
# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: slice
short_description: Have the Codex CLI do one closed operational slice, dry-run first
version_added: 0.1.0
description:
  - A slice is the contract of one task. It says what is in scope and what is not, which values are right and which are wrong, what must not be touched,
    what must work afterwards and what must stay rejected, and where the run ends.
  - The agent works in a throw-away copy of what is in scope. The engine then finds out byte by byte what changed, holds it against the slice, runs the
    validations in the patched copy, asks the gate, and only then writes the files, validates in place, and takes everything back when that fails.
  - The gate is the host's policy. It lets a plan be applied at once, makes it wait for the signed approvals of people, or forbids it. Without a policy nothing
    is changed. A task that waits for an approval is no failure; run again after the approval, it applies the very plan that was approved, and asks no model.
  - While the kill switch is engaged nothing is begun. O(state=rolled_back) stays possible.
  - Check mode is the dry run. With C(--diff) it shows the very patch that would be applied.
  - When no incorrect value is left in scope and every validation is as it should be, the goal holds and no model is asked.
options:
  slice:
    description: The slice. Its form is described in the guide on slices. Mutually exclusive with O(src) and O(name).
    type: dict
  src:
    description:
      - A YAML or JSON file on the controller that holds the slice. It is never templated.
      - Mutually exclusive with O(slice) and O(name).
    type: path
  name:
    description:
      - The name of a slice that is installed on the host, as C(etc/codex-ops/slices.d/NAME.json) under O(prefix).
      - Mutually exclusive with O(slice) and O(src).
    type: str
  state:
    description:
      - V(applied) plans and, where the gate is open, applies, or does so with the plan named by O(plan).
      - V(planned) plans and keeps the plan; nothing is applied.
      - V(rolled_back) takes back the apply of O(run_id). It refuses when somebody has changed one of the files since, and names them.
    type: str
    default: applied
    choices:
      - applied
      - planned
      - rolled_back
  inputs:
    description:
      - Any data that goes with the task, such as the signal for which a job would be made.
      - It reaches the model as a delimited block of untrusted data behind the instructions. Secrets in it are masked.
    type: raw
  plan:
    description:
      - The ID of a kept plan. Exactly what was planned is written, and no model is asked. A plan is used once.
    type: str
  run_id:
    description: The run that O(state=rolled_back) takes back. Required then.
    type: str
extends_documentation_fragment:
  - day2.codex._provider
  - day2.codex._prefix
  - day2.codex._limits
  - day2.codex._attributes
  - day2.codex._attributes.actiongroup_codex
requirements:
  - Python 3.9 or newer on the host
  - The Codex CLI on the host
  - jsonschema 3.2 or newer on the host
  - git on the host
attributes:
  check_mode:
    support: full
    details:
      - The agent works in its copy in check mode too, and its tokens are counted. The plan is thrown away.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - The goal is tested before any model is asked. A slice that has no goal to test is known again by its fingerprint.
seealso:
  - module: day2.codex.exec
author:
  - The day2.codex authors (@day2-codex)
"""

EXAMPLES = r"""
- name: Correct the public identity of Inbox, rehearsed with a cassette
  day2.codex.slice:
    slice:
      name: inbox-public-identity
      category: configuration_change
      workspace: /srv/inbox
      scope:
        include: ["config/**"]
        exclude: ["**/.env"]
      instructions: Inbox announces itself with a wrong sender. Put the correct one in place.
      values:
        correct:
          - {name: sender, value: noreply@inbox.example.com}
        incorrect:
          - {value: norply@inbox.example.com}
      do_not_touch:
        paths: [config/api.yml]
      validation:
        must_fail:
          - {name: the old sender is gone, argv: [/usr/bin/grep, -rq, "norply@", config]}
    cassette: files/inbox-public-identity.json
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"
  register: identity

- name: Take it back
  day2.codex.slice:
    state: rolled_back
    run_id: "{{ identity.run_id }}"
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"
"""

RETURN = r"""
outcome:
  description:
    - How it ended.
    - V(unchanged), V(planned), V(awaiting_approval), V(applied) and V(restored) are successes. Everything else fails the task.
  type: str
  returned: always
  sample: applied
code:
  description: A stable word for what went wrong.
  type: str
  returned: on failure
  sample: out_of_scope
msg:
  description: What happened and, where something went wrong, what to do.
  type: str
  returned: always
  sample: "Applied the plan 20260115T031500Z-9f86d081: 2 files."
plan:
  description: The plan, where the agent's change was taken.
  type: dict
  returned: when there is a plan
  contains:
    id:
      description: What O(plan) takes.
      type: str
    sha256:
      description: Digest of the whole plan.
      type: str
    patch_sha256:
      description: Digest of the patch.
      type: str
    base_sha256:
      description: Digest of the files in scope that it was made from.
      type: str
    slice_sha256:
      description: Digest of the slice.
      type: str
    files:
      description: The files that it changes.
      type: list
      elements: dict
      contains:
        path:
          description: The path in the workspace.
          type: str
        operation:
          description: V(create), V(modify) or V(delete).
          type: str
    added:
      description: Lines added.
      type: int
    removed:
      description: Lines removed.
      type: int
violations:
  description: Where the agent's change breaks the slice.
  type: list
  elements: dict
  returned: always
  contains:
    code:
      description: A stable word, such as V(out_of_scope) or V(do_not_touch_value).
      type: str
    path:
      description: The file.
      type: str
    line:
      description: The line, where one can be named.
      type: int
    detail:
      description: What is wrong with it.
      type: str
validation:
  description: The validations that ran.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Its name.
      type: str
    kind:
      description: V(must_hold) or V(must_fail).
      type: str
    stage:
      description: V(goal) before anything, V(copy) in the patched copy, V(live) in place.
      type: str
    ok:
      description: Whether it was as it should be.
      type: bool
    exit_code:
      description: Its exit code.
      type: int
    output:
      description: The end of its output.
      type: str
    reason:
      description: Why it was not as it should be.
      type: str
gate:
  description: What the host's policy says of the plan.
  type: dict
  returned: when there is a plan, or when policy forbids one
  contains:
    autonomy:
      description: V(automatic), V(approval) or V(forbidden).
      type: str
    approvals:
      description: How many people must approve it.
      type: int
    given:
      description: Who approved it.
      type: list
      elements: str
    code:
      description: A stable word for the rule that decided.
      type: str
    reason:
      description: That rule in a sentence.
      type: str
    opens:
      description: What would open the gate.
      type: str
actions:
  description: The privileged actions that were run after the files were written.
  type: list
  elements: dict
  returned: when a plan was applied
  contains:
    name:
      description: Its name in the policy.
      type: str
    argv:
      description: What the policy says is run.
      type: list
      elements: str
    ok:
      description: Whether it ended with exit code 0 in time.
      type: bool
    exit_code:
      description: Its exit code.
      type: int
    output:
      description: The end of its output, where it failed.
      type: str
    reason:
      description: Why it is not ok.
      type: str
    way_back:
      description: Whether it was run once more after a rollback, on the old files.
      type: bool
jobs:
  description: The IDs of the jobs of the inbox that the rollback moved on.
  type: list
  elements: str
  returned: when a run was taken back
rolled_back:
  description: Whether files were put back.
  type: bool
  returned: always
  sample: false
diff:
  description: The patch, in the form that C(--diff) shows.
  type: dict
  returned: in diff mode, when there is a patch
  contains:
    prepared:
      description: The unified diff.
      type: str
message:
  description: The agent's final message.
  type: str
  returned: when the agent ran
  sample: '{"status": "changed"}'
report:
  description: The agent's report as data. It is the agent's word.
  type: dict
  returned: when the agent ran
  sample: {status: changed}
details:
  description: Where a slice or a report is wrong, or which files have changed since.
  type: list
  elements: dict
  returned: when something can be named
commands:
  description: Every tool call of the agent in its order, those that were refused included.
  type: list
  elements: dict
  returned: always
  contains:
    command:
      description: What it tried to run.
      type: str
    status:
      description: V(completed), V(failed) or V(denied).
      type: str
    exit_code:
      description: The exit code, where it ran to its end.
      type: int
    reason:
      description: Why it failed or was denied.
      type: str
usage:
  description: What the model's side counted. All zero when no model was asked.
  type: dict
  returned: always
  contains:
    requests:
      description: Requests to the model.
      type: int
    input_tokens:
      description: Tokens read.
      type: int
    cached_input_tokens:
      description: Tokens read that the provider had cached.
      type: int
    output_tokens:
      description: Tokens written.
      type: int
    total_tokens:
      description: Tokens in all.
      type: int
patch:
  description: The change as a unified diff, that of a rejected plan too. Secrets are redacted; control and bidirectional characters are escaped.
  type: str
  returned: always
run_id:
  description: The ID of this run. To take back an apply, give it as O(run_id).
  type: str
  returned: always
  sample: 20260115T031500Z-9f86d081
fingerprint:
  description: The digest by which an identical task is known again.
  type: str
  returned: when the agent was to be asked
cached:
  description: Whether the result or the plan was remembered.
  type: bool
  returned: always
  sample: false
replayed:
  description: Whether the model's side came from a cassette.
  type: bool
  returned: when the agent ran
codex_version:
  description: The version of the Codex CLI.
  type: str
  returned: when the agent ran
  sample: 0.163.0
isolation:
  description: >-
    Whose rights the agent has on this host, inside Codex's sandbox. V(codex_agent) means the user C(codex-agent) of a provisioned host, who may do
    nothing; V(throw_away_user) a user number that nobody else has; V(same_user) the caller's own.
  type: str
  returned: always
  sample: same_user
duration:
  description: Seconds.
  type: float
  returned: always
  sample: 2.1
audit:
  description: The record of this run in the host's log. Empty when the run ended before anything could be recorded.
  type: dict
  returned: always
  contains:
    seq:
      description: Its number.
      type: int
    hash:
      description: Its digest, which the next record is bound to.
      type: str
    first:
      description: The hash of the first record of that log, by which the log is known.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.codex.plugins.module_utils._arguments import shared
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._operation import operate
from ansible_collections.day2.codex.plugins.module_utils._options import Order, options_from
from ansible_collections.day2.codex.plugins.module_utils._result import failure, finished


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **shared(),
            "slice": {"type": "dict"},
            "src": {"type": "path"},
            "name": {"type": "str"},
            "inputs": {"type": "raw"},
            "state": {"type": "str", "default": "applied", "choices": ["applied", "planned", "rolled_back"]},
            "plan": {"type": "str"},
            "run_id": {"type": "str"},
        },
        mutually_exclusive=[("api_key", "api_key_file"), ("slice", "src", "name"), ("plan", "run_id")],
        required_if=[("state", "rolled_back", ["run_id"])],
        supports_check_mode=True,
    )
    params = module.params
    try:
        order = Order(
            document=params["slice"],
            name=params["name"],
            source=params["src"],
            state=params["state"],
            plan=params["plan"],
            run_id=params["run_id"],
            inputs=params["inputs"],
        )
        result = finished(operate(options_from(params, check=module.check_mode), order), diff=module._diff)
    except CodexOpsError as error:
        result = failure(error, "slice")
    (module.fail_json if result.pop("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
