"""What the next commit would change, and which files lie about that git does not know."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from mlops_cli.vcs.repo import Git


def staged_sizes(git: Git, env: Mapping[str, str] | None = None) -> dict[str, int]:
    """Return path → bytes in git of the files that the next commit adds or changes.

    `env` may name another index (GIT_INDEX_FILE), as git does for its hooks.
    """
    against = git.head().commit or git.run("hash-object", "-t", "tree", "--stdin", input="")
    raw = git.run(
        *("diff-index", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames"),
        *("--diff-filter=AM", against, "--"),
        env=env,
    ).split("\0")
    blobs = {
        path: facts.split(" ")[3]
        for facts, path in zip(raw[::2], raw[1::2], strict=False)
        if facts.split(" ")[1] != "160000"  # the commit of a submodule has no size
    }
    if not blobs:
        return {}
    asked = "".join(f"{oid}\n" for oid in blobs.values())
    sizes = git.run("cat-file", "--batch-check=%(objectsize)", input=asked).splitlines()
    return {path: int(size) for path, size in zip(blobs, sizes, strict=True) if size.isdigit()}


def untracked_sizes(git: Git) -> Iterator[tuple[str, int]]:
    """Yield path and bytes of the files that git neither tracks nor ignores."""
    listing = git.run("ls-files", "--others", "--exclude-standard", "-z")
    for path in filter(None, listing.split("\0")):
        try:
            yield path, os.lstat(git.root / path).st_size
        except OSError:
            continue
