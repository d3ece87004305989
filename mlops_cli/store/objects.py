"""Whole objects on the local disk: written once, read-only, named by their digest."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.store import hashing, links
from mlops_cli.store.digest import PREFIX, RAW_LENGTH, Digest
from mlops_cli.store.hashing import Tick

READ_ONLY = 0o444


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """`objects/ab/cdef…`, beside `tmp/` for what is being written and `quarantine/`."""

    root: Path  # the cache, not its objects/ folder

    def path(self, digest: Digest) -> Path:
        """Return where the object lives or would live."""
        name = digest.hex
        return self.root / "objects" / name[:2] / name[2:]

    def size(self, digest: Digest) -> int | None:
        """Return how many bytes the object has, or None when it is not here."""
        name = digest[len(PREFIX) :]
        try:
            found = os.stat(f"{self.root}/objects/{name[:2]}/{name[2:]}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def open(self, digest: Digest) -> int:
        """Return a handle on the object. Raises FileNotFoundError also where a folder or a device
        has its name: `size` says that it is not here, and a pipe would be waited for without end.
        """
        path = self.path(digest)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        except NotADirectoryError as exc:
            raise FileNotFoundError(path) from exc
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise FileNotFoundError(path)
        return handle

    def put(self, data: bytes, digest: Digest) -> None:
        """Store `data`, whose digest the caller has just taken."""
        if self.size(digest) == len(data):
            return
        with self.temporary() as temporary:
            with fsio.translated(temporary):
                temporary.write_bytes(data)
            self.publish(temporary, digest)

    def put_file(self, path: Path, *, tick: Tick = hashing.nothing) -> tuple[Digest, int]:
        """Store the file at `path` in one pass and return its digest and length."""
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with self.temporary() as temporary, fsio.translated(temporary):
                target = os.open(
                    temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
                )
                try:
                    digest, size = self.clone(source, target, tick=tick)
                finally:
                    os.close(target)
                if self.size(digest) != size:
                    self.publish(temporary, digest)
                return digest, size
        finally:
            os.close(source)

    def clone(
        self, source: int, target: int, *, tick: Tick = hashing.nothing
    ) -> tuple[Digest, int]:
        """Fill the empty file `target` from `source`, sharing blocks where the disk can, and
        return the digest and length of what is now in `target`; see `copy_and_hash`."""
        if links.reflink(source, target):
            # what is hashed is the clone, which nobody else can change
            return hashing.hash_handle(target, tick)
        return hashing.copy_and_hash(source, target, tick=tick)

    def publish(self, temporary: Path, digest: Digest) -> None:
        """Give the finished file `temporary` its place; bytes are on the disk before the name."""
        target = self.path(digest)
        with fsio.translated(target):
            fsio.make_folder(target.parent)
            fsio.publish(temporary, target, mode=READ_ONLY)

    @contextlib.contextmanager
    def temporary(self) -> Iterator[Path]:
        """Offer a fresh name on the same filesystem, gone afterwards unless it was renamed."""
        with fsio.translated(self.root):
            path = fsio.temporary_beside(self.root / "tmp" / "object")
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def quarantine(self, digest: Digest, data: bytes | None = None) -> Path:
        """Set damaged bytes aside, so that they are never served, linked or uploaded again.

        Without `data`, the whole object itself is moved there.
        """
        aside = self.aside(digest)
        fsio.make_folder(aside.parent)
        if data is None:
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.path(digest), aside)
        else:
            fsio.write_atomic(aside, data, mode=READ_ONLY, durable=False)
        return aside

    def aside(self, digest: Digest) -> Path:
        """Return where damaged bytes of that name are set aside."""
        return self.root / "quarantine" / digest.hex

    def iterate(self) -> Iterator[Digest]:
        """Yield the digests of all whole objects."""
        folder = self.root / "objects"
        for first in listing(folder):
            for rest in listing(folder / first):
                name = first + rest
                if len(name) == 2 * RAW_LENGTH and set(name) <= set("0123456789abcdef"):
                    yield Digest(PREFIX + name)


def listing(folder: Path) -> list[str]:
    """Return the sorted names in a folder that may not exist."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
