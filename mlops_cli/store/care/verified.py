"""Which objects of a remote were read and hashed over there: what eviction may rely upon.

A fact is kept by index file, which names its objects by digest and never changes: "everything that
this index names was read from the remote at that time, and was right". Recipes count only as long
as the index files that name their chunks do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlops_cli import encode, fsio
from mlops_cli.store.digest import Digest
from mlops_cli.store.transfer.remote_index import parts

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
            for _, rows in parts(data, name):
                found |= {raws[raw] for raw, _, _ in rows if raw in raws}
        return found


def verified(folder: Path) -> Verified:
    """Return what is remembered below `folder` (see `remote_index.memory`); maybe nothing.

    What the remote no longer named when it was last asked does not count.
    """
    at, needs = _known(folder)
    return Verified(folder, {name: at[name] for name in at if needs.get(name, set()) <= at.keys()})


def remember(
    folder: Path,
    right: Iterable[str],
    *,
    wrong: Iterable[str] = (),
    needs: Mapping[str, Iterable[str]] | None = None,
    now: datetime,
) -> None:
    """Keep that the index files `right` were verified now, and that `wrong` ones are not; `needs`
    are the index files whose chunks the recipes of another speak of."""
    at, known = _known(folder)
    at |= dict.fromkeys(right, now)
    known |= {name: set(others) for name, others in (needs or {}).items()}
    for name in wrong:
        at.pop(name, None)
    document = {
        "schema": SCHEMA,
        "at": {name: moment.isoformat() for name, moment in at.items()},
        "needs": {name: sorted(known[name]) for name in at if known.get(name)},
    }
    fsio.write_atomic(folder / FILE, encode.readable_json(document), durable=False)


def _known(folder: Path) -> tuple[dict[str, datetime], dict[str, set[str]]]:
    document = _read(folder / FILE)
    try:
        named = set(_read(folder / "state.json").get("names", ()))
        at = {
            name: datetime.fromisoformat(moment)
            for name, moment in document.get("at", {}).items()
            if name in named
        }
        needs = {name: set(others) for name, others in document.get("needs", {}).items()}
    except (TypeError, ValueError, AttributeError):
        return {}, {}
    return at, needs


def _read(path: Path) -> dict[str, Any]:
    try:
        value = encode.parse_json(path.read_bytes(), source=path.name)
    except Exception:  # only a memory: what cannot be read was never verified
        return {}
    return value if isinstance(value, dict) else {}
