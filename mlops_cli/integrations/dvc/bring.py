"""Bytes that DVC keeps are brought into our cache, or attached where they lie; each is hashed once.

What was done is remembered batch by batch, so that a killed import goes on where it was.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlops_cli import fsio
from mlops_cli.integrations.dvc import large, sums
from mlops_cli.integrations.dvc.brought import Got, Lost, Result
from mlops_cli.integrations.dvc.elsewhere import Elsewhere
from mlops_cli.integrations.dvc.large import Link
from mlops_cli.integrations.dvc.outs import Sum
from mlops_cli.integrations.dvc.shelf import Candidate, Shelf, Wanted
from mlops_cli.integrations.dvc.sums import Sums
from mlops_cli.progress import Progress
from mlops_cli.store import hashing
from mlops_cli.store.alias import Alias, AliasIndex
from mlops_cli.store.cache import PACK_BELOW, BatchWriter, Cache

BATCH_FILES = 4096


@dataclass(slots=True)
class Bringer:
    """Brings from one DVC repository into one cache, of which tiers are no part here."""

    shelf: Shelf
    cache: Cache
    aliases: AliasIndex
    attach: bool
    link: Link
    result: Result = field(default_factory=Result)
    _fresh: list[Alias] = field(default_factory=list)

    def bring(
        self,
        wanted: Iterable[Wanted],
        *,
        remotes: Mapping[tuple[str, str], Elsewhere],
        progress: Progress,
    ) -> Result:
        """Bring all of `wanted`; `remotes` says where else each may be, by its key."""
        todo = list({one.key: one for one in wanted}.values())
        absent: list[Lost] = []
        with progress.task(
            "attaching" if self.attach else "importing", total=len(todo), unit="files"
        ) as task:
            for batch in _batches(todo):
                with self._writing() as writer:
                    for one in batch:
                        if (lost := self._local(one, writer)) is not None:
                            absent.append(lost)
                        task.advance()
        self._fetch(absent, remotes, progress)
        return self.result

    @contextlib.contextmanager
    def _writing(self) -> Iterator[BatchWriter]:
        with self.cache.writer() as writer:
            yield writer
        # only now are the small ones in their pack
        self.aliases.remember(self._fresh)
        self._fresh.clear()

    def _local(self, one: Wanted, writer: BatchWriter) -> Lost | None:
        """Bring one from this disk; return what is wrong where that cannot be."""
        damaged = ""
        for candidate in self.shelf.candidates(one):
            got = self._known(candidate) or self._taken(candidate, one.sum, writer)
            if got is not None:
                writer.rely(got.digest.raw)
                self.result.got[one.key] = got
                return None
            if candidate.name:
                damaged = damaged or os.fspath(candidate.path)
        if damaged:
            return Lost(one, "corrupt", damaged)
        return Lost(one, "missing", os.fspath(self.shelf.cache / one.sum.shelf))

    def _known(self, candidate: Candidate) -> Got | None:
        """Return what a former import learned about the file, if its bytes are still to be had."""
        if not candidate.name:
            return None
        folder = os.fspath(self.shelf.cache)
        alias = self.aliases.known(folder, candidate.name, candidate.found)
        if alias is None or not ((self.attach and alias.attached) or self.cache.has(alias.digest)):
            return None
        return Got(alias.digest, alias.size)

    def _taken(self, candidate: Candidate, one: Sum, writer: BatchWriter) -> Got | None:
        attach = self.attach and bool(candidate.name)
        with fsio.translated(candidate.path):
            if attach:
                found = sums.of_file(candidate.path)
                good = found.md5 == one.md5 or (
                    one.legacy and one.md5 in sums.legacy_of_file(candidate.path)
                )
            elif candidate.found.st_size < PACK_BELOW:
                data = hashing.read_exactly(candidate.path, candidate.found.st_size)
                found = sums.of_bytes(data)
                good = found.md5 == one.md5 or (
                    one.legacy and one.md5 in sums.legacy_of_bytes(data)
                )
                if good:
                    writer.add(found.digest, data)
            else:
                found, good = self._large(candidate, one)
        self.result.hashed += 1
        if not good:
            return None
        if not attach:
            self.result.copied += found.size
        if candidate.name:
            self._fresh.append(
                Alias(
                    os.fspath(self.shelf.cache), candidate.name, found.digest, found.size,
                    candidate.found.st_mtime_ns, attached=attach,
                )
            )  # fmt: skip
        return Got(found.digest, found.size)

    def _large(self, candidate: Candidate, one: Sum) -> tuple[Sums, bool]:
        """Give a large file a place in our cache while it is hashed: linked, or copied."""
        objects = self.cache.objects
        with objects.temporary() as temporary:
            if self.link == "hardlink" and large.linked(candidate, temporary):
                found = sums.of_file(temporary)
            else:
                found = large.copied(candidate.path, temporary, share=self.link != "copy")
            good = found.md5 == one.md5 or (
                one.legacy and one.md5 in sums.legacy_of_file(temporary)
            )
            if good and objects.size(found.digest) != found.size:
                objects.publish(temporary, found.digest)
        return found, good

    def _fetch(
        self,
        absent: Sequence[Lost],
        remotes: Mapping[tuple[str, str], Elsewhere],
        progress: Progress,
    ) -> None:
        """Fetch from DVC's remotes what is not on this disk as it should be."""
        by_remote: dict[str, list[Lost]] = {}
        for lost in absent:
            elsewhere = remotes.get(lost.wanted.key)
            if elsewhere is None:
                self.result.lost.append(lost)
            else:
                by_remote.setdefault(elsewhere.url, []).append(lost)
        for group in by_remote.values():
            elsewhere = remotes[group[0].wanted.key]
            with progress.task("fetching", total=len(group), unit="files") as task:
                for at in range(0, len(group), BATCH_FILES):
                    part = group[at : at + BATCH_FILES]
                    with self._writing() as writer:
                        for lost, place in elsewhere.fetch(part, self.cache):
                            self._fetched(lost, place, elsewhere, writer)
                            task.advance()

    def _fetched(
        self, lost: Lost, place: Path | None, elsewhere: Elsewhere, writer: BatchWriter
    ) -> None:
        one = lost.wanted.sum
        if place is None:
            where = f"{lost.where}, and not in {elsewhere.url}"
            self.result.lost.append(Lost(lost.wanted, lost.state, where))
            return
        try:
            found = sums.of_file(place)
            self.result.hashed += 1
            if found.md5 != one.md5 and not (one.legacy and one.md5 in sums.legacy_of_file(place)):
                where = f"{elsewhere.url}/{one.shelf}"
                self.result.lost.append(Lost(lost.wanted, "corrupt", where))
                return
            if found.size < PACK_BELOW:
                writer.add(found.digest, place.read_bytes())
            elif self.cache.objects.size(found.digest) != found.size:
                self.cache.objects.publish(place, found.digest)
        finally:
            place.unlink(missing_ok=True)
        self.result.fetched += 1
        self.result.copied += found.size
        self._fresh.append(Alias(elsewhere.url, one.shelf, found.digest, found.size))
        self.result.got[lost.wanted.key] = Got(found.digest, found.size)


def _batches(todo: Sequence[Wanted]) -> Iterable[Sequence[Wanted]]:
    # the sizes are not known before the files are looked at; a pack is sealed at 64 MiB anyway
    for at in range(0, len(todo), BATCH_FILES):
        yield todo[at : at + BATCH_FILES]
