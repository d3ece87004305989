"""Which objects a remote holds and where, remembered here from a few small files over there.

`index/<name>.idx` lists the objects and chunks of one or more packs; `index/<name>.rcp` the large
objects whose recipes lie in `recipes/<name>.pack`; `index/<name>.whole` objects that lie alone in
`objects/`, as they do when they were pushed by an older version or from where nothing cuts them.
All are named by their own SHA-256 and never change, so each is fetched once and what is missing
over there is a difference of sets.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlops_cli import encode, fsio
from mlops_cli.store import pack_index
from mlops_cli.store.digest import Digest

if TYPE_CHECKING:
    from mlops_cli.store.remotes.remote import Remote

SCHEMA = "mlops.remote-memory/1"
PACKED, RECIPES, WHOLE = ".idx", ".rcp", ".whole"
_TOPS = {PACKED: "packs", RECIPES: "recipes", WHOLE: "objects"}  # where what they name lies


class Spot(NamedTuple):
    """Where the bytes of one object lie on a remote."""

    name: str
    offset: int
    length: int

    @property
    def recipe(self) -> bool:
        """Whether there lies only the recipe of the object, which itself is in chunks."""
        return self.name.startswith("recipes/")


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
        """Return where those of `wanted` that the remote holds lie; several places are possible,
        and where an object lies in one piece comes first.
        """
        found: dict[Digest, list[Spot]] = {}
        raws = {digest.raw: digest for digest in wanted} if self.names else {}
        if not raws:
            return found
        for name in sorted(self.names):
            for place, rows in parts(self.read(name), name):
                if place in self.gone:
                    continue
                for raw, offset, length in rows:
                    if raw in raws:
                        digest = raws[raw]
                        where = place or object_name(digest)
                        if not place and where in self.gone:
                            continue
                        spot = Spot(where, offset, length)
                        if digest in found:
                            found[digest].append(spot)
                        else:
                            found[digest] = [spot]
        for spots in found.values():
            if len(spots) > 1:
                spots.sort(key=lambda spot: spot.recipe)
        return found

    def read(self, name: str) -> bytes:
        """Return an index file as it is remembered here; nothing when it is no longer."""
        try:
            return (self.folder / "index" / name).read_bytes()
        except FileNotFoundError:
            return b""

    def listing(self) -> dict[str, int]:
        """Return name → size of the index files."""
        found = {}
        for name in self.names:
            with contextlib.suppress(FileNotFoundError):
                found[name] = (self.folder / "index" / name).stat().st_size
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


def recipes_name(stem: str) -> str:
    """Return where the recipes with that index lie on a remote."""
    return f"recipes/{stem}.pack"


def parts(data: bytes, name: str) -> Iterator[tuple[str, Iterator[tuple[bytes, int, int]]]]:
    """Yield (place, rows) for each index in the index file `name`; no place for whole objects.

    A pack is called by its own index, wherever that stands.
    """
    for start, end in pack_index.indices(data):
        one = data[start:end] if len(data) != end - start else data
        if name.endswith(WHOLE):
            place = ""
        elif name.endswith(RECIPES):
            place = recipes_name(pack_index.index_name(one))
        else:
            place = pack_name(pack_index.index_name(one))
        yield place, pack_index.index_rows(one)


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


def refresh(
    remote: Remote,
    folder: Path,
    *,
    now: datetime,
    thorough: bool = False,
    listed: Mapping[str, int] | None = None,
) -> RemoteIndex:
    """Return what `remote` says it holds now; only index files that are new are fetched.

    `thorough` also lists packs and objects, so that what was lost over there counts as missing.
    `listed` is the listing of `index`, where the caller has it already.
    """
    from mlops_cli.store.transfer.together import at_once  # `status` asks nobody

    former = remembered(folder, remote.url)
    # before the packs: what the index names was there before it
    there = {
        name: size
        for name, size in (remote.list("index") if listed is None else listed).items()
        if Path(name).suffix in (PACKED, RECIPES, WHOLE)
    }
    have = {
        name
        for name, size in there.items()
        if _holds(folder / "index" / name, size, name, known=name in former.names)
    }

    def bring(name: str) -> None:
        data = remote.read(f"index/{name}", 0, there[name])
        if data is not None and _right(data, name):
            fsio.write_atomic(folder / "index" / name, data, durable=False)
            have.add(name)

    at_once(remote, [partial(bring, name) for name in sorted(there.keys() - have)])
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
    """Return what the index files `names` speak of and a listing lacks, or shows too short."""
    from mlops_cli.store.transfer.together import at_once

    kinds = {Path(name).suffix for name in names}
    tops = [top for suffix, top in _TOPS.items() if suffix in kinds]
    listed = dict(
        zip(tops, at_once(remote, [partial(remote.list, top) for top in tops]), strict=True)
    )

    def size(place: str) -> int:
        top, _, rest = place.partition("/")
        return int(listed[top].get(rest, -1))

    gone = set()
    for name in sorted(names):
        for place, rows in parts((folder / "index" / name).read_bytes(), name):
            if place:
                if size(place) < max((offset + length for _, offset, length in rows), default=0):
                    gone.add(place)
                continue
            for raw, _, length in rows:
                where = object_name(Digest.from_raw(raw))
                if size(where) != length:
                    gone.add(where)
    return gone


def _holds(target: Path, size: int, name: str, *, known: bool) -> bool:
    try:
        # what was written here was checked then, but a machine that lost power may have torn it
        right = target.stat().st_size == size
        return right and (known or _right(target.read_bytes(), name))
    except FileNotFoundError:
        return False


def _right(data: bytes, name: str) -> bool:
    if hashlib.sha256(data).hexdigest() != Path(name).stem:
        return False
    try:
        count = len(list(pack_index.indices(data)))
    except ValueError:
        return False
    return count == 1 or (count > 1 and name.endswith(PACKED))
