"""What became of a table: columns, rows, numbers; whatever the file is and however large."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from mlops_cli.errors import MlopsError, StepFailed
from mlops_cli.features import tables
from mlops_cli.features.row_diff import RowDiff, Side, rows
from mlops_cli.features.table_diff import Table, compare, measure
from mlops_cli.features.tables import TableFile


def write_json(table: pa.Table, path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))


def write_tsv(table: pa.Table, path: Path) -> None:
    csv.write_csv(table, path, csv.WriteOptions(delimiter="\t"))


WRITERS: dict[str, Callable[[pa.Table, Path], Any]] = {
    ".parquet": pq.write_table,
    ".csv": csv.write_csv,
    ".tsv": write_tsv,
    ".jsonl": write_json,
}


def side(file: TableFile) -> Side:
    return Side(file, measure(file.batches()))


def written(tmp_path: Path, name: str, table: pa.Table) -> Side:
    path = tmp_path / name
    WRITERS[path.suffix](table, path)
    return side(TableFile(path, name))


OLD = pa.table({"id": [1, 2, 3, 4], "x": [1.5, 2.5, None, 4.0], "name": ["a", "b", "b", "d"]})
NEW = pa.table({"id": [2, 3, 4, 5], "x": [2.5, 9.0, 4.0, None], "name": ["b", "b", "e", "f"]})


@pytest.mark.parametrize("suffix", WRITERS)
def test_each_kind_of_file_is_measured_and_its_rows_compared(tmp_path: Path, suffix: str) -> None:
    old = written(tmp_path, f"old{suffix}", OLD)
    new = written(tmp_path, f"new{suffix}", NEW.append_column("late", pa.array([True] * 4)))

    diff = compare(old.table, new.table)

    assert (diff.old.rows, diff.new.rows) == (4, 4)
    assert (diff.added, diff.removed, diff.retyped) == (("late",), (), ())
    x = diff.old.columns["x"]
    assert (x.nulls, x.distinct, x.exact, x.min, x.max) == (1, 3, True, 1.5, 4.0)
    assert x.mean == pytest.approx(8 / 3)
    name = diff.new.columns["name"]
    assert (name.min, name.max, name.distinct, name.mean) == ("b", "f", 3, None)
    assert rows(old, new) == RowDiff(3, 3, None, None)
    assert rows(old, new, key=["id"]) == RowDiff(1, 1, 2, {"x": 1, "name": 1})


def test_rows_that_stand_there_twice_are_counted(tmp_path: Path) -> None:
    old = written(tmp_path, "old.csv", pa.table({"a": [1, 1, 1, 2]}))
    new = written(tmp_path, "new.csv", pa.table({"a": [1, 2, 2]}))

    assert rows(old, new) == RowDiff(1, 2, None, None)
    with pytest.raises(StepFailed) as refused:
        rows(old, new, key=["a"])
    assert refused.value.code == "key-not-unique"
    with pytest.raises(MlopsError) as unknown:
        rows(old, new, key=["b"])
    assert unknown.value.code == "no-such-column"


def test_a_column_of_another_type_is_named_and_still_compared(tmp_path: Path) -> None:
    old = written(tmp_path, "old.csv", pa.table({"id": [1, 2], "x": [1, 2], "y": [1, 2]}))
    new = written(tmp_path, "new.csv", pa.table({"id": [1, 2], "x": [1.0, 2.5], "y": ["1", "two"]}))

    assert compare(old.table, new.table).retyped == ("x", "y")
    assert rows(old, new, key=["id"]) == RowDiff(0, 0, 1, {"x": 1, "y": 1})


def test_a_value_late_in_a_large_file_widens_the_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BLOCK", 1000)
    lines = [f"{n},{n}," for n in range(1000)] + ["1000,1.5,x", "many,2,y"]
    text = "a,b,c\n" + "\n".join(lines) + "\n"

    found = measure(TableFile(text.encode(), "t.csv").batches())

    assert {name: column.type for name, column in found.columns.items()} == {
        "a": "string",
        "b": "double",
        "c": "string",
    }
    assert (found.rows, found.columns["b"].max, found.columns["c"].nulls) == (1002, 999.0, 1000)


def test_lines_of_json_may_disagree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BLOCK", 64)
    lines = ['{"a": 1, "b": {"c": [1]}}'] * 5 + ['{"a": 2.5}'] * 5 + ['{"a": "x", "d": 1}'] * 5
    lines += ['{"a": 1}', '{"a": "y"}']

    found = measure(TableFile("\n".join(lines).encode(), "t.jsonl").batches())

    assert found.rows == 17
    assert found.columns["a"].type == "mixed"
    assert (found.columns["b"].nulls, found.columns["b"].distinct) == (12, None)
    assert (found.columns["d"].nulls, found.columns["d"].type) == (12, "int64")


@pytest.mark.parametrize(
    ("name", "data"),
    [("t.csv", b""), ("t.csv", b"a,b\n"), ("t.jsonl", b""), ("t.tsv", b"a\tb\n")],
)
def test_a_table_without_rows_is_one(name: str, data: bytes) -> None:
    found = measure(TableFile(data, name).batches())

    assert found.rows == 0
    assert list(found.columns) == (["a", "b"] if b"a" in data else [])
    assert rows(Side(TableFile(data, name), found), Side(TableFile(data, name), found)) == RowDiff(
        0, 0, None, None
    )


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl"])
def test_what_is_no_table_is_refused_by_name(name: str) -> None:
    with pytest.raises(StepFailed) as refused:
        measure(TableFile(b'a,b\n"1,2,3\n1,2,3,4\n', name).batches())
    assert refused.value.code == "unreadable-data" and name in refused.value.message


def test_nan_is_null_infinity_is_told_and_distinct_values_have_a_bound(tmp_path: Path) -> None:
    numbers = pa.array([float("nan"), float("inf"), 1.0] + [float(n) for n in range(150_000)])
    pq.write_table(pa.table({"x": numbers}), tmp_path / "t.parquet")

    found: Table = measure(TableFile(tmp_path / "t.parquet", "t.parquet").batches())

    x = found.columns["x"]
    assert (x.nulls, x.max, x.distinct, x.exact) == (1, "inf", 100_000, False)


def test_a_column_that_was_reordered_is_no_change_of_a_row(tmp_path: Path) -> None:
    old = written(tmp_path, "old.parquet", OLD)
    new = written(tmp_path, "new.parquet", OLD.select(["name", "id", "x"]))

    diff = compare(old.table, new.table)

    assert (diff.reordered, diff.changed) == (True, ())
    assert rows(old, new) == RowDiff(0, 0, None, None)
