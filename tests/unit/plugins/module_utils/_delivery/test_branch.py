# Copyright (c) 2026, The day2.codex authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The change of a plan becomes one commit beside HEAD; nothing of the repository runs, nothing in it moves, and a hostile one gets no branch."""

from __future__ import annotations

import hashlib
import os
import pathlib
import pwd
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.day2.codex.plugins.module_utils._agent.process import run_limited
from ansible_collections.day2.codex.plugins.module_utils._delivery.branch import File, Proposal, Unfit, branch_name, fetch_line, propose
from ansible_collections.day2.codex.plugins.module_utils._delivery.objects import Entry, read_tree, write_tree
from ansible_collections.day2.codex.plugins.module_utils._delivery.repository import Repository

NAME = "codex-ops/inbox/0123456789ab"
OLD = {"config/inbox.yml": "sender: norply\n", "config/deep/er/x.ini": "x\n", "README": "read me\n", "other/secret.txt": "not yours\n", "a.sh": "#!/bin/sh\n"}


class Repo:
    """A repository whose every setting, hook and attribute would leave a trace if it were obeyed."""

    def __init__(self, folder: pathlib.Path, *arguments: str) -> None:
        self.base = folder
        self.folder = folder / "srv"
        self.trap = folder / "trapped"
        self.home = folder / "home"
        self.home.mkdir()
        self.folder.mkdir()
        self.git("init", "-q", "-b", "main", *arguments)
        for path, text in OLD.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text, "utf-8")
        (self.folder / "a.sh").chmod(0o755)
        self.commit()

    def git(self, *words: str, check: bool = True) -> str:
        settings = ("user.name=Ada", "user.email=ada@example.com", "commit.gpgsign=false", "core.hooksPath=/dev/null", "core.fsmonitor=false")
        identity = [word for setting in settings for word in ("-c", setting)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
        done = subprocess.run(["git", *identity, *words], cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "first")

    def booby_trap(self) -> None:
        script = self.base / "trap.sh"
        script.write_text(f"#!/bin/sh\ntouch {self.trap}\ncat\n", "utf-8")
        script.chmod(0o755)
        for hook in ("pre-commit", "post-commit", "reference-transaction", "post-index-change", "post-checkout", "pre-auto-gc"):
            path = self.folder / ".git/hooks" / hook
            path.parent.mkdir(exist_ok=True)
            shutil.copy(script, path)
        config = self.folder / ".git/config"
        config.write_text(
            config.read_text()
            + f"[core]\n\tfsmonitor = {script}\n\tpager = {script}\n\tsshCommand = {script}\n\talternateRefsCommand = {script}\n"
            + f"\tattributesFile = {self.base}/attributes\n[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = {script}\n"
            + f'[filter "x"]\n\tclean = {script}\n\tsmudge = {script}\n\tprocess = {script}\n\trequired\n'
            + f'[diff "x"]\n\ttextconv = {script}\n\tcommand = {script}\n[include]\n\tpath = {self.base}/more\n[extensions]\n\tpartialClone = origin\n'
            + f'[remote "origin"]\n\turl = ext::{script}\n\tpromisor = true\n'
        )
        (self.base / "attributes").write_text("* filter=x diff=x\n")
        (self.folder / ".git/info/attributes").parent.mkdir(exist_ok=True)
        (self.folder / ".git/info/attributes").write_text("* filter=x diff=x\n")
        (self.folder / ".gitattributes").write_text("* filter=x diff=x text eol=crlf\n")

    def picture(self) -> dict[str, t.Any]:
        """Everything but objects and our own refs: content, and when it changed."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if name.startswith((".git/objects/", ".git/refs/heads/codex-ops")) or name in (".git/refs/heads", ".git/objects"):
                continue
            state = path.lstat()
            found[name] = (state.st_mode, state.st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        return found

    def file(self, path: str, new: str | None, *, mode: int = 0o644, before: str | None = None, base: str = "") -> File:
        old = before if before is not None else OLD.get(f"{base}{path}")
        raw = None if old is None else old.encode()
        digest = None if raw is None else hashlib.sha256(raw).hexdigest()
        content = None if new is None else new.encode()
        return File(path, digest, len(raw or b""), content, bool(mode & 0o100), old is None or path == "mode")

    def propose(self, *files: File, workspace: str = "", writable: bool = True, message: str = "Correct it\n") -> dict[str, t.Any] | None:
        scratch = self.base / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        wanted = Proposal(str(self.folder / workspace), files, NAME, message, 1768447000, "web 1", writable, str(scratch), str(self.base / "job.bundle"))
        return propose(wanted, run_limited)


@pytest.fixture(name="repo")
def _repo(tmp_path: pathlib.Path) -> Repo:
    return Repo(tmp_path)


NEW = "sender: noreply\n"


def test_the_branch_is_one_commit_on_head_and_nothing_else_moves_or_runs(repo: Repo) -> None:
    (repo.folder / "untracked").write_text("x")
    (repo.folder / "README").write_text("changed by somebody, not committed\n")
    repo.booby_trap()
    before = repo.picture()
    files = [
        repo.file("config/inbox.yml", NEW), repo.file("new/deep/file", "hello\n"), repo.file("config/deep/er/x.ini", None),
        repo.file("run.sh", "#!/bin/sh\n", mode=0o755), repo.file("a.sh", "#!/bin/sh\nexit\n"),
    ]  # fmt: skip
    made = repo.propose(*files)
    assert made is not None and (made["name"], made["repository"], made["bundle"]) == (NAME, str(repo.folder), None)
    assert repo.picture() == before and not repo.trap.exists()
    # The trap is one: git itself would have fallen into it.
    subprocess.run(["git", "-c", "safe.directory=*", "status"], cwd=repo.folder, capture_output=True, check=False, timeout=60)
    assert repo.trap.exists()
    (repo.folder / ".git/config").write_text("[core]\n\trepositoryformatversion = 0\n")
    assert repo.git("rev-parse", NAME) == made["commit"]
    assert repo.git("fsck", "--strict") == ""
    assert repo.git("rev-parse", f"{NAME}^") == repo.git("rev-parse", "HEAD") and repo.git("rev-list", "--count", f"HEAD..{NAME}") == "1"
    assert repo.git("log", "-1", "--format=%an <%ae>|%cn|%at|%s", NAME) == "codex-ops <codex-ops@web-1>|codex-ops|1768447000|Correct it"
    assert repo.git("show", f"{NAME}:config/inbox.yml") == NEW.strip()
    changed = repo.git("diff", "--name-status", "--no-renames", "HEAD", NAME).splitlines()
    assert changed == ["M\ta.sh", "D\tconfig/deep/er/x.ini", "M\tconfig/inbox.yml", "A\tnew/deep/file", "A\trun.sh"]
    modes = {line.split("\t")[1]: line.split(" ")[0] for line in repo.git("ls-tree", "-r", NAME).splitlines()}
    assert modes["run.sh"] == modes["a.sh"] == "100755" and modes["config/inbox.yml"] == "100644"
    # Once more, and the same commit is there already.
    assert repo.propose(*files) == made


def test_a_workspace_below_the_top_of_the_repository_is_found(repo: Repo) -> None:
    assert repo.propose(repo.file("inbox.yml", NEW, base="config/"), workspace="config") is not None
    assert repo.git("diff", "--name-only", "HEAD", NAME) == "config/inbox.yml"


@pytest.mark.parametrize("kind", ["sha1", "sha256"])
def test_where_the_repository_is_not_ours_to_write_a_bundle_holds_just_the_commit(tmp_path: pathlib.Path, kind: str) -> None:
    repo = Repo(tmp_path, f"--object-format={kind}")
    repo.git("gc", "-q")
    before = repo.picture()
    objects = sorted((repo.folder / ".git/objects").rglob("*"))
    made = repo.propose(repo.file("config/inbox.yml", NEW), writable=False)
    assert made is not None and made["bundle"] == str(tmp_path / "job.bundle")
    assert repo.picture() == before and sorted((repo.folder / ".git/objects").rglob("*")) == objects
    raw = pathlib.Path(made["bundle"]).read_bytes()
    assert len(raw) < 2000
    assert repo.git("bundle", "verify", "-q", made["bundle"]) in ("", f"{made['bundle']} is okay")
    subprocess.run(["/bin/sh", "-c", made["fetch"]], check=True, capture_output=True, env={"PATH": os.environ["PATH"], "HOME": str(repo.home)})
    assert repo.git("rev-parse", NAME) == made["commit"] and repo.git("fsck", "--strict") == ""
    assert repo.git("show", f"{NAME}:config/inbox.yml") == NEW.strip()
    # No content of another file is in it.
    listing = repo.git("rev-list", "--objects", "--no-object-names", NAME, "^HEAD").split()
    assert len(listing) == 4
    assert all(OLD["other/secret.txt"].strip() not in repo.git("cat-file", "-p", name, check=False) for name in listing)


def test_in_the_repository_of_somebody_else_its_owner_fetches(tmp_path: pathlib.Path) -> None:
    folder, bundle, ref = "/srv/it's here", "/var/lib/a b.bundle", f"refs/heads/{NAME}"
    other = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, os.geteuid()))
    # What the line runs, word for word, by programs that only say what they were given.
    said = tmp_path / "said"
    for name in ("install", "runuser", "git"):
        (tmp_path / name).write_text(f'#!/bin/sh\nfor word in {name} "$@"; do printf "%s\\n" "$word"; done >> {said}\n')
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    line = fetch_line(Repository(folder, f"{folder}/.git", other.pw_uid), bundle, ref)
    assert line is not None
    subprocess.run(["/bin/sh", "-c", line], check=True, env=environment)
    words = said.read_text().splitlines()
    copy = words[6]
    assert copy.startswith(f"{tmp_path}/") and not os.path.lexists(os.path.dirname(copy))
    assert words[:7] == ["install", "-o", str(other.pw_uid), "-m", "0400", bundle, copy]
    home = f"HOME={other.pw_dir}"
    assert words[7:] == ["runuser", "-u", other.pw_name, "--", "env", home, "git", "-C", folder, "fetch", copy, f"{ref}:{ref}"]
    for uid in (0, os.geteuid()):
        said.write_text("")
        subprocess.run(["/bin/sh", "-c", str(fetch_line(Repository(folder, f"{folder}/.git", uid), bundle, ref))], check=True, env=environment)
        assert said.read_text().splitlines() == ["git", "-C", folder, "fetch", bundle, f"{ref}:{ref}"]
    nobody = next(uid for uid in range(400000, 500000) if uid not in {entry.pw_uid for entry in pwd.getpwall()})
    assert fetch_line(Repository(folder, f"{folder}/.git", nobody), bundle, ref) is None


def test_where_there_is_no_repository_there_is_no_branch(tmp_path: pathlib.Path) -> None:
    repo = Repo(tmp_path)
    shutil.rmtree(repo.folder / ".git")
    assert repo.propose(repo.file("README", "x")) is None


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ({"path": "README", "new": "x", "before": "read ME\n"}, "'README' differs in HEAD"),
        ({"path": "README", "new": "x", "before": "longer than it is\n"}, "'README' differs in HEAD"),
        ({"path": "absent", "new": "x", "before": "there\n"}, "'absent' is not in HEAD"),
        ({"path": "config", "new": "x"}, "'config' is in HEAD"),
        ({"path": "config", "new": "x", "before": "a"}, "'config' is no file in HEAD"),
        ({"path": "README/below", "new": "x"}, "'README' is no folder in HEAD"),
    ],
)
def test_a_head_that_is_not_what_the_plan_was_made_from_gets_no_branch(repo: Repo, file: dict[str, t.Any], why: str) -> None:
    with pytest.raises(Unfit, match=why):
        repo.propose(repo.file(**file))
    assert repo.git("branch", "--list", "codex-ops/*") == ""


def _head(text: str) -> t.Callable[[Repo], None]:
    return lambda repo: (repo.folder / ".git/HEAD").write_text(text) and None


def _alternates(repo: Repo) -> None:
    (repo.folder / ".git/objects/info").mkdir(exist_ok=True)
    (repo.folder / ".git/objects/info/alternates").write_text("/etc\n")


def _linked(repo: Repo) -> None:
    (repo.folder / ".git").rename(repo.base / "elsewhere")
    (repo.folder / ".git").symlink_to(repo.base / "elsewhere")


def _file(repo: Repo) -> None:
    (repo.folder / ".git").rename(repo.base / "elsewhere")
    (repo.folder / ".git").write_text(f"gitdir: {repo.base}/elsewhere\n")


def _submodule(repo: Repo) -> None:
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.git('rev-parse', 'HEAD')},config/deep/er/x.ini")
    repo.git("commit", "-q", "-m", "a submodule")


def _fifo(name: str) -> t.Callable[[Repo], None]:
    def make(repo: Repo) -> None:
        path = repo.folder / ".git" / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)

    return make


def _ref_link(repo: Repo) -> None:
    (repo.base / "outside").mkdir()
    (repo.folder / ".git/refs/heads/codex-ops").symlink_to(repo.base / "outside")


def _damaged(repo: Repo) -> None:
    name = repo.git("rev-parse", "HEAD^{tree}")
    path = repo.folder / ".git/objects" / name[:2] / name[2:]
    path.chmod(0o644)
    path.write_bytes(b"garbage")


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (_head("garbage\n"), "HEAD is broken"),
        (_head("ref: refs/heads/../../../../etc/passwd\n"), "HEAD is broken"),
        (_head("ref: /etc/passwd\n"), "HEAD is broken"),
        (_head("ref: refs/heads/nothing\n"), "HEAD has no commit"),
        (_head("0" * 40 + "\n"), "no commit that can be read"),
        (_head("x" * 100000), "too large"),
        (_fifo("HEAD"), "is no file"),
        (_fifo("packed-refs"), "is no file"),
        (_alternates, "borrows objects"),
        (_fifo("objects/info/alternates"), "is no file"),
        (_linked, "link or a file"),
        (_file, "link or a file"),
        (_submodule, "no file in HEAD"),
        (_ref_link, "refs/heads/codex-ops"),
        (_damaged, "git cannot read|no commit that can be read|is missing"),
        (lambda repo: (repo.folder / ".git/reftable").mkdir(), "reftable"),
        (lambda repo: (repo.folder / ".git/commondir").write_text("/x"), "linked work tree"),
        (lambda repo: repo.git("branch", "codex-ops"), "codex-ops"),
        (lambda repo: (repo.git("branch", "codex-ops"), repo.git("pack-refs", "--all")), "codex-ops"),
    ],
)
def test_a_hostile_or_broken_repository_gets_no_branch_and_says_why(repo: Repo, harm: t.Callable[[Repo], t.Any], why: str) -> None:
    harm(repo)
    with pytest.raises(Unfit, match=why):
        repo.propose(repo.file("config/inbox.yml", NEW), repo.file("config/deep/er/x.ini", None))
    outside = repo.base / "outside"
    assert not outside.exists() or not list(outside.iterdir())


def test_the_repository_of_somebody_who_owns_neither_is_left_alone(repo: Repo) -> None:
    if os.geteuid() == 0:
        os.chown(repo.folder / ".git", 4711, 4711, follow_symlinks=False)
        with pytest.raises(Unfit, match="belongs to user 4711"):
            repo.propose(repo.file("config/inbox.yml", NEW))
        # It belongs to whom the workspace belongs: then it is read, and not written.
        os.chown(repo.folder, 4711, 4711)
        made = repo.propose(repo.file("config/inbox.yml", NEW))
        assert made is not None and made["bundle"] is not None
    else:
        # Of root's, only a bundle could be made; of a file nobody can read, nothing.
        (repo.folder / ".git/objects").chmod(0)
        with pytest.raises(Unfit):
            repo.propose(repo.file("config/inbox.yml", NEW))
        (repo.folder / ".git/objects").chmod(0o700)


def test_a_branch_that_somebody_works_on_is_not_moved(repo: Repo) -> None:
    repo.git("branch", NAME)
    head = repo.git("rev-parse", "HEAD")
    made = repo.propose(repo.file("config/inbox.yml", NEW))
    assert made is not None and made["commit"] == head == repo.git("rev-parse", NAME)
    repo.git("pack-refs", "--all")
    assert repo.propose(repo.file("config/inbox.yml", NEW)) == made


def test_a_lock_that_a_killed_process_left_is_said(repo: Repo) -> None:
    path = repo.folder / ".git/refs/heads" / f"{NAME}.lock"
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(Unfit, match="is locked"):
        repo.propose(repo.file("config/inbox.yml", NEW))


@pytest.mark.parametrize(("slice_", "name"), [("inbox", "inbox"), ("a..b", "a.b"), ("x.lock", "x-lock"), ("x.", "x"), ("..", "slice")])
def test_every_name_of_a_slice_makes_a_branch_that_git_takes(slice_: str, name: str) -> None:
    found = branch_name(slice_, "0123456789abcdef" * 4)
    assert found == f"codex-ops/{name}/0123456789ab"
    assert subprocess.run(["git", "check-ref-format", f"refs/heads/{found}"], check=False).returncode == 0


def test_a_tree_is_written_as_it_was_read(repo: Repo) -> None:
    (repo.folder / "config.d").mkdir()
    for name in ("config.d/x", "config-x", "config0"):
        (repo.folder / name).write_text("x")
    repo.commit()
    raw = subprocess.run(["git", "-c", "safe.directory=*", "cat-file", "tree", "HEAD^{tree}"], cwd=repo.folder, capture_output=True, check=True).stdout
    entries = read_tree(raw, 40)
    assert b"config" in entries and write_tree(dict(reversed(entries.items()))).content == raw
    for wrong in (raw[:-1], b"100644 x", b"100644  \0" + b"x" * 19):
        with pytest.raises(ValueError):
            read_tree(wrong, 40)
    assert isinstance(entries[b"config"], Entry)
