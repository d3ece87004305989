"""Which objects have a copy on some remote, and of which that copy was read and hashed there."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_cli.errors import ConfigError, MissingExtra, OutsideWorld
from mlops_cli.progress import SILENT, Progress
from mlops_cli.store.care import verified
from mlops_cli.store.digest import Digest
from mlops_cli.store.transfer.remote_index import RemoteIndex, memory, parts, refresh
from mlops_cli.workspace import remotes

if TYPE_CHECKING:
    from mlops_cli.store.remotes.remote import Remote


@dataclass(frozen=True, slots=True)
class Copies:
    """The remotes that answered just now; `unheard` are the others, each with what went wrong.

    What a remote that did not answer once held does not count.
    """

    heard: tuple[tuple[Remote, RemoteIndex], ...]
    unheard: tuple[str, ...] = ()

    def held(self, raws: Set[bytes]) -> set[bytes]:
        """Return those of `raws` that a remote says to hold, where all that it names is there."""
        wanted = {Digest.from_raw(raw) for raw in raws}
        found: set[bytes] = set()
        for _, index in self.heard:
            found |= {digest.raw for digest in _sound(index, wanted)}
        return found

    def verified(
        self, raws: Set[bytes], *, now: datetime, progress: Progress = SILENT
    ) -> set[bytes]:
        """Return those of `raws` of which a remote has a copy whose bytes were read and hashed.

        What was never verified is verified now, one index file and all that it names at a time,
        and remembered.
        """
        from mlops_cli.store.care.verify_remote import examine  # brings threads

        wanted = {Digest.from_raw(raw) for raw in raws}
        found: set[Digest] = set()
        for remote, index in self.heard:
            there = _sound(index, wanted - found)
            known = verified.verified(index.folder).holds(there)
            for name in _naming(index, there - known):
                examine(remote, index, name, now=now, progress=progress)
                known |= verified.verified(index.folder).holds(there - known)
            found |= known
        return {digest.raw for digest in found}


def ask(known: Sequence[remotes.Named], root: Path, cache_root: Path, *, now: datetime) -> Copies:
    """Ask each of the remotes `known` what it holds, packs and objects listed one by one."""
    from mlops_cli.store.remotes.layout import check_format

    heard, unheard = [], []
    for named in known:
        try:
            place = remotes.connect(named, root)
            check_format(place, required=False)
            index = refresh(place, memory(cache_root, place.id), now=now, thorough=True)
            heard.append((place, index))
        except (OutsideWorld, ConfigError, MissingExtra) as exc:
            unheard.append(f"{named.name}: {exc.message}")
    return Copies(tuple(heard), tuple(unheard))


def _sound(index: RemoteIndex, wanted: Set[Digest]) -> set[Digest]:
    """Return those that the remote holds. Where it has lost a file, a recipe may lack chunks."""
    return {
        digest
        for digest, spots in index.find(wanted).items()
        if any(not index.gone or not spot.recipe for spot in spots)
    }


def _naming(index: RemoteIndex, wanted: Set[Digest]) -> list[str]:
    """Return the index files that name any of `wanted`."""
    raws = {digest.raw for digest in wanted}
    return [
        name
        for name in sorted(index.names)
        if any(raw in raws for _, rows in parts(index.read(name), name) for raw, _, _ in rows)
    ]
