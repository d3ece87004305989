"""Files that went and came back elsewhere: by their bytes, or in a folder that moved."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mlops_cli.workspace.compare import DataChange, FileChange
from mlops_cli.workspace.tracked import related

ENOUGH = 2  # files that went from one folder to another, after which the folder counts as moved


@dataclass(frozen=True, slots=True)
class FolderMove:
    """Files that went from the folder `old` to the folder `new`; `of` were in `old` and are not
    there any more, so that `files / of` says how much of it moved; `edited` have other bytes."""

    old: str
    new: str
    files: int
    edited: int
    of: int


def pair(changes: Sequence[DataChange]) -> list[DataChange]:
    """Return `changes` in which a deleted and an added file with the same bytes are one renamed
    file, told where it is now. Empty files say nothing. A file that was also edited is found
    where its folder moved. What is tracked as a whole is paired alike.
    """
    files = [file for change in changes for file in change.files or ()]
    gone = {one.path: one for one in files if one.kind == "deleted" and one.old and one.old.size}
    come = {one.path: one for one in files if one.kind == "added" and one.new and one.new.size}
    for path in gone.keys() & come.keys():  # tracked by itself now, or no longer: it did not move
        del gone[path], come[path]
    former = _same_bytes(gone, come)
    taken = set(former.values())
    for (old, new), _ in _folders(former.items()):
        for path in come.keys() - former.keys():
            there = old + path[len(new) :]
            if path.startswith(new) and there in gone and there not in taken:
                former[path] = there
                taken.add(there)
    found = []
    for change in _whole(changes):
        if change.files is None:
            found.append(change)
            continue
        told = tuple(_told(change.files, former, taken, gone))
        if told or not change.files or change.kind != "deleted":
            found.append(replace(change, files=told))
    return found


def narrowed(changes: Sequence[DataChange], paths: Sequence[str]) -> list[DataChange]:
    """Return only the files at, in or around `paths`, all of them when there are none."""
    if not paths:
        return list(changes)
    found = []
    for change in changes:
        whole = any(path == "." or f"{change.path}/".startswith(f"{path}/") for path in paths)
        if change.files is None or whole:
            found.append(change)
            continue
        files = tuple(
            file
            for file in change.files
            if any(
                related(file.path, path) or related(file.former or file.path, path)
                for path in paths
            )
        )
        if files:
            found.append(replace(change, files=files))
    return found


def folder_moves(files: Iterable[FileChange]) -> list[FolderMove]:
    """Return the folders that moved, by where they are now; `files` are those of `pair`."""
    every = list(files)
    pairs = [(one.path, one.former) for one in every if one.former is not None]
    left = [one.path for one in every if one.kind == "deleted"] + [old for _, old in pairs]
    edited = {one.path for one in every if one.former and one.old and one.old != one.new}
    found = []
    for (old, new), paths in _folders(pairs):
        of = sum(path.startswith(old) for path in left)
        found.append(FolderMove(old, new, len(paths), len(edited.intersection(paths)), of))
    return sorted(found, key=lambda move: move.new)


def _same_bytes(gone: dict[str, FileChange], come: dict[str, FileChange]) -> dict[str, str]:
    """Return new path → old path, the same name preferred, each old path once."""
    by_digest: dict[str, list[str]] = defaultdict(list)
    for path in sorted(gone):
        if (side := gone[path].old) is not None:
            by_digest[side.digest].append(path)
    found: dict[str, str] = {}
    for same_name in (True, False):
        for path in sorted(come.keys() - found.keys()):
            new = come[path].new
            candidates = by_digest.get(new.digest, []) if new is not None else []
            for old in candidates:
                if not same_name or _name(old) == _name(path):
                    found[path] = old
                    candidates.remove(old)
                    break
    return found


def _folders(pairs: Iterable[tuple[str, str]]) -> list[tuple[tuple[str, str], list[str]]]:
    """Return ((old folder, new folder), new paths) of files that went together, "" the top."""
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for new, old in pairs:
        ours, theirs = new.split("/"), old.split("/")
        same = 0
        while same < min(len(ours), len(theirs)) and ours[-1 - same] == theirs[-1 - same]:
            same += 1
        if same:  # what is equal at the end lies in the folder that moved
            folders = ["".join(f"{part}/" for part in path[:-same]) for path in (theirs, ours)]
            together[folders[0], folders[1]].append(new)
    counts = Counter({key: len(paths) for key, paths in together.items()})
    return [(key, together[key]) for key, count in counts.most_common() if count >= ENOUGH]


def _told(
    files: Iterable[FileChange],
    former: dict[str, str],
    taken: set[str],
    gone: dict[str, FileChange],
) -> Iterable[FileChange]:
    for file in files:
        if file.kind == "added" and file.path in former:
            old = former[file.path]
            yield replace(file, kind="renamed", former=old, old=gone[old].old)
        elif file.kind != "deleted" or file.path not in taken:
            yield file


def _whole(changes: Sequence[DataChange]) -> list[DataChange]:
    """Return the changes in which something tracked with the same bytes elsewhere is renamed."""
    gone = {one.old.digest: one for one in changes if one.kind == "deleted" and one.old}
    found = []
    for change in changes:
        former = gone.pop(change.new.digest, None) if change.new else None
        if change.kind == "added" and former is not None:
            found.append(replace(change, kind="renamed", former=former.path, old=former.old))
        else:
            found.append(change)
    return found


def _name(path: str) -> str:
    return path.rpartition("/")[2]
