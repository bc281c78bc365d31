# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the records of a log remember of other logs, without the records. PRIVATE."""

from __future__ import annotations

import re
import typing as t

from .log import parsed

_HASH = re.compile(r"[0-9a-f]{64}")
_NEEDLES = (b'"anchor":', b'"host_head":')


def place(value: t.Any) -> dict[str, t.Any] | None:
    """*value* if it names a record of a log (``log``, ``seq``, ``hash``, perhaps ``first``), and nothing else of it; otherwise ``None``."""
    if not isinstance(value, dict) or not isinstance(value.get("log"), str) or len(value["log"]) > 4096:
        return None
    seq, first = value.get("seq"), value.get("first")
    if not isinstance(seq, int) or isinstance(seq, bool) or not 1 <= seq < 10**18:
        return None
    hashes = [value.get("hash")] + ([] if first is None else [first])
    if not all(isinstance(found, str) and _HASH.fullmatch(found) for found in hashes):
        return None
    return {name: value[name] for name in ("log", "seq", "hash", "first") if value.get(name) is not None}


def _host(record: dict[str, t.Any]) -> t.Any:
    return record.get("delegated_to") or record.get("task_host")


def remembered(lines: t.Iterable[bytes]) -> list[dict[str, t.Any]]:
    """What the records in *lines* remember, each once: ``log``, ``seq``, ``hash``, ``record`` (the number of the record that remembers).

    A controller's has ``host`` too, and ``first`` where it is known. Of what is malformed there is only ``record`` and ``malformed``.
    """
    found: list[dict[str, t.Any]] = []
    seen: set[tuple[t.Any, ...]] = set()
    for line in lines:
        if not any(needle in line for needle in _NEEDLES):
            continue
        record = parsed(line)
        if record is None:
            continue
        for name in ("anchor", "host_head"):
            if record.get(name) is None:
                continue
            entry = place(record[name])
            host = _host(record) if name == "host_head" else None
            if entry is None or (name == "host_head" and not isinstance(host, str)):
                found.append({"record": record.get("seq"), "malformed": name})
                continue
            if host is not None:
                entry["host"] = host
            key = tuple(entry.values())
            if key not in seen:
                seen.add(key)
                found.append({**entry, "record": record.get("seq")})
    return found
