# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every suite needs: the collection, importable the way a host imports it."""

from __future__ import annotations

import os
import typing as t

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

# Tests make files and look at their modes: the same ones whoever runs them.
os.umask(0o022)


def pytest_sessionstart(session: t.Any) -> None:
    """Take Ansible's import hook out again, before any test is imported.

    The engine imports its stages when they are used. On a host Python alone does that; the hook, which pytest-ansible installs,
    wants a whole Ansible around it.
    """
    _AnsibleCollectionFinder._remove()
