"""Versions of outputs that nobody asked to keep: all but the newest `keep`, as locks say it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlops_cli.store.digest import Digest
from mlops_cli.vcs import history
from mlops_cli.vcs.repo import Git
from mlops_cli.vcs.versions import versions
from mlops_cli.workspace.roots import in_workspace, named_at, pins
from mlops_cli.workspace.tracked import LOCKS


def surplus(root: Path, git: Git) -> frozenset[bytes]:
    """Return the raw digests of versions beyond the newest ones of outputs with `keep`.

    What a branch, a tag, a work tree, the index or a pin names is none of them. Trees are
    named, what lies in them is not: it goes where nothing else names it.
    """
    found: set[bytes] = set()
    for path in (root / LOCKS).rglob("*.json"):
        limits = {out: item["keep"] for out, item in _outputs(path.read_bytes()) if "keep" in item}
        if limits:
            file = path.relative_to(root).as_posix()
            seen: dict[str, dict[str, None]] = {out: {} for out in limits}
            for data in (path.read_bytes(), *(data for _, data in versions(git, [file]))):
                for out, item in _outputs(data):
                    if out in seen and isinstance(digest := item.get("digest"), str):
                        seen[out][digest] = None
            for out, limit in limits.items():
                found |= {Digest.parse(one).raw for one in list(seen[out])[max(1, limit) :]}
    if not found:
        return frozenset()
    for place in {root, *history.worktrees(git)}:
        found -= in_workspace(place, Git(place)).digests
    tips = git.run("rev-list", "--no-walk=unsorted", "--branches", "--tags", "--remotes").split()
    return frozenset(found - named_at(git, tips).digests - pins(root, git).digests)


def _outputs(data: bytes) -> list[tuple[str, dict[str, Any]]]:
    """Return the outputs of a lock; nothing where it cannot be read, which keeps what it names."""
    try:
        return [(path, item) for path, item in json.loads(data)["outputs"].items() if dict(item)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
