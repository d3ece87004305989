"""Datasets: what is joined, what is dropped, what is refused, how rows are split."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_cli.errors import MlopsError
from mlops_cli.features import dataset, materialize, write
from mlops_cli.pipeline.model.data import FeatureView, Label, Source, Window
from mlops_cli.pipeline.model.pipeline import Pipeline
from mlops_cli.pipeline.model.plain import to_plain
from mlops_cli.pipeline.model.project import ProjectInfo
from mlops_cli.pipeline.model.training import DatasetDef, Split, Train
from mlops_cli.pipeline.runner import Outcome, RunContext
from mlops_cli.pipeline.step import Step

START = datetime(2013, 1, 1, tzinfo=UTC)
TRIPS = Source("data/trips.parquet", ("id",), "leaves", Label("late", "lands"))
HISTORY = FeatureView(
    ("line",), "data.trips", "lands", windows={"rate": Window(("1d",), mean="late")}
)
COUNTS = replace(HISTORY, windows={"trips": Window(("1d",), count="id")})
DATASET = DatasetDef("data.trips", ("history",), ("miles",))


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def trips(rows: int = 100, **changes: Any) -> pa.Table:
    """One trip an hour, two hours long, every third one late."""
    columns: dict[str, Any] = {
        "id": list(range(rows)),
        "leaves": [at(hour) for hour in range(rows)],
        "lands": [at(hour + 2) for hour in range(rows)],
        "line": [f"L{number % 3}" for number in range(rows)],
        "miles": [number * 7 % 11 for number in range(rows)],
        "late": [int(number % 7 % 3 == 0) for number in range(rows)],
    }
    return pa.table(columns | changes)


def pipeline() -> Pipeline:
    return Pipeline(
        1,
        ProjectInfo("p"),
        data={"trips": TRIPS},
        features={"history": HISTORY},
        train={"delay": Train(DATASET, "src/t.py:train", slices=("line",))},
    )


def make(
    root: Path,
    table: pa.Table | None = None,
    spec: DatasetDef = DATASET,
    *,
    task: str = "binary",
    view: FeatureView = HISTORY,
    source: Source = TRIPS,
) -> tuple[Outcome, dict[str, pa.Table], dict[str, Any]]:
    write.parquet(trips() if table is None else table, root / "data" / "trips.parquet")
    values = materialize.build("history", view, source, root=root).values
    write.parquet(values, root / "out" / "features" / "history" / "values.parquet")
    config = {
        "name": "delay",
        "dataset": to_plain(spec),
        "spine": to_plain(source),
        "views": {"history": to_plain(view)},
        "slices": ["line"],
        "task": task,
    }
    folder = root / "scratch"
    step = Step("dataset.delay", "dataset", outs=("out/delay/dataset",), config=config)
    outcome = dataset.DatasetStep().run(step, RunContext(root, {"out/delay/dataset": folder}))
    sides = ("train", "validate", "test")
    parts = {side: pq.read_table(folder / f"{side}.parquet") for side in sides}
    return outcome, parts, json.loads((folder / "dataset.json").read_text())


def failure(root: Path, table: pa.Table | None = None, **how: Any) -> MlopsError:
    with pytest.raises(MlopsError) as caught:
        make(root, table, **how)
    assert not (root / "scratch" / "dataset.json").exists()
    return caught.value


def test_a_dataset_says_what_it_holds(tmp_path: Path) -> None:
    outcome, parts, facts = make(tmp_path)
    assert facts["schema"] == "mlops.dataset/1"
    assert facts["features"] == [
        {"name": "miles", "dtype": "int", "from": "data.trips"},
        {"name": "history_rate_1d", "dtype": "float", "from": "features.history"},
    ]
    assert parts["train"].column_names == [
        "id", "leaves", "line", "miles", "history_rate_1d", "late",
    ]  # fmt: skip
    assert parts["train"].schema.field("late").type == pa.int8()
    assert facts["watermark"] == "2013-01-05T05:00:00Z"
    assert outcome.metrics["test.rows"] == 15.0 == facts["split"]["test"]["rows"]
    profile = json.loads((tmp_path / "scratch" / "profile.json").read_text())
    assert profile["rows"] == parts["train"].num_rows
    assert list(profile["columns"]) == ["history_rate_1d", "miles"]
    assert list(profile["label"]) == ["late"]


def test_split_by_time_drops_what_was_not_known_at_the_boundary(tmp_path: Path) -> None:
    _, parts, facts = make(tmp_path)
    ids = {side: part.column("id").to_pylist() for side, part in parts.items()}
    # validation begins at hour 70: trips 69 (lands 71) was still in the air, 68 lands right then
    assert ids["train"] == list(range(69))
    assert ids["validate"] == list(range(70, 84))
    assert ids["test"] == list(range(85, 100))
    assert facts["dropped"]["unknown_at_boundary_train"] == 1
    assert facts["dropped"]["unknown_at_boundary_validate"] == 1


def test_rows_of_one_instant_stay_on_one_side(tmp_path: Path) -> None:
    leaves = [at(number // 10) for number in range(100)]
    spec = replace(DATASET, split=Split(validate=0.15, test=0.15))
    _, parts, _ = make(tmp_path, trips(leaves=leaves, lands=leaves), spec)
    seen = [set(part.column("leaves").to_pylist()) for part in parts.values()]
    assert not (seen[0] & seen[1] or seen[1] & seen[2])


def test_features_are_what_was_known_when_the_row_was(tmp_path: Path) -> None:
    _, parts, _ = make(tmp_path)
    table, found = trips().to_pylist(), parts["train"].to_pylist()
    for row in found:
        known = [
            trip["late"]
            for trip in table
            if trip["line"] == row["line"]
            and row["leaves"] - timedelta(days=1) < trip["lands"] <= row["leaves"]
        ]
        assert row["history_rate_1d"] == (sum(known) / len(known) if known else None)


def test_rows_without_a_label_are_dropped_and_counted(tmp_path: Path) -> None:
    late: list[int | None] = [int(number % 7 % 3 == 0) for number in range(100)]
    late[3] = late[4] = None
    _, parts, facts = make(tmp_path, trips(late=late))
    assert facts["dropped"]["no_label"] == 2
    assert not {3, 4} & set(parts["train"].column("id").to_pylist())


def test_the_window_reaches_back_from_the_newest_known_label(tmp_path: Path) -> None:
    _, parts, facts = make(tmp_path, spec=replace(DATASET, window="2d"))
    # the newest label became known at hour 101
    assert parts["train"].column("id")[0].as_py() == 54
    assert facts["dropped"]["before_window"] == 54


def test_the_rows_may_stand_in_any_order(tmp_path: Path) -> None:
    table = trips()
    shuffled = table.take([number * 37 % 100 for number in range(100)])
    _, one, _ = make(tmp_path / "one", table)
    _, two, _ = make(tmp_path / "two", shuffled)
    assert all(one[side].equals(two[side]) for side in one)
    for name in ("train.parquet", "test.parquet", "dataset.json", "profile.json"):
        places = [tmp_path / world / "scratch" / name for world in ("one", "two")]
        assert places[0].read_bytes() == places[1].read_bytes()


def test_random_and_group_splits_are_drawn_by_seed_and_key(tmp_path: Path) -> None:
    def ids(**split: Any) -> list[list[int]]:
        _, parts, _ = make(tmp_path, trips(400), replace(DATASET, split=Split(**split)))
        return [part.column("id").to_pylist() for part in parts.values()]

    one, same, other = (ids(by="random", seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    assert sorted(itertools.chain(*one)) == list(range(400))
    assert 30 < len(one[2]) < 90
    lines = [f"line{number % 40}" for number in range(400)]
    spec = replace(DATASET, split=Split(by="group", group="line"))
    _, parts, _ = make(tmp_path, trips(400, line=lines), spec)
    held = [set(part.column("line").to_pylist()) for part in parts.values()]
    assert not (held[0] & held[1] or held[0] & held[2] or held[1] & held[2])


@pytest.mark.parametrize("column", ["late", "lands"])
def test_the_label_and_when_it_is_known_are_no_features(tmp_path: Path, column: str) -> None:
    error = failure(tmp_path, spec=replace(DATASET, columns=("miles", column)))
    assert error.code == "leak" and column in error.message


def test_a_history_that_counts_labels_before_they_are_known_is_a_leak(tmp_path: Path) -> None:
    error = failure(tmp_path, view=replace(HISTORY, time="leaves"))
    assert error.code == "leak" and "'leaves', when the label is not known yet" in error.message


@pytest.mark.parametrize(
    "copy",
    [
        float,
        lambda late: 5 - 3 * late,
        lambda late: late == 1,
        lambda late: "yes" if late else "no",
    ],
)
def test_a_copy_of_the_label_is_a_leak(tmp_path: Path, copy: Any) -> None:
    miles = [copy(late) for late in trips().column("late").to_pylist()]
    error = failure(tmp_path, trips(miles=miles))
    assert error.code == "leak" and "on all 100 rows it says what 'late' is" in error.message


def test_a_group_on_two_sides_is_a_leak(tmp_path: Path) -> None:
    error = failure(tmp_path, spec=replace(DATASET, split=Split(group="line")))
    assert error.code == "leak" and "'line'" in error.message


def test_a_feature_in_the_order_of_the_label_is_a_leak(tmp_path: Path) -> None:
    ordered = [late * 1000 + at % 7 for at, late in enumerate(trips().column("late").to_pylist())]
    error = failure(tmp_path, trips(miles=ordered))
    assert error.code == "leak" and "its order is that of 'late'" in error.message
    ordered[50] = 500  # one row out of order: a good feature, and no copy
    make(tmp_path / "fair", trips(miles=[*ordered[:50], 0, *ordered[51:]], late=[1, 0] * 50))


def test_a_column_known_only_after_the_event_is_a_leak_until_it_is_waived(tmp_path: Path) -> None:
    spec, source = replace(DATASET, columns=("miles",)), replace(TRIPS, known_at={"miles": "lands"})
    error = failure(tmp_path, spec=spec, source=source)
    assert error.code == "leak" and error.details["check"] == "future-feature"
    assert "'miles' was known only after 'leaves' in 100 of 100 rows" in error.message
    reason = {"future-feature": "miles come from the timetable"}
    _, _, facts = make(tmp_path / "waived", spec=replace(spec, waive=reason), source=source)
    assert [(each["check"], each["reason"]) for each in facts["waived"]] == [*reason.items()]
    before = replace(source, known_at={"miles": "leaves"})
    assert "waived" not in make(tmp_path / "before", spec=spec, source=before)[2]


def test_all_leaks_are_told_at_once(tmp_path: Path) -> None:
    miles = trips().column("late").to_pylist()
    spec = replace(DATASET, split=Split(group="line"))
    error = failure(tmp_path, trips(miles=miles), spec=spec)
    assert [leak["check"] for leak in error.details["leaks"]] == [
        "target-in-features",
        "shared-group",
    ]
    assert "2 leaks" in error.message and "shared-group: " in error.message


def test_a_side_that_mostly_waits_for_its_labels_is_a_leak(tmp_path: Path) -> None:
    lands = [at + timedelta(hours=10) for at in trips().column("leaves").to_pylist()]
    table = trips(lands=pa.array(lands, trips().schema.field("lands").type))
    error = failure(tmp_path, table)
    assert error.code == "leak" and error.details["check"] == "late-label"
    spec = replace(DATASET, waive={"late-label": "claims close after a month"})
    _, parts, facts = make(tmp_path / "waived", table, spec=spec)
    assert facts["dropped"]["unknown_at_boundary_validate"] > parts["validate"].num_rows


def test_strata_have_the_same_shares_on_every_side(tmp_path: Path) -> None:
    rare = ["rare" if number % 10 == 0 else "common" for number in range(400)]

    def parts(seed: int) -> dict[str, Any]:
        split = Split(by="strata", strata=("line", "late"), seed=seed)
        return make(tmp_path, trips(400, line=rare), replace(DATASET, split=split))[1]

    one, same, other = parts(1), parts(1), parts(2)
    assert all(one[side].equals(same[side]) for side in one)
    assert not one["test"].equals(other["test"])
    assert [part.num_rows for part in one.values()] == [280, 60, 60]
    for part in one.values():
        assert part.column("line").to_pylist().count("rare") * 10 == part.num_rows
    spec = replace(DATASET, split=Split(by="strata", strata=("nope",)))
    assert failure(tmp_path / "nope", spec=spec).code == "column-missing"


@pytest.mark.parametrize(
    ("change", "how", "code"),
    [
        ({"late": [None] * 100}, {}, "label-missing"),
        ({"late": [0] * 100}, {}, "one-class"),
        ({"late": [0, 2] * 50}, {}, "label-not-binary"),
        ({"late": ["no", "yes"] * 50}, {"view": COUNTS}, "label-not-binary"),
        ({"miles": [[1]] * 100}, {}, "wrong-type"),
        ({}, {"spec": replace(DATASET, window="1h")}, "too-few-rows"),
        ({}, {"spec": replace(DATASET, window="4h")}, "too-few-rows"),
        ({}, {"spec": replace(DATASET, as_known=False)}, "not-as-known"),
        ({}, {"spec": replace(DATASET, columns=("nope",))}, "column-missing"),
        (
            {},
            {"spec": replace(DATASET, split=Split(validate=0.6, test=0.6))},
            "contradictory-split",
        ),
        ({}, {"spec": replace(DATASET, split=Split(by="group"))}, "contradictory-split"),
        ({}, {"source": replace(TRIPS, label=None)}, "label-missing"),
        ({}, {"source": replace(TRIPS, time=None)}, "time-missing"),
    ],
)
def test_what_nobody_can_learn_from_is_refused(
    tmp_path: Path, change: dict[str, Any], how: dict[str, Any], code: str
) -> None:
    assert failure(tmp_path, trips(**change), **how).code == code


def test_regression_takes_any_number_as_label(tmp_path: Path) -> None:
    late = [number * 0.5 % 3.1 for number in range(100)]
    view = replace(HISTORY, windows={"rate": Window(("1d",), mean="late")})
    _, parts, facts = make(tmp_path, trips(late=late), task="regression", view=view)
    assert parts["train"].schema.field("late").type == pa.float64()
    assert "positive" not in facts["split"]["train"]


def test_served_rows_get_the_features_that_training_rows_got(tmp_path: Path) -> None:
    _, parts, _ = make(tmp_path)
    spine = trips().take(pa.array([50, 10, 99, 10]))
    found = dataset.rows(tmp_path, pipeline(), "delay", spine)
    assert found.column("id").to_pylist() == [50, 10, 99, 10]
    assert found.column_names == [*parts["train"].column_names, "lands"]
    trained = {row["id"]: row["history_rate_1d"] for row in parts["train"].to_pylist()}
    rates = found.column("history_rate_1d").to_pylist()
    assert rates[:2] == [trained[50], trained[10]]
    unlabelled = dataset.rows(tmp_path, pipeline(), "delay", spine.drop_columns(["late", "lands"]))
    assert unlabelled.column("history_rate_1d").to_pylist() == rates
    # a column that the dataset does not use may be called as a feature is
    other = spine.append_column("history_rate_1d", pa.array([0.0] * 4))
    assert dataset.rows(tmp_path, pipeline(), "delay", other).equals(found)
    with pytest.raises(MlopsError) as caught:
        dataset.rows(tmp_path, pipeline(), "other", spine)
    assert caught.value.code == "unknown-train"
