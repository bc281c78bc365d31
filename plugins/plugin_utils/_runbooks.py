# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices, report schemas and skills as files on the controller, held against their contracts before anything is written. PRIVATE."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import typing as t

import yaml

from ansible_collections.day2.codex.plugins.module_utils._contract.report import check_schema
from ansible_collections.day2.codex.plugins.module_utils._contract.slice import Slice, parse
from ansible_collections.day2.codex.plugins.module_utils._delivery.settings import parse as parse_delivery
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._signals.registry import NAMES as COLLECTORS
from ansible_collections.day2.codex.plugins.module_utils._signals.rules import parse as parse_rules
from ansible_collections.day2.codex.plugins.module_utils._workspace.escape import escape
from ansible_collections.day2.codex.plugins.plugin_utils._agent_action import load_document, read_text

#: The report schema that comes with the collection.
BUILT_IN = ("slice-report", "report")
SKILL = "SKILL.md"
#: The files of a runbook, and the keys of its slice that a host may have others of.
RUNBOOK = ("README.md", SKILL, "cassette.json", "rehearsal.json", "report.schema.json", "slice.yml")
SETTINGS = ("workspace", "scope", "do_not_touch", "validation", "actions", "limits", "values")
MAX_SKILL_FILES, MAX_SKILL_BYTES = 100, 1024 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_FRONT = re.compile(r"---\n(.*?)\n---(?:\n|\Z)", re.DOTALL)


def _fail(message: str, where: str, hint: str | None = None, code: str = "runbook_invalid") -> t.NoReturn:
    raise CodexOpsError(message, code=code, outcome="rejected", where=where, hint=hint)


def _packed(content: bytes) -> str:
    # Text of a slice must not meet Ansible's templates on its way.
    return base64.b64encode(content).decode("ascii")


def found(paths: t.Any, search: t.Sequence[str]) -> list[str]:
    """*paths*, each with the first folder of *search* in which it is.

    :raises CodexOpsError: ``runbook_invalid`` or ``file_unreadable``.
    """
    if not isinstance(paths, list) or not all(isinstance(path, str) and path for path in paths):
        _fail("expected a list of paths on the controller.", str(paths)[:80])
    result = []
    for path in paths:
        places = [os.path.join(folder, path) for folder in search] if search and not os.path.isabs(path) else [path]
        place = next((place for place in places if os.path.exists(place)), None)
        if place is None:
            _fail(f"it is not there (looked for {', '.join(places)}).", path, "Give its path on the controller.", "file_unreadable")
        result.append(place)
    return result


def report_schemas(paths: t.Sequence[str]) -> dict[str, dict[str, t.Any]]:
    """The report schemas in files, by the names of the files without their ends.

    :raises CodexOpsError: ``schema_invalid`` and others, naming file, path in it, and what to do.
    """
    known: dict[str, dict[str, t.Any]] = {}
    for path in paths:
        name = os.path.splitext(os.path.basename(path))[0]
        if not _NAME.fullmatch(name) or name in BUILT_IN:
            _fail(f"expected a file whose name is free and has lower-case letters, digits, dots, hyphens and underlines, found {name!r}.", path)
        if name in known:
            _fail(f"there are two report schemas named {name!r}.", path)
        try:
            known[name] = check_schema(load_document(path, "schema"))
        except CodexOpsError as error:
            place = (error.where or "").replace("output_schema at ", "")
            error.where = path if place in ("", path) else f"{path} at {place}"
            raise
    return known


