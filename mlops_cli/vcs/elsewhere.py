"""Another repository at any revision, through a mirror on this disk that holds no file it need not.

The mirror has all commits and folders, and of the files only those that were asked for, where the
server can send so little. A whole or short commit id that the mirror knows asks no network.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import MlopsError
from mlops_cli.vcs import address
from mlops_cli.vcs.address import Address
from mlops_cli.vcs.elsewhere_errors import explain, no_repository, unknown_revision
from mlops_cli.vcs.repo import Git

HEAD = "refs/mlops/elsewhere/HEAD"  # theirs; the HEAD of the mirror says nothing
REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
WAIT = 600.0  # seconds for another process that fetches into the same mirror
_FETCH = (
    *("-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false"),
    *("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60"),
    *("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--filter=blob:none"),
)
# what a folder on this disk is asked through: it can filter, whatever its own settings say
_HERE = ("--upload-pack", "git -c uploadpack.allowFilter=true upload-pack")
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
            "-c", "fetch.negotiationAlgorithm=noop", *_fetch(self.address),
            "--no-write-fetch-head", "--stdin", "origin",
            input="".join(f"{one}\n" for one in sorted(wanted)), env=_ALLOWED,
        )  # fmt: skip
        if said.code != 0:
            raise explain(self.address, said)

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
        raise no_repository(where)
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
            if mirrored and not _sound(git):  # only a copy: it is made anew
                shutil.rmtree(folder / ".git")
                _found(git, where)
                _refresh(git, where)
            elif _resolve(git, revision) is None:
                raise
            else:
                stale = exc.message
        commit = _resolve(git, revision)
        if commit is None and revision is not None and len(revision) in (40, 64):
            # no branch or tag leads to it, and some servers give it all the same
            git.call(*_fetch(where), "origin", "--", revision, env=_ALLOWED)
            commit = _resolve(git, revision)
    if commit is None:
        raise unknown_revision(where, revision)
    return Elsewhere(where, commit, git, stale)


def _found(git: Git, where: Address) -> None:
    if (git.root / ".git" / "config").is_file():
        return
    git.root.mkdir(parents=True, exist_ok=True)
    # bare, but called .git: safe.bareRepository refuses others
    git.run("init", "--quiet", "--bare", "--template=", str(git.root / ".git"))
    git.run("config", "remote.origin.url", where.url)


def _refresh(git: Git, where: Address) -> None:
    fetch = (*_fetch(where), "--prune", "origin", *REFS)
    said = git.call(*fetch, f"+HEAD:{HEAD}", env=_ALLOWED)
    if said.code != 0 and "find remote ref HEAD" in said.err:
        git.call("update-ref", "-d", HEAD)
        said = git.call(*fetch, env=_ALLOWED)
    if said.code != 0:
        raise explain(where, said)


def _sound(git: Git) -> bool:
    """Tell whether the mirror has all commits and folders of its refs."""
    said = git.call("rev-list", "--objects", "--all", "--missing=allow-promisor", "--quiet")
    return said.code == 0


def _fetch(where: Address) -> tuple[str, ...]:
    return (*_FETCH, *_HERE) if where.folder is not None else _FETCH


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
