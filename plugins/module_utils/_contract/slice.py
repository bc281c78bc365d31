# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The closed operational slice: what one task may change, and how anyone can tell that it is done. PRIVATE."""

from __future__ import annotations

import contextlib
import dataclasses
import posixpath
import re
import typing as t

from .._canonical import digest
from .._errors import CodexOpsError
from .globs import Globs, Scope

#: What a slice may do when it does not say so itself. Seconds, tokens, files, lines.
DEFAULT_LIMITS = {"timeout": 600, "tokens": 200000, "files": 20, "changed_lines": 500}
#: Seconds for one validation that names no timeout.
DEFAULT_CHECK_TIMEOUT = 60
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclasses.dataclass(frozen=True)
class Check:
    """One validation. ``kind`` is ``must_hold`` or ``must_fail``; ``timeout`` is in seconds.

    With ``after_actions`` it can only be as it should be once the privileged actions were run.
    """

    kind: str
    name: str
    argv: tuple[str, ...]
    timeout: int
    exit_codes: tuple[int, ...]
    after_actions: bool = False


@dataclasses.dataclass(frozen=True)
class IncorrectValue:
    """A value that must not be left, and where it is wrong (``None``: in every file in scope)."""

    value: str
    where: Globs | None


@dataclasses.dataclass(frozen=True)
class Slice:
    """A slice that was held against its contract. ``document`` is what the user wrote, ``sha256`` its digest."""

    document: dict[str, t.Any]
    sha256: str
    name: str
    category: str
    workspace: str
    scope: Scope
    correct: tuple[str, ...]
    incorrect: tuple[IncorrectValue, ...]
    protected_values: tuple[str, ...]
    protected_paths: Globs
    checks: tuple[Check, ...]
    limits: dict[str, int]
    report_schema: str | dict[str, t.Any]

    @property
    def has_goal(self) -> bool:
        """Whether anyone can tell, without a model, that the work is done."""
        return bool(self.incorrect or self.checks)


def _fail(message: str, where: str, hint: str | None = None) -> t.NoReturn:
    raise CodexOpsError(message, code="slice_invalid", outcome="rejected", where=where, hint=hint)


def _texts(value: t.Any, path: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[tuple[t.Any, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, str(key)
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*path, number))


def _place(path: t.Iterable[t.Any]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "(top)"


def _digest(document: dict[str, t.Any]) -> str:
    """The digest of a document whose every text can be written to a file, handed to a program and shown."""
    try:
        for path, text in _texts(document):
            if "\0" in text:
                _fail("a text holds a NUL character.", _place(path), "Remove it.")
            if _SURROGATE.search(text):
                _fail("a text holds half of a surrogate pair, which no file can hold.", _place(path), "Write the character itself.")
        for key in ("name", "category"):
            # "$" in the schema's expressions would let a last line break through.
            if "\n" in document[key]:
                _fail("expected no line break.", key, "Remove it.")
        return digest(document)
    except RecursionError:
        _fail("the document is nested too deeply.", "(top)")
    except (ValueError, TypeError) as error:
        _fail(f"the document cannot be written as JSON: {error}.", "(top)", "Leave out NaN and infinity, and use text as keys.")


def _checks(validation: dict[str, t.Any]) -> t.Iterator[Check]:
    for kind, default in (("must_hold", 0), ("must_fail", 1)):
        for number, item in enumerate(validation.get(kind, [])):
            argv = tuple(item["argv"])
            if not argv[0].startswith("/"):
                _fail(
                    f"the program must be an absolute path, found {argv[0]!r}.",
                    f"validation.{kind}[{number}].argv[0]",
                    "Name it like /usr/bin/grep: no shell and no PATH is involved.",
                )
            codes = tuple(int(code) for code in item.get("exit_codes", [default]))
            if kind == "must_fail" and 0 in codes:
                _fail(
                    "0 means that the command succeeded, and it must stay rejected.",
                    f"validation.{kind}[{number}].exit_codes",
                    "List the exit codes of the rejection, or move the command to must_hold.",
                )
            yield Check(kind, item["name"], argv, int(item.get("timeout", DEFAULT_CHECK_TIMEOUT)), codes, bool(item.get("after_actions", False)))


@contextlib.contextmanager
def _at(place: str, outer: bool = False) -> t.Iterator[None]:
    """Give an error from within its *place* in the document, or with *outer* the file in which that place is."""
    try:
        yield
    except CodexOpsError as error:
        if not outer or not error.where:
            error.where = place or error.where
        elif place:
            error.where = f"{place} at {error.where}"
        raise


def _contradictions(values: dict[str, t.Any], protected: t.Sequence[str]) -> None:
    correct = [item["value"] for item in values.get("correct", [])]
    for number, item in enumerate(values.get("incorrect", [])):
        where = f"values.incorrect[{number}].value"
        if item["value"] in correct and "in" not in item:
            _fail(f"{item['value']!r} is said to be correct too.", where, "A value can be only one of the two in the same files.")
        if item["value"] in protected and "in" not in item:
            _fail(f"{item['value']!r} is listed in do_not_touch.values too.", where, "Say in which files it is wrong with 'in', or drop one.")


def parse(document: t.Any, source: str | None = None) -> Slice:
    """The slice that *document* (a dictionary) describes.

    :arg source: The file it came from, for messages.
    :raises CodexOpsError: ``slice_invalid``; the message names the path in the document, what was expected and what was found.
    """
    from .document import describe, load_schema, problems  # pylint: disable=import-outside-toplevel

    wrong = problems(document, load_schema("slice"))
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise CodexOpsError(
            f"The slice is not valid {describe(wrong[0])}{more}.",
            code="slice_invalid",
            outcome="rejected",
            where=source,
            hint="The form of a slice is described in the guide on slices and in schemas/slice.schema.json.",
            details=t.cast("list[dict[str, t.Any]]", wrong),
        )
    with _at(source or "", outer=True):
        return build(document)


def build(document: dict[str, t.Any]) -> Slice:
    """Like :func:`parse`, for a document that already fits the schema; finds what a schema cannot say.

    :raises CodexOpsError: ``slice_invalid``.
    """
    sha256 = _digest(document)
    workspace = document["workspace"]
    if posixpath.normpath(workspace) != workspace.rstrip("/") or "\0" in workspace or workspace.startswith("//"):
        _fail(f"expected an absolute path without '..', '.' or doubled slashes, found {workspace!r}.", "workspace")
    values = document.get("values", {})
    untouched = document.get("do_not_touch", {})
    protected = tuple(untouched.get("values", ()))
    _contradictions(values, protected)
    with _at("scope"):
        scope = Scope(document["scope"]["include"], document["scope"].get("exclude", ()))
    with _at("do_not_touch.paths"):
        protected_paths = Globs(untouched.get("paths", ()))
    incorrect = []
    for number, item in enumerate(values.get("incorrect", ())):
        with _at(f"values.incorrect[{number}].in"):
            incorrect.append(IncorrectValue(item["value"], Globs(item["in"]) if "in" in item else None))
    return Slice(
        document=document,
        sha256=sha256,
        name=document["name"],
        category=document["category"],
        workspace=workspace.rstrip("/"),
        scope=scope,
        correct=tuple(item["value"] for item in values.get("correct", ())),
        incorrect=tuple(incorrect),
        protected_values=protected,
        protected_paths=protected_paths,
        checks=tuple(_checks(document.get("validation", {}))),
        # JSON Schema takes 20.0 for an integer too.
        limits={**DEFAULT_LIMITS, **{name: int(limit) for name, limit in document.get("limits", {}).items()}},
        report_schema=document.get("report_schema", "slice-report"),
    )
