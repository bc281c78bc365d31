#!/usr/bin/python
# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: exec
short_description: Ask the Codex CLI one thing and take its answer as data
version_added: 0.1.0
description:
  - Runs C(codex exec) once in a throw-away copy of a workspace, inside Codex's own sandbox, without network and without privileges,
    and returns its answer, its report and every command that it tried.
  - It asks and never changes the live tree. To have a change made, use M(day2.codex.slice).
  - An identical task is answered from memory. See O(rerun).
  - "Files that usually hold secrets are never copied: C(.env), C(.netrc), C(.pgpass), C(.npmrc), C(.ssh), C(.aws), C(.kube), private keys
    and the like. Neither is C(.git)."
options:
  prompt:
    description: What is asked.
    type: str
    required: true
  workspace:
    description: A folder on the host of which the agent gets a copy. Without it, the agent works in an empty folder.
    type: path
  sandbox:
    description:
      - V(read_only) lets the agent's commands read its copy.
      - V(workspace_write) lets them write in it; what they changed is returned as RV(patch). The live tree stays as it is.
    type: str
    default: read_only
    choices:
      - read_only
      - workspace_write
  output_schema:
    description:
      - A JSON schema for the answer, which is then returned as RV(report).
      - "Supported are C(type), C(enum), C(const), C(properties), C(required), C(additionalProperties) (only V(false)), C(items), C(anyOf), C($defs), C($ref),
        C(pattern), C(minimum), C(maximum), C(exclusiveMinimum), C(exclusiveMaximum), C(minLength), C(maxLength), C(minItems) and C(maxItems).
        The top is of type V(object)."
      - The answer is held against it on the host, and again on the controller. Properties that are not required may be missing or null.
    type: dict
  inputs:
    description: Any data that the question is about. It reaches the model as a delimited block of untrusted data.
    type: raw
extends_documentation_fragment:
  - day2.codex._provider
  - day2.codex._prefix
  - day2.codex._limits
  - day2.codex._attributes
  - day2.codex._attributes.actiongroup_codex
requirements:
  - Python 3.9 or newer on the host
  - The Codex CLI on the host
  - jsonschema 3.2 or newer on the host, for O(output_schema)
  - git on the host, for O(sandbox=workspace_write)
attributes:
  check_mode:
    support: full
    details:
      - The agent is asked in check mode too, since asking changes nothing. The answer is not remembered then.
  diff_mode:
    support: full
    details:
      - Nothing on the host changes, so there is no difference to show. What the agent wrote in its copy is in RV(patch).
  idempotent:
    support: full
    details:
      - The task never says that something changed.
seealso:
  - module: day2.codex.slice
author:
  - The day2.codex authors (@day2-codex)
"""

EXAMPLES = r"""
- name: Ask what a configuration means, rehearsed with a cassette
  day2.codex.exec:
    prompt: Which addresses does this configuration use to send mail?
    workspace: /srv/inbox
    output_schema:
      type: object
      properties:
        addresses:
          type: array
          items: {type: string}
      required: [addresses]
    limits:
      timeout: 300
      tokens: 50000
    cassette: files/which-addresses.json
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"
  register: answer

- name: Ask about data that a script has gathered
  day2.codex.exec:
    prompt: Which of these services restart in a loop, and why?
    inputs: "{{ services }}"
    api_key_file: /etc/codex-ops/secrets/provider-key
"""

RETURN = r"""
outcome:
  description: How it ended. Anything but V(completed) fails the task.
  type: str
  returned: always
  sample: completed
code:
  description: A stable word for what went wrong.
  type: str
  returned: on failure
  sample: provider_status_401
msg:
  description: What happened and, where something went wrong, what to do.
  type: str
  returned: always
  sample: The agent answered.
message:
  description: The agent's final message.
  type: str
  returned: when the agent ran
  sample: '{"addresses": ["noreply@inbox.example.com"]}'
report:
  description: The answer as data, when O(output_schema) was given and the answer fits it.
  type: dict
  returned: when the agent ran
  sample: {addresses: [noreply@inbox.example.com]}
details:
  description: Where a report or a schema is wrong.
  type: list
  elements: dict
  returned: when a report does not fit
  contains:
    data_path:
      description: The place in the report.
      type: str
    schema_path:
      description: The place in the schema.
      type: str
    expected:
      description: What was expected.
      type: str
    found:
      description: What was found.
      type: str
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
  sample: [{command: grep -r sender config, status: completed, exit_code: 0, reason: ""}]
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
  sample: {requests: 2, input_tokens: 1900, cached_input_tokens: 0, output_tokens: 70, total_tokens: 1970}
patch:
  description: What the agent changed in its copy, as a unified diff. Control and bidirectional characters are escaped.
  type: str
  returned: always
  sample: ""
run_id:
  description: The ID of this run, empty when it ended before it began. The run's folder and the records carry it.
  type: str
  returned: always
  sample: 20260115T031500Z-9f86d081
fingerprint:
  description: The digest by which an identical task is known again.
  type: str
  returned: when the agent was to be asked
  sample: 4d967a30111bf29f0eba01c448b375c1629b2fed01cdfcc3aed91f1b57d5dd5e
cached:
  description: Whether the result was remembered.
  type: bool
  returned: always
  sample: false
replayed:
  description: Whether the model's side came from a cassette.
  type: bool
  returned: when the agent ran
  sample: true
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
  sample: 1.4
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
  sample: {seq: 2, hash: b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.codex.plugins.module_utils._arguments import shared
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._operation import ask
from ansible_collections.day2.codex.plugins.module_utils._options import Question, options_from
from ansible_collections.day2.codex.plugins.module_utils._result import failure, finished


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **shared(),
            "prompt": {"type": "str", "required": True},
            "workspace": {"type": "path"},
            "sandbox": {"type": "str", "default": "read_only", "choices": ["read_only", "workspace_write"]},
            "output_schema": {"type": "dict"},
            "inputs": {"type": "raw"},
        },
        mutually_exclusive=[("api_key", "api_key_file")],
        supports_check_mode=True,
    )
    params = module.params
    try:
        question = Question(
            prompt=params["prompt"],
            workspace=params["workspace"],
            writable=params["sandbox"] == "workspace_write",
            output_schema=params["output_schema"],
            inputs=params["inputs"],
        )
        result = finished(ask(options_from(params, check=module.check_mode), question))
    except CodexOpsError as error:
        result = failure(error, "exec")
    (module.fail_json if result.pop("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
