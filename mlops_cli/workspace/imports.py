"""Import: what was taken from elsewhere is tracked here, with a pin that says from where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_cli.errors import StateRefused
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.files.materialize import LinkKind
from mlops_cli.store.statcache import StatCache
from mlops_cli.vcs import ignore as gitignore
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import admit, checkout, footing
from mlops_cli.workspace.pin import GitPin, UrlPin, plain
from mlops_cli.workspace.pointer import Pointer, write_pointer
from mlops_cli.workspace.taking import Taken
from mlops_cli.workspace.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Hand:
    """The workspace that imports are put into."""

    root: Path
    cache: Cache
    stats: StatCache
    link: LinkKind = "auto"
    progress: Progress = SILENT


def check(
    root: Path, path: str, *, git: Git, tracked: Sequence[Tracked], force: bool = False
) -> None:
    """Raise what `place` would raise for `path`, before anything is fetched.

    With `force`, an import of that name may be replaced. Raises as `admit.check` does, and
    StateRefused ("already-tracked").
    """
    admit.check(root, [path], git=git, tracked=tracked, present=False)
    for one in tracked:
        if one.path == path and not force:
            raise StateRefused(
                f"{path} is tracked already",
                code="already-tracked",
                hint=f"mlops update {path}"
                if one.pin is not None
                else "choose another place with -o, or pass --force",
                details={"path": path},
            )


def place(
    hand: Hand,
    new: Sequence[tuple[Pointer, bool]],
    *,
    overwrite: bool = False,
) -> None:
    """Put imports into the workspace and write their pointers; the bool says with their data.

    Raises StateRefused ("unsaved-bytes") before anything is changed.
    """
    # what was in the cache before is not to be swept away until its pointer is written
    with hand.cache.writing():
        wanted = [tracked_of(pointer) for pointer, data in new if data]
        steps = checkout.plan_checkout(hand.root, wanted, cache=hand.cache, stats=hand.stats)
        if not overwrite:
            checkout.refuse_unsaved(steps)
        for pointer, _ in new:
            place = hand.root / pointer.path
            place.parent.mkdir(parents=True, exist_ok=True)
            # before the pointer: a crash between the two must not leave data that `git add .` takes
            gitignore.add_lines(place.parent / ".gitignore", [gitignore.escaped(place.name)])
            write_pointer(hand.root, pointer)
    checkout.carry_out(steps, link=hand.link, overwrite=overwrite, progress=hand.progress)
    footing.settle(hand.root, wanted)


def pointer(path: str, taken: Taken, pin: GitPin | UrlPin, *, push: bool = False) -> Pointer:
    """Return the pointer of an import. Its bytes can come from their source, so that `push`
    sends them only where a person wants it."""
    return Pointer(
        path,
        taken.digest,
        taken.kind,
        taken.size,
        taken.files,
        executable=taken.executable,
        push=push,
        pin=plain(pin),
    )


def tracked_of(pointer: Pointer) -> Tracked:
    """Return what `pointer` stands for."""
    return Tracked(
        pointer.path,
        pointer.digest,
        pointer.kind,
        pointer.size,
        pointer.files,
        pointer.file,
        executable=pointer.executable,
        push=pointer.push,
        pin=pointer.pin,
    )
