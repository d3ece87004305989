"""One answer that a server gave, found in the prediction log by its request id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.errors import MlopsError
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import timestamp
from mlops_cli.serving import environment
from mlops_cli.serving.logfiles import INTERVAL, OPEN, SEALED
from mlops_cli.serving.parts import open_target
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest

_GRACE = 0.2  # seconds for a batch to be made and written
_COLUMNS = ("request_id", "time", "received", "model", "version", "variant", "score")


@dataclass(frozen=True, slots=True)
class Answer:
    """A row of the log without its inputs; `segment` and `record` are None until it is sealed."""

    request_id: str
    environment: str
    time: str
    received: str
    model: str  # digest
    version: int
    variant: str
    score: Any
    segment: str | None = None
    record: str | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """The answers to one request, a row for each variant, and the segments that were not here."""

    answers: tuple[Answer, ...]
    absent: tuple[str, ...]


def find(
    root: Path,
    cache: Cache,
    index: Index,
    request_id: str,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> Search:
    """Return the answers to the newest request of this id: what is still open, then segments.

    Reads one column of each segment until it is found. Where it is not, and a server runs, the
    answer may be in its memory still: once it must have been written, we look again.
    """
    if found := _open(root, request_id):
        return Search(found, ())
    search = _sealed(cache, index, request_id)
    if search.answers or not _serving(root):
        return search
    pause(INTERVAL + _GRACE)
    return Search(_open(root, request_id), search.absent)


def _open(root: Path, request_id: str) -> tuple[Answer, ...]:
    for where, path in _unsealed(root):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # sealed while we looked; its record comes next time
            continue
        if rows := _rows(data, request_id):
            return tuple(_answer(row, where) for row in rows)
    return ()


def _serving(root: Path) -> bool:
    for name in environment.names(root):
        present = environment.read(root, name)
        if present and open_target(root, present.target.kind).look(name).state == "running":
            return True
    return False


def _sealed(cache: Cache, index: Index, request_id: str) -> Search:
    absent: list[str] = []
    seen: set[str] = set()
    for record in index.newest("predictions"):
        segment = str(record["segment"])
        if segment in seen:
            continue
        seen.add(segment)
        try:
            data = cache.read(Digest.parse(segment))
        except MlopsError:  # not pulled, or damaged: the others may have it
            absent.append(segment)
            continue
        if rows := _rows(data, request_id):
            where = str(record["deployment"])
            found = (_answer(row, where, segment, str(record.digest)) for row in rows)
            return Search(tuple(found), tuple(absent))
    return Search((), tuple(absent))


def _unsealed(root: Path) -> Iterator[tuple[str, Path]]:
    place = root / ".mlops" / "predictions"
    for folder in sorted(place.glob("*")):
        for state in (OPEN, SEALED):
            for path in sorted((folder / state).glob("*.arrows"), reverse=True):
                yield folder.name, path


def _rows(data: bytes, request_id: str) -> list[dict[str, Any]]:
    """Return the rows of one request in an Arrow stream whose tail may be torn."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = _batches(data, ["request_id"])
    if names is None or not pc.any(pc.equal(names["request_id"], request_id)).as_py():
        return []
    table = _batches(data, list(_COLUMNS))
    if table is None:
        return []
    found = table.filter(pc.equal(table["request_id"], pa.scalar(request_id)))
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def _batches(data: bytes, columns: list[str]) -> Any:
    import pyarrow as pa

    batches: list[Any] = []
    try:
        schema = pa.ipc.open_stream(data).schema
        at = [i for i, name in enumerate(schema.names) if name in columns]
        options = pa.ipc.IpcReadOptions(included_fields=at)
        reader = pa.ipc.open_stream(data, options=options)
        batches.extend(iter(reader))
    except (pa.ArrowInvalid, OSError):
        pass  # the whole batches before a torn tail count
    return pa.Table.from_batches(batches) if batches else None


def _answer(
    row: dict[str, Any], environment: str, segment: str | None = None, record: str | None = None
) -> Answer:
    return Answer(
        str(row["request_id"]),
        environment,
        timestamp(row["time"]),
        timestamp(row["received"]),
        str(row["model"]),
        int(row["version"]),
        str(row["variant"]),
        row["score"],
        segment,
        record,
    )
