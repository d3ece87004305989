"""What other clones have run, asked for when nothing here knows a key; offline, a quiet miss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mlops_cli.errors import IntegrityError, MlopsError, NotFound, OutsideWorld
from mlops_cli.pipeline.traces import published, runcache
from mlops_cli.pipeline.traces.admission import Admission
from mlops_cli.pipeline.traces.runcache import Seen
from mlops_cli.progress import Progress
from mlops_cli.store.closure import Root
from mlops_cli.store.digest import Digest
from mlops_cli.vcs import exchange

if TYPE_CHECKING:
    from mlops_cli.store.cache import Cache
    from mlops_cli.store.remotes.remote import Remote
    from mlops_cli.store.transfer.remote_index import RemoteIndex


@dataclass(slots=True)
class Elsewhere:
    """The run cache of a remote. Nothing is asked before the first key that nobody here knows;
    `remote` is None where it is not to be asked at all."""

    cache: Cache
    remote: Callable[[], Remote] | None
    admission: Admission
    now: Callable[[], datetime]
    warn: Callable[[str], None]
    progress: Progress
    ledger_branch: str | None = None  # on a git remote that refuses other refs
    _entries: dict[str, list[Seen]] | None = None
    _place: Remote | None = None
    _index: RemoteIndex | None = None
    _there: set[Digest] = field(default_factory=set)  # outputs that the remote has
    _told: set[str] = field(default_factory=set)

    def admits(self, key: str, seen: Seen) -> bool:
        """Return whether an entry that came from a remote may be used where we stand."""
        if self.admission.everything or self.admission.admits(key, seen):
            return True
        self._tell(
            f"what was run elsewhere is not taken here unless the ledger of a trusted writer "
            f"confirms it (trust.runs: {self.admission.runs}); steps run instead"
        )
        return False

    def find(self, key: str) -> Seen | None:
        """Return what `key` gave elsewhere, where it is admitted and every output can be had."""
        if self._entries is None:
            self._entries = self._look()
        seens = self._entries.get(key, [])
        usable = [seen for seen in seens if self._had(seen) and self.admits(key, seen)]
        if not usable:
            return None
        outcomes = {tuple(sorted((p, o.digest) for p, o in s.outputs.items())) for s in usable}
        if len(outcomes) > 1 and all(seen.determinism == "exact" for seen in usable):
            self._tell(
                f"elsewhere a step was run {len(outcomes)} times with the same key, and not alike: "
                "it runs here; say determinism: stochastic if that is right",
            )
            return None
        return usable[0]

    def bring(self, wanted: Mapping[str, Seen]) -> None:
        """Have the outputs of entries that `find` returned, by key, in the cache, with few
        requests. What cannot be had is only told: the step then runs."""
        roots = []
        for key, seen in wanted.items():
            lacking = [
                Root(path, Digest(out.digest), "tree" if out.kind == "tree" else "file", out.size)
                for path, out in seen.outputs.items()
                if not self.cache.has(Digest(out.digest))
            ]
            if lacking and self._place is not None:
                # named before it comes, so that gc lets it be
                runcache.remember(self.cache.root / published.FOLDER, key, seen)
            roots += lacking
        if not roots or self._place is None or self._index is None:
            return
        from mlops_cli.store.transfer.fetch import fetch

        try:
            fetch(self.cache, self._place, self._index, roots, progress=self.progress)
        except (NotFound, IntegrityError, OutsideWorld) as problem:
            self._tell(f"not all that was run elsewhere could be fetched: {problem.message}")

    def _look(self) -> dict[str, list[Seen]]:
        """Read what the remote knows; nothing, with a warning, where it cannot be asked."""
        if self.remote is None:
            return {}
        from dataclasses import replace

        from mlops_cli.store.remotes.layout import check_format
        from mlops_cli.store.transfer.remote_index import memory, refresh

        try:
            place = self.remote()
            check_format(place)
            found = published.read(self.cache, place)
            folder = memory(self.cache.root, place.id)
            self._index = refresh(place, folder, now=self.now())
        except MlopsError as problem:
            self._tell(f"the run cache of the remote is not asked: {problem.message}")
            return {}
        self._place = place
        every = [seen for seens in found.values() for seen in seens]
        outputs = {Digest(out.digest) for seen in every for out in seen.outputs.values()}
        self._there = set(self._index.find(outputs))
        if every and not self.admission.everything and self.admission.look(every):
            self._fetch_records()
            self.admission.look(every)
        return {
            key: [replace(seen, remote=place.id) for seen in seens] for key, seens in found.items()
        }

    def _fetch_records(self) -> None:
        git = self.admission.git
        source = exchange.remote_of(git)
        if source is None:
            return
        try:
            exchange.receive(git, source, self.ledger_branch)
        except MlopsError as problem:
            self._tell(f"records did not come from {source}: {problem.message}")

    def _had(self, seen: Seen) -> bool:
        digests = {Digest(out.digest) for out in seen.outputs.values()}
        return all(self.cache.has(digest) for digest in digests - self._there)

    def _tell(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self.warn(sentence[0].upper() + sentence[1:] + ".")
