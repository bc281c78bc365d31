# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads every part of the engine at once, for a process that will not be able to read any later. PRIVATE."""

# ruff: noqa: F401
# pylint: disable=import-outside-toplevel,unused-import

from __future__ import annotations


def load() -> None:
    """Import everything that the work of codex-ops may need."""
    for part in (_top, _load_agent, _load_contract, _load_delivery, _load_gates, _load_inbox, _load_trail, _load_workspace):
        part()


def _top() -> None:
    from . import (
        _acting,
        _agent_step,
        _applying,
        _approving,
        _arguments,
        _branching,
        _canonical,
        _delivering,
        _errors,
        _gating,
        _goal,
        _handing,
        _identities,
        _jobs,
        _layout,
        _operation,
        _options,
        _outcomes,
        _own_words,
        _places,
        _planning,
        _question,
        _record,
        _result,
        _retention,
        _ruling,
        _run,
        _runs,
        _schemas,
        _secret_files,
        _secrets,
        _shown,
        _switching,
        _ticketing,
        _validation,
        _version,
        _waiting,
        _working,
    )


def _load_agent() -> None:
    from ._agent import (
        _proc,
        binary,
        caller,
        calls,
        cassette,
        config,
        conversation,
        denials,
        disk,
        ending,
        events,
        family,
        faults,
        folder,
        helped,
        http1,
        identity,
        inplace,
        judge,
        kernel,
        ledger,
        listener,
        peer,
        probe,
        process,
        relay,
        request,
        run,
        sandbox,
        seccomp,
        sse,
        stamp,
        transcript,
        upstream,
        walk,
    )


def _load_contract() -> None:
    from ._contract import checks, document, globs, model, owned, prompt, quick, report, runs, slice, values


def _load_delivery() -> None:
    from ._delivery import branch, files, hook, journal, objects, outbox, overview, repository, sending, settings, signing, state, ticket


def _load_gates() -> None:
    from ._gates import (
        approval,
        autonomy,
        budget,
        cleanup,
        defaults,
        forbidden,
        kill_switch,
        lock,
        policy,
        policy_file,
        rules,
        signers,
        sshkeys,
        statement,
    )


def _load_inbox() -> None:
    from ._inbox import counts, database, form, job, rows, states, store, worker


def _load_trail() -> None:
    from ._trail import (
        append_only,
        assignments,
        blocks,
        chain,
        commands,
        encoded,
        files,
        formats,
        headers,
        log,
        memory,
        names,
        personal,
        query,
        redaction,
        remembered,
        sink,
        summary,
        values,
        verify,
        who,
    )


def _load_workspace() -> None:
    from ._workspace import (
        apply,
        change,
        contents,
        descent,
        escape,
        handles,
        journal,
        metadata,
        patch,
        place,
        plan,
        preview,
        removal,
        restore,
        shape,
        survey,
        tree,
    )
