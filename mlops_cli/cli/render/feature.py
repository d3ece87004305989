"""Profiles and contracts as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_cli.cli.render import text


def values(found: Mapping[str, Any]) -> str:
    """Return one line for each column of a view."""
    shown = [
        (name, f"{value:.6g}" if isinstance(value, float) else value)
        for name, value in found.items()
    ]
    return text.table(shown)


def frame(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of entities and their values."""
    if not rows:
        return "No entities."
    shown = [
        (
            *row["entity"].values(),
            *(f"{v:.6g}" if isinstance(v, float) else v for v in row["values"].values()),
        )
        for row in rows
    ]
    keys, columns = list(rows[0]["entity"]), list(rows[0]["values"])
    return text.table(shown, (*keys, *columns), "l" * len(keys) + "r" * len(columns))


def profile(made: Mapping[str, Any]) -> str:
    """Return a line for each column: nulls, ends, mean or the commonest values."""
    rows = []
    for name, column in made["columns"].items():
        nulls = f"{column['nulls'] / column['rows']:.1%}" if column["rows"] else None
        ends = [_short(column.get(end)) for end in ("min", "max")]
        mean = _short(column.get("mean"))
        if column["kind"] == "category":
            pairs = zip(column["values"], column["counts"], strict=True)
            top = sorted(pairs, key=lambda pair: -pair[1])[:3]
            mean = ", ".join(f"{value} {count:,}" for value, count in top)
        rows.append((name, column["kind"], nulls, *ends, mean))
    table = text.table(rows, ("column", "kind", "nulls", "min", "max", "mean or top"), "llrrr")
    return f"{made['rows']:,} rows\n\n{table}"


def _short(value: Any) -> str | None:
    if isinstance(value, str):
        return value[:10]
    return None if value is None else f"{value:.4g}"


def contract(results: Sequence[Mapping[str, Any]]) -> str:
    """Return which contracts are kept, and a sentence for each rule that is broken."""
    lines = []
    for result in results:
        broken = [rule for rule in result["rules"] if not rule["passed"]]
        mark = text.style("broken", "red") if broken else text.style("kept", "green")
        lines.append(
            f"data.{result['name']}: {mark}, {result['rows']:,} rows, {len(result['rules'])} rules"
        )
        lines += [f"  {rule['sentence']}." for rule in broken]
    return "\n".join(lines)
