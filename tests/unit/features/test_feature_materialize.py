"""Views made from sources: the user's transform, types, checks, quarantine, bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_cli.errors import ConfigError, MlopsError, NotFound, StepFailed
from mlops_cli.features import materialize, write
from mlops_cli.pipeline.model.data import ColumnCheck, FeatureView, Source, Window
from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step

START = datetime(2013, 1, 1, tzinfo=UTC)
HOURS = [START + timedelta(hours=hour) for hour in range(10)]
SOURCE = Source("data/w.parquet")
RAW = {
    "place": ["a", "b", "a", None, "a"],
    "seen": [HOURS[2], HOURS[1], HOURS[1], HOURS[1], HOURS[2]],
    "x": [1.0, 2.0, 3.0, 4.0, float("nan")],
}


def view(**changes: Any) -> FeatureView:
    parts: dict[str, Any] = {"fields": {"x": "float"}} | changes
    return FeatureView(("place",), "data.w", "seen", **parts)


def run(root: Path, spec: FeatureView, raw: dict[str, Any] = RAW) -> tuple[Outcome, Path]:
    write.parquet(pa.table(raw), root / "data" / "w.parquet")
    config = {"name": "v", "view": to_plain(spec), "source": to_plain(SOURCE)}
    step = Step("feature.v", "feature", outs=("out/features/v",), config=config)
    folder = root / "scratch"
    return materialize.FeatureStep().run(step, RunContext(root, {"out/features/v": folder})), folder


def failure(root: Path, spec: FeatureView, raw: dict[str, Any] = RAW) -> MlopsError:
    with pytest.raises(MlopsError) as caught:
        run(root, spec, raw)
    return caught.value


def test_one_row_an_entity_and_instant_is_kept_the_last_of_the_source(tmp_path: Path) -> None:
    outcome, folder = run(tmp_path, view())
    rows = pq.read_table(folder / "values.parquet").to_pylist()
    assert rows == [
        {"place": "a", "seen": HOURS[1], "x": 3.0},
        {"place": "a", "seen": HOURS[2], "x": None},  # NaN is null
        {"place": "b", "seen": HOURS[1], "x": 2.0},
    ]
    assert outcome.facts["dropped"] == {"no_entity_or_time": 1, "repeated": 1}
    assert outcome.facts["entities"] == 2
    assert json.loads((folder / "report.json").read_text())["schema"] == "mlops.features/1"
    assert not (folder / "quarantine.parquet").exists()


def test_windows_keep_running_totals_of_each_entity(tmp_path: Path) -> None:
    spec = view(
        fields={}, windows={"m": Window(("1d",), mean="x"), "n": Window(("1d",), count="place")}
    )
    _, folder = run(tmp_path, spec, RAW | {"x": [1, 2, 3, 4, 5]})
    assert pq.read_table(folder / "values.parquet").to_pylist() == [
        {"place": "a", "seen": HOURS[1], "x.count": 1, "x.sum": 3, "place.count": 1},
        {"place": "a", "seen": HOURS[2], "x.count": 3, "x.sum": 9, "place.count": 3},
        {"place": "b", "seen": HOURS[1], "x.count": 1, "x.sum": 2, "place.count": 1},
    ]


def test_the_transform_of_the_project_is_called_and_seen_anew_after_an_edit(tmp_path: Path) -> None:
    code = tmp_path / "src" / "f.py"
    code.parent.mkdir()
    (tmp_path / "src" / "factor.py").write_text("BY = 10")
    code.write_text(
        "import factor\nimport pyarrow.compute as pc\n\n"
        "def scale(t):\n"
        "    return t.set_column(2, 'x', pc.multiply(t['x'], factor.BY))\n"
    )
    spec = view(transform="src/f.py:scale")
    _, folder = run(tmp_path, spec)
    assert pq.read_table(folder / "values.parquet").column("x").to_pylist() == [30.0, None, 20.0]
    (tmp_path / "src" / "factor.py").write_text("BY = 100")
    _, folder = run(tmp_path, spec)
    assert pq.read_table(folder / "values.parquet").column("x").to_pylist() == [300.0, None, 200.0]
    assert not list(tmp_path.rglob("__pycache__"))


def test_sql_sees_the_source_and_nothing_else(tmp_path: Path) -> None:
    query = tmp_path / "f.sql"
    query.write_text("SELECT place, seen, max(x) AS x FROM source WHERE x < 3 GROUP BY ALL")
    _, folder = run(tmp_path, view(sql="f.sql"))
    rows = pq.read_table(folder / "values.parquet")
    assert rows.column("x").to_pylist() == [1.0, 2.0]
    for hostile in (
        f"SELECT * FROM read_text('{query}')",
        "INSTALL httpfs; SELECT 1",
        "SET enable_external_access = true; SELECT * FROM source",
        "SELECT nonsense FROM source",
    ):
        query.write_text(hostile)
        assert failure(tmp_path, view(sql="f.sql")).code == "query-failed", hostile


@pytest.mark.parametrize(
    ("code", "expected", "words"),
    [
        ("def f(t):\n    return t['nope']\n", "transform-failed", "f.py:2: KeyError"),
        ("def f(t):\n    return 1\n", "transform-returned", "returned int"),
        ("def f(t) return t\n", "transform-failed", "f.py:1: SyntaxError"),
        ("import nowhere\n", "transform-failed", "f.py:1: ModuleNotFoundError"),
        ("def g(t):\n    return t\n", "function-missing", "no function 'f'"),
        ("def f(t):\n    return t.drop_columns(['x'])\n", "column-missing", "no column 'x'"),
    ],
)
def test_what_is_wrong_with_a_transform_is_told_with_its_line(
    tmp_path: Path, code: str, expected: str, words: str
) -> None:
    (tmp_path / "f.py").write_text(code)
    error = failure(tmp_path, view(transform="f.py:f"))
    assert error.code == expected and words in error.message


def test_a_transform_that_is_not_there_or_outside_is_refused(tmp_path: Path) -> None:
    missing = failure(tmp_path, view(transform="no.py:f"))
    assert isinstance(missing, NotFound) and missing.code == "code-missing"
    assert failure(tmp_path, view(transform="../f.py:f")).code == "path-outside-project"
    assert failure(tmp_path, view(sql="no.sql")).code == "code-missing"


@pytest.mark.parametrize(
    ("change", "raw", "words"),
    [
        ({"fields": {"x": "string"}}, {}, "'x' holds double, but is declared string"),
        ({"fields": {"x": "float"}}, {"x": list("abcde")}, "'x' holds string, but is declared"),
        ({"fields": {"x": "int"}}, {}, "'x' holds double, but is declared int"),
        ({}, {"seen": list("abcde")}, "time column 'seen' holds string"),
        (
            {"fields": {}, "windows": {"m": Window(("1d",), mean="x")}},
            {"x": list("abcde")},
            "sums 'x', which holds string",
        ),
    ],
)
def test_wrong_types_are_refused_by_name(
    tmp_path: Path, change: dict[str, Any], raw: dict[str, Any], words: str
) -> None:
    error = failure(tmp_path, view(**change), RAW | raw)
    assert error.code == "wrong-type" and words in error.message


def test_rows_that_break_a_check_stop_the_step_or_go_into_quarantine(tmp_path: Path) -> None:
    checks = {"x": ColumnCheck(min=1.5, max=3.5)}
    error = failure(tmp_path, view(checks=checks))
    assert error.code == "check-failed" and "at least 1.5, which 1 of 5 rows" in error.message
    outcome, folder = run(tmp_path, view(checks=checks, on_fail="quarantine"))
    apart = pq.read_table(folder / "quarantine.parquet").to_pylist()
    assert [(row["x"], row["rule"]) for row in apart] == [(1.0, "x: min"), (4.0, "x: max")]
    assert outcome.facts["quarantined"] == 2
    assert pq.read_table(folder / "values.parquet").column("x").to_pylist() == [3.0, None, 2.0]


def test_a_broken_share_stops_even_with_quarantine(tmp_path: Path) -> None:
    spec = view(checks={"x": ColumnCheck(nulls=0.1)}, on_fail="quarantine")
    error = failure(tmp_path, spec)
    assert isinstance(error, StepFailed) and error.code == "check-failed"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"windows": {"m": Window(("1d",), mean="x")}}, "both fields and windows"),
        ({"fields": {}}, "neither fields nor windows"),
        ({"fields": {}, "windows": {"m": Window(("1d",), mean="x")}, "ttl": "1h"}, "a ttl"),
        ({"fields": {"place": "string"}}, "cannot be fields too"),
        ({"transform": "a.py:f", "sql": "a.sql"}, "both a transform and sql"),
        ({"fields": {}, "windows": {"m": Window(("1d",))}}, "exactly one of mean, sum, count"),
    ],
)
def test_a_view_that_contradicts_itself_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    error = failure(tmp_path, view(**change))
    assert isinstance(error, ConfigError) and error.code == "contradictory-view"
    assert words in error.message


def test_an_empty_source_makes_an_empty_view(tmp_path: Path) -> None:
    empty = pa.table(RAW).slice(0, 0)
    raw = {name: empty.column(name) for name in empty.column_names}
    for spec in (view(), view(fields={}, windows={"m": Window(("1d",), mean="x")})):
        outcome, _ = run(tmp_path, spec, raw)
        assert outcome.facts["rows"] == 0


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    raw = {
        "place": [f"p{number % 7}" for number in range(5000)],
        "seen": [HOURS[number % 10] for number in range(5000)],
        "x": [number * 0.1 for number in range(5000)],
    }
    for spec in (view(), view(fields={}, windows={"m": Window(("1d",), mean="x")})):
        found = set()
        for _ in range(3):
            _, folder = run(tmp_path, spec, raw)
            found.add((folder / "values.parquet").read_bytes())
        assert len(found) == 1
