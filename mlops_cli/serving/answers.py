"""One answer that a server gave, found in the prediction log by its request id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli.errors import MlopsError
from mlops_cli.ledger.index import Index
from mlops_cli.ledger.record import timestamp
from mlops_cli.serving.logfiles import OPEN, SEALED
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest

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


def find(root: Path, cache: Cache, index: Index, request_id: str) -> Search:
    """Return the answers to the newest request of this id: what is still open, then segments.

    Reads one column of each segment until it is found.
    """
    for environment, path in _unsealed(root):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # sealed while we looked; its record comes next time
            continue
        if rows := _rows(data, request_id):
            return Search(tuple(_answer(row, environment) for row in rows), ())
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
