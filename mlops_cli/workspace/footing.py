"""On which pointer the bytes in the workspace stand: `add` must not undo what git brought since.

A copy of the pointer that the workspace last held as a whole lies in the git folder of the work
tree. It is local, and lost without harm: then nothing is known, and nothing refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import MlopsError, StateRefused
from mlops_cli.store.digest import Digest
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace.pointer import (
    Pointer,
    encode_pointer,
    is_pointer,
    parse_pointer,
    read_pointer,
)
from mlops_cli.workspace.tracked import Tracked

FOLDER = "mlops/footing"


def remember(root: Path, pointer: Pointer) -> None:
    """Note that the workspace holds what `pointer` says; its other side is not there."""
    place = _place(root, pointer.file)
    text = encode_pointer(replace(pointer, theirs=None))
    with contextlib.suppress(OSError):
        if place.read_text() == text:
            return
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        fsio.write_atomic(place, text, durable=False)


def settle(root: Path, brought: Iterable[Tracked]) -> None:
    """Note what was brought into the workspace, where it is what a pointer says now."""
    for one in brought:
        if not is_pointer(one.source) or one.source != f"{one.path}.mlops":
            continue  # the output of a step, or a part
        with contextlib.suppress(OSError, MlopsError):
            pointer = read_pointer(root, one.source)
            if (pointer.digest, pointer.kind) == (one.digest, one.kind):
                remember(root, pointer)


def recall(root: Path, file: str) -> Pointer | None:
    """Return the pointer `file` as the workspace last held it, None where that is not known."""
    try:
        return parse_pointer(_place(root, file).read_bytes(), file=file)
    except (OSError, MlopsError):
        return None


def holds(root: Path, one: Tracked) -> bool:
    """Tell whether the workspace is known to stand on what the pointer says now."""
    found = recall(root, one.source)
    return found is not None and found.digest == one.digest


def former(root: Path, one: Tracked) -> Pointer | None:
    """Return the pointer on which the workspace stands, where git has brought another since."""
    if one.step is not None:
        return None
    found = recall(root, one.source)
    return None if found is None or found.digest == one.digest else found


def refuse(root: Path, one: Tracked, digest: Digest | None = None) -> None:
    """Raise StateRefused ("behind") where to store `digest`, or a part, at `one` would undo what
    git brought since the bytes in the workspace were."""
    stand = former(root, one)
    if digest == one.digest or stand is None:
        return
    other = (
        f"mlops checkout {one.path} brings it"
        if digest == stand.digest
        else f"mlops merge {one.path} keeps both"
    )
    raise StateRefused(
        f"git has brought another {one.source} since {one.path} was brought here, and to add it "
        "would undo that",
        code="behind",
        hint=f"{other}; --force undoes what git brought",
        details={"path": one.path},
    )


def _place(root: Path, file: str) -> Path:
    return Git(root).git_dir / FOLDER / file
