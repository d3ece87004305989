"""Remove: data is no longer tracked, or a tracked folder loses a part, without having the rest."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.files.arrange import Plan, plan_clear
from mlops_cli.store.files.ingest import Stored
from mlops_cli.store.files.materialize import materialize
from mlops_cli.store.patch import Shelf
from mlops_cli.store.statcache import StatCache
from mlops_cli.store.tree import Entry
from mlops_cli.vcs import ignore as gitignore
from mlops_cli.vcs import index
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import ignore, listing, part, track
from mlops_cli.workspace.pointer import is_pointer
from mlops_cli.workspace.tracked import Tracked
from mlops_cli.workspace.words import WILD


@dataclass(frozen=True, slots=True)
class Removal:
    """What goes of one tracked path: the parts `parts` of it, or all of it where there are none;
    `data` are the plans by which files leave the workspace."""

    one: Tracked
    parts: tuple[str, ...]
    data: tuple[tuple[str, Plan], ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Return what goes, as a person calls it."""
        return self.parts or (self.one.path,)

    @property
    def unsaved(self) -> list[str]:
        """Return the files that would be lost, relative to the project."""
        return [
            path if plan.kind == "file" else f"{path}/{name}"
            for path, plan in self.data
            for name in plan.unsaved
        ]


def expand(tracked: Sequence[Tracked], words: Sequence[str], shelf: Shelf) -> list[str]:
    """Return the paths that `words` (relative to the project) name; patterns are held against
    what is tracked, and in tracked folders against their listings, not against the disk.

    Raises NotFound ("no-match").
    """
    found: dict[str, None] = {}
    for word in words:
        bare = word.removesuffix(".mlops") if is_pointer(word) else word
        if not any(letter in bare for letter in WILD):
            found[bare] = None
            continue
        parts = bare.split("/")
        names = [one.path for one in tracked if _matches(one.path, parts)]
        for one in tracked:
            depth = one.path.count("/") + 1
            if one.kind == "tree" and len(parts) > depth and _matches(one.path, parts[:depth]):
                names += listing.matching(shelf, one, parts[depth:])
        if not names:
            raise NotFound(
                f"nothing that is tracked matches {word!r}",
                code="no-match",
                hint="mlops ls -R",
                details={"path": word},
            )
        found |= dict.fromkeys(names)
    return [path for path in found if found.keys().isdisjoint(part.outer(path))]


def plan_remove(
    root: Path,
    paths: Sequence[str],
    *,
    tracked: Sequence[Tracked],
    cache: Cache,
    stats: StatCache,
    shelf: Shelf,
    data: bool | None = None,
) -> list[Removal]:
    """Return what removing `paths` means; nothing is changed.

    `data` says whether the files leave the workspace too; None: those of parts do, for otherwise
    the next `add` would bring them back, and those of what is tracked as a whole do not.
    Raises NotFound ("not-tracked"), StateRefused ("made-by-step").
    """
    parts: dict[str, list[str]] = {}
    whole: dict[str, Tracked] = {}
    by_path = {one.path: one for one in tracked}
    for path in paths:
        one = by_path.get(path) or next(
            (by_path[outer] for outer in part.outer(path) if outer in by_path), None
        )
        if one is None:
            raise NotFound(
                f"{path} is not tracked",
                code="not-tracked",
                hint="mlops ls",
                details={"path": path},
            )
        if one.step is not None:
            raise StateRefused(
                f"{path} is made by the step {one.step}",
                code="made-by-step",
                hint=f"take the step {one.step} out of pipeline.yaml",
                details={"path": path, "step": one.step},
            )
        if one.path == path:
            whole[path] = one
        else:
            parts.setdefault(one.path, []).append(path)
    for name, inner in parts.items():
        part.entries(shelf, by_path[name], inner)
    found = [Removal(one, (), ()) for one in whole.values()]
    found += [Removal(by_path[path], tuple(inner), ()) for path, inner in parts.items()]
    return [
        Removal(one.one, one.parts, _clearing(root, one, cache=cache, stats=stats))
        if (bool(one.parts) if data is None else data)
        else one
        for one in found
    ]


def refuse_unsaved(removals: Sequence[Removal]) -> None:
    """Raise StateRefused ("unsaved-bytes") when bytes that are stored nowhere would be lost."""
    unsaved = [path for removal in removals for path in removal.unsaved]
    if unsaved:
        more = f" and {len(unsaved) - 3} more" if unsaved[3:] else ""
        raise StateRefused(
            f"remove would lose bytes that are stored nowhere: {', '.join(unsaved[:3])}{more}",
            code="unsaved-bytes",
            hint="mlops add keeps them, --keep-data leaves them, --force loses them",
            details={"paths": unsaved[:50], "count": len(unsaved)},
        )


def carry_out(
    root: Path,
    removals: Sequence[Removal],
    *,
    git: Git,
    cache: Cache,
    shelf: Shelf,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> None:
    """Do what `removals` say; as `git rm` does, it is staged where the pointer was known to git.

    Files go before the pointer, and the line in .gitignore last: a crash leaves something tracked
    that is not checked out, and never data that `git add .` takes.
    Raises StateRefused ("unsaved-bytes") and what `materialize` raises.
    """
    if not overwrite:
        refuse_unsaved(removals)
    sources = [removal.one.source for removal in removals]
    ignores = [gitignore.beside(removal.one.path) for removal in removals]
    staged = index.known(git, sources)
    staged |= index.unedited(git, ignores) if staged else set()
    for removal in removals:
        one = removal.one
        for _, plan in removal.data:
            materialize(plan, overwrite=overwrite, progress=progress)
        if removal.parts:
            put: dict[str, Entry | None] = {part.inner(one, path): None for path in removal.parts}
            with cache.writing():  # until the pointer names it
                made = part.rewrite(cache, shelf, one, put)
                stored = Stored(made.digest, "tree", made.size, made.files)
                track.keep(root, track.Taken(one.path, stored, one, tuple(removal.parts)))
            continue
        (root / one.source).unlink(missing_ok=True)
        name = one.path.rpartition("/")[2]
        file = root / gitignore.beside(one.path)
        gitignore.remove_lines(file, [gitignore.escaped(name)])
    index.stage(git, staged)


def _clearing(
    root: Path, removal: Removal, *, cache: Cache, stats: StatCache
) -> tuple[tuple[str, Plan], ...]:
    outer = ignore.ignored_in(root, removal.one.path)
    found = []
    for path in removal.paths:
        place = fsio.inside(root, path.rpartition("/")[0] or ".") / path.rpartition("/")[2]
        inner = part.below(outer, part.inner(removal.one, path)) if removal.parts else outer
        if plan := plan_clear(cache, place, stats=stats, ignored=inner):
            found.append((path, plan))
    return tuple(found)


def _matches(path: str, parts: Sequence[str]) -> bool:
    names = path.split("/")
    return len(names) == len(parts) and all(map(fnmatch.fnmatchcase, names, parts))
