# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How people are told of what needs them on a host: what delivery.json says. PRIVATE."""

from __future__ import annotations

import os
import typing as t

from .._contract import owned
from .._errors import CodexOpsError

#: The version of the form that this engine reads. It refuses a newer one.
VERSION = 1
#: Why a person is needed.
STATUSES = ("needs_human", "awaiting_approval", "failed")
#: How bad a ticket is.
SEVERITIES = {"INFO": 0, "WARNING": 1, "CRITICAL": 2}
#: Where a file says nothing: alerts in an hour, seconds for which the same is not told again, seconds for one call.
PER_HOUR, REPEAT_AFTER, TIMEOUT = 10, 24 * 3600.0, 10.0
_KIND = owned.Kind(
    name="delivery",
    words="delivery file",
    version=VERSION,
    outcome="rejected",
    missing="There is no delivery file.",
    write_one="Write one, as the guide on runbooks shows.",
    unsafe="Anybody who can write this file decides what runs when something is wrong: make it root's own (chown root, chmod 0644).",
    hint="The guide on runbooks and schemas/delivery.schema.json describe its form. Until it is right, tickets are written and nobody is alerted.",
)


class Alert(t.NamedTuple):
    """The hook: ``command``, or ``webhook``. Spans are in seconds."""

    command: tuple[str, ...]
    webhook: str | None
    key_file: str
    ca_file: str | None
    min_severity: str
    per_hour: int
    repeat_after: float
    timeout: float

    @property
    def where(self) -> str:
        """Where alerts go, for people: a program, or a host. The rest of an address may be a secret."""
        return self.command[0] if self.webhook is None else _host(self.webhook)


def _host(url: str) -> str:
    scheme, _slashes, rest = url.partition("://")
    return f"{scheme}://" + rest[: next((place for place, letter in enumerate(rest) if letter in "/?#"), len(rest))]


class Settings(t.NamedTuple):
    """What a host wants. The defaults are what it gets without a file."""

    when: tuple[str, ...] = STATUSES
    ticket: bool = True
    branch: bool = False
    alert: Alert | None = None


def load(path: str, owners: t.Collection[int], key_file: str) -> Settings:
    """The settings at *path*; the defaults where nothing is there.

    :arg owners: The users to whom the file may belong.
    :arg key_file: The key of a hook that names none.
    :raises CodexOpsError: ``delivery_unsafe``, ``delivery_invalid`` (outcome ``rejected``) or ``newer_state``.
    """
    if not os.path.lexists(path):
        return Settings()
    return parse(owned.content(path, owners, _KIND), path, key_file)


def parse(data: bytes, path: str, key_file: str) -> Settings:
    """The settings in *data*, JSON.

    :arg path: Where they stand, for people.
    :raises CodexOpsError: ``delivery_invalid`` or ``newer_state``.
    """
    said = owned.document(data, path, _KIND)
    alert = said.get("alert")
    return Settings(
        when=tuple(said.get("when", STATUSES)),
        ticket=bool(said.get("ticket", True)),
        branch=bool(said.get("branch", False)),
        alert=None if alert is None else _alert(alert, path, key_file),
    )


def _alert(said: t.Mapping[str, t.Any], path: str, key_file: str) -> Alert:
    if ("command" in said) == ("webhook" in said):
        raise _invalid(path, "alert", "expected either 'command' or 'webhook', and not both.", "There is one hook: let a command of yours call several.")
    command = tuple(said.get("command", ()))
    if command and (not command[0].startswith("/") or command[0].endswith("/")):
        raise _invalid(path, "alert.command[0]", f"expected the absolute path of a program, found {command[0][:80]!r}.", "No shell looks for it.")
    if "webhook" in said:
        wrong = problem(said["webhook"])
        if wrong:
            raise _invalid(path, "alert.webhook", wrong, None)
    elif "ca_file" in said:
        raise _invalid(path, "alert.ca_file", "it is for a webhook only.", "Leave it out.")
    repeat = said.get("repeat_after", REPEAT_AFTER)
    return Alert(
        command=command,
        webhook=said.get("webhook"),
        key_file=said.get("key_file", key_file),
        ca_file=said.get("ca_file"),
        min_severity=said.get("min_severity", "INFO"),
        per_hour=int(said.get("per_hour", PER_HOUR)),
        repeat_after=owned.seconds(repeat),
        timeout=float(said.get("timeout", TIMEOUT)),
    )


def problem(url: str) -> str | None:
    """What is wrong with the address of a webhook, if something is."""
    from urllib.parse import urlsplit  # pylint: disable=import-outside-toplevel

    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"it is no address: {error}."
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "expected an address that begins with https:// and names a host."
    if parts.username is not None or parts.password is not None:
        return "an address with a user name or a password in it is not taken. Alerts are signed instead."
    if parts.fragment:
        return "an address with a fragment (#) is not taken."
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        return f"http is taken for this host itself only, found {parts.hostname}. Use https."
    return None


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address, is surely this host itself."""
    import ipaddress  # pylint: disable=import-outside-toplevel

    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _invalid(path: str, key: str, message: str, hint: str | None) -> CodexOpsError:
    return _KIND.wrong("invalid", message, f"{path} at {key}", hint)
