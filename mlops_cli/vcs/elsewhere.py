"""Another repository at any revision, through a mirror on this disk that holds no file it need not.

The mirror has all commits and folders, and of the files only those that were asked for, where the
server can send so little. A whole or short commit id that the mirror knows asks no network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import MlopsError, NotFound, OutsideWorld
from mlops_cli.vcs import address
from mlops_cli.vcs.address import Address
from mlops_cli.vcs.answer import Answer
from mlops_cli.vcs.repo import Git

HEAD = "refs/mlops/elsewhere/HEAD"  # theirs; the HEAD of the mirror says nothing
REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
WAIT = 600.0  # seconds for another process that fetches into the same mirror
_FETCH = (
    *("-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false"),
    *("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"),
    *("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--filter=blob:none"),
)
# whatever the person's settings allow for repositories they chose themselves
_ALLOWED = {"GIT_ALLOW_PROTOCOL": ":".join(address.SCHEMES)}
_COMMIT_ID = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A repository at one commit; `git` is the mirror, which knows no remote name but origin."""

    address: Address
    commit: str
    git: Git
    stale: str = ""  # why the repository could not be asked, where the mirror answers for it

    def bring(self, ids: Iterable[str]) -> None:
        """Fetch those of the files `ids` that the mirror lacks, all at once."""
        wanted = set(ids) & self._lacking()
        if not wanted:
            return
        said = self.git.call(
            "-c", "fetch.negotiationAlgorithm=noop", *_FETCH, "--no-write-fetch-head",
            "--stdin", "origin",
            input="".join(f"{one}\n" for one in sorted(wanted)), env=_ALLOWED,
        )  # fmt: skip
        if said.code != 0:
            raise _explain(self.address, said)

    def _lacking(self) -> set[str]:
        # not through cat-file, which would fetch what it misses one by one
        rows = self.git.run("rev-list", "--objects", "--no-walk", "--missing=print", self.commit)
        return {row[1:] for row in rows.splitlines() if row.startswith("?")}


def look(where: Address, revision: str | None, *, mirrors: Path) -> Elsewhere:
    """Return the repository at `revision` (its default branch when None), fetched at most once.

    When the repository cannot be asked and the mirror knows the revision, it answers, and `stale`
    says why. Raises NotFound ("no-repository", "unknown-revision"), OutsideWorld
    ("repository-unreachable", "repository-denied").
    """
    folder = mirrors / sha256(where.url.encode()).hexdigest()[:32]
    git = Git(folder)
    mirrored = (folder / ".git" / "config").is_file()
    if not mirrored and where.folder is not None and not where.folder.exists():
        raise _no_repository(where)
    if mirrored and revision is not None and _COMMIT_ID.fullmatch(revision):
        known = _resolve(git, revision)
        if known is not None and known.startswith(revision):
            return Elsewhere(where, known, git)
    stale = ""
    with fsio.lock(folder / "lock", what=f"fetching {where.url}", wait=WAIT):
        _found(git, where)
        try:
            _refresh(git, where)
        except MlopsError as exc:
            if _resolve(git, revision) is None:
                raise
            stale = exc.message
        commit = _resolve(git, revision)
        if commit is None and revision is not None and len(revision) in (40, 64):
            # no branch or tag leads to it, and some servers give it all the same
            git.call(*_FETCH, "origin", "--", revision, env=_ALLOWED)
            commit = _resolve(git, revision)
    if commit is None:
        raise _unknown(where, revision)
    return Elsewhere(where, commit, git, stale)


def _found(git: Git, where: Address) -> None:
    if (git.root / ".git" / "config").is_file():
        return
    git.root.mkdir(parents=True, exist_ok=True)
    # bare, but called .git: safe.bareRepository refuses others
    git.run("init", "--quiet", "--bare", "--template=", str(git.root / ".git"))
    git.run("config", "remote.origin.url", where.url)


def _refresh(git: Git, where: Address) -> None:
    said = git.call(*_FETCH, "--prune", "origin", *REFS, f"+HEAD:{HEAD}", env=_ALLOWED)
    if said.code != 0 and "find remote ref HEAD" in said.err:
        git.call("update-ref", "-d", HEAD)
        said = git.call(*_FETCH, "--prune", "origin", *REFS, env=_ALLOWED)
    if said.code != 0:
        raise _explain(where, said)


def _resolve(git: Git, revision: str | None) -> str | None:
    """Return the commit that `revision` names in the mirror, without fetching anything."""
    name = revision or HEAD
    if re.match(r"(HEAD|@)([~^]|$)", name):
        name = re.sub(r"^(HEAD|@)", HEAD, name)
    if "\n" in name or "\0" in name or name.startswith("-"):
        return None
    said = git.call(
        "rev-list", "--no-walk", "--missing=print", "--max-count=1",
        "--end-of-options", f"{name}^{{commit}}", "--",
    )  # fmt: skip
    lines = said.out.decode().split()
    return lines[0] if said.code == 0 and lines and not lines[0].startswith("?") else None


def _unknown(where: Address, revision: str | None) -> NotFound:
    if revision is None:
        return NotFound(
            f"{where.url} has no default branch",
            code="unknown-revision",
            hint=f"name a branch or tag with --rev: git ls-remote {where.url}",
            details={"url": where.url},
        )
    return NotFound(
        f"{where.url} has no revision {revision!r}",
        code="unknown-revision",
        hint=f"git ls-remote {where.url}",
        details={"url": where.url, "revision": revision},
    )


def _no_repository(where: Address) -> NotFound:
    return NotFound(
        f"there is no repository at {where.url}",
        code="no-repository",
        hint="correct the path",
        details={"url": where.url},
    )


def _explain(where: Address, said: Answer) -> MlopsError:
    lines = [line for line in said.err.splitlines() if not line.startswith("warning:")]
    told = next((line for line in lines if line.startswith(("fatal:", "ERROR:"))), said.err)
    told = told.removeprefix("fatal: ").removeprefix("ERROR: ")
    details = {"url": where.url, "stderr": said.err[-2000:]}
    if where.folder is not None and not where.folder.exists():
        return _no_repository(where)
    if "dubious ownership" in said.err:
        return OutsideWorld(
            f"{where.url} belongs to another user, and git does not read it",
            code="repository-denied",
            hint=f"if you trust them: git config --global --add safe.directory {where.url}",
            details=details,
        )
    if re.search(r"(?i)authentication failed|permission denied|could not read user", said.err):
        return OutsideWorld(
            f"{where.url} refuses: {told}",
            code="repository-denied",
            hint="sign in with git's credential helper or ssh agent; "
            f"git ls-remote {where.url} must answer",
            details=details,
        )
    return OutsideWorld(
        f"{where.url} does not answer: {told}",
        code="repository-unreachable",
        hint=f"check network and URL: git ls-remote {where.url}",
        details=details,
    )
