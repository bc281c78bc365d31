# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of delivery share."""

from __future__ import annotations

import pathlib

import pytest

from .delivery_host import Host


@pytest.fixture(name="host")
def _host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path)
