# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of exec and slice: read files here, find mistakes before anything runs, look at the result again. PRIVATE."""

from __future__ import annotations

import json
import os
import tempfile
import typing as t

import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.day2.codex.plugins.module_utils._agent.cassette import load
from ansible_collections.day2.codex.plugins.module_utils._contract.document import describe, problems
from ansible_collections.day2.codex.plugins.module_utils._contract.report import check_schema, local_form
from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._options import check_address
from ansible_collections.day2.codex.plugins.module_utils._record import CALLER_VARIABLE, HEAD_VARIABLE
from ansible_collections.day2.codex.plugins.module_utils._result import failure
from ansible_collections.day2.codex.plugins.module_utils._shown import planned_patch
from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor
from ansible_collections.day2.codex.plugins.plugin_utils._audit import caller
from ansible_collections.day2.codex.plugins.plugin_utils._quiet import quiet

try:
    # Here, and not where it is used: Ansible loads an action plugin once and then forks for each task.
    import jsonschema  # noqa: F401  # pylint: disable=unused-import
except ImportError as missing:
    JSONSCHEMA_MISSING: ImportError | None = missing
else:
    JSONSCHEMA_MISSING = None

#: Bytes of a slice or a cassette that are read.
MAX_FILE = 32 * 1024 * 1024
#: Values, and levels of them, that a slice unfolds to.
MAX_PLACES = 200000
MAX_DEPTH = 100


class _Loader(yaml.SafeLoader):
    """YAML without surprises: a key that stands twice is an error."""

    def construct_mapping(self, node: t.Any, deep: bool = False) -> t.Any:
        seen = set()
        for key_node, _value in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, (str, int, float, bool)) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
            if isinstance(key, (str, int, float, bool)):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _plain(value: t.Any) -> None:
    """Hold *value* against what JSON can carry, and against a bomb of aliases: what a few lines unfold to is counted.

    :raises ValueError: in words for a person.
    """
    places, level, depth = 0, [value], 0
    while level:
        depth += 1
        places += len(level)
        if places > MAX_PLACES or depth > MAX_DEPTH:
            raise ValueError(f"its aliases or brackets unfold to more than {MAX_PLACES} values or {MAX_DEPTH} levels")
        below: list[t.Any] = []
        for part in level:
            if isinstance(part, dict):
                for key in part:
                    if not isinstance(key, str):
                        raise ValueError(f"the key {key!r} is not a text")
                below.extend(part.values())
            elif isinstance(part, list):
                below.extend(part)
            if len(below) > MAX_PLACES:
                break
        level = below


def _once(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {}
    for key, item in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} stands twice")
        found[key] = item
    return found


def read_text(path: str, what: str) -> str:
    """The text of a file on the controller.

    :raises CodexOpsError: ``file_unreadable``.
    """
    try:
        with open(path, "rb") as handle:
            raw = handle.read(MAX_FILE + 1)
        if len(raw) > MAX_FILE:
            raise CodexOpsError(f"The {what} is larger than {MAX_FILE} bytes.", code="file_unreadable", outcome="rejected", where=path)
        return raw.decode("utf-8")
    except OSError as error:
        message = f"The {what} cannot be read: {error.strerror}."
    except UnicodeDecodeError as error:
        message = f"The {what} is not UTF-8 text (byte {error.start})."
    raise CodexOpsError(message, code="file_unreadable", outcome="rejected", where=path)


def load_document(path: str, what: str = "slice") -> t.Any:
    """A YAML or JSON file as plain data; nothing in it is a template.

    :arg what: What it is, a word for messages and codes.
    :raises CodexOpsError: ``slice_invalid`` (with *what* in it), with line and column.
    """
    text = read_text(path, what)
    try:
        # JSON is not quite YAML: it may be indented with tabs, and escapes slashes and surrogate pairs.
        value = json.loads(text, object_pairs_hook=_once) if path.endswith(".json") else yaml.load(text, Loader=_Loader)
        _plain(value)
        # A document that JSON cannot carry (dates, NaN) is no slice.
        return json.loads(json.dumps(value, allow_nan=False))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        message = f"The {what} is not valid YAML: {place}{getattr(error, 'problem', error)}."
    except RecursionError:
        message = f"The {what} is nested too deeply."
    except (TypeError, ValueError) as error:
        message = f"The {what} is not valid: {error}."
    raise CodexOpsError(message, code=f"{what}_invalid", outcome="rejected", where=path, hint="Quote dates and times, and use text as keys.")


def write_cassette(path: str, cassette: t.Any) -> None:
    """Write a recorded cassette, all of it or nothing.

    :raises CodexOpsError: ``file_unwritable``.
    """
    try:
        descriptor, beside = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".cassette-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            json.dump(cassette, handle, indent=1, ensure_ascii=True)
            handle.write("\n")
        # It may hold what the agent read, so it stays its owner's until somebody decides otherwise.
        os.replace(beside, path)
    except OSError as error:
        raise CodexOpsError(f"The cassette cannot be written: {error.strerror}.", code="file_unwritable", where=path) from None


