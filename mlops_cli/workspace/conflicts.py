"""What a merge left to decide, wherever it stands: in a file, or only in git's index."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from mlops_cli import encode
from mlops_cli.errors import MlopsError
from mlops_cli.store.files.compare import changes
from mlops_cli.store.patch import Shelf
from mlops_cli.vcs.repo import Git
from mlops_cli.vcs.unmerged import Stages, unmerged
from mlops_cli.workspace.merge import FileKind, kind_of, undecided
from mlops_cli.workspace.pointer import SUFFIX, parse_pointer
from mlops_cli.workspace.tracked import LOCKS, pointer_files

State = Literal["both", "ours", "theirs", "marks"]
NAMED = 3


@dataclass(frozen=True, slots=True)
class Conflict:
    """One file that is undecided.

    `state` tells who still has it: both, or only one side because the other deleted it; "marks":
    git merged it as text. `stages` is None where git itself has nothing left to decide.
    """

    file: str
    kind: FileKind
    state: State
    stages: Stages | None

    @property
    def name(self) -> str:
        """Return what a person calls it: the data, the step, the file of an environment."""
        if self.kind == "pointer":
            return self.file[: -len(SUFFIX)]
        return PurePosixPath(self.file).stem if self.kind == "lock" else self.file

    @property
    def mend(self) -> str:
        """Return the next command."""
        if self.state == "marks":
            return "mlops merge"
        if self.kind == "lock":
            return f"mlops run --no-commit {self.name}, or mlops merge --ours|--theirs {self.file}"
        both = "|--both" if self.kind == "pointer" else ""
        return f"mlops merge --ours|--theirs{both} {self.name}"


def conflicts(root: Path, git: Git, known: Iterable[str] | None = None) -> list[Conflict]:
    """Return all that is undecided, by file; two processes of git and a look into each file.

    `known` are the files that stand for data: who has them spares git a walk of the work tree.
    """
    left = {one.path: one for one in unmerged(git)}
    standing = pointer_files(root, git) if known is None else known
    files = {*standing, *(path for path in left if kind_of(path))}
    files |= {f"{LOCKS}/{file.name}" for file in (root / LOCKS).glob("*.json")}
    files |= {f"environments/{file.name}" for file in (root / "environments").glob("*.yaml")}
    found = []
    for file in sorted(files):
        kind, stages = kind_of(file), left.get(file)
        if kind is None:
            continue
        try:
            data = (root / file).read_bytes()
        except FileNotFoundError:
            data = b""
        if stages is None and not undecided(file, data):
            continue
        found.append(Conflict(file, kind, _state(stages, data), stages))
    return found


def reason(root: Path, conflict: Conflict, shelf: Shelf) -> str:
    """Return in words what is undecided; of a folder the files, as far as its listings are here."""
    if conflict.state in ("ours", "theirs"):
        other = "we" if conflict.state == "theirs" else "they"
        return f"{other} deleted what {'they' if other == 'we' else 'we'} changed"
    if conflict.state == "marks":
        return "git merged it as text, which is never right"
    if conflict.kind == "lock":
        return "both sides ran it, and not alike"
    if conflict.kind == "environment":
        return "both sides changed it"
    names = differing(root, conflict.file, shelf)
    if not names:
        return "both sides changed it"
    more = f" and {len(names) - NAMED} more" if names[NAMED:] else ""
    return "both sides changed " + ", ".join(names[:NAMED]) + more


def differing(root: Path, file: str, shelf: Shelf) -> list[str]:
    """Return the files in a tracked folder on which the sides differ, as seen from the folder."""
    try:
        pointer = parse_pointer((root / file).read_bytes(), file=file)
        theirs = pointer.theirs
        if theirs is None or (pointer.kind, theirs.kind) != ("tree", "tree"):
            return []
        return [change.path for change in changes(shelf, pointer.digest, theirs.digest)]
    except (MlopsError, OSError):
        return []


def _state(stages: Stages | None, data: bytes) -> State:
    if stages is not None and stages.ours is None:
        return "theirs"
    if stages is not None and stages.theirs is None:
        return "ours"
    return "marks" if encode.has_marks(data) else "both"
