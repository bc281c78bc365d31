# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  prefix:
    description:
      - The folder under which everything of the collection lies on the host, such as C(var/lib/codex-ops) and C(var/log/codex-ops).
      - With a folder of one's own no provisioning and no privileges are needed. Everything then runs as the caller, and workspaces must
        lie below the folder's parent or belong to the caller.
    type: path
    default: /
  retention:
    description:
      - For how many days what was kept of a run stays, which is its patch, transcript, report and plan, and the backup by which it can
        be rolled back. It is looked at once a day. V(0) keeps everything.
      - The audit log is never shortened.
    type: int
    default: 90
  codex_path:
    description:
      - The Codex CLI on the host.
      - Without it, C(opt/codex-ops/bin/codex) under O(prefix), C(/opt/codex-ops/bin/codex) and then E(PATH) are searched.
    type: path
"""
