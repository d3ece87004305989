"""What pointers said before: data that is just as old was not edited, git has moved on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlops_cli.errors import MlopsError
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import objects
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import footing
from mlops_cli.workspace.pointer import parse_pointer
from mlops_cli.workspace.state import Row

MOVED = "git has moved on, the data is as it was before"
EDITED = "edited, and git has moved on since"
BACK = 20  # moves of HEAD that are looked back


def behind(git: Git, rows: Iterable[Row]) -> dict[str, tuple[str, str]]:
    """Return path → reason and mend of those of `rows` to which git has brought another pointer.

    Data that is what a pointer said at one of the last moves of HEAD, or on which pointer the
    workspace stands, was not edited: a merge, a switch or a pull brought no data. Of other data
    the footing tells.
    """
    asked = [row for row in rows if row.state == "modified" and row.tracked.step is None]
    found: dict[str, tuple[str, str]] = {}
    unsure = []
    for row in asked:
        path, stand = row.tracked.path, footing.former(git.root, row.tracked)
        if stand is not None and row.found is not None and row.found.digest != stand.digest:
            found[path] = (EDITED, f"mlops merge {path}")
        elif stand is not None:
            found[path] = (MOVED, f"mlops checkout {path}")
        else:
            unsure.append(row)
    return found | {path: (MOVED, f"mlops checkout {path}") for path in _as_before(git, unsure)}


def _as_before(git: Git, asked: Sequence[Row]) -> set[str]:
    if not asked:
        return set()
    revisions = ["HEAD", *_moves(git)]
    names = [f"{revision}:{row.tracked.source}" for row in asked for revision in revisions]
    blobs = objects.read(git, names)
    found = set()
    for n, row in enumerate(asked):
        known = blobs[n * len(revisions) : (n + 1) * len(revisions)]
        if row.found is not None and row.found.digest in _digests(row.tracked.source, known):
            found.add(row.tracked.path)
    return found


def _moves(git: Git) -> list[str]:
    """Return where HEAD stood lately; read from its log, newest first, each once."""
    try:
        lines = (git.git_dir / "logs" / "HEAD").read_bytes()[-(BACK * 400) :].splitlines()
    except OSError:
        return []
    ids = [line.partition(b" ")[0].decode("ascii", "ignore") for line in lines[-BACK:]]
    return list(
        dict.fromkeys(oid for oid in reversed(ids) if len(oid) in (40, 64) and oid.strip("0"))
    )


def _digests(file: str, blobs: Sequence[objects.GitObject | None]) -> set[Digest]:
    found = set()
    for blob in blobs:
        if blob is not None and blob.kind == "blob":
            try:
                found.add(parse_pointer(blob.data, file=file).digest)
            except MlopsError:
                continue
    return found
