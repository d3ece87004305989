"""A git repository: where it is, where HEAD is, who works here, and a door to the `git` command."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mlops_cli.errors import NotFound, OutsideWorld, StateRefused
from mlops_cli.vcs import objects
from mlops_cli.vcs.answer import Answer, failed

# A hook or an alias sets these; a Git(root) says itself which repository it means.
_OF_ANOTHER_REPOSITORY = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
        "GIT_PREFIX",
    }
)
# The same words on every machine, no question to a person, a `*` in a path is a `*`; objects and
# parents as their names have them, whatever refs/replace and info/grafts put in their place.
_ALWAYS = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/dev/null/none",
}


@dataclass(frozen=True, slots=True)
class Head:
    """Where HEAD stands: `commit` is None on an unborn branch, `branch` is None when detached."""

    commit: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who commits, as git is configured here."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Git:
    """The repository whose work tree is `root`. Each call is one process of about 3 ms.

    `key`, where one is set, is the ssh key by which tags are signed, whatever git is told.
    """

    root: Path
    key: str | None = None

    @property
    def git_dir(self) -> Path:
        """Return the folder of this work tree's HEAD and index. Raises StateRefused."""
        dot_git = self.root / ".git"
        if dot_git.is_dir():
            return dot_git
        try:
            text = dot_git.read_text()
        except OSError:
            raise not_a_repository(self.root) from None
        return (self.root / text.removeprefix("gitdir:").strip()).resolve()

    @property
    def common_dir(self) -> Path:
        """Return the folder that all work trees of this clone share: objects, refs, config."""
        git_dir = self.git_dir
        try:
            return (git_dir / (git_dir / "commondir").read_text().strip()).resolve()
        except OSError:
            return git_dir

    @property
    def main_root(self) -> Path:
        """Return the main work tree of this clone: `root`, unless it was made by `git worktree`."""
        if (self.root / ".git").is_file():  # a submodule's is a file too, but its own
            common = self.common_dir
            if common.name == ".git" and common != self.git_dir:
                return common.parent
        return self.root

    def call(
        self,
        *args: str,
        input: bytes | str | None = None,
        env: Mapping[str, str] | None = None,
        into: BinaryIO | None = None,
    ) -> Answer:
        """Run `git args…` in the root and return what it said, whatever its exit status.

        With `into`, a file, stdout goes there instead of into the answer.
        """
        import subprocess

        # The child inherits the environment: keys, proxies and agents of git are the person's own.
        inherited = {k: v for k, v in os.environ.items() if k not in _OF_ANOTHER_REPOSITORY}
        try:
            done = subprocess.run(
                ["git", *args],
                cwd=self.root,
                env={**inherited, **_ALWAYS, **(env or {})},
                input=input.encode("utf-8", "surrogateescape") if isinstance(input, str) else input,
                stdin=subprocess.DEVNULL if input is None else None,
                stdout=into or subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
        except FileNotFoundError as exc:
            if not self.root.is_dir():
                raise not_a_repository(self.root) from exc
            raise OutsideWorld(
                "the command git is not installed", code="git-missing", hint="install git 2.30+"
            ) from exc
        said = done.stderr.decode("utf-8", "replace").strip()
        return Answer(done.returncode, done.stdout or b"", said)

    def run(
        self,
        *args: str,
        input: bytes | str | None = None,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> str:
        """Run `git args…` and return its stdout without the last newline.

        Raises OutsideWorld ("git-failed") with git's own last line unless `check` is false.
        """
        answer = self.call(*args, input=input, env=env)
        if check and answer.code != 0:
            raise failed(args, answer)
        return answer.out.decode("utf-8", "surrogateescape").rstrip("\n")

    def head(self) -> Head:
        """Return where HEAD stands; read from files, so it costs no process."""
        try:
            text = (self.git_dir / "HEAD").read_text().strip()
        except OSError as exc:
            raise not_a_repository(self.root) from exc
        if not text.startswith("ref: "):
            return Head(text, None)
        ref = text.removeprefix("ref: ")
        if ref == "refs/heads/.invalid":  # the reftable format keeps HEAD elsewhere
            return self._head_asked()
        return Head(self._loose_or_packed(ref), ref.removeprefix("refs/heads/"))

    def _loose_or_packed(self, ref: str) -> str | None:
        common = self.common_dir
        try:
            text = (common / ref).read_text().strip()
            if not text.startswith("ref: "):
                return text or None
            return self._head_asked().commit
        except OSError:
            pass
        try:
            packed = (common / "packed-refs").read_text()
        except OSError:
            return None
        for line in packed.splitlines():
            if line.endswith(f" {ref}"):
                return line.split(" ", 1)[0]
        return None

    def _head_asked(self) -> Head:
        commit = self.call("rev-parse", "--verify", "--quiet", "HEAD")
        branch = self.call("symbolic-ref", "--quiet", "--short", "HEAD")
        return Head(
            commit.out.decode().strip() if commit.code == 0 else None,
            branch.out.decode().strip() if branch.code == 0 else None,
        )

    def identity(self) -> Identity:
        """Return who commits here. Raises StateRefused ("no-identity"); nothing is guessed."""
        answer = self.call("-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT")
        if answer.code != 0:
            raise no_identity()
        name, _, rest = answer.out.decode("utf-8", "replace").partition(" <")
        return Identity(name, rest.partition(">")[0])

    def dirty(self, paths: Sequence[str] | None = None, *, untracked: bool = True) -> list[str]:
        """Return the paths that differ from HEAD (all, or among `paths`), ignored ones left out."""
        if paths is not None and not paths:  # to git, no path means all of them
            return []
        listing = self.call(
            "--no-optional-locks",
            "status",
            "--porcelain=v1",
            "-z",
            "--no-renames",
            f"--untracked-files={'normal' if untracked else 'no'}",
            "--",
            *(paths or ()),
        )
        if listing.code != 0:
            raise failed(("status",), listing)
        rows = listing.out.decode("utf-8", "surrogateescape").split("\0")
        return sorted(row[3:] for row in rows if row)

    def show(self, rev: str, path: str) -> bytes | None:
        """Return the bytes of `path` at `rev`, or None where either does not exist."""
        found = objects.read(self, [f"{rev}:{path}"])[0]
        return found.data if found is not None and found.kind == "blob" else None

    def rev_parse(self, rev: str) -> str:
        """Return the whole commit id that `rev` names. Raises NotFound ("unknown-revision")."""
        found = objects.check(self, [f"{rev}^{{commit}}"])[0]
        if found is None:
            raise NotFound(
                f"git knows no commit {rev!r}", code="unknown-revision", hint="git log --oneline"
            )
        return found.id

    @staticmethod
    def init(path: Path) -> Git:
        """Return a git repository at `path`, made if there was none."""
        import git

        with git.Repo.init(path, mkdir=True):
            return Git(path)


def find_root(start: Path) -> Path | None:
    """Return the nearest folder at or above `start` that is a git work tree, else None."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / ".git").exists():
            return folder
    return None


def not_a_repository(path: Path) -> StateRefused:
    """Return the error for a folder without git."""
    return StateRefused(
        f"{path} is not in a git repository",
        code="not-a-git-repository",
        hint="git init && mlops init",
    )


def no_identity() -> StateRefused:
    """Return the error for a git that does not know who commits."""
    return StateRefused(
        "git does not know who you are, so nothing can be committed",
        code="no-identity",
        hint="git config --global user.name 'Your Name'"
        " && git config --global user.email you@example.com",
    )
