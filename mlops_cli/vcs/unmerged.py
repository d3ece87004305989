"""Files that a merge, rebase, cherry-pick or stash pop left undecided in the index."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git


@dataclass(frozen=True, slots=True)
class Stages:
    """The ids of one file's blobs; None where the file was, or is, not there."""

    path: str
    base: str | None
    ours: str | None
    theirs: str | None


def unmerged(git: Git) -> list[Stages]:
    """Return the undecided files, by path; one process."""
    listing = git.run("ls-files", "--unmerged", "-z")
    found: dict[str, dict[str, str]] = {}
    for row in filter(None, listing.split("\0")):
        facts, _, path = row.partition("\t")
        _, oid, stage = facts.split(" ")
        found.setdefault(path, {})[stage] = oid
    return [
        Stages(path, stages.get("1"), stages.get("2"), stages.get("3"))
        for path, stages in sorted(found.items())
    ]


def contents(git: Git, stages: Stages) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Return what base, ours and theirs have in the file, None where they have no such file."""
    asked = [oid for oid in (stages.base, stages.ours, stages.theirs) if oid is not None]
    read = dict(zip(asked, objects.read(git, asked), strict=True))
    data = {oid: blob.data if blob is not None else None for oid, blob in read.items()}
    base, ours, theirs = (
        data[oid] if oid is not None else None for oid in (stages.base, stages.ours, stages.theirs)
    )
    return base, ours, theirs


def decide(git: Git, keep: Iterable[str], drop: Iterable[str]) -> None:
    """Tell git that the files `keep` are decided as they are, and that `drop` are to go."""
    kept, gone = list(keep), list(drop)
    if kept:
        git.run("update-index", "--add", "-z", "--stdin", input="\0".join([*kept, ""]))
    if gone:
        git.run("rm", "--quiet", "--force", "--ignore-unmatch", "--", *gone)
