#!/usr/bin/python
# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: approval
short_description: Look at a plan, and approve or reject it with an SSH key
version_added: 0.1.0
description:
  - Shows a plan to whoever has to decide about it, as the playbook C(day2.codex.approve) does before it asks. The patch is made
    anew from the bytes that would be written and from the files that stand on the host now.
  - With O(decision) it signs the plan's digests on the controller with C(ssh-keygen -Y sign), and keeps the signed decision on the host. The private key
    never leaves the controller.
  - The host verifies the signature against C(etc/codex-ops/allowed_signers) under O(prefix), now and again when the plan is applied. What it takes is described
    in the guide on approvals.
  - An approval is bound to the plan, its patch, the files that it was made from, the slice, the policy and the host. It is void when one byte of these changes,
    when it expires, when its key is taken out of the file or revoked, and when anybody rejects the plan.
  - Nobody approves a plan that they asked for. Where policy wants several approvals, they must come from different people with different keys.
options:
  plan:
    description: The ID of the plan, as RV(day2.codex.slice#module:plan.id) gives it.
    type: str
    required: true
  decision:
    description:
      - V(approve) or V(reject). Without it, the plan is only shown.
      - One rejection is enough, and cannot be taken back.
    type: str
    choices:
      - approve
      - reject
  approver:
    description: Who decides, by the name in C(allowed_signers). Required with O(decision), unless O(statement) is given.
    type: str
  signing_key:
    description:
      - The file of the private SSH key on the controller, or of the public key (C(.pub)) when an SSH agent holds the private one.
      - A key with a passphrase needs the agent, since nobody can be asked for it.
    type: path
  expires_in:
    description:
      - For how long the decision can be used, such as V(30m), V(24h) or V(7d). A number is seconds.
      - Without it, that is 24 hours, or less where policy sets less.
      - A rejection that was kept holds for ever.
    type: str
  comment:
    description: What the person says about it. It is signed too, and everybody can read it.
    type: str
    default: ""
  plan_sha256:
    description:
      - The digest of the plan that the person looked at, as an earlier task returned it in RV(plan.sha256). Another plan is refused.
    type: str
  statement:
    description:
      - A statement that was signed elsewhere, exactly as RV(statement) gave it. With it, nothing is signed here.
    type: str
  signature:
    description: The signature of O(statement), as C(ssh-keygen -Y sign -n codex-ops-approval) writes it.
    type: str
  prefix:
    description: The folder under which everything of the collection lies on the host.
    type: path
    default: /
  retention:
    description: For how many days what was kept of a run stays, its plan included. V(0) keeps everything.
    type: int
    default: 90
extends_documentation_fragment:
  - day2.codex._attributes
requirements:
  - Python 3.9 or newer on the host
  - git on the host
  - OpenSSH 8.1 or newer on the host, and on the controller where it signs
attributes:
  async:
    support: none
    details:
      - The controller signs between two steps on the host.
  check_mode:
    support: full
    details:
      - Nothing is signed and nothing is kept.
  diff_mode:
    support: full
    details:
      - The diff is the plan's patch.
  idempotent:
    support: full
    details:
      - While a decision of the same person about the same plan counts, it is not made again.
  action_group:
    description: Use C(group/day2.codex.codex) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - day2.codex.codex
seealso:
  - module: day2.codex.slice
  - module: day2.codex.audit_info
author:
  - The day2.codex authors (@day2-codex)
"""

EXAMPLES = r"""
- name: Look at a plan
  day2.codex.approval:
    plan: "{{ plan }}"
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"
  register: looked

- name: Approve exactly that plan, with a key that an SSH agent holds
  day2.codex.approval:
    plan: "{{ plan }}"
    plan_sha256: "{{ looked.plan.sha256 }}"
    decision: approve
    approver: alice
    signing_key: ~/.ssh/id_ed25519.pub
    expires_in: 4h
    comment: Checked against the ticket.
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"
  when: looked.outcome == 'awaiting_approval'

- name: Reject a plan
  day2.codex.approval:
    plan: "{{ plan }}"
    decision: reject
    approver: alice
    signing_key: ~/.ssh/id_ed25519
    comment: Not before the weekend.
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"

- name: Keep a decision that was signed on another machine
  day2.codex.approval:
    plan: "{{ plan }}"
    statement: "{{ lookup('ansible.builtin.file', 'statement.json') }}"
    signature: "{{ lookup('ansible.builtin.file', 'statement.json.sig') }}"
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"
"""

RETURN = r"""
outcome:
  description:
    - V(awaiting_approval) while approvals are missing, V(completed) when a decision was kept or the plan waits for none, V(unchanged) when the decision
      was kept before. Everything else fails the task.
  type: str
  returned: always
  sample: completed
code:
  description: A stable word for what went wrong, such as V(own_request), V(signer_unknown), V(approval_expired) or V(plan_rejected).
  type: str
  returned: on failure
  sample: signer_unknown
msg:
  description: What happened and, where something went wrong, what to do.
  type: str
  returned: always
  sample: Kept the approval of alice for the plan 20260115T031500Z-9f86d081, which holds until 2026-01-16T03:20:00Z.
plan:
  description: The plan.
  type: dict
  returned: when it could be read
  contains:
    id:
      description: Its ID.
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
    policy_sha256:
      description: Digest of the policies under which it was made.
      type: str
    slice:
      description: The name of the slice.
      type: str
    category:
      description: The category of the slice.
      type: str
    workspace:
      description: The live tree.
      type: str
    host_id:
      description: The host that made it.
      type: str
    created:
      description: When it was made.
      type: str
    requested_by:
      description: The names of whoever asked for it.
      type: list
      elements: str
    actions:
      description: The privileged actions that go with it.
      type: list
      elements: str
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
patch:
  description:
    - The change as a unified diff, made anew from the bytes that would be written. Secrets are redacted; control and bidirectional characters are escaped.
    - Of a plan that can only be rejected any more, it is the patch that the plan carries.
  type: str
  returned: always
report:
  description: The agent's report as data. It is the agent's word.
  type: dict
  returned: when the plan could be read
  sample: {status: changed}
validation:
  description: The validations that ran in the patched copy when the plan was made.
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
      description: V(copy).
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
replayed:
  description: Whether the model's side came from a cassette.
  type: bool
  returned: when the plan could be read
gate:
  description: What the host's policy says of the plan.
  type: dict
  returned: when the plan could be read
  contains:
    autonomy:
      description: V(automatic), V(approval) or V(forbidden).
      type: str
    approvals:
      description: How many people must approve it.
      type: int
    code:
      description: A stable word for the rule that decided.
      type: str
    reason:
      description: That rule in a sentence.
      type: str
    opens:
      description: What would open the gate.
      type: str
approvals:
  description: The decisions that count.
  type: list
  elements: dict
  returned: always
  contains:
    sha256:
      description: Digest of the signed statement.
      type: str
    plan:
      description: The ID of the plan.
      type: str
    decision:
      description: V(approve) or V(reject).
      type: str
    approver:
      description: Whose decision it is.
      type: str
    key:
      description: The fingerprint of the key. Empty for a rejection that was kept earlier.
      type: str
    issued:
      description: When the statement was made.
      type: str
    expires:
      description: Until when an approval counts.
      type: str
    comment:
      description: What the person said.
      type: str
missing:
  description: How many approvals are missing.
  type: int
  returned: when the plan could be read
  sample: 0
not_counted:
  description: Why other decisions that are kept do not count, in sentences.
  type: list
  elements: str
  returned: when the plan could be read
statement:
  description:
    - What has to be signed, byte for byte. V(null) where there is nothing to sign.
    - It is returned when O(decision) and O(approver) are given, and neither O(signing_key) nor O(signature).
  type: str
  returned: always
diff:
  description: The patch, in the form that C(--diff) shows.
  type: dict
  returned: in diff mode, when there is a patch
  contains:
    prepared:
      description: The unified diff.
      type: str
run_id:
  description: The ID of this run.
  type: str
  returned: always
  sample: 20260115T032000Z-0a1b2c3d
duration:
  description: Seconds.
  type: float
  returned: always
  sample: 0.1
runs:
  description: What is run on the host when the plan is applied, the validations in a sandbox that can only read, the actions as they are.
  type: list
  elements: dict
  returned: when there is the plan
  contains:
    kind:
      description: V(must_hold), V(must_fail) or V(action).
      type: str
    name:
      description: Its name.
      type: str
    argv:
      description: The command.
      type: list
      elements: str
jobs:
  description: The IDs of the jobs of the inbox that the decision moved on.
  type: list
  elements: str
  returned: when a decision was kept
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

from ansible_collections.day2.codex.plugins.module_utils._approving import Ballot, decide, failed, seconds_in
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._options import Options
from ansible_collections.day2.codex.plugins.module_utils._result import finished


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "plan": {"type": "str", "required": True},
            "decision": {"type": "str", "choices": ["approve", "reject"]},
            **{name: {"type": "str"} for name in ("approver", "expires_in", "plan_sha256", "statement", "signature")},
            # Used on the controller. Here it is only known.
            "signing_key": {"type": "path", "no_log": False},
            "comment": {"type": "str", "default": ""},
            "prefix": {"type": "path", "default": "/"},
            "retention": {"type": "int", "default": 90},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        ballot = Ballot(
            expires_in=seconds_in(params["expires_in"]) if params["expires_in"] is not None else None,
            **{name: params[name] for name in ("plan", "decision", "approver", "comment", "plan_sha256", "statement", "signature")},
        )
        options = Options(prefix=params["prefix"], check=module.check_mode, ansible=True, retention=params["retention"])
        result = finished(decide(options, ballot), diff=module._diff)
    except CodexOpsError as error:
        result = failed(error)
    (module.fail_json if result.pop("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
