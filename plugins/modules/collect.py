#!/usr/bin/python
# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: collect
short_description: Look at a host, and tell what is wrong with it
version_added: 0.1.0
description:
  - Runs one collector on the host. It asks the host's own tools, the kernel and files, and returns a signal - a status, findings and measures.
  - No model is asked, and nothing is repaired. Where all is well, nothing more happens.
  - With O(enqueue), what is wrong becomes jobs in the inbox of the host, and a job whose findings are gone closes itself.
  - The options of each collector are described in R(Signals, ansible_collections.day2.codex.docsite.guide_signals).
options:
  collector:
    description:
      - What to look at.
      - V(health) looks at load, memory, pressure, failed units, zombies and stopped processes, a reboot that is due, and the clock.
      - V(disk) looks at space, inodes, when file systems will be full, and deleted files that are still open.
      - V(services) looks at units and processes that should run, and units that start again and again.
      - V(logs) looks for errors in logs and in the journal, and groups them by what they say.
      - V(certificates) looks at certificates in files, folders and at TLS endpoints.
      - V(endpoints) asks for DNS records and HTTP addresses.
      - V(backups) looks at age, size and check sum of backups, and restores the newest one into a scratch folder.
      - V(cleanup) looks for what could be removed from listed folders.
      - V(dependencies) looks for security updates that wait, and for libraries with known holes.
      - V(drift) compares files, modes and packages with a baseline, and folders with git.
    type: str
    required: true
    choices:
      - health
      - disk
      - services
      - logs
      - certificates
      - endpoints
      - backups
      - cleanup
      - dependencies
      - drift
  options:
    description:
      - The options of the collector, such as C(paths) of V(certificates).
      - A wrong one is an error, and nothing is looked at.
      - Each collector takes C(timeout) and C(max_findings).
    type: dict
    default: {}
  enqueue:
    description:
      - Whether what is wrong becomes jobs, as the rules of the host say in C(etc/codex-ops/rules.json) under O(prefix), or for O(slice).
      - A finding that is in an open job makes no second one. It is counted there.
      - An open job closes itself when the same look finds nothing of what it is about any more.
    type: bool
    default: false
  slice:
    description:
      - Who works on what is wrong. It is the name of a slice that is installed in C(etc/codex-ops/slices.d) under O(prefix), or a slice as a dictionary.
      - With it, a signal that is V(warning) or V(critical) is one job, and the rules are not asked. While a job for the same O(slice) with the same
        findings is open, it is counted there. Findings that are only V(INFO) make no difference.
    type: raw
  prefix:
    description: The folder under which everything of the collection lies on the host.
    type: path
    default: /
extends_documentation_fragment:
  - day2.codex._attributes
requirements:
  - Python 3.9 or newer on the host
  - The tools that a collector asks. Without one, the status is V(unknown), and the summary names it.
  - jsonschema 3.2 or newer on the host, for O(enqueue=true)
attributes:
  check_mode:
    support: full
    details:
      - The host is looked at all the same. No job is added, no baseline is written, and nothing is remembered.
  diff_mode:
    support: full
    details:
      - Of the last job that is added or closed, or the baseline that is written.
  idempotent:
    support: full
    details:
      - While the job is open, and within the C(dedupe_window) of its rule. V(drift) with its option C(make_baseline) writes each time.
  action_group:
    description: Use C(group/day2.codex.codex) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - day2.codex.codex
notes:
  - Looking leaves no record in the audit log. A job that is added or closed does.
  - Where the rules are missing or wrong, the task fails, RV(signal) is there all the same, and no job is added or closed.
  - V(disk) and V(services) remember what they measured in C(var/lib/codex-ops/signals) under O(prefix), to know what grew since. Under V(/) they do so
    only where the folder C(var/lib/codex-ops) is there already.
  - What an ordinary user may not read is left out, and named where it matters. Run it as root to see all of the host.
  - All text in a signal is from outside. Secrets in it are masked, and hidden characters are written out. In V(logs), personal data is masked too.
seealso:
  - module: day2.codex.job
  - module: day2.codex.slice
author:
  - The day2.codex authors (@day2-codex)
"""

EXAMPLES = r"""
- name: See whether a disk is full, or will be soon
  day2.codex.collect:
    collector: disk
    options:
      space_warning: 80
      fills_within: 7d
  register: disk

- name: Let an agent look at certificates that end soon
  day2.codex.collect:
    collector: certificates
    options:
      paths: [/etc/letsencrypt/live]
      endpoints:
        - address: www.example.com:443
        - address: mail.example.com:587
          starttls: smtp
    enqueue: true
    slice: certificate-report
    prefix: "{{ ansible_facts.user_dir }}/.codex-ops"

