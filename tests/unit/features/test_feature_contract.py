"""Sources held against their contracts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlops_cli.errors import ConfigError, StepFailed
from mlops_cli.features import check, contract, write
from mlops_cli.pipeline.model.data import ColumnCheck, Label, Source
from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step

DAY = [datetime(2013, 1, day, tzinfo=UTC) for day in range(1, 6)]
GOOD: dict[str, Any] = {
    "id": [1, 2, 3],
    "at": DAY[:3],
    "known": [DAY[1], DAY[2], None],
    "late": [0, 1, None],
    "distance": pa.array([10, 20, 30], pa.int16()),
    "carrier": ["AA", "UA", "AA"],
}
SOURCE = Source("data/f.parquet", ("id",), "at", Label("late", "known"))


def validate(root: Path, table: dict[str, Any], source: Source = SOURCE) -> Outcome:
    write.parquet(pa.table(table), root / "data" / "f.parquet")
    config = {"name": "f", "source": to_plain(source)}
    step = Step("data.f", "validate", outs=("out/data/f.json",), config=config)
    outs = {"out/data/f.json": root / "scratch" / "f.json"}
    return contract.ValidateStep().run(step, RunContext(root, outs))


def broken(root: Path, change: dict[str, Any], source: Source = SOURCE) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        validate(root, GOOD | change, source)
    assert not (root / "scratch").exists()
    return caught.value


def test_a_kept_contract_leaves_a_report_with_a_profile(tmp_path: Path) -> None:
    checks = {
        "distance": ColumnCheck(type="float", min=1, max=100, nulls=0.0),
        "carrier": ColumnCheck(one_of=("AA", "UA"), matches="[A-Z]{2}"),
    }
    source = Source("data/f.parquet", ("id",), "at", SOURCE.label, checks, rows={"min": 3})
    outcome = validate(tmp_path, GOOD, source)
    report = json.loads((tmp_path / "scratch" / "f.json").read_text())
    assert outcome.metrics == {"rows": 3.0}
    assert report["schema"] == "mlops.contract/1"
    assert report["time"] == {"start": "2013-01-01T00:00:00Z", "end": "2013-01-03T00:00:00Z"}
    assert report["label"]["known"] == 2 and report["label"]["unknown"] == 1
    assert report["label"]["known_at"]["end"] == "2013-01-03T00:00:00Z"
    assert all(rule["passed"] for rule in report["rules"])
    assert report["profile"]["columns"]["distance"]["mean"] == 20.0
    assert "id" not in report["profile"]["columns"]  # every key is another


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"id": [1, 2, 2]}, "contract-broken", "'id' should be unique, which 1 of 3 rows break"),
        ({"id": [1, 2, None]}, "contract-broken", "'id' should be never null"),
        ({"at": [*DAY[:2], None]}, "contract-broken", "'at' should be never null"),
        ({"at": ["x", "y", "z"]}, "contract-broken", "'at' should be of type timestamp"),
        ({"late": [None, None, None]}, "label-missing", "null in every row"),
        ({"late": [0, 1, 1]}, "contract-broken", "'known' should be dated wherever 'late'"),
        ({"known": [1, 2, 3]}, "contract-broken", "'known' should be of type timestamp"),
    ],
)
def test_what_a_source_promises_is_held(
    tmp_path: Path, change: dict[str, Any], code: str, words: str
) -> None:
    error = broken(tmp_path, change)
    assert error.code == code and words in error.message
    assert error.details["broken"][0]["passed"] is False


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (ColumnCheck(type="string"), "of type string, but is int16"),
        (ColumnCheck(min=11), "at least 11, which 1 of 3 rows break (first 10 in row 1)"),
        (ColumnCheck(max=15), "at most 15, which 2 of 3 rows break (first 20 in row 2)"),
        (ColumnCheck(one_of=(10, 20)), "one of 10, 20, which 1 of 3 rows break"),
        (ColumnCheck(unique=True, min=25), "at least 25"),
    ],
)
def test_a_broken_check_names_rule_column_and_rows(
    tmp_path: Path, rule: ColumnCheck, words: str
) -> None:
    source = Source("data/f.parquet", ("id",), "at", SOURCE.label, {"distance": rule})
    error = broken(tmp_path, {}, source)
    assert error.code == "contract-broken"
    assert "'distance'" in error.message and words in error.message


def test_columns_that_are_not_there_are_told_apart(tmp_path: Path) -> None:
    without = {name: values for name, values in GOOD.items() if name not in ("late", "distance")}
    with pytest.raises(StepFailed) as label:
        validate(tmp_path, without)
    assert label.value.code == "label-missing"
    source = Source("data/f.parquet", checks={"distance": ColumnCheck(min=1)})
    with pytest.raises(StepFailed) as column:
        validate(tmp_path, without, source)
    assert column.value.code == "column-missing"
    assert column.value.details["broken"][0]["column"] == "distance"


def test_too_few_rows_break_the_contract(tmp_path: Path) -> None:
    error = broken(tmp_path, {}, Source("data/f.parquet", rows={"min": 1000}))
    assert "at least 1,000 rows long, but is 3 rows long" in error.message


def test_a_share_of_nulls_may_be_allowed() -> None:
    table = pa.table({"x": [1.0, None, float("nan"), 4.0]})
    (half,) = check.judge(table, {"x": ColumnCheck(nulls=0.5)})
    (less,) = check.judge(table, {"x": ColumnCheck(nulls=0.4)})
    assert half.passed and not less.passed
    assert (less.rows, less.first) == (2, 1)  # NaN counts as null


def test_nulls_break_no_other_rule() -> None:
    table = pa.table({"x": [1.0, None, float("nan")], "s": ["a", None, "a"]})
    rules = {"x": ColumnCheck(min=0, max=2, one_of=(1.0,)), "s": ColumnCheck(matches="a")}
    assert all(verdict.passed for verdict in check.judge(table, rules))


@pytest.mark.parametrize(
    "rule", [ColumnCheck(min=1), ColumnCheck(matches="["), ColumnCheck(one_of=(1.5, "x"))]
)
def test_a_check_that_makes_no_sense_is_our_users_to_mend(rule: ColumnCheck) -> None:
    with pytest.raises(ConfigError) as caught:
        check.judge(pa.table({"s": ["a"]}), {"s": rule})
    assert caught.value.code == "check-does-not-fit"


def test_an_empty_source_breaks_only_what_asks_for_rows(tmp_path: Path) -> None:
    empty = pa.table(GOOD).slice(0, 0)
    verdicts = contract.inspect(empty, Source("f", ("id",), "at")).verdicts
    assert all(verdict.passed for verdict in verdicts)


def test_a_broken_clock_is_reported_and_breaks_nothing(tmp_path: Path) -> None:
    far = pa.array([0, 10**18, 10**18], pa.timestamp("us", tz="UTC"))
    looked = contract.inspect(pa.table({"at": far}), Source("f", ("at",), "at"))
    assert looked.time["end"] == "after the year 9999"
    (repeated,) = [verdict for verdict in looked.verdicts if not verdict.passed]
    assert repeated.rule == "unique" and repeated.sentence()
