# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may sign: one line, one person, one key, and nothing that ssh-keygen would read in another way."""

from __future__ import annotations

import base64
import os
import pathlib
import subprocess
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._errors import CodexOpsError
from ansible_collections.day2.codex.plugins.module_utils._gates import signers, sshkeys

MESSAGE = b'{"a":1}'
ME = {os.geteuid()}
OPTION = 'namespaces="codex-ops-approval"'


def _make(folder: pathlib.Path, name: str, *kind: str) -> pathlib.Path:
    path = folder / name
    command = ["ssh-keygen", "-q", "-N", "", "-C", name, "-f", str(path), *(kind or ("-t", "ed25519"))]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return path


@pytest.fixture(name="keys", scope="module")
def _keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    folder = tmp_path_factory.mktemp("keys")
    kinds = {"alice": (), "bob": (), "rsa": ("-t", "rsa", "-b", "2048"), "ecdsa": ("-t", "ecdsa", "-b", "384"), "weak": ("-t", "rsa", "-b", "1024")}
    return {name: _make(folder, name, *kind) for name, kind in kinds.items()}


def _public(key: pathlib.Path) -> str:
    return " ".join(key.with_suffix(".pub").read_text().split()[:2])


def _line(name: str, key: pathlib.Path, option: str = OPTION) -> str:
    return f"{name} {option} {_public(key)} a comment\n"


def _sign(key: pathlib.Path, message: bytes = MESSAGE, namespace: str = "codex-ops-approval", *more: str) -> str:
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", str(key), *more]
    return subprocess.run(command, input=message, check=True, capture_output=True).stdout.decode()


