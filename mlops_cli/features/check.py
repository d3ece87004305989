"""The rules of a column, judged over a table: what is allowed, and which rows break it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_cli.errors import ConfigError
from mlops_cli.pipeline.model.data import ColumnCheck

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule and what it found. `rows` break it, of `of` rows; `first` is the first such row."""

    rule: str  # exists, type, min, max, nulls, unique, in, matches, rows, time, label
    column: str | None
    allowed: str
    passed: bool
    rows: int = 0
    of: int = 0
    first: int | None = None  # position of the first row that breaks the rule, from 0
    example: Any = None
    found: str | None = None  # what is there instead, where it is not about single rows
    bad: Any = None  # bool array over all rows: the rows to quarantine; None if not about rows

    def sentence(self) -> str:
        """Return what is so, without a full stop."""
        subject = f"column {self.column!r}" if self.column else "the table"
        if self.passed:
            return f"{subject} is {self.allowed}"
        if self.found is not None:
            return f"{subject} should be {self.allowed}, but is {self.found}"
        rows = f"{self.rows:,} of {self.of:,} rows"
        where = "" if self.first is None else f" (first {self.example!r} in row {self.first + 1:,})"
        return f"{subject} should be {self.allowed}, which {rows} break{where}"

    def plain(self) -> dict[str, Any]:
        """Return the verdict as it stands in a report."""
        kept: dict[str, Any] = {
            "rule": self.rule,
            "column": self.column,
            "allowed": self.allowed,
            "passed": self.passed,
        }
        if not self.passed:
            example = self.example
            if not isinstance(example, str | int | float | bool | None):
                example = str(example)
            kept |= {"rows": self.rows, "of": self.of, "first": self.first, "example": example}
            kept |= {"found": self.found, "sentence": self.sentence()}
        return kept


def judge(table: pa.Table, checks: Mapping[str, ColumnCheck]) -> list[Verdict]:
    """Return a verdict for every rule of every column, in the order they were written.

    NaN counts as null. Rules of a column that is missing or of the wrong type are not judged
    further. Raises ConfigError ("check-does-not-fit") where the rule itself makes no sense.
    """
    verdicts: list[Verdict] = []
    for name, check in checks.items():
        if name not in table.column_names:
            there = ", ".join(table.column_names)
            verdicts.append(
                Verdict("exists", name, "there", False, found=f"missing (there are {there})")
            )
            continue
        verdicts.extend(_column(name, table.column(name), check))
    return verdicts


def fits(kind: pa.DataType, declared: str) -> bool:
    """Tell whether values of an Arrow type may stand for a declared type without a change."""
    import pyarrow.types as is_

    tests: dict[str, Sequence[Callable[[pa.DataType], bool]]] = {
        "int": (is_.is_integer,),
        "float": (is_.is_floating, is_.is_integer, is_.is_decimal),
        "string": (is_.is_string, is_.is_large_string),
        "bool": (is_.is_boolean,),
        "timestamp": (is_.is_timestamp, is_.is_date),
    }
    return any(test(kind) for test in tests[declared])


def missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return which values are null or NaN."""
    import pyarrow.compute as pc

    return pc.is_null(column, nan_is_null=True)


def _column(name: str, column: pa.ChunkedArray, check: ColumnCheck) -> Iterator[Verdict]:
    import pyarrow.compute as pc

    rows = len(column)
    if check.type is not None:
        good = fits(column.type, check.type)
        found = None if good else f"{column.type}"
        yield Verdict(
            "type", name, f"of type {check.type}", good, 0 if good else rows, rows, found=found
        )
        if not good:
            return
    if check.nulls is not None:
        yield _nulls(name, column, check.nulls)
    if check.unique:
        yield unique(name, [column])
    if check.min is not None:
        yield _rows("min", name, column, f"at least {check.min:g}", _less(name, column, check.min))
    if check.max is not None:
        below = _less(name, pc.negate(_numbers(name, column)), -check.max)
        yield _rows("max", name, column, f"at most {check.max:g}", below)
    if check.one_of is not None:
        yield _rows("in", name, column, _listed(check.one_of), _outside(name, column, check.one_of))
    if check.matches is not None:
        yield _rows("matches", name, column, f"like {check.matches}", _unlike(name, column, check))


def unique(name: str, columns: Sequence[pa.ChunkedArray]) -> Verdict:
    """Judge whether the rows differ in `columns` together; the later of two equal rows is bad."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [str(position) for position in range(len(columns))]
    rows = len(columns[0])
    keyed = pa.table(columns, names=names).append_column("row", pa.array(range(rows), pa.int64()))
    firsts = keyed.group_by(names, use_threads=False).aggregate([("row", "min")])
    if firsts.num_rows == rows:
        return Verdict("unique", name, "unique", True, 0, rows)
    kept = pc.is_in(keyed.column("row"), value_set=firsts.column("row_min").combine_chunks())
    bad = pc.invert(kept)
    first = pc.index(bad, True).as_py()
    example = [_example(column, first) for column in columns]
    return Verdict(
        "unique",
        name,
        "unique",
        False,
        rows - firsts.num_rows,
        rows,
        first,
        example[0] if len(example) == 1 else example,
        bad=bad,
    )


def _rows(
    rule: str, name: str, column: pa.ChunkedArray, allowed: str, bad: pa.ChunkedArray
) -> Verdict:
    """Return the verdict on rows that are `bad`; null values break no such rule."""
    import pyarrow.compute as pc

    bad = pc.fill_null(bad, False)
    count = pc.sum(bad, min_count=0).as_py()
    if not count:
        return Verdict(rule, name, allowed, True, 0, len(column))
    first = pc.index(bad, True).as_py()
    return Verdict(
        rule, name, allowed, False, count, len(column), first, _example(column, first), bad=bad
    )


def _example(column: pa.ChunkedArray, row: int) -> Any:
    try:
        return column[row].as_py()
    except (OverflowError, ValueError):  # an instant that Python cannot hold
        return str(column[row].cast("int64"))


def _nulls(name: str, column: pa.ChunkedArray, share: float) -> Verdict:
    import pyarrow.compute as pc

    bad = missing(column)
    count = pc.sum(bad, min_count=0).as_py()
    passed = count <= share * len(column)
    allowed = "never null" if share == 0 else f"null in at most {share:.2%} of rows"
    if passed:
        return Verdict("nulls", name, allowed, True, count, len(column))
    first = pc.index(bad, True).as_py()
    # single rows are at fault only where no row may be null
    return Verdict(
        "nulls", name, allowed, False, count, len(column), first, bad=bad if share == 0 else None
    )


def _numbers(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    if not fits(column.type, "float"):
        raise _misfit(name, f"min and max need numbers, but {name!r} holds {column.type}")
    return column.cast(pa.float64(), safe=False)


def _less(name: str, column: pa.ChunkedArray, bound: float) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.less(_numbers(name, column), float(bound))


def _outside(name: str, column: pa.ChunkedArray, allowed: Sequence[Any]) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        values = pa.array(allowed).cast(column.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as exc:
        raise _misfit(name, f"{_listed(allowed)} cannot be values of {column.type}") from exc
    return pc.and_(pc.invert(pc.is_in(column, value_set=values)), pc.invert(missing(column)))


def _unlike(name: str, column: pa.ChunkedArray, check: ColumnCheck) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.invert(pc.match_substring_regex(column, pattern=f"^(?:{check.matches})$"))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise _misfit(name, f"the pattern {check.matches} does not fit {column.type}") from exc


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(str(value) for value in values[:6])
    return f"one of {shown}{', …' if len(values) > 6 else ''}"


def _misfit(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"a check of {name!r} makes no sense: {why}",
        code="check-does-not-fit",
        hint="correct the check in pipeline.yaml",
        details={"column": name},
    )
