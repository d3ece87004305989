"""The same rows give the same bytes, and nearly the same rows nearly the same."""

from __future__ import annotations

import random
from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from mlops_cli.features.write import parquet
from mlops_cli.store.slicing import Slicer


def rows(count: int, seed: int) -> pa.Table:
    rng = random.Random(seed)

    def floats() -> pa.Array:
        return pa.Array.from_buffers(
            pa.float64(), count, [None, pa.py_buffer(rng.randbytes(8 * count))]
        )

    words = pa.array(list(rng.randbytes(count))).cast(pa.string())
    return pa.table({"x": floats(), "y": floats(), "w": words})


def chunks(path: Path) -> dict[bytes, int]:
    found = {}
    with Slicer() as slicer, path.open("rb", buffering=0) as source:
        for piece in slicer.slices(source, lambda digest: None):  # type: ignore[arg-type]
            found |= {chunk.raw: chunk.length for chunk, _ in piece.chunks}
            piece.release()
    return found


def test_rows_put_in_between_leave_most_of_the_file_as_it_was(tmp_path: Path) -> None:
    table, more = rows(600_000, 1), rows(6_000, 2)
    parquet(table, tmp_path / "first")
    parquet(table, tmp_path / "again")
    assert (
        sha256((tmp_path / "first").read_bytes()).digest()
        == sha256((tmp_path / "again").read_bytes()).digest()
    )
    parquet(pa.concat_tables([table[:300_000], more, table[300_000:]]), tmp_path / "later")
    former, later = chunks(tmp_path / "first"), chunks(tmp_path / "later")
    new = sum(length for raw, length in later.items() if raw not in former)
    # about two chunks for each column, and the footer: without such pages it is all of it
    assert new < 0.3 * sum(later.values())