def slice_document(path: str, schemas: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The slice in a file, as it is installed: ``name``, ``sha256``, and ``content_b64``, JSON that is the same for the same slice.

    :arg schemas: Report schemas by name. The slice's own is written out in it, so that its digest covers it, too.
    :raises CodexOpsError: ``slice_invalid`` and others, naming file, path in it, and what to do.
    """
    return _slice_of(load_document(path), path, schemas)


def _slice_of(document: dict[str, t.Any], path: str, schemas: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    parsed: Slice = parse(document, path)
    wanted = document.get("report_schema")
    if isinstance(wanted, str) and wanted not in BUILT_IN:
        if wanted not in schemas:
            known = ", ".join(sorted([*schemas, BUILT_IN[0]]))
            _fail(f"there is no report schema named {wanted!r}.", f"{path} at report_schema", f"Known here: {known}. Add its file to runbooks_report_schemas.")
        document = {**document, "report_schema": schemas[wanted]}
        parsed = parse(document, path)
    elif isinstance(wanted, dict):
        try:
            check_schema(wanted)
        except CodexOpsError as error:
            error.where = f"{path} at {(error.where or '').replace('output_schema', 'report_schema', 1)}"
            raise
    text = json.dumps(document, ensure_ascii=True, indent=2, sort_keys=True) + "\n"
    return {"name": parsed.name, "sha256": parsed.sha256, "content_b64": _packed(text.encode("ascii"))}


def slices(paths: t.Sequence[str], schema_paths: t.Sequence[str] = ()) -> list[dict[str, t.Any]]:
    """:func:`slice_document` for each of *paths*; no two of them may have the same name."""
    schemas = report_schemas(schema_paths)
    result: list[dict[str, t.Any]] = []
    for path in paths:
        one = slice_document(path, schemas)
        if one["name"] in (other["name"] for other in result):
            _fail(f"another file has a slice named {one['name']!r}, too.", f"{path} at name", "Give one of them another name.")
        result.append(one)
    return result


def skill(path: str) -> dict[str, t.Any]:
    """The skill in a folder: ``name``, ``folders`` (paths), and ``files`` with ``path``, ``mode`` and ``content_b64``. Paths begin with the name.

    :raises CodexOpsError: ``runbook_invalid``, naming the file and what to do.
    """
    path = os.path.abspath(path)
    above = os.path.dirname(path)
    folders, files = [], []
    total = 0
    for here, below, names in os.walk(path, onerror=_unreadable):
        below.sort()
        folders.append(os.path.relpath(here, above))
        for name in sorted([*names, *below]):
            full = os.path.join(here, name)
            found = os.lstat(full)
            if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
                _fail("expected files and folders only, no links.", full, "Put a copy in its place.")
            if escape(name) != name or not name.isprintable() or "{{" in name or "{%" in name:
                _fail(f"the name holds a character that may not be in it: {name!r}.", full, "Rename it.")
            if stat.S_ISREG(found.st_mode):
                text = read_text(full, "skill")
                hidden = next((number for number, line in enumerate(text.split("\n"), 1) if escape(line) != line), None)
                if hidden is not None:
                    _fail("a line holds hidden characters (control, zero-width or bidirectional ones).", f"{full}:{hidden}", "Remove them.")
                total += len(text)
                mode = "0755" if found.st_mode & stat.S_IXUSR else "0644"
                files.append({"path": os.path.relpath(full, above), "mode": mode, "content_b64": _packed(text.encode("utf-8"))})
    if len(files) > MAX_SKILL_FILES or total > MAX_SKILL_BYTES:
        _fail(f"a skill has at most {MAX_SKILL_FILES} files and {MAX_SKILL_BYTES} characters; this has {len(files)} and {total}.", path)
    name = os.path.basename(path)
    _front_matter(os.path.join(path, SKILL), name)
    return {"name": name, "folders": folders, "files": files}


def _unreadable(error: OSError) -> t.NoReturn:
    _fail(f"the skill cannot be read: {error.strerror}.", str(error.filename))


def _front_matter(path: str, name: str) -> None:
    hint = "It begins with '---', 'name: ...', 'description: ...' and '---', each on a line of its own."
    match = _FRONT.match(read_text(path, "skill"))
    if not match:
        _fail("the skill has no front matter.", path, hint)
    try:
        said = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        _fail(f"the front matter is not YAML: {getattr(error, 'problem', error)}.", path, hint)
    if not isinstance(said, dict) or not _NAME.fullmatch(name) or said.get("name") != name:
        found = said.get("name") if isinstance(said, dict) else None
        _fail(f"expected the folder and the key 'name' to be the same, in lower-case letters, digits, dots and hyphens; found {name!r} and {found!r}.", path)
    if not isinstance(said.get("description"), str) or not 1 <= len(said["description"].strip()) <= 1024:
        _fail("expected a 'description' of 1 to 1024 characters: by it Codex decides when to use the skill.", path, hint)


def skills(paths: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """:func:`skill` for each of *paths*; no two of them may have the same name."""
    result: list[dict[str, t.Any]] = []
    for path in paths:
        one = skill(path)
        if one["name"] in (other["name"] for other in result):
            _fail(f"another folder has a skill named {one['name']!r}, too.", path, "Rename one of them, folder and front matter.")
        result.append(one)
    return result


# --- rules ----------------------------------------------------------------------------------------------------------------


def rules_table(given: t.Any, time_zone: t.Any = None, slices_: t.Any = None) -> dict[str, t.Any]:
    """The table of rules that a host keeps: ``rules`` (their names), and ``content_b64``, JSON.

    :arg given: The rules, in their order.
    :arg slices_: The names of the slices that the host will have. A rule for another one is an error. ``None``: not known.
    :raises CodexOpsError: ``rules_invalid``, naming the place and what to do.
    """
    if not isinstance(given, list):
        _fail("expected a list of rules.", "runbooks_rules", code="rules_invalid")
    document = {"version": 1, **({"time_zone": time_zone} if time_zone else {}), "rules": given}
    try:
        text = json.dumps(document, ensure_ascii=True, allow_nan=False, indent=2) + "\n"
    except (TypeError, ValueError) as error:
        _fail(f"a rule cannot be written as JSON: {error}.", "runbooks_rules", "Quote dates and times, and use text as keys.", "rules_invalid")
    table = parse_rules(text.encode("ascii"), "runbooks_rules")
    for rule in table.rules:
        if slices_ is not None and rule.slice not in slices_:
            known = ", ".join(sorted(slices_)) or "none"
            _fail(
                f"the rule {rule.name!r} names the slice {rule.slice!r}, which is not among those that are installed.",
                table.where(rule, "slice"),
                f"Known here: {known}. Add it to runbooks_catalogue or runbooks_slices.",
                "slice_not_found",
            )
        if rule.signal not in COLLECTORS:
            _fail(f"there is no collector {rule.signal!r}.", table.where(rule, "signal"), f"There are: {', '.join(COLLECTORS)}.", "collector_unknown")
    return {"rules": [rule.name for rule in table.rules], "content_b64": _packed(text.encode("ascii"))}


# --- delivery -------------------------------------------------------------------------------------------------------------


def delivery_file(given: t.Any) -> dict[str, t.Any]:
    """The delivery file that a host keeps: ``alerts_by``, where alerts go or ``None``, and ``content_b64``, JSON.

    :arg given: What people want; its version need not be said.
    :raises CodexOpsError: ``delivery_invalid``, naming the place and what to do.
    """
    if not isinstance(given, dict):
        _fail("expected a dictionary.", "runbooks_delivery", "It has the keys when, ticket, branch and alert.", "delivery_invalid")
    try:
        text = json.dumps({"version": 1, **given}, ensure_ascii=True, allow_nan=False, indent=2) + "\n"
    except (TypeError, ValueError) as error:
        _fail(f"it cannot be written as JSON: {error}.", "runbooks_delivery", "Quote dates and times, and use text as keys.", "delivery_invalid")
    alert = parse_delivery(text.encode("ascii"), "runbooks_delivery", "").alert
    return {"alerts_by": None if alert is None else alert.where, "content_b64": _packed(text.encode("ascii"))}


# --- runbooks -------------------------------------------------------------------------------------------------------------


def runbook(folder: str, settings: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
    """The runbook in *folder*: ``name``, ``folder``, ``workspace``, ``slice`` as :func:`slice_document` has it, ``skill`` as :func:`skill` has it.

    :arg settings: What is another on a host: some of the keys :data:`SETTINGS`, each in the place of the shipped one.
    :raises CodexOpsError: naming the file, the place in it, and what to do.
    """
    name = os.path.basename(os.path.abspath(folder))
    for file in RUNBOOK:
        if not os.path.isfile(os.path.join(folder, file)):
            _fail(f"the runbook lacks its {file}.", folder, f"A runbook has {', '.join(RUNBOOK)}.")
    settings = settings or {}
    if not isinstance(settings, dict) or set(settings) - set(SETTINGS):
        wrong = sorted(set(settings) - set(SETTINGS)) if isinstance(settings, dict) else settings
        _fail(f"expected some of {', '.join(SETTINGS)}, found {wrong!r}.", f"the settings of {name}")
    path = os.path.join(folder, "slice.yml")
    document = load_document(path)
    schema = check_schema(load_document(os.path.join(folder, "report.schema.json"), "schema"))
    if not isinstance(document, dict) or document.get("name") != name or document.get("report_schema") != name:
        _fail(f"expected the name and the report_schema {name!r}, which is the folder's.", path)
    made = _slice_of({**document, **settings}, f"{path} with its settings" if settings else path, {name: schema})
    _front_matter(os.path.join(folder, SKILL), name)
    text = read_text(os.path.join(folder, SKILL), "skill")
    hidden = next((number for number, line in enumerate(text.split("\n"), 1) if escape(line) != line), None)
    if hidden is not None:
        _fail("a line holds hidden characters (control, zero-width or bidirectional ones).", f"{os.path.join(folder, SKILL)}:{hidden}", "Remove them.")
    file = {"path": f"{name}/{SKILL}", "mode": "0644", "content_b64": _packed(text.encode("utf-8"))}
    return {
        "name": name,
        "folder": folder,
        "workspace": settings.get("workspace", document["workspace"]),
        "slice": made,
        "skill": {"name": name, "folders": [name], "files": [file]},
    }


def runbooks(names: t.Any, folder: str, settings: t.Any = None) -> list[dict[str, t.Any]]:
    """:func:`runbook` for each of *names*: one of those in *folder*, the path of one with a slash in it, or ``all`` of those in *folder*.

    :arg settings: By name.
    :raises CodexOpsError: ``runbook_unknown`` or ``runbook_invalid``.
    """
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        _fail("expected a list of names of runbooks.", "runbooks_catalogue")
    if settings is not None and not isinstance(settings, dict):
        _fail("expected a dictionary: the name of a runbook, and what is another for it.", "runbooks_settings")
    settings = dict(settings or {})
    known = sorted(name for name in os.listdir(folder) if os.path.isfile(os.path.join(folder, name, "slice.yml")))
    wanted = [one for given in names for one in (known if given == "all" else [given])]
    found = []
    for name in dict.fromkeys(wanted):
        if "/" not in name and name not in known:
            _fail(f"there is no runbook {name!r}.", "runbooks_catalogue", f"There are: {', '.join(known)}.", "runbook_unknown")
        found.append(runbook(name if "/" in name else os.path.join(folder, name), settings.pop(os.path.basename(os.path.abspath(name)), None)))
    if settings:
        _fail(f"{sorted(settings)[0]!r} is not among the runbooks that are to be installed.", "runbooks_settings")
    return found
