# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a front asks of the engine. PRIVATE."""

from __future__ import annotations

import dataclasses
import typing as t

from ._errors import CodexOpsError


@dataclasses.dataclass(frozen=True)
class Options:
    """What exec and slice share. ``timeout`` is in seconds; ``None`` leaves a limit to its default.

    ``check`` is Ansible's check mode. ``ansible`` says that the caller is an Ansible module.
    """

    prefix: str = "/"
    check: bool = False
    ansible: bool = False
    codex_path: str | None = None
    model: str | None = None
    reasoning_effort: str | None = None
    timeout: int | None = None
    tokens: int | None = None
    rerun: str = "on_change"
    cassette: dict[str, t.Any] | None = None
    cassette_mode: str = "off"
    base_url: str | None = None
    ca_path: str | None = None
    proxy: str | None = None
    api_key: str | None = dataclasses.field(default=None, repr=False)
    api_key_file: str | None = None
    retention: int = 90


@dataclasses.dataclass(frozen=True)
class Question:
    """One exec task. ``output_schema`` is a schema in the supported subset, ``inputs`` any data."""

    prompt: str
    workspace: str | None = None
    writable: bool = False
    output_schema: dict[str, t.Any] | None = None
    inputs: t.Any = None


@dataclasses.dataclass(frozen=True)
class Order:
    """One slice task. ``document`` is the slice, or ``name`` one that is installed on the host.

    ``inputs`` is text from outside that goes with it, such as a job's signal; ``requested_by`` names who asked for the job ``job_id``.
    """

    document: dict[str, t.Any] | None = None
    name: str | None = None
    source: str | None = None
    state: str = "applied"
    plan: str | None = None
    run_id: str | None = None
    inputs: t.Any = None
    requested_by: tuple[str, ...] = ()
    job_id: str | None = None


def check_address(address: str | None, where: str) -> None:
    """An address must not carry a password: options are shown and logged.

    :raises CodexOpsError: ``option_invalid``.
    """
    if address and "@" in address.partition("://")[2].partition("/")[0]:
        raise CodexOpsError(
            "An address with a user name or a password in it is not taken.",
            code="option_invalid",
            outcome="rejected",
            where=where,
            hint="Leave them out; options are shown and logged.",
        )


def options_from(params: dict[str, t.Any], *, check: bool) -> Options:
    """The shared options in a module's *params*.

    :raises CodexOpsError: ``option_invalid``.
    """
    limits = params.get("limits") or {}
    for name in ("timeout", "tokens"):
        value = limits.get(name)
        if value is not None and value < 1:
            raise CodexOpsError(f"expected 1 or more, found {value}.", code="option_invalid", outcome="rejected", where=f"limits.{name}")
    text = params.get("cassette")
    mode = params.get("cassette_mode") or ("replay" if text else "off")
    if mode == "replay" and not text:
        raise CodexOpsError(
            "cassette_mode is replay, and there is no cassette.",
            code="option_invalid",
            outcome="rejected",
            where="cassette_mode",
            hint="Set 'cassette' to the path of a cassette on the controller.",
        )
    for name in ("proxy", "base_url"):
        check_address(params.get(name), name)
    cassette = None
    if text and mode == "replay":
        from ._agent.cassette import load  # pylint: disable=import-outside-toplevel

        cassette = load(text, "cassette")
    plain = ("codex_path", "model", "reasoning_effort", "ca_path", "proxy", "api_key", "api_key_file")
    return Options(
        prefix=params["prefix"],
        check=check,
        ansible=True,
        timeout=limits.get("timeout"),
        tokens=limits.get("tokens"),
        rerun=params["rerun"],
        cassette=cassette,
        cassette_mode=mode,
        base_url=params["base_url"],
        retention=params["retention"],
        **{name: params.get(name) for name in plain},
    )
