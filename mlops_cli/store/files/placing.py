"""How a file or a folder gets its place: whole at once, and only below a folder held open.

Every step goes through the handle of a folder that was opened without following links, so that
neither a hostile tree nor a link somebody puts in the way leads a write out of the root.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from mlops_cli import fsio
from mlops_cli.errors import StateRefused
from mlops_cli.store import hashing
from mlops_cli.store.cache import PACK_BELOW, Cache
from mlops_cli.store.damage import damaged
from mlops_cli.store.digest import PREFIX, Digest
from mlops_cli.store.files.linked import Link
from mlops_cli.store.statcache import pack
from mlops_cli.store.tree import Entry, Row

LinkKind = Literal["auto", "copy", "hardlink", "symlink"]

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKLESS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES}


class Placer:
    """Puts objects of one cache into folders of one workspace."""

    def __init__(
        self, cache: Cache, *, link: LinkKind, tick: hashing.Tick = hashing.nothing
    ) -> None:
        self._cache = cache
        self.link = link
        self.tick = tick  # told the bytes that are written
        self.linked: list[Link] = []  # files that are one with an object

    def new_files(self, handle: int, rows: Sequence[Row], path: str) -> list[bytes | None]:
        """Make files and links in a folder where nothing is yet; return the facts of each.

        `path` is what the folder will be called. Raises StateRefused ("name-clash") where the
        disk takes two names for one, OutsideWorld ("disk-full"), and as `Cache.read` does.
        """
        facts: list[bytes | None] = [None] * len(rows)
        plain: list[int] = []
        with fsio.translated(Path(path)):
            try:
                for at, (name, mode, digits, size, files) in enumerate(rows):
                    if mode == "link" or size >= PACK_BELOW:
                        entry = Entry(name, mode, Digest(PREFIX + digits), size, files)
                        facts[at] = self.new_file(handle, entry, name, path=f"{path}/{name}")
                    else:
                        plain.append(at)
                raws = [bytes.fromhex(rows[at][2]) for at in plain]
                for nth, data in self._cache.read_many(raws):
                    name, mode = rows[plain[nth]][:2]
                    self.tick(len(data))
                    facts[plain[nth]] = _write(handle, name, data, executable=mode == "exec")
            except FileExistsError as exc:
                raise _clash(f"{path}/{exc.filename}") from exc
        return facts

    def new_file(self, handle: int, entry: Entry, name: str, *, path: str) -> bytes | None:
        """Make `entry` under a name that is free in the folder; return its facts if a plain file.

        `path` is what the file will be called.
        Raises FileExistsError, and as `Cache.read` does.
        """
        if entry.mode == "link":
            os.symlink(self._cache.read(entry.digest), os.fsencode(name), dir_fd=handle)
            return pack(os.stat(name, dir_fd=handle, follow_symlinks=False))
        if self.link in ("hardlink", "symlink") and entry.mode == "file":
            linked = self._linked(handle, entry, name)
            if linked:
                self.linked.append(Link(path, entry.digest))
                return pack(os.stat(name, dir_fd=handle)) if self.link == "hardlink" else None
        if entry.size < PACK_BELOW:
            data = self._cache.read(entry.digest)
            self.tick(len(data))
            return _write(handle, name, data, executable=entry.mode == "exec")
        mode = 0o777 if entry.mode == "exec" else 0o666
        target = os.open(name, _NEW, mode, dir_fd=handle)
        try:
            share = self.link != "copy"
            self._cache.fill(entry.digest, target, share=share, tick=self.tick)
            return pack(os.fstat(target))
        finally:
            os.close(target)

    def create(self, handle: int, entry: Entry, path: str) -> bytes | None:
        """Give `entry` its free name in the folder at once. Raises FileExistsError."""
        if entry.mode == "link":
            return self.new_file(handle, entry, entry.name, path=path)
        with scratch(handle) as name:
            facts = self.new_file(handle, entry, name, path=path)
            try:
                # unlike a rename, a second name never takes the place of a file that has just come
                os.link(
                    name, entry.name, src_dir_fd=handle, dst_dir_fd=handle, follow_symlinks=False
                )
            except OSError as exc:
                if exc.errno not in _LINKLESS:
                    raise
                os.close(os.open(entry.name, _NEW, dir_fd=handle))
                os.rename(name, entry.name, src_dir_fd=handle, dst_dir_fd=handle)
        return facts and pack(os.stat(entry.name, dir_fd=handle, follow_symlinks=False))

    def replace(self, handle: int, entry: Entry, path: str) -> bytes | None:
        """Put `entry` at once in the place of the file of that name."""
        with scratch(handle) as name:
            facts = self.new_file(handle, entry, name, path=path)
            os.replace(name, entry.name, src_dir_fd=handle, dst_dir_fd=handle)
        return facts and pack(os.stat(entry.name, dir_fd=handle, follow_symlinks=False))

    def _linked(self, handle: int, entry: Entry, name: str) -> bool:
        """Link the whole object to `name`; return False where only a copy will do."""
        path = self._cache.objects.path(entry.digest)
        if not path.is_file():
            return False
        if hashing.hash_file(path)[0] != entry.digest:
            self._cache.objects.quarantine(entry.digest)
            raise damaged(entry.digest)
        if self.link == "symlink":
            os.symlink(os.path.realpath(path), name, dir_fd=handle)
            return True
        try:
            os.link(path, name, dst_dir_fd=handle)
        except OSError as exc:
            if exc.errno not in _LINKLESS:
                raise
            return False
        return True


def _write(handle: int, name: str, data: bytes | memoryview, *, executable: bool) -> bytes:
    """Write a small new file and return its facts."""
    target = os.open(name, _NEW, 0o777 if executable else 0o666, dir_fd=handle)
    try:
        if os.write(target, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        return pack(os.fstat(target))
    finally:
        os.close(target)


@contextlib.contextmanager
def scratch(handle: int) -> Iterator[str]:
    """Offer a fresh name in the folder; whatever still has it afterwards is removed."""
    name = f"{fsio.TEMPORARY_PREFIX}{os.getpid()}-{os.urandom(6).hex()}"
    try:
        yield name
    finally:
        discard(handle, name)


def discard(handle: int, name: str) -> None:
    """Remove a file or a folder with all that is in it; it may be gone already."""
    try:
        os.unlink(name, dir_fd=handle)
    except FileNotFoundError:
        pass
    except (IsADirectoryError, PermissionError):
        _discard_folder(handle, name)


def _discard_folder(handle: int, name: str) -> None:
    """Remove a folder however deep it is: no handle and no call is kept for each level."""
    folders = [name]
    for folder in folders:
        with contextlib.suppress(OSError):
            here = os.open(folder, FOLDER, dir_fd=handle)
            try:
                with os.scandir(here) as found:
                    inner = list(found)
                for item in inner:
                    if item.is_dir(follow_symlinks=False):
                        folders.append(f"{folder}/{item.name}")
                    else:
                        os.unlink(item.name, dir_fd=here)
            finally:
                os.close(here)
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            os.rmdir(folder, dir_fd=handle)


def is_abandoned(name: str) -> bool:
    """Return whether this scratch name belongs to a process that is no more."""
    number = name[len(fsio.TEMPORARY_PREFIX) :].partition("-")[0]
    if not name.startswith(fsio.TEMPORARY_PREFIX) or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def in_the_way(path: str | Path) -> StateRefused:
    """Return the error for something that came to lie where a file was to be written."""
    return StateRefused(
        f"{path} changed meanwhile and holds bytes that are stored nowhere",
        code="unsaved-bytes",
        hint="mlops add it to keep it, or move it away, and run the same command again",
        details={"paths": [str(path)]},
    )


def _clash(path: str) -> StateRefused:
    return StateRefused(
        f"this disk takes the name {path} for one that is there already",
        code="name-clash",
        hint="the disk does not tell upper from lower case: use another one, or rename the file",
        details={"path": path},
    )
