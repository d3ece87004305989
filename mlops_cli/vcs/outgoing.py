"""What a `git push` is about to send: the commits, and the files that they brought."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git

OURS = ("refs/mlops/", "refs/tags/mlops/")  # records and versions, which name no pointers


@dataclass(frozen=True, slots=True)
class Update:
    """One ref that git is about to move on the other side; ids are None where it is not there."""

    ref: str
    here: str | None
    there: str | None


def parse_updates(text: str) -> list[Update]:
    """Return what git tells a pre-push hook on its standard input, without our own refs."""
    found = []
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) == 4 and not words[2].startswith(OURS):
            here, there = (None if not oid.strip("0") else oid for oid in (words[1], words[3]))
            found.append(Update(words[2], here, there))
    return found


def brought(
    git: Git, updates: Iterable[Update], *, remote: str, wanted: Callable[[str], bool]
) -> list[tuple[str, bytes]]:
    """Return path and bytes of the `wanted` files in each version that the new commits made.

    New are commits that no branch of `remote` has, as far as is known here.
    """
    every = list(updates)
    tips = [one.here for one in every if one.here is not None]
    if not tips:
        return []
    known = [one.there for one in every if one.there is not None]
    here = [oid for oid, found in zip(known, objects.check(git, known), strict=True) if found]
    listing = git.run(
        *("log", "--format=", "--raw", "-z", "--no-abbrev", "--no-renames", "-m", "--root"),
        *("--diff-filter=AM", *tips, "--not", f"--remotes={remote}", *here, "--"),
    )
    rows = [row for row in listing.split("\0") if row]
    files = {
        (path, facts.split(" ")[3])
        for facts, path in zip(rows[::2], rows[1::2], strict=False)
        if wanted(path)
    }
    asked = sorted(files)
    read = objects.read(git, [oid for _, oid in asked])
    return [
        (path, blob.data) for (path, _), blob in zip(asked, read, strict=True) if blob is not None
    ]
