# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provisioned hosts for the tests."""

from __future__ import annotations

import typing as t

import pytest

from .host import Host


@pytest.fixture(scope="module", name="host")
def _host() -> t.Iterator[Host]:
    with Host() as host:
        host.provision()
        yield host


@pytest.fixture(name="bare")
def _bare() -> t.Iterator[Host]:
    """A host on which there is nothing of ours."""
    with Host() as host:
        yield host
