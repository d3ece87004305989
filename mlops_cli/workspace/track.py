"""Track: bytes go into the cache, a pointer stands in git for them, git ignores the bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlops_cli import fsio
from mlops_cli.errors import NotFound, StateRefused, UsageError
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.cache import Cache
from mlops_cli.store.ingest import ingest
from mlops_cli.store.statcache import StatCache
from mlops_cli.vcs import ignore as gitignore
from mlops_cli.vcs.repo import Git
from mlops_cli.workspace import ignore
from mlops_cli.workspace.pointer import SUFFIX, Pointer, is_pointer, write_pointer
from mlops_cli.workspace.tracked import Tracked

RESERVED = (".mlops", ".git")
WILD = "*?["


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did with one path; `changed` is false when the pointer already said so."""

    pointer: Pointer
    changed: bool


def expand(root: Path, start: Path, words: Sequence[str]) -> list[str]:
    """Return the paths that `words` name, relative to `root`; patterns that the shell left are
    tried below `start`, where the person stands.

    Raises NotFound ("missing-path", "no-match"), ConfigError ("path-outside-project").
    """
    found: dict[str, None] = {}
    for word in words:
        matches = [word]
        if any(letter in word for letter in WILD) and not os.path.lexists(start / word):
            import glob

            matches = sorted(glob.glob(word, root_dir=start, recursive=True))
            matches = [match for match in matches if not match.endswith((SUFFIX, "/" + SUFFIX))]
            if not matches:
                raise NotFound(
                    f"nothing matches {word!r}", code="no-match", hint="ls", details={"path": word}
                )
        for match in matches:
            path = relative(root, start, match)
            if is_pointer(path) and (root / path).is_file():
                path = path.removesuffix(SUFFIX)  # `add data/*` meets the pointers as well
            found[path] = None
    return list(found)


def relative(root: Path, start: Path, word: str) -> str:
    """Return the path `word`, as seen from `start`, relative to the project at `root`.

    Raises ConfigError ("path-outside-project").
    """
    joined = os.path.normpath(os.path.join(os.path.realpath(start), word))
    base = os.path.realpath(root)
    if joined == base:
        return "."
    inner = os.path.relpath(joined, base)
    fsio.inside(root, inner)
    return PurePosixPath(inner).as_posix()


def add(
    root: Path,
    paths: Sequence[str],
    *,
    git: Git,
    cache: Cache,
    stats: StatCache,
    tracked: Iterable[Tracked],
    progress: Progress = SILENT,
) -> list[Added]:
    """Track each of `paths` (relative to `root`), or none of them where one is refused.

    Raises NotFound ("missing-path"), UsageError ("not-data"), StateRefused ("already-in-git",
    "inside-tracked", "holds-tracked", "made-by-step", "is-a-link"), and what `ingest` raises.
    """
    known = list(tracked)
    for path in paths:
        _refuse(root, path, known)
    for one in paths:
        for other in paths:
            if other.startswith(one + "/"):
                raise _inside(other, one)
    _refuse_in_git(git, paths)
    ignore.hide(cache.root)
    return [_add(root, path, cache=cache, stats=stats, progress=progress) for path in paths]


def _add(root: Path, path: str, *, cache: Cache, stats: StatCache, progress: Progress) -> Added:
    stored = ingest(
        root / path,
        cache=cache,
        stats=stats,
        ignored=ignore.ignored_in(root, path),
        progress=progress,
    )
    pointer = Pointer(path, stored.digest, stored.kind, stored.size, stored.files)
    place = root / path
    # before the pointer: a crash between the two must not leave data that `git add .` takes
    gitignore.add_lines(place.parent / ".gitignore", [gitignore.escaped(place.name)])
    return Added(pointer, write_pointer(root, pointer))


def _refuse(root: Path, path: str, known: list[Tracked]) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path == ".":
        raise UsageError(
            "the project itself cannot be added",
            code="not-data",
            hint="name the data in it: mlops add data/raw",
        )
    if any(part in RESERVED for part in parts) or path.endswith(SUFFIX):
        raise UsageError(
            f"{path} is not data: it belongs to {'git' if '.git' in parts else 'mlops'}",
            code="not-data",
            hint="name the data beside it",
            details={"path": path},
        )
    place = root / path
    if place.is_symlink():
        raise StateRefused(
            f"{path} is a link",
            code="is-a-link",
            hint="add what it leads to, or replace it by a copy",
            details={"path": path},
        )
    if not os.path.lexists(place):
        raise NotFound(
            f"{path} does not exist", code="missing-path", hint="ls", details={"path": path}
        )
    for one in known:
        if one.step is not None and (one.path == path or path.startswith(one.path + "/")):
            raise StateRefused(
                f"{path} is made by the step {one.step}, and tracked through it",
                code="made-by-step",
                hint="mlops run keeps it; add only what no step makes",
                details={"path": path, "step": one.step},
            )
        if path.startswith(one.path + "/"):
            raise _inside(path, one.path)
        if one.path.startswith(path + "/"):
            raise StateRefused(
                f"{path} holds {one.path}, which is tracked already",
                code="holds-tracked",
                hint=f"git rm --cached {one.source} && rm {one.source}, then add {path}",
                details={"path": path, "tracked": one.path},
            )


def _refuse_in_git(git: Git, paths: Sequence[str]) -> None:
    listed = git.run("ls-files", "-z", "--cached", "--", *paths).split("\0")
    in_git = [name for name in listed if name]
    if in_git:
        shown = next(
            path for path in paths if in_git[0] == path or in_git[0].startswith(path + "/")
        )
        raise StateRefused(
            f"{in_git[0]} is kept in git already",
            code="already-in-git",
            hint=f"git rm -r --cached {shown}, then mlops add {shown}",
            details={"path": shown, "in_git": in_git[:20]},
        )


def _inside(path: str, around: str) -> StateRefused:
    return StateRefused(
        f"{path} lies in {around}, which is tracked as a whole",
        code="inside-tracked",
        hint=f"mlops add {around}",
        details={"path": path, "tracked": around},
    )
