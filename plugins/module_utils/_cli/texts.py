# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What codex-ops says about itself. PRIVATE."""

from __future__ import annotations

import typing as t


class Part(t.NamedTuple):
    """The help of one part."""

    what: str
    examples: str


WHAT = """\
Day-two work on this host by the Codex CLI, held by contract, policy and people.

look around
  status        what is going on: kill switch, policy, budget, plans that wait, last runs
  selftest      whether this host is fit for the work; says what to repair
  collect       look at the host, and put what is wrong into the inbox
  inbox         list, show or cancel jobs; tickets for people
  audit         verify the audit log, show records of it, or begin a new file

do work
  plan          have the agent propose a change; nothing is changed yet
  apply         carry out a plan, where policy and approvals allow it
  run           take a job (or a slice) all the way: plan, gate, apply
  rollback      take back what a run applied

decide
  approve       record a signed approval of a plan
  reject        record a signed rejection of a plan
  kill-switch   engage (stops everything at once), release, or look

'codex-ops PART --help' says more about each."""

EXAMPLES = """\
examples:
  codex-ops status
  codex-ops plan inbox-public-identity
  codex-ops apply 20260115T031500Z-9f86d081
  codex-ops kill-switch engage --reason "it edits the wrong host"

exit status:
  0 done   1 failed   2 wrong usage   3 waiting for approval
  4 the contract was broken, or somebody rejected it   5 kill switch
  6 a limit was reached (tokens, time, runs)           7 somebody else is at it"""

PARTS = {
    "status": Part(
        "Say what is going on on this host. Changes nothing, and asks no model.",
        "examples:\n  codex-ops status\n  codex-ops status --json",
    ),
    "collect": Part(
        "Look at the host with one collector: health, disk, services, logs, certificates, endpoints, backups, cleanup, dependencies\n"
        "or drift. Asks no model, and repairs nothing. With --enqueue, what is wrong becomes jobs, as the rules of the\n"
        "host say; with --slice, one job for that slice. A job whose findings are gone closes itself.",
        "examples:\n  codex-ops collect disk\n  codex-ops collect disk --enqueue\n"
        "  codex-ops collect cleanup --options '{\"rules\": [{\"path\": \"/var/cache/app\"}]}'\n"
        "  codex-ops collect certificates --options /etc/codex-ops/certificates.json --slice certificate-report",
    ),
    "selftest": Part(
        "Test whether this host is fit for the work: places, policy, signers, clock, disk, tools, and the sandbox, for real.\n"
        "Exit status 1 when something must be repaired.",
        "examples:\n  codex-ops selftest\n  codex-ops selftest --prefix /home/alice/.codex-ops",
    ),
    "plan": Part(
        "Have the agent propose a change in a throw-away copy, hold it against the slice, and keep it as a plan.\nThe live files stay as they are.",
        "examples:\n"
        "  codex-ops plan inbox-public-identity              an installed slice, from etc/codex-ops/slices.d\n"
        "  codex-ops plan ./inbox.json --check               a file; the plan is shown and thrown away\n"
        "  codex-ops plan ./inbox.json --cassette tape.json  a rehearsal: no key, no tokens",
    ),
    "apply": Part(
        "Carry out a plan, exactly as it was shown: no model is asked. Exit status 3 when it still waits for approvals.",
        "examples:\n  codex-ops apply 20260115T031500Z-9f86d081\n  codex-ops apply 20260115T031500Z-9f86d081 --check",
    ),
    "run": Part(
        "Take a job of the inbox all the way: plan, gate, apply. With --slice, a slice without a job.\n"
        "Exit status 3 when its plan waits for approvals; run the same job again afterwards.",
        "examples:\n"
        "  codex-ops run --next                        for cron: the job that is due; exit status 0 when there is none\n"
        "  codex-ops run 20260115-0042\n"
        "  codex-ops run --slice inbox-public-identity",
    ),
    "rollback": Part(
        "Put back the files that a run changed. Refuses, and names them, when somebody has changed one of them since.\n"
        "Possible while the kill switch is engaged, too.",
        "examples:\n  codex-ops rollback 20260115T031500Z-9f86d081",
    ),
    "approve": Part(
        "Record the signed approval of a plan. Without --signature the plan is shown as it would be written; with --approver, the statement\n"
        "that this person signs stands on standard output. Nobody approves what they asked for themselves.",
        "examples:\n"
        "  codex-ops approve PLAN                             look at it\n"
        "  codex-ops approve PLAN --approver alice > statement\n"
        "  ssh-keygen -Y sign -n codex-ops-approval -f ~/.ssh/id_ed25519 statement\n"
        "  codex-ops approve PLAN --signature statement.sig",
    ),
    "reject": Part(
        "Record the signed rejection of a plan. Nobody can approve it any more. Without --signature, the statement to be signed is shown.",
        "examples:\n  codex-ops reject PLAN --approver alice --comment \"wrong host\" > statement\n  codex-ops reject PLAN --signature statement.sig",
    ),
    "kill-switch": Part(
        "Stop everything at once, or let it begin again. An engaged kill switch ends running agents within a second and refuses new work;\n"
        "rollback stays possible. What was stopped does not resume by itself.",
        'examples:\n  codex-ops kill-switch engage --reason "wrong host"\n  codex-ops kill-switch status\n  codex-ops kill-switch release',
    ),
    "inbox": Part(
        "Look at the jobs that wait, or cancel one. tickets lists what needs a person (with JOB, shows one), close resolves a ticket that no job\n"
        "resolves by itself, and deliver writes what tickets there are to be and sends the alerts that wait.",
        "examples:\n  codex-ops inbox list --state pending --state awaiting_approval\n  codex-ops inbox show JOB\n"
        '  codex-ops inbox cancel JOB --reason "solved by hand"\n  codex-ops inbox tickets\n  codex-ops inbox close JOB --reason "looked at it"\n'
        "  codex-ops inbox deliver                     for cron",
    ),
    "audit": Part(
        "Verify that the audit log is as it was written (exit status 1 when it is not), or show the newest records of it.\n"
        "rotate gives the log's file the number of its first record, and begins a new one. The chain goes on in it, and nothing is lost; on a\n"
        "provisioned host only root can do this. The older files stay a part of the log: copy them, but never rename or remove one.",
        "examples:\n  codex-ops audit verify\n  codex-ops audit rotate --larger-than 64M\n  codex-ops audit show --outcome applied --since 2026-01-15\n"
        "  codex-ops audit show --run 20260115T031500Z-9f86d081 --json",
    ),
}

#: The filters of audit show, with what they mean.
FILTERS = (
    ("run", "only records of this run"),
    ("job", "only records of this job"),
    ("outcome", "only with this outcome, such as applied"),
    ("slice", "only of this slice"),
    ("user", "only of this user, by name or number"),
    ("since", "at this time or later, such as 2026-01-15 or 2026-01-15T03:15:00Z"),
    ("until", "earlier than this time"),
)
