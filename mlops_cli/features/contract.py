"""The contract of a source: what must be true of raw data before anything is made from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlops_cli import fsio
from mlops_cli.encode import readable_json
from mlops_cli.errors import StepFailed
from mlops_cli.features import check, instant, profile, read
from mlops_cli.features.check import Verdict
from mlops_cli.pipeline.model.amounts import duration
from mlops_cli.pipeline.model.data import ColumnCheck, Source
from mlops_cli.pipeline.model.plain import from_plain
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = "mlops.contract/1"


class ValidateStep:
    """Hold a source against its contract; a broken one stops everything downstream."""

    revision = 1

    def run(self, step: Step, context: RunContext) -> Outcome:
        """Write out/data/NAME.json. Raises StepFailed ("contract-broken", "column-missing",
        "label-missing")."""
        name = step.config["name"]
        source: Source = from_plain(Source, step.config["source"])
        table = read.table(context.root, source.path)
        judged = inspect(table, source)
        refuse(name, judged.verdicts)
        target = context.outs[f"out/data/{name}.json"]
        fsio.write_atomic(target, readable_json(judged.report(name, source.path)))
        return Outcome(
            metrics={"rows": float(table.num_rows)},
            facts={"rows": table.num_rows, "time": judged.time, "rules": len(judged.verdicts)},
        )


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a look at a source showed."""

    verdicts: Sequence[Verdict]
    columns: dict[str, str]  # name → Arrow type
    time: dict[str, str | None]  # start, end
    label: dict[str, Any] | None
    profile: dict[str, Any]

    def report(self, name: str, path: str) -> dict[str, Any]:
        """Return the inspection in the form mlops.contract/1."""
        return {
            "schema": SCHEMA,
            "source": name,
            "path": path,
            "rows": self.profile["rows"],
            "columns": self.columns,
            "time": self.time,
            "label": self.label,
            "rules": [verdict.plain() for verdict in self.verdicts],
            "profile": self.profile,
        }


def inspect(table: pa.Table, source: Source) -> Inspection:
    """Judge every rule of the contract and profile the table; raises nothing for broken data."""
    verdicts = [*_structure(table, source), *check.judge(table, source.checks)]
    identity = {*source.key} if len(source.key) == 1 else set()
    return Inspection(
        verdicts=verdicts,
        columns={field.name: str(field.type) for field in table.schema},
        time=_ends(table, source.time),
        label=_known(table, source),
        profile=profile.profile(
            table, columns=[name for name in table.column_names if name not in identity]
        ),
    )


def fresh(end: str | None, within: str, *, now: datetime) -> Verdict:
    """Judge whether the newest row is young enough. Not part of the step, which has no clock."""
    allowed = f"no older than {within}"
    if end is None:
        return Verdict("fresh", None, allowed, False, found="without a dated row")
    age = now - datetime.fromisoformat(end)
    good = age <= duration(within)
    return Verdict("fresh", None, allowed, good, found=None if good else f"as old as {end}")


def refuse(name: str, verdicts: Sequence[Verdict]) -> None:
    """Raise StepFailed where a rule is broken, naming rule, column and rows."""
    broken = [verdict for verdict in verdicts if not verdict.passed]
    if not broken:
        return
    first = broken[0]
    more = f", and {len(broken) - 1} more rules are broken" if len(broken) > 1 else ""
    codes = {"exists": "column-missing", "label": "label-missing"}
    raise StepFailed(
        f"data.{name}: {first.sentence()}{more}",
        code=codes.get(first.rule, "contract-broken"),
        hint=f"mlops feature validate {name} shows every rule; mend the data or its contract",
        details={"source": name, "broken": [verdict.plain() for verdict in broken]},
    )


def _structure(table: pa.Table, source: Source) -> Iterator[Verdict]:
    """Judge what the other sections of the contract promise: key, time, label, rows."""
    there = set(table.column_names)
    for name in dict.fromkeys([*source.key, *([source.time] if source.time else [])]):
        if name not in there:
            missing = f"missing (there are {', '.join(table.column_names)})"
            yield Verdict("exists", name, "there", False, found=missing)
    if source.label is not None:
        yield from _label(table, source)
    if source.rows:
        yield _size(table.num_rows, source)
    if source.key and there.issuperset(source.key):
        # the key stands for its row, so no part of it may be null
        for name in source.key:
            yield from check.judge(table.select([name]), {name: ColumnCheck(nulls=0.0)})
        yield check.unique(", ".join(source.key), [table.column(name) for name in source.key])
    if source.time in there and source.time is not None:
        declared = source.checks.get(source.time, ColumnCheck())
        rule = ColumnCheck(type="timestamp", nulls=0.0 if declared.nulls is None else None)
        yield from check.judge(table.select([source.time]), {source.time: rule})


def _label(table: pa.Table, source: Source) -> Iterator[Verdict]:
    import pyarrow.compute as pc

    assert source.label is not None
    name, known_at = source.label.column, source.label.known_at
    if name not in table.column_names:
        there = ", ".join(table.column_names)
        yield Verdict(
            "label", name, "there as the label", False, found=f"missing (there are {there})"
        )
        return
    held = pc.invert(check.missing(table.column(name)))
    known = pc.sum(held, min_count=0).as_py()
    found = None if known else "null in every row"
    yield Verdict("label", name, "known in some row", known > 0, len(held), len(held), found=found)
    if known_at is None:
        return
    if known_at not in table.column_names:
        yield Verdict("exists", known_at, "there", False, found="missing")
        return
    rule = {known_at: ColumnCheck(type="timestamp")}
    yield from check.judge(table.select([known_at]), rule)
    undated = pc.and_(held, pc.is_null(table.column(known_at)))
    count = pc.sum(undated, min_count=0).as_py()
    allowed = f"dated wherever {name!r} is known"
    first = pc.index(undated, True).as_py() if count else None
    yield Verdict("dated", known_at, allowed, not count, count, table.num_rows, first)


def _size(rows: int, source: Source) -> Verdict:
    low, high = source.rows.get("min"), source.rows.get("max")
    words = [f"at least {low:,}"] if low is not None else []
    words += [f"at most {high:,}"] if high is not None else []
    good = (low is None or rows >= low) and (high is None or rows <= high)
    found = None if good else f"{rows:,} rows long"
    return Verdict("rows", None, f"{' and '.join(words)} rows long", good, rows, rows, found=found)


def _ends(table: pa.Table, name: str | None) -> dict[str, str | None]:
    import pyarrow.compute as pc

    if name is None or name not in table.column_names:
        return {"start": None, "end": None}
    if not check.fits(table.schema.field(name).type, "timestamp"):
        return {"start": None, "end": None}
    ends = pc.min_max(instant.micros(table.column(name), name)).as_py()
    return {"start": instant.iso(ends["min"]), "end": instant.iso(ends["max"])}


def _known(table: pa.Table, source: Source) -> dict[str, Any] | None:
    import pyarrow.compute as pc

    if source.label is None or source.label.column not in table.column_names:
        return None
    held = pc.invert(check.missing(table.column(source.label.column)))
    known = table.filter(held)
    return {
        "column": source.label.column,
        "known": known.num_rows,
        "unknown": table.num_rows - known.num_rows,
        "known_at": _ends(known, source.label.known_at),
    }
