# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A signal cut down to what one job is about, so that a model can read all of it. Pure. PRIVATE."""

from __future__ import annotations

import json
import typing as t

_CUT = " [cut]"
#: Characters that are left of details and values, step by step, before whole findings are left out.
_STEPS = (1000, 300, 80)


def size(data: t.Any) -> int:
    """Bytes of *data* as a model is shown it."""
    return len(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace"))


def fitted(signal: t.Mapping[str, t.Any], findings: t.Sequence[t.Mapping[str, t.Any]], at_most: int) -> dict[str, t.Any]:
    """*signal* with *findings* alone, the worst first, in at most *at_most* bytes; what was left out shows in ``truncated``.

    First goes what was measured of other things, then long details of the least important findings, then those themselves.
    """
    kept: dict[str, t.Any] = {**signal, "findings": [dict(finding) for finding in findings]}
    kept["metrics"] = _about(signal.get("metrics", {}), findings)
    kept["truncated"] = bool(signal.get("truncated"))
    if size(kept) <= at_most:
        return kept
    kept["truncated"] = True
    _shorten(kept, at_most)
    for name in ("metrics", "thresholds"):
        if size(kept) > at_most:
            kept[name] = {}
    _leave_out(kept, at_most, str(signal["signal"]))
    return kept


def _about(metrics: t.Mapping[str, t.Any], findings: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """What was measured of the whole, and of what *findings* are about."""
    resources = {str(finding["resource"]) for finding in findings}
    return {name: value for name, value in metrics.items() if ":" not in name or name.partition(":")[2] in resources}


def _shorten(kept: dict[str, t.Any], at_most: int) -> None:
    """Cut long texts, step by step, from the last finding to the first, until all of it fits."""
    too_much = size(kept) - at_most
    for limit in _STEPS:
        for finding in reversed(kept["findings"]):
            if too_much <= 0:
                return
            before = _alone(finding)
            for name in ("detail", "observed", "expected"):
                value = finding.get(name)
                text = json.dumps(value) if isinstance(value, list) else value
                if isinstance(text, str) and len(text) > limit:
                    finding[name] = text[: limit - len(_CUT)] + _CUT
            too_much -= before - _alone(finding)


def _alone(*findings: dict[str, t.Any]) -> int:
    # At the depth at which they stand in a signal, so that differences are exact.
    return size({"findings": findings})


def _leave_out(kept: dict[str, t.Any], at_most: int, name: str) -> None:
    """Take out the last findings until the others fit. In their place stands how many they were."""
    findings, count = kept["findings"], 0
    too_much = size(kept) - at_most
    if too_much > 0:
        too_much += _alone(_more(name, len(findings)), _more(name, 0)) - _alone(_more(name, 0))
    while too_much > 0 and len(findings) > 1:
        gone = findings.pop()
        too_much -= _alone(gone, gone) - _alone(gone)
        count += 1
    if count:
        findings.append(_more(name, count))


def _more(name: str, count: int) -> dict[str, t.Any]:
    return {"id": f"more:{name}", "severity": "INFO", "resource": name, "detail": f"{count} more findings are left out here."}
