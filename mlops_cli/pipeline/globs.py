"""Patterns among the inputs of a step, `data/*.csv`: which files they stand for now.

`*` and `?` stay within a folder and match no hidden file, `**` goes through folders, `[…]` is one
of some characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from mlops_cli.pipeline.paths import clean

LISTED = "listed"  # in the place of a digest: a pattern that stands for some files
_MAGIC = frozenset("*?[")
_POINTER = ".mlops"


def is_glob(path: str) -> bool:
    """Return whether a dep is a pattern."""
    return not _MAGIC.isdisjoint(path) and "://" not in path


def expand(root: Path, pattern: str, outs: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the paths for which `pattern` stands, sorted: those that are there, those known by a
    pointer, and those of `outs`, which steps make."""
    import glob

    found = {clean(path) for path in glob.glob(pattern, root_dir=root, recursive=True)}
    if "**" in pattern:  # what lies in a folder is listed beside it
        found = {path for path in found if not (root / path).is_dir()}
    elif not pattern.endswith(_POINTER):
        pointed = glob.glob(pattern + _POINTER, root_dir=root)
        found |= {clean(path.removesuffix(_POINTER)) for path in pointed}
        found = {path for path in found if not path.endswith(_POINTER)}
    found |= {out for out in outs if matches(pattern, out)}
    return tuple(sorted(found))


def matches(pattern: str, path: str) -> bool:
    """Return whether `pattern` stands for `path`."""
    return _fits(pattern.split("/"), path.split("/"))


def _fits(parts: list[str], names: list[str]) -> bool:
    import fnmatch

    if not parts or not names:
        return not parts and not names
    hidden = names[0].startswith(".")
    if parts[0] == "**":
        here = len(parts) == 1 and len(names) == 1
        below = here or _fits(parts, names[1:])
        return (below and not hidden) or _fits(parts[1:], names)
    if hidden and not parts[0].startswith("."):
        return False
    return fnmatch.fnmatchcase(names[0], parts[0]) and _fits(parts[1:], names[1:])


def may_touch(pattern: str, out: str) -> bool:
    """Return whether `pattern` may stand for `out`, or for something in it."""
    import fnmatch

    for one, other in zip(pattern.split("/"), out.split("/"), strict=False):
        if one == "**":
            return True
        if not fnmatch.fnmatchcase(other, one):
            return False
    return pattern.count("/") >= out.count("/")


def spelled_out(
    deps: Iterable[str], paths: Mapping[str, str | None], globs: Mapping[str, tuple[str, ...]]
) -> list[str]:
    """Return `deps` with the files in the place of each pattern whose files are known."""
    found: dict[str, None] = {}
    for dep in deps:
        found |= dict.fromkeys(globs[dep] if paths.get(dep) == LISTED else (dep,))
    return list(found)
