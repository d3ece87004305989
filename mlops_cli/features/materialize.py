"""The rows of a feature view, made from its source: selected, typed, checked, sorted, written.

A view of fields keeps one row per entity and instant (of several, the last in the order of the
source). A view of windows keeps running totals per entity and instant, from which `offline`
takes any trailing window by two look-ups and a subtraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_cli import fsio
from mlops_cli.encode import readable_json
from mlops_cli.errors import StepFailed
from mlops_cli.features import check, instant, read, totals, transform, view, write
from mlops_cli.features.check import Verdict
from mlops_cli.pipeline.model.data import FeatureView, Source
from mlops_cli.pipeline.model.plain import from_plain
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = "mlops.features/1"


class FeatureStep:
    """Make the rows of one view from its source."""

    revision = 1

    def run(self, step: Step, context: RunContext) -> Outcome:
        """Write values.parquet and report.json, and quarantine.parquet where rows were set aside.

        Raises StepFailed ("column-missing", "wrong-type", "check-failed", "transform-failed", …).
        """
        name = step.config["name"]
        spec: FeatureView = from_plain(FeatureView, step.config["view"])
        source: Source = from_plain(Source, step.config["source"])
        built = build(name, spec, source, root=context.root)
        folder = context.outs[f"out/features/{name}"]
        folder.mkdir(parents=True, exist_ok=True)
        write.parquet(built.values, folder / "values.parquet")
        if built.quarantine is not None:
            write.parquet(built.quarantine, folder / "quarantine.parquet")
        fsio.write_atomic(folder / "report.json", readable_json(built.report))
        kept = ("rows", "entities", "dropped", "quarantined", "time")
        return Outcome(
            metrics={"rows": float(built.values.num_rows)},
            facts={fact: built.report[fact] for fact in kept},
        )


@dataclass(frozen=True, slots=True)
class Built:
    """The rows of a view, those set aside (with the column `rule`), and what happened."""

    values: pa.Table
    quarantine: pa.Table | None
    report: dict[str, Any]


def build(name: str, spec: FeatureView, source: Source, *, root: Path) -> Built:
    """Return the rows of the view `name`, from the source's files as they are now."""
    view.verify(name, spec)
    wanted = None if spec.transform or spec.sql else _needed(spec)
    raw = read.table(root, source.path, wanted)
    made = read.plain(transform.apply(raw, spec, root=root))
    rows = _typed(transform.select(made, _needed(spec), view=name), name, spec)
    good, quarantine, verdicts = _checked(rows, name, spec)
    whole = _whole(good, spec)
    ordered = totals.ordered(whole, spec.entity, spec.time)
    if spec.windows:
        values = totals.running(ordered, spec.entity, spec.time, view.totals(spec), name=name)
        repeated = 0
    else:
        values = totals.newest(ordered, spec.entity, spec.time)
        repeated = whole.num_rows - values.num_rows
    report = {
        "schema": SCHEMA,
        "view": name,
        "source": source.path,
        "columns": {field.name: str(field.type) for field in values.schema},
        "rows": values.num_rows,
        "entities": values.select(list(spec.entity))
        .group_by(list(spec.entity))
        .aggregate([])
        .num_rows,
        "time": _ends(values, spec.time),
        "dropped": {"no_entity_or_time": good.num_rows - whole.num_rows, "repeated": repeated},
        "quarantined": 0 if quarantine is None else quarantine.num_rows,
        "rules": [verdict.plain() for verdict in verdicts],
    }
    return Built(values, quarantine, report)


def _needed(spec: FeatureView) -> list[str]:
    """Return the columns a view takes from its source or transform, each once."""
    return list(dict.fromkeys([*spec.entity, spec.time, *(view.totals(spec) or spec.fields)]))


def _typed(table: pa.Table, name: str, spec: FeatureView) -> pa.Table:
    """Return the table with declared types and an instant as time; NaN becomes null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = {"int": pa.int64(), "float": pa.float64(), "string": pa.string(), "bool": pa.bool_()}
    for column, declared in spec.fields.items():
        values = table.column(column)
        if declared not in kinds or not (check.fits(values.type, declared) or _empty(values)):
            raise _wrong(name, column, str(values.type), declared)
        try:
            values = values.cast(kinds[declared])
        except pa.ArrowInvalid as exc:  # an unsigned integer beyond int64
            raise _wrong(name, column, str(values.type), declared) from exc
        if declared == "float":
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, pa.float64()), values)
        table = table.set_column(table.column_names.index(column), column, values)
    moments = instant.micros(table.column(spec.time), spec.time)
    position = table.column_names.index(spec.time)
    return table.set_column(position, spec.time, moments.cast(pa.timestamp("us", tz="UTC")))


def _empty(column: pa.ChunkedArray) -> bool:
    return bool(column.null_count == len(column))


def _checked(
    rows: pa.Table, name: str, spec: FeatureView
) -> tuple[pa.Table, pa.Table | None, Sequence[Verdict]]:
    """Return the rows that pass, those in quarantine (None if none), and all verdicts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    verdicts = check.judge(rows, spec.checks)
    broken = [verdict for verdict in verdicts if not verdict.passed]
    fatal = [verdict for verdict in broken if verdict.bad is None or spec.on_fail == "stop"]
    if fatal:
        raise StepFailed(
            f"features.{name}: {fatal[0].sentence()}",
            code="check-failed",
            hint="mend the source or the transform, or set `on_fail: quarantine` to go on without "
            "the rows that break a check",
            details={"view": name, "broken": [verdict.plain() for verdict in broken]},
        )
    if not broken:
        return rows, None, verdicts
    bad = broken[0].bad
    named = pa.scalar(None, pa.string())
    for verdict in reversed(broken):  # of several rules the first one gives its name
        bad = pc.or_(bad, verdict.bad)
        named = pc.if_else(verdict.bad, f"{verdict.column}: {verdict.rule}", named)
    apart = rows.append_column("rule", named).filter(bad)
    return rows.filter(pc.invert(bad)), apart, verdicts


def _whole(rows: pa.Table, spec: FeatureView) -> pa.Table:
    """Return the rows that say whose they are and when they became known."""
    import pyarrow.compute as pc

    kept = pc.is_valid(rows.column(spec.time))
    for name in spec.entity:
        kept = pc.and_(kept, pc.is_valid(rows.column(name)))
    return rows.filter(kept)


def _ends(values: pa.Table, time: str) -> dict[str, str | None]:
    import pyarrow.compute as pc

    ends = pc.min_max(instant.micros(values.column(time), time)).as_py()
    return {"start": instant.iso(ends["min"]), "end": instant.iso(ends["max"])}


def _wrong(name: str, column: str, found: str, declared: str) -> StepFailed:
    return StepFailed(
        f"features.{name}: the column {column!r} holds {found}, but is declared {declared}",
        code="wrong-type",
        hint=f"declare its type under features.{name}.fields, or convert it in the transform",
        details={"view": name, "column": column, "found": found, "expected": declared},
    )