def _masked(answer: dict[str, t.Any], redactor: Redactor) -> dict[str, t.Any]:
    """*answer* without secrets; a patch line by line, so that none of its lines can be hidden."""
    shown = dict(answer)
    patch, diff = shown.pop("patch", None), shown.pop("diff", None)
    shown = redactor.data(shown)
    if isinstance(patch, str):
        shown["patch"] = planned_patch(patch, redactor)
    if isinstance(diff, dict) and isinstance(diff.get("prepared"), str):
        shown["diff"] = {"prepared": planned_patch(diff["prepared"], redactor)}
    return t.cast("dict[str, t.Any]", shown)


class AgentActionBase(ActionBase):
    """What the action plugins of exec and slice share."""

    _supports_check_mode = True
    _supports_diff = True
    _supports_async = True

    #: The module of the same name.
    module = ""

    def prepare(self, args: dict[str, t.Any]) -> dict[str, t.Any]:
        """The module's arguments for the task's *args*.

        :raises CodexOpsError: for what is wrong with them.
        """
        return args

    def _file(self, name: str, what: str) -> str:
        try:
            return str(self._find_needle("files", name))
        except AnsibleError:
            raise CodexOpsError(
                f"There is no such {what} on the controller.",
                code="file_unreadable",
                outcome="rejected",
                where=name,
                hint="It is looked for beside the playbook or role, and in their folder 'files'.",
            ) from None

    def _cassette(self, args: dict[str, t.Any]) -> str | None:
        """Put the cassette's text in the place of its path in *args*; the path to record to, if any."""
        name, mode = args.pop("cassette", None), args.get("cassette_mode")
        mode = "off" if mode is False else mode  # YAML 1.1 reads a bare off as false
        if mode is not None:
            args["cassette_mode"] = mode
        if mode == "record":
            if not name:
                raise CodexOpsError(
                    "cassette_mode is record, and no cassette says where to.",
                    code="option_invalid",
                    outcome="rejected",
                    where="cassette_mode",
                    hint="Set 'cassette' to the path on the controller that is to be written.",
                )
            if self._task.async_val:
                raise CodexOpsError(
                    "A cassette cannot be recorded with async: nothing comes back to the controller in time.",
                    code="option_invalid",
                    outcome="rejected",
                    where="cassette_mode",
                    hint="Leave out async while recording.",
                )
            return str(self._loader.path_dwim(name))
        if not name or mode == "off":
            return None
        path = self._file(str(name), "cassette")
        text = read_text(path, "cassette")
        load(text, path)
        args["cassette"] = text
        return None

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        """Prepare, run the module on the host, and look at what came back."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        if JSONSCHEMA_MISSING is not None:
            raise AnsibleActionFail(
                "The Python library jsonschema (4 or newer) is missing on the controller. Install it into the Python that runs Ansible."
            ) from JSONSCHEMA_MISSING
        args = dict(self._task.args)
        secrets = [str(args["api_key"])] if args.get("api_key") else []
        redactor = Redactor(secrets)
        try:
            for name in ("proxy", "base_url"):
                check_address(args.get(name), name)
            args = self.prepare(args)
            record_to = self._cassette(args)
            self._introduce(task_vars or {})
            answer = self._execute_module(
                module_name=f"day2.codex.{self.module}", module_args=args, task_vars=quiet(task_vars), wrap_async=self._task.async_val
            )
            recorded = answer.pop("_recorded", None)
            result.update(_masked(answer, redactor))
            self._look_again(args, result)
            if record_to is not None and recorded is not None and not self._task.check_mode:
                self._write(record_to, redactor.data(recorded), result)
        except CodexOpsError as error:
            result.update(redactor.data(failure(error, self.module)))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _introduce(self, task_vars: dict[str, t.Any]) -> None:
        """Tell the host who runs this, and where this controller's own log stands, so that its records can say so."""
        job_id, user = caller(task_vars)
        said = {CALLER_VARIABLE: json.dumps({"job_id": job_id, "via": {**user["via"], "user": user["name"]}}, sort_keys=True)}
        if os.environ.get(HEAD_VARIABLE):
            said[HEAD_VARIABLE] = os.environ[HEAD_VARIABLE]
        given = self._task.environment
        self._task.environment = [*(given if isinstance(given, list) else [given] if given else []), said]

    @staticmethod
    def _write(path: str, cassette: t.Any, result: dict[str, t.Any]) -> None:
        try:
            write_cassette(path, cassette)
        except CodexOpsError as error:
            # The answer cost tokens and stays; only the recording is lost.
            result.update(failed=True, code=error.code, msg=f"{result.get('msg', '')} {error}".strip())

    def _look_again(self, args: dict[str, t.Any], result: dict[str, t.Any]) -> None:
        schema = args.get("output_schema")
        if not schema or result.get("report") is None or result.get("failed"):
            return
        wrong = problems(result["report"], local_form(check_schema(schema)))
        if wrong:
            result.update(
                failed=True,
                outcome="invalid_report",
                code="invalid_report",
                details=wrong,
                msg=f"The agent's report does not fit its schema {describe(wrong[0])}.",
            )
