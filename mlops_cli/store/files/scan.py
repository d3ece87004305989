"""What lies under a path: names and stats, folder by folder, no bytes read."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Literal

from mlops_cli.errors import NotFound, StateRefused
from mlops_cli.fsio import TEMPORARY_PREFIX
from mlops_cli.store.digest import RAW_LENGTH
from mlops_cli.store.hashing import unreadable
from mlops_cli.store.statcache import FACTS, UNKNOWN
from mlops_cli.store.tree import Mode, any_refused, refusal

Ignored = Callable[[str, bool], bool]  # path relative to the root, is it a folder
Kind = Literal["file", "tree"]


@dataclass(slots=True)
class Folder:
    """One folder: its files and links, sorted, with `statcache.FACTS` of each; its folders."""

    path: str  # absolute
    inside: str  # relative to the root of the scan, "" or ending in "/"
    names: list[str] = field(default_factory=list)
    facts: bytes = b""
    digests: list[bytes] = field(default_factory=list)  # raw; UNKNOWN where not known yet
    targets: dict[str, bytes] = field(default_factory=dict)  # of its links
    folders: list[tuple[str, Folder]] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)  # scratch of a checkout that was killed
    ignored: bool = False  # something in it was passed over
    tree: bytes = b""  # raw digest of its listing, when known
    size: int = 0
    files: int = 0

    def stats(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Yield FACTS of each name, unpacked."""
        return FACTS.iter_unpack(self.facts)


@dataclass(frozen=True, slots=True)
class Scan:
    """Everything under one path. `folders` come before the folders that lie in them."""

    kind: Kind
    folders: tuple[Folder, ...]  # for a file: one folder that holds only this file


def scan(
    path: Path,
    *,
    ignored: Ignored | None = None,
    cache_root: Path | None = None,
    seen: Callable[[Folder], None] = lambda _: None,
) -> Scan:
    """Look at everything under `path`. Links are never followed, except those that lead to an
    object under `cache_root`: these are the files of a checkout by symlink.

    `seen` gets each folder as soon as it was looked at, in no order; what it raises ends the scan.
    Raises NotFound ("missing-path"), StateRefused ("special-file", "reserved-name", "is-a-link",
    "file-changed"), OutsideWorld ("cannot-read").
    """
    top = os.path.abspath(path)
    objects = os.path.join(os.path.realpath(cache_root), "objects") if cache_root else None
    try:
        found = os.lstat(top)
    except PermissionError as exc:
        raise unreadable(exc) from exc
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            f"{path} does not exist",
            code="missing-path",
            hint="mlops checkout",
            details={"path": str(path)},
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        single = _single(top, found, objects)
        seen(single)
        return Scan("file", (single,))
    root = Folder(top, "")
    folders = [root]
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            _look(folder, ignored, objects)
        except OSError as exc:
            raise unreadable(exc) from exc
        seen(folder)
        for _, inner in folder.folders:
            folders.append(inner)
            waiting.append(inner)
    return Scan("tree", tuple(folders))


def mode_of(st_mode: int) -> Mode:
    """Return how a tree calls a file or link with these mode bits."""
    if stat.S_ISLNK(st_mode):
        return "link"
    return "exec" if st_mode & stat.S_IXUSR else "file"


def _look(folder: Folder, ignored: Ignored | None, objects: str | None) -> None:
    inside = folder.inside
    found: dict[str, tuple[int, int, int, int, int]] = {}
    inner: list[str] = []
    handle = os.open(folder.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # by its handle: then each stat looks up one name and not the whole path
        with os.scandir(handle) as listing:
            for item in listing:
                name = item.name
                if name.startswith(TEMPORARY_PREFIX):
                    folder.leftovers.append(name)
                elif item.is_dir(follow_symlinks=False):
                    if ignored is not None and ignored(inside + name, True):
                        folder.ignored = True
                    else:
                        inner.append(name)
                elif ignored is not None and ignored(inside + name, False):
                    folder.ignored = True
                else:
                    found[name] = _facts(item.stat(follow_symlinks=False))
    finally:
        os.close(handle)
    inner.sort()
    base = folder.path.rstrip("/") + "/"
    folder.folders = [(name, Folder(base + name, f"{inside}{name}/")) for name in inner]
    folder.names = names = sorted(found)
    flat: list[int] = []
    for name in names:
        flat += found[name]
    regular = stat.S_IFREG
    exotic = [at for at, mode in enumerate(flat[4::5]) if mode & 0o170000 != regular]
    _refuse(inside, names, inner)
    for at in exotic:
        size, mode = _exotic(folder, names[at], flat[5 * at], flat[5 * at + 4], objects)
        flat[5 * at], flat[5 * at + 4] = size, mode
    folder.facts = _packed(flat)
    folder.digests = [UNKNOWN] * len(names)


# one call for all five: with a hundred thousand files a microsecond is a tenth of a second
_facts = attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino", "st_mode")


def _packed(flat: list[int]) -> bytes:
    try:
        numbers = array("q", flat)
    except OverflowError:  # an inode above 2**63; only sameness matters
        numbers = array("q", [(n + (1 << 63)) % (1 << 64) - (1 << 63) for n in flat])
    if not _LITTLE:
        numbers.byteswap()
    return numbers.tobytes()


_LITTLE = array("H", [1]).tobytes() == b"\x01\x00"


def _refuse(inside: str, names: list[str], inner: list[str]) -> None:
    if not any_refused([*names, *inner]):
        return
    for name in (*names, *inner):
        if why := refusal(name):
            shown = ascii(inside + name)
            raise StateRefused(
                f"{shown} cannot be kept: {why}",
                code="name-not-utf8" if "UTF-8" in why else "reserved-name",
                hint="rename it, or name it in .mlopsignore",
                details={"path": shown},
            )


def _exotic(
    folder: Folder, name: str, size: int, mode: int, objects: str | None
) -> tuple[int, int]:
    """Return size and mode of a link or of something stranger, which is refused."""
    path = os.path.join(folder.path, name)
    if not stat.S_ISLNK(mode):
        raise StateRefused(
            f"{path} is neither a file nor a folder nor a link",
            code="special-file",
            hint="remove it, or name it in .mlopsignore",
            details={"path": path},
        )
    target = os.readlink(path)
    if objects is not None and target.startswith(objects + "/"):
        digits = target[len(objects) :].replace("/", "")
        if len(digits) == 2 * RAW_LENGTH:
            try:
                return os.stat(path).st_size, stat.S_IFREG | 0o444
            except FileNotFoundError:
                pass  # the object is gone: what is left is a link that leads nowhere
    folder.targets[name] = os.fsencode(target)
    return size, mode


def _single(top: str, found: os.stat_result, objects: str | None) -> Folder:
    folder = Folder(os.path.dirname(top), "")
    name = os.path.basename(top)
    size, mode = found.st_size, found.st_mode
    if not stat.S_ISREG(mode):
        size, mode = _exotic(folder, name, size, mode, objects)
        if stat.S_ISLNK(mode):
            raise StateRefused(
                f"{top} is a link",
                code="is-a-link",
                hint="name the file or folder it leads to, or replace it by a copy",
                details={"path": top},
            )
    folder.names = [name]
    folder.facts = _packed([size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, mode])
    folder.digests = [UNKNOWN]
    return folder
