"""schema.json of a model: its columns in order, what they may hold, and its output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_cli.training import columns, graphs, score
from mlops_cli.training.encoder import Encoder

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "mlops.schema/1"


def describe(model: bytes, encoder: Encoder, train: pa.Table, *, task: str) -> dict[str, Any]:
    """Return the schema of `model`: {schema, task, inputs, outputs}.

    An input is {name, dtype: FP32 | BYTES, kind, nullable} and, of numbers, the range (`min`,
    `max`) and of categories the `categories` seen in the training rows. `nullable` is measured: the
    model still gives a finite answer when the column is missing.
    """
    session = score.open_model(model)
    kinds = {item.name: item.type for item in session.get_inputs()}
    some = train.slice(0, 16)
    inputs = []
    for feature in encoder.features:
        name = feature["name"]
        if name not in kinds:
            continue
        item: dict[str, Any] = {
            "name": name,
            "kind": feature["dtype"],
            "dtype": "BYTES" if kinds[name] == "tensor(string)" else "FP32",
            "nullable": _answers(session, without(some, name)),
        }
        if name in encoder.vocabularies:
            item["categories"] = list(encoder.vocabularies[name])
        elif feature["dtype"] != "string":
            item |= _range(train[name])
        inputs.append(item)
    output: dict[str, Any] = {"name": graphs.output_name(task), "dtype": "FP32"}
    if encoder.classes:
        output["classes"] = list(encoder.classes)
    outputs = [output]
    return {"schema": FORMAT, "task": task, "inputs": inputs, "outputs": outputs}


def without(table: pa.Table, *names: str) -> pa.Table:
    """Return `table` with null in every row of the columns `names`."""
    import pyarrow as pa

    for name in names:
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.nulls(table.num_rows, table.schema.field(at).type))
    return table


def _answers(session: Any, rows: pa.Table) -> bool:
    import numpy as np

    return bool(np.isfinite(score.score(session, rows)).all())


def _range(column: pa.ChunkedArray) -> dict[str, float]:
    import numpy as np

    values = columns.floats(column)
    values = values[np.isfinite(values)]
    return {"min": float(values.min()), "max": float(values.max())} if len(values) else {}
