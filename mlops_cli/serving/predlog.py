"""The prediction log as it is kept: segments read, sealed, stored by digest, and recorded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_cli import fsio
from mlops_cli.ledger.code import code_now
from mlops_cli.ledger.record import record, timestamp
from mlops_cli.serving import environment, processes
from mlops_cli.serving.logfiles import INPUT, OPEN, SEALED, folder
from mlops_cli.serving.parts import Parts, open_target
from mlops_cli.store.cache import Cache
from mlops_cli.store.digest import Digest

_WRITER = re.compile(r"(\d+)-(\d*)-")


@dataclass(frozen=True, slots=True)
class Segment:
    """A sealed piece of the log, in the cache; `start` and `end` bound its event times."""

    digest: str
    rows: int
    start: str
    end: str
    models: tuple[str, ...]  # digests of the models that predicted
    record: str


def seal(parts: Parts, name: str, *, deployment: str | None = None) -> list[Segment]:
    """Seal all that was predicted in environment `name` so far, store and record it.

    Every answer that a client has read before this call is in the segments. Order: sealed file →
    cache → record → the file is removed; after a crash the next call finds the file and goes on.
    `deployment` is the record of the deployment, if the caller knows it.
    """
    present = environment.read(parts.root, name)
    if present is not None:
        open_target(parts.root, present.target.kind).seal(name, wait=parts.wait)
    place = folder(parts.root, name)
    place.mkdir(parents=True, exist_ok=True)
    with fsio.lock(place / "lock", what=f"the predictions of {name}", wait=parts.wait):
        _adopt_orphans(place)
        segments = []
        for path in sorted((place / SEALED).glob("*.arrows")):
            segment = _keep(parts, name, path, deployment)
            if segment is not None:
                segments.append(segment)
            path.unlink()
        if segments:
            parts.ledger.flush()
        return segments


def read(cache: Cache, digests: Iterable[str], *, columns: Sequence[str] | None = None) -> Any:
    """Return the rows of sealed segments as one Arrow table, in the order of `digests`.

    Its columns are those of docs/formats/prediction-log.md; an input that a segment does not have
    is null there. Each segment counts once.
    """
    import pyarrow as pa

    tables = []
    for digest in dict.fromkeys(digests):
        table, _ = read_stream(cache.read(Digest.parse(digest)))
        if table is not None:
            tables.append(table.select([c for c in columns or table.column_names
                                        if c in table.column_names]))  # fmt: skip
    if not tables:
        return pa.table({})
    return pa.concat_tables(tables, promote_options="default")


def inputs(table: Any) -> Any:
    """Return only the inputs in a table of `read`, under the names that the model knows."""
    names = [name for name in table.column_names if name.startswith(INPUT)]
    return table.select(names).rename_columns([name.removeprefix(INPUT) for name in names])


def read_stream(data: bytes) -> tuple[Any, bool]:
    """Return the whole batches of an Arrow IPC stream as a table, and whether its tail is torn.

    None instead of the table when not even the schema is whole.
    """
    import pyarrow as pa

    batches: list[Any] = []
    try:
        reader = pa.ipc.open_stream(data)
    except (pa.ArrowInvalid, OSError):
        return None, bool(data)
    try:
        while True:
            batches.append(reader.read_next_batch())
    except StopIteration:
        torn = False
    except (pa.ArrowInvalid, OSError):
        torn = True
    return pa.Table.from_batches(batches, reader.schema), torn


def _adopt_orphans(place: Path) -> None:
    """Take over what a killed server left open; a live one keeps writing to its own."""
    for path in sorted((place / OPEN).glob("*.arrows")):
        match = _WRITER.match(path.name)
        if match is None or not processes.alive(int(match[1]), match[2]):
            (place / SEALED).mkdir(exist_ok=True)
            path.replace(place / SEALED / path.name)


def _keep(parts: Parts, name: str, path: Path, deployment: str | None) -> Segment | None:
    import pyarrow.compute as pc

    table, _ = read_stream(path.read_bytes())
    if table is None or table.num_rows == 0:
        return None
    digest = parts.cache.put(_compact(table))
    bounds = pc.min_max(table.column("time")).as_py()
    start, end = timestamp(bounds["min"]), timestamp(bounds["max"])
    models = tuple(sorted(set(table.column("model").to_pylist())))
    made = record(
        "predictions",
        time=parts.now(),
        actor=str(parts.git.identity()),
        code=code_now(parts.git),
        deployment=name,
        deployed=deployment,
        segment=digest,
        rows=table.num_rows,
        start=start,
        end=end,
        models=list(models),
    )
    parts.ledger.spool(made)
    return Segment(digest, table.num_rows, start, end, models, made.digest)


def _compact(table: Any) -> bytes:
    """Return one compressed batch: a quiet server writes many of a single row."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table.combine_chunks())
    data: bytes = sink.getvalue().to_pybytes()
    return data