class Host:
    """The files that a host verifies against."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.signers = folder / "allowed_signers"
        self.revoked = folder / "revoked_signers"

    def allow(self, *lines: str) -> None:
        self.signers.write_text("".join(lines))
        self.signers.chmod(0o644)

    def verify(self, signature: t.Any, name: str = "alice", message: bytes = MESSAGE) -> signers.Signer:
        return signers.verify(message, signature, name, signers=str(self.signers), revoked_keys=str(self.revoked), owners=ME)

    def refuses(self, code: str, signature: t.Any, name: str = "alice", message: bytes = MESSAGE) -> CodexOpsError:
        with pytest.raises(CodexOpsError) as caught:
            self.verify(signature, name, message)
        assert (caught.value.code, caught.value.outcome) == (code, "forbidden"), caught.value
        return caught.value


@pytest.fixture(name="host")
def _host(tmp_path: pathlib.Path) -> Host:
    return Host(tmp_path)


def _parses(text: str | bytes) -> list[signers.Signer]:
    return signers.parse(text if isinstance(text, bytes) else text.encode(), "allowed_signers")


def _refused(text: str | bytes) -> str:
    with pytest.raises(CodexOpsError) as caught:
        _parses(text)
    assert (caught.value.code, caught.value.outcome) == ("signers_invalid", "forbidden")
    return str(caught.value)


# --- signatures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["alice", "rsa", "ecdsa"])
def test_a_signature_of_somebody_in_the_file_is_theirs(host: Host, keys: dict[str, pathlib.Path], kind: str) -> None:
    host.allow("# people\n", "\n", _line("alice@example.com", keys[kind]), _line("bob", keys["bob"]))
    found = host.verify(_sign(keys[kind]), "alice@example.com")
    assert (found.name, found.line) == ("alice@example.com", 3)
    said = subprocess.run(["ssh-keygen", "-l", "-f", f"{keys[kind]}.pub"], check=True, capture_output=True, text=True).stdout
    assert said.split()[1] == found.key.fingerprint


def test_a_changed_byte_a_foreign_key_and_another_name_are_refused(host: Host, keys: dict[str, pathlib.Path]) -> None:
    host.allow(_line("alice", keys["alice"]), _line("bob", keys["bob"]))
    good = _sign(keys["alice"])
    assert host.verify(good).name == "alice"
    host.refuses("signature_invalid", good, message=MESSAGE + b" ")
    host.refuses("signer_mismatch", good, "bob")
    host.refuses("signer_mismatch", _sign(keys["bob"]), "alice")
    assert "nobody's" in str(host.refuses("signer_unknown", _sign(keys["rsa"])))


def test_a_signature_made_for_something_else_is_none(host: Host, keys: dict[str, pathlib.Path]) -> None:
    host.allow(_line("alice", keys["alice"]))
    host.refuses("namespace_wrong", _sign(keys["alice"], MESSAGE, "git"))
    host.refuses("namespace_wrong", _sign(keys["alice"], MESSAGE, "codex-ops-approval2"))


def test_a_signature_with_anything_around_it_is_refused(host: Host, keys: dict[str, pathlib.Path]) -> None:
    host.allow(_line("alice", keys["alice"]))
    good = _sign(keys["alice"])
    assert host.verify("\n" + good.replace("\n", "\r\n") + "\n").name == "alice"
    first, *middle, last = good.strip().split("\n")
    raw = base64.b64decode("".join(middle))
    for bad in (
        "garbage\n" + good,
        good + "garbage",
        good + good,
        good.replace("-----BEGIN", "----BEGIN"),
        "\n".join([first, *middle[:-1], last]),
        "\n".join([first, *middle, "QUJD", last]),
        "\n".join([first, base64.b64encode(raw + b"x").decode(), last]),
        "\n".join([first, "A" * 70, last]),
        "\n".join([first, "", *middle, last]),
        "\n".join([first, *middle, "\0", last]),
        "",
        "-n",
        "x" * 100000,
        None,
        7,
        {"signature": good},
    ):
        host.refuses("signature_invalid", bad)
    # Every bit counts: none of them can be changed and still be taken.
    for at in range(0, len(raw), 7):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(CodexOpsError):
            host.verify("\n".join([first, base64.b64encode(changed).decode()[:70], base64.b64encode(changed).decode()[70:], last]))


@pytest.mark.parametrize("name", ["-Overify-time=1", "--", "alice ", "alice\nbob", "ali*", "!alice", "alice,bob", "", "alice\0", "a" * 1000, "al ice"])
def test_no_name_becomes_an_option_or_a_pattern(host: Host, keys: dict[str, pathlib.Path], name: str) -> None:
    host.allow(_line("alice", keys["alice"]))
    host.refuses("signer_mismatch", _sign(keys["alice"]), name)


def test_a_revoked_key_is_refused_in_both_forms_of_the_list(host: Host, keys: dict[str, pathlib.Path]) -> None:
    host.allow(_line("alice", keys["alice"]), _line("bob", keys["bob"]))
    good = _sign(keys["alice"])
    host.revoked.write_text(f"# gone\n\n{_public(keys['alice'])} alice's old laptop\n")
    host.revoked.chmod(0o644)
    host.refuses("key_revoked", good)
    assert host.verify(_sign(keys["bob"]), "bob").name == "bob"
    krl = ["ssh-keygen", "-q", "-k", "-f", str(host.revoked), f"{keys['alice']}.pub"]
    subprocess.run(krl, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    host.revoked.chmod(0o600)
    host.refuses("key_revoked", good)
    assert host.verify(_sign(keys["bob"]), "bob").name == "bob"
    host.revoked.write_bytes(host.revoked.read_bytes()[:-20])
    host.refuses("key_revoked", _sign(keys["bob"]), "bob")


def test_a_list_of_revoked_keys_that_cannot_be_trusted_closes(host: Host, keys: dict[str, pathlib.Path]) -> None:
    host.allow(_line("alice", keys["alice"]))
    good = _sign(keys["alice"])
    host.revoked.write_text("alice's old key\n")
    assert "Line 1" in str(host.refuses("revoked_invalid", good))
    host.revoked.write_text("")
    host.revoked.chmod(0o622)
    host.refuses("revoked_unsafe", good)
    host.revoked.unlink()
    host.revoked.symlink_to("/nonexistent")
    host.refuses("revoked_unsafe", good)
    host.revoked.unlink()
    assert host.verify(good).name == "alice"


# --- the file ---------------------------------------------------------------------------------------------------------


def test_without_a_file_nobody_can_sign(host: Host, keys: dict[str, pathlib.Path]) -> None:
    assert "nobody can approve" in str(host.refuses("signers_missing", _sign(keys["alice"])))


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o620, 0o602])
def test_a_file_that_others_can_write_closes(host: Host, keys: dict[str, pathlib.Path], mode: int) -> None:
    host.allow(_line("alice", keys["alice"]))
    host.signers.chmod(mode)
    assert f"{mode:04o}" in str(host.refuses("signers_unsafe", _sign(keys["alice"])))


def test_a_file_of_somebody_else_a_link_a_fifo_and_a_huge_one_close(host: Host, keys: dict[str, pathlib.Path], tmp_path: pathlib.Path) -> None:
    host.allow(_line("alice", keys["alice"]))
    good = _sign(keys["alice"])
    with pytest.raises(CodexOpsError) as caught:
        signers.verify(MESSAGE, good, "alice", signers=str(host.signers), revoked_keys=None, owners={os.geteuid() + 1})
    assert caught.value.code == "signers_unsafe"
    host.signers.rename(tmp_path / "real")
    host.signers.symlink_to(tmp_path / "real")
    host.refuses("signers_unsafe", good)
    host.signers.unlink()
    os.mkfifo(host.signers)
    host.refuses("signers_unsafe", good)
    host.signers.unlink()
    host.signers.mkdir()
    host.refuses("signers_unsafe", good)
    host.signers.rmdir()
    host.allow("#" * (signers.MAX_FILE + 1))
    host.refuses("signers_unsafe", good)


def test_one_key_under_two_names_closes_the_file(keys: dict[str, pathlib.Path]) -> None:
    assert "line 1" in _refused(_line("alice", keys["alice"]) + _line("bob", keys["alice"]))
    assert len(_parses(_line("alice", keys["alice"]) + _line("alice", keys["bob"]))) == 2


def test_the_same_key_in_another_wrapping_is_the_same_key(keys: dict[str, pathlib.Path]) -> None:
    material = base64.b64decode(_public(keys["alice"]).split()[1])[-32:]

    def field(value: bytes) -> bytes:
        return len(value).to_bytes(4, "big") + value

    kind = b"sk-ssh-ed25519@openssh.com"
    wrapped = base64.b64encode(field(kind) + field(material) + field(b"ssh:")).decode()
    assert "line 1" in _refused(_line("alice", keys["alice"]) + f"bob {OPTION} {kind.decode()} {wrapped}\n")
    raw = base64.b64decode(_public(keys["rsa"]).split()[1])
    at = raw.rindex(b"\0\0\1\1\0")
    padded = raw[:at] + (0x102).to_bytes(4, "big") + b"\0" + raw[at + 4 :]
    assert "shortest form" in _refused(f"bob {OPTION} ssh-rsa {base64.b64encode(padded).decode()}\n")


@pytest.mark.parametrize(
    "name", ["*", "ali*", "al?ce", "!alice", "alice,bob", '"alice"', '"alice smith"', "-alice", "@alice", "a" * 200, "älice", "alice\u202e", "alice;id"]
)
def test_only_one_plain_name_is_a_principal(keys: dict[str, pathlib.Path], name: str) -> None:
    assert "plain name" in _refused(_line(name, keys["alice"])) or "cannot be seen" in _refused(_line(name, keys["alice"]))


@pytest.mark.parametrize(
    "option",
    [
        "",
        "cert-authority",
        f"cert-authority,{OPTION}",
        f"{OPTION},cert-authority",
        'namespaces="*"',
        'namespaces="codex-ops-approval,git"',
        'namespaces="codex-*"',
        "namespaces=codex-ops-approval",
        'namespaces="git"',
        'NAMESPACES="codex-ops-approval"',
        f'{OPTION},valid-before="20990101"',
        f"{OPTION},{OPTION}",
    ],
)
def test_the_namespace_is_the_only_option_and_must_be_there(keys: dict[str, pathlib.Path], option: str) -> None:
    _refused(_line("alice", keys["alice"], option))


def test_a_line_that_is_damaged_closes_the_file_and_is_named(keys: dict[str, pathlib.Path]) -> None:
    good = _line("bob", keys["bob"])
    kind, body = _public(keys["alice"]).split()
    for bad in (
        b"\xff\xfe\n",
        b"alice\n",
        f"alice {OPTION}\n".encode(),
        f"alice {OPTION} {kind}\n".encode(),
        f"alice {OPTION} ssh-rsa {body}\n".encode(),
        f"alice {OPTION} {kind} {body[:-8]}\n".encode(),
        f"alice {OPTION} {kind} {body}AAAA\n".encode(),
        f"alice {OPTION} {kind} !!!!\n".encode(),
        f"alice {OPTION} ssh-dss AAAAB3NzaC1kc3MAAAAA\n".encode(),
        _line("alice", keys["weak"]).encode(),
        _line("alice", keys["alice"]).encode()[:-1] + b"\0\n",
        b"\x1b[2Kalice " + _line("x", keys["alice"]).encode(),
    ):
        assert "Line 2 " in _refused(good.encode() + bad)


def test_a_certificate_is_no_key(keys: dict[str, pathlib.Path], tmp_path: pathlib.Path) -> None:
    public = tmp_path / "alice.pub"
    public.write_text(keys["alice"].with_suffix(".pub").read_text())
    command = ["ssh-keygen", "-q", "-s", str(keys["bob"]), "-I", "alice", "-n", "alice", str(public)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    certificate = (tmp_path / "alice-cert.pub").read_text().split()
    assert "certificate" in _refused(f"alice {OPTION} {certificate[0]} {certificate[1]}\n")
    with pytest.raises(ValueError, match="certificate"):
        sshkeys.read_key(certificate[0], certificate[1])


def test_ssh_keygen_never_reads_the_live_file(host: Host, keys: dict[str, pathlib.Path], tmp_path: pathlib.Path) -> None:
    """A swap between the look and the use wins nothing: what was read is what is used."""
    host.allow(_line("alice", keys["alice"]))
    good = _sign(keys["alice"])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    known = signers.load(str(host.signers), ME)
    host.signers.unlink()
    assert signers._ask(MESSAGE, sshkeys.read_signature(good), known[0], None, str(scratch)) is None
    assert not list(scratch.iterdir())


def test_the_list_that_the_guide_shows_is_taken() -> None:
    guide = (pathlib.Path(__file__).resolve().parents[5] / "docs/docsite/rst/guide_approval.rst").read_text("utf-8")
    shown = guide.split(":caption: config: allowed_signers")[1].split("\n\n")[1]
    assert [signer.name for signer in _parses("\n".join(line.strip() for line in shown.splitlines()))] == ["alice", "bob"]
