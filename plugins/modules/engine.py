#!/usr/bin/python
# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine
short_description: Install the engine on a host, with its command codex-ops
version_added: 0.1.0
description:
  - Puts the engine that the modules of this collection use onto a host, for cron and for people. They use it by the command C(codex-ops).
  - The engine is packed on the controller. The same sources give the same bytes, so its digest names it.
  - It is unpacked into a folder of its own, C(opt/codex-ops/VERSION-DIGEST) under O(prefix), compiled there, and then switched to by a symbolic link.
    At any moment one whole engine is in charge. A command that runs keeps to the engine with which it began.
  - The installed files are verified on each run. Where one of them is not as it was packed or compiled, the engine is installed again.
  - On a provisioned host, which has the user C(codex-ops), root's helpers are installed with the O(prefix) V(/), and the folders of state, log and
    locks get their owners and modes. What somebody altered of these is put right.
  - An engine is not put in charge of a host whose policy, log, inbox or budget was written by a newer one.
options:
  state:
    description:
      - V(present) installs the engine of this collection and puts it in charge.
      - V(absent) removes the command, root's helpers and all engines. Policy, jobs, runs, backups and the audit log stay, and so does a Codex CLI
        beside the command.
    type: str
    default: present
    choices:
      - present
      - absent
  keep:
    description: How many engines stay on the host, the one in charge included. The oldest are removed. At least 1.
    type: int
    default: 3
  interpreter:
    description:
      - The Python by which C(codex-ops) is run, 3.9 or newer. Without it, the one that runs this module.
      - With the O(prefix) V(/) it, and every folder and link on the way to it, must be root's own.
    type: path
  manifest:
    description: What the pack holds. The collection fills it in by itself; what a task says here is not read.
    type: str
  pack:
    description: Where the pack lies on the host. The collection fills it in by itself; what a task says here is not read.
    type: path
  prefix:
    description: The folder under which everything of the collection lies on the host. With a folder of one's own no privileges are needed.
    type: path
    default: /
extends_documentation_fragment:
  - day2.codex._attributes
requirements:
  - Python 3.9 or newer on the host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The diff shows version, digest and folder of the engine in charge, and what is put right.
  idempotent:
    support: full
  async:
    support: none
    details:
      - The pack is sent only to a host that lacks it, so the action asks first.
  action_group:
    description: Use C(group/day2.codex.codex) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - day2.codex.codex
seealso:
  - module: day2.codex.slice
author:
  - The day2.codex authors (@day2-codex)
"""

EXAMPLES = r"""
- name: Install the engine
  day2.codex.engine:
  become: true

- name: Install it for an ordinary user, without privileges
  day2.codex.engine:
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"
    interpreter: /usr/bin/python3

- name: Remove it
  day2.codex.engine:
    state: absent
  become: true
"""

RETURN = r"""
msg:
  description: What happened and, where something went wrong, what to do.
  type: str
  returned: always
  sample: "Installed the engine 0.1.0 (9f86d081884c)."
version:
  description: The version of the engine. V(null) with O(state=absent).
  type: str
  returned: when nothing went wrong
  sample: 0.1.0
digest:
  description: The SHA-256 of its manifest, and so of every file. V(null) with O(state=absent).
  type: str
  returned: when nothing went wrong
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
folder:
  description: Its folder. V(null) with O(state=absent).
  type: str
  returned: when nothing went wrong
  sample: /opt/codex-ops/0.1.0-9f86d081884c
command:
  description: The command that people and cron call.
  type: str
  returned: with O(state=present), when nothing went wrong
  sample: /opt/codex-ops/bin/codex-ops
before:
  description: RV(version), RV(digest) and RV(folder) of the engine that was in charge. Empty where there was none.
  type: dict
  returned: when nothing went wrong
  sample: {}
corrected:
  description: The files and folders of a provisioned host that were not as they must be, and were put right, or would be in check mode.
  type: list
  elements: dict
  returned: when nothing went wrong
  sample: []
  contains:
    path:
      description: The file or folder.
      type: str
    before:
      description: How it was, V(null) where it was missing.
      type: str
    after:
      description: How it must be, as numbers of user and group and its mode.
      type: str
removed:
  description: The names of the folders of engines that were removed. In check mode, with O(state=present), they are not named.
  type: list
  elements: str
  returned: when nothing went wrong
  sample: []
code:
  description: A stable word for what went wrong, such as V(newer_state), V(interpreter_unsafe), V(prefix_not_writable) or V(pack_damaged).
  type: str
  returned: on failure
  sample: newer_state
outcome:
  description: V(newer_state) where the host keeps state of a newer engine, else V(rejected).
  type: str
  returned: on failure
  sample: newer_state
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._installing import absent, present


def _lines(engine: dict, corrected: list, when: str) -> str:
    """An engine, and what was put right, for a diff."""
    lines = [f"{name}: {engine[name]}\n" for name in ("version", "digest", "folder")] if engine else []
    return "".join([*lines, *(f"{found['path']}: {found[when]}\n" for found in corrected if found[when] is not None)])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
            "keep": {"type": "int", "default": 3},
            "interpreter": {"type": "path"},
            "prefix": {"type": "path", "default": "/"},
            # What the action plugin adds: the manifest of the engine, and where on the host its pack lies. Not worth logging.
            "manifest": {"type": "str", "no_log": True},
            "pack": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        if params["keep"] < 1:
            raise CodexOpsError(f"expected 1 or more, found {params['keep']}.", code="option_invalid", outcome="rejected", where="keep")
        if params["state"] == "absent":
            result = absent(params["prefix"], check=module.check_mode)
        else:
            if not params["manifest"]:
                raise CodexOpsError(
                    "There is no engine to install.", code="option_invalid", outcome="rejected", hint="Use day2.codex.engine as a task without async."
                )
            result = present(
                params["prefix"],
                params["manifest"],
                pack=params["pack"],
                keep=params["keep"],
                interpreter=params["interpreter"],
                check=module.check_mode,
            )
    except CodexOpsError as error:
        module.fail_json(msg=str(error), code=error.code, outcome=error.outcome)
    after = result.pop("after")
    if module._diff:
        result["diff"] = {"before_header": "engine", "after_header": "engine"}
        for when, engine in (("before", result["before"]), ("after", after)):
            result["diff"][when] = _lines(engine, result["corrected"], when)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
