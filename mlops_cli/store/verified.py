"""Which objects of a remote were read and hashed over there: what eviction may rely upon.

A fact is kept by index file, which names its objects by digest and never changes: "everything that
this index names was read from the remote at that time, and was right".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops_cli import encode, fsio
from mlops_cli.store import packs
from mlops_cli.store.digest import Digest

SCHEMA = "mlops.verified/1"
FILE = "verified.json"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was verified on one remote. `folder` is where this machine remembers the remote."""

    folder: Path
    at: Mapping[str, datetime]  # by the name of an index file

    def holds(self, wanted: Iterable[Digest], *, since: datetime | None = None) -> set[Digest]:
        """Return those of `wanted` of which the remote has a copy that was found right."""
        raws = {digest.raw: digest for digest in wanted}
        found: set[Digest] = set()
        for name, moment in self.at.items():
            if not raws or (since is not None and moment < since):
                continue
            try:
                data = (self.folder / "index" / name).read_bytes()
            except FileNotFoundError:
                continue  # the remote no longer says that it has these
            if packs.well_formed(data):
                found |= {raws[raw] for raw, _, _ in packs.index_rows(data) if raw in raws}
        return found


def verified(folder: Path) -> Verified:
    """Return what is remembered below `folder` (see `remote_index.memory`); maybe nothing.

    What the remote no longer named when it was last asked does not count.
    """
    named = _read(folder / "state.json").get("names", ())
    times = _read(folder / FILE).get("at", {})
    try:
        at = {name: datetime.fromisoformat(times[name]) for name in named if name in times}
    except (TypeError, ValueError):
        at = {}
    return Verified(folder, at)


def remember(
    folder: Path, right: Iterable[str], *, wrong: Iterable[str] = (), now: datetime
) -> None:
    """Keep that the index files `right` were verified now, and that `wrong` ones are not."""
    at = dict(verified(folder).at) | dict.fromkeys(right, now)
    for name in wrong:
        at.pop(name, None)
    document = {"schema": SCHEMA, "at": {name: at[name].isoformat() for name in sorted(at)}}
    fsio.write_atomic(folder / FILE, encode.readable_json(document), durable=False)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = encode.parse_json(path.read_bytes(), source=path.name)
    except Exception:  # only a memory: what cannot be read was never verified
        return {}
    return value if isinstance(value, dict) else {}
