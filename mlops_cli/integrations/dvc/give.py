"""Objects of our cache for DVC: under the md5 of their bytes, in the place where DVC looks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mlops_cli import fsio
from mlops_cli.integrations.dvc import present, sums
from mlops_cli.integrations.dvc.large import Link
from mlops_cli.integrations.dvc.outs import Sum
from mlops_cli.integrations.dvc.row import Row
from mlops_cli.store.alias import Alias, AliasIndex
from mlops_cli.store.cache import PACK_BELOW, Cache
from mlops_cli.store.digest import Digest
from mlops_cli.store.tree import Entry, parse_tree

BATCH = 1000
READ_ONLY = 0o444  # what DVC makes of an object that it trusts


class Given(NamedTuple):
    """A path as DVC would describe it; `files` is None for a single file."""

    md5: str
    size: int
    files: int | None = None
    executable: bool = False

    def entry(self, path: str) -> dict[str, object]:
        """Return it as it stands in a lock."""
        found: dict[str, object] = {"path": path, "hash": "md5", "md5": self.md5, "size": self.size}
        if self.files is not None:
            found["nfiles"] = self.files
        if self.executable:
            found["isexec"] = True
        return found


@dataclass(slots=True)
class Giver:
    """Gives from one cache to one cache of DVC."""

    cache: Cache
    target: Path
    aliases: AliasIndex
    link: Link
    rows: list[Row] = field(default_factory=list)
    written: int = 0  # objects that DVC did not have
    _fresh: list[Alias] = field(default_factory=list)

    def file(self, digest: Digest) -> tuple[str, int]:
        """Make DVC have an object; return its md5 and size. Raises as `Cache.read`."""
        known = self._known(digest)
        if known is not None:
            return known
        size = self.cache.size(digest)
        temporary = fsio.temporary_beside(self.target / "tmp" / "object")
        try:
            md5 = self._copied(digest, size, temporary)
            self._place(temporary, Sum(md5), digest, size)
        finally:
            temporary.unlink(missing_ok=True)
        return md5, size

    def tree(self, digest: Digest, path: str) -> Given:
        """Make DVC have all files of a folder and their list. Raises as `Cache.read`."""
        files: dict[str, str] = {}
        links: list[tuple[str, Digest]] = []
        entries = {}
        size = 0
        for name, entry in self._walk(digest, "", path):
            if entry.mode == "link":
                links.append((name, entry.digest))
                continue
            entries[name] = entry
            files[name], one = self.file(entry.digest)
            size += one
            if entry.mode == "exec":
                self._note(path, name, "DVC forgets that it may be run")
        for name, target in links:
            size += self._follow(path, name, target, entries, files)
        data = present.listing(files)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        place = self.target / Sum(md5, folder=True).shelf
        if not place.is_file() or place.read_bytes() != data:
            fsio.write_atomic(place, data, mode=READ_ONLY, durable=False)
        return Given(f"{md5}.dir", size, len(files))

    def close(self) -> None:
        """Remember what was given."""
        if self._fresh:
            self.aliases.remember(self._fresh)
            self._fresh.clear()

    def _known(self, digest: Digest) -> tuple[str, int] | None:
        """Return md5 and size of what DVC's cache has had and still has."""
        folder = os.fspath(self.target)
        for one in self.aliases.names(digest):
            if one.folder != folder or not one.name.startswith("files/md5/"):
                continue
            try:
                found = (self.target / one.name).stat()
            except OSError:
                continue
            if (found.st_size, found.st_mtime_ns) == (one.size, one.mtime_ns):
                return one.name.removeprefix("files/md5/").replace("/", ""), one.size
        return None

    def _copied(self, digest: Digest, size: int, temporary: Path) -> str:
        """Write the object to the new file `temporary` and return its md5."""
        if size < PACK_BELOW:
            data = self.cache.read(digest)
            with fsio.translated(temporary):
                temporary.write_bytes(data)
            return sums.of_bytes(data).md5
        whole = self.cache.objects.path(digest)
        if self.link == "hardlink" and whole.is_file():
            found = sums.of_file(whole)
            if found.digest == digest:
                try:
                    os.link(whole, temporary)
                except OSError:
                    pass  # another disk
                else:
                    return found.md5
        if self.link == "copy":
            with fsio.translated(temporary), temporary.open("xb") as file:
                self.cache.fill(digest, file.fileno(), share=False)
        else:
            self.cache.copy_to(digest, temporary)
        return sums.of_file(temporary).md5

    def _place(self, temporary: Path, sum_: Sum, digest: Digest, size: int) -> None:
        place = self.target / sum_.shelf
        with fsio.translated(place):
            if not place.is_file() or sums.of_file(place).md5 != sum_.md5:
                place.parent.mkdir(parents=True, exist_ok=True)
                fsio.publish(temporary, place, mode=READ_ONLY)
                self.written += 1
            mtime_ns = place.stat().st_mtime_ns
        self._fresh.append(Alias(os.fspath(self.target), sum_.shelf, digest, size, mtime_ns))
        if len(self._fresh) >= BATCH:
            self.close()

    def _walk(self, digest: Digest, before: str, path: str) -> Iterator[tuple[str, Entry]]:
        entries = parse_tree(self.cache.read(digest))
        if not entries and before:
            self._note(path, before.rstrip("/"), "DVC keeps no empty folder")
        for entry in entries:
            if entry.mode == "dir":
                yield from self._walk(entry.digest, f"{before}{entry.name}/", path)
            else:
                yield before + entry.name, entry

    def _follow(
        self, path: str, name: str, target: Digest, entries: dict[str, Entry], files: dict[str, str]
    ) -> int:
        """Give DVC what a link in the folder leads to, as it would itself; return its size."""
        words = os.fsdecode(self.cache.read(target))
        leads = os.path.normpath(os.path.join(name.rpartition("/")[0], words))
        if leads not in entries:
            self._note(path, name, f"a link to {words}, which DVC cannot keep")
            return 0
        files[name], size = self.file(entries[leads].digest)
        self._note(path, name, "DVC makes a copy of what it links to")
        return size

    def _note(self, path: str, name: str, why: str) -> None:
        self.rows.append(Row("data", f"{path}/{name}", "noted", why))