- name: Let the rules of the host say who works on full disks
  day2.codex.collect:
    collector: disk
    enqueue: true

- name: Restore last night's backup into a scratch folder, and look for a file in it
  day2.codex.collect:
    collector: backups
    options:
      sets:
        - name: inbox
          path: /srv/backups/inbox-*.tar.gz
          max_age: 26h
          sentinel: inbox/config/inbox.yml
          contains: base_url
  become: true
"""

RETURN = r"""
msg:
  description: The status and a sentence about it, or what was wrong.
  type: str
  returned: always
  sample: "disk is critical. 1 finding: space:/srv."
outcome:
  description: V(completed) where a job was added or closed, or a baseline written, and V(unchanged) otherwise. Anything else fails the task.
  type: str
  returned: always
  sample: unchanged
code:
  description: A stable word for what went wrong.
  type: str
  returned: on failure
  sample: option_invalid
details:
  description: Where a slice is wrong.
  type: list
  elements: dict
  returned: on failure
  sample: []
signal:
  description: What was seen, in the form of C(schemas/signal.schema.json) of the collection.
  type: dict
  returned: when the host was looked at
  contains:
    signal:
      description: The collector.
      type: str
    host:
      description: The name of the host.
      type: str
    collected_at:
      description: When, in UTC.
      type: str
    status:
      description:
        - V(ok), V(warning) or V(critical), as the worst finding.
        - V(unknown) where something could not be looked at, and nothing wrong was found in the rest. RV(signal.summary) says why.
      type: str
    summary:
      description: A sentence or two for people.
      type: str
    findings:
      description:
        - What was found, worst first. Each has C(id), C(severity) and C(resource), and may have C(expected), C(observed) and C(detail).
        - The same finding has the same C(id) in each run. C(unknown:) begins the ID of what could not be looked at.
        - C(severity) is V(CRITICAL), V(WARNING) or V(INFO). V(INFO) makes no status.
      type: list
      elements: dict
    metrics:
      description: What was measured, by name. A name ends with a colon and what was measured, where there are several.
      type: dict
    thresholds:
      description: The limits that it was held against, by name.
      type: dict
    truncated:
      description: Whether something was left out because there was too much.
      type: bool
  sample:
    signal: disk
    host: web1
    collected_at: "2026-01-15T03:15:00Z"
    status: critical
    summary: "1 finding: space:/srv."
    findings:
      - {id: "space:/srv", severity: CRITICAL, resource: /srv, expected: less than 95 % used, observed: "97.2 % used, 1.1 GiB available"}
    metrics: {"used_percent:/srv": 97.2}
    thresholds: {space_critical: 95}
    truncated: false
job:
  description: The first of RV(jobs) that is open, as M(day2.codex.job) returns it. V(null) without O(enqueue), or where all is well.
  type: dict
  returned: always
  sample: {id: job-20260115T031500Z-9f86d081884c, state: pending, slice: disk-report, count: 1}
jobs:
  description: The jobs that were added, counted once more, or closed.
  type: list
  elements: dict
  returned: when the host was looked at
  sample: [{id: job-20260115T031500Z-9f86d081884c, state: pending, slice: disk-report, count: 1}]
run_id:
  description: The ID of this operation, which its records in the audit log carry. V(null) where nothing was recorded.
  type: str
  returned: always
  sample: 20260115T031500Z-9f86d081
audit:
  description: The record of this in the audit log, the last one of several. V(null) where no job was added or closed.
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

from ansible_collections.day2.codex.plugins.module_utils._collecting import Look, collect
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._jobs import failed
from ansible_collections.day2.codex.plugins.module_utils._options import Options

COLLECTORS = ["health", "disk", "services", "logs", "certificates", "endpoints", "backups", "cleanup", "dependencies", "drift"]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "collector": {"type": "str", "required": True, "choices": COLLECTORS},
            "options": {"type": "dict", "default": {}},
            "enqueue": {"type": "bool", "default": False},
            "slice": {"type": "raw"},
            "prefix": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        look = Look(params["collector"], params["options"], params["enqueue"], params["slice"])
        result = collect(Options(prefix=params["prefix"], check=module.check_mode, ansible=True), look)
    except CodexOpsError as error:
        result = {**failed(error), "job": None, "jobs": []}
    if not module._diff:
        result.pop("diff", None)
    (module.fail_json if result.pop("failed") else module.exit_json)(**result)


if __name__ == "__main__":
    main()
