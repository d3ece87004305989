"""A table in numbers: statistics and histograms that merge, so that windows can be compared.

The edges of the histograms and the lists of categories are fixed by the first table; a later
table is counted against them (`base`), so two profiles of one base add up bin by bin. The form
is docs/formats/profile.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError, MissingExtra
from mlops_cli.features import instant

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

SCHEMA = "mlops.profile/1"
BINS = 256


def profile(
    table: pa.Table, *, base: Mapping[str, Any] | None = None, columns: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the profile of `table` as plain JSON.

    With `base` only its columns are counted, on its edges and categories; a column that `table`
    lacks counts as all null. NaN and infinities count as null.
    """
    try:
        import numpy as np  # noqa: F401
    except ImportError as exc:
        raise MissingExtra.of("numpy", "features") from exc

    if base is None:
        made = {
            name: _fresh(name, table.column(name))
            for name in (table.column_names if columns is None else columns)
        }
    else:
        chosen = base["columns"] if columns is None else columns
        made = {name: _against(name, table, base["columns"][name]) for name in chosen}
    return {"schema": SCHEMA, "rows": table.num_rows, "columns": made}


def merge(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """Return the profile of both tables together.

    Raises ConfigError ("profiles-differ") unless both have the same columns, edges, categories.
    """
    if one["columns"].keys() != two["columns"].keys():
        raise _differ(", ".join(sorted(one["columns"].keys() ^ two["columns"].keys())))
    columns = {
        name: _merged(name, first, two["columns"][name]) for name, first in one["columns"].items()
    }
    return {"schema": SCHEMA, "rows": one["rows"] + two["rows"], "columns": columns}


def bins(column: Mapping[str, Any]) -> list[int]:
    """Return the counts of one column in fixed order, `other` and nulls last: what PSI compares.

    number: below the first edge, then per edge from it on; category: per listed value.
    """
    if column["kind"] == "number":
        return [*column["counts"], column["nulls"]]
    if column["kind"] == "category":
        return [*column["counts"], column["other"], column["nulls"]]
    return [column["rows"] - column["nulls"], column["nulls"]]


def _fresh(name: str, column: pa.ChunkedArray) -> dict[str, Any]:
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if pa.types.is_boolean(kind):
        return _category(column, ["false", "true"])
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = _finite(column)
        return _number(column, values, _edges(np.sort(values)))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        return _category(column, _top(column))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _time(name, column)
    return {"kind": "other", "rows": len(column), "nulls": column.null_count}


def _against(name: str, table: pa.Table, base: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np
    import pyarrow as pa

    column = table.column(name) if name in table.column_names else pa.nulls(table.num_rows)
    if base["kind"] == "category":
        return _category(column, base["values"])
    if base["kind"] == "number":
        try:
            values = _finite(column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
            raise _differ(name) from exc
        return _number(column, values, np.asarray(base["edges"], dtype=np.float64))
    if base["kind"] == "time" and not pa.types.is_null(column.type):
        return _time(name, column)
    return {**base, "rows": len(column), "nulls": column.null_count}


def _finite(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Return the values as float64 without null, NaN and infinities."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    values = column.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(values[np.isfinite(values)])


def _edges(ordered: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return every value when they are few, else the quantiles: always values that occurred."""
    import numpy as np

    distinct = np.unique(ordered)
    if len(distinct) <= BINS:
        return distinct
    positions = np.arange(BINS) * len(ordered) // BINS
    return np.unique(ordered[positions])


def _number(
    column: pa.ChunkedArray, values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]
) -> dict[str, Any]:
    import numpy as np

    rows = len(values)
    counts = np.bincount(
        np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1
    ).tolist()
    # fsum is exact, so that every processor gives the same digits; a plain sum does not
    mean = math.fsum(values.tolist()) / max(rows, 1)
    spread = math.fsum(((values - mean) ** 2).tolist())
    return {
        "kind": "number",
        "rows": len(column),
        "nulls": len(column) - rows,
        "min": float(values.min()) if rows else None,
        "max": float(values.max()) if rows else None,
        "mean": mean if rows else None,
        "m2": spread,
        "std": (spread / rows) ** 0.5 if rows else None,
        "edges": edges.tolist(),
        "counts": counts,
    }


def _top(column: pa.ChunkedArray) -> list[str]:
    import pyarrow as pa

    found = column.drop_null().cast(pa.string()).value_counts()
    ranked = sorted(
        zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True),
        key=lambda pair: (-pair[1], pair[0]),
    )
    return [value for value, _ in ranked[:BINS]]


def _category(column: pa.ChunkedArray, values: Sequence[str]) -> dict[str, Any]:
    import pyarrow as pa

    found = column.drop_null().cast(pa.string()).value_counts()
    held = dict(
        zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True)
    )
    counts = [held.pop(value, 0) for value in values]
    return {
        "kind": "category",
        "rows": len(column),
        "nulls": column.null_count,
        "values": list(values),
        "counts": counts,
        "other": sum(held.values()),
    }


def _time(name: str, column: pa.ChunkedArray) -> dict[str, Any]:
    import pyarrow.compute as pc

    ends = pc.min_max(instant.micros(column, name)).as_py()
    return {
        "kind": "time",
        "rows": len(column),
        "nulls": column.null_count,
        "min": instant.iso(ends["min"]),
        "max": instant.iso(ends["max"]),
    }


def _merged(name: str, one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    fixed = {"number": "edges", "category": "values"}.get(one["kind"])
    if one["kind"] != two["kind"] or (fixed and one[fixed] != two[fixed]):
        raise _differ(name)
    total = {**one, "rows": one["rows"] + two["rows"], "nulls": one["nulls"] + two["nulls"]}
    if one["kind"] == "category":
        total["other"] = one["other"] + two["other"]
    if fixed:
        total["counts"] = [a + b for a, b in zip(one["counts"], two["counts"], strict=True)]
    if one["kind"] in ("number", "time"):
        total["min"] = _one_of(min, one["min"], two["min"])
        total["max"] = _one_of(max, one["max"], two["max"])
    if one["kind"] == "number":
        total |= _moments(one, two)
    return total


def _moments(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """Chan, Golub and LeVeque (1979): mean and squared deviations of two parts together."""
    n, m = one["rows"] - one["nulls"], two["rows"] - two["nulls"]
    if not n or not m:
        kept = one if n else two
        return {name: kept[name] for name in ("mean", "m2", "std")}
    apart = two["mean"] - one["mean"]
    spread = one["m2"] + two["m2"] + apart * apart * n * m / (n + m)
    return {
        "mean": one["mean"] + apart * m / (n + m),
        "m2": spread,
        "std": (spread / (n + m)) ** 0.5,
    }


def _one_of(choose: Any, one: Any, two: Any) -> Any:
    present = [value for value in (one, two) if value is not None]
    return choose(present) if present else None


def _differ(name: str) -> ConfigError:
    return ConfigError(
        f"the profiles differ in {name}, so they cannot be compared",
        code="profiles-differ",
        hint="count the second table against the first: mlops feature profile --base FILE",
        details={"column": name},
    )
