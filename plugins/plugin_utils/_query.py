# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller's half of the modules that read: a JMESPath query over what came back. PRIVATE."""

from __future__ import annotations

import json
import sys
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.day2.codex.plugins.module_utils._trail.redaction import Redactor
from ansible_collections.day2.codex.plugins.plugin_utils._quiet import quiet

try:
    # Here, and not where it is used: Ansible loads an action plugin once and then forks for each task.
    import jmespath
except ImportError:
    jmespath = None


class _BadQuery(Exception):
    """What is wrong with the query, for a person."""


def _compiled(query: str) -> t.Any:
    if jmespath is None:
        raise _BadQuery(f"it needs the Python library jmespath on the controller. Install it into the Python that runs Ansible, {sys.executable}.")
    try:
        return jmespath.compile(query)
    except jmespath.exceptions.LexerError as error:
        raise _BadQuery(_at(query, error.lexer_position, str(error.message))) from None
    except jmespath.exceptions.ParseError as error:
        position, token = error.lex_position, error.token_value
        if token in (None, "") or not isinstance(position, int) or position >= len(query):
            raise _BadQuery(_at(query, len(query), "the expression ends too early")) from None
        raise _BadQuery(_at(query, position, f"{str(token)!r} was not expected here")) from None
    except (ValueError, RecursionError) as error:
        raise _BadQuery(f"it is not a JMESPath expression: {' '.join(str(error).split())}") from None


def _at(query: str, position: int, reason: str) -> str:
    return f"it is not a JMESPath expression, at character {position + 1} of {query!r}: {reason.rstrip('.')}."


def _value(compiled: t.Any, query: str, rows: t.Any, what: str) -> t.Any:
    try:
        # Plain types: to jmespath, those of Ansible are neither texts nor lists.
        return compiled.search(json.loads(json.dumps(rows)))
    except (ValueError, TypeError, RecursionError) as error:
        raise _BadQuery(f"{query!r} cannot be evaluated over these {what}: {' '.join(str(error).split())}") from None


class QueryActionBase(ActionBase):
    """Finds a bad query before anything is sent to the host, and evaluates it over what came back."""

    _supports_check_mode = True
    _supports_async = True
    #: The module, the list in its result, and what of each item is bound to other things, and is never a secret.
    module = ""
    rows = ""
    binding: tuple[str, ...] = ()
    #: What else of the result is text of others.
    more: tuple[str, ...] = ()

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        """Run the module, and the query over what it returns."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        del tmp
        args = dict(self._task.args)
        query = args.pop("query", None)
        try:
            compiled = None
            if query is not None:
                if self._task.async_val:
                    raise _BadQuery(f"it cannot be used with async: the {self.rows} do not come back to this task.")
                query = str(query)
                compiled = _compiled(query)
            name = f"day2.codex.{self.module}"
            answer = self._execute_module(module_name=name, module_args=args, task_vars=quiet(task_vars), wrap_async=self._task.async_val)
            if isinstance(answer.get(self.rows), list):
                redactor = Redactor()
                answer[self.rows] = [self._redacted(redactor, row) for row in answer[self.rows]]
            for name in self.more:
                if isinstance(answer.get(name), dict):
                    answer[name] = self._bound(answer[name], Redactor().data(answer[name]))
            result.update(answer)
            if compiled is not None and self.rows in answer:
                result["query_result"] = _value(compiled, query, answer[self.rows], self.rows)
        except _BadQuery as error:
            result.update(failed=True, changed=False, code="option_invalid", msg=f"query: {error}")
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _bound(self, plain: t.Any, shown: t.Any) -> t.Any:
        """*shown*, which is *plain* without secrets, with what binds it as it was, at any depth."""
        if isinstance(plain, dict) and isinstance(shown, dict) and plain.keys() == shown.keys():
            return {key: plain[key] if key in self.binding else self._bound(plain[key], shown[key]) for key in plain}
        if isinstance(plain, list) and isinstance(shown, list) and len(plain) == len(shown):
            return [self._bound(one, other) for one, other in zip(plain, shown)]
        return shown

    def _redacted(self, redactor: Redactor, row: dict[str, t.Any]) -> dict[str, t.Any]:
        """*row* once more without secrets; what binds it is none."""
        shown = t.cast("dict[str, t.Any]", redactor.data(row))
        shown.update({name: row[name] for name in self.binding if name in row})
        return shown
