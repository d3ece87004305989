"""What the next commit would change, and which files lie about that git does not know."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from mlops_cli.vcs.repo import Git


def staged(git: Git, env: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Return path → blob id of what the next commit changes, None for what it deletes.

    `env` may name another index (GIT_INDEX_FILE), as git does for its hooks.
    """
    against = git.head().commit or git.run("hash-object", "-t", "tree", "--stdin", input="")
    raw = git.run(
        *("diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", against, "--"),
        env=env,
    ).split("\0")
    found: dict[str, str | None] = {}
    for facts, path in zip(raw[::2], raw[1::2], strict=False):
        words = facts.split(" ")
        if words[1] != "160000":  # the commit of a submodule is no file
            found[path] = words[3] if words[3].strip("0") else None
    return found


def sizes(git: Git, blobs: Mapping[str, str | None]) -> dict[str, int]:
    """Return path → bytes in git of those of `blobs` that are there."""
    there = {path: oid for path, oid in blobs.items() if oid is not None}
    if not there:
        return {}
    asked = "".join(f"{oid}\n" for oid in there.values())
    said = git.run("cat-file", "--batch-check=%(objectsize)", input=asked).splitlines()
    return {path: int(size) for path, size in zip(there, said, strict=True) if size.isdigit()}


def untracked_sizes(git: Git) -> Iterator[tuple[str, int]]:
    """Yield path and bytes of the files that git neither tracks nor ignores."""
    listing = git.run("ls-files", "--others", "--exclude-standard", "-z")
    for path in filter(None, listing.split("\0")):
        try:
            yield path, os.lstat(git.root / path).st_size
        except OSError:
            continue
