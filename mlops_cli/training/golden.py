"""golden.arrow: rows and the answers the trained network gave, by which any copy is recognised."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import IntegrityError
from mlops_cli.training import score

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 64


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two ways of computing the same answers are apart, in absolute terms."""

    rows: int
    max_abs: float | None  # None where nothing was there to compare with
    allowed: float

    @property
    def passed(self) -> bool:
        """Return whether they agree; an answer that is not a number never does."""
        return self.max_abs is not None and self.max_abs <= self.allowed

    def to_plain(self) -> dict[str, Any]:
        """Return the evidence as plain JSON."""
        return {
            "rows": self.rows,
            "max_abs": self.max_abs,
            "allowed": self.allowed,
            "passed": self.passed,
        }


def choose(table: pa.Table, names: list[str]) -> pa.Table:
    """Return up to 64 rows spread evenly over `table`, only the columns `names`."""
    step = max(1, table.num_rows // ROWS)
    picked = list(range(0, table.num_rows, step))[:ROWS]
    return table.select(names).take(picked).combine_chunks()


def encode(inputs: pa.Table, answers: Any, *, output: str) -> bytes:
    """Return the Arrow IPC file of `inputs` with the column `output` at the end.

    `answers` are float32 [rows], or [rows, classes], which become lists of fixed length.
    """
    import pyarrow as pa

    column = pa.array(answers.ravel(), pa.float32())
    if answers.ndim > 1:
        column = pa.FixedSizeListArray.from_arrays(column, answers.shape[1])
    table = inputs.replace_schema_metadata(None).append_column(output, column)
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def decode(data: bytes, *, source: str = "golden.arrow") -> pa.Table:
    """Return the table in `data`. Raises IntegrityError ("malformed-golden")."""
    import pyarrow as pa

    try:
        with pa.ipc.open_file(pa.py_buffer(data)) as reader:
            return reader.read_all()
    except (pa.ArrowInvalid, OSError) as exc:
        raise IntegrityError(
            f"{source} is not an Arrow file: {exc}", code="malformed-golden", hint="mlops verify"
        ) from exc


def bound(training: Any) -> float:
    """Return how far off answers may be, as training.json says."""
    return float(training["parity"]["allowed"])


def told(value: Any, *, allowed: float) -> Agreement | None:
    """Return the agreement that `value` tells of, judged by `allowed`; None where it tells none."""
    match value:
        case {"rows": int(rows), "max_abs": int() | float() as gap}:
            return Agreement(rows, float(gap), allowed)
    return None


def check(model: bytes | Any, golden: bytes, *, allowed: float) -> Agreement:
    """Return how far `model` (bytes, or opened) is from the answers stored in `golden`."""
    import numpy as np

    table = decode(golden)
    stored = table[table.column_names[-1]]
    many = getattr(stored.type, "list_size", 0)
    answers = np.array(stored.to_pylist()) if many else stored.to_numpy()
    return agreement(score.score(model, table), answers, allowed=allowed)


def agreement(ours: Any, theirs: Any, *, allowed: float) -> Agreement:
    """Return how far two arrays of answers are apart; NaN anywhere counts as infinitely far."""
    import numpy as np

    gap = np.abs(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64))
    largest = float(np.nan_to_num(gap, nan=np.inf).max()) if len(gap) else 0.0
    return Agreement(rows=len(gap), max_abs=min(largest, 1e308), allowed=allowed)
