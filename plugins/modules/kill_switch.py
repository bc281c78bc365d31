#!/usr/bin/python
# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kill_switch
short_description: Stop all work of the agent on a host, or let it go on
version_added: 0.1.0
description:
  - The kill switch of a host is the file C(/etc/codex-ops/disabled). While there is anything at that path, nothing new begins,
    and running agents end with all their processes within a second. No option overrides it.
  - An apply that is writing at that moment is completed or taken back. Rolling back and recovering stay possible.
  - Engaging works as well where the audit log cannot be written. It is recorded afterwards, and what could not be recorded is a warning.
    Releasing is recorded first, and not done where it cannot be recorded.
options:
  state:
    description: Whether the kill switch is to be engaged or released.
    type: str
    required: true
    choices:
      - engaged
      - released
  reason:
    description:
      - Why, for people. A switch that is engaged already keeps its first reason.
      - The only reason that gives way is the one of the role C(day2.codex.guardrails) after a failed self-test, since a later run of that role releases the
        switch.
    type: str
    default: ''
  only_reason:
    description:
      - Release only a switch that has this reason, and leave every other as it is.
      - It says nothing where O(state=engaged).
    type: str
  prefix:
    description:
      - The folder under which everything of the collection lies on the host.
      - Under a folder of one's own, its C(etc/codex-ops/disabled) is switched. The one of the host stops work there too.
    type: path
    default: /
extends_documentation_fragment:
  - day2.codex._attributes
requirements:
  - Python 3.9 or newer on the host
attributes:
  check_mode:
    support: full
    details:
      - The audit log gets a record, which says that it was check mode.
  diff_mode:
    support: full
  idempotent:
    support: full
  action_group:
    description: Use C(group/day2.codex.codex) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - day2.codex.codex
notes:
  - A person on the host needs no tool. C(touch /etc/codex-ops/disabled) engages it, and whatever stands in the file is shown as the reason.
  - A path that cannot be looked at counts as engaged, such as one in a folder that the caller may not enter.
seealso:
  - module: day2.codex.slice
author:
  - The day2.codex authors (@day2-codex)
"""

EXAMPLES = r"""
- name: Stop all agents on the host
  day2.codex.kill_switch:
    state: engaged
    reason: Incident 4711, the provider answers strangely
  become: true

- name: Let them work again
  day2.codex.kill_switch:
    state: released
    reason: Incident 4711 is over
  become: true

- name: Stop what runs under a prefix of one's own
  day2.codex.kill_switch:
    state: engaged
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"
"""

RETURN = r"""
msg:
  description: What was done, or why not.
  type: str
  returned: always
  sample: "The kill switch is engaged: all work stops."
code:
  description: A stable word for what went wrong.
  type: str
  returned: on failure
  sample: kill_switch_unwritable
engaged:
  description: Whether work is stopped now. Under a prefix of one's own, it is also where only the switch of the host is engaged.
  type: bool
  returned: success
  sample: true
path:
  description: The file that stops work now, or V(null).
  type: str
  returned: success
  sample: /etc/codex-ops/disabled
reason:
  description: Why it is engaged, as far as somebody wrote that down. Secrets in it are masked.
  type: str
  returned: success
  sample: Incident 4711, the provider answers strangely
by:
  description: Who engaged it, under all names that are known.
  type: str
  returned: success
  sample: controller:alice, unix:root
since:
  description: When it was engaged, in UTC.
  type: str
  returned: success
  sample: "2026-01-15T03:15:04+00:00"
outcome:
  description: The outcome of the operation. It is V(completed).
  type: str
  returned: success
  sample: completed
patch:
  description: The state before and after, where it changes.
  type: str
  returned: success
  sample: |
    -The kill switch is released.
    +The kill switch /etc/codex-ops/disabled is engaged by unix:root since 2026-01-15T03:15:04+00:00.
audit:
  description: The record of this in the audit log. V(null) where it could not be written.
  type: dict
  returned: success
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
  sample: {seq: 128, hash: b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._options import Options
from ansible_collections.day2.codex.plugins.module_utils._result import finished
from ansible_collections.day2.codex.plugins.module_utils._switching import switch


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "required": True, "choices": ["engaged", "released"]},
            "reason": {"type": "str", "default": ""},
            "only_reason": {"type": "str"},
            "prefix": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        options = Options(prefix=params["prefix"], check=module.check_mode, ansible=True)
        result = switch(options, state=params["state"], reason=params["reason"], only_reason=params["only_reason"])
    except CodexOpsError as error:
        module.fail_json(msg=str(error), code=error.code)
    module.exit_json(**finished(result, diff=module._diff))


if __name__ == "__main__":
    main()
