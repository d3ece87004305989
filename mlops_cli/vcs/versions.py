"""Every version of some files that any branch, tag or stash has had."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git


def versions(git: Git, patterns: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return (path, bytes) for each version of the files that match `patterns`, each once."""
    raw = git.run(
        "log", "--exclude=refs/mlops/*", "--all", "-m", "--no-renames", "--format=",
        "--raw", "--no-abbrev", "-z", "--", *patterns, env={"GIT_LITERAL_PATHSPECS": "0"},
    )  # fmt: skip
    words = [word for word in raw.split("\0") if word]
    found: dict[tuple[str, str], None] = {}
    for facts, path in zip(words[::2], words[1::2], strict=True):
        for blob in facts.lstrip("\n").split(" ")[2:4]:
            if set(blob) != {"0"}:
                found[path, blob] = None
    blobs = objects.read(git, [blob for _, blob in found])
    return [
        (path, blob.data) for (path, _), blob in zip(found, blobs, strict=True) if blob is not None
    ]
