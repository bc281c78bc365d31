# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the self-test finds out about ways of this host to itself, and about name servers."""

from __future__ import annotations

from ansible_collections.day2.codex.plugins.module_utils._cli import as_agent
from ansible_collections.day2.codex.plugins.module_utils._cli.guarded import unlisted_servers


def test_name_servers_that_the_table_does_not_know_are_named() -> None:
    rules = "# Written\n# Name servers: 192.0.2.1 2001:db8::1\ntable inet codex_ops\n"
    assert unlisted_servers(rules, "nameserver 192.0.2.1\nnameserver 2001:db8::1\n") == []
    assert unlisted_servers(rules, "# nameserver 192.0.2.9\n nameserver\t192.0.2.7 # new\nnameserver 192.0.2.1\n") == ["192.0.2.7"]
    assert unlisted_servers("# Name servers: \ntable inet codex_ops\n", "nameserver 192.0.2.7\n") == ["192.0.2.7"]
    assert unlisted_servers("table inet codex_ops\n", "nameserver 192.0.2.7\n") == []


def test_every_way_of_the_host_to_itself_is_tried() -> None:
    with as_agent.listening() as addresses:
        assert "127.0.0.1" in [address[0] for _family, address in addresses]
        assert as_agent.reached(addresses) == [address[0] for _family, address in addresses]
    assert as_agent.reached(addresses) == []
