"""Which objects a remote holds and where, remembered here from a few small files over there.

`index/<name>.idx` lists the objects of `packs/<name>.pack`; `index/<name>.whole` lists objects
that lie in `objects/`. Both are named by their own SHA-256 and never change, so each is fetched
once and what is missing over there is a difference of sets.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlops_cli import encode, fsio
from mlops_cli.store import packs
from mlops_cli.store.digest import Digest

if TYPE_CHECKING:
    from mlops_cli.store.remote import Remote

SCHEMA = "mlops.remote-memory/1"
PACKED, WHOLE = ".idx", ".whole"


class Spot(NamedTuple):
    """Where the bytes of one object lie on a remote."""

    name: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class RemoteIndex:
    """What is known of a remote without asking it. `refreshed` is None before the first look."""

    folder: Path  # what is remembered lives here, below the cache
    url: str
    names: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()  # files of the remote that its index names and it lacks
    complete: frozenset[Digest] = frozenset()  # roots of which everything is known to be there
    refreshed: datetime | None = None

    def find(self, wanted: Iterable[Digest]) -> dict[Digest, list[Spot]]:
        """Return where those of `wanted` that the remote holds lie; several places are possible."""
        raws = {digest.raw: digest for digest in wanted}
        found: dict[Digest, list[Spot]] = {}
        if not raws:
            return found
        for name in sorted(self.names):
            try:
                data = (self.folder / "index" / name).read_bytes()
            except FileNotFoundError:
                continue
            stem, packed = Path(name).stem, name.endswith(PACKED)
            if packed and pack_name(stem) in self.gone:
                continue
            for raw, offset, length in packs.index_rows(data):
                if raw in raws:
                    digest = raws[raw]
                    place = pack_name(stem) if packed else object_name(digest)
                    if packed or place not in self.gone:
                        found.setdefault(digest, []).append(Spot(place, offset, length))
        return found

    def with_names(self, names: Iterable[str]) -> RemoteIndex:
        """Return the index after a push that added `names`."""
        return dataclasses.replace(self, names=self.names | frozenset(names))

    def with_gone(self, names: Iterable[str]) -> RemoteIndex:
        """Return the index after `names`, which it speaks of, turned out not to be there."""
        return dataclasses.replace(
            self, gone=self.gone | frozenset(names), complete=frozenset[Digest]()
        )

    def with_complete(self, roots: Iterable[Digest]) -> RemoteIndex:
        """Return the index with the knowledge that everything below `roots` is there."""
        return dataclasses.replace(self, complete=self.complete | frozenset(roots))


def object_name(digest: Digest) -> str:
    """Return where a whole object lies on a remote."""
    return f"objects/{digest.hex[:2]}/{digest.hex[2:]}"


def pack_name(stem: str) -> str:
    """Return where the pack with that index lies on a remote."""
    return f"packs/{stem}.pack"


def memory(cache_root: Path, remote_id: str) -> Path:
    """Return the folder in which a cache remembers the remote."""
    return cache_root / "remotes" / remote_id


def remembered(folder: Path, url: str) -> RemoteIndex:
    """Return what was known after the last look, without asking the remote; maybe nothing."""
    try:
        value = encode.parse_json((folder / "state.json").read_bytes(), source="state.json")
        if value["schema"] != SCHEMA or value["url"] != url:
            raise ValueError(value["schema"])
        return RemoteIndex(
            folder,
            url,
            frozenset(value["names"]),
            frozenset(value["gone"]),
            frozenset(Digest.parse(text) for text in value["complete"]),
            datetime.fromisoformat(value["refreshed"]),
        )
    except FileNotFoundError:
        return RemoteIndex(folder, url)
    except Exception:  # a memory that cannot be read is no memory; it is only a cache
        return RemoteIndex(folder, url)


def save(index: RemoteIndex) -> None:
    """Remember `index` for the next command."""
    state = {
        "schema": SCHEMA,
        "url": index.url,
        "names": sorted(index.names),
        "gone": sorted(index.gone),
        "complete": sorted(index.complete),
        "refreshed": index.refreshed.isoformat() if index.refreshed else None,
    }
    fsio.write_atomic(index.folder / "state.json", encode.readable_json(state), durable=False)


def refresh(remote: Remote, folder: Path, *, now: datetime, thorough: bool = False) -> RemoteIndex:
    """Return what `remote` says it holds now; only index files that are new are fetched.

    `thorough` also lists packs and objects, so that what was lost over there counts as missing.
    """
    former = remembered(folder, remote.url)
    # before the packs: what the index names was there before it
    listed = {
        name: size
        for name, size in remote.list("index").items()
        if Path(name).suffix in (PACKED, WHOLE)
    }
    have = set()
    for name in sorted(listed):
        target = folder / "index" / name
        if target.is_file() and (name in former.names or _right(target.read_bytes(), name)):
            have.add(name)
            continue
        data = remote.read(f"index/{name}", 0, listed[name])
        if data is not None and _right(data, name):
            fsio.write_atomic(target, data, durable=False)
            have.add(name)
    gone = _gone(remote, folder, have) if thorough else set()
    intact = former.names <= have and not gone
    fresh = RemoteIndex(
        folder,
        remote.url,
        frozenset(have),
        frozenset(gone),
        former.complete if intact else frozenset(),
        now,
    )
    save(fresh)
    return fresh


def _gone(remote: Remote, folder: Path, names: set[str]) -> set[str]:
    packed = {f"packs/{name}": size for name, size in remote.list("packs").items()}
    whole = {f"objects/{name}": size for name, size in remote.list("objects").items()}
    gone = set()
    for name in names:
        data = (folder / "index" / name).read_bytes()
        if name.endswith(PACKED):
            end = max((offset + length for _, offset, length in packs.index_rows(data)), default=0)
            place = pack_name(Path(name).stem)
            if packed.get(place, -1) < end:
                gone.add(place)
        else:
            for raw, _, length in packs.index_rows(data):
                place = object_name(Digest.from_raw(raw))
                if whole.get(place) != length:
                    gone.add(place)
    return gone


def _right(data: bytes, name: str) -> bool:
    return hashlib.sha256(data).hexdigest() == Path(name).stem and packs.well_formed(data)
