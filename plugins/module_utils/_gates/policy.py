# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host's policy: the file that decides what may become real, and what it says. PRIVATE."""

from __future__ import annotations

import posixpath
import re
import typing as t

from .._canonical import digest
from .._contract import owned
from .._errors import CodexOpsError
from . import defaults
from .policy_file import content, document, wrong

if t.TYPE_CHECKING:
    from .forbidden import Forbidden
    from .rules import Rules

_SIZES = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_SURROGATE = re.compile("[\ud800-\udfff]")


class Action(t.NamedTuple):
    """A privileged action. ``timeout`` is in seconds; a ``critical`` one always needs a person."""

    argv: tuple[str, ...]
    per_hour: int
    timeout: int
    critical: bool


class Pin(t.NamedTuple):
    """A slice that the policy knows, to the byte, and the live tree (a real path) that it may work on."""

    sha256: str
    workspace: str


class Cleanup(t.NamedTuple):
    """A folder in which old files may go: ``older_than`` in seconds, ``max_bytes`` for one run."""

    path: str
    older_than: int
    max_bytes: int


class Limits(t.NamedTuple):
    """What all runs of a host may spend together."""

    tokens_per_day: int = defaults.TOKENS_PER_DAY
    runs_per_hour: int = defaults.RUNS_PER_HOUR


class Policy(t.NamedTuple):
    """What a policy says, with the built-in defaults where it says nothing.

    ``path`` is where it was read; ``sha256`` the digest of the document; ``categories`` maps to (autonomy, approvals);
    ``max_age`` is in seconds; ``retention_days`` is what runs are kept for at least.
    """

    path: str
    sha256: str
    categories: t.Mapping[str, tuple[str, int]]
    slices: t.Mapping[str, Pin]
    ad_hoc: str
    provider: t.Mapping[str, t.Any]
    actions: t.Mapping[str, Action]
    cleanup: tuple[Cleanup, ...]
    limits: Limits
    forbidden: Forbidden
    people: t.Mapping[str, tuple[str, ...]]
    max_age: int
    retention_days: int


def load(path: str, owners: t.Collection[int]) -> Policy:
    """The policy at *path*.

    :arg owners: The users to whom the file may belong.
    :raises CodexOpsError: ``policy_missing``, ``policy_unsafe``, ``policy_invalid`` (outcome ``forbidden``) or ``newer_state``.
    """
    return parse(content(path, owners), path)


def parse(data: bytes, path: str) -> Policy:
    """The policy in *data*, which is to stand at *path*.

    :raises CodexOpsError: ``policy_invalid`` or ``newer_state``.
    """
    said = document(data, path)
    try:
        return _policy(said, path)
    except CodexOpsError as error:
        if error.where != path:
            error.where = f"{path} at {error.where}"
        raise


def _seconds(value: int | str) -> int:
    return int(value[:-1]) * owned.UNITS[value[-1]] if isinstance(value, str) else int(value)


def _bytes(value: int | str) -> int:
    if not isinstance(value, str):
        return int(value)
    return int(value[:-1]) * _SIZES[value[-1]] if value[-1] in _SIZES else int(value)


def _path(value: str, where: str) -> str:
    plain = value.rstrip("/")
    if not plain or posixpath.normpath(value) != plain or value.startswith("//"):
        raise wrong("policy_invalid", f"Expected an absolute path without '..', '.' or doubled slashes, found {value!r}.", where)
    return plain


def _check_texts(value: t.Any, where: str) -> None:
    if isinstance(value, str) and ("\0" in value or _SURROGATE.search(value)):
        raise wrong("policy_invalid", "A text holds a NUL character or half of a surrogate pair, which no file or program can take.", where)
    if isinstance(value, dict):
        for key, item in value.items():
            _check_texts(key, where)
            _check_texts(item, f"{where}.{key}" if where != "(top)" else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _check_texts(item, f"{where}[{number}]")


def _category(name: str, said: t.Mapping[str, t.Any]) -> tuple[str, int]:
    autonomy = said["autonomy"]
    if autonomy != "approval":
        return autonomy, 0
    return autonomy, int(said.get("approvals", max(1, defaults.CATEGORIES.get(name, ("", 1))[1])))


def _action(name: str, said: t.Mapping[str, t.Any]) -> Action:
    argv = tuple(said["argv"])
    if not argv[0].startswith("/"):
        raise wrong("policy_invalid", f"The program must be an absolute path, found {argv[0]!r}.", f"actions.{name}.argv[0]")
    return Action(argv, int(said["per_hour"]), int(said.get("timeout", defaults.ACTION_TIMEOUT)), said.get("critical", True))


def _policy(said: dict[str, t.Any], path: str) -> Policy:
    """What *said*, which fits the schema, says; finds what a schema cannot say."""
    from .forbidden import parse  # pylint: disable=import-outside-toplevel

    _check_texts(said, "(top)")
    provider = {"cassettes": False, **said.get("provider", {})}
    for name in ("api_key_file", "ca_path"):
        if name in provider:
            provider[name] = _path(provider[name], f"provider.{name}")
    cleanup = []
    for number, item in enumerate(said.get("cleanup", ())):
        folder = _path(item["path"], f"cleanup[{number}].path")
        cleanup.append(Cleanup(folder, _seconds(item["older_than"]), _bytes(item["max_bytes"])))
    return Policy(
        path=path,
        sha256=digest(said),
        categories={**defaults.CATEGORIES, **{name: _category(name, item) for name, item in said.get("categories", {}).items()}},
        slices={name: Pin(item["sha256"], _path(item["workspace"], f"slices.{name}.workspace")) for name, item in said.get("slices", {}).items()},
        ad_hoc=said.get("ad_hoc", "approval"),
        provider=provider,
        actions={name: _action(name, item) for name, item in said.get("actions", {}).items()},
        cleanup=tuple(cleanup),
        limits=Limits(**{name: int(value) for name, value in said.get("limits", {}).items()}),
        forbidden=parse(said.get("forbidden_paths", ())),
        people={name: tuple(names) for name, names in said.get("people", {}).items()},
        max_age=_seconds(said.get("approval", {}).get("max_age", defaults.MAX_AGE)),
        retention_days=int(said.get("retention_days", 0)),
    )


def standing(policies: t.Sequence[tuple[str, t.Collection[int], bool]]) -> Rules:
    """What the policies say together that bind a run. Never raises: a policy that cannot be used closes the gates.

    :arg policies: (path, to whom it may belong, whether it must be there).
    """
    from .rules import Rules  # pylint: disable=import-outside-toplevel

    found: list[Policy] = []
    closed = None
    for path, owners, required in policies:
        try:
            found.append(load(path, owners))
        except CodexOpsError as error:
            if required or error.code != "policy_missing":
                closed = closed or error
    return Rules(found, closed)
