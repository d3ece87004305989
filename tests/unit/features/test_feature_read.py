"""Tables from files and folders."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_cli.errors import ConfigError, NotFound, StepFailed
from mlops_cli.features import read, write


def test_a_folder_is_read_in_the_order_of_its_file_names(tmp_path: Path) -> None:
    for name, value in (("b", 2), ("a", 1), ("c", 3)):
        write.parquet(pa.table({"x": [value]}), tmp_path / "data" / f"{name}.parquet")
    (tmp_path / "data" / ".hidden.parquet").write_bytes(b"not parquet")
    (tmp_path / "data" / "README.md").write_text("words")
    assert read.table(tmp_path, "data").column("x").to_pylist() == [1, 2, 3]


def test_a_folder_name_such_as_month_1_makes_no_column(tmp_path: Path) -> None:
    write.parquet(pa.table({"x": [1]}), tmp_path / "data" / "month=1" / "a.parquet")
    assert read.table(tmp_path, "data").column_names == ["x"]


def test_types_are_made_plain(tmp_path: Path) -> None:
    table = pa.table(
        {
            "word": pa.array(["a", "b"]).dictionary_encode(),
            "naive": pa.array([datetime(2013, 1, 1), None], pa.timestamp("ns")),
            "zoned": pa.array([0, 1], pa.timestamp("ms", tz="America/New_York")),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    found = read.table(tmp_path, "t.parquet")
    instant = pa.timestamp("us", tz="UTC")
    assert [field.type for field in found.schema] == [pa.string(), instant, instant]
    assert found.column("naive")[0].as_py() == datetime(2013, 1, 1, tzinfo=UTC)
    assert found.column("zoned")[1].as_py() == datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)


def test_csv_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("at,x,word\n2013-01-01T00:00:00Z,1,a\n,2,\n")
    found = read.table(tmp_path, "t.csv", ["word", "at"])
    assert found.column_names == ["word", "at"]
    assert found.column("at").to_pylist() == [datetime(2013, 1, 1, tzinfo=UTC), None]
    assert found.column("word").to_pylist() == ["a", None]


def test_files_may_widen_a_number_but_not_turn_it_into_text(tmp_path: Path) -> None:
    write.parquet(pa.table({"x": pa.array([1], pa.int16())}), tmp_path / "d" / "1.parquet")
    write.parquet(pa.table({"x": pa.array([2], pa.int64())}), tmp_path / "d" / "2.parquet")
    assert read.table(tmp_path, "d").column("x").to_pylist() == [1, 2]
    write.parquet(pa.table({"x": ["three"]}), tmp_path / "d" / "3.parquet")
    with pytest.raises(StepFailed) as caught:
        read.table(tmp_path, "d")
    assert caught.value.code == "schema-differs"


def test_what_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as nothing:
        read.table(tmp_path, "data")
    assert nothing.value.code == "data-missing" and "data" in nothing.value.message
    (tmp_path / "t.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(StepFailed) as broken:
        read.table(tmp_path, "t.parquet")
    assert broken.value.code == "unreadable-data" and "t.parquet" in broken.value.message
    write.parquet(pa.table({"x": [1]}), tmp_path / "t.parquet")
    with pytest.raises(StepFailed) as column:
        read.table(tmp_path, "t.parquet", ["y"])
    assert column.value.code == "column-missing" and column.value.details["column"] == "y"
    with pytest.raises(ConfigError) as outside:
        read.table(tmp_path, "../t.parquet")
    assert outside.value.code == "path-outside-project"


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    table = pa.table({"x": list(range(1000)), "word": ["a", "b"] * 500})
    write.parquet(table, tmp_path / "one.parquet")
    chunked = pa.concat_tables([table.slice(0, 10), table.slice(10)])
    write.parquet(chunked.replace_schema_metadata({"who": "me"}), tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,x\n1,2\n")
    with pytest.raises(StepFailed) as caught:
        read.table(tmp_path, "t.csv")
    assert caught.value.code == "column-twice"
